import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core.binder import Kernel

CLUSTERING: Kernel
EXACT_CLUSTERING: Kernel
MOST_EXACT: int

def clusters(
    n: int, pairs: NDArray[np.int32], weights: NDArray[np.float64], search: int
) -> tuple[NDArray[np.int32], float, float]: ...
