"""Pairs of outputs of the same example."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from pystruct_ext._core import Oracle
from pystruct_ext._core.combinators import product_oracle
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._combined import (
    CombinedSpace,
    axes_of,
    check_space,
    dtype_of,
    one_of,
    shapes_of,
)
from pystruct_ext.spaces._parts import Pair
from pystruct_ext.spaces.base import OutputSpace

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass
class PackedPairs:
    """Examples of `Product`: as each of the two spaces packs them, and themselves."""

    first: Any
    second: Any
    X: Any
    Y: Any
    code_lengths: list[int] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.first)


@storable
class Product(CombinedSpace):
    """Pairs of outputs of the same example, of two spaces.

    ``psi(x, (y_a, y_b))`` is ``psi_a(x, y_a)`` and ``psi_b(x, y_b)`` end to end, and
    ``Delta`` the sum of both losses.

    Parameters
    ----------
    a, b : OutputSpace
        Both see the same X. Cloned, never changed.

    Attributes
    ----------
    spaces_ : tuple of two OutputSpace
        The fitted clones.
    size_psi_ : int

    Notes
    -----
    The halves do not know of each other, so that the objective is the sum of theirs; they
    share the regulariser, the solver and its certificate, and a combinator above can tie them.

    Runs without the GIL where both spaces are compiled, with weights of one type. Its array
    of parts is a pair of arrays; the oracle has it end to end.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext.spaces import MulticlassSpace
    >>> X, Y = np.eye(2), [("a", 0), ("b", 1)]
    >>> space = Product(MulticlassSpace(), MulticlassSpace()).fit_domain(X, Y)
    >>> space.decode(space.joint_feature(X[1], ("a", 1)), X[1])
    ('a', 1)
    """

    def __init__(self, a: OutputSpace, b: OutputSpace) -> None:
        self.a = a
        self.b = b

    def _inner(self) -> list[Any]:
        return list(getattr(self, "spaces_", (self.a, self.b)))

    def _axes(self) -> Any:
        return Pair(*map(axes_of, self._inner()))

    def _shapes(self, X: Any, packed: PackedPairs) -> list[Any]:
        halves = zip(self.spaces_, (packed.first, packed.second), strict=True)
        first, second = (shapes_of(s, X, p) for s, p in halves)
        return [Pair(a, b) for a, b in zip(first, second, strict=True)]

    def _one_type(self) -> bool:
        first, second = (dtype_of(space) for space in self._inner())
        return first == second

    def _in_cpp(self) -> bool:
        return super()._in_cpp() and self._one_type()

    def _unfitted(self) -> Pair:
        check_space(self.a, "a")
        check_space(self.b, "b")
        return Pair(clone(self.a), clone(self.b))

    def _set(self, first: Any, second: Any) -> None:
        self.spaces_ = (first, second)
        self.size_psi_ = int(first.size_psi_ + second.size_psi_)

    def fit_domain(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> Self:
        """Fit both spaces."""
        first, second = self._unfitted()
        ya, yb = _unzipped(Y)
        first.fit_domain(X, ya)
        second.fit_domain(X, yb)
        self._set(first, second)
        return self

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any]) -> PackedPairs:
        """Fit both spaces, and pack the examples."""
        first, second = self._unfitted()
        ya, yb = _unzipped(Y)
        packed = PackedPairs(first.fit_pack(X, ya), second.fit_pack(X, yb), X, Y)
        self._set(first, second)
        return packed

    def pack(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> PackedPairs:
        """Pack examples for both spaces."""
        first, second = self.spaces_
        ya, yb = _unzipped(Y)
        return PackedPairs(first.pack(X, ya), second.pack(X, yb), X, Y)

    def bind(self, packed: PackedPairs) -> Oracle:
        """The oracle over packed examples."""
        first, second = self.spaces_
        some = any(s.__space_tags__().compiled for s in self.spaces_)
        # One compiled half is worth it, though the other holds the GIL.
        if some and self._one_type() and not self._replaced():
            oracle: Oracle = product_oracle(
                first.bind(packed.first), second.bind(packed.second)
            )
            return oracle
        return self._door(packed)

    def output_of(
        self, code: Sequence[int], packed: PackedPairs, i: int
    ) -> tuple[Any, Any]:
        """The output that a code of packed example i stands for."""
        first, second = self.spaces_
        if packed.code_lengths is None:
            oracle = first.bind(packed.first)
            packed.code_lengths = [oracle.code_len(k) for k in range(oracle.n_blocks)]
        n = packed.code_lengths[i]
        return (
            first.output_of(code[:n], packed.first, i),
            second.output_of(code[n:], packed.second, i),
        )

    def outputs_of(
        self, codes: NDArray[np.int32], offsets: NDArray[np.int64], packed: PackedPairs
    ) -> list[tuple[Any, Any]]:
        """Codes of all packed examples, end to end, as outputs."""
        flat, ends = codes.tolist(), offsets.tolist()
        return [
            self.output_of(flat[p:q], packed, i)
            for i, (p, q) in enumerate(pairwise(ends))
        ]

    def split(
        self, w: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """The weights of both spaces: views."""
        n = self.spaces_[0].size_psi_
        return w[:n], w[n:]

    # One example in domain language.

    def joint_feature(self, x: Any, y: Any) -> NDArray[np.float64]:
        """The features of both outputs, end to end."""
        halves = [s.joint_feature(x, h) for s, h in zip(self.spaces_, y, strict=True)]
        return np.concatenate(halves).astype(np.float64, copy=False)

    def loss(self, y: Any, y_hat: Any) -> float:
        """Sum of both losses."""
        halves = zip(self.spaces_, y, y_hat, strict=True)
        return float(sum(s.loss(a, b) for s, a, b in halves))

    def decode(self, w: NDArray[np.floating], x: Any) -> tuple[Any, Any]:
        """Best output of each space."""
        halves = zip(self.spaces_, self.split(w), strict=True)
        first, second = (s.decode(v, x) for s, v in halves)
        return first, second

    def loss_augmented_decode(
        self, w: NDArray[np.floating], x: Any, y: Any
    ) -> tuple[Any, Any]:
        """Most violating output of each space."""
        halves = zip(self.spaces_, self.split(w), y, strict=True)
        first, second = (s.loss_augmented_decode(v, x, h) for s, v, h in halves)
        return first, second

    def decode_batch(
        self, w: NDArray[np.floating], X: Sequence[Any], n_threads: int = 1
    ) -> list[tuple[Any, Any]]:
        """Best outputs of every example."""
        if self._replaced():
            return super().decode_batch(w, X, n_threads)
        halves = zip(self.spaces_, self.split(w), strict=True)
        first, second = (s.decode_batch(v, X, n_threads) for s, v in halves)
        return list(zip(first, second, strict=True))

    def enumerate(self, x: Any) -> Iterable[tuple[Any, Any]]:
        """All pairs."""
        first, second = self.spaces_
        others = list(second.enumerate(x))
        for y in first.enumerate(x):
            for z in others:
                yield y, z

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """What both spaces say of the examples."""
        for space, half in zip(self._inner(), _unzipped(Y), strict=True):
            space.validate(X, half)

    def part_shape(self, x: Any) -> Pair:
        """Shapes of both arrays of parts."""
        return Pair(*(s.part_shape(x) for s in self.spaces_))

    def parts(self, y: Any) -> Pair:
        """The parts of both outputs."""
        return Pair(*(s.parts(h) for s, h in zip(self.spaces_, y, strict=True)))

    def shifted_decode(
        self, w: NDArray[np.floating], x: Any, scores: Any, y: Any = None
    ) -> tuple[Any, Any]:
        """Best output of each space with a pair of scores added; with Delta if y is given."""
        true = (None, None) if y is None else y
        halves = zip(self.spaces_, self.split(w), scores, true, strict=True)
        first, second = (s.shifted_decode(v, x, a, h) for s, v, a, h in halves)
        return first, second

    def _one(self, x: Any) -> Any:
        return one_of(self.spaces_[0], x)


def _unzipped(Y: Any) -> tuple[list[Any] | None, list[Any] | None]:
    """Outputs of both spaces.

    Raises
    ------
    ValueError
        For an output that is not a pair.
    """
    if Y is None:
        return None, None
    for i, y in enumerate(Y):
        if not (isinstance(y, (tuple, list)) and len(y) == 2):
            raise ValueError(
                f"y: example {i} must be a pair (output of a, output of b), got {y!r}"
            )
    return [y[0] for y in Y], [y[1] for y in Y]


__all__ = ["PackedPairs", "Product"]
