"""What the estimators of trees, folds, segments and alignments share."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators.structural import (
    BaseStructuralSVM,
    c_to_lam,
    effective_n_jobs,
)


class BaseStructureSVM(BaseStructuralSVM):
    """Fitting, prediction and the k best for spaces with a kernel of their own."""

    _kernel: ClassVar[ModuleType]

    def fit(
        self, X: Sequence[Any], y: Sequence[Any], sample_weight: ArrayLike | None = None
    ) -> BaseStructureSVM:
        """Train on examples X with outputs y.

        Parameters
        ----------
        X, y : lists of length n
            See the notes of the class.
        sample_weight : (n,) array-like, optional
            Weight of each example.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the argument, the example, what was seen and what was expected.
        """
        c_to_lam(self.C, 1)
        self._make_solver()
        self.space_ = self._make_space()
        packed = self.space_.fit_pack(X, y)
        self._solve(packed, sample_weight)
        return self

    @property
    def coef_(self) -> NDArray[np.floating]:
        """Weights, (size_psi,)."""
        if not hasattr(self, "_w"):
            raise AttributeError(
                f"this {type(self).__name__} is not fitted yet; call fit first"
            )
        return self._w

    def predict(self, X: Sequence[Any]) -> list[Any]:
        """Best output of every example."""
        check_is_fitted(self, "_w")
        return list(self._decode(self._w, X))

    def predict_k_best(self, X: Sequence[Any], k: int) -> list[list[tuple[float, Any]]]:
        """The k best outputs of every example.

        Parameters
        ----------
        X : list of n examples
        k : int
            Fewer are returned where there are fewer.

        Returns
        -------
        list of n lists of (score, output)
            Best first; distinct outputs.
        """
        check_is_fitted(self, "_w")
        if not isinstance(k, (int, np.integer)) or k < 1:
            raise ValueError(f"k must be an integer >= 1, got {k!r}")
        space: Any = self.space_
        packed = space.pack(X)
        oracle = space.bind(packed)
        out = []
        for i in range(oracle.n_blocks):
            codes, scores = self._kernel.k_best(oracle, self._w, i, int(k))
            out.append(
                [
                    (float(s), space.output_of(code, packed, i))
                    for s, code in zip(scores, codes.tolist(), strict=True)
                ]
            )
        return out

    def predict_marginals(
        self, X: Sequence[Any], temperature: float = 1.0
    ) -> list[NDArray[np.float64]]:
        """Probabilities of parts under ``exp(<w, psi> / temperature)``.

        These are scores, not calibrated probabilities: a structural SVM is not trained as
        a probabilistic model.

        Parameters
        ----------
        X : list of n examples
        temperature : float, default=1.0
            Larger is flatter.

        Returns
        -------
        list of n arrays
            See the notes of the class for what they hold.
        """
        return [p for p, _ in self._marginals(X, temperature)]

    def log_partition(
        self, X: Sequence[Any], temperature: float = 1.0
    ) -> NDArray[np.float64]:
        """``log sum_y exp(<w, psi(x, y)> / temperature)`` of every example, (n,)."""
        return np.array([z for _, z in self._marginals(X, temperature)])

    def _marginals(
        self, X: Sequence[Any], temperature: float
    ) -> list[tuple[NDArray[np.float64], float]]:
        check_is_fitted(self, "_w")
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature!r}")
        space: Any = self.space_
        oracle = space.bind(space.pack(X))
        return [
            self._kernel.marginals(oracle, self._w, i, float(temperature))
            for i in range(oracle.n_blocks)
        ]

    def score(self, X: Sequence[Any], y: Sequence[Any]) -> float:
        """The default metric of the structure on held-out examples; larger is better."""
        return self._default_metric(y, self.predict(X))

    def _threads(self) -> int:
        return effective_n_jobs(self.n_jobs)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_w")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = None
        tags.target_tags.required = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


__all__ = ["BaseStructureSVM"]
