from pystruct_ext._core.binder import Kernel

ALIGNMENT: Kernel
