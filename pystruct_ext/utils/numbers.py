"""Parameters that are numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def is_number(value: Any) -> bool:
    """Whether a value is a finite real number, and no boolean."""
    real = isinstance(value, (int, float, np.integer, np.floating))
    if not real or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def check_number(
    name: str, value: Any, least: float = -math.inf, also: str = ""
) -> None:
    """Raise ValueError unless a parameter is a finite number, `least` or more.

    `also` says in the message what else it may be.
    """
    if is_number(value) and value >= least:
        return
    bound = "" if least == -math.inf else f" >= {least:g}"
    raise ValueError(f"{name} must be a finite number{bound}{also}, got {value!r}")


__all__ = ["check_number", "is_number"]
