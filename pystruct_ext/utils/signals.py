"""How the command line answers SIGINT, SIGTERM and SIGHUP.

Importing this module installs the answers if this process is the command line, and does
nothing otherwise. It stands before all other imports of the package, and imports little
itself, so that Ctrl-C while NumPy and scikit-learn are imported is answered, too.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

PROGRAM = "pystruct-ext"
SIGINT = signal.SIGINT
NUMBERS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
)
# Seconds after which a signal is answered by the watching thread.
_PATIENCE = 0.2

# What is done before the process ends by a signal: temporary files are removed.
cleanups: list[Callable[[], None]] = []


class _State:
    """Which answer is in force, and what has come so far."""

    # "quit": clean up and end the process. "raise": KeyboardInterrupt, for a solver that
    # then keeps its best model. "finish": remember it; the second one quits.
    policy = "quit"
    first: int | None = None
    answered = 0
    deferred = 0


def received() -> int | None:
    """The first signal that came and did not end the process, or None."""
    return _State.first


@contextmanager
def answer_by(policy: str) -> Iterator[None]:
    """Answer signals in another way for a while.

    Parameters
    ----------
    policy : {"quit", "raise", "finish"}
        "raise" raises KeyboardInterrupt in the main thread; "finish" goes on to the end,
        and a second signal quits.
    """
    before = _State.policy
    _State.policy, _State.deferred = policy, 0
    try:
        yield
    finally:
        _State.policy = before


def quit_by(number: int) -> None:
    """End the process now, with exit code 128 + number, without temporary files."""
    for clean in cleanups:
        # Nothing may stop the end.
        with suppress(Exception):
            clean()
    try:
        line = f"{PROGRAM}: error: interrupted ({signal.Signals(number).name})\n"
        # Behind the bar of a display, or the ^C, on a line of its own.
        os.write(2, ("\n" + line if os.isatty(2) else line).encode())
    finally:
        os._exit(128 + number)


def _answer(number: int, frame: Any) -> None:
    """What Python calls in the main thread, between two of its instructions."""
    _State.answered += 1
    if _State.policy == "quit" or (_State.policy == "finish" and _State.deferred):
        quit_by(number)
    _State.first = _State.first or number
    _State.deferred += 1
    if _State.policy == "raise":
        raise KeyboardInterrupt


def _watch(fd: int) -> None:
    """Answer where the main thread cannot: it is in a long call of compiled code."""
    came = 0
    while True:
        number = os.read(fd, 1)[0]
        if number not in NUMBERS:
            continue
        came += 1
        until = time.monotonic() + _PATIENCE
        while _State.answered < came and time.monotonic() < until:
            time.sleep(0.01)
        # All the while the main thread was in one call, so that the policy is as it was.
        waiting = came - _State.answered
        if waiting > (0 if _State.policy == "quit" else 2):
            quit_by(number)


def install() -> None:
    """Answer signals from now on: in the main thread, or, where that is busy, in another."""
    import threading

    for number in NUMBERS:
        # A shell starts background jobs with SIGINT ignored: it is answered all the same.
        # But nohup means that SIGHUP is ignored.
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _answer)
    to_read, to_write = os.pipe()
    os.set_blocking(to_write, False)
    signal.set_wakeup_fd(to_write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(to_read,), daemon=True).start()


def is_command_line(argv: list[str], orig_argv: list[str]) -> bool:
    """Whether a process with these arguments runs the command line.

    Parameters
    ----------
    argv, orig_argv : list of str
        As of `sys`; while ``python -m`` looks for its module ``argv[0]`` is "-m".

    Examples
    --------
    >>> is_command_line(["-m", "--version"], ["python", "-m", "pystruct_ext", "--version"])
    True
    >>> is_command_line(["/usr/bin/pystruct-ext"], ["python", "/usr/bin/pystruct-ext"])
    True
    >>> is_command_line(["-m"], ["python", "-m", "pytest"])
    False
    """
    if not argv:
        return False
    if argv[0] == "-m":
        module = orig_argv[-len(argv)] if len(orig_argv) >= len(argv) else ""
        return module.removeprefix("-m") in ("pystruct_ext", "pystruct_ext.cli.main")
    return os.path.basename(argv[0]) == PROGRAM


if os.name == "posix" and is_command_line(sys.argv, sys.orig_argv):
    install()

__all__ = [
    "NUMBERS",
    "SIGINT",
    "answer_by",
    "cleanups",
    "install",
    "is_command_line",
    "quit_by",
    "received",
]
