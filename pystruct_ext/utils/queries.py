"""Documents grouped into queries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_relevance(y: ArrayLike) -> NDArray[np.float64]:
    """Grades as float64.

    Raises
    ------
    ValueError
        For grades that are negative, NaN or infinite.
    """
    relevance = np.asarray(y, dtype=np.float64)
    bad = np.flatnonzero(~(np.isfinite(relevance) & (relevance >= 0)))
    if bad.size:
        raise ValueError(
            f"y: the relevance of document {int(bad[0])} is {relevance[bad[0]]:g}, expected "
            "a finite grade >= 0 (clip judgements such as -2 for spam to 0)"
        )
    return relevance


def group_queries(
    qid: ArrayLike | None, n: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Rows grouped by query, in order of first appearance: ``(order, offsets)``.

    Rows ``order[offsets[q]:offsets[q + 1]]`` belong to the q-th query, in their own order.
    """
    if qid is None:
        return np.arange(n), np.array([0, n], dtype=np.int64)
    ids = np.asarray(qid)
    if ids.ndim != 1 or len(ids) != n:
        raise ValueError(
            f"qid must have one entry per document: {n}, got shape {ids.shape}"
        )
    if ids.dtype.kind == "f" and np.isnan(ids).any():
        at = int(np.flatnonzero(np.isnan(ids))[0])
        raise ValueError(f"qid: the query of document {at} is missing (NaN)")
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    appearance = np.empty(len(first), dtype=np.intp)
    appearance[np.argsort(first)] = np.arange(len(first))
    query = appearance[inverse]
    offsets = np.zeros(len(first) + 1, dtype=np.int64)
    np.cumsum(np.bincount(query, minlength=len(first)), out=offsets[1:])
    return np.argsort(query, kind="stable"), offsets
