"""Label sets: what scikit-learn's metrics say, in one report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    hamming_loss,
    jaccard_score,
    precision_recall_fscore_support,
)

from pystruct_ext.utils.label_sets import label_sets


@dataclass(frozen=True)
class LabelSetReport:
    """How right label sets are.

    Attributes
    ----------
    subset_accuracy : float
        Share of sets that are right as wholes.
    hamming_loss : float
        Share of wrong entries among all of examples and labels.
    example_f1, jaccard : float
        Means over examples; two empty sets count as 1.
    micro_f1, macro_f1 : float
        From counts over all labels; mean over labels.
    labels_true, labels_predicted : float
        Labels an example.
    per_label : dict of label to dict
        precision, recall, f1 and support of every label.
    """

    subset_accuracy: float
    hamming_loss: float
    example_f1: float
    jaccard: float
    micro_f1: float
    macro_f1: float
    labels_true: float
    labels_predicted: float
    per_label: dict[Any, dict[str, float]] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        names = [n for n in self.__dataclass_fields__ if n != "per_label"]
        out: dict[str, Any] = {name: getattr(self, name) for name in names}
        out["per_label"] = {str(k): dict(v) for k, v in self.per_label.items()}
        return out

    def __str__(self) -> str:
        return (
            f"label sets: right {100 * self.subset_accuracy:.2f} %  Hamming loss "
            f"{100 * self.hamming_loss:.2f} %  F1 of examples "
            f"{100 * self.example_f1:.2f} %, micro {100 * self.micro_f1:.2f} %, macro "
            f"{100 * self.macro_f1:.2f} %  labels {self.labels_predicted:.2f} (true "
            f"{self.labels_true:.2f})"
        )


def label_set_report(
    y_true: Any, y_pred: Any, sample_weight: ArrayLike | None = None
) -> LabelSetReport:
    """Compare predicted label sets with true ones, by the metrics of scikit-learn.

    Parameters
    ----------
    y_true, y_pred : label sets in any form
        (n, K) arrays, sparse matrices or data frames of 0 and 1, or collections of labels.
    sample_weight : (n,) array-like, optional

    Returns
    -------
    LabelSetReport

    Examples
    --------
    >>> label_set_report([("a",), ("a", "b")], [("a",), ("b",)]).subset_accuracy
    0.5
    """
    first = label_sets(y_true, name="y_true")
    kind = "labels" if first.form == "labels" else "indicator"
    if first.form == "labels":
        found = label_sets(y_pred, form=kind, name="y_pred")
        if found.form != "labels":
            found = label_sets(y_pred, first.classes, name="y_pred")
        classes = sorted({*first.classes, *found.classes})
        first = label_sets(y_true, classes, kind, "y_true")
        if found.form == "labels":
            found = label_sets(y_pred, classes, kind, "y_pred")
    else:
        found = label_sets(y_pred, first.classes, kind, "y_pred")
    true, pred = first.codes, found.codes
    if len(true) != len(pred):
        raise ValueError(
            f"y_true has {len(true)} label sets and y_pred {len(pred)}, expected the same "
            "number"
        )
    if len(true) == 0:
        raise ValueError("y_true holds no label sets")
    weight: dict[str, Any] = {"sample_weight": sample_weight}
    # scikit-learn takes a single column for classes, not for a label that is there or not.
    if true.shape[1] == 1:
        true, pred = (np.hstack([c, np.zeros_like(c)]) for c in (true, pred))
    k = len(first.classes)
    each = precision_recall_fscore_support(true, pred, zero_division=0, **weight)
    w = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
    return LabelSetReport(
        subset_accuracy=float(accuracy_score(true, pred, **weight)),
        hamming_loss=float(hamming_loss(true, pred, **weight)) * true.shape[1] / k,
        example_f1=float(
            f1_score(true, pred, average="samples", zero_division=1, **weight)
        ),
        jaccard=float(
            jaccard_score(true, pred, average="samples", zero_division=1, **weight)
        ),
        micro_f1=float(
            f1_score(true, pred, average="micro", zero_division=1, **weight)
        ),
        macro_f1=float(np.mean(each[2][:k])),
        labels_true=float(np.average(true.sum(axis=1), weights=w)),
        labels_predicted=float(np.average(pred.sum(axis=1), weights=w)),
        per_label={
            c: {
                "precision": float(each[0][j]),
                "recall": float(each[1][j]),
                "f1": float(each[2][j]),
                "support": float(each[3][j]),
            }
            for j, c in enumerate(first.classes)
        },
    )


__all__ = ["LabelSetReport", "label_set_report"]
