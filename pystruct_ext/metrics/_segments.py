"""Segments and secondary structure: exact segments, Q scores, segment overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SegmentReport:
    """Exact segments, micro-averaged.

    Attributes
    ----------
    precision, recall, f1 : float
    token_accuracy : float
    n_true, n_predicted, n_correct : int
    """

    precision: float
    recall: float
    f1: float
    token_accuracy: float
    n_true: int
    n_predicted: int
    n_correct: int

    def __str__(self) -> str:
        return (
            f"segments: precision {100 * self.precision:.2f} %  recall "
            f"{100 * self.recall:.2f} %  F1 {100 * self.f1:.2f} %  token accuracy "
            f"{100 * self.token_accuracy:.2f} %"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def segment_report(
    y_true: Sequence[Any], y_pred: Sequence[Any], outside: Any = None
) -> SegmentReport:
    """Precision, recall and F1 of labelled segments (start, end, label).

    Parameters
    ----------
    y_true, y_pred : lists of n segmentations
    outside : label, optional
        Segments with this label do not count.

    Examples
    --------
    >>> segment_report([[(0, 2, "a"), (2, 3, "b")]], [[(0, 2, "a"), (2, 3, "a")]]).f1
    0.5
    """
    _same_number(y_true, y_pred)
    n_true = n_pred = both = tokens = right = 0
    for i, (a, b) in enumerate(zip(y_true, y_pred, strict=True)):
        p = {tuple(s) for s in a if s[2] != outside}
        q = {tuple(s) for s in b if s[2] != outside}
        n_true += len(p)
        n_pred += len(q)
        both += len(p & q)
        x = [s[2] for s in a for _ in range(s[1] - s[0])]
        y = [s[2] for s in b for _ in range(s[1] - s[0])]
        _same_length(x, y, i)
        tokens += len(x)
        right += sum(s == t for s, t in zip(x, y, strict=True))
    nan = float("nan")
    return SegmentReport(
        both / n_pred if n_pred else nan,
        both / n_true if n_true else nan,
        2 * both / (n_true + n_pred) if n_true + n_pred else nan,
        right / tokens if tokens else nan,
        n_true,
        n_pred,
        both,
    )


def q_score(y_true: Sequence[Any], y_pred: Sequence[Any]) -> dict[Any, float]:
    """Fraction of residues predicted right: Q3, Q8 and so on.

    Parameters
    ----------
    y_true, y_pred : lists of n sequences of labels

    Returns
    -------
    dict
        "all" and, per label, the fraction of its residues that are right.

    Examples
    --------
    >>> q_score(["HHCC"], ["HCCC"])["all"]
    0.75
    """
    _same_number(y_true, y_pred)
    right: dict[Any, int] = {}
    total: dict[Any, int] = {}
    for i, (a, b) in enumerate(zip(y_true, y_pred, strict=True)):
        _same_length(a, b, i)
        for p, q in zip(a, b, strict=True):
            total[p] = total.get(p, 0) + 1
            right[p] = right.get(p, 0) + (p == q)
    n = sum(total.values())
    scores: dict[Any, float] = {"all": sum(right.values()) / n if n else float("nan")}
    scores.update({label: right[label] / total[label] for label in sorted(total)})
    return scores


def segment_overlap(y_true: Sequence[Any], y_pred: Sequence[Any]) -> dict[Any, float]:
    """Segment overlap, SOV 1999.

    ``SOV = 1/N sum over pairs of overlapping segments s1 (true), s2 (predicted) of one
    label (minov + delta) / maxov len(s1)`` with ``delta = min(maxov - minov, minov,
    len(s1) // 2, len(s2) // 2)``; N counts the length of a true segment once per pair, and
    once if it has none. Between 0 and 1.

    Parameters
    ----------
    y_true, y_pred : lists of n sequences of labels

    Returns
    -------
    dict
        "all", and per label that occurs in the truth.

    References
    ----------
    Zemla, Venclovas, Fidelis and Rost 1999.

    Examples
    --------
    >>> segment_overlap(["HHHHHHHHHH"], ["HHHHHHHHHH"])["all"]
    1.0
    """
    _same_number(y_true, y_pred)
    gained: dict[Any, float] = {}
    norm: dict[Any, int] = {}
    for i, (a, b) in enumerate(zip(y_true, y_pred, strict=True)):
        _same_length(a, b, i)
        predicted = _runs(b)
        for s, e, label in _runs(a):
            overlaps = [
                (p, q)
                for p, q, other in predicted
                if other == label and p < e and s < q
            ]
            gained.setdefault(label, 0.0)
            norm[label] = norm.get(label, 0) + (e - s) * max(1, len(overlaps))
            for p, q in overlaps:
                least = min(e, q) - max(s, p)
                most = max(e, q) - min(s, p)
                delta = min(most - least, least, (e - s) // 2, (q - p) // 2)
                gained[label] += (least + delta) / most * (e - s)
    n = sum(norm.values())
    scores: dict[Any, float] = {"all": sum(gained.values()) / n if n else float("nan")}
    scores.update({label: gained[label] / norm[label] for label in sorted(norm)})
    return scores


def _runs(labels: Sequence[Any]) -> list[tuple[int, int, Any]]:
    found: list[tuple[int, int, Any]] = []
    for t, label in enumerate(labels):
        if found and found[-1][2] == label:
            found[-1] = (found[-1][0], t + 1, label)
        else:
            found.append((t, t + 1, label))
    return found


def _same_number(a: Sequence[Any], b: Sequence[Any]) -> None:
    if len(a) != len(b):
        raise ValueError(
            f"y_true has {len(a)} examples and y_pred {len(b)}, expected the same number"
        )


def _same_length(a: Sequence[Any], b: Sequence[Any], i: int) -> None:
    if len(a) != len(b):
        raise ValueError(f"y_pred: example {i} has {len(b)} labels, expected {len(a)}")


__all__ = ["SegmentReport", "q_score", "segment_overlap", "segment_report"]
