"""Multiclass SVM whose classes have hidden subclasses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from pystruct_ext._core.ragged import check_sparse
from pystruct_ext.estimators._whole import all_or_nothing
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.multiclass import MulticlassSVM
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import SubclassSpace
from pystruct_ext.spaces.wide import as_csr
from pystruct_ext.utils.examples import (
    as_examples,
    is_frame,
    is_missing,
    refuse_iterator,
)
from pystruct_ext.utils.fitted import Fitted


@storable
class SubclassSVM(MulticlassSVM):
    """Multiclass SVM with several weight vectors for each class: mixtures of linear classes.

    A class is predicted where one of its subclasses scores best, so that a class may consist
    of several regions: ``max_h <w_{y, h}, x>``. Which subclass a training example belongs to is
    hidden, and found by ``LatentStructuralSVM(SubclassSVM(n_subclasses=3)).fit(X, y)``.

    Parameters
    ----------
    C : float or AutoC, default=1.0
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    n_subclasses : int, default=2
        Of every class.
    loss, fit_intercept, intercept_scaling, dtype
        See `MulticlassSVM`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (K, n_subclasses, n_features) ndarray
    intercept_ : (K, n_subclasses) ndarray
    classes_ : (K,) ndarray
    n_features_in_ : int
    duality_gap_, primal_objective_, dual_objective_, certificate_, status_, n_iter_, \
n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    Alone it is fitted on pairs ``(class, subclass)``, where the subclasses, 0 .. n_subclasses
    - 1, are known. The loss counts classes either way.

    References
    ----------
    Aiolli and Sperduti, JMLR 2005 (multi-prototype SVM).

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext import LatentStructuralSVM, SubclassSVM
    >>> X = np.array([[0, 0], [1, 1], [0, 1], [1, 0]] * 5, dtype=float)
    >>> y = X[:, 0] != X[:, 1]
    >>> model = LatentStructuralSVM(SubclassSVM(C=10), n_init=5).fit(X, y)
    >>> model.score(X, y)
    1.0
    """

    _space_class = SubclassSpace  # type: ignore[assignment]
    space_: SubclassSpace  # type: ignore[assignment]

    def __init__(
        self,
        C: float | str | AutoC = 1.0,
        *,
        loss: Any = "zero_one",
        n_subclasses: int = 2,
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
            C,
            loss=loss,
            fit_intercept=fit_intercept,
            intercept_scaling=intercept_scaling,
            dtype=dtype,
            solver=solver,
            tol=tol,
            max_iter=max_iter,
            max_time=max_time,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
            callback=callback,
        )
        self.n_subclasses = n_subclasses

    @all_or_nothing
    def fit(
        self,
        X: ArrayLike,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> SubclassSVM:
        """Train on rows X with pairs of class and subclass.

        Parameters
        ----------
        X : (n, n_features) array-like or sparse matrix
        y : list of n pairs (class, subclass)
        sample_weight : (n,) array-like, optional
        groups : (n,) array-like, optional
            With ``C="auto"``: examples of one group are held out together.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a subclass is missing: `LatentStructuralSVM` finds them.
        """
        refuse_iterator(X, "X")
        check_sparse(X)
        y = as_examples(y, "y")
        X = validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], order="C"
        )
        self._train(self._training(X, y, sample_weight, groups))
        return self

    def _latent_examples(self, X: Any, y: Any) -> tuple[Any, list[Any]]:
        """Rows and classes as `LatentStructuralSVM` hands them to the space."""
        refuse_iterator(X, "X")
        check_sparse(X)
        if not is_frame(y):
            y = as_examples(y, "y")
        if isinstance(y, list):
            for i, label in enumerate(y):
                if is_missing(label):
                    raise ValueError(
                        f"y: the class of example {i} is missing ({label!r})"
                    )
        settings: dict[str, Any] = {
            "accept_sparse": "csr",
            "dtype": [np.float64, np.float32],
            "order": "C",
        }
        if isinstance(y, list) and any(isinstance(label, tuple) for label in y):
            return validate_data(self, X, **settings), y  # some subclasses are known
        X, y = validate_data(self, X, y, **settings)
        check_classification_targets(y)
        classes = y.tolist()
        if len(set(classes)) < 2:
            raise ValueError(
                f"y has the single class {classes[0]!r}, expected at least 2 (SubclassSVM "
                "needs more than one class)"
            )
        return X, classes

    def _set_domain_attributes(self, X: Any, y: Any) -> None:
        self.classes_ = np.array(self.space_.classes_)
        self.n_features_in_ = self.space_.n_features_

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes fit together."""
        super().check_loaded()
        if hasattr(self, "space_"):
            Fitted(self).equal("n_subclasses", int(self.space_.n_subclasses))

    def _subclass_scores(self, X: Any) -> NDArray[np.floating]:
        check_is_fitted(self)
        space = self.space_
        rows = as_csr(space.pack(self._rows(X)).rows)
        k, h = len(space.classes_), int(space.n_subclasses)
        scores = rows @ self._w.reshape(-1, space.rows_.stride_)
        return np.asarray(scores[:, : k * h]).reshape(-1, k, h)

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """Scores of the classes, those of their best subclasses.

        Returns
        -------
        (n, K) ndarray, or (n,) for two classes (second minus first)
        """
        scores = self._subclass_scores(X).max(axis=2)
        two = scores.shape[1] == 2
        return np.asarray(scores[:, 1] - scores[:, 0] if two else scores)

    def predict_subclass(self, X: ArrayLike) -> NDArray[np.intp]:
        """Subclass 0 .. n_subclasses - 1 of the predicted class, (n,)."""
        scores = self._subclass_scores(X)
        best = scores.max(axis=2).argmax(axis=1)
        return np.asarray(scores[np.arange(len(scores)), best].argmax(axis=1))


__all__ = ["SubclassSVM"]
