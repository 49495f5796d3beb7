"""Rows of a matrix, with a constant column."""

from __future__ import annotations

from typing import Any

import numpy as np

from pystruct_ext._core.ragged import PackedRows, check_sparse
from pystruct_ext.spaces.wide import renumbered


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


class MatrixRows:
    """What spaces have in common whose examples are the rows of a matrix."""

    fit_intercept: bool
    intercept_scaling: float
    dtype: str

    def _rows(self, X: Any) -> PackedRows:
        check_sparse(X)
        if not hasattr(X, "indptr"):
            X = np.asarray(X)
        if self.fit_intercept:
            X = with_constant(X, self.intercept_scaling)
        return PackedRows.from_matrix(X, np.dtype(self.dtype))

    def _kept(self, rows: PackedRows) -> PackedRows:
        """Rows in terms of the columns that have weights."""
        columns = getattr(self, "columns_", None)
        return rows if columns is None else renumbered(rows, columns)


__all__ = ["MatrixRows", "as_row", "with_constant"]
