"""The battery for estimators whose examples are not rows of a matrix."""

from __future__ import annotations

import importlib
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict

from pystruct_ext.testing._cases import same, snapshot

MakeData = Callable[[np.random.Generator], tuple[Sequence[Any], Sequence[Any]]]
EstimatorCheck = Callable[[Any, Sequence[Any], Sequence[Any]], None]


class EstimatorCheckError(AssertionError):
    """An estimator breaks a promise; names the check, what was seen and expected."""

    def __init__(self, check: str, what: str, *, seen: Any, expected: Any) -> None:
        self.check = check
        self.seen = seen
        self.expected = expected
        super().__init__(f"{check}: {what}; seen {seen!r}, expected {expected!r}")


def _fail(check: str, what: str, seen: Any, expected: Any) -> None:
    raise EstimatorCheckError(check, what, seen=seen, expected=expected)


def _fit(estimator: Any, X: Any, y: Any, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y, **kwargs)


def _raises(
    check: str,
    what: str,
    kinds: tuple[type[BaseException], ...],
    call: Callable[[], Any],
) -> str:
    """The message of the exception that the call must raise."""
    try:
        seen: Any = call()
    except kinds as error:
        return str(error)
    except Exception as error:
        seen = error
    _fail(check, what, seen, " or ".join(kind.__name__ for kind in kinds))
    return ""


