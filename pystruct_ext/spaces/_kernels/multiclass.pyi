from typing import Any

from numpy.typing import DTypeLike

from pystruct_ext._core import Oracle

def bind_multiclass(arrays: dict[str, Any], dtype: DTypeLike) -> Oracle: ...
