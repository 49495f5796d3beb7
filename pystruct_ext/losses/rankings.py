"""Losses of a ranking of a judged query, by their textbook definitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.utils.gains import discounts, gain_of


def pair_weights(
    grade: ArrayLike, weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    """``B[i, j]``: the weight of i, by default 1, where i is more relevant than j, else 0.

    Parameters
    ----------
    grade : (k,) array-like
    weight : (k,) array-like, optional

    Returns
    -------
    (k, k) float64
    """
    g = np.asarray(grade, dtype=np.float64)
    own = np.ones(len(g)) if weight is None else np.asarray(weight, dtype=np.float64)
    return np.asarray(own[:, None] * (g[:, None] > g[None, :]))


def swapped_pairs(grade: ArrayLike, order: Sequence[int]) -> NDArray[np.bool_]:
    """``S[i, j]``: i is more relevant than j, but stands below it; (k, k) bool."""
    g = np.asarray(grade, dtype=np.float64)
    place = np.empty(len(g), dtype=np.intp)
    place[np.asarray(order, dtype=np.intp)] = np.arange(len(g))
    return np.asarray((g[:, None] > g[None, :]) & (place[:, None] > place[None, :]))


def ranking_loss(
    name: str,
    grade: ArrayLike,
    order: Sequence[int],
    top: int | None = None,
    gain: str = "exponential",
) -> float:
    """One minus average precision, reciprocal rank, NDCG or precision of one ranking.

    Parameters
    ----------
    name : {"map", "mrr", "ndcg", "precision"}
        All but "ndcg" take a grade > 0 as relevant.
    grade : (k,) array-like
    order : (k,) sequence of int
        Documents, best first.
    top : int or None
        Truncation of "ndcg" and "precision".
    gain : {"exponential", "linear"}
        Of "ndcg".

    Raises
    ------
    ValueError
        If nothing is relevant, or the name is unknown.

    Examples
    --------
    >>> ranking_loss("mrr", [0, 1, 0], [0, 1, 2])
    0.5
    """
    g = np.asarray(grade, dtype=np.float64)
    if not (g > 0).any():
        raise ValueError("no document is relevant (grade > 0)")
    ranked = g[np.asarray(order, dtype=np.intp)]
    places = np.flatnonzero(ranked > 0) + 1
    if name == "map":
        return float(1 - np.mean(np.arange(1, len(places) + 1) / places))
    if name == "mrr":
        return float(1 - 1 / places[0])
    depth = len(g) if top is None else min(int(top), len(g))
    if name == "precision":
        best = min(len(places), depth)
        return float(1 - np.count_nonzero(places <= depth) / best)
    if name != "ndcg":
        raise ValueError(f"loss must be map, mrr, ndcg or precision, got {name!r}")
    discount = discounts(depth)
    ideal = gain_of(np.sort(g)[::-1][:depth], gain) @ discount
    return max(0.0, float(1 - gain_of(ranked[:depth], gain) @ discount / ideal))


__all__ = ["pair_weights", "ranking_loss", "swapped_pairs"]
