from typing import Any

import numpy as np
from numpy.typing import NDArray

def decode(
    unary: NDArray[Any],
    edges: NDArray[Any],
    pairs: NDArray[Any],
    inference: int,
    counts: NDArray[np.int32] | None = None,
    branches: int = 1,
    marginals: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> tuple[NDArray[np.int32], float, float, bool, bool, int, int, float] | None: ...
