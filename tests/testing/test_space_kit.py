"""The battery finds what it says it finds: every broken space, by the right check."""

from __future__ import annotations

import copy
import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from pystruct_ext.spaces import MulticlassSpace, OutputSpace, SpaceTags
from pystruct_ext.testing import (
    SPACE_CHECKS,
    SpaceCheckError,
    brute_force,
    check_output_space,
    yield_space_checks,
)


class Matching(OutputSpace):
    """The correct space that the mutants derive from."""

    def fit_domain(self, X, Y=None):
        self.size_psi_ = X[0].shape[-1]
        return self

    def joint_feature(self, x, y):
        return x[np.arange(len(y)), y].sum(axis=0)

    def loss(self, y, y_hat):
        return float(np.mean(y != y_hat))

    def decode(self, w, x):
        return linear_sum_assignment(x @ w, maximize=True)[1]

    def loss_augmented_decode(self, w, x, y):
        m = len(y)
        scores = x @ w + 1.0 / m
        scores[np.arange(m), y] -= 1.0 / m
        return linear_sum_assignment(scores, maximize=True)[1]

    def enumerate(self, x):
        return (np.array(p) for p in itertools.permutations(range(len(x))))


def make_matching(rng):
    X = [rng.normal(size=(m, m, 4)) for m in (2, 3, 4, 4)]
    return X, [rng.permutation(len(x)) for x in X]


class IgnoresLoss(Matching):
    def loss_augmented_decode(self, w, x, y):
        return self.decode(w, x)


class NegativeLoss(Matching):
    def loss(self, y, y_hat):
        return -float(np.mean(y != y_hat))


class LossOfTruth(Matching):
    def loss(self, y, y_hat):
        return 0.25 + float(np.mean(y != y_hat))


class SecondBest(Matching):
    def decode(self, w, x):
        ranked = sorted(
            self.enumerate(x), key=lambda y: -(self.joint_feature(x, y) @ w)
        )
        return ranked[1]


class SecondBestAugmented(Matching):
    def loss_augmented_decode(self, w, x, y):
        def value(z):
            return self.joint_feature(x, z) @ w + self.loss(y, z)

        return sorted(self.enumerate(x), key=value)[-2]


class WrongFeature(Matching):
    """Another psi than the one that the decoders maximise."""

    def joint_feature(self, x, y):
        return x[y, np.arange(len(y))].sum(axis=0)


class ChangesInput(Matching):
    def loss_augmented_decode(self, w, x, y):
        x += 1e-3
        return super().loss_augmented_decode(w, x, y)


class ChangesWeights(Matching):
    def decode(self, w, x):
        if w.flags.writeable:
            w[:] = 0
        return super().decode(w, x)


class NonDeterministic(Matching):
    def decode(self, w, x):
        self.calls_ = getattr(self, "calls_", 0) + 1
        y = super().decode(w, x)
        return y if self.calls_ % 2 else y[::-1].copy()


class NotAPermutation(Matching):
    """The best column of each row, whether taken or not."""

    def decode(self, w, x):
        return (x @ w).argmax(axis=1)


class ChangesParameters(Matching):
    def __init__(self, scale=1.0):
        self.scale = scale

    def fit_domain(self, X, Y=None):
        self.scale = self.scale * 2
        return super().fit_domain(X, Y)


class WrongSize(Matching):
    def fit_domain(self, X, Y=None):
        self.size_psi_ = X[0].shape[-1] + 1
        return self


class SwallowsExceptions(Matching):
    """Hides what the user's method raises behind another exception."""

    def bind(self, packed):
        hidden = copy.copy(self)
        inner = self.loss_augmented_decode

        def wrapped(w, x, y):
            try:
                return inner(w, x, y)
            except Exception as error:
                raise RuntimeError("decoder failed") from error

        hidden.loss_augmented_decode = wrapped
        return super(SwallowsExceptions, hidden).bind(packed)


class LocalBatch(Matching):
    def decode_batch(self, w, X, n_threads=1):
        return [self.decode(-w, x) for x in X]


class Unpicklable(Matching):
    def fit_domain(self, X, Y=None):
        self.order_ = lambda y: y
        return super().fit_domain(X, Y)


class StaleOracle(Matching):
    """Binds the first half of the examples in the place of the second."""

    def bind(self, packed):
        packed = copy.copy(packed)
        packed.Y = [packed.Y[0][: len(y)] if len(y) == 2 else y for y in packed.Y][::-1]
        packed.X = list(packed.X)[::-1]
        return super().bind(packed)


