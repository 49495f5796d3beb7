"""Sequence alignment."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from pystruct_ext.estimators._scores import micro_f1
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import alignment_report
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import AlignmentSpace


@storable
class AlignmentSVM(BaseStructuralSVM):
    """Structural SVM that aligns two sequences with learned substitution and gap scores.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` where the hinge is over all alignments and
    the loss counts false and missed pairs; decoding is exact (affine gaps).

    Parameters
    ----------
    C : float or AutoC, default=0.1
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    mode, window, symmetric, false_cost, miss_cost, max_cells, dtype
        See `AlignmentSpace`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
    space_ : AlignmentSpace
    primal_objective_, dual_objective_, duality_gap_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    X is a list of pairs of sequences of letters (strings, or tuples of letters of several
    channels); y of alignments: per letter of the first sequence the position in the second,
    or -1. `predict_marginals` gives (n, m) probabilities of aligned pairs. `score` is F1 of the
    aligned pairs of all examples together, each counted with the weight of its example.

    Examples
    --------
    >>> from pystruct_ext import AlignmentSVM
    >>> X, y = [("ACGT", "AGT"), ("CCT", "CT")], [(0, -1, 1, 2), (0, -1, 1)]
    >>> AlignmentSVM(C=10).fit(X, y).predict([("ACT", "AT")])
    [(0, -1, 1)]
    """

    _space_class = AlignmentSpace
    space_: AlignmentSpace

    def __init__(
        self,
        C: float | str | AutoC = 0.1,
        *,
        mode: str = "global",
        window: int = 0,
        symmetric: bool = True,
        false_cost: float = 1.0,
        miss_cost: float = 1.0,
        max_cells: int = 25_000_000,
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
        self.mode = mode
        self.window = window
        self.symmetric = symmetric
        self.false_cost = false_cost
        self.miss_cost = miss_cost
        self.max_cells = max_cells
        self.dtype = dtype

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        return micro_f1(alignment_report, y_true, y_pred, sample_weight)

    def substitution_scores(self, channel: int = 0, offset: int = 0) -> Any:
        """Learned scores of aligned letters, (k, k) in the order of ``space_.letters_``."""
        return self.space_.substitution_scores(self.coef_, channel, offset)


__all__ = ["AlignmentSVM"]
