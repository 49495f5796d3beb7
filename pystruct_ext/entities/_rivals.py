"""How a pair compares with the other pairs of its two records in the whole tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

RIVALS = ("lead_left", "lead_right", "rank_left", "rank_right")
# Cells of similarities that are held at once.
_CELLS = 4_000_000


def rivals(
    a: sparse.csr_array,
    b: sparse.csr_array,
    i: NDArray[Any],
    j: NDArray[Any],
    one_table: bool = False,
    tell: Callable[[int], Any] | None = None,
) -> NDArray[np.float32]:
    """Columns `RIVALS` of the pairs (i[e], j[e]) of rows of a and b, of unit length.

    With s the similarity of a pair, ``lead_left`` is s minus the largest similarity of the
    left record to any other record of the right table, and ``rank_left`` is 1 / (1 + how many
    are more similar than the right record); the same from the right.

    Parameters
    ----------
    a, b : (n, V) and (m, V) csr_array
    i, j : (E,) int
    one_table : bool, default=False
        A record is no rival of itself.
    tell : callable, optional
        Told how many more pairs are done, each counted once from either side.
    """
    out = np.zeros((len(i), 4), dtype=np.float32)
    if not len(i):
        return out
    out[:, 0], out[:, 2] = _one_way(a, b, i, j, one_table, tell)
    out[:, 1], out[:, 3] = _one_way(b, a, j, i, one_table, tell)
    return out


def _one_way(
    a: sparse.csr_array, b: sparse.csr_array, i: Any, j: Any, one_table: bool, tell: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lead, rank = np.zeros(len(i)), np.zeros(len(i))
    order = np.argsort(i, kind="stable")
    rows, starts = np.unique(i[order], return_index=True)
    ends = np.append(starts[1:], len(order))
    step = max(1, _CELLS // max(b.shape[0], 1))
    columns = b.T.tocsr()
    for first in range(0, len(rows), step):
        chosen = rows[first : first + step]
        near = (a[chosen] @ columns).toarray()
        if one_table:
            near[np.arange(len(chosen)), chosen] = -1.0
        n = near.shape[1]
        for k in range(len(chosen)):
            pairs = order[starts[first + k] : ends[first + k]]
            row = near[k]
            s = row[j[pairs]]
            top = np.partition(row, n - 2)[n - 2 :] if n > 1 else np.array([0.0, *row])
            top = np.maximum(top, 0.0)
            # The best of the others: the second best for the best itself.
            lead[pairs] = s - np.where(s >= top[1], top[0], top[1])
            rank[pairs] = 1 / (1 + (row[None, :] > s[:, None] + 1e-9).sum(axis=1))
        if tell is not None:
            last = first + len(chosen) - 1
            tell(int(ends[last] - starts[first]))
    return lead, rank


__all__ = ["RIVALS", "rivals"]
