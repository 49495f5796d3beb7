"""Clusterings of items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import b_cubed
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import ClusteringSpace
from pystruct_ext.utils.examples import as_examples


@storable
class ClusteringSVM(BaseStructuralSVM):
    """Structural SVM that clusters items by candidate pairs: supervised clustering.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)``, the hinge over all clusterings of the
    items, the loss counting falsely joined and missed pairs. The number of clusters follows
    from the learned scores: there is no threshold to tune.

    Parameters
    ----------
    C : float or AutoC, default=0.01
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    loss : {"items", "pairs"}, default="items"
        What a wrong pair costs: "items" by the sizes of the true clusters of its two items,
        so that every item counts the same; "pairs" the same for all pairs. It is the
        ``task_loss`` of `ClusteringSpace`.
    false_cost, miss_cost, fit_intercept, intercept_scaling, inference, dtype
        See `ClusteringSpace`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
        One weight per feature of pairs, then that of the intercept.
    space_ : ClusteringSpace
    primal_objective_, dual_objective_, duality_gap_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    X is a list of `PairGraph`; y of clusterings: an id for every item, of any kind. `predict`
    gives tuples of ids 0, 1, ... in the order of first items. `score` is B-cubed F1 of the
    items of all examples together, each counted with the weight of its example.

    The certificate is "bounded": each maximum over clusterings is found by a heuristic, and
    bounded from above, so that the gap is that of the real problem ("exact" with
    ``inference="exact"``).

    One large graph, such as all pairs of some thousand records, is a single example: cut it
    into many by `pystruct_ext.outputs.split_into_blocks` before the fit.

    Examples
    --------
    >>> from pystruct_ext import ClusteringSVM, PairGraph
    >>> X = [
    ...     PairGraph.complete(3, [[0.9], [0.1], [0.2]]),
    ...     PairGraph.complete(3, [[0.3], [0.2], [0.8]]),
    ... ]
    >>> model = ClusteringSVM(C=10).fit(X, [(0, 0, 1), "abb"])
    >>> model.predict([PairGraph.complete(3, [[0.1], [0.7], [0.2]])])
    [(0, 1, 0)]
    """

    _space_class = ClusteringSpace
    space_: ClusteringSpace

    def __init__(
        self,
        C: float | str | AutoC = 0.01,
        *,
        loss: str = "items",
        false_cost: float = 1.0,
        miss_cost: float = 1.0,
        fit_intercept: bool = True,
        intercept_scaling: float = 5.0,
        inference: str = "auto",
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
        self.false_cost = false_cost
        self.miss_cost = miss_cost
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.inference = inference
        self.dtype = dtype

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        return b_cubed(y_true, y_pred, sample_weight).f1

    def pair_scores(self, X: Any) -> list[NDArray[np.float64]]:
        """Learned scores of the candidate pairs of every graph; positive ones attract.

        Parameters
        ----------
        X : list of n PairGraph

        Returns
        -------
        list of n (E,) arrays
        """
        w = np.asarray(self.coef_, dtype=np.float64)
        X, space = as_examples(X), self.space_
        space.validate(X)
        constant = w[-1] * space.intercept_scaling if space.fit_intercept else 0.0
        return [x.features @ w[: space.n_features_] + constant for x in X]


__all__ = ["ClusteringSVM"]
