"""Scores of rankings by graded relevance, averaged over queries.

All take ``(y, scores, qid)`` flat over documents, in any order. Documents are ranked by
decreasing score; equal scores keep the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.utils.gains import discounts, gain_of
from pystruct_ext.utils.queries import check_relevance, group_queries


def _mean(
    of: Callable[[NDArray[np.float64]], float],
    y: ArrayLike,
    scores: ArrayLike,
    qid: ArrayLike | None,
    average: bool,
) -> float | NDArray[np.float64]:
    relevance = check_relevance(y)
    values = np.asarray(scores, dtype=np.float64)
    if relevance.ndim != 1 or values.shape != relevance.shape:
        raise ValueError(
            f"y and scores must be 1-D of one length, got shapes {relevance.shape} and "
            f"{values.shape}"
        )
    bad = np.flatnonzero(np.isnan(values))
    if bad.size:
        raise ValueError(f"scores: the score of document {int(bad[0])} is NaN")
    if len(relevance) == 0:
        raise ValueError("y holds no documents")
    order, offsets = group_queries(qid, len(relevance))
    out = np.empty(len(offsets) - 1)
    for q, (b, e) in enumerate(pairwise(offsets)):
        rows = order[b:e]
        out[q] = of(relevance[rows[np.argsort(-values[rows], kind="stable")]])
    return float(out.mean()) if average else out


def _check_k(k: int | None) -> None:
    if k is not None and (not isinstance(k, (int, np.integer)) or k < 1):
        raise ValueError(f"k must be None or an int >= 1, got {k!r}")


def ndcg(
    y: ArrayLike,
    scores: ArrayLike,
    qid: ArrayLike | None = None,
    k: int | None = 10,
    gain: str = "exponential",
    average: bool = True,
) -> float | NDArray[np.float64]:
    """Normalised discounted cumulative gain, ``DCG@k / ideal DCG@k``.

    ``DCG@k = sum_(r <= k) gain(y_r) / log2(r + 1)``; the ideal is over all documents of
    the query. A query without a relevant document counts 0, as in trec_eval.

    Parameters
    ----------
    y : (n,) array-like
        Relevance >= 0.
    scores : (n,) array-like
        Larger is better.
    qid : (n,) array-like, optional
        None means a single query.
    k : int or None, default=10
        Depth; None is the whole list.
    gain : {"exponential", "linear"}, default="exponential"
        ``2^y - 1`` (LETOR) or ``y`` (trec_eval's ``ndcg_cut``).
    average : bool, default=True
        Mean over queries; otherwise one value per query, in order of first appearance.

    Returns
    -------
    float or (n_queries,) ndarray

    References
    ----------
    Jarvelin and Kekalainen, TOIS 2002. Burges et al., ICML 2005 (exponential gain).

    Examples
    --------
    >>> round(ndcg([0, 1, 2], [3, 2, 1]), 4)
    0.5869
    """
    _check_k(k)

    def one(relevance: NDArray[np.float64]) -> float:
        gains = gain_of(relevance, gain)
        discount = discounts(len(gains))[:k]
        ideal = np.sort(gains)[::-1][:k] @ discount
        return float(gains[:k] @ discount / ideal) if ideal > 0 else 0.0

    return _mean(one, y, scores, qid, average)


def mean_average_precision(
    y: ArrayLike,
    scores: ArrayLike,
    qid: ArrayLike | None = None,
    average: bool = True,
) -> float | NDArray[np.float64]:
    """Mean over queries of the average precision; relevant is y > 0.

    ``AP = 1/R sum over relevant documents of precision at their rank``, over the whole
    list, R the number of relevant ones; 0 for a query without. trec_eval's ``map``.

    See `ndcg` for the parameters.
    """

    def one(relevance: NDArray[np.float64]) -> float:
        at = np.flatnonzero(relevance > 0)
        return float(np.mean(np.arange(1, len(at) + 1) / (at + 1))) if at.size else 0.0

    return _mean(one, y, scores, qid, average)


def mean_reciprocal_rank(
    y: ArrayLike,
    scores: ArrayLike,
    qid: ArrayLike | None = None,
    average: bool = True,
) -> float | NDArray[np.float64]:
    """Mean over queries of 1 / rank of the first document with y > 0 (0 without one).

    See `ndcg` for the parameters. trec_eval's ``recip_rank``.
    """

    def one(relevance: NDArray[np.float64]) -> float:
        at = np.flatnonzero(relevance > 0)
        return 1.0 / (int(at[0]) + 1) if at.size else 0.0

    return _mean(one, y, scores, qid, average)


def precision_at(
    y: ArrayLike,
    scores: ArrayLike,
    qid: ArrayLike | None = None,
    k: int = 10,
    average: bool = True,
) -> float | NDArray[np.float64]:
    """Share of documents with y > 0 among the first k places, short lists filled up with 0.

    See `ndcg` for the parameters. trec_eval's ``P_k``.
    """
    _check_k(k)
    return _mean(
        lambda r: float(np.count_nonzero(r[:k] > 0) / k), y, scores, qid, average
    )


def err(
    y: ArrayLike,
    scores: ArrayLike,
    qid: ArrayLike | None = None,
    k: int | None = 10,
    max_grade: float | None = None,
    average: bool = True,
) -> float | NDArray[np.float64]:
    """Expected reciprocal rank (Chapelle, Metzler, Zhang and Grinspan, CIKM 2009).

    ``ERR@k = sum_r 1/r R_r prod_(s < r) (1 - R_s)`` with
    ``R = (2^y - 1) / 2^max_grade``, not normalised.

    Parameters
    ----------
    y, scores, qid, k, average
        See `ndcg`.
    max_grade : float, optional
        Largest grade of the scale; by default the largest in y.
    """
    _check_k(k)
    top = float(np.max(check_relevance(y))) if max_grade is None else float(max_grade)

    def one(relevance: NDArray[np.float64]) -> float:
        stop = (np.exp2(relevance[:k]) - 1) / np.exp2(top)
        reach = np.concatenate([[1.0], np.cumprod(1 - stop)[:-1]])
        return float((stop * reach / np.arange(1, len(stop) + 1)).sum())

    return _mean(one, y, scores, qid, average)
