"""Base pairs of RNA folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from pystruct_ext.outputs.dot_bracket import pairs_of


@dataclass(frozen=True)
class BasePairReport:
    """Predicted base pairs.

    Attributes
    ----------
    sensitivity, ppv, f1 : float
        Fractions of true and of predicted pairs that are right, and their harmonic mean;
        over all folds together.
    mcc : float
        Matthews correlation over all pairs of positions.
    mean_f1 : float
        Mean over folds; 1 where neither has pairs.
    n_true, n_predicted, n_correct, n_structures : int
    """

    sensitivity: float
    ppv: float
    f1: float
    mcc: float
    mean_f1: float
    n_true: int
    n_predicted: int
    n_correct: int
    n_structures: int

    def __str__(self) -> str:
        return (
            f"base pairs: sensitivity {100 * self.sensitivity:.2f} %  PPV "
            f"{100 * self.ppv:.2f} %  F1 {100 * self.f1:.2f} %  MCC {self.mcc:.3f}\n"
            f"mean F1 {100 * self.mean_f1:.2f} % ({self.n_structures} structures)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def base_pair_report(
    y_true: Sequence[str], y_pred: Sequence[str], slip: int = 0
) -> BasePairReport:
    """Sensitivity, positive predictive value, F1 and MCC of base pairs.

    ``MCC = (TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN))`` over the
    n (n - 1) / 2 pairs of positions of every fold.

    Parameters
    ----------
    y_true, y_pred : lists of n dot-bracket str
        All kinds of brackets count: pseudoknots in the truth are missed by nested folds.
    slip : int, default=0
        1 accepts (i +- 1, j) and (i, j +- 1) for (i, j) (Mathews et al. 1999).

    Returns
    -------
    BasePairReport

    Raises
    ------
    ValueError
        For different lengths or brackets that do not balance.

    Examples
    --------
    >>> report = base_pair_report(["((...))"], ["(.....)"])
    >>> report.sensitivity, report.ppv
    (0.5, 1.0)
    """
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} folds and y_pred {len(y_pred)}, expected the "
            "same number"
        )
    n_true = n_pred = found_true = found_pred = cells = 0
    each: list[float] = []
    for i, (p, q) in enumerate(zip(y_true, y_pred, strict=True)):
        if len(p) != len(q):
            raise ValueError(
                f"y_pred: example {i} has {len(q)} bases, expected {len(p)}"
            )
        a = set(pairs_of(p, f"y_true: example {i}"))
        b = set(pairs_of(q, f"y_pred: example {i}"))
        hit_true = sum(_near(x, b, slip) for x in a)
        hit_pred = sum(_near(x, a, slip) for x in b)
        n_true += len(a)
        n_pred += len(b)
        found_true += hit_true
        found_pred += hit_pred
        cells += len(p) * (len(p) - 1) // 2
        each.append(
            _f1(hit_true / len(a) if a else 1.0, hit_pred / len(b) if b else 1.0)
            if a or b
            else 1.0
        )
    nan = float("nan")
    sensitivity = found_true / n_true if n_true else nan
    ppv = found_pred / n_pred if n_pred else nan
    tp, fp, fn = found_pred, n_pred - found_pred, n_true - found_true
    tn = cells - tp - fp - fn
    below = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return BasePairReport(
        sensitivity,
        ppv,
        _f1(sensitivity, ppv)
        if n_true and n_pred
        else (0.0 if n_true + n_pred else nan),
        (tp * tn - fp * fn) / sqrt(below) if below > 0 else 0.0,
        sum(each) / len(each) if each else nan,
        n_true,
        n_pred,
        found_pred,
        len(y_true),
    )


def _f1(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b > 0 else 0.0


def _near(pair: tuple[int, int], others: set[tuple[int, int]], slip: int) -> bool:
    i, j = pair
    if pair in others:
        return True
    return any(
        (i + d, j) in others or (i, j + d) in others
        for d in range(-slip, slip + 1)
        if d
    )


__all__ = ["BasePairReport", "base_pair_report"]
