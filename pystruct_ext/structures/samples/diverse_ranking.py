"""Small random ambiguous queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pystruct_ext.losses import DiversityMetric
from pystruct_ext.outputs import DiverseQuery, Slate

_WORDS = ("river", "bank", "money", "loan", "shore", "water", "account", "fish")

MakeProblem = Callable[[np.random.Generator], tuple[list[Any], list[Any]]]


def sample(rng: np.random.Generator) -> tuple[list[DiverseQuery], None]:
    """Six queries of eight documents about two or three intents."""
    X = []
    for i in range(6):
        k, n = 8, 2 + i % 2
        intent = rng.integers(0, n, size=k)
        intent[:n] = np.arange(n)
        same = (intent[:, None] == intent[None, :]) + 0.1 * rng.random((k, k))
        titles = [
            " ".join([*rng.choice(_WORDS, size=3).tolist(), f"intent{j}", f"q{i}"])
            for j in intent.tolist()
        ]
        X.append(
            DiverseQuery(
                rng.random((k, 2)),
                np.eye(n)[intent] * rng.integers(1, 4, size=(k, 1)),
                np.full(n, 1 / n),
                relations=same[:, :, None],
                query_id=f"query {i}",
                doc_ids=[f"q{i}-{d}" for d in range(k)],
                intents=[f"intent{j}" for j in range(n)],
                titles=titles,
            )
        )
    return X, None


def slates(
    loss: str = "alpha_ndcg", top: int = 3, sizes: Sequence[int] = (1, 3, 5, 4)
) -> MakeProblem:
    """Judged queries with relations and elements, and their greedy slates."""

    def make(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
        X, Y = [], []
        for k in sizes:
            relevance = rng.integers(0, 3, (k, 3)) * (rng.random((k, 3)) < 0.6)
            relevance[0, 0] = 1
            X.append(
                DiverseQuery(
                    rng.normal(size=(k, 2)).round(1),
                    relevance,
                    relations=rng.random((k, k, 2)).round(1),
                    coverage=(rng.random((k, 6)) < 0.5) * rng.random((k, 6)),
                    element_features=rng.normal(size=(6, 2)),
                )
            )
            p = X[-1].intent_probabilities()
            metric = DiversityMetric.of(loss, relevance, p, top)
            Y.append(Slate.of(X[-1], metric.greedy(top, -np.arange(k))))
        return X, Y

    return make
