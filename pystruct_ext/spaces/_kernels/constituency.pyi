from pystruct_ext._core.binder import Kernel

SPANS: Kernel
GRAMMAR: Kernel
