"""Slates one step at a time: features, bounds, exact solutions, explanations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.metrics import satisfied_mass
from pystruct_ext.outputs import DiverseQuery
from pystruct_ext.spaces.slate import SlateSpace


def step_features(
    space: SlateSpace, query: DiverseQuery, above: Sequence[int]
) -> NDArray[np.float64]:
    """The psi of placing each document below `above`, without the place weight, (k, D)."""
    k, c = len(query), space.n_channels_
    parts = [query.features]
    if c:
        if len(above):
            r = query.relations[:, list(above), :]
            stacked = np.stack([r.max(1), r.mean(1), r.min(1)], axis=2)
        else:
            stacked = np.zeros((k, c, 3))
        parts.append(stacked.reshape(k, 3 * c))
    if space.novelty_ or space.n_element_features_:
        cover = query.coverage.toarray()
        left = cover * np.prod(1 - cover[list(above)], axis=0)
        if space.novelty_:
            total = cover.sum(axis=1)
            share = np.divide(left.sum(1), total, out=np.zeros(k), where=total > 0)
            parts.append(share[:, None])
        if space.n_element_features_:
            parts.append(left @ query.element_features)
    return np.hstack(parts)


def greedy_bound(
    space: SlateSpace, w: NDArray, query: DiverseQuery, slate: Sequence[int]
) -> float:
    """F(slate) over an upper bound of the maximum; nan if F is not monotone submodular."""
    f = space.n_features_
    values = query.element_features @ w[f:]
    first = step_features(space, query, []) @ w
    if values.min(initial=0.0) < 0 or (query.features @ w[:f]).min() < 0:
        return float("nan")
    total, bound = 0.0, np.inf
    for p in range(len(slate) + 1):
        gains = step_features(space, query, slate[:p]) @ w
        gains[list(slate[:p])] = 0.0
        best = np.sort(np.maximum(gains, 0))[::-1][: len(slate)]
        bound = min(bound, total + best.sum())
        if p < len(slate):
            total += gains[slate[p]]
    if bound <= 0 or first.max() <= 0:
        return 1.0
    return float(min(1.0, total / bound))


def exact_slate(space: SlateSpace, w: NDArray, query: DiverseQuery) -> list[int]:
    """The best set by an integer program (HiGHS), in greedy order.

    maximise ``sum_d s_d x_d + sum_e v_e z_e``, ``z_e <= sum of the x_d that cover e``, and
    ``z_e >= x_d`` for those where v_e < 0; ``sum_d x_d = top``.

    Raises
    ------
    ValueError
        If degrees of coverage are not 0 or 1.
    """
    from scipy import sparse
    from scipy.optimize import Bounds, LinearConstraint, milp

    cover = query.coverage
    if cover.nnz and not np.isin(cover.data, (0.0, 1.0)).all():
        raise ValueError(
            f"query {query.query_id!r}: decode='exact' needs degrees of coverage 0 or 1"
        )
    k, m = cover.shape
    f = space.n_features_
    score, value = query.features @ w[:f], query.element_features @ w[f:]
    top = min(space.top, k)
    rows = [sparse.hstack([cover.T, -sparse.eye_array(m)])]
    low, high = [np.zeros(m)], [np.full(m, np.inf)]
    bad = sparse.coo_array(cover[:, value < 0])
    if bad.nnz:
        e = np.flatnonzero(value < 0)[bad.col]
        i = np.arange(bad.nnz)
        force = sparse.coo_array(
            (
                np.concatenate([-np.ones(bad.nnz), np.ones(bad.nnz)]),
                (np.concatenate([i, i]), np.concatenate([bad.row, k + e])),
            ),
            shape=(bad.nnz, k + m),
        )
        rows.append(force)
        low.append(np.zeros(bad.nnz))
        high.append(np.full(bad.nnz, np.inf))
    rows.append(sparse.csr_array(np.concatenate([np.ones(k), np.zeros(m)])[None, :]))
    low.append(np.array([float(top)]))
    high.append(np.array([float(top)]))
    result = milp(
        -np.concatenate([score, value]),
        integrality=np.concatenate([np.ones(k), np.zeros(m)]),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(
            sparse.vstack(rows).tocsr(), np.concatenate(low), np.concatenate(high)
        ),
        options={"mip_rel_gap": 1e-9},
    )
    if result.x is None:
        raise RuntimeError(f"HiGHS found no slate: {result.message}")
    chosen = set(np.argsort(-result.x[:k], kind="stable")[:top].tolist())
    slate: list[int] = []
    while chosen:
        gains = step_features(space, query, slate) @ w
        best = max(sorted(chosen), key=lambda d: gains[d])
        slate.append(best)
        chosen.remove(best)
    return slate


@dataclass
class Topics:
    """Candidate intents of a query that nobody has judged.

    Attributes
    ----------
    names : list of J str
    share : (J,) float64
        Estimated probability of each.
    degree : (k, J) float64
        Estimated degree in [0, 1] to which each document serves each.
    """

    names: list[str]
    share: NDArray[np.float64]
    degree: NDArray[np.float64]

    def served(self, d: int) -> list[int]:
        """The topics that a document serves: its best, and others at least half as much."""
        best = self.degree[d].max(initial=0.0)
        if best <= 0:
            return []
        order = np.argsort(-self.degree[d], kind="stable")
        return [int(t) for t in order if self.degree[d, t] >= 0.5 * best]


def estimated_topics(
    query: DiverseQuery, values: NDArray[np.float64] | None, degree: Any
) -> Topics | None:
    """Topics with estimated probabilities; None for a query without topics.

    Parameters
    ----------
    query : DiverseQuery
    values : (J,) float64 or None
        Learned value of each topic: its share is the positive part of it. Without, or where
        none is positive, the share of a topic is that of its documents.
    degree : (k, J) array
    """
    if query.topics is None or query.topics.shape[1] == 0:
        return None
    weight = np.zeros(query.topics.shape[1])
    if values is not None:
        weight = np.maximum(values, 0.0)
    if weight.sum() <= 0:
        weight = query.topics.sum(axis=0)
    if weight.sum() <= 0:
        return None
    names = query.topic_names or [f"topic {t + 1}" for t in range(len(weight))]
    return Topics(list(names), weight / weight.sum(), np.asarray(degree))


@dataclass
class Explanation:
    """A slate, place by place.

    Attributes
    ----------
    query_id : str
    rows : list of dict
        ``position``, ``document``, ``title``, ``intents`` (names served), ``new`` (those
        served for the first time), ``gain`` (marginal score), ``satisfied`` (probability mass
        satisfied so far: estimated where `estimated`, nan where nothing is known).
    estimated : bool
        The query is not judged: intents are topics found in its results, and probabilities
        are estimates.
    intents : dict of str to float
        Probability of each intent or topic.
    """

    query_id: str
    rows: list[dict[str, Any]]
    estimated: bool = False
    intents: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [self.query_id]
        if self.estimated:
            lines.append(
                "not judged: topics are clusters of the results, named by their words; their "
                "shares and the mass of users served are estimates"
            )
        elif not self.intents:
            lines.append("not judged, and no topics: whom documents serve is not known")
        for name, share in sorted(self.intents.items(), key=lambda item: -item[1]):
            lines.append(f"{100 * share:6.0f} %  {name}")
        width = 32 if self.estimated else 24
        head = "~mass" if self.estimated else "mass"
        lines.append(f"{'':>3} {'gain':>7} {head:>6}  {'serves':{width}} title")
        for row in self.rows:
            served = [f"+{i}" if i in row["new"] else i for i in row["intents"]]
            text = ", ".join(served) or "-"
            if len(text) > width:
                text = text[: width - 3] + "..."
            mass = "" if np.isnan(row["satisfied"]) else f"{row['satisfied']:6.2f}"
            title = " ".join(row["title"].split()) or row["document"]
            lines.append(
                f"{row['position']:3d} {row['gain']:7.3f} {mass:>6}  {text:{width}} "
                f"{title[:60]}"
            )
        return "\n".join(lines)

    __repr__ = __str__


def explain(
    query: DiverseQuery,
    slate: Sequence[int],
    gains: NDArray[np.float64],
    topics: Topics | None = None,
) -> Explanation:
    """The table of a slate; of an unjudged query with its topics in place of intents."""
    if query.relevance is not None:
        p = query.intent_probabilities()
        names = query.intents or [str(i) for i in range(len(p))]
        mass = satisfied_mass(query.relevance, slate, p) if p.sum() > 0 else None
        serves = [np.flatnonzero(row > 0).tolist() for row in query.relevance]
    elif topics is not None:
        names, p = topics.names, topics.share
        left = np.cumprod(1 - topics.degree[list(slate)], axis=0)
        mass = (1 - left) @ p
        serves = [topics.served(d) for d in range(len(query))]
    else:
        names, p, mass = [], np.zeros(0), None
        serves = [[] for _ in range(len(query))]
    seen: set[int] = set()
    rows = []
    for place, d in enumerate(slate):
        rows.append(
            {
                "position": place + 1,
                "document": query.doc_ids[d] if query.doc_ids else str(d),
                "title": query.titles[d] if query.titles else "",
                "intents": [names[i] for i in serves[d]],
                "new": [names[i] for i in serves[d] if i not in seen],
                "gain": float(gains[place]),
                "satisfied": float("nan") if mass is None else float(mass[place]),
            }
        )
        seen.update(serves[d])
    estimated = query.relevance is None and topics is not None
    shares = dict(zip(names, p.tolist(), strict=True))
    return Explanation(query.query_id, rows, estimated, shares)
