"""Small random queries with graded documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from pystruct_ext.outputs import RankingQuery

MakeProblem = Callable[[np.random.Generator], tuple[list[Any], list[Any]]]


def sample(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
    """Six queries of a few documents."""
    lengths = (4, 5, 3, 4, 5, 4)
    X = rng.normal(size=(sum(lengths), 3))
    y = np.clip(np.round(X[:, 0] + 0.5 * rng.normal(size=len(X)) + 1), 0, 2)
    qid = np.repeat(np.arange(len(lengths)), lengths)
    # Something to learn in every query.
    first = np.cumsum([0, *lengths[:-1]])
    y[first], y[first + 1] = 0, 2
    return X, y, {"qid": qid}


def rankings(
    levels: int = 3,
    sizes: Sequence[int] = (2, 3, 5, 4),
    weighted: bool = False,
    as_sparse: bool = False,
) -> MakeProblem:
    """Judged queries and their ideal rankings."""

    def make(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
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
