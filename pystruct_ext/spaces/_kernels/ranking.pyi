from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from pystruct_ext._core import Oracle

def bind_ranking(arrays: dict[str, Any], dtype: DTypeLike) -> Oracle: ...
def descending_order(scores: ArrayLike) -> NDArray[np.int32]: ...
