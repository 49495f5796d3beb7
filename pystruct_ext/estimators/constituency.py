"""Constituency parsing."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from pystruct_ext.estimators._scores import micro_f1
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import bracket_report
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import ConstituencySpace


@storable
class ConstituencySVM(BaseStructuralSVM):
    """Structural SVM for constituency trees, scored by spans or by the rules of a grammar.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` where the hinge is over all trees (of the
    grammar) and the loss is the number of labelled brackets that are in one of the trees
    only; decoding is exact (CKY).

    Parameters
    ----------
    C : float or AutoC, default=0.1
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    model, horizontal, vertical, span_features, splits, features, bits, split_bits, \
max_length, dtype
        See `ConstituencySpace`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
    space_ : ConstituencySpace
    primal_objective_, dual_objective_, duality_gap_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    X is a list of `Sentence` (words and their tags), y of `Tree`. `predict_marginals` gives
    (n + 1, n + 1, K) probabilities of labelled spans; model="spans" only. `score` is F1 of the
    labelled brackets of all trees together (`pystruct_ext.metrics.bracket_report`), each
    counted with the weight of its tree.

    Memory of a fit: 16 bytes per word, two times the weights (``2^bits K`` numbers of 4
    bytes for K labels, 64 MiB for 64 of them and rich features), and the working set, about
    16 bytes per word and cut.

    Examples
    --------
    >>> from pystruct_ext import ConstituencySVM, Tree
    >>> y = [Tree.parse("(S (NP (D the) (N dog)) (VP (V barks)))")]
    >>> model = ConstituencySVM(bits=8).fit([t.sentence() for t in y], y)
    >>> print(model.predict([(["a", "cat", "sleeps"], ["D", "N", "V"])])[0])
    (S (NP (D a) (N cat)) (VP (V sleeps)))
    """

    _space_class = ConstituencySpace
    space_: ConstituencySpace

    def __init__(
        self,
        C: float | str | AutoC = 0.1,
        *,
        model: str = "spans",
        horizontal: int = 1,
        vertical: int = 1,
        span_features: bool = True,
        splits: bool = True,
        features: str = "rich",
        bits: int | None = None,
        split_bits: int | None = None,
        max_length: int = 150,
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
        self.model = model
        self.horizontal = horizontal
        self.vertical = vertical
        self.span_features = span_features
        self.splits = splits
        self.features = features
        self.bits = bits
        self.split_bits = split_bits
        self.max_length = max_length
        self.dtype = dtype

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes fit together; called after loading."""
        super().check_loaded()
        # Files of before there were two sets are of the basic one.
        self.features = self.space_.features

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        return micro_f1(bracket_report, y_true, y_pred, sample_weight, "n_gold")


__all__ = ["ConstituencySVM"]
