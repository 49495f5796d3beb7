"""Attachment scores of dependency trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pystruct_ext.outputs.sentences import DependencyTree

_PUNCTUATION = frozenset({"PUNCT", "``", "''", ",", ".", ":"})


@dataclass(frozen=True)
class AttachmentReport:
    """Attachment scores, micro-averaged over words.

    Attributes
    ----------
    uas, las : float
        Fraction of words with the right head, and with the right head and label; las is
        NaN without labels.
    label_accuracy : float
        Fraction of words with the right label, whatever the head.
    exact_unlabelled, exact_labelled : float
        Fraction of sentences without a wrong head, without any mistake.
    n_words, n_sentences : int
        Words that were counted.
    """

    uas: float
    las: float
    label_accuracy: float
    exact_unlabelled: float
    exact_labelled: float
    n_words: int
    n_sentences: int

    def __str__(self) -> str:
        return (
            f"UAS {100 * self.uas:.2f} %  LAS {100 * self.las:.2f} %  labels "
            f"{100 * self.label_accuracy:.2f} %  exact {100 * self.exact_unlabelled:.2f} / "
            f"{100 * self.exact_labelled:.2f} %  ({self.n_words} words, "
            f"{self.n_sentences} sentences)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def attachment_report(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    X: Sequence[Any] | None = None,
    punctuation: bool = True,
    strip_subtypes: bool = False,
) -> AttachmentReport:
    """Unlabelled and labelled attachment scores.

    Parameters
    ----------
    y_true, y_pred : lists of n DependencyTree, or of head sequences
    X : list of n Sentence, optional
        Needed to leave punctuation out.
    punctuation : bool, default=True
        False leaves out words tagged PUNCT, or as Penn punctuation.
    strip_subtypes : bool, default=False
        Compare "nsubj:pass" as "nsubj", the convention of CoNLL 2018.

    Returns
    -------
    AttachmentReport

    Raises
    ------
    ValueError
        For different numbers of sentences or words, or if X is needed and missing.

    Examples
    --------
    >>> gold = [DependencyTree((2, 0, 2), ("det", "root", "obj"))]
    >>> attachment_report(gold, [DependencyTree((2, 0, 2), ("det", "root", "obl"))]).las
    0.6666666666666666
    """
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} sentences and y_pred {len(y_pred)}, expected the "
            "same number"
        )
    if not punctuation and X is None:
        raise ValueError("punctuation=False needs X, whose tags tell punctuation")
    right_head = right_both = right_label = words = exact_u = exact_l = 0
    labelled = bool(y_true)
    for i, (gold, predicted) in enumerate(zip(y_true, y_pred, strict=True)):
        a, b = _tree(gold), _tree(predicted)
        if len(a.heads) != len(b.heads):
            raise ValueError(
                f"y_pred: example {i} has {len(b.heads)} words, expected {len(a.heads)}"
            )
        labelled = labelled and bool(a.labels) and bool(b.labels)
        wrong_u = wrong_l = 0
        for t in range(len(a.heads)):
            if not punctuation and X is not None and X[i].tags[t] in _PUNCTUATION:
                continue
            words += 1
            head = a.heads[t] == b.heads[t]
            label = False
            if a.labels and b.labels:
                p, q = a.labels[t], b.labels[t]
                if strip_subtypes:
                    p, q = p.split(":")[0], q.split(":")[0]
                label = p == q
            right_head += head
            right_label += label
            right_both += head and label
            wrong_u += not head
            wrong_l += not (head and label)
        exact_u += not wrong_u
        exact_l += not wrong_l
    nan = float("nan")
    n = len(y_true)
    return AttachmentReport(
        right_head / words if words else nan,
        right_both / words if words and labelled else nan,
        right_label / words if words and labelled else nan,
        exact_u / n if n else nan,
        exact_l / n if n and labelled else nan,
        words,
        n,
    )


def _tree(y: Any) -> DependencyTree:
    if isinstance(y, DependencyTree):
        return y
    if len(y) == 2 and all(hasattr(part, "__len__") for part in y):
        return DependencyTree(tuple(y[0]), tuple(y[1]))
    return DependencyTree(tuple(y))


__all__ = ["AttachmentReport", "attachment_report"]
