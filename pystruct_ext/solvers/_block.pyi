from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._core import Oracle

class BlockState:
    oracle: Oracle
    w: NDArray[Any]
    ids: NDArray[np.int64]
    C: float
    cut_tol: float
    inner_steps: int
    def __init__(
        self,
        oracle: Oracle,
        C: float,
        ids: ArrayLike,
        weight: ArrayLike,
        slack: bool = False,
        inner_steps: int = 20,
        prune_after: int = 10,
    ) -> None: ...
    def run(self, order: NDArray[np.int64], mode: str = "oracle") -> None: ...
    def hinge_sum(
        self, begin: int, end: int, n_threads: int = 1, w: NDArray[Any] | None = None
    ) -> tuple[float, float]: ...
    def sqnorm(self, w: NDArray[Any] | None = None) -> float: ...
    def recompute(self) -> None: ...
    def reset_estimate(self) -> None: ...
    @property
    def block_gap(self) -> NDArray[np.float64]: ...
    @property
    def n_oracle_calls(self) -> int: ...
    @property
    def n_weak_cuts(self) -> int: ...
    @property
    def worst_weak(self) -> float: ...
    @property
    def n_cuts(self) -> int: ...
    @property
    def n_added(self) -> int: ...
    @property
    def loss_mass(self) -> float: ...
    @property
    def gap_estimate(self) -> float: ...
    @property
    def nbytes(self) -> int: ...
    def export_cuts(
        self,
    ) -> tuple[
        NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]
    ]: ...
    def import_cuts(
        self, position: int, alpha: ArrayLike, codes: ArrayLike
    ) -> None: ...
