"""Multilabel SVM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from pystruct_ext._core.ragged import check_sparse
from pystruct_ext.estimators._arguments import check_weights
from pystruct_ext.estimators._label_margins import label_margins
from pystruct_ext.estimators._matrix_rows import RowsSVM
from pystruct_ext.estimators._training import (
    Training,
    check_c,
    check_groups,
    metric_of,
)
from pystruct_ext.estimators._whole import all_or_nothing
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver, SolverResult
from pystruct_ext.spaces import MultilabelSpace
from pystruct_ext.spaces.wide import as_csr
from pystruct_ext.utils.examples import OutputList, n_rows_of, refuse_iterator
from pystruct_ext.utils.label_sets import as_collections

# Up to this size_psi known cuts are revisited often.
_FEW = 1000


@storable
class MultilabelSVM(ClassifierMixin, RowsSVM):
    """Label sets, trained for the loss that counts, with weights of pairs of labels.

    Minimises ``1/2 ||w||^2 + C sum_i s_i max_z [Delta(y_i, z) + f(x_i, z) - f(x_i, y_i)]``
    with ``f(x, y) = sum_{k in y} <w_k, x> + sum_{(j, k)} v_jk [j in y and k in y]``.

    Parameters
    ----------
    C : float or AutoC, default=1.0
        Weight of the sum of hinges; "auto" finds it on examples that are held out, see
        `AutoC`: the best values of rows of many columns are a thousand times larger or smaller
        than those of others. A number trains once; with ``C=1`` a weight of an example is the
        same as so many copies of it, which held-out parts are not.
    loss : {"hamming", "subset", "f1"}, default="hamming"
        What a wrong set costs. "hamming": the number of wrong labels, and without
        interactions the problem of K times ``LinearSVC(loss="hinge")`` at the same C.
        "subset": 1 unless the set is right. "f1": 1 minus the F1 of the example.
    label_weight : (K,) array-like or mapping of label to weight, optional
        Weights >= 0 of the labels in the Hamming loss; 1 by default.
    miss_cost : float, default=1.0
        How many times a missed label costs what a false one does, in the Hamming loss. With
        `squared_slack` a label is then predicted from a probability of about
        ``1 / (1 + miss_cost)`` on, so that values above 1 raise recall and F1.
    interactions : {"auto", "none", "tree", "full"} or list of pairs, default="auto"
        The pairs of labels that have a weight. "tree": the maximum spanning tree of mutual
        information. "auto": all pairs of up to 10 labels; of more the tree, and none for the
        loss "f1". Pairs with a cycle among more than 14 labels: see the
        notes.
    label_sets : {"any", "seen"}, default="any"
        Which sets are predicted: any, or those of the examples of the fit.
    never_empty : bool or "auto", default="auto"
        Whether at least one label is predicted; "auto": if every example of the fit has one.
    max_labels : int, optional
        Most labels that are predicted.
    attractive : bool, default=False
        Weights of pairs are kept at 0 or above, by solvers that can; the best set is then found
        exactly with any pairs and any number of labels, as a minimum cut.
    inference : {"auto", "graph"}, default="auto"
        "graph": pairs in cycles are left to the graph decoder also where all sets of few labels
        could be gone through.
    fit_intercept : bool, default=True
        Learn a constant per label, regularised like the other weights.
    intercept_scaling : float, default=1.0
        Value of the constant.
    pair_scaling : float or "auto", default="auto"
        Value of the feature of a pair: the larger, the less its weight is regularised.
        "auto": the root mean square of the norms of the rows of the fit.
    set_scaling : float, default=0.0
        Value of one more feature for each set of the fit, of ``label_sets="seen"``: a constant
        of its own beside those of its labels, so that frequent sets win; 0: none.
    squared_slack : float, default=0.0
        Beside the hinge of an example each of its labels has a slack of its own, whose square
        costs ``1 / (2 squared_slack^2)``, as in the squared hinge of LinearSVC; 0 is none. It
        is the value of one more column for every example of the fit, so that a fit has n K
        weights more; they are left out of the result.
    dtype : {"float32", "float64"}, default="float64"
        Type of the weights.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (K, n_features) ndarray
    intercept_ : (K,) ndarray
    pair_scores_ : (K, K) ndarray
        What it adds to have both of two labels; 0 on the diagonal and for pairs without
        weight.
    sets_, set_scores_ : (n_sets, K) and (n_sets,) ndarray
        With ``label_sets="seen"``: the sets, and their constants.
    classes_ : (K,) ndarray
        Labels: 0 .. K - 1 for indicator arrays, the names of the columns of a data frame, or
        the sorted labels of collections.
    n_features_in_ : int
    duality_gap_, primal_objective_, dual_objective_, certificate_, status_, n_iter_, \
