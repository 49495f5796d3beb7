"""Scores of diverse rankings: relevance of documents to the intents of an ambiguous query.

All take one query: ``relevance`` (n_documents, n_intents) of grades >= 0, and ``order``,
the documents ranked, best first. Intents to which no document at all is relevant do not
count, as in ndeval. ``probabilities`` of intents are uniform where not given (ndeval's
measures are uniform); they are renormalised over the intents that count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.losses import DiversityMetric
from pystruct_ext.utils.gains import gain_of


def _prepare(
    relevance: ArrayLike, order: ArrayLike, probabilities: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    grades = np.asarray(relevance, dtype=np.float64)
    if grades.ndim != 2:
        raise ValueError(
            f"relevance must have shape (documents, intents), got {grades.shape}"
        )
    if not np.isfinite(grades).all() or (grades < 0).any():
        d, i = np.argwhere(~(np.isfinite(grades) & (grades >= 0)))[0]
        raise ValueError(
            f"relevance of document {d} to intent {i} is {grades[d, i]:g}, expected a finite "
            "grade >= 0"
        )
    ranked = np.asarray(order)
    if ranked.ndim != 1 or (ranked.size and ranked.dtype.kind not in "iu"):
        raise ValueError(
            f"order must be a 1-D array of document indices, got {ranked.dtype} of shape "
            f"{ranked.shape}"
        )
    ranked = ranked.astype(np.intp)
    if ranked.size and (ranked.min() < 0 or ranked.max() >= len(grades)):
        raise ValueError(f"order names a document outside [0, {len(grades)})")
    if len(np.unique(ranked)) < len(ranked):
        raise ValueError("order names a document twice")
    live = (grades > 0).any(axis=0)
    if probabilities is None:
        p = np.ones(grades.shape[1])
    else:
        p = np.asarray(probabilities, dtype=np.float64)
        if p.shape != (grades.shape[1],) or not np.isfinite(p).all() or (p < 0).any():
            raise ValueError(
                f"probabilities must be {grades.shape[1]} finite numbers >= 0, one per intent"
            )
    p = p[live]
    return grades[:, live], ranked, p / p.sum() if p.sum() > 0 else p


def novelty_gains(
    relevant: NDArray[np.bool_], order: NDArray, alpha: float
) -> NDArray[np.float64]:
    """``(1 - alpha)^(relevant documents above)`` where relevant, (len(order), intents)."""
    ranked = relevant[order].astype(np.float64)
    before = np.cumsum(ranked, axis=0) - ranked
    return np.asarray(ranked * (1 - alpha) ** before)


def greedy_ideal(
    relevant: NDArray[np.bool_], weight: NDArray, alpha: float, k: int
) -> NDArray[np.intp]:
    """The ranking that takes the largest weighted novelty gain at each place.

    Finding the true ideal is NP-hard; the greedy one is what ndeval normalises by. Ties
    go to the last document, as in ndeval where documents are in the order of their names.
    """
    metric = DiversityMetric.of("alpha_ndcg", relevant, weight, k, alpha)
    return np.array(metric.greedy(k), dtype=np.intp)


def alpha_ndcg(
    relevance: ArrayLike,
    order: ArrayLike,
    k: int = 10,
    alpha: float = 0.5,
    probabilities: ArrayLike | None = None,
) -> float:
    """alpha-nDCG@k: discounted gain in which repeating an intent pays (1 - alpha) as much.

    Gain of a document at rank r: ``sum_i p_i [relevant to i] (1 - alpha)^(relevant above)``,
    discount ``1 / log2(r + 1)``, divided by that of the greedy ideal ranking; relevant is a
    grade > 0. With uniform p this is ndeval's ``alpha-nDCG@k``.

    Parameters
    ----------
    relevance : (n_documents, n_intents) array-like
        Grades >= 0.
    order : (m,) array-like of int
        Documents, best first.
    k : int, default=10
    alpha : float, default=0.5
    probabilities : (n_intents,) array-like, optional

    Returns
    -------
    float
        0 if no document is relevant.

    References
    ----------
    Clarke et al., SIGIR 2008.

    Examples
    --------
    >>> relevance = [[1, 0], [1, 0], [0, 1]]
    >>> round(alpha_ndcg(relevance, [0, 1, 2]), 4), alpha_ndcg(relevance, [0, 2, 1])
    (0.9652, 1.0)
    """
    grades, ranked, p = _prepare(relevance, order, probabilities)
    if p.size == 0:
        return 0.0
    metric = DiversityMetric.of("alpha_ndcg", grades, p, k, alpha)
    return metric.value(ranked) / metric.value(metric.greedy(k))


def err_ia(
    relevance: ArrayLike,
    order: ArrayLike,
    k: int = 10,
    probabilities: ArrayLike | None = None,
    max_grade: float | None = 1,
    normalise: str | None = "best",
) -> float:
    """Intent-aware expected reciprocal rank, ``sum_i p_i ERR_i@k``, normalised.

    ``ERR_i@k = sum_r 1/r R_ri prod_(s < r) (1 - R_si)``,
    ``R = (2^min(grade, max_grade) - 1) / 2^max_grade``. With ``max_grade=1`` (relevant or
    not, R = 1/2) and uniform p this is ndeval's ``ERR-IA@k``, and ``nERR-IA@k`` with
    ``normalise="ideal"``.

    Parameters
    ----------
    relevance, order, k, probabilities
        See `alpha_ndcg`.
    max_grade : float or None, default=1
        Largest grade; None takes the largest seen in relevance.
    normalise : {"best", "ideal", None}, default="best"
        Divide by the value of k documents that all have the largest grade for every intent
        ("best", the same number for all queries), by that of the greedy ideal ranking of the
        query ("ideal", needs ``max_grade=1``), or not.

    References
    ----------
    Chapelle et al., Information Retrieval 2011.
    """
    if normalise not in ("best", "ideal", None):
        raise ValueError(
            f"normalise must be 'best', 'ideal' or None, got {normalise!r}"
        )
    grades, ranked, p = _prepare(relevance, order, probabilities)
    if p.size == 0 or len(ranked) == 0:
        return 0.0
    top = float(grades.max()) if max_grade is None else float(max_grade)
    stop = (np.exp2(np.minimum(grades, top)) - 1) / np.exp2(top)
    metric = DiversityMetric.of_stops(stop, p, k)
    if normalise is None:
        return metric.value(ranked)
    if normalise == "ideal":
        if top != 1:
            raise ValueError(
                "normalise='ideal' needs max_grade=1, relevant or not: the greedy ideal is "
                "that of ndeval"
            )
        return metric.value(ranked) / metric.value(metric.greedy(k))
    most, r = (np.exp2(top) - 1) / np.exp2(top), np.arange(k)
    return metric.value(ranked) / float((most * (1 - most) ** r / (r + 1)).sum())


def ndcg_ia(
    relevance: ArrayLike,
    order: ArrayLike,
    k: int = 10,
    probabilities: ArrayLike | None = None,
    gain: str = "exponential",
) -> float:
    """Intent-aware NDCG, ``sum_i p_i NDCG_i@k`` (Agrawal et al., WSDM 2009).

    Each intent has its own ideal ranking, so that 1 can usually not be reached.

    Parameters
    ----------
    relevance, order, k, probabilities
        See `alpha_ndcg`.
    gain : {"exponential", "linear"}, default="exponential"
    """
    grades, ranked, p = _prepare(relevance, order, probabilities)
    if p.size == 0:
        return 0.0
    return DiversityMetric.of_gains(gain_of(grades, gain), p, k).value(ranked)


def nrbp(
    relevance: ArrayLike,
    order: ArrayLike,
    alpha: float = 0.5,
    beta: float = 0.5,
    probabilities: ArrayLike | None = None,
) -> float:
    """Novelty- and rank-biased precision over the whole list.

    ``(1 - (1 - alpha) beta) sum_r beta^(r - 1) sum_i p_i [relevant] (1 - alpha)^(above)``;
    uniform p gives ndeval's ``NRBP``.

    References
    ----------
    Clarke, Kolla and Vechtomova, ICTIR 2009.
    """
    grades, ranked, p = _prepare(relevance, order, probabilities)
    if p.size == 0:
        return 0.0
    metric = DiversityMetric.of("alpha_ndcg", grades, p, len(ranked), alpha)
    gains = metric.gains(ranked)
    return float((1 - (1 - alpha) * beta) * (gains @ beta ** np.arange(len(gains))))


def subtopic_recall(relevance: ArrayLike, order: ArrayLike, k: int = 10) -> float:
    """Share of the intents that have a relevant document among the first k.

    ndeval's ``strec@k`` (Zhai, Cohen and Lafferty, SIGIR 2003). Not the subtopic *loss* of
    SVM-div, which is its complement.
    """
    grades, ranked, _ = _prepare(relevance, order, None)
    if grades.shape[1] == 0:
        return 0.0
    return float((grades[ranked[:k]] > 0).any(axis=0).mean())


def intent_satisfaction(
    relevance: ArrayLike,
    order: ArrayLike,
    k: int = 10,
    probabilities: ArrayLike | None = None,
    min_grade: float = 1,
) -> float:
    """Probability that a user finds a document of grade >= min_grade among the first k.

    The probability mass of the intents served; all given intents count, also those that no
    document serves, whose users stay unsatisfied.

    Parameters
    ----------
    relevance, order, k, probabilities
        See `alpha_ndcg`.
    min_grade : float, default=1
    """
    return float(
        satisfied_mass(relevance, order, probabilities, min_grade)[:k].max(initial=0.0)
    )


def satisfied_mass(
    relevance: ArrayLike,
    order: ArrayLike,
    probabilities: ArrayLike | None = None,
    min_grade: float = 1,
) -> NDArray[np.float64]:
    """`intent_satisfaction` at every depth, (len(order),)."""
    grades = np.asarray(relevance, dtype=np.float64)
    _, ranked, _ = _prepare(relevance, order, probabilities)
    n = grades.shape[1]
    p = np.full(n, 1 / n) if probabilities is None else np.asarray(probabilities)
    served = grades >= min_grade
    metric = DiversityMetric.of("intents", served, p / p.sum(), len(ranked))
    return np.cumsum(metric.gains(ranked))
