"""Multiclass SVM."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_is_fitted,
    validate_data,
)

from pystruct_ext._core.ragged import check_sparse
from pystruct_ext.estimators._matrix_rows import RowsSVM
from pystruct_ext.estimators._whole import all_or_nothing
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import MulticlassSpace
from pystruct_ext.spaces.wide import as_csr
from pystruct_ext.utils.examples import as_examples, is_frame, refuse_iterator


@storable
class MulticlassSVM(ClassifierMixin, RowsSVM):
    """Crammer-Singer multiclass SVM with a certificate and any cost matrix.

    Minimises ``1/2 sum_k ||w_k||^2 + C sum_i s_i max_k [cost(y_i, k) + <w_k - w_{y_i},
    x_i>]``: with the default loss the problem of
    ``LinearSVC(multi_class="crammer_singer")`` at the same C.

    Parameters
    ----------
    C : float or AutoC, default=1.0
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    loss : {"zero_one", "hamming"}, (K, K) array or mapping, default="zero_one"
        Cost of a wrong class; see `pystruct_ext.losses.cost_matrix`.
    fit_intercept : bool, default=True
        Learn a constant per class, regularised like the other weights.
    intercept_scaling : float, default=1.0
        Value of the constant.
    dtype : {"float32", "float64"}, default="float64"
        Type of the weights.
    solver, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.
    tol : float or None, default=None
        Relative duality gap to reach. None means the solver's own tolerance, and 1e-9 as
        an aim on small problems (n * size_psi <= 100 000), where that takes milliseconds.

    Attributes
    ----------
    coef_ : (K, n_features) ndarray
    intercept_ : (K,) ndarray
    classes_ : (K,) ndarray
    n_features_in_ : int
    duality_gap_, primal_objective_, dual_objective_, certificate_, status_, n_iter_, \
n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    `score` is the (weighted) share of right classes. `predict_marginals` gives (K,)
    probabilities of the classes, or dicts; see `calibrate`.

    Weights are dense: ``n_features * K * 8`` bytes, K padded to a multiple of 8 (64 bytes a
    column for up to 8 classes), which a fit holds up to three times. Of sparse matrices with
    more than 2^20 columns, of which at most a quarter occur at fit, only the columns that
    occur have weights (``space_.columns_``); ``coef_`` is as wide as X once it is asked for.

    References
    ----------
    Crammer and Singer, JMLR 2001.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> MulticlassSVM().fit(X, y).score(X, y) > 0.95
    True
    """

    _space_class = MulticlassSpace
    _takes_matrices = True
    space_: MulticlassSpace

    def __init__(
        self,
        C: float | str | AutoC = 1.0,
        *,
        loss: Any = "zero_one",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        dtype: str = "float64",
        solver: str | Solver = "bcfw",
        tol: float | None = None,
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
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.dtype = dtype

    def _make_solver(self) -> Solver:
        solver = super()._make_solver()
        if self.solver == "bcfw":
            # With codes of length 1 the known cuts are cheap to revisit (measured on
            # digits: a third less time than without).
            solver.set_params(cached_passes=8)
        return solver

    @all_or_nothing
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> MulticlassSVM:
        """Train on rows X with classes y.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
        y : (n,) array-like
        sample_weight : (n,) array-like, optional
        groups : (n,) array-like, optional
            With ``C="auto"``: examples of one group are held out together.

        Returns
        -------
        self
        """
        refuse_iterator(X, "X")
        if not is_frame(y):  # scikit-learn has its own words for those
            y = as_examples(y, "y")
        check_sparse(X)
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], order="C"
        )
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(
                f"y has the single class {classes.tolist()[0]!r}, expected at least 2 "
                "(MulticlassSVM needs more than one class)"
            )
        self._train(self._training(X, y, sample_weight, groups))
        return self

    def _set_domain_attributes(self, X: Any, y: Any) -> None:
        self.classes_ = np.unique(y)
        self.n_features_in_ = self.space_.n_features_

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """Scores of the classes: (n, K), or (n,) for two classes (second minus first)."""
        check_is_fitted(self)
        rows = self._rows(X)
        coef, intercept = self.space_.split(self._w)
        if getattr(self.space_, "columns_", None) is not None:
            kept = as_csr(self.space_.pack(rows).rows)
            scores = (kept @ self._w.reshape(-1, self.space_.stride_))[:, : len(coef)]
        elif hasattr(rows, "indptr"):
            # SciPy would copy coef.T, which is as long as the width, to have it contiguous.
            table = self._w.reshape(-1, self.space_.stride_)[: rows.shape[1]]
            scores = (rows @ table)[:, : len(intercept)] + intercept
        else:
            scores = rows @ coef.T + intercept
        if len(self.classes_) == 2:
            return np.asarray(scores[:, 1] - scores[:, 0])
        return np.asarray(scores)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Class of every row, (n,)."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.asarray(self.classes_[(scores > 0).astype(int)])
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Share of right classes.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
        y : (n,) array-like
        sample_weight : (n,) array-like, optional
        """
        if not is_frame(y):
            y = as_examples(y, "y")
        return float(super().score(X, y, sample_weight))

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        right = np.asarray(y_true) == np.asarray(y_pred)
        return float(np.average(right, weights=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
