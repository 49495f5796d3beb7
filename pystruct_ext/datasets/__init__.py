"""Data sets for examples and tests: written for this package, or generated."""

from __future__ import annotations

from typing import Any

from pystruct_ext._moved import IO_NAMES, warn_moved
from pystruct_ext.datasets._ambiguous import load_ambiguous_queries
from pystruct_ext.datasets._digits import digits_of, load_digit_sequences
from pystruct_ext.datasets._toy_structures import (
    ToyTreebank,
    make_alignments,
    make_folds,
    make_treebank,
)

__all__ = [
    "ToyTreebank",
    "digits_of",
    "load_ambiguous_queries",
    "load_digit_sequences",
    "make_alignments",
    "make_folds",
    "make_treebank",
]


def __getattr__(name: str) -> Any:
    """Readers and writers under their old names, with a warning."""
    from pystruct_ext import io

    new = IO_NAMES.get(name, name)
    if new in io.__all__:
        warn_moved(f"pystruct_ext.datasets.{name}", f"pystruct_ext.io.{new}")
        return getattr(io, new)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