class NaNFeature(Matching):
    def joint_feature(self, x, y):
        psi = super().joint_feature(x, y)
        psi[2] = np.nan
        return psi


class NaNLoss(Matching):
    def loss(self, y, y_hat):
        return float("nan") if np.any(y != y_hat) else 0.0


class NoSize(Matching):
    def fit_domain(self, X, Y=None):
        return self


class ScalesInput(Matching):
    """Idempotent: only the first call changes anything."""

    def fit_domain(self, X, Y=None):
        for x in X:
            x /= np.abs(x).max()
        return super().fit_domain(X, Y)


class SortsTruth(Matching):
    def loss(self, y, y_hat):
        wrong = float(np.mean(y != y_hat))
        y.sort()
        return wrong


# The first error of `check_output_space`, which is what its user reads.
MESSAGES = [
    (
        ChangesInput,
        r"check_inputs_not_modified \(example 0\): loss_augmented_decode modifies X in place",
    ),
    (ScalesInput, "fit_domain, pack or bind modifies X in place; .* work on a copy"),
    (SortsTruth, r"loss modifies Y in place"),
    (
        NoSize,
        "check_fit_domain: fit_domain does not set size_psi_, the length of joint_feature",
    ),
    (
        NaNFeature,
        r"check_joint_feature \(example 0\): joint_feature of the truth holds NaN.* entry 2",
    ),
    (
        NaNLoss,
        r"check_loss \(example \d\): loss\(.*; seen nan, expected .a finite number >= 0",
    ),
]


@pytest.mark.parametrize(
    ("mutant", "message"), MESSAGES, ids=[m.__name__ for m, _ in MESSAGES]
)
def test_each_mistake_has_its_message(mutant, message):
    with pytest.raises(SpaceCheckError, match=message):
        check_output_space(mutant(), make_matching, n_problems=1)


def test_a_fit_without_size_psi_says_so():
    from pystruct_ext import StructuralSVM

    X, Y = make_matching(np.random.default_rng(0))
    with pytest.raises(ValueError, match="NoSize: fit_domain must set size_psi_"):
        StructuralSVM(NoSize()).fit(X, Y)


MUTANTS = [
    (IgnoresLoss, "check_loss_augmented_decode"),
    (NegativeLoss, "check_loss"),
    (LossOfTruth, "check_loss"),
    (SecondBest, "check_decode"),
    (SecondBestAugmented, "check_loss_augmented_decode"),
    (WrongFeature, "check_decode"),
    (ChangesInput, "check_inputs_not_modified"),
    (ChangesWeights, "check_inputs_not_modified"),
    (NonDeterministic, "check_determinism"),
    (NotAPermutation, "check_outputs_are_enumerated"),
    (ChangesParameters, "check_fit_domain"),
    (WrongSize, "check_fit_domain"),
    (SwallowsExceptions, "check_exceptions"),
    (LocalBatch, "check_batch"),
    (StaleOracle, "check_oracle_agrees"),
]


def _failing(space, make_problem):
    """Names of the checks that fail, whatever they raise for a broken space."""
    names = []
    for name, check in yield_space_checks(space, make_problem):
        try:
            check()
        except SpaceCheckError as error:
            names.append(error.check)
        except (ValueError, TypeError):
            names.append(name)
    return names


def test_the_correct_space_passes():
    check_output_space(Matching(), make_matching)


@pytest.mark.parametrize(
    ("mutant", "check"), MUTANTS, ids=[m.__name__ for m, _ in MUTANTS]
)
def test_mutant_is_caught(mutant, check):
    assert check in _failing(mutant(), make_matching)
    with pytest.raises((SpaceCheckError, ValueError)):
        check_output_space(mutant(), make_matching)


def test_unpicklable_space_is_caught():
    with pytest.raises(Exception, match="pickle"):
        check_output_space(Unpicklable(), make_matching)


class NoEnumeration(Matching):
    def enumerate(self, x):
        raise NotImplementedError


class IgnoresLossLarge(IgnoresLoss):
    enumerate = NoEnumeration.enumerate


class WrongFeatureLarge(WrongFeature):
    enumerate = NoEnumeration.enumerate


def test_without_enumeration():
    check_output_space(NoEnumeration(), make_matching)


