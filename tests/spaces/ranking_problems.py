"""Generators of small ranking and slate problems, ``(rng) -> (X, Y)``."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from pystruct_ext.losses import DiversityMetric
from pystruct_ext.outputs import DiverseQuery, RankingQuery, Slate


def rankings(levels=3, sizes=(2, 3, 5, 4), weighted=False, as_sparse=False):
    """Judged queries and their ideal rankings."""

    def make(rng):
        X = []
        for k in sizes:
            relevance = rng.integers(0, levels, k)
            relevance[:2] = 0, levels - 1
            features = rng.normal(size=(k, 3)).round(1)
            weight = rng.uniform(0.5, 2.0, k) if weighted else None
            X.append(
                RankingQuery(
                    csr_array(features) if as_sparse else features, relevance, weight
                )
            )
        return X, [x.ideal() for x in X]

    return make


def slates(loss="alpha_ndcg", top=3, sizes=(1, 3, 5, 4)):
    """Judged queries with relations and elements, and their greedy slates."""

    def make(rng):
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
