"""Checks for estimators whose examples are ragged, after scikit-learn's."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

MakeData = Callable[[np.random.Generator], tuple[Sequence[Any], Sequence[Any]]]


class EstimatorCheckError(AssertionError):
    """An estimator failed a check."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise EstimatorCheckError(message)


def check_structured_estimator(
    estimator: Any, make_data: MakeData, *, random_state: int = 0
) -> None:
    """Check scikit-learn's contract for lists of structured examples.

    Parameters
    ----------
    estimator : estimator
        Unfitted. Its own tolerance should be small (1e-4), since optima are compared.
    make_data : callable
        ``make_data(rng) -> (X, y)``, about a dozen examples.
    random_state : int, default=0

    Raises
    ------
    EstimatorCheckError
        Saying what broke.

    Examples
    --------
    >>> from pystruct_ext import SequenceSVM
    >>> def make_data(rng):
    ...     X = [rng.normal(size=(4, 3)) for _ in range(12)]
    ...     return X, [[("a", "b")[int(v > 0)] for v in x[:, 0]] for x in X]
    >>> check_structured_estimator(SequenceSVM(tol=1e-4, dtype="float64"), make_data)
    """
    rng = np.random.default_rng(random_state)
    X, y = make_data(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _check_parameters(estimator)
        _check_unfitted(estimator, X)
        _check_fit(estimator, X, y)
        _check_weights(estimator, X, y)
        _check_bad_input(estimator, X, y)
        _check_grid_search(estimator, X, y)


def _check_parameters(estimator: Any) -> None:
    copy = clone(estimator)
    params = copy.get_params(deep=False)
    for name, value in params.items():
        _require(
            getattr(copy, name) is value, f"__init__ must store {name} as it is given"
        )
    copy.set_params(C=0.25)
    _require(copy.get_params()["C"] == 0.25, "set_params(C=...) has no effect")
    _require(estimator.get_params()["C"] is not None, "C must be a parameter")
    _require(
        "<" in copy._repr_html_() if hasattr(copy, "_repr_html_") else True, "HTML"
    )


def _check_unfitted(estimator: Any, X: Any) -> None:
    copy = clone(estimator)
    fitted = [k for k in vars(copy) if k.endswith("_") and not k.startswith("_")]
    _require(not fitted, f"fitted attributes exist before fit: {fitted}")
    try:
        copy.predict(X)
    except NotFittedError:
        return
    raise EstimatorCheckError("predict before fit must raise NotFittedError")


def _check_fit(estimator: Any, X: Any, y: Any) -> None:
    copy = clone(estimator)
    before = {k: repr(v) for k, v in copy.get_params().items()}
    X_copy, y_copy = deepcopy(X), deepcopy(y)
    _require(copy.fit(X, y) is copy, "fit must return self")
    after = {k: repr(v) for k, v in copy.get_params().items()}
    _require(before == after, "fit must not change parameters")
    _require(
        pickle.dumps((X, y)) == pickle.dumps((X_copy, y_copy)),
        "fit must not change X or y",
    )
    predicted = copy.predict(X)
    _require(len(predicted) == len(X), "predict must give one output per example")
    again = clone(estimator).fit(X, y)
    _require(
        np.array_equal(again._w, copy._w), "two fits on the same data must be identical"
    )
    refit = copy.fit(X, y)
    _require(
        np.array_equal(refit._w, again._w), "a second fit must not remember the first"
    )
    restored = pickle.loads(pickle.dumps(copy))
    _require(_equal(restored.predict(X), predicted), "pickling must keep predictions")
    _require(
        copy.dual_objective_ <= copy.primal_objective_ * (1 + 1e-4) + 1e-9,
        "the dual must not exceed the primal",
    )
    _require(np.isfinite(copy.score(X, y)), "score must be finite")


def _equal(a: Any, b: Any) -> bool:
    return all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))


def _check_weights(estimator: Any, X: Any, y: Any) -> None:
    n = len(X)
    weight = np.resize([1.0, 2.0, 0.0], n)
    repeat = np.repeat(np.arange(n), weight.astype(int))
    C = 0.5
    weighted = clone(estimator).set_params(C=C).fit(X, y, sample_weight=weight)
    repeated = clone(estimator).set_params(C=C)
    repeated.fit([X[i] for i in repeat], [y[i] for i in repeat])
    slack = 2 * (abs(weighted.duality_gap_) + abs(repeated.duality_gap_)) + 1e-6
    _require(
        abs(weighted.primal_objective_ - repeated.primal_objective_) <= slack,
        "sample_weight must be the same as repeating (and dropping) examples: objectives "
        f"{weighted.primal_objective_} and {repeated.primal_objective_}",
    )


def _check_bad_input(estimator: Any, X: Any, y: Any) -> None:
    cases: list[tuple[str, dict[str, Any], Any, Any]] = [
        ("C = 0", {"C": 0.0}, X, y),
        ("C < 0", {"C": -1.0}, X, y),
        ("an unknown solver", {"solver": "no such solver"}, X, y),
        ("X and y of different lengths", {}, X, y[:-1]),
        ("no examples", {}, X[:0], y[:0]),
    ]
    for name, params, a, b in cases:
        try:
            clone(estimator).set_params(**params).fit(a, b)
        except (ValueError, TypeError) as error:
            _require(len(str(error)) > 10, f"{name}: the message {error} says nothing")
        else:
            raise EstimatorCheckError(f"{name}: fit must raise ValueError or TypeError")
    try:
        clone(estimator).fit(X, y, sample_weight=np.full(len(X), -1.0))
    except ValueError:
        return
    raise EstimatorCheckError("negative sample_weight must raise ValueError")


def _check_grid_search(estimator: Any, X: Any, y: Any) -> None:
    from sklearn.model_selection import GridSearchCV, KFold

    search = GridSearchCV(
        clone(estimator), {"C": [0.1, 1.0]}, cv=KFold(3), n_jobs=2, error_score="raise"
    )
    search.fit(list(X), list(y))
    _require(search.best_params_["C"] in (0.1, 1.0), "GridSearchCV found no C")
