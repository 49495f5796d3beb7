"""Clusters: pairs of items, and items (B-cubed)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import adjusted_rand_score

from pystruct_ext.outputs.pair_graphs import cluster_ids


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision, recall and F1.

    Attributes
    ----------
    precision, recall, f1 : float
        NaN where there is nothing to count.
    """

    precision: float
    recall: float
    f1: float

    def __str__(self) -> str:
        return (
            f"precision {100 * self.precision:.2f} %  recall {100 * self.recall:.2f} %  "
            f"F1 {100 * self.f1:.2f} %"
        )


@dataclass(frozen=True)
class ClusteringReport:
    """How good clusterings are.

    Attributes
    ----------
    pairs : PrecisionRecall
        Of the pairs of items in one cluster, those of all examples together.
    b_cubed : PrecisionRecall
        Means over the items of all examples.
    ari : float
        Adjusted Rand index, the mean over examples.
    exact : float
        Share of true clusters that were found as they are.
    n_items, n_true, n_predicted : int
        Items, and true and predicted clusters.
    """

    pairs: PrecisionRecall
    b_cubed: PrecisionRecall
    ari: float
    exact: float
    n_items: int
    n_true: int
    n_predicted: int

    def __str__(self) -> str:
        return (
            f"pairs:    {self.pairs}\nB-cubed:  {self.b_cubed}\n"
            f"adjusted Rand index {100 * self.ari:.2f} %  clusters found exactly "
            f"{100 * self.exact:.2f} %\n"
            f"{self.n_predicted} clusters predicted, {self.n_true} true, of "
            f"{self.n_items} items"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def pairwise_scores(
    y_true: Sequence[Any], y_pred: Sequence[Any], sample_weight: ArrayLike | None = None
) -> PrecisionRecall:
    """Precision, recall and F1 of the pairs of items that are in one cluster.

    Parameters
    ----------
    y_true, y_pred : lists of n clusterings
        An id for every item, of any kind.
    sample_weight : (n,) array-like, optional
        How often an example counts.

    Returns
    -------
    PrecisionRecall
        Of the pairs of all examples together.

    Examples
    --------
    >>> pairwise_scores(["aabb"], [(0, 0, 0, 1)])
    PrecisionRecall(precision=0.3333333333333333, recall=0.5, f1=0.4)
    """
    both = true = found = 0.0
    for c, table in _tables(y_true, y_pred, sample_weight):
        both += c * _pairs(table.counts)
        true += c * _pairs(table.true)
        found += c * _pairs(table.found)
    return PrecisionRecall(
        _share(both, found), _share(both, true), _share(2 * both, true + found)
    )


def b_cubed(
    y_true: Sequence[Any], y_pred: Sequence[Any], sample_weight: ArrayLike | None = None
) -> PrecisionRecall:
    """B-cubed precision, recall and F1: means over items.

    The precision of an item is the share of its predicted cluster that belongs to its true
    one, its recall the share of its true cluster that is in its predicted one.

    Parameters
    ----------
    y_true, y_pred : lists of n clusterings
        An id for every item, of any kind.
    sample_weight : (n,) array-like, optional
        How often an example counts.

    Returns
    -------
    PrecisionRecall
        F1 is that of the two means.

    References
    ----------
    Bagga and Baldwin 1998.

    Examples
    --------
    >>> scores = b_cubed(["aabb"], [(0, 0, 0, 1)])
    >>> round(scores.precision, 4), round(scores.recall, 4)
    (0.6667, 0.75)
    """
    precision = recall = items = 0.0
    for c, table in _tables(y_true, y_pred, sample_weight):
        square = table.counts.astype(np.float64) ** 2
        precision += c * float((square / table.found[table.column]).sum())
        recall += c * float((square / table.true[table.row]).sum())
        items += c * float(table.true.sum())
    p, r = _share(precision, items), _share(recall, items)
    return PrecisionRecall(p, r, _share(2 * p * r, p + r))


def clustering_report(y_true: Sequence[Any], y_pred: Sequence[Any]) -> ClusteringReport:
    """Pairs, B-cubed, the adjusted Rand index and counts.

    Parameters
    ----------
    y_true, y_pred : lists of n clusterings
        An id for every item, of any kind.

    Returns
    -------
    ClusteringReport

    Examples
    --------
    >>> print(clustering_report(["aabb"], [(0, 0, 0, 1)]))
    pairs:    precision 33.33 %  recall 50.00 %  F1 40.00 %
    B-cubed:  precision 66.67 %  recall 75.00 %  F1 70.59 %
    adjusted Rand index 0.00 %  clusters found exactly 0.00 %
    2 clusters predicted, 2 true, of 4 items
    """
    pairs, items = pairwise_scores(y_true, y_pred), b_cubed(y_true, y_pred)
    ari = []
    exact = n_items = n_true = n_predicted = 0
    for k, (_, table) in enumerate(_tables(y_true, y_pred, None)):
        a, b = cluster_ids(y_true[k], "y_true"), cluster_ids(y_pred[k], "y_pred")
        ari.append(float(adjusted_rand_score(a, b)))
        same = (table.counts == table.true[table.row]) & (
            table.counts == table.found[table.column]
        )
        exact += int(same.sum())
        n_items += len(a)
        n_true += len(table.true)
        n_predicted += len(table.found)
    return ClusteringReport(
        pairs,
        items,
        float(np.mean(ari)) if ari else float("nan"),
        _share(exact, n_true),
        n_items,
        n_true,
        n_predicted,
    )


@dataclass
class _Table:
    """Items by true (row) and predicted (column) cluster, the nonzero entries."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    counts: NDArray[np.int64]
    true: NDArray[np.int64]
    found: NDArray[np.int64]


def _tables(
    y_true: Sequence[Any], y_pred: Sequence[Any], sample_weight: ArrayLike | None
) -> list[tuple[float, _Table]]:
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} clusterings and y_pred {len(y_pred)}, expected the "
            "same number"
        )
    weight = np.ones(len(y_true))
    if sample_weight is not None:
        weight = np.asarray(sample_weight, dtype=np.float64)
        if weight.shape != (len(y_true),):
            raise ValueError(
                f"sample_weight has shape {weight.shape}, expected ({len(y_true)},)"
            )
    out = []
    for i, (a, b) in enumerate(zip(y_true, y_pred, strict=True)):
        true = cluster_ids(a, f"y_true: example {i}")
        found = cluster_ids(b, f"y_pred: example {i}", len(true))
        n_found = int(found.max(initial=-1)) + 1
        cells, counts = np.unique(true * max(1, n_found) + found, return_counts=True)
        row, column = np.divmod(cells, max(1, n_found))
        table = _Table(row, column, counts, np.bincount(true), np.bincount(found))
        out.append((float(weight[i]), table))
    return out


def _pairs(counts: NDArray[np.int64]) -> float:
    return float((counts * (counts - 1)).sum()) / 2


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


__all__ = [
    "ClusteringReport",
    "PrecisionRecall",
    "b_cubed",
    "clustering_report",
    "pairwise_scores",
]
