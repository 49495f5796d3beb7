"""Small random queries with graded documents."""

from __future__ import annotations

from typing import Any

import numpy as np


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
