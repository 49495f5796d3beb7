import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._core.binder import Kernel

MATCHING: Kernel
ADJACENT_MATCHING: Kernel

def assign(cost: ArrayLike, maximize: bool = False) -> NDArray[np.int32]: ...
def best_links(
    first: NDArray[np.int64],
    column: NDArray[np.int32],
    value: NDArray[np.float64],
    row_cap: NDArray[np.int32],
    row_low: NDArray[np.int32],
    column_cap: NDArray[np.int32],
    k: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]] | None: ...
