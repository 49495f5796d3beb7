"""Slates: the best few documents of a query, in order, each judged by those above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator

from pystruct_ext._core import Oracle
from pystruct_ext.spaces import _slate
from pystruct_ext.spaces.base import SpaceTags
from pystruct_ext.utils.gains import discounts, gain_of

SLATE_LOSSES = ("alpha_ndcg", "err_ia", "ndcg_ia", "intents")


@dataclass
class DiverseQuery:
    """One query: its documents, how they relate, and what they are about.

    Parameters
    ----------
    features : (k, f) array-like or sparse matrix
        What each document is worth by itself.
    relevance : (k, n_intents) array-like, optional
        Grades >= 0 of each document for each intent; needed to fit and to score.
    probabilities : (n_intents,) array-like, optional
        Probabilities of the intents, summing to 1; uniform by default.
    relations : (k, k, c) array-like, optional
        Relations of document pairs, such as similarities; ``relations[d, s]`` is that of d
        to an s above it.
    coverage : (k, m) array-like or sparse matrix, optional
        Degree in [0, 1] to which a document covers an element (a word, a topic).
    element_features : (m, q) array-like, optional
        Features of the elements, such as levels of document frequency.
    topics : (k, J) array-like, optional
        Degree in [0, 1] to which a document serves a candidate intent found without
        judgements (clusters, query suggestions); for intent mixtures, xQuAD, PM-2, IA-Select.
    topic_features : (J, t) array-like, optional
        Features of the candidate intents.
    query_id : str
    doc_ids : list of str, optional
        Distinct; numbers by default.
    intents, titles : lists of str, optional
        Names, for tables and pictures.
    """

    features: Any
    relevance: Any = None
    probabilities: Any = None
    relations: Any = None
    coverage: Any = None
    element_features: Any = None
    topics: Any = None
    topic_features: Any = None
    query_id: str = ""
    doc_ids: list[str] | None = None
    intents: list[str] | None = None
    titles: list[str] | None = None

    def __len__(self) -> int:
        return int(self.features.shape[0])

    def __repr__(self) -> str:
        judged = (
            "not judged"
            if self.relevance is None
            else f"{self.relevance.shape[1]} intents"
        )
        return (
            f"<DiverseQuery {self.query_id!r}: {len(self)} documents, "
            f"{self.features.shape[1]} features, {judged}>"
        )

    def __post_init__(self) -> None:
        where = f"query {self.query_id!r}"
        x = self.features.toarray() if sparse.issparse(self.features) else self.features
        self.features = _numbers(x, f"{where}: features", 2)
        k = len(self.features)
        if k == 0:
            raise ValueError(f"{where}: features has no documents")
        if self.relations is not None:
            self.relations = _numbers(self.relations, f"{where}: relations", 3)
            if self.relations.shape[:2] != (k, k):
                raise ValueError(
                    f"{where}: relations has shape {self.relations.shape}, expected "
                    f"({k}, {k}, channels)"
                )
        if self.coverage is not None:
            cover = sparse.csr_array(self.coverage, dtype=np.float64)
            cover.sum_duplicates()
            cover.eliminate_zeros()
            if cover.shape[0] != k:
                raise ValueError(
                    f"{where}: coverage has {cover.shape[0]} rows, expected {k}"
                )
            if not np.isfinite(cover.data).all() or (
                cover.nnz and (cover.data.min() < 0 or cover.data.max() > 1)
            ):
                raise ValueError(f"{where}: coverage must be degrees in [0, 1]")
            self.coverage = cover
        if self.element_features is not None:
            phi = _numbers(self.element_features, f"{where}: element_features", 2)
            m = None if self.coverage is None else self.coverage.shape[1]
            if len(phi) != m:
                raise ValueError(
                    f"{where}: element_features has {len(phi)} rows, expected one per column "
                    f"of coverage: {m}"
                )
            self.element_features = phi
        if self.topics is not None:
            self.topics = _numbers(self.topics, f"{where}: topics", 2)
            if len(self.topics) != k or ((self.topics < 0) | (self.topics > 1)).any():
                raise ValueError(
                    f"{where}: topics must be degrees in [0, 1] of shape ({k}, J), got shape "
                    f"{self.topics.shape}"
                )
        if self.topic_features is not None:
            self.topic_features = _numbers(
                self.topic_features, f"{where}: topic_features", 2
            )
            n_topics = 0 if self.topics is None else self.topics.shape[1]
            if len(self.topic_features) != n_topics:
                raise ValueError(
                    f"{where}: topic_features has {len(self.topic_features)} rows, expected "
                    f"one per column of topics: {n_topics}"
                )
        if self.relevance is not None:
            self.relevance = _numbers(self.relevance, f"{where}: relevance", 2)
            if len(self.relevance) != k:
                raise ValueError(
                    f"{where}: relevance has {len(self.relevance)} rows, expected {k}"
                )
            if (self.relevance < 0).any():
                d, i = np.argwhere(self.relevance < 0)[0]
                raise ValueError(
                    f"{where}: relevance of document {d} to intent {i} is "
                    f"{self.relevance[d, i]:g}, expected a grade >= 0"
                )
        if self.probabilities is not None:
            if self.relevance is None:
                raise ValueError(f"{where}: probabilities need relevance beside them")
            p = _numbers(self.probabilities, f"{where}: probabilities", 1)
            if len(p) != self.relevance.shape[1]:
                raise ValueError(
                    f"{where}: {len(p)} probabilities for {self.relevance.shape[1]} intents"
                )
            if (p < 0).any() or abs(p.sum() - 1) > 1e-6:
                raise ValueError(
                    f"{where}: probabilities must be >= 0 and sum to 1, got a sum of "
                    f"{p.sum():g}"
                )
            orphan = np.flatnonzero((p > 0) & ~(self.relevance > 0).any(axis=0))
            if orphan.size:
                i = int(orphan[0])
                name = self.intents[i] if self.intents else str(i)
                raise ValueError(
                    f"{where}: intent {name!r} has probability {p[i]:g} but no relevant "
                    "document; leave it out and renormalise"
                )
            self.probabilities = p
        if self.doc_ids is None:
            self.doc_ids = [str(d) for d in range(k)]
        for name, values, n in (
            ("doc_ids", self.doc_ids, k),
            ("titles", self.titles, k),
            (
                "intents",
                self.intents,
                None if self.relevance is None else self.relevance.shape[1],
            ),
        ):
            if values is not None and n is not None and len(values) != n:
                raise ValueError(
                    f"{where}: {name} has {len(values)} entries, expected {n}"
                )
        if len(set(self.doc_ids)) < k:
            seen: set[str] = set()
            for twice in self.doc_ids:
                if twice in seen:
                    break
                seen.add(twice)
            raise ValueError(f"{where}: the document id {twice!r} occurs twice")

    def intent_probabilities(self) -> NDArray[np.float64]:
        """Probabilities, uniform over the intents that some document serves if not given."""
        if self.probabilities is not None:
            return np.asarray(self.probabilities)
        live = (self.relevance > 0).any(axis=0)
        return np.asarray(live / max(1, live.sum()))


def _numbers(value: Any, name: str, ndim: int) -> NDArray[np.float64]:
    try:
        out = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: {error}") from None
    if out.ndim != ndim:
        raise ValueError(f"{name} must be {ndim}-D, got shape {out.shape}")
    if not np.isfinite(out).all():
        at = np.argwhere(~np.isfinite(out))[0].tolist()
        raise ValueError(f"{name} has NaN or infinity at {at}")
    return out


@dataclass(frozen=True)
class SlateMetric:
    """``V(y) = sum_p rank_p sum_i gain[d, i] prod_(s above) (1 - decay[s, i])``.

    One form for alpha-nDCG (gain p_i, decay alpha, where relevant), ERR-IA (gain p_i R,
    decay R), intent-aware NDCG (no decay), and covered probability mass (decay 1).
    """

    gain: NDArray[np.float64]
    decay: NDArray[np.float64]
    rank: NDArray[np.float64]

    def steps(self, above: Sequence[int]) -> NDArray[np.float64]:
        """Gain of every document below those given, without the factor rank, (k,)."""
        rest = np.prod(1 - self.decay[list(above)], axis=0)
        return np.asarray(self.gain @ rest)

    def value(self, order: Sequence[int]) -> float:
        """V of a slate."""
        return float(
            sum(
                self.rank[p] * self.steps(order[:p])[d]
                for p, d in enumerate(order[: len(self.rank)])
            )
        )

    def greedy(self, top: int, prefer: NDArray[np.float64] | None = None) -> list[int]:
        """The slate that takes the largest gain at each place; ties by `prefer`."""
        rest = np.ones(self.gain.shape[1])
        free = np.ones(len(self.gain), dtype=bool)
        order: list[int] = []
        for _ in range(min(top, len(self.gain))):
            value = np.where(free, self.gain @ rest, -1.0)
            ties = np.flatnonzero(value >= value.max() - 1e-12)
            d = int(ties[0] if prefer is None else ties[np.argmax(prefer[ties])])
            order.append(d)
            free[d] = False
            rest *= 1 - self.decay[d]
        return order


def slate_metric(
    query: DiverseQuery, loss: str, top: int, alpha: float = 0.5
) -> SlateMetric:
    """The metric behind a loss, for one judged query."""
    if query.relevance is None:
        raise ValueError(f"query {query.query_id!r} has no relevance, needed to fit")
    grades, p = query.relevance, query.intent_probabilities()
    r = np.arange(1, top + 1)
    log = discounts(top)
    relevant = (grades > 0).astype(np.float64)
    if loss == "alpha_ndcg":
        return SlateMetric(relevant * p, alpha * relevant, log)
    if loss == "err_ia":
        return SlateMetric(0.5 * relevant * p, 0.5 * relevant, 1.0 / r)
    if loss == "intents":
        return SlateMetric(relevant * p, relevant, np.ones(top))
    if loss == "ndcg_ia":
        gains = gain_of(grades, "exponential")
        best = -np.sort(-gains, axis=0)[:top]
        ideal = log[: len(best)] @ best
        live = np.where(ideal > 0, ideal, 1.0)
        return SlateMetric(gains * p / live, np.zeros_like(gains), log)
    raise ValueError(f"loss must be one of {SLATE_LOSSES}, got {loss!r}")


@dataclass
class PackedSlates:
    """Queries that a slate oracle works on, and their true slates if judged."""

    queries: list[DiverseQuery]
    truths: list[list[int]] | None = None

    def __len__(self) -> int:
        return len(self.queries)


class SlateSpace(BaseEstimator):
    """Slates of `top` documents whose worth depends on the documents above.

    ``psi(x, y) = sum_p place_p [x_d; r(d, S); new(d, S); sum_e phi_e newly covered]``, d at
    place p below the set S; r holds maximum, mean and minimum of every relation channel
    (0 for the empty set), new the share of d's elements that S leaves uncovered.

    Parameters
    ----------
    label_loss : {"alpha_ndcg", "err_ia", "ndcg_ia", "intents"}, default="alpha_ndcg"
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

    def __init__(
        self,
        label_loss: str = "alpha_ndcg",
        top: int = 10,
        alpha: float = 0.5,
        parts: tuple[str, ...] = ("relations", "novelty"),
        discounted: bool = True,
    ) -> None:
        self.label_loss = label_loss
        self.top = top
        self.alpha = alpha
        self.parts = parts
        self.discounted = discounted

    def fit_pack(self, packed: PackedSlates) -> PackedSlates:
        """Learn the sizes."""
        first = packed.queries[0]
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
        self._check(packed.queries)
        return packed

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
            "n": n,
            "top": top,
            "n_features": self.n_features_,
            "n_channels": self.n_channels_,
            "n_element_features": self.n_element_features_,
            "novelty": self.novelty_,
            "offsets": _starts(sizes),
            "x": np.concatenate([q.features for q in queries]).ravel(),
            "relation_at": np.zeros(n + 1, dtype=np.int64),
            "relations": np.zeros(1),
            "place": self.places(top),
            "max_rows": int(sizes.max()),
            "max_intents": 1,
            "rank": np.ones(top),
            "ideal": np.ones(n),
            "intent_at": np.zeros(n + 1, dtype=np.int64),
            "n_intents": np.zeros(n, dtype=np.int32),
            "gain": np.zeros(1),
            "decay": np.zeros(1),
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
                slate_metric(q, self.label_loss, top, self.alpha) for q in queries
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
        return _slate.bind_slate(arrays)

    def __space_tags__(self) -> SpaceTags:
        """Greedy, compiled."""
        return SpaceTags(exactness="none", compiled=True)


def _starts(lengths: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _pack_elements(
    arrays: dict[str, Any], queries: Sequence[DiverseQuery], used: bool, width: int
) -> None:
    n, rows = len(queries), int(arrays["offsets"][-1])
    arrays["cover_ptr"] = np.zeros(rows + 1, dtype=np.int64)
    arrays["cover"] = np.zeros(1, dtype=np.int32)
    arrays["degree"] = np.zeros(1)
    arrays["element_at"] = np.zeros(n + 1, dtype=np.int64)
    arrays["element_x"] = np.zeros(1)
    arrays["max_elements"] = 1
    if not used:
        return
    covers = [q.coverage for q in queries]
    for c in covers:
        c.sort_indices()
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
    return _slate.bind_candidates(
        {
            "values": np.ascontiguousarray(values).ravel(),
            "n_features": values.shape[1],
            "n": len(lengths),
            "max_rows": int(lengths.max()),
            "offsets": _starts(lengths),
            "labels": labels,
            "row_loss": loss,
        }
    )
