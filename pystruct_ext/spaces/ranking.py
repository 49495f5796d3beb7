"""Rankings of the documents of a query, from graded relevance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pystruct_ext._core import Oracle
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.losses import pair_weights, ranking_loss, swapped_pairs
from pystruct_ext.outputs.rankings import Ranking, RankingQuery, SwappedPairs
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._in_pieces import decode_in_pieces
from pystruct_ext.spaces._kernels import ranking as _ranking
from pystruct_ext.spaces._kernels.ranking import descending_order
from pystruct_ext.spaces.base import OutputSpace, SpaceTags
from pystruct_ext.spaces.wide import occurring, renumbered
from pystruct_ext.utils.fitted import INT32_MAX, Fitted
from pystruct_ext.utils.gains import discounts, gain_of
from pystruct_ext.utils.renamed import renamed_parameters

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


@storable(kind="space", renamed={"label_loss": "task_loss"})
class RankingSpace(OutputSpace):
    """The rankings of a query's documents.

    With ``y_ij = +1`` where document i stands above j, else -1, and P pairs (i, j) of
    which i is more relevant, ``psi(x, y) = 1/(2P) sum_ij y_ij (x_i - x_j)``: the best ranking
    sorts by ``<w, x_d>``.

    x is a `RankingQuery`; psi depends on its judged relevance, and without one it can only
    be decoded. y is a `Ranking`, the true ones in the order of relevance. Rankings that
    differ in the order of equally relevant documents side by side are one output. For
    "pairs" and "roc" every pair may be swapped for itself: what no ranking has is a
    `SwappedPairs`. `RankingSVM` packs its documents without making objects of them.

    Parameters
    ----------
    task_loss : {"ndcg", "pairs", "roc", "map", "precision", "mrr"}, default="ndcg"
        See `RankingSVM`.
    top : int or None, default=10
        Truncation of "ndcg" and "precision"; None looks at the whole list.
    gain : {"exponential", "linear"}, default="exponential"
        Of "ndcg".
    dtype : {"float32", "float64"}, default="float64"

    Attributes
    ----------
    size_psi_, n_features_ : int
    columns_ : int32 array or None
        The columns that have weights, of sparse documents of more than 2^20 features of
        which at most a quarter occur at fit; None is all.

    References
    ----------
    Joachims, KDD 2002 and 2006. Yue, Finley, Radlinski and Joachims, SIGIR 2007.
    Chakrabarti, Khanna, Sawant and Bhattacharyya, KDD 2008.
    """

    columns_: NDArray | None

    @renamed_parameters(label_loss="task_loss")
    def __init__(
        self,
        task_loss: str = "ndcg",
        top: int | None = 10,
        gain: str = "exponential",
        dtype: str = "float64",
    ) -> None:
        self.task_loss = task_loss
        self.top = top
        self.gain = gain
        self.dtype = dtype

    def check(self) -> None:
        """Raise ValueError for a parameter out of its range."""
        if self.task_loss not in RANKING_LOSSES:
            raise ValueError(
                f"loss must be one of {RANKING_LOSSES}, got {self.task_loss!r}"
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

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        self.check()
        if hasattr(self, "size_psi_"):
            fitted = Fitted(self)
            width = fitted.integer("n_features_", 0, INT32_MAX)
            fitted.equal("size_psi_", fitted.columns("columns_", width))

    def fit_domain(
        self, X: Sequence[RankingQuery], Y: Sequence[Ranking] | None = None
    ) -> RankingSpace:
        """Learn the sizes."""
        self._fit_width(int(X[0].features.shape[1]))
        return self

    def fit_pack(self, X: Any, Y: Any = None) -> PackedQueries:
        """Learn the sizes, and pack the queries; `PackedQueries` go as they are."""
        if not isinstance(X, PackedQueries):
            return super().fit_pack(X, Y)  # type: ignore[no-any-return]
        self._fit_width(X.rows.n_features)
        self.columns_ = occurring(X.rows)
        packed = self._kept(X)
        self.size_psi_ = packed.rows.n_features
        return packed

    def _fit_width(self, n_features: int) -> None:
        self.check()
        self.n_features_ = n_features
        self.size_psi_ = n_features
        self.columns_ = None

    def _kept(self, packed: PackedQueries) -> PackedQueries:
        """Queries in terms of the columns that have weights."""
        if getattr(self, "columns_", None) is None:
            return packed
        rows = renumbered(packed.rows, self.columns_)  # type: ignore[arg-type]
        return replace(packed, rows=rows)

    def validate(
        self, X: Sequence[RankingQuery], Y: Sequence[Ranking] | None = None
    ) -> None:
        """Raise unless X are judged queries and Y their rankings by relevance."""
        super().validate(X, Y)
        for i, x in enumerate(X):
            if not isinstance(x, RankingQuery):
                raise TypeError(
                    f"X: example {i} must be a RankingQuery, got {type(x).__name__}"
                )
            width = X[0].features.shape[1]
            if x.features.shape[1] != width:
                raise ValueError(
                    f"X: example {i} has {x.features.shape[1]} features, expected {width}"
                )
            if (x.weight is None) != (X[0].weight is None):
                raise ValueError(
                    f"X: example {i}: either all queries have weights or none has"
                )
        for i, y in enumerate(() if Y is None else Y):
            if not isinstance(y, Ranking):
                raise TypeError(
                    f"Y: example {i} must be a Ranking, got {type(y).__name__}"
                )
            if len(y) != len(X[i]):
                raise ValueError(
                    f"Y: example {i} ranks {len(y)} documents, expected {len(X[i])}"
                )
            grade = self._grade(_judged(X[i].relevance, f"X: example {i}"))
            if (np.diff(grade[list(y.order)]) > 0).any():
                raise ValueError(
                    f"Y: example {i} ranks a document above a more relevant one; expected "
                    "a ranking by relevance, such as RankingQuery.ideal()"
                )

    def pack(
        self, X: Sequence[RankingQuery], Y: Sequence[Ranking] | None = None
    ) -> PackedQueries:
        """Pack judged queries; the truth follows from the relevance."""
        self.validate(X, Y)
        judged = [_judged(x.relevance, f"X: example {i}") for i, x in enumerate(X)]
        features = [x.features for x in X]
        make = PackedRows.from_dense
        if any(map(sparse.issparse, features)):
            features = [sparse.csr_array(f) for f in features]
            make = PackedRows.from_csr
        packed = PackedQueries(
            make(features, np.dtype(self.dtype)),
            np.concatenate(judged),
            None if X[0].weight is None else np.concatenate([x.weight for x in X]),
        )
        return self._kept(packed)

    def bind(self, packed: PackedQueries) -> Oracle:
        """The oracle over packed queries."""
        kind = _KIND[self.task_loss]
        if packed.weight is not None and kind != 0:
            raise ValueError(
                "document_weight is for loss='pairs' or 'roc', where a document may weigh "
                f"more than another of its grade, got loss={self.task_loss!r}"
            )
        rows = packed.rows
        offsets = rows.offsets
        query = np.repeat(np.arange(len(packed)), rows.lengths)
        grade = packed.relevance
        if self.task_loss in _BINARY:
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
                    f"loss={self.task_loss!r} takes at most 100 relevance levels per "
                    f"query, got {int(n_levels.max())}; round the grades, or use "
                    "loss='pairs'"
                )
            if self.task_loss == "ndcg":
                gains, discount = gain_of(grade, self.gain), discounts(top)
            else:
                gains, discount = grade, np.ones(top)
            if not np.isfinite(gains).all():
                raise ValueError(
                    f"y: the gain 2^{grade.max():g} - 1 overflows; use gain='linear'"
                )
            ideal = _ideal(gains, offsets, discount)
            states = _states(sizes, top, self.task_loss)
        longest = int(rows.lengths.max())
        return _ranking.RANKING.bind(
            {
                "indptr": rows.indptr,
                "indices": rows.indices,
                "values": rows.values,
                "n_features": rows.n_features,
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

    def _grade(self, relevance: Any) -> NDArray[np.float64]:
        grade = np.asarray(relevance, dtype=np.float64)
        return (grade > 0).astype(np.float64) if self.task_loss in _BINARY else grade

    def _own(self, w: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.ascontiguousarray(w, dtype=np.dtype(self.dtype))

    # One query in domain language.

    def _features(self, x: RankingQuery) -> Any:
        """Features that have weights."""
        columns = getattr(self, "columns_", None)
        return x.features if columns is None else x.features[:, columns]

    def joint_feature(
        self, x: RankingQuery, y: Ranking | SwappedPairs
    ) -> NDArray[np.float64]:
        """``psi(x, y)``, (size_psi_,)."""
        grade = self._grade(_judged(x.relevance, "x"))
        pairs = pair_weights(grade, x.weight)
        # Of every document: what its pairs weigh in which it is the better or worse one.
        share = 0.5 * (pairs.sum(axis=1) - pairs.sum(axis=0)) - _shift(y, grade, pairs)
        psi: NDArray[np.float64] = np.asarray(self._features(x).T @ share) / pairs.sum()
        return psi

    def loss(self, y: Ranking, y_hat: Ranking | SwappedPairs) -> float:
        """``Delta(y, y_hat)`` under the relevance (and weights) of y."""
        if len(y) != len(y_hat):
            raise ValueError(
                f"y ranks {len(y)} documents and y_hat {len(y_hat)}, expected as many"
            )
        grade = self._grade(_judged(y.relevance, "y"))
        if _KIND[self.task_loss] == 0:
            pairs = pair_weights(grade, y.weight)
            if isinstance(y_hat, SwappedPairs):
                return float(y_hat.mass / pairs.sum())
            return float(
                (pairs * swapped_pairs(grade, y_hat.order)).sum() / pairs.sum()
            )
        if isinstance(y_hat, SwappedPairs):
            raise TypeError(
                f"y_hat must be a Ranking for loss={self.task_loss!r}, got SwappedPairs"
            )
        return ranking_loss(self.task_loss, grade, y_hat.order, self.top, self.gain)

    def decode(self, w: NDArray[np.floating], x: RankingQuery) -> Ranking:
        """Best ranking of x; equally relevant documents by score, then by index."""
        return self.decode_batch(w, [x])[0]

    def decode_batch(
        self, w: NDArray[np.floating], X: Sequence[RankingQuery], n_threads: int = 1
    ) -> list[Ranking]:
        """Best ranking of every query; those without judged pairs just by score."""
        own = self._own(w)
        scores = [np.asarray(self._features(x) @ own, dtype=np.float64) for x in X]
        if not all(np.isfinite(s).all() for s in scores):
            raise ValueError("w or the features hold NaN or infinity")
        found: list[Any] = [
            x.ranking(descending_order(s)) for x, s in zip(X, scores, strict=True)
        ]
        judged = [
            i
            for i, x in enumerate(X)
            if x.relevance is not None and np.ptp(self._grade(x.relevance)) > 0
        ]
        if judged:
            packed = self.pack([X[i] for i in judged])
            codes, offsets = decode_in_pieces(self.bind(packed), own, n_threads)
            for k, i in enumerate(judged):
                code = codes[offsets[k] : offsets[k + 1]]
                found[i] = self._output(code, X[i], scores[i])
        return found

    def loss_augmented_decode(
        self, w: NDArray[np.floating], x: RankingQuery, y: Ranking
    ) -> Ranking | SwappedPairs:
        """Most violating output of (x, y)."""
        code = self.bind(self.pack([x], [y])).argmax(self._own(w), 0, 1.0)
        return self._output(code, x)

    def output_of(
        self, code: Sequence[int], packed: PackedQueries, i: int
    ) -> Ranking | SwappedPairs:
        """The output that a code of packed query i stands for."""
        a, b = packed.rows.offsets[i : i + 2].tolist()
        weight = None if packed.weight is None else packed.weight[a:b]
        blank = np.zeros((b - a, packed.rows.n_features))
        return self._output(code, RankingQuery(blank, packed.relevance[a:b], weight))

    def _output(
        self,
        code: Sequence[int] | NDArray[np.int32],
        x: RankingQuery,
        prefer: NDArray | None = None,
    ) -> Ranking | SwappedPairs:
        """The output of a code; documents that are alike in it stand by `prefer`."""
        k, values = len(x), np.asarray(code)
        grade = self._grade(x.relevance)
        pairs = pair_weights(grade, x.weight)
        more = (grade[:, None] < grade[None, :]).sum(axis=1)
        if x.weight is None:
            above, swapped = values[:k], None
        else:
            place = np.empty(k, dtype=np.int64)
            place[values[:k]] = np.arange(k)
            reach = np.empty(k, dtype=np.int64)
            reach[values[:k]] = values[k:]
            swapped = (pairs > 0) | (grade[:, None] > grade[None, :])
            swapped &= place[:, None] >= reach[None, :]
            above = swapped.sum(axis=1) + more - swapped.sum(axis=0)
        order = _order_of(above, grade, np.zeros(k) if prefer is None else prefer)
        if order is not None:
            own = swapped_pairs(grade, order)
            if _KIND[self.task_loss] != 0:
                return x.ranking(order)
            same = (
                own.sum() == _number(values[k:])
                if swapped is None
                else (own == swapped).all()
            )
            if same:
                return x.ranking(order)
        if swapped is None:
            return SwappedPairs(
                tuple((above - more).astype(float).tolist()), float(_number(values[k:]))
            )
        return _swapped(pairs * swapped)

    def enumerate(self, x: RankingQuery) -> Iterable[Ranking | SwappedPairs]:
        """All outputs of x."""
        grade = self._grade(_judged(x.relevance, "x"))
        if _KIND[self.task_loss] != 0:
            return self._rankings(x, grade)
        return _all_swaps(pair_weights(grade, x.weight))

    def _rankings(
        self, x: RankingQuery, grade: NDArray[np.float64]
    ) -> Iterator[Ranking]:
        seen = set()
        for order in permutations(range(len(x))):
            key = swapped_pairs(grade, order).tobytes()
            if key not in seen:
                seen.add(key)
                yield x.ranking(order)

    def __space_tags__(self) -> SpaceTags:
        """Exact and compiled."""
        return SpaceTags(exactness="exact", compiled=True)


def _judged(relevance: Any, where: str) -> NDArray[np.float64]:
    if relevance is None:
        raise ValueError(
            f"{where} has no relevance; without it a query can only be decoded"
        )
    return np.asarray(relevance, dtype=np.float64)


def _number(digits: NDArray) -> int:
    return sum(int(v) << (8 * t) for t, v in enumerate(digits))


def _swapped(mass: NDArray[np.float64]) -> SwappedPairs:
    """The output that swaps pairs of the given weights, (k, k)."""
    shift = mass.sum(axis=1) - mass.sum(axis=0)
    return SwappedPairs(tuple(shift.tolist()), float(mass.sum()))


def _shift(
    y: Ranking | SwappedPairs, grade: NDArray[np.float64], pairs: NDArray[np.float64]
) -> NDArray[np.float64]:
    if isinstance(y, Ranking):
        y = _swapped(pairs * swapped_pairs(grade, y.order))
    return np.array(y.shift)


def _all_swaps(pairs: NDArray[np.float64]) -> Iterator[SwappedPairs]:
    """Every set of swapped pairs, once for those that psi and loss do not tell apart."""
    where = np.argwhere(pairs > 0)
    seen = set()
    for chosen in range(1 << len(where)):
        mass = np.zeros_like(pairs)
        for t, (i, j) in enumerate(where):
            if chosen >> t & 1:
                mass[i, j] = pairs[i, j]
        y = _swapped(mass)
        if y not in seen:
            seen.add(y)
            yield y


def _order_of(
    above: NDArray, grade: NDArray[np.float64], prefer: NDArray
) -> list[int] | None:
    """The ranking in which `above` documents of other levels stand above each, or None."""
    place = np.empty(len(above), dtype=np.int64)
    for level in np.unique(grade):
        members = np.flatnonzero(grade == level)
        members = members[np.lexsort((members, -prefer[members], above[members]))]
        place[members] = above[members] + np.arange(len(members))
    order = np.argsort(place, kind="stable")
    if (place[order] != np.arange(len(order))).any():
        return None
    return list(map(int, order))


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
