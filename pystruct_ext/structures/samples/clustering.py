"""Small random pair graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from pystruct_ext.outputs.pair_graphs import PairGraph
from pystruct_ext.structures.base import Variant

_SIZES = (1, 4, 6, 5)


def pair_graphs(density: float = 1.0, csr: bool = False) -> Any:
    """A maker of random graphs and clusters; not all pairs are candidates."""

    def make(rng: np.random.Generator) -> tuple[list[PairGraph], list[list[int]]]:
        X, Y = [], []
        for n in _SIZES:
            pairs = np.stack(np.triu_indices(n, 1), axis=1)
            pairs = pairs[rng.random(len(pairs)) < density]
            turned = rng.random(len(pairs)) < 0.3
            pairs[turned] = pairs[turned, ::-1]
            features = rng.normal(size=(len(pairs), 3))
            if csr:
                features[rng.random(features.shape) < 0.5] = 0
            X.append(
                PairGraph(n, pairs, sparse.csr_array(features) if csr else features)
            )
            Y.append(rng.integers(0, 3, size=n).tolist())
        return X, Y

    return make


def sample(rng: np.random.Generator) -> tuple[list[PairGraph], list[list[int]]]:
    """Items of two or three clusters; pairs within one are alike in two features."""
    X, Y = [], []
    for k, n in enumerate((4, 5, 4, 6, 5, 4)):
        y = rng.permutation(np.arange(n) % (2 + k % 2))
        pairs = np.stack(np.triu_indices(n, 1), axis=1)
        if k % 2:
            pairs = np.delete(pairs, rng.integers(len(pairs)), axis=0)
        same = y[pairs[:, 0]] == y[pairs[:, 1]]
        features = rng.normal(size=(len(pairs), 3)).round(3)
        features[:, 0] += 2 * same
        features[:, 1] -= same
        X.append(PairGraph(n, pairs, features.round(3)))
        Y.append([int(v) for v in y])
    return X, Y


VARIANTS = (
    Variant("clustering", {}, pair_graphs()),
    Variant(
        "clustering-pairs",
        {
            "task_loss": "pairs",
            "false_cost": 2.0,
            "miss_cost": 0.5,
            "inference": "greedy",
        },
        pair_graphs(0.6),
    ),
    Variant(
        "clustering-exact",
        {"inference": "exact", "fit_intercept": False},
        pair_graphs(0.8, csr=True),
        2,
    ),
)
