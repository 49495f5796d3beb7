"""Gains and discounts of DCG, for losses and metrics alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def gain_of(relevance: NDArray[np.float64], gain: str) -> NDArray[np.float64]:
    """``2^y - 1`` ("exponential") or ``y`` ("linear")."""
    if gain == "exponential":
        return np.asarray(np.exp2(relevance) - 1)
    if gain == "linear":
        return np.asarray(relevance, dtype=np.float64)
    raise ValueError(f"gain must be 'exponential' or 'linear', got {gain!r}")


def discounts(n: int) -> NDArray[np.float64]:
    """``1 / log2(rank + 1)`` for ranks 1 .. n."""
    return np.asarray(1.0 / np.log2(np.arange(2, n + 2)))
