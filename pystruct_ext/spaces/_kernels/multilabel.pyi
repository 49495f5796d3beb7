from pystruct_ext._core.binder import Kernel

MULTILABEL: Kernel
MULTILABEL_GRAPH: Kernel
