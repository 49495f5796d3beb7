"""Bipartite matching."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import link_report
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import MatchingSpace


@storable
class MatchingSVM(BaseStructuralSVM):
    """Structural SVM that links rows with columns: words of two languages, records of tables.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` where the hinge is over all sets of links
    that keep to the capacities, and the loss counts false and missed links. The search is exact
    (a flow of least cost), with learned costs of second, third, ... links, too; with
    `adjacency` it is bounded, and so is the certificate.

    Parameters
    ----------
    C : float or AutoC, default=0.1
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    loss : {"links", "fraction"}, default="links"
        Costs of false and missed links, or the same divided by the number of sure links.
    row_capacity, column_capacity, must_match, fertility, adjacency
        See `MatchingSpace`.
    false_cost, miss_cost, excess, fit_intercept, dtype
        See `MatchingSpace`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
    space_ : MatchingSpace
    primal_objective_, dual_objective_, duality_gap_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    X is a list of `pystruct_ext.outputs.MatchingProblem`, or of (m, n, d) arrays; y of lists of
    (row, column), all sure, or of `pystruct_ext.outputs.Links`. Predictions are tuples of (row,
    column). `score` is 1 - AER, the alignment error rate of all examples together, each counted
    with the weight of its example: the F1 of the links where all are sure.

    References
    ----------
    Taskar, Lacoste-Julien and Klein, HLT 2005. Lacoste-Julien, Taskar, Klein and Jordan, HLT
    2006.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext import MatchingSVM
    >>> X = [np.array([[[2.0], [0.1]], [[1.5], [1.0]]]), np.array([[[0.2], [1.0]]])]
    >>> MatchingSVM(C=10).fit(X, [[(0, 0), (1, 1)], [(0, 1)]]).predict(X[:1])
    [((0, 0), (1, 1))]
    """

    _space_class = MatchingSpace
    space_: MatchingSpace

    def __init__(
        self,
        C: float | str | AutoC = 0.1,
        *,
        loss: str = "links",
        row_capacity: int | None = 1,
        column_capacity: int | None = 1,
        must_match: str | None = None,
        fertility: int = 0,
        adjacency: bool = False,
        false_cost: float = 1.0,
        miss_cost: float = 1.0,
        excess: str = "raise",
        fit_intercept: bool = True,
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
        self.row_capacity = row_capacity
        self.column_capacity = column_capacity
        self.must_match = must_match
        self.fertility = fertility
        self.adjacency = adjacency
        self.loss = loss
        self.false_cost = false_cost
        self.miss_cost = miss_cost
        self.excess = excess
        self.fit_intercept = fit_intercept
        self.dtype = dtype

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        if sample_weight is None:
            return 1.0 - float(link_report(y_true, y_pred).aer)
        right = links = 0.0
        for c, a, b in zip(sample_weight.tolist(), y_true, y_pred, strict=True):
            one = link_report([a], [b])
            right += c * (one.n_sure_found + one.n_possible_found)
            links += c * (one.n_predicted + one.n_sure)
        return right / links if links else float("nan")

    def split_weights(self) -> dict[str, Any]:
        """Weights by what they are for; see `MatchingSpace.split_weights`."""
        return self.space_.split_weights(np.asarray(self.coef_))


__all__ = ["MatchingSVM"]
