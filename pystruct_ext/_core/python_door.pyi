from collections.abc import Callable, Sequence
from typing import Any

from pystruct_ext._core.oracle import Oracle

def python_oracle(
    space: Any,
    X: Sequence[Any],
    Y: Sequence[Any] | None,
    size_psi: int,
    exactness: str = "exact",
    cache_bytes: int = ...,
    truth: Sequence[Any] | None = None,
) -> tuple[Oracle, Callable[[int, int], Any]]: ...
def move_truth(oracle: Oracle, Y: Sequence[Any]) -> bool: ...
