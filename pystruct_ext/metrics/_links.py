"""Links between rows and columns: word alignments, matched records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pystruct_ext.outputs.matchings import sure_and_possible


@dataclass(frozen=True)
class LinkReport:
    """Predicted links against sure and possible ones, counted over all examples.

    With A predicted, S sure, and P sure or possible:

    Attributes
    ----------
    precision : float
        ``|A and P| / |A|``.
    recall : float
        ``|A and S| / |S|``.
    f1 : float
        Harmonic mean of the two.
    aer : float
        Alignment error rate, ``1 - (|A and S| + |A and P|) / (|A| + |S|)``: 1 - f1 where all
        links are sure.
    exact : float
        Share of examples with all sure links, and none that is not possible.
    n_sure, n_possible, n_predicted : int
        ``|S|``, ``|P|``, ``|A|``.
    n_sure_found, n_possible_found : int
        ``|A and S|``, ``|A and P|``.
    n_examples : int

    References
    ----------
    Och and Ney, Computational Linguistics 29(1), 2003.
    """

    precision: float
    recall: float
    f1: float
    aer: float
    exact: float
    n_sure: int
    n_possible: int
    n_predicted: int
    n_sure_found: int
    n_possible_found: int
    n_examples: int

    def __str__(self) -> str:
        return (
            f"links: precision {100 * self.precision:.2f} %  recall "
            f"{100 * self.recall:.2f} %  F1 {100 * self.f1:.2f} %  AER "
            f"{100 * self.aer:.2f} %  exact {100 * self.exact:.2f} %"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def link_counts(y_true: Any, y_pred: Any, i: int) -> tuple[int, int, int, int, int]:
    """``|S|, |P|, |A|, |A and S|, |A and P|`` of example i."""
    sure, possible = (set(k) for k in sure_and_possible(y_true, f"y_true: example {i}"))
    found = set(sure_and_possible(y_pred, f"y_pred: example {i}")[0])
    every = sure | possible
    return len(sure), len(every), len(found), len(found & sure), len(found & every)


def link_report(y_true: Sequence[Any], y_pred: Sequence[Any]) -> LinkReport:
    """How many links are right.

    Parameters
    ----------
    y_true : list of n lists of (row, column), all sure, or of `Links`
    y_pred : list of n lists of (row, column)

    Returns
    -------
    LinkReport

    Raises
    ------
    ValueError, TypeError
        For lists of different lengths, and for what are no links.

    Examples
    --------
    >>> from pystruct_ext.outputs import Links
    >>> report = link_report([Links([(0, 0)], [(1, 1), (1, 2)])], [[(0, 0), (1, 1), (2, 2)]])
    >>> round(report.precision, 3), report.recall, report.aer
    (0.667, 1.0, 0.25)
    """
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} matchings and y_pred {len(y_pred)}, expected the "
            "same number"
        )
    total = [0] * 5
    exact = 0
    for i, (a, b) in enumerate(zip(y_true, y_pred, strict=True)):
        counts = link_counts(a, b, i)
        sure, _, found, right, allowed = counts
        exact += right == sure and allowed == found
        total = [t + c for t, c in zip(total, counts, strict=True)]
    sure, every, found, right, allowed = total
    nan = float("nan")
    precision = allowed / found if found else nan
    recall = right / sure if sure else nan
    both = precision + recall
    return LinkReport(
        precision,
        recall,
        2 * precision * recall / both if both > 0 else (0.0 if both == 0 else nan),
        1 - (right + allowed) / (found + sure) if found + sure else nan,
        exact / len(y_true) if len(y_true) else nan,
        sure,
        every,
        found,
        right,
        allowed,
        len(y_true),
    )


__all__ = ["LinkReport", "link_counts", "link_report"]
