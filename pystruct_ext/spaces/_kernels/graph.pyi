from pystruct_ext._core.binder import Kernel

FOREST: Kernel
GRAPH: Kernel
RELAXED: Kernel
