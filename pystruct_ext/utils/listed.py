"""Many messages as one."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 10


def listed(messages: Sequence[str]) -> str:
    """The first ten, and how many more there are.

    Examples
    --------
    >>> listed(["a is bad", "b is, too"])
    'a is bad; b is, too'
    """
    more = len(messages) - _SHOWN
    return "; ".join(messages[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


__all__ = ["listed"]
