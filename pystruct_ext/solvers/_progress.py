"""Progress on stderr: tqdm where installed, plain lines otherwise."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import Any

from pystruct_ext.solvers.result import relative


class _Silent:
    """No output."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start_epoch(self, epoch: int, gap: float, primal: float) -> None:
        """Announce an epoch and the last certified gap."""

    def update(self, done: int) -> None:
        """Count blocks done."""

    def close(self) -> None:
        """End the display."""


def _describe(name: str, epoch: int, gap: float, primal: float) -> str:
    text = f"{name} epoch {epoch}"
    if math.isfinite(gap):
        text += f", gap {100 * relative(gap, primal):.2f} %"
    return text


class _Tqdm(_Silent):
    """One bar that refills every epoch; the description carries the certified gap."""

    def __init__(self, name: str, n: int, tqdm: Any) -> None:
        self.name = name
        self.bar = tqdm(total=n, unit="block", file=sys.stderr, leave=True)

    def start_epoch(self, epoch: int, gap: float, primal: float) -> None:
        self.bar.n = 0
        self.bar.set_description(
            _describe(self.name, epoch, gap, primal), refresh=False
        )

    def update(self, done: int) -> None:
        self.bar.update(done)

    def close(self) -> None:
        self.bar.close()


class _Lines(_Silent):
    """At most one line per two seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = time.monotonic()

    def start_epoch(self, epoch: int, gap: float, primal: float) -> None:
        now = time.monotonic()
        if now - self.last >= 2.0:
            self.last = now
            sys.stderr.write(_describe(self.name, epoch, gap, primal) + "\n")
            sys.stderr.flush()


def progress_bar(verbose: int, name: str, n: int) -> _Silent:
    """A progress display: silent for ``verbose=0``; use as a context manager."""
    if not verbose:
        return _Silent()
    try:
        from tqdm import tqdm
    except ImportError:
        return _Lines(name)
    return _Tqdm(name, n, tqdm)
