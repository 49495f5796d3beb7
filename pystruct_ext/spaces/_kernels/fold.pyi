from pystruct_ext._core.binder import Kernel

FOLD: Kernel

SIZE: int
N_FEATURES: int
GROUPS: dict[str, int]
