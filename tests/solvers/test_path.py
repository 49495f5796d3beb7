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
    Subgradient,
    solve_path,
)
from pystruct_ext.spaces import MulticlassSpace, SequenceSpace

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
