"""Matching problems, and the links that solve them: alignments of words, pairs of records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pystruct_ext._core.ragged import check_sparse
from pystruct_ext.utils.messages import shorten

Link = tuple[int, int]


@dataclass(eq=False)
class MatchingProblem:
    """Rows and columns that may be linked, with features of every candidate link.

    Parameters
    ----------
    features : (m, n, d) array-like, or (E, d) array-like or sparse matrix with `pairs`
        One vector for each candidate. With `pairs`, also a list of E lists of feature names.
    shape : (m, n), optional
        Numbers of rows and columns; needed with `pairs`.
    pairs : (E, 2) array-like of int, optional
        The (row, column) of every candidate, each once; None: all m n of them, row by row.
    row_capacity, column_capacity : int or (m,) or (n,) array-like of int, optional
        Most links of a row or column; None: what the space says.
    row_names, column_names : sequences of m and of n, optional
        Words, say: for pictures and files.

    Attributes
    ----------
    shape : (int, int)
    pairs : (E, 2) int32
        Rising, rows first.
    features : (E, d) array, sparse matrix or list
        In the order of `pairs`.
    row_capacity, column_capacity : (m,) and (n,) int32, or None

    Raises
    ------
    ValueError
        For shapes that do not fit, pairs out of range or given twice, capacities below 0.

    Examples
    --------
    >>> import numpy as np
    >>> x = MatchingProblem(np.zeros((2, 3, 5)))
    >>> x
    <MatchingProblem: 2 x 3, 6 pairs of 5 features>
    >>> x.pairs.shape, x.features.shape
    ((6, 2), (6, 5))
    >>> MatchingProblem([[0.5]], shape=(10, 20), pairs=[(3, 7)]).pairs.tolist()
    [[3, 7]]
    """

    features: Any
    shape: Any = None
    pairs: Any = None
    row_capacity: Any = None
    column_capacity: Any = None
    row_names: Sequence[Any] | None = None
    column_names: Sequence[Any] | None = None

    def __repr__(self) -> str:
        m, n = self.shape
        width = getattr(self.features, "shape", None)
        of = f" of {width[1]} features" if width is not None else ""
        return f"<MatchingProblem: {m} x {n}, {len(self.pairs)} pairs{of}>"

    def __post_init__(self) -> None:
        if self.pairs is None:
            self._fill()
        else:
            self._sort()
        m, n = self.shape
        for name, count in (("row", m), ("column", n)):
            value = getattr(self, f"{name}_capacity")
            if value is not None:
                array = _capacities(value, count, name)
                setattr(self, f"{name}_capacity", array)
            names = getattr(self, f"{name}_names")
            if names is not None and len(names) != count:
                raise ValueError(
                    f"{name}_names has {len(names)} entries, expected {count}, one for "
                    f"each {name}"
                )

    def _fill(self) -> None:
        """All pairs of (m, n, d) features."""
        features = np.asarray(self.features)
        if features.ndim != 3:
            raise ValueError(
                "features must have shape (rows, columns, d), or (E, d) with pairs, got "
                f"{features.shape}"
            )
        m, n, d = features.shape
        if self.shape is not None and tuple(self.shape) != (m, n):
            raise ValueError(
                f"shape is {tuple(self.shape)}, but features have {(m, n)} pairs"
            )
        self.shape = (m, n)
        rows, columns = np.divmod(np.arange(m * n, dtype=np.int32), max(n, 1))
        self.pairs = np.stack([rows, columns], axis=1).astype(np.int32)
        self.features = features.reshape(m * n, d)

    def _sort(self) -> None:
        """Pairs in rising order, with their features."""
        if self.shape is None:
            raise ValueError("shape must be (rows, columns) where pairs are given")
        shape = tuple(self.shape)
        whole = all(
            isinstance(k, (int, np.integer)) and 0 <= k < 2**31 - 1 for k in shape
        )
        if len(shape) != 2 or not whole:
            raise ValueError(
                f"shape must be two whole numbers >= 0, got {self.shape!r}"
            )
        self.shape = (int(shape[0]), int(shape[1]))
        self.pairs = as_pairs(self.pairs, self.shape, "pairs")
        features: Any = self.features
        check_sparse(features, "features")
        listed = isinstance(features, (list, tuple)) and any(
            isinstance(v, (list, tuple, dict)) and not _numeric(v) for v in features
        )
        if not listed and not sparse.issparse(features):
            features = np.asarray(features)
            if features.size == 0 and features.ndim == 1:
                features = (
                    features.reshape(len(self.pairs), -1)
                    if len(self.pairs)
                    else (features.reshape(0, 0))
                )
        count = len(features) if listed else features.shape[0]
        if count != len(self.pairs) or (not listed and features.ndim != 2):
            seen = count if listed else features.shape
            raise ValueError(
                f"features must be one vector for each of the {len(self.pairs)} pairs, "
                f"got {seen}"
            )
        order = np.lexsort((self.pairs[:, 1], self.pairs[:, 0]))
        if (order != np.arange(len(order))).any():
            self.pairs = self.pairs[order]
            if listed:
                features = [features[k] for k in order]
            else:
                if sparse.issparse(features):
                    features = sparse.csr_array(features)  # type: ignore[call-overload]
                features = features[order]
        self.features = features
        same = (np.diff(self.pairs, axis=0) == 0).all(axis=1)
        if same.any():
            pair = tuple(self.pairs[int(np.flatnonzero(same)[0])].tolist())
            raise ValueError(f"pairs has {pair} twice, expected each candidate once")

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True)
class Links:
    """True links: those that are sure, and those that are possible.

    A possible link costs nothing, whether it is predicted or not.

    Parameters
    ----------
    sure, possible : iterables of (row, column)

    Attributes
    ----------
    sure, possible : tuples of (row, column)
        Rising; no link is in both.

    Examples
    --------
    >>> Links([(1, 2), (0, 0)], [(0, 0), (1, 1)])
    Links(sure=((0, 0), (1, 2)), possible=((1, 1),))
    """

    sure: tuple[Link, ...]
    possible: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
        sure = as_links(self.sure, "sure")
        possible = as_links(self.possible, "possible")
        object.__setattr__(self, "sure", sure)
        known = set(sure)
        object.__setattr__(
            self, "possible", tuple(p for p in possible if p not in known)
        )

    def __len__(self) -> int:
        return len(self.sure)


def sure_and_possible(
    y: Any, where: str = "y"
) -> tuple[tuple[Link, ...], tuple[Link, ...]]:
    """Sure links, and those that are possible only, of `Links` or of pairs, all sure."""
    if isinstance(y, Links):
        return y.sure, y.possible
    return as_links(y, where), ()


def as_links(links: Iterable[Any], where: str) -> tuple[Link, ...]:
    """Links in rising order, each once.

    Raises
    ------
    ValueError, TypeError
        For what are no pairs of whole numbers >= 0, and for links given twice.
    """
    if isinstance(links, (str, bytes)) or not hasattr(links, "__iter__"):
        raise TypeError(
            f"{where} must be a list of (row, column), got {shorten(repr(links))}"
        )
    out = []
    for link in links:
        pair = tuple(link) if hasattr(link, "__iter__") else ()
        if len(pair) != 2 or not all(_whole(k) and k >= 0 for k in pair):
            raise ValueError(
                f"{where} has the link {shorten(repr(link))}, expected (row, column), two "
                "whole numbers >= 0"
            )
        out.append((int(pair[0]), int(pair[1])))
    out.sort()
    for a, b in pairwise(out):
        if a == b:
            raise ValueError(f"{where} has the link {a} twice")
    return tuple(out)


def as_pairs(pairs: Any, shape: tuple[int, int], where: str) -> NDArray[np.int32]:
    """An (E, 2) int32 array of pairs within a shape.

    Raises
    ------
    ValueError
        Naming the first pair that is out of range.
    """
    array = np.asarray(pairs)
    if array.size == 0:
        return np.zeros((0, 2), dtype=np.int32)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iuf":
        raise ValueError(
            f"{where} must be an (E, 2) array of whole numbers, got the shape "
            f"{array.shape} and type {array.dtype}"
        )
    bad = (array < 0) | (array >= np.array(shape)) | (array != np.floor(array))
    if bad.any():
        k = int(np.flatnonzero(bad.any(axis=1))[0])
        raise ValueError(
            f"{where} has {tuple(array[k].tolist())} at {k}, expected a row in 0 .. "
            f"{shape[0] - 1} and a column in 0 .. {shape[1] - 1}"
        )
    return array.astype(np.int32)


def _capacities(value: Any, count: int, name: str) -> NDArray[np.int32]:
    array = np.asarray(value)
    if array.ndim == 0:
        array = np.full(count, value)
    if array.shape != (count,):
        raise ValueError(
            f"{name}_capacity has shape {array.shape}, expected ({count},), one number "
            f"for each {name}"
        )
    if count == 0:
        return np.zeros(0, dtype=np.int32)
    whole = array.dtype.kind in "iuf" and (array == np.floor(array)).all()
    if not whole or (array < 0).any() or (array >= 2**31).any():
        raise ValueError(f"{name}_capacity must hold whole numbers >= 0")
    return array.astype(np.int32)


def _whole(value: Any) -> bool:
    number = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return number or (isinstance(value, float) and value.is_integer())


def _numeric(values: Any) -> bool:
    return not isinstance(values, dict) and all(
        isinstance(v, (int, float, np.number)) for v in values
    )


__all__ = [
    "Link",
    "Links",
    "MatchingProblem",
    "as_links",
    "as_pairs",
    "sure_and_possible",
]
