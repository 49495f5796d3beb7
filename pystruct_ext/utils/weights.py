"""Weights of examples, tokens and documents."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.utils.examples import check_unmasked


def real_numbers(values: Any, name: str) -> NDArray[np.float64]:
    """Weights as float64; booleans count as 0 and 1.

    Raises
    ------
    ValueError
        For masked entries, complex numbers, strings, and what is no array of numbers.
    """
    check_unmasked(values, name)
    try:
        given = np.asarray(values)
        if given.dtype.kind in "cUSmMV":
            raise TypeError(f"got {given.dtype}")
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold real numbers: {error}") from None


def check_range(weight: NDArray[np.float64], name: str, unit: str = "example") -> None:
    """Raise ValueError for a weight that is negative or not finite, naming the first."""
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if bad.size:
        raise ValueError(
            f"{name} must be finite and >= 0; {unit} {int(bad[0])} has {weight[bad[0]]}"
        )


__all__ = ["check_range", "real_numbers"]
