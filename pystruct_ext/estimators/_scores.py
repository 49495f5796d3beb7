"""Metrics of reports, with weights of examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from numpy.typing import NDArray


def micro_f1(
    report: Callable[[Any, Any], Any],
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    sample_weight: NDArray | None,
    n_true: str = "n_true",
) -> float:
    """F1 of parts counted over all examples, each counted as often as its weight says.

    Parameters
    ----------
    report : callable
        ``report(y_true, y_pred)`` with f1, n_predicted, n_correct and the attribute named
        by `n_true`.
    y_true, y_pred : sequences of length n
    sample_weight : (n,) float64 or None
    n_true : str, default="n_true"

    Returns
    -------
    float
        ``2 sum_i c_i correct_i / sum_i c_i (true_i + predicted_i)``; NaN where nothing
        counts.
    """
    if sample_weight is None:
        return float(report(y_true, y_pred).f1)
    both = parts = 0.0
    for c, one in _alone(report, y_true, y_pred, sample_weight):
        both += c * one.n_correct
        parts += c * (getattr(one, n_true) + one.n_predicted)
    return 2 * both / parts if parts else float("nan")


def micro_accuracy(
    report: Callable[[Any, Any], Any],
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    sample_weight: NDArray | None,
    share: str,
) -> float:
    """A share of words over all examples, each counted as often as its weight says.

    Parameters
    ----------
    report : callable
        ``report(y_true, y_pred)`` with n_words and the attribute named by `share`.
    y_true, y_pred : sequences of length n
    sample_weight : (n,) float64 or None
    share : str

    Returns
    -------
    float
        ``sum_i c_i words_i share_i / sum_i c_i words_i``; NaN where nothing counts.
    """
    if sample_weight is None:
        return float(getattr(report(y_true, y_pred), share))
    right = words = 0.0
    for c, one in _alone(report, y_true, y_pred, sample_weight):
        if one.n_words:
            right += c * one.n_words * getattr(one, share)
            words += c * one.n_words
    return right / words if words else float("nan")


def _alone(
    report: Callable[[Any, Any], Any],
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    sample_weight: NDArray,
) -> Iterator[tuple[float, Any]]:
    """The weight and the report of every example that counts."""
    report(y_true, y_pred)  # its errors name the example
    for c, a, b in zip(sample_weight.tolist(), y_true, y_pred, strict=True):
        if c > 0:
            yield c, report([a], [b])


__all__ = ["micro_accuracy", "micro_f1"]
