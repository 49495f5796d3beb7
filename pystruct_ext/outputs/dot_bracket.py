"""Folds of RNA in dot-bracket notation."""

from __future__ import annotations

from collections.abc import Sequence

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
    crossing = set()
    open_pairs: list[tuple[int, int]] = []
    for i, j in sorted(pairs):
        open_pairs = [p for p in open_pairs if p[1] > i]
        for p in open_pairs:
            if p[1] < j:
                crossing.update([p, (i, j)])
        open_pairs.append((i, j))
    return sorted(crossing)


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


__all__ = ["crossing_pairs", "dot_bracket", "pairs_of"]
