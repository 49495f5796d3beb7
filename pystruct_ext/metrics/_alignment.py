"""Aligned pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class AlignmentReport:
    """Aligned pairs, micro-averaged.

    Attributes
    ----------
    recall : float
        Fraction of true pairs found (the developer's score fD; Q of SVM-align).
    precision : float
        Fraction of predicted pairs that are right (the modeller's score fM).
    f1 : float
    mean_recall : float
        Mean over alignments that have pairs.
    n_true, n_predicted, n_correct : int
    """

    recall: float
    precision: float
    f1: float
    mean_recall: float
    n_true: int
    n_predicted: int
    n_correct: int

    def __str__(self) -> str:
        return (
            f"aligned pairs: recall {100 * self.recall:.2f} %  precision "
            f"{100 * self.precision:.2f} %  F1 {100 * self.f1:.2f} %"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def alignment_report(
    y_true: Sequence[Sequence[int]], y_pred: Sequence[Sequence[int]], shift: int = 0
) -> AlignmentReport:
    """How many aligned pairs are right.

    Parameters
    ----------
    y_true, y_pred : lists of n alignments
        Per letter of the first sequence the aligned position, or -1.
    shift : int, default=0
        Accept positions that are off by up to this many.

    Returns
    -------
    AlignmentReport

    References
    ----------
    Sauder, Arthur and Dunbrack 2000.

    Examples
    --------
    >>> alignment_report([(0, 1, -1)], [(0, -1, 1)]).recall
    0.5
    """
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} alignments and y_pred {len(y_pred)}, expected the "
            "same number"
        )
    n_true = n_pred = both = 0
    each: list[float] = []
    for i, (a, b) in enumerate(zip(y_true, y_pred, strict=True)):
        if len(a) != len(b):
            raise ValueError(
                f"y_pred: example {i} has {len(b)} entries, expected {len(a)}"
            )
        p = sum(j >= 0 for j in a)
        right = sum(
            x >= 0 and y >= 0 and abs(x - y) <= shift for x, y in zip(a, b, strict=True)
        )
        n_true += p
        n_pred += sum(j >= 0 for j in b)
        both += right
        if p:
            each.append(right / p)
    nan = float("nan")
    return AlignmentReport(
        both / n_true if n_true else nan,
        both / n_pred if n_pred else nan,
        2 * both / (n_true + n_pred) if n_true + n_pred else nan,
        sum(each) / len(each) if each else nan,
        n_true,
        n_pred,
        both,
    )


__all__ = ["AlignmentReport", "alignment_report"]
