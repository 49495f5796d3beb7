"""Small random rows with sets of labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from pystruct_ext.structures.base import Variant


def rows(
    rng: np.random.Generator, k: int = 4, n: int = 6, d: int = 3, empty: bool = True
) -> tuple[Any, Any]:
    """N rows of d numbers, and 0 or 1 for each of k labels."""
    Y = (rng.random((n, k)) < 0.4).astype(int)
    Y[0] = np.arange(k) < 2
    Y[1] = 0 if empty else np.arange(k) == k - 1
    if not empty:
        Y[Y.sum(axis=1) == 0, 0] = 1
    return rng.normal(size=(n, d)), Y


def at_least_one(rng: np.random.Generator) -> tuple[Any, Any]:
    """No set is empty."""
    return rows(rng, empty=False)


def at_most_two(rng: np.random.Generator) -> tuple[Any, Any]:
    """One or two labels of five."""
    X, Y = rows(rng, k=5, empty=False)
    for y in Y:
        y[np.flatnonzero(y)[2:]] = 0
    return X, Y


def named_sets(rng: np.random.Generator) -> tuple[Any, Any]:
    """Sparse rows and tuples of names."""
    X, Y = rows(rng, d=6)
    X[rng.random(X.shape) < 0.5] = 0
    names = np.array(["ant", "bee", "cat", "dog"])
    return csr_array(X), [tuple(names[y == 1].tolist()) for y in Y]


def sample(rng: np.random.Generator) -> tuple[Any, Any]:
    """Twelve rows with labels of three, at least one each."""
    X = rng.normal(size=(12, 3))
    Y = (X + rng.normal(size=(12, 3)) > 0.3).astype(int)
    Y[:3] = np.eye(3, dtype=int)
    Y[Y.sum(axis=1) == 0, 1] = 1
    return X, [tuple((np.flatnonzero(y) + 1).tolist()) for y in Y]


def _variant(
    name: str, make: Callable[..., tuple[Any, Any]] = rows, **params: Any
) -> Variant:
    return Variant(f"multilabel-{name}", params, make, n_problems=1)


VARIANTS = (
    _variant("plain", interactions="none")._replace(n_problems=2),
    _variant(
        "weights",
        named_sets,
        interactions="none",
        label_weight={"ant": 0.5, "dog": 2.0},
    ),
    _variant("f1", at_most_two, task_loss="f1", interactions="none", max_labels=2),
    _variant(
        "subset", at_least_one, interactions="none", task_loss="subset", dtype="float32"
    ),
    _variant("tree", rows, interactions=[(0, 1), (1, 2)], task_loss="f1"),
    _variant("tree-limits", at_most_two, interactions="tree", max_labels=3),
    _variant("tree-subset", at_least_one, interactions="tree", task_loss="subset"),
    _variant("full", at_least_one, interactions="full", task_loss="f1"),
    _variant("graph", rows, interactions="full", inference="graph"),
    _variant(
        "graph-subset",
        at_least_one,
        interactions="full",
        inference="graph",
        task_loss="subset",
    ),
    _variant(
        "attractive",
        at_least_one,
        interactions="full",
        inference="graph",
        attractive=True,
        miss_cost=2.0,
    ),
    _variant(
        "seen-weighted",
        rows,
        interactions="tree",
        label_sets="seen",
        set_scaling=1.5,
        miss_cost=0.5,
    ),
    _variant(
        "seen", named_sets, interactions="full", label_sets="seen", task_loss="subset"
    ),
)
