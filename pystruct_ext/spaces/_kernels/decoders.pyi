from typing import Any

import numpy as np
from numpy.typing import NDArray

def arcs(
    scores: NDArray[Any], projective: bool, single_root: bool
) -> tuple[NDArray[np.int32], NDArray[np.float64]]: ...
def spans(scores: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.float64]]: ...
