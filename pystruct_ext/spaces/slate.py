"""Slates: the best few documents of a query, in order, each judged by those above it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.losses import DIVERSITY_LOSSES, DiversityMetric
from pystruct_ext.outputs.queries import DiverseQuery
from pystruct_ext.outputs.rankings import Slate
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._in_pieces import decode_in_pieces
from pystruct_ext.spaces._kernels import slate as _slate
from pystruct_ext.spaces.base import OutputSpace, SpaceTags
from pystruct_ext.utils.fitted import INT32_MAX, Fitted
from pystruct_ext.utils.gains import discounts
from pystruct_ext.utils.renamed import renamed_parameters

SLATE_LOSSES = DIVERSITY_LOSSES


def slate_metric(
    query: DiverseQuery, loss: str, top: int, alpha: float = 0.5
) -> DiversityMetric:
    """The metric behind a loss, for one judged query."""
    if query.relevance is None:
        raise ValueError(f"query {query.query_id!r} has no relevance, needed to fit")
    p = query.intent_probabilities()
    return DiversityMetric.of(loss, query.relevance, p, top, alpha)


@dataclass
class PackedSlates:
    """Queries that a slate oracle works on, and their true slates if judged."""

    queries: list[DiverseQuery]
    truths: list[list[int]] | None = None

    def __len__(self) -> int:
        return len(self.queries)


# More than any list of results; what the places weigh is made in memory.
_MOST_PLACES = 1 << 20


@storable(kind="space", renamed={"label_loss": "task_loss"})
class SlateSpace(OutputSpace):
    """Slates of `top` documents whose worth depends on the documents above.

    ``psi(x, y) = sum_p place_p [x_d; r(d, S); new(d, S); sum_e phi_e newly covered]``, d at
    place p below the set S; r holds maximum, mean and minimum of every relation channel
    (0 for the empty set), new the share of d's elements that S leaves uncovered.

    x is a `DiverseQuery`, y a `Slate`. Both decoders are greedy and may miss the maximum.

    Parameters
    ----------
    task_loss : {"alpha_ndcg", "err_ia", "ndcg_ia", "intents"}, default="alpha_ndcg"
        One minus the normalised metric; "intents" is the probability mass of intents
        without a relevant document.
    top : int, default=10
    alpha : float, default=0.5
    parts : tuple of {"relations", "novelty", "elements"}
        What psi has beside the features.
    discounted : bool, default=True
        ``place_p = 1 / log2(p + 1)``; otherwise 1.

    Attributes
    ----------
    size_psi_, n_features_, n_channels_, n_element_features_ : int
    """

    @renamed_parameters(label_loss="task_loss")
    def __init__(
        self,
        task_loss: str = "alpha_ndcg",
        top: int = 10,
        alpha: float = 0.5,
        parts: tuple[str, ...] = ("relations", "novelty"),
        discounted: bool = True,
    ) -> None:
        self.task_loss = task_loss
        self.top = top
        self.alpha = alpha
        self.parts = parts
        self.discounted = discounted

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        fitted = Fitted(self)
        fitted.integer("top", 1, _MOST_PLACES)
        fitted.number("alpha", 0, 1)
        fitted.one_of("task_loss", SLATE_LOSSES)
        if not hasattr(self, "size_psi_"):
            return
        size = fitted.integer("n_features_", 0, INT32_MAX)
        size += 3 * fitted.integer("n_channels_", 0, 1 << 20)
        size += fitted.integer("n_element_features_", 0, INT32_MAX)
        fitted.equal("size_psi_", size + fitted.boolean("novelty_"))

    def fit_domain(
        self, X: Sequence[DiverseQuery], Y: Sequence[Slate] | None = None
    ) -> SlateSpace:
        """Learn the sizes."""
        first = X[0]
        self.n_features_ = int(first.features.shape[1])
        self.n_channels_ = 0
        self.n_element_features_ = 0
        if "relations" in self.parts and first.relations is not None:
            self.n_channels_ = int(first.relations.shape[2])
        if "elements" in self.parts:
            if first.element_features is None:
                raise ValueError(
                    f"query {first.query_id!r}: this model needs coverage and "
                    "element_features"
                )
            self.n_element_features_ = int(first.element_features.shape[1])
        self.novelty_ = "novelty" in self.parts and first.coverage is not None
        self.size_psi_ = (
            self.n_features_
            + 3 * self.n_channels_
            + int(self.novelty_)
            + self.n_element_features_
        )
        self._check(X)
        return self

    def fit_pack(self, X: Any, Y: Any = None) -> PackedSlates:
        """Learn the sizes, and pack the queries; `PackedSlates` go as they are."""
        if not isinstance(X, PackedSlates):
            return super().fit_pack(X, Y)  # type: ignore[no-any-return]
        self.fit_domain(X.queries)
        return X

    def validate(
        self, X: Sequence[DiverseQuery], Y: Sequence[Slate] | None = None
    ) -> None:
        """Raise unless X are queries and Y judged slates of their documents."""
        super().validate(X, Y)
        for i, x in enumerate(X):
            if not isinstance(x, DiverseQuery):
                raise TypeError(
                    f"X: example {i} must be a DiverseQuery, got {type(x).__name__}"
                )
            x.check()
        for i, y in enumerate(() if Y is None else Y):
            if not isinstance(y, Slate):
                raise TypeError(
                    f"Y: example {i} must be a Slate, got {type(y).__name__}"
                )
            n = min(int(self.top), len(X[i]))
            distinct = len(set(y.documents)) == len(y)
            inside = all(0 <= d < len(X[i]) for d in y.documents)
            if len(y) != n or not distinct or not inside:
                raise ValueError(
                    f"Y: example {i} shows {y.documents}, expected {n} different documents "
                    f"below {len(X[i])}"
                )
            metric = slate_metric(X[i], self.task_loss, int(self.top), self.alpha)
            if metric.value(y.documents) <= 0:
                raise ValueError(
                    f"Y: example {i} shows no relevant document; such a slate is no truth"
                )

    def pack(
        self, X: Sequence[DiverseQuery], Y: Sequence[Slate] | None = None
    ) -> PackedSlates:
        """Pack queries, and true slates if given."""
        self.validate(X, Y)
        truths = None if Y is None else [list(y.documents) for y in Y]
        return PackedSlates(list(X), truths)

    def _check(self, queries: Sequence[DiverseQuery]) -> None:
        for q in queries:
            channels = 0 if q.relations is None else q.relations.shape[2]
            width = 0 if q.element_features is None else q.element_features.shape[1]
            for name, seen, expected in (
                ("features", q.features.shape[1], self.n_features_),
                ("relations", channels, self.n_channels_),
                ("element_features", width, self.n_element_features_),
            ):
                if expected and seen != expected:
                    raise ValueError(
                        f"query {q.query_id!r}: {name} has {seen} columns, expected "
                        f"{expected} as in the first training query"
                    )
            if self.novelty_ and q.coverage is None:
                raise ValueError(
                    f"query {q.query_id!r} has no coverage, but the training queries had"
                )

    def places(self, top: int) -> NDArray[np.float64]:
        """Weights of the places, (top,)."""
        if not self.discounted:
            return np.ones(top)
        return discounts(top)

    def bind(self, packed: PackedSlates) -> Oracle:
        """The greedy oracle over whole slates."""
        queries, top = packed.queries, int(self.top)
        self._check(queries)
        n = len(queries)
        sizes = np.array([len(q) for q in queries], dtype=np.int64)
        arrays: dict[str, Any] = {
            "top": top,
            "n_features": self.n_features_,
            "n_channels": self.n_channels_,
            "n_element_features": self.n_element_features_,
            "novelty": self.novelty_,
            "offsets": _starts(sizes),
            "x": np.concatenate([q.features.ravel() for q in queries]),
            "relation_at": np.zeros(n + 1, dtype=np.int64),
            "relations": np.zeros(0),
            "place": self.places(top),
            "max_rows": int(sizes.max()),
            "max_intents": 1,
            "rank": np.ones(top),
            "ideal": np.ones(n),
            "intent_at": np.zeros(n + 1, dtype=np.int64),
            "n_intents": np.zeros(n, dtype=np.int32),
            "gain": np.zeros(0),
            "decay": np.zeros(0),
            "truths": None,
        }
        if self.n_channels_:
            arrays["relation_at"] = _starts(sizes * sizes * self.n_channels_)
            arrays["relations"] = np.concatenate([q.relations.ravel() for q in queries])
        _pack_elements(
            arrays,
            queries,
            self.novelty_ or self.n_element_features_ > 0,
            self.n_element_features_,
        )
        if packed.truths is not None:
            metrics = [
                slate_metric(q, self.task_loss, top, self.alpha) for q in queries
            ]
            arrays["rank"] = metrics[0].rank
            arrays["n_intents"] = np.array(
                [m.gain.shape[1] for m in metrics], dtype=np.int32
            )
            arrays["max_intents"] = int(arrays["n_intents"].max())
            arrays["intent_at"] = _starts(np.array([m.gain.size for m in metrics]))
            arrays["gain"] = np.concatenate([m.gain.ravel() for m in metrics])
            arrays["decay"] = np.concatenate([m.decay.ravel() for m in metrics])
            truths = np.full((n, top), -1, dtype=np.int32)
            for i, slate in enumerate(packed.truths):
                truths[i, : len(slate)] = slate
            arrays["truths"] = truths
            arrays["ideal"] = np.array(
                [m.value(t) for m, t in zip(metrics, packed.truths, strict=True)]
            )
        return _slate.SLATE.bind(arrays)

    # One query in domain language.

    def joint_feature(self, x: DiverseQuery, y: Slate) -> NDArray[np.float64]:
        """``psi(x, y)``, (size_psi_,)."""
        code = np.full(int(self.top), -1, dtype=np.int32)
        code[: len(y)] = y.documents
        return np.asarray(self.bind(self.pack([x])).psi(0, code))

    def loss(self, y: Slate, y_hat: Slate) -> float:
        """``max(0, 1 - V(y_hat) / V(y))`` under the judgements of y."""
        if y.relevance is None or y.probabilities is None:
            raise ValueError("y has no relevance; use Slate.of(query, documents)")
        metric = DiversityMetric.of(
            self.task_loss, y.relevance, y.probabilities, int(self.top), self.alpha
        )
        lost = 1 - metric.value(y_hat.documents) / metric.value(y.documents)
        return lost if lost > 1e-12 else 0.0

    def decode(self, w: NDArray[np.floating], x: DiverseQuery) -> Slate:
        """A good slate of x."""
        return self.decode_batch(w, [x])[0]

    def decode_batch(
        self, w: NDArray[np.floating], X: Sequence[DiverseQuery], n_threads: int = 1
    ) -> list[Slate]:
        """A good slate of every query."""
        wide = np.ascontiguousarray(w, dtype=np.float64)
        codes, offsets = decode_in_pieces(self.bind(self.pack(X)), wide, n_threads)
        return [
            _slate_of(codes[a:b], x)
            for x, (a, b) in zip(X, pairwise(offsets), strict=True)
        ]

    def loss_augmented_decode(
        self, w: NDArray[np.floating], x: DiverseQuery, y: Slate
    ) -> Slate:
        """A violating slate of (x, y)."""
        wide = np.ascontiguousarray(w, dtype=np.float64)
        return _slate_of(self.bind(self.pack([x], [y])).argmax(wide, 0, 1.0), x)

    def output_of(self, code: Sequence[int], packed: PackedSlates, i: int) -> Slate:
        """The output that a code of packed query i stands for."""
        return _slate_of(code, packed.queries[i])

    def enumerate(self, x: DiverseQuery) -> Iterable[Slate]:
        """All slates of x."""
        n = min(int(self.top), len(x))
        return (Slate.of(x, y) for y in permutations(range(len(x)), n))

    def __space_tags__(self) -> SpaceTags:
        """Greedy, compiled."""
        return SpaceTags(exactness="none", compiled=True)


def _slate_of(code: Sequence[int] | NDArray[np.int32], x: DiverseQuery) -> Slate:
    return Slate.of(x, [d for d in code if d >= 0])


def _starts(lengths: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _pack_elements(
    arrays: dict[str, Any], queries: Sequence[DiverseQuery], used: bool, width: int
) -> None:
    n, rows = len(queries), int(arrays["offsets"][-1])
    arrays["cover_ptr"] = np.zeros(rows + 1, dtype=np.int64)
    arrays["cover"] = np.zeros(0, dtype=np.int32)
    arrays["degree"] = np.zeros(0)
    arrays["element_at"] = np.zeros(n + 1, dtype=np.int64)
    arrays["element_x"] = np.zeros(0)
    arrays["max_elements"] = 1
    if not used:
        return
    covers = [
        q.coverage if q.coverage.has_sorted_indices else q.coverage.sorted_indices()
        for q in queries
    ]
    arrays["cover_ptr"] = _starts(np.concatenate([np.diff(c.indptr) for c in covers]))
    arrays["cover"] = np.concatenate([c.indices for c in covers]).astype(np.int32)
    arrays["degree"] = np.concatenate([c.data for c in covers])
    counts = np.array([c.shape[1] for c in covers])
    arrays["element_at"] = _starts(counts)
    arrays["max_elements"] = int(counts.max())
    if width:
        arrays["element_x"] = np.concatenate(
            [q.element_features.ravel() for q in queries]
        )


def bind_steps(
    values: NDArray[np.float64],
    lengths: NDArray[np.int64],
    labels: NDArray[np.int32],
    loss: NDArray[np.float64],
) -> Oracle:
    """An exact oracle that picks one of the rows of each example."""
    return _slate.CANDIDATES.bind(
        {
            "values": np.ascontiguousarray(values).ravel(),
            "n_features": values.shape[1],
            "max_rows": int(lengths.max()),
            "offsets": _starts(lengths),
            "labels": labels,
            "row_loss": loss,
        }
    )
