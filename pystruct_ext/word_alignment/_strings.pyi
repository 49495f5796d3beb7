from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def code_points(
    words: Sequence[str],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...
def similarities(
    first: Sequence[str],
    second: Sequence[str],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> NDArray[np.float64]: ...