n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    y is an (n, K) array, sparse matrix or data frame of 0 and 1, or a list of n collections of
    labels; `predict` returns what it was given (tuples for collections, an array for a data
    frame). Single labels, (n,), are taken for classes: each row then gets exactly one, as from
    `MulticlassSVM`. `score` is the (weighted) share of sets that are right as wholes, as
    scikit-learn's for multilabel. `predict_marginals` gives (n, K) probabilities of the
    labels; see `calibrate`.

    Every maximum is found exactly (``certificate_`` is "exact"): by sorting without
    interactions, by dynamic programming over a tree, by going through all sets of up to 14
    labels, or through those that were seen. For pairs in cycles among more labels a graph
    decoder finds the maximum with ``attractive=True``, else a set and a bound ("bounded");
    the loss "f1" and `max_labels` then need ``label_sets="seen"``.

    A label whose column is always 0 or always 1 is learnt as any other.

    References
    ----------
    Finley and Joachims, ICML 2008 (pairs of labels); Petterson and Caetano, NIPS 2010, and
    Dembczynski et al., NIPS 2011 (F1).

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> X, Y = make_multilabel_classification(n_classes=4, random_state=0)
    >>> model = MultilabelSVM(C=0.01, interactions="full").fit(X, Y)
    >>> model.predict(X).shape, model.certificate_
    ((100, 4), 'exact')
    """

    _space_class = MultilabelSpace
    _takes_matrices = True
    space_: MultilabelSpace

    def __init__(
        self,
        C: float | str | AutoC = 1.0,
        *,
        loss: str = "hamming",
        label_weight: Any = None,
        miss_cost: float = 1.0,
        interactions: Any = "auto",
        label_sets: str = "any",
        never_empty: bool | str = "auto",
        max_labels: int | None = None,
        attractive: bool = False,
        inference: str = "auto",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        pair_scaling: float | str = "auto",
        set_scaling: float = 0.0,
        squared_slack: float = 0.0,
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
        self.label_weight = label_weight
        self.miss_cost = miss_cost
        self.interactions = interactions
        self.label_sets = label_sets
        self.never_empty = never_empty
        self.max_labels = max_labels
        self.attractive = attractive
        self.inference = inference
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.pair_scaling = pair_scaling
        self.set_scaling = set_scaling
        self.squared_slack = squared_slack
        self.dtype = dtype

    def _make_solver(self) -> Solver:
        solver = super()._make_solver()
        space = getattr(self, "space_", None)
        if self.solver == "bcfw" and space is not None and space.size_psi_ <= _FEW:
            # Known cuts are cheap to revisit; it helps where rows are far from the origin.
            solver.set_params(cached_passes=8)
        return solver

    @all_or_nothing
    def fit(
        self,
        X: ArrayLike,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> MultilabelSVM:
        """Train on rows X with label sets y.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
        y : (n, K) array, sparse matrix or data frame of 0 and 1, or n collections of labels
            See the notes of the class.
        sample_weight : (n,) array-like, optional
        groups : (n,) array-like, optional
            With ``C="auto"``: examples of one group are held out together.

        Returns
        -------
        self
        """
        check_c(self.C, groups)
        refuse_iterator(X, "X")
        refuse_iterator(y, "y")
        if y is None:
            raise ValueError(
                "MultilabelSVM requires y to be passed, but the target y is None"
            )
        check_sparse(X)
        X = validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], order="C"
        )
        if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)  # as scikit-learn has it
        if getattr(y, "ndim", 0) == 1 and y.dtype.kind != "O":
            if y.dtype.kind == "f":
                assert_all_finite(y, input_name="y")
            check_classification_targets(y)
        self._make_solver()
        space: Any = self._make_space()
        weight = check_weights(sample_weight, n_rows_of(X))
        packed = space.fit_pack(X, y, weight)
        self.space_ = space
        self._set_domain_attributes(X, y)
        numbers = check_groups(groups, n_rows_of(X))
        self._train(Training(packed, weight, X, y, numbers))
        return self

    def _held_out_truth(self, training: Training) -> NDArray[np.int64]:
        return np.asarray(self.space_.codes_of(training.y), dtype=np.int64)

    def _held_out_metric(
        self, scoring: Any
    ) -> Callable[[Any, Any, NDArray | None], float]:
        # Sets of labels as rows of 0 and 1, whatever their form.
        def default(y_true: Any, y_pred: Any, weight: NDArray | None) -> float:
            right = (np.asarray(y_true) == np.asarray(y_pred)).all(axis=1)
            return float(np.average(right, weights=weight))

        metric = metric_of(scoring, default)
        return lambda y_true, y_pred, weight: metric(
            np.array(y_true), np.array(y_pred), weight
        )

    def _decode_blocks(
        self, w: NDArray[np.floating], training: Training, oracle: Any, ids: NDArray
    ) -> list[Any]:
        codes, _ = oracle.decode_flat(w, ids, self._threads())
        table = codes.reshape(-1, len(self.space_.classes_))
        return list(table.astype(np.int64))

    @property
    def pair_scores_(self) -> NDArray[np.floating]:
        """What it adds to have both of two labels, (K, K)."""
        pairs = self.space_.split(self._fitted_weights())[2]
        k = len(self.space_.classes_)
        table = np.zeros((k, k), dtype=pairs.dtype)
        a, b = self.space_.edges_.T
        table[a, b] = table[b, a] = pairs
        return table

    @property
    def sets_(self) -> NDArray[np.int64]:
        """The sets of ``label_sets="seen"``, (n_sets, K) of 0 and 1."""
        check_is_fitted(self, "_w")
        return self.space_.seen_.astype(np.int64)

    @property
    def set_scores_(self) -> NDArray[np.floating]:
        """What each of `sets_` scores beyond its labels and pairs, (n_sets,)."""
        w, space = self._fitted_weights(), self.space_
        if not space.set_scaling:
            return np.zeros(len(space.seen_), dtype=w.dtype)
        return w[len(w) - len(space.seen_) :] * space.set_scaling

    def _label_scores(self, rows: Any) -> NDArray[np.float64]:
        """Scores of the labels alone, (n, K)."""
        k = len(self.space_.classes_)
        kept = as_csr(self.space_.pack(rows).rows)
        n_features = kept.shape[1]
        table = self._w[: n_features * self.space_.stride_]
        scores = kept @ table.reshape(n_features, self.space_.stride_)
        return np.asarray(scores[:, :k], dtype=np.float64)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """How much better the best set with a label is than the best one without.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix

        Returns
        -------
        (n, K) ndarray
            Positive for the labels that are predicted; (n,) where y was one of two classes.
            Without interactions and limits on the sets it is ``<w_k, x> + b_k``.
        """
        check_is_fitted(self, "_w")
        rows = self._rows(X)
        margins = label_margins(self.space_, self._w, rows, self._label_scores(rows))
        if self.space_.form_ == "classes" and len(self.classes_) == 2:
            return margins[:, 1]
        return margins

    def predict(self, X: ArrayLike) -> Any:
        """Label sets in the form given to `fit`.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix

        Returns
        -------
        (n, K) ndarray or CSR matrix of 0 and 1, list of n tuples of labels, or (n,) ndarray
        """
        check_is_fitted(self, "_w")
        return self._decode(self._w, X)

    def _set_result(self, result: SolverResult, lam: float) -> None:
        result.coef = self.space_.without_slacks(result.coef)
        super()._set_result(result, lam)

    def _codes(self, w: NDArray[np.floating], rows: Any) -> NDArray[np.int64]:
        w = self.space_.without_slacks(w)
        packed = self.space_.pack(rows)
        codes = self.space_.decode_codes(w, packed, self._threads())
        return codes.astype(np.int64)

    def _decode(self, w: NDArray[np.floating], X: Any) -> Any:
        codes, form = self._codes(w, self._rows(X)), self.space_.form_
        if form == "labels":
            return OutputList(as_collections(codes, self.space_.classes_))
        if form == "classes":
            return self.classes_[codes.argmax(axis=1)]
        if form == "sparse":
            from scipy.sparse import csr_array

            return csr_array(codes)
        return codes

    def score(
        self, X: ArrayLike, y: Any, sample_weight: ArrayLike | None = None
    ) -> float:
        """Share of label sets that are right as wholes.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
        y : label sets in any form
        sample_weight : (n,) array-like, optional
        """
        check_is_fitted(self, "_w")
        codes = self._codes(self._w, self._rows(X))
        weight = check_weights(sample_weight, len(codes))
        return self._default_metric(y, codes, weight)

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        true, found = self.space_.codes_of(y_true), self.space_.codes_of(y_pred)
        if len(true) != len(found):
            raise ValueError(
                "X and y must have the same number of examples, got "
                f"{len(found)} and {len(true)}"
            )
        return float(np.average((true == found).all(axis=1), weights=sample_weight))

    def predict_marginals(  # type: ignore[override]
        self, X: Any, temperature: float | None = None, *, as_dicts: bool = False
    ) -> Any:
        """Probabilities of the labels under ``exp(f(x, y) / temperature)``.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
        temperature : float, optional
            Larger is flatter; by default `temperature_` of `calibrate`, or 1.
        as_dicts : bool, default=False
            One dict label -> probability for each example in place of an array.

        Returns
        -------
        (n, K) ndarray, or list of n dicts
        """
        found = super().predict_marginals(X, temperature, as_dicts=as_dicts)
        if as_dicts:
            return found
        k = len(self.space_.classes_)
        return np.array(found, dtype=np.float64).reshape(-1, k, 2)[:, :, 1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags


__all__ = ["MultilabelSVM"]
