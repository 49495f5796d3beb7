"""scikit-learn's contract for estimators of ragged examples, and tests of that battery."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from pystruct_ext import SequenceSVM, StructuralSVM
from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import MulticlassSpace, SequenceSpace
from pystruct_ext.structures import STRUCTURES
from pystruct_ext.testing import (
    EstimatorCheckError,
    check_structured_estimator,
    yield_estimator_checks,
)
from pystruct_ext.testing._estimator_checks import check_params

LENGTHS = [1, 2, 4, 3, 5, 2, 6, 4]


def label(rng, lengths):
    Y = [["ab"[k] for k in rng.integers(0, 2, size=t)] for t in lengths]
    Y[2][:2] = "ab"
    Y[3][:2] = "ab"
    Y[4][0] = "rare"  # in one fold only
    return Y


def arrays(rng):
    return [rng.normal(size=(t, 3)) for t in LENGTHS], label(rng, LENGTHS)


def strings(rng):
    X = [[[f"f{j}" for j in rng.permutation(8)[:3]] for _ in range(t)] for t in LENGTHS]
    return X, label(rng, LENGTHS)


def noisy_rows(rng):
    X = [rng.integers(0, 2, size=(t, 5)).astype(np.float32) for t in LENGTHS]
    return X, label(rng, LENGTHS)


def row_classes(rng):
    X = rng.normal(size=(12, 3))
    y = rng.integers(0, 2, size=12)
    y[:4] = 0, 0, 1, 1
    y[6] = 7  # in one fold only
    return X, y


CASES = {
    "sequence": (SequenceSVM(), arrays),
    "sequence-strings": (SequenceSVM(tol=1e-3), strings),
    "sequence-seen": (SequenceSVM(features="seen"), strings),
    "sequence-hashed": (SequenceSVM(hash_bits=5, dtype="float64"), strings),
    "sequence-solver": (SequenceSVM(solver=BCFW(sampling="gap")), noisy_rows),
    "structural": (StructuralSVM(SequenceSpace(dtype="float64")), arrays),
    "structural-strings": (
        StructuralSVM(SequenceSpace(), solver=BCFW(tol=1e-2)),
        strings,
    ),
}
CASES["structural-multiclass"] = (StructuralSVM(MulticlassSpace()), row_classes)
CHECKS = [
    pytest.param(check, id=f"{case}-{name}")
    for case, (estimator, make_data) in CASES.items()
    for name, check in yield_estimator_checks(estimator, make_data)
]


# The public battery wants examples in lists, and outputs that are given.
CHECKS += [
    pytest.param(check, id=f"{structure.name}-{name}")
    for structure in STRUCTURES.values()
    if structure.problem(np.random.default_rng(0)).y is not None
    and not structure.problem(np.random.default_rng(0)).fit_params
    for name, check in yield_estimator_checks(
        structure.estimator(**structure.small), structure.sample
    )
]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check):
    check()


# Every structure, those whose examples are groups of rows included.


def fit(structure, problem, **more):
    model = structure.estimator(**structure.small)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(problem.X, problem.y, **problem.fit_params, **more)


def predictions(model, problem):
    return [np.asarray(y, dtype=object).tolist() for y in model.predict(problem.X)]


def score(model, problem):
    return model.score(problem.X, problem.y, **problem.fit_params)


def weights(model):
    coef = model.coef_
    return coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef)


@pytest.fixture(scope="module", params=STRUCTURES.values(), ids=lambda s: s.name)
def fitted(request):
    problem = request.param.problem(np.random.default_rng(0))
    return request.param, problem, fit(request.param, problem)


def test_fitted_attributes_of_every_structure(fitted):
    structure, problem, model = fitted
    assert type(model.space_) is structure.space
    assert model.certificate_ in ("exact", "relaxed", "bounded", "none")
    assert model.status_ in ("converged", "stalled", "max_iter")
    assert model.n_iter_ >= 1
    assert model.n_oracle_calls_ >= 1
    assert len(model.history_) >= 1
    gap = model.primal_objective_ - model.dual_objective_
    assert np.isclose(model.duality_gap_, gap, atol=1e-6)
    assert np.isclose(
        model.relative_gap_ * abs(model.primal_objective_), gap, rtol=1e-3, atol=1e-6
    )
    if model.certificate_ == "exact":
        assert model.duality_gap_ >= -1e-4 * (1 + abs(model.primal_objective_))
    assert np.isfinite(weights(model)).all()
    assert np.isfinite(score(model, problem))
    assert score(model, problem) <= 1


def test_parameters_of_every_structure(fitted):
    structure, problem, _ = fitted
    check_params(structure.estimator(**structure.small), problem.X, problem.y)


def test_fit_repeats_itself(fitted):
    _, problem, model = fitted
    before = pickle.dumps(problem)
    again = clone(model)
    assert not hasattr(again, "duality_gap_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(2):
            returned = again.fit(problem.X, problem.y, **problem.fit_params)
            assert returned is again
            assert np.array_equal(weights(again), weights(model))
    assert pickle.dumps(problem) == before
    assert str(again.get_params()) == str(model.get_params())


def test_not_fitted_errors_of_every_structure(fitted):
    structure, problem, _ = fitted
    model = structure.estimator(**structure.small)
    with pytest.raises(NotFittedError):
        model.predict(problem.X)
    with pytest.raises(NotFittedError):
        score(model, problem)
    for name in ("coef_", "space_", "duality_gap_"):
        assert not hasattr(model, name)


def test_pickle_of_every_structure(fitted):
    _, problem, model = fitted
    back = pickle.loads(pickle.dumps(model))
    assert predictions(back, problem) == predictions(model, problem)
    assert score(back, problem) == score(model, problem)


def test_sample_weight_is_repetition_for_every_structure(fitted):
    structure, problem, model = fitted
    n = len(groups(structure, problem))
    ones = fit(structure, problem, sample_weight=np.ones(n))
    assert np.array_equal(weights(ones), weights(model))
    times = 1 + np.arange(n) % 2
    weighted = fit(structure, problem, sample_weight=times.astype(float))
    index = np.repeat(np.arange(n), times).tolist()
    repeated = fit(structure, structure.select(problem, index))
    for bad in (np.ones(n + 1), -np.ones(n), np.full(n, np.nan)):
        with pytest.raises(ValueError, match=r"(?i)weight"):
            fit(structure, problem, sample_weight=bad)
    assert not np.array_equal(weights(weighted), weights(ones))
    if "none" in (weighted.certificate_, repeated.certificate_):
        return  # nothing is proven of the optimum
    slack = 1e-4 * (1 + abs(weighted.primal_objective_))
    assert weighted.dual_objective_ <= repeated.primal_objective_ + slack
    assert repeated.dual_objective_ <= weighted.primal_objective_ + slack


def groups(structure, problem):
    """What one sample weight belongs to: an example, or the rows of one query."""
    qid = problem.fit_params.get("qid")
    return problem.X if qid is None else np.unique(qid)


# Broken estimators, and the check that must find each.


class EditsParameters(SequenceSVM):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.C = self.C * 2
        return self


class ReturnsNothing(SequenceSVM):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)


class IgnoresWeights(SequenceSVM):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y)


class EditsInput(SequenceSVM):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        X[0][...] = 0
        return self


class PublicState(SequenceSVM):
    def fit(self, X, y, sample_weight=None):
        self.seen = len(X)
        return super().fit(X, y, sample_weight)


class ShortPrediction(SequenceSVM):
    def predict(self, X):
        return super().predict(X)[:-1]


class WarmStart(SequenceSVM):
    """A second fit gives another model."""

    def fit(self, X, y, sample_weight=None):
        self.fits_ = getattr(self, "fits_", 0) + 1
        super().fit(X, y, sample_weight)
        self._w = self._w * self.fits_
        return self


class EagerConstructor(SequenceSVM):
    def __init__(self, C=1.0, tol=1e-2):
        super().__init__(C=float(C) + 0.0, tol=tol)
        self.coef0_ = None


class AcceptsAnyC(SequenceSVM):
    def fit(self, X, y, sample_weight=None):
        keep, self.C = self.C, 1.0
        super().fit(X, y, sample_weight)
        self.C = keep
        return self


class ForgetsState(SequenceSVM):
    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_w" in state:
            state["_w"] = -state["_w"]
        return state


class LeavesHalfAFit(SequenceSVM):
    """A fit that fails leaves the space of the new data with the old weights."""

    def fit(self, X, y, sample_weight=None):
        space = self._make_space()
        space.fit_pack(X, y)
        try:
            return super().fit(X, y, sample_weight)
        finally:
            self.space_ = space


class Remembers(SequenceSVM):
    """A fit to other data starts from the weights of the one before."""

    def fit(self, X, y, sample_weight=None):
        before = getattr(self, "_w", None)
        super().fit(X, y, sample_weight)
        if before is not None and len(before) == len(self._w):
            self._w = np.where(before == self._w, self._w, self._w + before)
        return self


class CopiesParameters(SequenceSVM):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.tol = float(repr(self.tol))
        return self


class AllowsNoWeightAtAll(SequenceSVM):
    def fit(self, X, y, sample_weight=None):
        if sample_weight is not None and not np.any(sample_weight):
            sample_weight = None
        return super().fit(X, y, sample_weight)


class PlainLists(SequenceSVM):
    def predict(self, X):
        return list(super().predict(X))


class ByIndex(SequenceSVM):
    def fit(self, X, y, sample_weight=None):
        return super().fit([X[i] for i in range(len(X))], y, sample_weight)


class CrashesOnNewLabels(SequenceSVM):
    def score(self, X, y, sample_weight=None):
        known = set(self.classes_)
        if any(label not in known for labels in y for label in labels):
            raise ValueError("unknown label")
        return super().score(X, y, sample_weight)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (EditsParameters, "check_fit"),
        (ReturnsNothing, "check_fit"),
        (EditsInput, "check_fit"),
        (WarmStart, "check_fit"),
        (IgnoresWeights, "check_sample_weight"),
        (PublicState, "check_fitted_state"),
        (ShortPrediction, "check_predict"),
        (EagerConstructor, "check_params"),
        (AcceptsAnyC, "check_errors"),
        (ForgetsState, "check_pickle"),
        (LeavesHalfAFit, "check_refit"),
        (Remembers, "check_refit"),
        (CopiesParameters, "check_fit"),
        (AllowsNoWeightAtAll, "check_sample_weight"),
    ],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_broken_estimator_is_caught(broken, check):
    with pytest.raises(EstimatorCheckError, match=check):
        dict(yield_estimator_checks(broken(), arrays))[check]()
    with pytest.raises(Exception):  # noqa: B017, PT011 - an earlier check may meet it
        check_structured_estimator(broken(), arrays)


@pytest.mark.parametrize(
    ("broken", "check", "error"),
    [
        (PlainLists, "check_cross_val_predict", ValueError),
        (ByIndex, "check_containers", KeyError),
    ],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_crash_of_scikit_learn_or_pandas_is_caught(broken, check, error):
    pytest.importorskip("pandas")
    with pytest.raises(error):
        dict(yield_estimator_checks(broken(), arrays))[check]()


def test_crash_on_a_label_of_another_fold_is_caught():
    check = dict(yield_estimator_checks(CrashesOnNewLabels(), arrays))[
        "check_grid_search"
    ]
    with pytest.raises(ValueError, match="unknown label"):
        check()
