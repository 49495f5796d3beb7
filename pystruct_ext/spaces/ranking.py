"""Rankings of the documents of a query, from graded relevance."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from pystruct_ext._core import Oracle
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.spaces._kernels import ranking as _ranking
from pystruct_ext.spaces._kernels.ranking import descending_order
from pystruct_ext.spaces.base import SpaceTags
from pystruct_ext.utils.gains import discounts, gain_of

RANKING_LOSSES = ("pairs", "roc", "map", "ndcg", "precision", "mrr")
_KIND = {"pairs": 0, "roc": 0, "map": 1, "mrr": 2, "ndcg": 3, "precision": 3}
# Losses that know only relevant (grade > 0) and not.
_BINARY = ("roc", "map", "precision", "mrr")
# Of the number of swapped pairs in a code.
_DIGITS = 8
# States of the dynamic program of "ndcg" (9 bytes each).
_MAX_STATES = 20_000_000


@dataclass
class PackedQueries:
    """Documents of queries with at least one pair of different relevance.

    Attributes
    ----------
    rows : PackedRows
        One example per query, one row per document.
    relevance : (n_rows,) float64
    weight : (n_rows,) float64 or None
        Weight of each document as the better one of a pair.
    """

    rows: PackedRows
    relevance: NDArray[np.float64]
    weight: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return self.rows.n_examples


class RankingSpace(BaseEstimator):
    """The rankings of a query's documents.

    With ``y_ij = +1`` where document i stands above j, else -1, and P pairs (i, j) of
    which i is more relevant, ``psi(x, y) = 1/(2P) sum_ij y_ij (x_i - x_j)``: the best ranking
    sorts by ``<w, x_d>``. psi depends on the judged relevance, so that this is not an
    `OutputSpace` of its own; it packs and binds queries for `RankingSVM`.

    Parameters
    ----------
    label_loss : {"ndcg", "pairs", "roc", "map", "precision", "mrr"}, default="ndcg"
        See `RankingSVM`.
    top : int or None, default=10
        Truncation of "ndcg" and "precision"; None looks at the whole list.
    gain : {"exponential", "linear"}, default="exponential"
        Of "ndcg".
    dtype : {"float32", "float64"}, default="float64"

    Attributes
    ----------
    size_psi_, n_features_ : int

    References
    ----------
    Joachims, KDD 2002 and 2006. Yue, Finley, Radlinski and Joachims, SIGIR 2007.
    Chakrabarti, Khanna, Sawant and Bhattacharyya, KDD 2008.
    """

    def __init__(
        self,
        label_loss: str = "ndcg",
        top: int | None = 10,
        gain: str = "exponential",
        dtype: str = "float64",
    ) -> None:
        self.label_loss = label_loss
        self.top = top
        self.gain = gain
        self.dtype = dtype

    def check(self) -> None:
        """Raise ValueError for a parameter out of its range."""
        if self.label_loss not in RANKING_LOSSES:
            raise ValueError(
                f"loss must be one of {RANKING_LOSSES}, got {self.label_loss!r}"
            )
        whole = isinstance(self.top, (int, np.integer)) and not isinstance(
            self.top, bool
        )
        if self.top is not None and (not whole or self.top < 1):
            raise ValueError(f"top must be None or an int >= 1, got {self.top!r}")
        if self.dtype not in ("float32", "float64"):
            raise ValueError(
                f"dtype must be 'float32' or 'float64', got {self.dtype!r}"
            )
        gain_of(np.zeros(1), self.gain)

    def fit_pack(self, packed: PackedQueries) -> PackedQueries:
        """Learn the sizes."""
        self.check()
        self.n_features_ = packed.rows.n_features
        self.size_psi_ = packed.rows.n_features
        return packed

    def bind(self, packed: PackedQueries) -> Oracle:
        """The oracle over packed queries."""
        kind = _KIND[self.label_loss]
        if packed.weight is not None and kind != 0:
            raise ValueError(
                "document_weight is for loss='pairs' or 'roc', where a document may weigh "
                f"more than another of its grade, got loss={self.label_loss!r}"
            )
        rows = packed.rows
        offsets = rows.offsets
        query = np.repeat(np.arange(len(packed)), rows.lengths)
        grade = packed.relevance
        if self.label_loss in _BINARY:
            grade = (grade > 0).astype(np.float64)
        level, n_levels = _levels(grade, query, len(packed))
        sizes = np.zeros((len(packed), int(n_levels.max())), dtype=np.int64)
        np.add.at(sizes, (query, level), 1)
        base, n_pairs = _bases(level, query, sizes, packed.weight)
        if (n_pairs <= 0).any():
            i = int(np.flatnonzero(n_pairs <= 0)[0])
            raise ValueError(
                f"query {i}: no pair of documents of different relevance has weight"
            )
        top = int(rows.lengths.max()) if self.top is None else int(self.top)
        top = min(top, int(rows.lengths.max()))
        ideal = gains = discount = None
        states = 1
        if kind == 3:
            if n_levels.max() > 100:
                raise ValueError(
                    f"loss={self.label_loss!r} takes at most 100 relevance levels per "
                    f"query, got {int(n_levels.max())}; round the grades, or use "
                    "loss='pairs'"
                )
            if self.label_loss == "ndcg":
                gains, discount = gain_of(grade, self.gain), discounts(top)
            else:
                gains, discount = grade, np.ones(top)
            if not np.isfinite(gains).all():
                raise ValueError(
                    f"y: the gain 2^{grade.max():g} - 1 overflows; use gain='linear'"
                )
            ideal = _ideal(gains, offsets, discount)
            states = _states(sizes, top, self.label_loss)
        longest = int(rows.lengths.max())
        return _ranking.bind_ranking(
            {
                "indptr": rows.indptr,
                "indices": rows.indices,
                "values": rows.values,
                "n_features": rows.n_features,
                "n": len(packed),
                "offsets": offsets,
                "level": level,
                "n_levels": n_levels,
                "base": base,
                "n_pairs": n_pairs,
                "weight": packed.weight,
                "gain": gains,
                "ideal": ideal,
                "discount": discount,
                "harmonic": np.concatenate(
                    [[0.0], np.cumsum(1.0 / np.arange(1, longest + 2))]
                )
                if kind == 1
                else None,
                "truths": _truths(level, query, offsets, packed.weight, kind),
                "max_rows": longest,
                "max_levels": int(n_levels.max()),
                "max_top": top,
                "max_states": states,
                "kind": kind,
            },
            np.dtype(self.dtype),
        )

    def __space_tags__(self) -> SpaceTags:
        """Exact and compiled."""
        return SpaceTags(exactness="exact", compiled=True)


def informative(relevance: NDArray, offsets: NDArray, loss: str) -> NDArray[np.bool_]:
    """Queries that have at least two documents of different relevance, (n,) bool."""
    grade = (relevance > 0) if loss in _BINARY else relevance
    low = np.minimum.reduceat(grade, offsets[:-1])
    high = np.maximum.reduceat(grade, offsets[:-1])
    return np.asarray(low != high)


def _levels(
    grade: NDArray[np.float64], query: NDArray, n: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rank of each grade among those of its query, and their number per query."""
    order = np.lexsort((grade, query))
    g, q = grade[order], query[order]
    new_query = np.concatenate([[True], q[1:] != q[:-1]])
    new_level = new_query | np.concatenate([[True], g[1:] != g[:-1]])
    running = np.cumsum(new_level)
    first = running[new_query]
    level = np.empty(len(grade), dtype=np.int32)
    level[order] = running - first[q]
    return level, np.asarray(np.maximum.reduceat(level, _starts(query)) + 1)


