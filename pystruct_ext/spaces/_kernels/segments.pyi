from pystruct_ext._core.binder import Kernel

SEGMENTS: Kernel
