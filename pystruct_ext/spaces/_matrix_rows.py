"""Rows of a matrix, with a constant column."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_row(x: Any) -> Any:
    """One example as a matrix of one row."""
    return x if hasattr(x, "indptr") else np.asarray(x).reshape(1, -1)


def with_constant(X: Any, value: float) -> Any:
    """The matrix with one more column, of this value everywhere."""
    if hasattr(X, "indptr"):
        from scipy.sparse import csr_array, hstack

        column = csr_array(np.full((X.shape[0], 1), value))
        return hstack([X, column], format="csr")
    if X.ndim != 2:
        raise ValueError(f"X must have shape (n, d), got {X.shape}")
    return np.hstack(
        [X, np.full((len(X), 1), value, dtype=np.result_type(X, np.float32))]
    )


__all__ = ["as_row", "with_constant"]
