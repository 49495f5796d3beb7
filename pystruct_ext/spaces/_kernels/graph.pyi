from pystruct_ext._core.binder import Kernel

FOREST: Kernel
EXACT: Kernel
BOUNDED: Kernel