@pytest.mark.parametrize("mutant", [IgnoresLossLarge, WrongFeatureLarge])
def test_subgradient_inequality_needs_no_enumeration(mutant):
    found = _failing(mutant(), make_matching)
    assert "check_subgradient_inequality" in found
    assert "check_decode" not in found


class Greedy(Matching):
    """Declares itself inexact, and is."""

    def loss_augmented_decode(self, w, x, y):
        m = len(y)
        scores = x @ w + 1.0 / m
        scores[np.arange(m), y] -= 1.0 / m
        out = np.zeros(m, dtype=np.int64)
        free = list(range(m))
        for row in range(m):
            out[row] = max(free, key=lambda j: (scores[row, j], -j))
            free.remove(out[row])
        return out

    def __space_tags__(self):
        return SpaceTags(exactness="none")


class UnconfessedGreedy(Greedy):
    def __space_tags__(self):
        return SpaceTags()


class Overshoots(Greedy):
    """Not even a lower bound: rows may share a column."""

    def loss_augmented_decode(self, w, x, y):
        m = len(y)
        scores = x @ w + 1.0 / m
        scores[np.arange(m), y] -= 1.0 / m
        return scores.argmax(axis=1)


class Relaxed(Overshoots):
    """The same relaxation, declared as what it is."""

    def __space_tags__(self):
        return SpaceTags(exactness="relaxed")


def test_inexact_spaces_are_held_to_what_they_declare():
    check_output_space(Greedy(), make_matching)
    check_output_space(Relaxed(), make_matching)
    assert "check_loss_augmented_decode" in _failing(UnconfessedGreedy(), make_matching)
    assert "check_loss_augmented_decode" in _failing(Overshoots(), make_matching)


class ConstantDecoder(MulticlassSpace):
    """A compiled space whose domain-language decoder disagrees with its oracle."""

    def decode(self, w, x):
        return self.classes_[0]


class SwallowsNaN(MulticlassSpace):
    def decode_batch(self, w, X, n_threads=1):
        return super().decode_batch(np.nan_to_num(w), X, n_threads)


def make_classes(rng):
    return rng.normal(size=(7, 3)), np.arange(7) % 3


@pytest.mark.parametrize(
    ("mutant", "check"),
    [(ConstantDecoder, "check_decode"), (SwallowsNaN, "check_nan_weights")],
)
def test_compiled_mutants(mutant, check):
    assert check in _failing(mutant(), make_classes)


def test_the_error_names_check_example_seen_and_expected():
    checks = dict(yield_space_checks(SecondBest(), make_matching))
    with pytest.raises(SpaceCheckError) as caught:
        checks["check_decode"]()
    error = caught.value
    assert isinstance(error, AssertionError)
    assert error.check == "check_decode"
    assert isinstance(error.example, int)
    assert error.seen < error.expected
    for part in ("check_decode", f"example {error.example}", repr(error.expected)):
        assert part in str(error)


def test_same_seed_same_problems():
    drawn = []

    def recording(rng):
        X, Y = make_matching(rng)
        drawn.append(X[0].sum())
        return X, Y

    check_output_space(Matching(), recording, n_problems=2, random_state=3)
    assert len(drawn) == 2 * len(SPACE_CHECKS)
    assert len(set(drawn)) == 2
    first = set(drawn)
    drawn.clear()
    check_output_space(Matching(), recording, n_problems=2, random_state=4)
    assert first.isdisjoint(drawn)


def test_brute_force():
    rng = np.random.default_rng(0)
    X, Y = make_matching(rng)
    space = Matching().fit_domain(X, Y)
    w = rng.normal(size=4)
    plain = brute_force(space, w, X[2])
    assert plain.n_outputs == 24
    assert plain.value == pytest.approx(linear_value(X[2] @ w))
    with_loss = brute_force(space, w, X[2], Y[2])
    assert plain.value <= with_loss.value <= plain.value + 1
    zero = brute_force(space, np.zeros(4), X[2])
    assert len(zero.outputs) == 24


def linear_value(scores):
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return scores[rows, columns].sum()


def test_the_kit_needs_no_pytest():
    code = (
        "import sys, pystruct_ext.testing; "
        "sys.exit(bool({'pytest', 'hypothesis'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_no_warnings_escape():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_output_space(Matching(), make_matching, n_problems=1)
        check_output_space(Greedy(), make_matching, n_problems=1)
