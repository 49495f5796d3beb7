"""A progress bar over long compiled work, for those who ask for one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Display = Callable[[int, int], None]

_display: ContextVar[Display | None] = ContextVar("display", default=None)


def report_progress(done: int, total: int) -> None:
    """Tell whoever shows progress, if anybody, that so many of `total` are done."""
    display = _display.get()
    if display is not None:
        display(done, total)


@contextmanager
def shown_progress(name: str, unit: str, delay: float = 1.0) -> Iterator[None]:
    """Show what is reported inside as a bar on stderr, if it takes long and tqdm is there.

    Parameters
    ----------
    name, unit : str
        Of the work, and of what is counted.
    delay : float, default=1.0
        Seconds before the bar appears.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        yield
        return
    with tqdm(desc=name, unit=unit, delay=delay, leave=False, file=sys.stderr) as bar:

        def display(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        token = _display.set(display)
        try:
            yield
        finally:
            _display.reset(token)


__all__ = ["report_progress", "shown_progress"]
