from pystruct_ext._core.binder import Kernel

DEPENDENCY: Kernel
