"""C="auto": the rules of its path, on curves that are made up."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext import AutoC, SequenceSVM
from pystruct_ext.estimators._auto_search import (
    Point,
    Problem,
    Search,
    between,
    half_decade,
    jackknife_error,
)


class Curve(Problem):
    """Scores that are a function of C, with noise that all C share."""

    def __init__(self, f, n=4000, first=1e-3, noise=0.02):
        self.f, self.n, self.first = f, n, first
        self.groups = self.weight = None
        rng = np.random.default_rng(0)
        self.shared = rng.random(n)
        self.noise, self.tried = noise, []

    def first_c(self, train):
        return self.first

    def solve(self, train, test, C, start):
        assert start is None or start < C
        self.tried.append(C)
        flip = np.random.default_rng(int(1e6 * C) % 2**32).random(self.n) < self.noise
        right = (self.shared < self.f(np.log10(C))) ^ flip
        return Point(
            right[test].tolist(), 0.01, "exact", 1, "converged", 1.0, 0.9, C, None
        )

    def score(self, test, predicted):
        return float(np.mean(predicted))


def search(curve, **settings):
    return Search(AutoC(**settings), curve, 0, None).run()


def test_path_stops_after_the_top():
    curve = Curve(lambda t: 0.9 - 0.1 * (t - 0.5) ** 2)
    found = search(curve)
    assert 1 <= found.C <= 10
    assert max(curve.tried) <= 30
    assert curve.tried[:3] == [1e-3, 3e-3, 1e-2]


def test_path_goes_through_a_valley_at_its_beginning():
    # The collapse of a model that answers nothing.
    curve = Curve(
        lambda t: 0.35 if t < -2.4 else (0.05 if t < -0.7 else 0.6 - 0.05 * t * t)
    )
    assert 0.3 <= search(curve).C <= 3


def test_path_goes_below_its_beginning():
    curve = Curve(lambda t: 0.6 - 0.05 * (t + 4.5) ** 2 if t > -5 else 0.5)
    assert search(curve).C < 1e-3


def test_flat_path_ends_and_takes_a_small_c():
    curve = Curve(lambda t: 0.5 if t < -1.2 else 0.8, noise=0.0)
    found = search(curve)
    assert found.C == 0.1
    assert len(curve.tried) < 12


def test_path_ends_where_nothing_changes_any_more():
    class Separable(Curve):
        def solve(self, *args):
            point = super().solve(*args)
            point.slack = 0.0 if args[2] >= 0.1 else 0.5
            return point

    curve = Separable(lambda t: 0.5 + 0.02 * t)
    search(curve)
    assert max(curve.tried) == 0.1


def test_grid():
    assert [half_decade(k) for k in range(-3, 4)] == [0.03, 0.1, 0.3, 1, 3, 10, 30]
    assert (between(1, 3), between(0.3, 1), between(3, 10)) == (2, 0.5, 5)


def test_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=50)
    without = (values.sum() - values) / 49
    assert np.isclose(jackknife_error(without), values.std(ddof=1) / np.sqrt(50))


def test_errors_of_large_groups_are_those_of_the_jackknife():
    class Weighted(Curve):
        def score(self, test, predicted):
            return float(np.average(predicted, weights=self.weight[test]))

    curve = Weighted(lambda t: 0.7)
    curve.weight = np.random.default_rng(1).uniform(0.5, 2, size=curve.n)
    errors = []
    for linear in (True, False):
        run = Search(AutoC(), curve, 0, None)
        assert run.linear
        run.linear = linear
        errors.append(run.at(0.1, None).scores[1][1])
    np.testing.assert_allclose(errors[0], errors[1], rtol=1e-12)
    assert np.ptp(errors[0]) > 0


def test_points_beyond_the_first_take_few_epochs():
    rng = np.random.default_rng(0)
    y = [rng.integers(2, size=8).tolist() for _ in range(60)]
    X = [np.eye(2, 6)[one] + 2 * rng.normal(size=(8, 6)) for one in y]
    model = SequenceSVM(C=AutoC([1e-3, 1e-2, 10.0, 1e3], cv=0.5), tol=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = model.fit(X, y).C_path_
    # 10 epochs of 30 examples, and what it takes to certify them.
    assert path.column("oracle_calls").max() <= (10 + 3) * 30
    assert path.column("relative_gap")[-1] > 0.05
