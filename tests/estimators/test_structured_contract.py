"""scikit-learn's contract for estimators of ragged examples, and tests of that battery."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext import SequenceSVM, StructuralSVM
from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import MulticlassSpace, SequenceSpace
from pystruct_ext.testing import (
    EstimatorCheckError,
    check_structured_estimator,
    yield_estimator_checks,
)

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


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check):
    check()


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
    ],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_broken_estimator_is_caught(broken, check):
    with pytest.raises(EstimatorCheckError, match=check):
        dict(yield_estimator_checks(broken(), arrays))[check]()
    with pytest.raises(Exception):  # noqa: B017, PT011 - an earlier check may meet it
        check_structured_estimator(broken(), arrays)


def test_crash_on_a_label_of_another_fold_is_caught():
    check = dict(yield_estimator_checks(CrashesOnNewLabels(), arrays))[
        "check_grid_search"
    ]
    with pytest.raises(ValueError, match="unknown label"):
        check()
