"""Labelling the nodes of graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import graph_report
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import GraphSpace


@storable
class GraphSVM(BaseStructuralSVM):
    """Structural SVM that labels the nodes of graphs, such as the cells of images.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` where the hinge is over all labellings of a
    graph and the loss counts wrong nodes. Forests, and two labels that attract each other, are
    decoded exactly; other graphs with a bound, and the certificate says so ("bounded"). With
    ``inference="lp"`` the hinge is over the local polytope: the gap closes, and certifies that
    relaxed problem, whose objective is at least the exact one ("relaxed").

    Parameters
    ----------
    C : float or AutoC, default=0.1
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    loss, pairwise, attractive, inference, labels, label_weight, missing_label, bias, dtype
        See `GraphSpace`; `loss` is its `task_loss`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
    space_ : GraphSpace
    classes_ : list
        Labels, sorted.
    primal_objective_, dual_objective_, duality_gap_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    X is a list of `pystruct_ext.outputs.Graph`, or of tuples (features, edges) or (features,
    edges, edge_features); y of lists of labels, one per node. `pystruct_ext.outputs.grid_graph`
    makes graphs of images. Graphs whose labels are partly missing are for
    `LatentStructuralSVM`.

    `score` is the share of nodes that are right, of all graphs together, each node counted
    with the weight of its example. On forests `predict_marginals` gives (n_nodes, K)
    probabilities.

    Memory of a fit: the features, for every thread the pair scores of the largest graph (K
    times K numbers of 4 bytes for every edge, K padded to a multiple of 8; one for Potts
    terms), weights twice, and the working set. With ``inference="lp"`` a cut, and the truth,
    of a graph takes ``4 (sum_v K_v + sum_e K_a K_b)`` bytes (Potts: 1 in place of K_a K_b), its
    marginals in units of 2^-30; see ``docs/graphs.md``.

    Examples
    --------
    >>> from pystruct_ext import GraphSVM
    >>> X = [([[1.0], [0.2], [-1.0]], [(0, 1), (1, 2)])]
    >>> y = [["sky", "sky", "sea"]]
    >>> GraphSVM(C=10).fit(X, y).predict(X)
    [['sky', 'sky', 'sea']]
    """

    _space_class = GraphSpace
    space_: GraphSpace

    def __init__(
        self,
        C: float | str | AutoC = 0.1,
        *,
        loss: str = "hamming",
        pairwise: str = "full",
        attractive: bool = False,
        inference: str = "auto",
        labels: Any = None,
        label_weight: Any = None,
        missing_label: Any = None,
        bias: bool = True,
        dtype: str = "float32",
        solver: str | Solver = "bcfw",
        tol: float | None = 1e-2,
        max_iter: int | None = None,
        max_time: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        callback: Any = None,
    ) -> None:
        super().__init__(
            C, solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        )
        self.loss = loss
        self.pairwise = pairwise
        self.attractive = attractive
        self.inference = inference
        self.labels = labels
        self.label_weight = label_weight
        self.missing_label = missing_label
        self.bias = bias
        self.dtype = dtype

    def _set_domain_attributes(self, X: Any, y: Any) -> None:
        self.classes_ = self.space_.classes_

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        if sample_weight is None:
            return graph_report(y_true, y_pred).accuracy
        right = weighed = 0.0
        for weight, a, b in zip(sample_weight, y_true, y_pred, strict=True):
            report = graph_report([a], [b])
            right += weight * report.accuracy * report.n_nodes if report.n_nodes else 0
            weighed += weight * report.n_nodes
        return float(right / weighed) if weighed else float(np.nan)


__all__ = ["GraphSVM"]
