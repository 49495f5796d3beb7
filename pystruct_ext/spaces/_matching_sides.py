"""One matching problem as the kernel has it: checks, capacities, the way to candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pystruct_ext.outputs.matchings import Link, MatchingProblem
from pystruct_ext.spaces._kernels.matching import best_links


@dataclass
class Sides:
    """One problem as the kernel has it: rows are those that must be matched, if any."""

    shape: tuple[int, int]
    pairs: NDArray[np.int32]
    counts: NDArray[np.int64]
    row_cap: NDArray[np.int32]
    column_cap: NDArray[np.int32]
    order: NDArray[np.int64] | None

    @classmethod
    def of(cls, x: MatchingProblem, default: tuple[Any, Any], flip: bool) -> Sides:
        """Of a problem, with the capacities that it does not have, turned if `flip`."""
        (m, n), pairs, order = x.shape, x.pairs, None
        if not (isinstance(pairs, np.ndarray) and pairs.ndim == 2):
            raise ValueError(
                f"pairs of {type(x).__name__} were replaced by a {type(pairs).__name__}, "
                "expected an (E, 2) array; make a new problem"
            )
        caps = [
            _own_capacity(x.row_capacity, default[0], m, n),
            _own_capacity(x.column_capacity, default[1], n, m),
        ]
        if flip:
            order = np.lexsort((pairs[:, 0], pairs[:, 1]))
            pairs, caps, (m, n) = pairs[order][:, ::-1], caps[::-1], (n, m)
        counts = np.bincount(pairs[:, 0], minlength=m)
        return cls((m, n), pairs, counts, caps[0], caps[1], order)

    def find(
        self, links: Sequence[Link], where: str, strict: bool
    ) -> NDArray[np.int64]:
        """Numbers of candidates; those that are none raise, or are left out."""
        m, n = self.shape if self.order is None else self.shape[::-1]
        for i, j in links:
            if i >= m or j >= n:
                raise ValueError(
                    f"{where} has the link {(i, j)}, expected a row in 0 .. {m - 1} and a "
                    f"column in 0 .. {n - 1}"
                )
        wanted = np.array(links, dtype=np.int64).reshape(-1, 2)
        if self.order is not None:
            wanted = wanted[:, ::-1]
        keys = self.pairs[:, 0].astype(np.int64) * self.shape[1] + self.pairs[:, 1]
        key = wanted[:, 0] * self.shape[1] + wanted[:, 1]
        at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        known = keys[at] == key
        if strict and not known.all():
            raise ValueError(
                f"{where} has the link {links[int(np.flatnonzero(~known)[0])]}, which is no "
                "candidate; see excess='drop'"
            )
        return np.asarray(at[known])

    def beyond(self, linked: NDArray[np.bool_]) -> tuple[str, int, int, int] | None:
        """The first row or column with too many links: its name, number, links, capacity."""
        names = ("row", "column") if self.order is None else ("column", "row")
        for side, cap in ((0, self.row_cap), (1, self.column_cap)):
            count = np.bincount(self.pairs[linked, side], minlength=len(cap))
            if (count > cap).any():
                k = int(np.flatnonzero(count > cap)[0])
                return names[side], k, int(count[k]), int(cap[k])
        return None

    def dropped(self, linked: NDArray[np.bool_]) -> NDArray[np.int64]:
        """As few links as can be without which the others keep to the capacities."""
        at = np.flatnonzero(linked)
        pairs = self.pairs[at]
        found = best_links(
            ends(np.bincount(pairs[:, 0], minlength=self.shape[0])),
            np.ascontiguousarray(pairs[:, 1]),
            np.ones(len(at)),
            self.row_cap,
            np.zeros_like(self.row_cap),
            self.column_cap,
            1,
        )
        kept = found[0] if found is not None else np.zeros(0, dtype=np.int64)
        return np.asarray(np.delete(at, kept))


def as_problem(x: Any, where: str) -> MatchingProblem:
    """A `MatchingProblem`, or an (m, n, d) array as one.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    if isinstance(x, MatchingProblem):
        return x
    if not hasattr(x, "shape"):
        raise TypeError(
            f"{where} must be a MatchingProblem or an (m, n, d) array, got "
            f"{type(x).__name__}"
        )
    if len(x.shape) != 3:
        raise ValueError(
            f"{where} has shape {tuple(x.shape)}, expected (rows, columns, features)"
        )
    return MatchingProblem(x)


def ordered(features: Any, order: NDArray[np.int64] | None) -> Any:
    """Features of candidates in another order."""
    if sparse.issparse(features):
        given: Any = features
        features = sparse.csr_array(given)
    if order is None:
        return features
    if isinstance(features, (list, tuple)):
        return [features[k] for k in order]
    return features[order]


def _own_capacity(own: Any, default: Any, count: int, most: int) -> NDArray[np.int32]:
    if own is None:
        own = np.full(count, most if default is None else default)
    return np.asarray(np.minimum(own, most), dtype=np.int32)


def ends(lengths: Any) -> NDArray[np.int64]:
    """Where blocks of these lengths begin, and the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


__all__ = ["Sides", "as_problem", "ends", "ordered"]
