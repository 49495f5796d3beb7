"""Data sets for examples and tests."""

from __future__ import annotations

from ._digits import digits_of, load_digit_sequences

__all__ = ["digits_of", "load_digit_sequences"]
