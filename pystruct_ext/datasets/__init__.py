"""Data sets for examples and tests, and readers of column files."""

from __future__ import annotations

from pystruct_ext._core.features import ColumnTable
from pystruct_ext._core.templates import DEFAULT_TEMPLATE

from ._ambiguous import AmbiguousQuery, load_ambiguous_queries
from ._conll import read_conll, write_conll
from ._digits import digits_of, load_digit_sequences

__all__ = [
    "DEFAULT_TEMPLATE",
    "AmbiguousQuery",
    "ColumnTable",
    "digits_of",
    "load_ambiguous_queries",
    "load_digit_sequences",
    "read_conll",
    "write_conll",
]