def _same_params(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return list(a) == list(b) and all(same(a[k], b[k]) for k in a)


def check_params(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """get_params, set_params and clone, nested ones included; the constructor only stores."""
    name = "check_params"
    shallow = estimator.get_params(deep=False)
    for key, value in shallow.items():
        if getattr(estimator, key) is not value:
            _fail(name, f"attribute {key}", getattr(estimator, key), value)
    built = type(estimator)(**shallow)
    for key, value in shallow.items():
        if getattr(built, key) is not value:
            _fail(name, f"the constructor changes {key}", getattr(built, key), value)
    fitted = sorted(k for k in vars(built) if k.endswith("_") and not k.startswith("_"))
    if fitted:
        _fail(name, "fitted attributes before fit", fitted, [])
    copied = clone(estimator)
    if not _same_params(copied.get_params(), estimator.get_params()):
        _fail(
            name,
            "clone changes parameters",
            copied.get_params(),
            estimator.get_params(),
        )
    deep = estimator.get_params(deep=True)
    for key, value in deep.items():
        if "__" not in key:
            continue
        copied.set_params(**{key: value})
        parent, _, child = key.partition("__")
        if getattr(copied, parent) is getattr(estimator, parent):
            _fail(name, f"clone shares {parent}", "the same object", "a copy")
        if not same(getattr(copied, parent).get_params()[child], value):
            seen = getattr(copied, parent).get_params()[child]
            _fail(name, f"set_params({key}=...)", seen, value)
    what = "set_params with an unknown name"
    _raises(name, what, (ValueError,), lambda: copied.set_params(no_such_parameter=1))


def check_fit(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """``fit`` returns self, keeps parameters and inputs, and repeats itself exactly."""
    name, model = "check_fit", clone(estimator)
    # Values, too: a parameter may be the same object, and changed.
    params = snapshot({k: v for k, v in model.get_params().items() if k != "callback"})[
        0
    ]
    given = model.get_params(deep=False)
    data = snapshot(X, y)
    if _fit(model, X, y) is not model:
        _fail(name, "fit returns", "another object", "self")
    for key, value in model.get_params(deep=False).items():
        if value is not given[key]:
            _fail(name, f"fit replaces the parameter {key}", value, given[key])
    after = {k: v for k, v in model.get_params().items() if k != "callback"}
    if not _same_params(after, params):
        _fail(name, "fit changes parameters", after, params)
    if not same((X, y), data):
        _fail(name, "fit changes its inputs", "changed", "as before")
    first = model.predict(X)
    if not same((X, y), data):
        _fail(name, "predict changes its inputs", "changed", "as before")
    coef = _dense(model.coef_).copy()
    _fit(model, X, y)
    if not np.array_equal(_dense(model.coef_), coef):
        seen = float(np.abs(_dense(model.coef_) - coef).max())
        _fail(name, "largest change of coef_ when fitted again", seen, 0.0)
    if not same(list(model.predict(X)), list(first)):
        _fail(name, "predictions when fitted again", "others", "the same")
    other = _fit(clone(estimator), X, y)
    if not np.array_equal(_dense(other.coef_), coef):
        _fail(name, "coef_ of a clone fitted on the same data", "other", "the same")


def _dense(coef: Any) -> Any:
    return coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef)


def check_fitted_state(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """Fitted attributes end in "_", are absent before fit; NotFittedError until then."""
    name, model = "check_fitted_state", clone(estimator)
    public = set(vars(model))
    for method in ("predict", "score"):
        args = (X,) if method == "predict" else (X, y)
        what = f"{method} before fit"
        _raises(name, what, (NotFittedError,), partial(getattr(model, method), *args))
    for attribute in ("coef_", "classes_", "duality_gap_", "space_"):
        if hasattr(model, attribute):
            _fail(name, f"{attribute} before fit", "an attribute", "none")
    _fit(model, X, y)
    new = sorted(set(vars(model)) - public)
    bad = [k for k in new if not k.startswith("_") and not k.endswith("_")]
    if bad:
        _fail(name, "attributes set by fit that do not end in _", bad, [])
    for attribute in ("coef_", "duality_gap_", "certificate_", "status_", "n_iter_"):
        if not hasattr(model, attribute):
            _fail(name, f"{attribute} after fit", "no attribute", "an attribute")
    if model.certificate_ == "exact" and model.duality_gap_ < -1e-4 * (
        1 + abs(model.primal_objective_)
    ):
        _fail(name, "duality_gap_", model.duality_gap_, ">= 0")


def check_pickle(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """A pickled model predicts and scores as before; so does an unfitted one, once fitted."""
    name, model = "check_pickle", _fit(clone(estimator), X, y)
    back = pickle.loads(pickle.dumps(model))
    if not same(list(back.predict(X)), list(model.predict(X))):
        _fail(name, "predictions after pickling", "others", "the same")
    if not _same_params(back.get_params(), model.get_params()):
        _fail(name, "parameters after pickling", back.get_params(), model.get_params())
    unfitted = pickle.loads(pickle.dumps(clone(estimator)))
    if not same(list(_fit(unfitted, X, y).predict(X)), list(model.predict(X))):
        _fail(name, "fit after pickling predicts", "others", "the same")


def check_predict(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """Predictions have the length of X, one by one as together; the score is in range."""
    name, model = "check_predict", _fit(clone(estimator), X, y)
    together = model.predict(X)
    if len(together) != len(X):
        _fail(name, "number of predictions", len(together), len(X))
    for i in range(len(X)):
        alone = model.predict(X[i : i + 1])
        if len(alone) != 1 or not same(alone[0], together[i]):
            _fail(name, f"example {i} predicted alone", alone, [together[i]])
    score = model.score(X, y)
    if not (np.isfinite(score) and score <= 1.0):
        _fail(name, "score", score, "a finite number <= 1")
    perfect = model.score(X, together)
    if perfect < score or perfect not in (0.0, 1.0):
        _fail(
            name,
            "score against the model's own predictions",
            perfect,
            "0 or 1, the top",
        )


def _interval(model: Any) -> tuple[float, float]:
    return model.dual_objective_, model.primal_objective_


def _same_optimum(check: str, what: str, a: Any, b: Any) -> None:
    """The intervals [dual, primal] of two certified fits of one problem overlap."""
    (low_a, high_a), (low_b, high_b) = _interval(a), _interval(b)
    slack = 1e-4 * (1.0 + abs(high_a) + abs(high_b))
    if low_a > high_b + slack or low_b > high_a + slack:
        _fail(check, what, (low_a, high_a), (low_b, high_b))


def check_sample_weight(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """Weight 2 is an example twice, weight 0 is an example removed, weight 1 is no weight.

    Objectives are sums over examples, so the same C belongs to the same problem.
    """
    name, n = "check_sample_weight", len(X)
    index = np.arange(n)
    times = 1 + index % 2
    weighted = _fit(clone(estimator), X, y, sample_weight=times.astype(float))
    repeated = np.repeat(index, times).tolist()
    twice = _fit(clone(estimator), [X[i] for i in repeated], [y[i] for i in repeated])
    if weighted.certificate_ != "none":
        what = "[dual, primal] with weights against repeated examples"
        _same_optimum(name, what, weighted, twice)
        # The first half is kept, and a second copy of it has weight zero: same domain.
        doubled = [*X, *X], [*y, *y]
        zero = np.repeat([1.0, 0.0], n)
        removed = _fit(clone(estimator), *doubled, sample_weight=zero)
        plain = _fit(clone(estimator), X, y)
        what = "[dual, primal] with weight zero against removed examples"
        _same_optimum(name, what, removed, plain)
    ones = _fit(clone(estimator), X, y, sample_weight=np.ones(n))
    plain = _fit(clone(estimator), X, y)
    if not np.array_equal(_dense(ones.coef_), _dense(plain.coef_)):
        _fail(name, "coef_ with weights of one", "other", "as without weights")
    everyone = _fit(clone(estimator), X, y, sample_weight=[True] * n)
    if not np.array_equal(_dense(everyone.coef_), _dense(plain.coef_)):
        _fail(name, "coef_ with weights of True", "other", "as without weights")
    masked = np.ma.array(np.ones(n), mask=np.arange(n) == 1)
    for what, bad in (
        ("one too many", np.ones(n + 1)),
        ("negative", -np.ones(n)),
        ("NaN", np.full(n, np.nan)),
        ("all zero", np.zeros(n)),
        ("masked", masked),
        ("complex", np.ones(n) * 1j),
        ("strings", ["1"] * n),
    ):
        call = partial(_fit, clone(estimator), X, y, sample_weight=bad)
        message = _raises(name, f"sample_weight: {what}", (ValueError,), call)
        if "weight" not in message.lower():
            _fail(name, f"message for {what}", message, "the name sample_weight")


def check_grid_search(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """GridSearchCV over C in two processes works with labels that some folds never see.

    Scikit-learn's own splitters need examples that can be indexed by a list; lists are.
    """
    name = "check_grid_search"
    folds = _folds(len(X))
    search = GridSearchCV(
        clone(estimator), {"C": [0.1, 1.0]}, cv=folds, n_jobs=2, error_score="raise"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(list(X), list(y))
    scores = search.cv_results_["mean_test_score"]
    if not np.all(np.isfinite(scores)):
        _fail(name, "mean_test_score", scores, "finite numbers")
    if len(search.predict(list(X))) != len(X):
        _fail(name, "predictions of the best model", len(search.predict(X)), len(X))


def _folds(n: int) -> list[tuple[list[int], list[int]]]:
    halves = list(range(0, n, 2)), list(range(1, n, 2))
    return [(halves[0], halves[1]), (halves[1], halves[0])]


def check_representations(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """``repr`` and the HTML of notebooks work before and after fit."""
    name, model = "check_representations", clone(estimator)
    for _ in range(2):
        for seen in (repr(model), model._repr_html_()):
            if type(model).__name__ not in seen:
                _fail(name, "repr", seen[:80], f"the name {type(model).__name__}")
        _fit(model, X, y)


def check_errors(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """Lengths that disagree, C <= 0 and unknown solvers raise, naming the argument."""
    name = "check_errors"
    kinds = (ValueError, TypeError)
    cases: list[tuple[str, str, Callable[[], Any]]] = [
        ("one output too few", "", lambda: _fit(clone(estimator), X, y[:-1])),
        ("no examples", "", lambda: _fit(clone(estimator), X[:0], y[:0])),
    ]
    for C in (0.0, -1.0, np.nan, np.inf, "1"):
        model = clone(estimator).set_params(C=C)
        cases.append((f"C={C!r}", "C", partial(_fit, model, X, y)))
    for solver in ("no_such_solver", 3):
        model = clone(estimator).set_params(solver=solver)
        cases.append((f"solver={solver!r}", "solver", partial(_fit, model, X, y)))
    fitted = _fit(clone(estimator), X, y)
    cases.append(("score, one output too few", "", lambda: fitted.score(X, y[:-1])))
    for what, word, call in cases:
        message = _raises(name, what, kinds, call)
        if word not in message or not message:
            _fail(name, f"message for {what}", message, f"the name {word!r}")


class _Interrupted(Exception):
    """Raised in the middle of a fit."""


def _interrupt(progress: Any) -> bool:
    raise _Interrupted


def check_refit(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """A fit knows nothing of the one before; a fit that fails changes nothing."""
    name, n = "check_refit", len(X)
    half = list(range(0, n, 2))
    fresh = _fit(clone(estimator), X, y)
    model = _fit(clone(estimator), *(_chosen(v, half) for v in (X, y)))
    _fit(model, X, y)
    if sorted(vars(model)) != sorted(vars(fresh)):
        _fail(name, "attributes of a refit", sorted(vars(model)), sorted(vars(fresh)))
    _same_model(name, "a refit on other data", model, fresh, X)
    if "callback" in model.get_params(deep=False):
        model.set_params(callback=_interrupt)
        before = dict(vars(model))
        call = partial(_fit, model, *(_chosen(v, half) for v in (X, y)))
        _raises(name, "an exception in the middle of a fit", (_Interrupted,), call)
        changed = [k for k, v in vars(model).items() if v is not before.get(k, model)]
        if changed or set(before) != set(vars(model)):
            _fail(name, "attributes changed by a fit that fails", changed, [])
        _same_model(name, "a model whose refit failed", model, fresh, X)


def _same_model(check: str, what: str, a: Any, b: Any, X: Any) -> None:
    if not np.array_equal(_dense(a.coef_), _dense(b.coef_)):
        _fail(check, f"coef_ of {what}", "other", "that of a fresh fit")
    if not same(list(a.predict(X)), list(b.predict(X))):
        _fail(check, f"predictions of {what}", "others", "those of a fresh fit")


def _chosen(values: Any, index: list[int]) -> Any:
    if isinstance(values, np.ndarray) or hasattr(values, "indptr"):
        return values[index]
    return [values[i] for i in index]


def _objects(values: Any) -> Any:
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        out[i] = value
    return out


def check_containers(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """Tuples, arrays of objects and Series are as good as lists; iterators are refused.

    A Series is read by position, whatever its index; pandas is not needed.
    """
    name = "check_containers"
    plain = _fit(clone(estimator), X, y)
    matrix = isinstance(X, np.ndarray) or hasattr(X, "indptr")
    containers: list[tuple[str, Callable[[Any], Any]]] = [
        ("tuples", tuple),
        ("arrays of objects", _objects),
    ]
    try:
        Series = importlib.import_module("pandas").Series
    except ImportError:
        pass
    else:
        index = np.arange(len(X))[::-1] + 5
        containers.append(("Series", lambda v: Series(_objects(v), index=index)))
    score = plain.score(X, y)
    for what, contain in containers:
        X_in, y_in = X if matrix else contain(X), contain(y)
        model = _fit(clone(estimator), X_in, y_in)
        if not np.array_equal(_dense(model.coef_), _dense(plain.coef_)):
            _fail(name, f"coef_ of a fit to {what}", "other", "that of lists")
        if not same(list(model.predict(X_in)), list(plain.predict(X))):
            _fail(name, f"predictions for {what}", "others", "those for lists")
        if model.score(X_in, y_in) != score:
            _fail(name, f"score on {what}", model.score(X_in, y_in), score)
    for what, bad in (
        ("generator", lambda: (x for x in X)),
        ("iterator", lambda: iter(X)),
    ):
        call = partial(plain.predict, bad())
        message = _raises(name, f"predict with a {what}", (TypeError,), call)
        if "list(X)" not in message and not matrix:
            _fail(name, f"message for a {what}", message, "the advice list(X)")
        call = partial(_fit, clone(estimator), X, (v for v in y))
        _raises(name, "fit with a generator of outputs", (TypeError,), call)


def check_cross_val_predict(estimator: Any, X: Sequence[Any], y: Sequence[Any]) -> None:
    """`cross_val_predict` gives one output per example, of one length or of several."""
    name, n = "check_cross_val_predict", len(X)
    longest = max(range(n), key=lambda i: _size(y[i]))
    alike = [_chosen(v, [longest] * n) for v in (X, y)]
    # A single row has a single class.
    problems = [(X, y)] if _size(y[longest]) == 0 else [(X, y), tuple(alike)]
    for X_in, y_in in problems:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = cross_val_predict(clone(estimator), X_in, y_in, cv=_folds(n))
        if np.shape(found) != (n,):
            _fail(name, "shape of the predictions", np.shape(found), (n,))
        train, test = _folds(n)[0]
        model = _fit(clone(estimator), *(_chosen(v, train) for v in (X_in, y_in)))
        own = np.asarray(model.predict(_chosen(X_in, test)))
        if not same(found[test].tolist(), own.tolist()):
            _fail(name, "predictions of a fold", "others", "those of its own model")


def _size(y: Any) -> int:
    return len(y) if hasattr(y, "__len__") and not isinstance(y, str) else 0


ESTIMATOR_CHECKS: list[EstimatorCheck] = [
    check_params,
    check_fit,
    check_fitted_state,
    check_pickle,
    check_predict,
    check_sample_weight,
    check_refit,
    check_containers,
    check_cross_val_predict,
    check_grid_search,
    check_representations,
    check_errors,
]


def yield_estimator_checks(
    estimator: Any, make_data: MakeData, *, random_state: int = 0
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Pairs (name, function without arguments); see `check_structured_estimator`."""
    for check in ESTIMATOR_CHECKS:
        name = getattr(check, "__name__", repr(check))
        yield name, partial(_run, check, estimator, make_data, random_state)


def _run(
    check: EstimatorCheck, estimator: Any, make_data: MakeData, random_state: int
) -> None:
    X, y = make_data(np.random.default_rng(random_state))
    check(estimator, X, y)


def check_structured_estimator(
    estimator: Any, make_data: MakeData, *, random_state: int = 0
) -> None:
    """Run every check of ``ESTIMATOR_CHECKS``: scikit-learn's contract for ragged examples.

    `sklearn.utils.estimator_checks.check_estimator` makes matrices; estimators that take
    sequences or graphs cannot take those.

    Parameters
    ----------
    estimator : object
        With ``fit(X, y, sample_weight)``, ``predict``, ``score``, ``coef_``, the parameter
        ``C``, and the certificate attributes of `StructuralSVM`. Not changed.
    make_data : callable
        ``make_data(rng) -> (X, y)``: lists of at least four examples, with at least two
        labels in each half of even and odd examples. Let a label occur in one half only to
        check that cross-validation can do without it.
    random_state : int, default=0
        Seed of the generator given to `make_data`.

    Raises
    ------
    EstimatorCheckError
        For the first promise that is broken.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext import SequenceSVM
    >>> def make_data(rng):
    ...     X = [rng.normal(size=(3, 2)) for _ in range(6)]
    ...     return X, [[int(v > 0) for v in x[:, 0]] for x in X]
    >>> check_structured_estimator(SequenceSVM(), make_data)
    """
    for _, check in yield_estimator_checks(
        estimator, make_data, random_state=random_state
    ):
        check()
