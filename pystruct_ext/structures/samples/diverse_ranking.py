"""Small random ambiguous queries."""

from __future__ import annotations

import numpy as np

from pystruct_ext.outputs import DiverseQuery

_WORDS = ("river", "bank", "money", "loan", "shore", "water", "account", "fish")


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
