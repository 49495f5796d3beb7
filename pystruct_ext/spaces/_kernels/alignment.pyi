from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pystruct_ext._core import Oracle

def bind_alignment(arrays: dict[str, Any], dtype: DTypeLike) -> Oracle: ...
def k_best(
    oracle: Oracle, w: NDArray[Any], i: int, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]: ...
def marginals(
    oracle: Oracle, w: NDArray[Any], i: int, temperature: float = 1.0
) -> tuple[NDArray[np.float64], float]: ...
