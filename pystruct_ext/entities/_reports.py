"""How good links and clusters are, by pairs of records."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.entities._tables import Pairs


@dataclass(frozen=True)
class EntityReport:
    """How good links are.

    Attributes
    ----------
    precision, recall, f1 : float
        Of pairs of records that are linked, or in one cluster; NaN where there is nothing to
        count.
    n_true, n_predicted, n_candidates : int
    pair_completeness : float
        Share of the true links among the candidates, which bounds the recall.
    """

    precision: float
    recall: float
    f1: float
    n_true: int
    n_predicted: int
    n_candidates: int
    pair_completeness: float

    def __str__(self) -> str:
        return (
            f"precision {100 * self.precision:.2f} %  recall {100 * self.recall:.2f} %  "
            f"F1 {100 * self.f1:.2f} %\n{self.n_predicted} links predicted, {self.n_true} "
            f"true, {100 * self.pair_completeness:.2f} % of them among "
            f"{self.n_candidates} candidates"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def together(clusters: NDArray[np.int64]) -> Pairs:
    """All pairs of records in one cluster, (L, 2)."""
    order = np.argsort(clusters, kind="stable")
    ends = np.flatnonzero(np.diff(clusters[order])) + 1
    out = [np.zeros((0, 2), dtype=np.int64)]
    for members in np.split(order, ends):
        i, j = np.triu_indices(len(members), 1)
        out.append(np.stack([members[i], members[j]], axis=1))
    return np.concatenate(out)


def report_of(
    truth: NDArray[np.int64], found: NDArray[np.int64], candidates: NDArray[np.int64]
) -> EntityReport:
    """A report on coded pairs, each once."""
    right = np.isin(found, truth).sum()
    nan = float("nan")
    return EntityReport(
        precision=float(right / len(found)) if len(found) else nan,
        recall=float(right / len(truth)) if len(truth) else nan,
        f1=2 * float(right) / (len(found) + len(truth))
        if len(found) + len(truth)
        else nan,
        n_true=len(truth),
        n_predicted=len(found),
        n_candidates=len(candidates),
        pair_completeness=float(np.isin(truth, candidates).mean())
        if len(truth)
        else nan,
    )


__all__ = ["EntityReport", "report_of", "together"]
