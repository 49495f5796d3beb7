from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._core import Oracle

class OnlineState:
    oracle: Oracle
    u: NDArray[Any]
    v: NDArray[Any]
    w_prior: NDArray[Any] | None
    def __init__(
        self,
        oracle: Oracle,
        lam: float,
        ids: ArrayLike,
        weight: ArrayLike,
        mode: str,
        w_init: NDArray[Any] | None = None,
        w_prior: NDArray[Any] | None = None,
        average: bool = False,
    ) -> None: ...
    def run(self, order: NDArray[np.int64]) -> None: ...
    def begin_epoch(self) -> None: ...
    def average(self, out: NDArray[Any]) -> None: ...
    @property
    def scale(self) -> float: ...
    @property
    def steps(self) -> int: ...
    @property
    def n_oracle_calls(self) -> int: ...
    @property
    def n_mistakes(self) -> int: ...
    @property
    def linear_sum(self) -> float: ...

def simplex_qp(
    b: NDArray[np.float64],
    gram: NDArray[np.float64],
    C: float,
    alpha: NDArray[np.float64],
    tol: float,
    max_steps: int,
) -> tuple[int, float]: ...
