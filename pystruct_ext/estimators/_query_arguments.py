"""What `RankingSVM` is given beside the documents: queries, weights, repetitions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.estimators._arguments import check_weights
from pystruct_ext.estimators.auto_c import check_groups
from pystruct_ext.utils.examples import as_examples
from pystruct_ext.utils.queries import qid_of_group
from pystruct_ext.utils.weights import real_numbers

# Documents of a single query, repetitions counted.
_MOST_REPEATED = 10_000_000


def qid_of(qid: ArrayLike | None, group: ArrayLike | None, n: int) -> Any:
    """Query ids, given as such or by sizes."""
    if group is None:
        return qid
    if qid is not None:
        raise ValueError("qid and group say the same thing twice; pass one of them")
    return qid_of_group(group, n)


def check_present(y: Any) -> None:
    """Refuse NaN among numbers, naming the document."""
    values = np.asarray(y)
    if values.dtype.kind == "f" and values.ndim == 1 and np.isnan(values).any():
        at = int(np.flatnonzero(np.isnan(values))[0])
        raise ValueError(f"Input y contains NaN: the relevance of document {at}")


def per_query(
    weight: ArrayLike | None, order: NDArray, offsets: NDArray
) -> NDArray[np.float64] | None:
    """Weights of queries, given one a query or one a document."""
    if weight is None:
        return None
    given = real_numbers(as_examples(weight, "sample_weight"), "sample_weight")
    n_queries, n = len(offsets) - 1, len(order)
    if given.ndim == 1 and len(given) == n and n != n_queries:
        checked = check_weights(given, n)
        flat = checked[order]  # type: ignore[index]
        first = np.repeat(flat[offsets[:-1]], np.diff(offsets))
        bad = np.flatnonzero(first != flat)
        if bad.size:
            q = int(np.searchsorted(offsets, bad[0], side="right")) - 1
            raise ValueError(
                f"sample_weight differs within the {q}-th query; expected one weight per "
                "query (weights of single documents are document_weight, and queries are named "
                "by the keyword qid)"
            )
        return np.asarray(flat[offsets[:-1]])
    if given.shape != (n_queries,):
        raise ValueError(
            f"sample_weight has shape {given.shape}, expected ({n_queries},), one per query, "
            f"or ({n},), one per document and constant within a query"
        )
    return check_weights(given, n_queries)


def groups_of_queries(
    groups: Any, order: NDArray, offsets: NDArray
) -> NDArray[np.int64] | None:
    """Groups of queries as numbers, given one a query or one a document."""
    if groups is None:
        return None
    n_queries, n = len(offsets) - 1, len(order)
    size = len(groups) if hasattr(groups, "__len__") else -1
    if size != n or n == n_queries:
        if size != n_queries:
            raise ValueError(
                f"groups has {size} entries, expected {n_queries}, one per query, or {n}, one "
                "per document and constant within a query"
            )
        return check_groups(groups, n_queries)
    flat = check_groups(groups, n)[order]  # type: ignore[index]
    first = np.repeat(flat[offsets[:-1]], np.diff(offsets))
    bad = np.flatnonzero(first != flat)
    if bad.size:
        q = int(np.searchsorted(offsets, bad[0], side="right")) - 1
        raise ValueError(f"groups differs within the {q}-th query")
    return np.asarray(flat[offsets[:-1]])


def repetitions(weight: ArrayLike | None, n: int) -> NDArray[np.intp] | None:
    """Rows of a single query as often as their weights say; None without such weights.

    There is only one query to weigh, so that weights which differ are of its documents.
    """
    if weight is None:
        return None
    given = np.asarray(as_examples(weight, "sample_weight"))
    if given.shape != (n,):
        return None  # of the one query, or an error that names both possibilities
    checked = check_weights(weight, n)
    if checked is None or (checked == checked[0]).all():
        return None
    runs = np.diff(np.flatnonzero(np.r_[True, np.diff(checked) != 0, True]))
    # What was meant as qid, and given in its place: each number in one run.
    ids = len(runs) == len(np.unique(checked)) and (len(runs) > 2 or runs.min() > 1)
    if ids or (checked % 1 != 0).any() or checked.sum() > _MOST_REPEATED:
        raise ValueError(
            "sample_weight differs within the 0-th query; expected one weight per query, or, "
            "without qid, whole numbers that say how often each document is there (weights of "
            "single documents are document_weight, and queries are named by the keyword qid)"
        )
    return np.repeat(np.arange(n), checked.astype(np.int64))


def packed_rows(X: Any, lengths: NDArray, dtype: np.dtype[Any]) -> PackedRows:
    """Documents, in the order of their queries, as examples of so many rows each."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if hasattr(X, "indptr"):
        return PackedRows(
            offsets,
            X.indptr.astype(np.int64),
            X.indices.astype(np.int32),
            X.data.astype(dtype),
            int(X.shape[1]),
        )
    return PackedRows(
        offsets,
        None,
        None,
        np.ascontiguousarray(X, dtype=dtype).reshape(-1),
        int(X.shape[1]),
    )


__all__ = [
    "check_present",
    "groups_of_queries",
    "packed_rows",
    "per_query",
    "qid_of",
    "repetitions",
]
