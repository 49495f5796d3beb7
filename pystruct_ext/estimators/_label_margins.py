"""How much better the best set with a label is than the best one without it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.spaces import MultilabelSpace

_FORBIDDEN = -1e30


def label_margins(
    space: MultilabelSpace, w: NDArray[np.floating], rows: Any, scores: NDArray
) -> NDArray[np.float64]:
    """Margins of labels, (n, K), of rows whose labels score (n, K) on their own.

    Of a label that all sets have, or none, the score.
    """
    if space.search_ == "independent":
        if not space.never_empty_ and space.max_labels_ == scores.shape[1]:
            return scores
        return _limited(scores, int(space.never_empty_), space.max_labels_)
    packed = space.pack(rows)
    oracle = space.bind(packed)
    out = np.empty(scores.shape)
    n, k = scores.shape
    w = np.ascontiguousarray(w)
    for i in range(n):
        best = oracle.argmax(w, i, 0.0)
        top = oracle.score(w, i, best, check=False)
        for j in range(k):
            mask = np.zeros((k, 2), dtype=oracle.dtype)
            mask[j, best[j]] = _FORBIDDEN
            try:
                other = oracle.argmax(w, i, 0.0, scores=mask)
            except ValueError:  # all sets have it, or none
                out[i, j] = scores[i, j]
                continue
            less = top - oracle.score(w, i, other, check=False)
            out[i, j] = less if best[j] else -less
    return out


def _limited(scores: NDArray, low: int, high: int) -> NDArray[np.float64]:
    """Of independent labels in sets of `low` (0 or 1) to `high` labels."""
    n, k = scores.shape
    if k == 1:
        return scores
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    gain = np.maximum(ranked, 0)
    total = np.cumsum(gain, axis=1)
    # The best set of the other labels, of up to `most` of them: the top ones without one.
    place = np.arange(k)

    def others(most: int, least: int) -> NDArray[np.float64]:
        if most == 0:
            return np.zeros((n, k))
        among = place < most
        value = np.where(
            among,
            total[:, [min(most, k - 1)]] - gain,
            total[:, [most - 1]],
        )
        if least:
            first = np.where(place == 0, ranked[:, [1]], ranked[:, [0]])
            value = np.where(first < 0, first, value)
        return value

    margin = ranked + others(high - 1, 0) - others(high, low)
    out = np.empty_like(margin)
    np.put_along_axis(out, order, margin, axis=1)
    return out


__all__ = ["label_margins"]
