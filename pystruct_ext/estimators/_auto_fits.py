"""The search for C where training takes rounds: every point is a fit of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.estimators._arguments import check_weights
from pystruct_ext.estimators._auto_search import Point, Problem, quiet, starting_c
from pystruct_ext.utils.examples import n_rows_of, pick

# A C at which weights are those of one step from 0.
_TINY = 1e-12


class FitProblem(Problem):
    """Examples of which parts are fitted anew at every C.

    Parameters
    ----------
    make : callable
        ``make(C, start)``: an unfitted estimator; `start` is the fitted one of the C before, or
        None.
    X, y : n examples; y may be None
    weight : (n,) array-like or None
    packing : mapping of str to sequences of n
        What else ``fit`` takes.
    groups : (n,) int64 or None
    metric : callable
        ``metric(y_true, y_pred, weight)``; X in the place of y_true where y is None.
    """

    def __init__(
        self,
        make: Callable[[float, Any], Any],
        X: Any,
        y: Any,
        weight: ArrayLike | None,
        packing: Mapping[str, Any],
        groups: NDArray[np.int64] | None,
        metric: Callable[[Any, Any, NDArray | None], float],
    ) -> None:
        self.make = make
        self.X, self.y = X, y
        self.n = n_rows_of(X)
        self.weight = check_weights(weight, self.n)
        self.packing = packing
        self.groups = groups
        self.metric = metric

    def _fitted(self, model: Any, ids: NDArray[np.int64]) -> Any:
        some = ids.tolist()
        y = None if self.y is None else pick(self.y, some)
        weight = None if self.weight is None else self.weight[ids]
        more = {
            k: None if v is None else pick(v, some) for k, v in self.packing.items()
        }
        with quiet():
            return model.fit(pick(self.X, some), y, weight, **more)

    def first_c(self, train: NDArray[np.int64]) -> float:
        """From a fit at a C so small that w is C times the sum of the violated cuts."""
        model = self._fitted(self.make(_TINY, None), train)
        return starting_c(
            model.primal_objective_ / _TINY, _square_norm(model) / _TINY**2
        )

    def solve(
        self, train: NDArray[np.int64], test: NDArray[np.int64], C: float, start: Any
    ) -> Point:
        """Fit on some examples, predict the others."""
        began = time.perf_counter()
        model = self._fitted(self.make(C, start), train)
        seconds = time.perf_counter() - began
        info = getattr(model, "solver_info_", {})
        stopped = "interrupted" in (model.status_, info.get("ended_by"))
        predicted: list[Any] = []
        if not stopped:
            predicted = list(model.predict(pick(self.X, test.tolist())))
        share = 0.5 * _square_norm(model) / max(model.primal_objective_, 1e-300)
        return Point(
            predicted,
            model.relative_gap_,
            model.certificate_,
            model.n_oracle_calls_,
            "interrupted" if stopped else model.status_,
            seconds,
            1 - share,
            model,
            model,
        )

    def score(self, test: NDArray[np.int64], predicted: list[Any]) -> float:
        """The metric of held-out examples."""
        some = test.tolist()
        truth = pick(self.X if self.y is None else self.y, some)
        weight = None if self.weight is None else self.weight[test]
        return float(self.metric(truth, predicted, weight))


def _square_norm(model: Any) -> float:
    """``||w||^2`` of an estimator, or of the one that a latent one holds."""
    w = np.asarray(getattr(model, "estimator_", model)._w, dtype=np.float64)
    return float(w @ w)


def take_over(estimator: Any, model: Any) -> None:
    """Give an estimator the fitted attributes of a clone."""
    params = estimator.get_params(deep=False)
    vars(estimator).update({k: v for k, v in vars(model).items() if k not in params})


__all__ = ["FitProblem", "take_over"]
