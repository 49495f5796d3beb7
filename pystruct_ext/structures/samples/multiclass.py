"""Small random rows with classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from pystruct_ext.structures.base import Variant

COST = np.array([[0.0, 1.0, 4.0], [0.5, 0.0, 0.0], [2.0, 1.0, 0.0]])


def rows(
    rng: np.random.Generator, k: int = 3, n: int = 9, d: int = 4
) -> tuple[Any, Any]:
    """N rows of d numbers, and k classes."""
    return rng.normal(size=(n, d)), np.arange(n) % k


def dense_rows(rng: np.random.Generator) -> tuple[Any, Any]:
    """Dense rows."""
    return rows(rng)


def named_rows(rng: np.random.Generator) -> tuple[Any, Any]:
    """Named rows."""
    X, y = rows(rng, k=4)
    return X, np.array(["ant", "bee", "cat", "dog"])[y]


def sparse_rows(rng: np.random.Generator) -> tuple[Any, Any]:
    """Sparse rows."""
    X, y = rows(rng, d=9)
    X[rng.random(X.shape) < 0.6] = 0
    return csr_array(X), y


def sample(rng: np.random.Generator) -> tuple[Any, Any]:
    """Twelve rows of two classes, and one row of a third."""
    X = rng.normal(size=(12, 3))
    y = rng.integers(0, 2, size=12)
    y[:4] = 0, 0, 1, 1
    y[6] = 7
    return X, y


_MANY = (
    Variant("multiclass", {}, dense_rows),
    Variant("multiclass-float32", {"dtype": "float32"}, dense_rows),
    Variant("multiclass-names", {"intercept_scaling": 2.0}, named_rows),
    Variant("multiclass-cost", {"task_loss": COST}, dense_rows),
    Variant("multiclass-csr", {}, sparse_rows),
    Variant(
        "multiclass-csr-plain",
        {"fit_intercept": False, "dtype": "float32"},
        sparse_rows,
    ),
)
# There are many of them: one problem each is enough.
VARIANTS = (_MANY[0], *(v._replace(n_problems=1) for v in _MANY[1:]))
