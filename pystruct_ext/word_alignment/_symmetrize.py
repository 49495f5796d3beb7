"""From the alignments of two directions to one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

HEURISTICS = (
    "intersection",
    "union",
    "grow-diag",
    "grow-diag-final",
    "grow-diag-final-and",
)
_NEIGHBOURS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def symmetrize(
    forward: ArrayLike, backward: ArrayLike, heuristic: str = "grow-diag-final-and"
) -> NDArray[np.bool_]:
    """Combine the links of two directions (Och and Ney 2003; Koehn et al. 2005).

    Parameters
    ----------
    forward, backward : (n, m) arrays of bool
        Links found by generating columns from rows, and rows from columns.
    heuristic : str, default="grow-diag-final-and"
        "intersection"; "union"; "grow-diag": from the intersection, links of the union are
        added that touch one that is there, also at a corner, while one of their two words
        is free; "grow-diag-final" adds links of either direction where one of the words is
        still free, "grow-diag-final-and" only where both are.

    Returns
    -------
    (n, m) ndarray of bool

    Examples
    --------
    >>> import numpy as np
    >>> f = np.array([[1, 1, 0], [0, 0, 0]])
    >>> b = np.array([[1, 0, 0], [0, 0, 1]])
    >>> symmetrize(f, b, "grow-diag").astype(int)
    array([[1, 1, 0],
           [0, 0, 1]])
    """
    if heuristic not in HEURISTICS:
        raise ValueError(
            f"heuristic must be one of {', '.join(HEURISTICS)}, got {heuristic!r}"
        )
    f: NDArray[np.bool_] = np.asarray(forward, dtype=bool)
    b: NDArray[np.bool_] = np.asarray(backward, dtype=bool)
    if f.ndim != 2 or f.shape != b.shape:
        raise ValueError(
            f"forward and backward have the shapes {f.shape} and {b.shape}, expected two "
            "equal ones of two dimensions"
        )
    union: NDArray[np.bool_] = f | b
    links: NDArray[np.bool_] = f & b
    if heuristic == "union":
        return union
    if heuristic == "intersection":
        return links
    _grow(links, union)
    if heuristic != "grow-diag":
        for more in (f, b):
            for i, j in np.argwhere(more):
                row, column = links[i].any(), links[:, j].any()
                if not (row or column) or (
                    heuristic == "grow-diag-final" and not (row and column)
                ):
                    links[i, j] = True
    return links


def _grow(links: NDArray[np.bool_], union: NDArray[np.bool_]) -> None:
    n, m = links.shape
    # Links are visited in the order in which they come: all that are there, then the new.
    queue = [(int(i), int(j)) for i, j in np.argwhere(links)]
    row: NDArray[np.bool_] = np.any(links, axis=1)
    column: NDArray[np.bool_] = np.any(links, axis=0)
    while queue:
        grown = []
        for i, j in queue:
            for di, dj in _NEIGHBOURS:
                p, q = i + di, j + dj
                if not (0 <= p < n and 0 <= q < m) or links[p, q] or not union[p, q]:
                    continue
                if not (row[p] and column[q]):
                    links[p, q] = row[p] = column[q] = True
                    grown.append((p, q))
        queue = grown
