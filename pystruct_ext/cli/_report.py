"""Stage timings on stderr, what a fit reached, errors on one line."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pystruct_ext.structures import Structure
from pystruct_ext.utils.files import check_writable
from pystruct_ext.utils.messages import shorten
from pystruct_ext.utils.progress import shown_progress

# Characters of a message; of a word in it there are at most 200.
LONGEST = 500


def one_line(error: BaseException | Warning | str) -> str:
    """The text of an error on one line, short enough to be read."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return shorten(f"{shorten(error.filename)}: {error.strerror}", LONGEST)
    text = " ".join(map(shorten, re.findall(r"\S+", str(error))))
    return shorten(text, LONGEST)


def check_output(path: str) -> str:
    """The path of an output, which can be written; "-" is stdout.

    Raises
    ------
    ValueError
        That says why not: before there is work to lose.
    """
    if path != "-":
        try:
            check_writable(path)
        except OSError as error:
            raise ValueError(f"--output: {one_line(error)}") from None
    return path


class Stages:
    """Times named stages and prints them, on stderr, when they end."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began
        self.say(f"{name:<10} {self.seconds[name]:8.2f} s")

    @contextmanager
    def long_stage(self, name: str) -> Iterator[None]:
        """Time a stage, and show a bar on a terminal if it takes long."""
        with self.stage(name):
            if self.quiet or not sys.stderr.isatty():
                yield
            else:
                with shown_progress(name, "example"):
                    yield

    def say(self, text: str) -> None:
        """One line on stderr unless quiet."""
        if not self.quiet:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


class _Saying(logging.Handler):
    """Hands messages to a function."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._say(record.getMessage())


@contextmanager
def search_said(say: Callable[[str], None]) -> Iterator[None]:
    """Say every point of a search for C as soon as it is there."""
    logger = logging.getLogger("pystruct_ext.auto_c")
    handler, level = _Saying(say), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def certificate_lines(structure: Structure, model: Any) -> list[str]:
    """What a model is and what its fit reached, as lines of text."""
    space = model.space_
    lines = [
        f"{'model':<10} {type(model).__name__}, {space.size_psi_} weights",
        f"{'objective':<10} primal {model.primal_objective_:.6g}, dual "
        f"{model.dual_objective_:.6g}, relative gap {100 * model.relative_gap_:.3g} % "
        f"(certificate: {model.certificate_})",
        f"{'status':<10} {model.status_} after {model.n_iter_} epochs, "
        f"{model.n_oracle_calls_} oracle calls",
    ]
    labels = getattr(space, "labels_", None)
    if labels is None:
        labels = getattr(space, "classes_", None)
    if labels is not None and len(labels):
        lines.append(f"{'labels':<10} {', '.join(map(str, labels))}")
    path = getattr(model, "C_path_", None)
    if path is not None:
        chosen = ", ".join(f"{name} = {path.best[name]:g}" for name in path.parameters)
        lines.append(
            f"{'chosen':<10} {chosen}, held-out score {path.best['score']:.4f}"
        )
    if structure.describe is not None:
        lines += structure.describe(model)
    return lines
