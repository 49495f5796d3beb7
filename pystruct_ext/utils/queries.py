"""Documents grouped into queries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.utils.messages import shorten


def check_relevance(y: Any) -> NDArray[np.float64]:
    """Grades as float64.

    Raises
    ------
    ValueError
        For grades that are negative, missing, infinite, masked or no numbers.
    """
    if np.ma.is_masked(y):
        at = int(np.flatnonzero(np.ma.getmaskarray(y))[0])
        raise ValueError(f"y: the relevance of document {at} is masked")
    given = np.asarray(y)
    if given.dtype.kind == "c":
        raise ValueError(f"y must hold real numbers, got {given.dtype}")
    try:
        relevance = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y must hold numbers: {shorten(str(error))}") from None
    bad = np.flatnonzero(~(np.isfinite(relevance) & (relevance >= 0)))
    if bad.size:
        raise ValueError(
            f"y: the relevance of document {int(bad[0])} is {relevance.flat[bad[0]]:g}, "
            "expected a finite grade >= 0 (clip judgements such as -2 for spam to 0)"
        )
    return relevance


def check_qid(qid: Any, n: int) -> NDArray:
    """Query ids as an array of one type.

    Raises
    ------
    ValueError
        For another length, a missing id, and for text beside numbers: "1" and 1 may or may
        not be one query.
    """
    if np.ma.is_masked(qid):
        at = int(np.flatnonzero(np.ma.getmaskarray(qid))[0])
        raise ValueError(f"qid: the query of document {at} is missing (masked)")
    ids = np.asarray(qid)
    if ids.dtype.kind in "USV" and not hasattr(qid, "dtype"):
        # NumPy would have made text of numbers.
        ids = np.asarray(qid, dtype=object)
    if ids.ndim != 1 or len(ids) != n:
        raise ValueError(
            f"qid must have one entry per document: {n}, got shape {ids.shape}"
        )
    if ids.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(ids))
        if bad.size:
            what = "missing (NaN)" if np.isnan(ids[bad[0]]) else "infinite"
            raise ValueError(f"qid: the query of document {int(bad[0])} is {what}")
    return ids if ids.dtype != object else _of_objects(ids)


def _of_objects(ids: NDArray) -> NDArray:
    values = ids.tolist()
    kinds = {type(v) for v in values}
    if len(kinds) > 1 or not kinds <= {str, int, bytes}:
        text: int | None = None
        number: int | None = None
        for i, v in enumerate(values):
            if v is None or type(v).__name__ in ("NAType", "NaTType") or v != v:
                raise ValueError(f"qid: the query of document {i} is missing ({v})")
            if isinstance(v, (str, bytes)):
                text = i if text is None else text
            elif isinstance(v, (int, float, np.number, np.bool_)):
                number = i if number is None else number
            else:
                raise ValueError(
                    f"qid: that of document {i} is a {type(v).__name__}, expected text or a "
                    "number"
                )
        if text is not None and number is not None:
            raise ValueError(
                f"qid mixes text and numbers: {shorten(values[text])!r} of document {text} "
                f"and {shorten(values[number])} of document {number}; make them one type, as "
                "with map(str, qid)"
            )
    try:
        return np.array(values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"qid: {error}") from None


def qid_of_group(group: ArrayLike, n: int) -> NDArray[np.intp]:
    """The query of each document from the sizes of consecutive queries, as LightGBM has it.

    Raises
    ------
    ValueError
        If the sizes are not whole numbers >= 0 that sum to n.
    """
    sizes = np.asarray(group)
    whole = sizes.dtype.kind in "iu" or (
        sizes.dtype.kind == "f"
        and bool(np.isfinite(sizes).all() and (sizes % 1 == 0).all())
    )
    if sizes.ndim != 1 or not whole:
        raise ValueError(
            "group must hold the sizes of consecutive queries, whole numbers, got "
            f"{shorten(sizes)}"
        )
    bad = np.flatnonzero(sizes < 0)
    if bad.size:
        raise ValueError(f"group: the size of query {int(bad[0])} is {sizes[bad[0]]}")
    total = int(sizes.sum())
    if total != n:
        hint = "; ids, one per document, are qid" if len(sizes) == n else ""
        raise ValueError(
            f"group: the sizes of {len(sizes)} queries sum to {total}, expected the number of "
            f"documents, {n}{hint}"
        )
    return np.repeat(np.arange(len(sizes)), sizes.astype(np.intp))


def group_queries(
    qid: ArrayLike | None, n: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Rows grouped by query, in order of first appearance: ``(order, offsets)``.

    Rows ``order[offsets[q]:offsets[q + 1]]`` belong to the q-th query, in their own order.

    Raises
    ------
    ValueError
        See `check_qid`.
    """
    if qid is None:
        return np.arange(n), np.array([0, n], dtype=np.int64)
    ids = check_qid(qid, n)
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    appearance = np.empty(len(first), dtype=np.intp)
    appearance[np.argsort(first)] = np.arange(len(first))
    query = appearance[inverse]
    offsets = np.zeros(len(first) + 1, dtype=np.int64)
    np.cumsum(np.bincount(query, minlength=len(first)), out=offsets[1:])
    return np.argsort(query, kind="stable"), offsets