def _truths(
    level: NDArray[np.int32],
    query: NDArray,
    offsets: NDArray[np.int64],
    weight: NDArray[np.float64] | None,
    kind: int,
) -> NDArray[np.int32]:
    """Codes of the true rankings, one after the other; see csrc spaces/ranking.hpp."""
    place = np.arange(len(level)) - offsets[query]
    best_first = np.lexsort((-level, query))
    if weight is not None:
        order = best_first - offsets[query]
        both = np.stack([order, place]).astype(np.int32)
        bounds = pairwise(offsets.tolist())
        return np.concatenate([both[:, a:b].ravel() for a, b in bounds])
    # Documents above of the same level are none that count.
    first = np.concatenate([[True], np.diff(level[best_first]) != 0])
    first[offsets[:-1]] = True
    start = np.maximum.accumulate(np.where(first, np.arange(len(level)), 0))
    better = np.empty(len(level), dtype=np.int32)
    better[best_first] = start - offsets[query]
    if kind != 0:
        return better
    counts = np.zeros((len(offsets) - 1, _DIGITS), dtype=np.int32)
    ends = np.repeat(offsets[1:], _DIGITS)
    return np.insert(better, ends, counts.ravel())


def _starts(query: NDArray) -> NDArray[np.int64]:
    return np.flatnonzero(np.concatenate([[True], query[1:] != query[:-1]]))


def _bases(
    level: NDArray[np.int32],
    query: NDArray,
    sizes: NDArray[np.int64],
    weight: NDArray[np.float64] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What P psi gives every document before its code is taken off, and P."""
    less = np.cumsum(sizes, axis=1) - sizes
    mass = sizes.astype(np.float64)
    if weight is not None:
        mass = np.zeros_like(mass)
        np.add.at(mass, (query, level), weight)
    more = mass.sum(axis=1, keepdims=True) - np.cumsum(mass, axis=1)
    if weight is None:
        base = 0.5 * (less + more)[query, level]
    else:
        base = 0.5 * (weight * less[query, level] - np.maximum(more, 0)[query, level])
    n_pairs = (mass * less).sum(axis=1)
    return np.ascontiguousarray(base), np.ascontiguousarray(n_pairs)


def _ideal(
    gains: NDArray[np.float64], offsets: NDArray, discount: NDArray[np.float64]
) -> NDArray[np.float64]:
    out = np.empty(len(offsets) - 1)
    for i, (b, e) in enumerate(pairwise(offsets)):
        best = np.sort(gains[b:e])[::-1][: len(discount)]
        out[i] = best @ discount[: len(best)]
    return out


def _states(sizes: NDArray[np.int64], top: int, loss: str) -> int:
    states = np.prod(np.minimum(sizes, top) + 1.0, axis=1)
    i = int(states.argmax())
    if states[i] > _MAX_STATES:
        raise ValueError(
            f"loss={loss!r}, query {i}: {np.count_nonzero(sizes[i])} relevance levels and "
            f"top={top} need {states[i]:.3g} states ({9 * states[i] / 1e9:.3g} GB), more "
            f"than {_MAX_STATES}; lower top or use fewer grades"
        )
    return int(states[i])


__all__ = [
    "RANKING_LOSSES",
    "PackedQueries",
    "RankingSpace",
    "descending_order",
    "informative",
]
