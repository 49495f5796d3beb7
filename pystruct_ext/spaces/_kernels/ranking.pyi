import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._core.binder import Kernel

RANKING: Kernel

def descending_order(scores: ArrayLike) -> NDArray[np.int32]: ...
