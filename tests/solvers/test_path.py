"""`solve_path`: every point is the optimum of its C, certified on its own."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris

from pystruct_ext.solvers import (
    BCFW,
    InterruptedWarning,
    NSlack,
    OneSlack,
    Perceptron,
    Subgradient,
    solve_path,
)
from pystruct_ext.spaces import GraphSpace, MulticlassSpace, SequenceSpace

CS = [0.01, 0.03, 0.1, 0.3]


def multiclass():
    X, y = load_iris(return_X_y=True)
    space = MulticlassSpace()
    return space.bind(space.fit_pack(X[::3] - X.mean(axis=0), y[::3]))


def chains():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(1, 6), 3)) for _ in range(40)]
    Y = [(x + 0.7 * rng.normal(size=x.shape)).argmax(axis=1).tolist() for x in X]
    space = SequenceSpace(dtype="float64")
    return space.bind(space.fit_pack(X, Y))


SOLVERS = [
    BCFW(tol=1e-4, max_iter=20_000),
    BCFW(tol=1e-4, max_iter=20_000, cached_passes=0, sampling="gap"),
    NSlack(tol=1e-4),
    OneSlack(tol=1e-4),
    Subgradient(tol=5e-2),
]


@pytest.mark.parametrize("make", [multiclass, chains])
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: s.name)
def test_points_are_separate_optima(solver, make):
    oracle = make()
    n = oracle.n_blocks
    seen = []
    for C, result in solve_path(solver, oracle, CS[::-1]):
        seen.append(C)
        lam = 1 / (n * C)
        cold = solver.solve(oracle, lam)
        assert result.status == cold.status == "converged"
        assert result.relative_gap <= solver.tol
        room = 1e-6 * cold.primal
        assert result.dual <= cold.primal + room
        assert cold.dual <= result.primal + room
        # The primal is that of these weights, computed apart from the run.
        w = result.coef.astype(np.float64)
        value = 0.5 * lam * w @ w + oracle.hinge_sum(result.coef)[0] / n
        assert result.primal == pytest.approx(value, rel=1e-5)
    assert seen == CS


@pytest.mark.parametrize("solver", [BCFW(), NSlack()], ids=lambda s: s.name)
def test_fewer_oracle_calls_than_separate_fits(solver):
    oracle = chains()
    n = oracle.n_blocks
    path = sum(r.n_oracle_calls for _, r in solve_path(solver, oracle, CS))
    apart = sum(solver.solve(oracle, 1 / (n * C)).n_oracle_calls for C in CS)
    assert path < apart


def test_points_keep_their_weights_and_are_deterministic():
    a, b = (list(solve_path(BCFW(), chains(), CS)) for _ in range(2))
    for (_, x), (_, y) in zip(a, b, strict=True):
        assert np.array_equal(x.coef, y.coef)
        assert x.n_oracle_calls == y.n_oracle_calls
    assert not np.array_equal(a[0][1].coef, a[1][1].coef)


def test_blocks_and_weights_in_use():
    oracle = chains()
    ids, weight = np.arange(0, 40, 2), np.resize([0.5, 2.0, 0.0, 1.0], 20)
    solver = BCFW(tol=1e-5, max_iter=20_000)
    kwargs = {"block_ids": ids, "block_weight": weight}
    for C, result in solve_path(solver, oracle, [0.1, 1.0], **kwargs):
        cold = NSlack(tol=1e-5).solve(oracle, 1 / (20 * C), **kwargs)
        assert result.dual <= cold.primal * (1 + 1e-9)
        assert cold.dual <= result.primal * (1 + 1e-9)


def certified(oracle, result, C, w_prior=0.0):
    """The primal of the weights, formed apart from the run."""
    n = oracle.n_blocks
    v = result.coef.astype(np.float64) - w_prior
    return (0.5 / C * v @ v + oracle.hinge_sum(result.coef)[0]) / n


def test_drawn_to_given_weights():
    oracle = chains()
    n = oracle.n_blocks
    w_prior = np.random.default_rng(1).normal(size=oracle.size_psi)
    solver = BCFW(tol=1e-5, max_iter=20_000)
    for C, result in solve_path(solver, oracle, [0.05, 0.3], w_prior=w_prior):
        cold = NSlack(tol=1e-5).solve(oracle, 1 / (n * C), w_prior=w_prior)
        assert result.status == "converged"
        assert result.dual <= cold.primal * (1 + 1e-9)
        assert cold.dual <= result.primal * (1 + 1e-9)
        value = certified(oracle, result, C, w_prior)
        assert result.primal == pytest.approx(value, rel=1e-6)


def test_weights_that_stay_nonnegative():
    rng = np.random.default_rng(3)
    X, Y = [], []
    for _ in range(25):
        n = int(rng.integers(3, 7))
        edges = np.array([(a, b) for a in range(n) for b in range(a) if (a + b) % 3])
        X.append((rng.normal(size=(n, 2)), edges.reshape(-1, 2)))
        Y.append(rng.integers(0, 2, size=n).tolist())
    space = GraphSpace(pairwise="potts", attractive=True)
    oracle = space.bind(space.fit_pack(X, Y))
    n = oracle.n_blocks
    solver = BCFW(tol=1e-4, max_iter=20_000)
    for C, result in solve_path(solver, oracle, [0.03, 0.3]):
        cold = solver.solve(oracle, 1 / (n * C))
        assert result.status == cold.status == "converged"
        assert result.dual <= cold.primal * (1 + 1e-6)
        assert cold.dual <= result.primal * (1 + 1e-6)
        assert result.primal == pytest.approx(certified(oracle, result, C), rel=1e-4)


def test_slack_rescaling():
    oracle = chains()
    n = oracle.n_blocks
    solver = NSlack(tol=1e-3, rescaling="slack")
    for C, result in solve_path(solver, oracle, [0.03, 0.3]):
        cold = solver.solve(oracle, 1 / (n * C))
        # Stalled: the bound of the search does not close, its outputs say that it is the end.
        assert {result.status, cold.status} <= {"converged", "stalled"}
        assert result.dual <= cold.primal * (1 + 1e-6)
        assert cold.dual <= result.primal * (1 + 1e-6)


def test_an_average_begins_anew_at_each_point():
    oracle = chains()
    n = oracle.n_blocks
    solver = BCFW(tol=1e-2, max_iter=5000, average=True)
    for C, result in solve_path(solver, oracle, [0.03, 0.3]):
        cold = solver.solve(oracle, 1 / (n * C))
        assert result.status == cold.status == "converged"
        assert result.primal == pytest.approx(certified(oracle, result, C), rel=1e-5)
        assert result.dual <= cold.primal
        assert cold.dual <= result.primal


def test_perceptron_goes_on_from_its_weights():
    # It knows no C: without mistakes left, the next point ends after one epoch.
    X, y = load_iris(return_X_y=True)
    space = MulticlassSpace()
    oracle = space.bind(space.fit_pack(X[:100], y[:100]))
    solver = Perceptron(max_iter=100)
    points = [r for _, r in solve_path(solver, oracle, [0.1, 1.0])]
    assert points[0].n_iter > 1
    assert points[1].n_iter == 1
    assert np.array_equal(points[0].coef, points[1].coef)


@pytest.mark.parametrize("C", [0.3, 3.0])
def test_averages_over_epochs_are_what_is_certified(C):
    oracle = chains()
    solver = BCFW(tol=1e-6, max_iter=20_000)
    points = dict(solve_path(solver, oracle, [C / 3, C]))
    assert all(r.n_iter > 12 for r in points.values())
    for at, result in points.items():
        assert result.primal == pytest.approx(certified(oracle, result, at), rel=1e-9)
        assert result.relative_gap <= 1e-6


def test_an_interrupt_leaves_the_points_so_far():
    epochs = []

    def callback(progress):
        epochs.append(progress.epoch)
        if epochs.count(1) == 2:
            raise KeyboardInterrupt

    with pytest.warns(InterruptedWarning):
        points = list(solve_path(BCFW(), chains(), CS, callback=callback))
    assert [r.status for _, r in points] == ["converged", "interrupted"]
    assert points[1][1].gap >= 0


def test_it_is_lazy():
    starts = []
    path = solve_path(
        BCFW(), chains(), CS, callback=lambda p: starts.append(p.epoch == 1)
    )
    assert not starts
    next(path)
    assert sum(starts) == 1
    path.close()


@pytest.mark.parametrize("solver", [BCFW(tol=1e-4), NSlack(tol=1e-4)])
def test_refit_on_all_blocks_from_a_part(solver):
    oracle = chains()
    *_, (C, part) = solve_path(solver, oracle, CS, block_ids=np.arange(0, 40, 2))
    lam = 1 / (oracle.n_blocks * C)
    warm = solver.solve(oracle, lam, working_set=part.working_set)
    cold = solver.solve(oracle, lam)
    assert warm.status == "converged"
    assert warm.dual <= cold.primal * (1 + 1e-9)
    assert cold.dual <= warm.primal * (1 + 1e-9)


@pytest.mark.parametrize("bad", [[0.1, 0.0], [-1], [np.nan], [np.inf]])
def test_bad_values(bad):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="Cs must be finite numbers > 0"):
            solve_path(BCFW(), chains(), bad)
