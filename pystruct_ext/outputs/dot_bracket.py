"""Folds of RNA in dot-bracket notation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_OPEN = "([{<ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLOSE = ")]}>abcdefghijklmnopqrstuvwxyz"
_PAIRS = dict(zip(_CLOSE, _OPEN, strict=True))


def pairs_of(fold: str, where: str) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of a dot-bracket string, by i.

    "." and ":" are free bases; besides "()", the brackets "[]", "{}", "<>" and "Aa" ...
    "Zz" mark pairs that may cross (pseudoknots).

    Raises
    ------
    ValueError
        Beginning with `where`, for brackets that do not balance or other characters.

    Examples
    --------
    >>> pairs_of("((..))", "y")
    [(0, 5), (1, 4)]
    """
    stacks: dict[str, list[int]] = {}
    found: list[tuple[int, int]] = []
    for t, c in enumerate(fold):
        if c in ".:-_,":
            continue
        if c in _PAIRS:
            stack = stacks.get(_PAIRS[c])
            if not stack:
                raise ValueError(
                    f"{where}: {c!r} at position {t + 1} closes no bracket"
                )
            found.append((stack.pop(), t))
        elif c in _OPEN:
            stacks.setdefault(c, []).append(t)
        else:
            raise ValueError(
                f"{where}: has {c!r} at position {t + 1}, expected dot-bracket notation"
            )
    for c, stack in stacks.items():
        if stack:
            raise ValueError(
                f"{where}: {c!r} at position {stack[-1] + 1} is never closed"
            )
    return sorted(found)


def crossing_pairs(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs of bases (i, j), (k, l) with i < k < j < l: the pairs that cross another."""
    if len(nested_levels(pairs, 2)[0]) == len(pairs):
        return []
    ordered = np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 2)
    first, last = ordered.T
    # (i, j) crosses a pair that starts within it and ends after it, or the other way round.
    beyond = _largest_within(first, last, first, last) > last
    order = np.argsort(last, kind="stable")
    before = -_largest_within(last[order], -first[order], first, last) < first
    return [(int(i), int(j)) for i, j in ordered[beyond | before]]


def _largest_within(
    keys: NDArray[np.int64],
    values: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Largest value whose key, of sorted ones, is in (low, high); -2^62 where none is."""
    a = np.searchsorted(keys, low, side="right")
    b = np.searchsorted(keys, high, side="left")
    out = np.full(len(low), -(1 << 62), dtype=np.int64)
    # Maxima of runs of 1, 2, 4 ... values: two of them, which overlap, cover any run.
    runs, width = values, 1
    while len(runs):
        at = np.flatnonzero((b - a >= width) & (b - a < 2 * width))
        out[at] = np.maximum(runs[a[at]], runs[b[at] - width])
        runs = np.maximum(runs[: max(len(runs) - width, 0)], runs[width:])
        width *= 2
    return out


def nested_levels(
    pairs: Sequence[tuple[int, int]], most: int
) -> list[list[tuple[int, int]]]:
    """Pairs shared out to levels within which none cross, the first level first.

    Parameters
    ----------
    pairs : sequence of (int, int)
    most : int
        Number of levels; what fits none of them is left out.
    """
    levels: list[list[tuple[int, int]]] = []
    rest = sorted(pairs)
    while rest and len(levels) < most:
        taken: list[tuple[int, int]] = []
        later: list[tuple[int, int]] = []
        open_ends: list[int] = []  # of taken pairs, which are nested
        for i, j in rest:
            while open_ends and open_ends[-1] <= i:
                open_ends.pop()
            if open_ends and open_ends[-1] < j:
                later.append((i, j))
            else:
                taken.append((i, j))
                open_ends.append(j)
        levels.append(taken)
        rest = later
    return levels or [[]]


def dot_bracket(partner: Sequence[int]) -> str:
    """A nested fold as dot-bracket: partner[i] is -1 where base i is free.

    Examples
    --------
    >>> dot_bracket([5, 4, -1, -1, 1, 0])
    '((..))'
    """
    return "".join(
        "." if j < 0 else "(" if j > i else ")" for i, j in enumerate(partner)
    )


__all__ = ["crossing_pairs", "dot_bracket", "nested_levels", "pairs_of"]
