"""What estimators share whose examples are the rows of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from pystruct_ext._core.ragged import check_sparse
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.spaces import OutputSpace
from pystruct_ext.utils.examples import refuse_iterator
from pystruct_ext.utils.fitted import Fitted

# Up to this n * size_psi a fit aims at many digits.
_SMALL = 100_000


class RowsSVM(BaseStructuralSVM):
    """Classes, or labels, of rows; ``space_.split(w)`` gives their weights and constants.

    Of wide sparse matrices only the columns that occurred have weights: ``space_.columns_``.
    """

    space_: Any
    classes_: NDArray[Any]
    n_features_in_: int

    def _set_domain_attributes(self, X: Any, y: Any) -> None:
        self.classes_ = np.array(self.space_.classes_)
        self.n_features_in_ = self.space_.n_features_

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes fit together."""
        super().check_loaded()
        if not hasattr(self, "space_"):
            return  # never fitted: the parameter of another estimator
        fitted, space = Fitted(self), self.space_
        classes = fitted.instance("classes_", np.ndarray)
        if classes.ndim != 1 or len(classes) != len(space.classes_):
            raise ValueError(
                f"{type(self).__name__}.classes_ are not as many as those of its space"
            )
        fitted.equal("n_features_in_", space.n_features_)

    def _aim(self, space: OutputSpace, n: int) -> float | None:
        # With a unique optimum reached to many digits, weights and repetitions of an
        # example are the same thing also in the last digits of coef_.
        small = n * space.size_psi_ <= _SMALL
        return (
            1e-9
            if small and self.tol is None and isinstance(self.solver, str)
            else None
        )

    @property
    def coef_(self) -> NDArray[np.floating]:
        """Weights of the features, (..., n_features), a row for each class or label."""
        w = self._fitted_weights()
        table: NDArray[np.floating] = self.space_.split(w)[0]
        columns = getattr(self.space_, "columns_", None)
        if columns is None:
            return table
        wide = np.zeros((*table.shape[:-1], self.n_features_in_), dtype=w.dtype)
        wide[..., columns[: table.shape[-1]]] = table
        return wide

    @property
    def intercept_(self) -> NDArray[np.floating]:
        """Constants, one for each row of `coef_`."""
        w = self._fitted_weights()
        constants: NDArray[np.floating] = self.space_.split(w)[1]
        return constants

    def _rows(self, X: Any) -> Any:
        check_sparse(X)
        refuse_iterator(X, "X")
        return validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False
        )


__all__ = ["RowsSVM"]
