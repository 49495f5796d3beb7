"""The kit must catch broken spaces: each mutant dies by the check meant for it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pystruct_ext import OutputSpace, SequenceSVM, StructuralSVM
from pystruct_ext.spaces import SequenceSpace
from pystruct_ext.testing import (
    SpaceCheckError,
    brute_force,
    check_output_space,
    check_structured_estimator,
)


class Classes(OutputSpace):
    """A correct little multiclass space in Python."""

    K = 4

    def fit_domain(self, X, Y=None):
        self.size_psi_ = self.K * len(X[0])
        return self

    def joint_feature(self, x, y):
        out = np.zeros((self.K, len(x)))
        out[y] = x
        return out.ravel()

    def loss(self, y, y_hat):
        return float(y != y_hat)

    def _scores(self, w, x):
        return np.asarray(w).reshape(self.K, -1) @ x

    def decode(self, w, x):
        return int(np.argmax(self._scores(w, x)))

    def loss_augmented_decode(self, w, x, y):
        scores = self._scores(w, x) + 1.0
        scores[y] -= 1.0
        return int(np.argmax(scores))

    def enumerate(self, x):
        return range(self.K)


class ForgetsLoss(Classes):
    def loss_augmented_decode(self, w, x, y):
        return self.decode(w, x)


class ForgetsLossSilently(ForgetsLoss):
    """The same without enumeration: only the subgradient inequality can tell."""

    def enumerate(self, x):
        raise NotImplementedError


class NegativeLoss(Classes):
    def loss(self, y, y_hat):
        return 0.0 if y == y_hat else -1.0


class LossOfTruth(Classes):
    def loss(self, y, y_hat):
        return 1.0


class SecondBest(Classes):
    def decode(self, w, x):
        return int(np.argsort(self._scores(w, x))[-2])


class WrongSize(Classes):
    def joint_feature(self, x, y):
        return super().joint_feature(x, y)[:-1]


class WritesToInput(Classes):
    def decode(self, w, x):
        x[0] += 1.0
        return super().decode(w, x)


class Fickle(Classes):
    count = 0

    def decode(self, w, x):
        Fickle.count += 1
        return Fickle.count % self.K


class Approximate(Classes):
    """Says that it is approximate, so a weak decoder is allowed."""

    def __space_tags__(self):
        from pystruct_ext.spaces import SpaceTags

        return SpaceTags(exactness="none")

    def loss_augmented_decode(self, w, x, y):
        return (y + 1) % self.K


def make_problem(rng):
    return [rng.normal(size=3) for _ in range(6)], [
        int(v) for v in rng.integers(0, 4, 6)
    ]


def test_a_correct_space_passes():
    check_output_space(Classes(), make_problem)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (ForgetsLoss, "loss_augmented_decode"),
        (ForgetsLossSilently, "subgradient inequality|hinge|gap"),
        (NegativeLoss, "loss"),
        (LossOfTruth, "loss"),
        (SecondBest, "decode"),
        (WritesToInput, "inputs not modified"),
        (Fickle, "deterministic|pickle"),
    ],
)
def test_broken_spaces_are_caught(space, message):
    with warnings.catch_warnings(), pytest.raises(SpaceCheckError, match=message):
        warnings.simplefilter("ignore")
        check_output_space(space(), make_problem)


def test_wrong_size_is_named():
    with pytest.raises(
        ValueError, match=r"(joint_feature of example 0 has shape|shapes)"
    ):
        check_output_space(WrongSize(), make_problem)


@pytest.mark.filterwarnings("ignore:the oracle does not promise")
def test_declared_approximation_passes():
    check_output_space(Approximate(), make_problem)


def test_brute_force_finds_the_maximum():
    space = Classes().fit_domain([np.ones(2)])
    w = np.arange(8.0)
    value, z = brute_force(space, w, np.ones(2))
    assert z == 3
    assert value == 13.0
    assert brute_force(space, np.zeros(8), np.ones(2), 0)[0] == 1.0


def make_data(rng):
    X = [rng.normal(size=(int(n), 3)) for n in rng.integers(1, 5, 12)]
    return X, [[("a", "b")[int(v > 0)] for v in x[:, 0]] for x in X]


def make_named(rng):
    """A label ("rare") that one fold never sees."""
    Y = [[str(v) for v in rng.choice(["a", "b"], 3)] for _ in range(12)]
    Y[0][0], Y[1][0] = "rare", "a"
    Y[2] = ["a", "b", "a"]
    return [[[f"{v}{rng.integers(2)}", "bias"] for v in y] for y in Y], Y


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (SequenceSVM(tol=1e-4, dtype="float64"), make_data),
        (SequenceSVM(tol=1e-4, dtype="float64"), make_named),
        (SequenceSVM(tol=1e-4, dtype="float64", features="seen"), make_named),
        (StructuralSVM(SequenceSpace(dtype="float64"), tol=1e-4), make_data),
    ],
)
def test_structured_estimators(estimator, data):
    check_structured_estimator(estimator, data)


class ChangesParameters(SequenceSVM):
    def fit(self, X, y, sample_weight=None, token_weight=None):
        super().fit(X, y, sample_weight)
        self.C = 2 * self.C
        return self


class IgnoresWeights(SequenceSVM):
    def fit(self, X, y, sample_weight=None, token_weight=None):
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ChangesParameters, "must not change parameters"),
        (IgnoresWeights, "sample_weight"),
    ],
)
def test_broken_estimators_are_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_structured_estimator(broken(tol=1e-4, dtype="float64"), make_data)
