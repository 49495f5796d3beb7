"""Segmentation with a semi-Markov chain."""

from __future__ import annotations

from functools import partial
from typing import Any

from numpy.typing import NDArray

from pystruct_ext.estimators._scores import micro_f1
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import segment_report
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import SegmentSpace


@storable
class SegmentSVM(BaseStructuralSVM):
    """Structural SVM that cuts sequences into labelled segments.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` where the hinge is over all segmentations
    and the loss is on tokens or on segments; decoding is exact.

    Parameters
    ----------
    C : float or AutoC, default=0.1
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    loss, outside, max_length, boundary, n_lengths, template, min_count, hash_bits, dtype
        See `SegmentSpace`; `loss` is its `task_loss`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
    space_ : SegmentSpace
    primal_objective_, dual_objective_, duality_gap_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    X as for `SequenceSVM`; y is a list of segmentations: lists of (start, end, label), end
    exclusive. `pystruct_ext.outputs.segments` converts BIO tags and labels per token.
    `predict_marginals` gives (n + 1, n + 1, K) probabilities of segments. `score` is F1 of the
    segments of all examples together, those labelled `outside` left out, each counted with the
    weight of its example.

    Memory of a fit: the features, weights (three rows of K numbers of 4 bytes per feature
    and label, K padded to a multiple of 8) twice, and the working set.

    Examples
    --------
    >>> from pystruct_ext import SegmentSVM
    >>> X = [[["w=the"], ["w=dog"], ["w=runs"]]]
    >>> y = [[(0, 2, "NP"), (2, 3, "VP")]]
    >>> SegmentSVM(C=10).fit(X, y).predict(X)
    [[(0, 2, 'NP'), (2, 3, 'VP')]]
    """

    _space_class = SegmentSpace
    space_: SegmentSpace

    def __init__(
        self,
        C: float | str | AutoC = 0.1,
        *,
        loss: str = "segments",
        outside: Any = None,
        max_length: Any = None,
        boundary: bool = True,
        n_lengths: int = 20,
        template: str | None = None,
        min_count: int = 1,
        hash_bits: int | None = None,
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
        self.outside = outside
        self.max_length = max_length
        self.boundary = boundary
        self.n_lengths = n_lengths
        self.template = template
        self.min_count = min_count
        self.hash_bits = hash_bits
        self.dtype = dtype

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        report = partial(segment_report, outside=self.outside)
        return micro_f1(report, y_true, y_pred, sample_weight)


__all__ = ["SegmentSVM"]
