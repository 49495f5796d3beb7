"""Assignment problems for their own sake: no examples, no learning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pystruct_ext.spaces._kernels.matching import assign, best_links
from pystruct_ext.utils.fitted import INT32_MAX

MUST_MATCH = (None, "rows", "columns")
Matched = tuple[NDArray[np.int32], NDArray[np.int32], float]


class InfeasibleMatchingError(ValueError):
    """No matching has all the links that are needed."""


def best_matching(
    scores: Any,
    *,
    row_capacity: Any = 1,
    column_capacity: Any = 1,
    must_match: str | None = None,
    k: int | None = None,
) -> Matched | list[Matched]:
    """Links between rows and columns with the largest sum of scores.

    Parameters
    ----------
    scores : (m, n) array-like or sparse matrix
        Of a sparse matrix the stored entries are candidates, zeros among them; -inf in an
        array forbids a pair.
    row_capacity, column_capacity : int, None or array-like of int, default=1
        Most links of each row and column; None: any number.
    must_match : {None, "rows", "columns"}
        Rows or columns that must have at least one link; others may stay without, for a score
        of 0.
    k : int, optional
        The k best matchings, best first, instead of the best; fewer where there are fewer.

    Returns
    -------
    rows, columns : int32 arrays
        The links, rows rising.
    total : float
        Sum of their scores. With `k` a list of such triples.

    Raises
    ------
    InfeasibleMatchingError
        If there is no matching; it is a ValueError.
    ValueError
        For scores that are NaN or infinite, capacities that do not fit.

    Notes
    -----
    Exact: shortest augmenting paths for a flow of least cost; Murty's partition for k. On a
    dense matrix where every row gets a column, `assign` is faster.

    Examples
    --------
    >>> rows, columns, total = best_matching([[2.0, 1.0], [3.0, -1.0]])
    >>> list(zip(rows.tolist(), columns.tolist())), total
    ([(0, 1), (1, 0)], 4.0)
    >>> [total for _, _, total in best_matching([[2.0, 1.0], [3.0, -1.0]], k=3)]
    [4.0, 3.0, 2.0]
    """
    if must_match not in MUST_MATCH:
        raise ValueError(
            f"must_match must be None, 'rows' or 'columns', got {must_match!r}"
        )
    whole = isinstance(k, (int, np.integer)) and not isinstance(k, bool)
    if k is not None and not (whole and k >= 1):
        raise ValueError(f"k must be None or an int >= 1, got {k!r}")
    rows, columns, values, (m, n) = _candidates(scores)
    row_cap = capacities(row_capacity, m, n, "row_capacity")
    column_cap = capacities(column_capacity, n, m, "column_capacity")
    flip = must_match == "columns"
    if flip:
        order = np.lexsort((rows, columns))
        rows, columns, values = columns[order], rows[order], values[order]
        row_cap, column_cap, m, n = column_cap, row_cap, n, m
    low = np.full(m, int(must_match is not None), dtype=np.int32)
    first = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=m))])
    found = None
    if (low <= row_cap).all():
        found = best_links(
            first.astype(np.int64), columns, values, row_cap, low, column_cap, k or 1
        )
    if found is None:
        raise InfeasibleMatchingError(
            f"no matching gives each of the {must_match} a link: {_reason(low, row_cap, first)}"
        )
    links, ends, totals = found
    out: list[Matched] = []
    for a, b, total in zip(ends[:-1], ends[1:], totals.tolist(), strict=True):
        r, c = rows[links[a:b]], columns[links[a:b]]
        if flip:
            r, c = c, r
            order = np.lexsort((c, r))
            r, c = r[order], c[order]
        out.append((r, c, total))
    return out[0] if k is None else out


def _reason(low: NDArray, cap: NDArray, first: NDArray) -> str:
    """Why there is none, where one row says it."""
    lonely = (low > 0) & (np.diff(first) == 0)
    if lonely.any():
        return f"number {int(np.flatnonzero(lonely)[0])} has no candidates"
    full = low > cap
    if full.any():
        return f"number {int(np.flatnonzero(full)[0])} has the capacity 0"
    return "the capacities of the others do not suffice"


def _candidates(
    scores: Any,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], tuple[int, int]]:
    """Rows, columns and scores of the candidates, and the shape."""
    if sparse.issparse(scores):
        given: Any = scores
        matrix: Any = sparse.csr_array(given, copy=True)
        matrix = matrix.astype(np.float64)
        matrix.sum_duplicates()
        entries = matrix.tocoo()
        rows, columns = (np.asarray(k, dtype=np.int32) for k in entries.coords)
        values, shape = entries.data, matrix.shape
        bad = ~np.isfinite(values)
    else:
        array = np.asarray(scores, dtype=np.float64)
        if array.ndim != 2:
            raise ValueError(f"scores must be 2-D, got shape {array.shape}")
        shape = array.shape
        bad = ~np.isfinite(array.ravel()) & (array.ravel() != -np.inf)
        rows, columns = (k.astype(np.int32) for k in np.nonzero(array != -np.inf))
        values = array[rows, columns]
    if bad.any():
        raise ValueError(
            "scores must hold finite numbers (or -inf in an array, for pairs that are no "
            "candidates), got NaN or infinity"
        )
    if max(shape) >= INT32_MAX:
        raise ValueError(f"scores has shape {shape}, more than an int32 can count")
    return rows, columns, np.ascontiguousarray(values), (int(shape[0]), int(shape[1]))


def capacities(value: Any, count: int, most: int, name: str) -> NDArray[np.int32]:
    """(count,) int32 capacities of a number, an array, or None for no limit.

    Raises
    ------
    ValueError
        For another shape, and for numbers that are not whole or below 0.
    """
    if value is None:
        return np.full(count, most, dtype=np.int32)
    array = np.asarray(value)
    if array.ndim == 0:
        array = np.full(count, array)
    whole = array.dtype.kind in "iuf" or array.size == 0
    if not whole or array.shape != (count,):
        raise ValueError(
            f"{name} must be None, a whole number or {count} of them, got {value!r:.80}"
        )
    if ((array < 0) | (array != np.floor(array))).any():
        raise ValueError(f"{name} must hold whole numbers >= 0, got {value!r:.80}")
    return np.asarray(np.minimum(array, most), dtype=np.int32)


assign.__module__ = __name__

__all__ = ["InfeasibleMatchingError", "assign", "best_matching"]
