"""Wide sparse rows, renumbered by the columns that occur.

A weight vector is dense. Of a matrix with 10^8 columns of which a thousand occur at fit all
other weights would be zero, so that none are kept for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pystruct_ext._core.ragged import PackedRows

# Rows of more columns are renumbered, where that leaves a quarter of them or less.
WIDE = 1 << 20


def occurring(packed: PackedRows, always: int | None = None) -> NDArray | None:
    """Columns that occur in wide sparse rows, rising int32; None where all are kept.

    Parameters
    ----------
    packed : PackedRows
    always : int, optional
        A column that counts as one that occurs.
    """
    if packed.indices is None or packed.n_features <= WIDE:
        return None
    columns = np.unique(packed.indices)
    if always is not None:
        columns = np.union1d(columns, np.array([always], dtype=columns.dtype))
    return columns if 4 * len(columns) <= packed.n_features else None


def renumbered(packed: PackedRows, columns: NDArray) -> PackedRows:
    """Rows in terms of some columns, which rise; entries of others are left out.

    Costs memory for the entries there are, not for the width.
    """
    indptr, indices, values = packed.indptr, packed.indices, packed.values
    if indptr is None or indices is None:
        dense: NDArray = packed.values  # type: ignore[assignment]
        kept = dense.reshape(packed.n_rows, -1)[:, columns].reshape(-1)
        return PackedRows(packed.offsets, None, None, kept, len(columns))
    place = np.searchsorted(columns, indices)
    place[place == len(columns)] = 0
    known = columns[place] == indices if len(columns) else np.zeros(len(place), bool)
    ends = np.concatenate([[0], np.cumsum(known)])
    return PackedRows(
        packed.offsets,
        ends[indptr].astype(np.int64),
        place[known].astype(np.int32),
        None if values is None else values[known],
        len(columns),
    )


def as_csr(packed: PackedRows) -> Any:
    """Packed rows as a SciPy matrix, (n_rows, n_features)."""
    values, indices = packed.values, packed.indices
    if indices is None:
        return np.reshape(np.asarray(values), (packed.n_rows, -1))
    if values is None:
        values = np.ones(len(indices))
    shape = (packed.n_rows, packed.n_features)
    return csr_array((values, indices, np.asarray(packed.indptr)), shape=shape)


__all__ = ["as_csr", "occurring", "renumbered"]
