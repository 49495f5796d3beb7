"""Arguments that all estimators understand alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.utils.examples import as_examples
from pystruct_ext.utils.messages import shorten
from pystruct_ext.utils.weights import check_range, real_numbers


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
                '; "auto" finds it. C comes first, and the loss and all other parameters are '
                f"keywords, as in loss={C!r}"
            )
        raise ValueError(f"C must be a finite number > 0, got {C!r}{hint}")
    return 1.0 / (n * float(C))


def effective_n_jobs(n_jobs: int | None) -> int:
    """Threads meant by scikit-learn's n_jobs."""
    if n_jobs is None:
        return 1
    whole = isinstance(n_jobs, (int, np.integer)) and not isinstance(n_jobs, bool)
    if not whole or n_jobs == 0:
        raise ValueError(
            "n_jobs must be an integer other than 0 (-1: all processors), got "
            f"{shorten(n_jobs)}"
        )
    from joblib import effective_n_jobs as count

    return int(count(n_jobs))


def check_weights(sample_weight: ArrayLike | None, n: int) -> NDArray | None:
    """Weights c_i as float64, or None.

    Raises
    ------
    ValueError
        For a wrong length; a weight that is negative, not finite, masked or no real number;
        or if all of them are zero: nothing would be left to learn from.
    """
    if sample_weight is None:
        return None
    weight = real_numbers(as_examples(sample_weight, "sample_weight"), "sample_weight")
    if weight.ndim == 0:
        weight = np.full(n, float(weight))
    if weight.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if weight.shape != (n,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected {(n,)}: one weight per example"
        )
    check_range(weight, "sample_weight")
    if n and not weight.any():
        raise ValueError(
            f"sample_weight: all {n} weights are zero, expected at least one above zero"
        )
    return weight


__all__ = ["c_to_lam", "check_weights", "effective_n_jobs"]
