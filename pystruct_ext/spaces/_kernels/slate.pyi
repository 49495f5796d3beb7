from pystruct_ext._core.binder import Kernel

CANDIDATES: Kernel
SLATE: Kernel
