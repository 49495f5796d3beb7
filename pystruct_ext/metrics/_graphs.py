"""Labels of nodes: accuracy, and intersection over union."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score, jaccard_score, recall_score

from pystruct_ext.utils.examples import is_missing, plain


@dataclass(frozen=True)
class GraphReport:
    """How many nodes are right.

    Attributes
    ----------
    accuracy : float
        Share of nodes.
    exact : float
        Share of graphs without an error.
    mean_iou : float
        Mean over labels of `iou`.
    iou : dict of label to float
        Nodes that have the label in both, among those that have it in either; of all graphs
        together.
    recall : dict of label to float
        Share of the nodes of a label that are found.
    n_nodes, n_graphs : int
        Nodes whose label is known, and graphs.
    """

    accuracy: float
    exact: float
    mean_iou: float
    iou: dict[Any, float]
    recall: dict[Any, float]
    n_nodes: int
    n_graphs: int

    def __str__(self) -> str:
        lines = [
            f"nodes: {100 * self.accuracy:.2f} % of {self.n_nodes} right  mean IoU "
            f"{100 * self.mean_iou:.2f} %  graphs: {100 * self.exact:.2f} % of "
            f"{self.n_graphs} without error"
        ]
        width = max((len(str(k)) for k in self.iou), default=0)
        for label, value in self.iou.items():
            lines.append(
                f"  {label!s:<{width}}  IoU {100 * value:6.2f} %  found "
                f"{100 * self.recall[label]:6.2f} %"
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; labels as text."""
        out = asdict(self)
        for name in ("iou", "recall"):
            out[name] = {str(k): v for k, v in out[name].items()}
        return out


def _flat(values: Any) -> list[Any]:
    if isinstance(values, np.ndarray):
        return list(values.ravel().tolist())
    return list(values)


def _known(
    y_true: Sequence[Any], y_pred: Sequence[Any], weights: Sequence[ArrayLike] | None
) -> tuple[list[Any], list[Any], NDArray[np.float64], list[bool]]:
    """Labels of all nodes whose true one is known, their weights; graphs without error."""
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} graphs and y_pred {len(y_pred)}, expected the same "
            "number"
        )
    if weights is not None and len(weights) != len(y_true):
        raise ValueError(f"weights has {len(weights)} graphs, expected {len(y_true)}")
    true: list[Any] = []
    pred: list[Any] = []
    weight: list[float] = []
    exact = []
    for i, (a, b) in enumerate(zip(y_true, y_pred, strict=True)):
        p, q = _flat(a), _flat(b)
        if len(p) != len(q):
            raise ValueError(
                f"y_pred: example {i} has {len(q)} labels, expected {len(p)}"
            )
        own = (
            np.ones(len(p)) if weights is None else np.asarray(weights[i], dtype=float)
        )
        if own.shape != (len(p),):
            raise ValueError(
                f"weights: example {i} has shape {own.shape}, expected ({len(p)},)"
            )
        kept = [
            v for v, c in enumerate(p) if not isinstance(c, Set) and not is_missing(c)
        ]
        true += [plain(p[v]) for v in kept]
        pred += [plain(q[v]) for v in kept]
        weight += own[kept].tolist()
        exact.append(all(p[v] == q[v] for v in kept))
    return true, pred, np.array(weight), exact


def graph_report(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    *,
    weights: Sequence[ArrayLike] | None = None,
) -> GraphReport:
    """Accuracy and intersection over union of labels of nodes.

    Parameters
    ----------
    y_true, y_pred : lists of n lists of labels
        Or of arrays, of grids. Nodes whose true label is missing (None, or a set) are left out.
    weights : list of n arrays, optional
        Weight of every node, such as its area.

    Returns
    -------
    GraphReport

    Examples
    --------
    >>> report = graph_report([["a", "a", "b"]], [["a", "b", "b"]])
    >>> round(report.accuracy, 3), report.iou
    (0.667, {'a': 0.5, 'b': 0.5})
    """
    true, pred, weight, exact = _known(y_true, y_pred, weights)
    nan = float("nan")
    share = float(np.mean(exact)) if exact else nan
    if not true or not weight.sum() > 0:
        return GraphReport(nan, share, nan, {}, {}, len(true), len(exact))
    if len({isinstance(c, str) for c in (*true, *pred)}) == 2:
        raise TypeError(
            "y_true and y_pred must both hold strings or both hold numbers, got "
            f"{true[0]!r:.60} and {pred[0]!r:.60}"
        )
    labels = sorted({*true, *pred})
    kwargs: dict[str, Any] = {
        "labels": np.arange(len(labels)),
        "average": None,
        "sample_weight": weight,
        "zero_division": 0.0,
    }
    index = {c: k for k, c in enumerate(labels)}
    a, b = ([index[c] for c in side] for side in (true, pred))
    iou = jaccard_score(a, b, **kwargs).tolist()
    recall = recall_score(a, b, **kwargs).tolist()
    return GraphReport(
        float(accuracy_score(a, b, sample_weight=weight)),
        share,
        float(np.mean(iou)),
        dict(zip(labels, iou, strict=True)),
        dict(zip(labels, recall, strict=True)),
        len(true),
        len(exact),
    )


def mean_image_iou(y_true: Sequence[Any], y_pred: Sequence[Any], label: Any) -> float:
    """Mean over graphs of the intersection over union of one label.

    Parameters
    ----------
    y_true, y_pred : lists of n lists of labels
    label : label
        Such as that of the foreground. Graphs that have it in neither are left out.

    Returns
    -------
    float

    Examples
    --------
    >>> mean_image_iou([[1, 1, 0], [0, 1]], [[1, 0, 0], [0, 1]], 1)
    0.75
    """
    found = []
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} graphs and y_pred {len(y_pred)}, expected the same "
            "number"
        )
    for a, b in zip(y_true, y_pred, strict=True):
        report = graph_report([a], [b])
        if label in report.iou:
            found.append(report.iou[label])
    return float(np.mean(found)) if found else float("nan")


__all__ = ["GraphReport", "graph_report", "mean_image_iou"]
