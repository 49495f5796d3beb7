"""Arguments that all estimators understand alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def c_to_lam(C: float, n: int) -> float:
    """``lambda = 1 / (n C)``: the only place where the two conventions meet.

    Raises
    ------
    ValueError
        If C is not a finite number above 0.
    """
    number = isinstance(C, (int, float, np.integer, np.floating))
    if not number or isinstance(C, bool) or not np.isfinite(C) or C <= 0:
        hint = ""
        if isinstance(C, str):
            hint = (
                "; C comes first, and the loss and all other parameters are keywords, as "
                f"in loss={C!r}"
            )
        raise ValueError(f"C must be a finite number > 0, got {C!r}{hint}")
    return 1.0 / (n * float(C))


def effective_n_jobs(n_jobs: int | None) -> int:
    """Threads meant by scikit-learn's n_jobs."""
    if n_jobs is None:
        return 1
    if n_jobs == 0:
        raise ValueError(
            "n_jobs must be an integer other than 0 (-1: all processors), got 0"
        )
    from joblib import effective_n_jobs as count

    return int(count(n_jobs))


def check_weights(sample_weight: ArrayLike | None, n: int) -> NDArray | None:
    """Weights c_i as float64, or None.

    Raises
    ------
    ValueError
        For a wrong length, or a weight that is negative or not finite.
    """
    if sample_weight is None:
        return None
    try:
        weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must hold numbers: {error}") from None
    if weight.ndim == 0:
        weight = np.full(n, float(weight))
    if weight.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if weight.shape != (n,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected {(n,)}: one weight per example"
        )
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if bad.size:
        raise ValueError(
            f"sample_weight must be finite and >= 0; example {int(bad[0])} has "
            f"{weight[bad[0]]}"
        )
    return weight


__all__ = ["c_to_lam", "check_weights", "effective_n_jobs"]
