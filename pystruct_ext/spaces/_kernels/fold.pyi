import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core.binder import Kernel

FOLD: Kernel

SIZE: int
N_FEATURES: int
GROUPS: dict[str, int]
ENERGY_SIZE: int
HIGHEST_ENERGY: int
SPECIAL_LOOPS: int
ENERGIES: dict[str, int]

def loop_energies(
    tables: NDArray[np.int32], bases: NDArray[np.uint8], partner: NDArray[np.int32]
) -> list[tuple[int, int, int, int, int]]: ...
