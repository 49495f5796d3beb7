from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

class OracleError(RuntimeError): ...

class Oracle:
    feature_name: Callable[[int], str | None] | None
    @staticmethod
    def from_capsule(capsule: object) -> Oracle: ...
    @staticmethod
    def from_address(address: int, owner: object = None) -> Oracle: ...
    def to_capsule(self) -> object: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def size_psi(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def needs_gil(self) -> bool: ...
    @property
    def exactness(self) -> str: ...
    @property
    def nonnegative(self) -> slice: ...
    @property
    def verbs(self) -> frozenset[str]: ...
    def part_shape(self, i: int) -> tuple[int, ...]: ...
    def parts(
        self, i: int, code: ArrayLike, check: bool = True
    ) -> NDArray[np.int64]: ...
    def k_best(
        self, w: NDArray[Any] | None, i: int, k: int, scores: ArrayLike | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]: ...
    def marginals(
        self,
        w: NDArray[Any] | None,
        i: int,
        temperature: float = 1.0,
        scores: ArrayLike | None = None,
    ) -> tuple[NDArray[np.float64], float]: ...
    def log_partition(
        self,
        w: NDArray[Any] | None,
        i: int,
        temperature: float = 1.0,
        scores: ArrayLike | None = None,
    ) -> float: ...
    def sample(
        self,
        w: NDArray[Any] | None,
        i: int,
        n: int = 1,
        temperature: float = 1.0,
        seed: int = 0,
        scores: ArrayLike | None = None,
    ) -> NDArray[np.int32]: ...
    def bound(self, w: NDArray[Any], i: int, loss_scale: float = 1.0) -> float: ...
    def hinge_sum(
        self,
        w: NDArray[Any],
        ids: ArrayLike | None = None,
        weight: ArrayLike | None = None,
        n_threads: int = 1,
    ) -> tuple[float, float]: ...
    def code_len(self, i: int) -> int: ...
    def truth(self, i: int) -> NDArray[np.int32]: ...
    def argmax(
        self,
        w: NDArray[Any] | None,
        i: int,
        loss_scale: float = 1.0,
        scores: ArrayLike | None = None,
    ) -> NDArray[np.int32]: ...
    def score(
        self, w: NDArray[Any], i: int, code: ArrayLike, check: bool = True
    ) -> float: ...
    def score_size(
        self, w: NDArray[Any], i: int, code: ArrayLike, check: bool = True
    ) -> float: ...
    def loss(self, i: int, code: ArrayLike, check: bool = True) -> float: ...
    def psi(self, i: int, code: ArrayLike, check: bool = True) -> NDArray[Any]: ...
    def psi_diff(
        self, i: int, y: ArrayLike, z: ArrayLike, check: bool = True
    ) -> NDArray[np.float64]: ...
    def psi_diff_sqnorm(
        self, i: int, y: ArrayLike, z: ArrayLike, check: bool = True
    ) -> float: ...
    def psi_diff_dot(
        self, w: NDArray[Any], i: int, y: ArrayLike, z: ArrayLike, check: bool = True
    ) -> float: ...
    def add_psi_diff(
        self,
        w: NDArray[Any],
        i: int,
        y: ArrayLike,
        z: ArrayLike,
        a: float,
        check: bool = True,
    ) -> None: ...
    def argmax_batch(
        self,
        w: NDArray[Any],
        ids: ArrayLike | None = None,
        loss_scale: float = 0.0,
        n_threads: int = 1,
    ) -> tuple[
        list[NDArray[np.int32]],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
    ]: ...
    def decode_flat(
        self, w: NDArray[Any], ids: ArrayLike | None = None, n_threads: int = 1
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...
    def cut_sum(
        self,
        w: NDArray[Any],
        ids: ArrayLike | None = None,
        weight: ArrayLike | None = None,
        n_threads: int = 1,
        dpsi: bool | NDArray[np.float64] | None = True,
    ) -> tuple[NDArray[np.float64] | None, float, float]: ...
