"""Where a warning should point: at the line of the user, however deep it arises."""

from __future__ import annotations

import sys


def user_stacklevel() -> int:
    """The ``stacklevel`` that makes `warnings.warn` point outside this package.

    Call it in the function that warns. The level is that of the innermost caller whose
    module is not part of the package, or of the outermost one if there is none.

    Returns
    -------
    int

    Examples
    --------
    >>> user_stacklevel() >= 1
    True
    """
    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None and _ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    return level


def _ours(module: str) -> bool:
    return module == "pystruct_ext" or module.startswith("pystruct_ext.")


__all__ = ["user_stacklevel"]
