"""Weighted averages of iterates: against naive averages of every iterate, and certified."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from pystruct_ext.solvers import BCFW, Subgradient
from pystruct_ext.solvers._block import BlockState
from pystruct_ext.solvers._online import OnlineState
from pystruct_ext.spaces import MulticlassSpace

PATH = Path(__file__).resolve().parent / "test_prior.py"
SPEC = importlib.util.spec_from_file_location("prior_problems", PATH)
prior_problems = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(prior_problems)
planes, bound, prior_of = (
    prior_problems.planes,
    prior_problems.bound,
    prior_problems.prior_of,
)
LAM = 0.05


@pytest.mark.parametrize("signed", [0, 4])
@pytest.mark.parametrize("with_prior", [False, True])
def test_block_coordinate_iterates_one_by_one(signed, with_prior):
    """Also where weights are put back to >= 0, which is no step along a cut."""
    oracle = bound(*planes(signed=signed))
    n = oracle.n_blocks
    prior = prior_of(oracle.size_psi) if with_prior else None
    state = BlockState(
        oracle,
        1 / (LAM * n),
        np.arange(n),
        np.ones(n),
        inner_steps=8,
        w_prior=prior,
        average=True,
    )
    rng = np.random.default_rng(0)
    iterates, mean = [], np.empty(oracle.size_psi)
    for mode in ["oracle", "oracle", "cached", "oracle"]:
        for p in rng.permutation(n):
            state.run(np.array([p]), mode)
            iterates.append(state.w.copy())
    k = np.arange(1, len(iterates) + 1)
    if signed:
        assert (np.array(iterates)[:, -signed:] == 0).any()
    state.average(mean)
    np.testing.assert_allclose(mean, np.average(iterates, axis=0, weights=k), atol=1e-9)
    assert np.abs(mean - state.w).max() > 1e-3
    state.let_go()


@pytest.mark.parametrize("signed", [0, 4])
@pytest.mark.parametrize("with_prior", [False, True])
def test_subgradient_iterates_one_by_one(signed, with_prior):
    oracle = bound(*planes(signed=signed))
    n = oracle.n_blocks
    prior = prior_of(oracle.size_psi) if with_prior else None
    state = OnlineState(
        oracle,
        LAM,
        np.arange(n),
        np.ones(n),
        "subgradient",
        w_prior=prior,
        average=True,
    )
    rng = np.random.default_rng(0)
    iterates, weights, mean = [], [], np.empty(oracle.size_psi)
    for _ in range(4):
        state.begin_epoch()
        for p in rng.permutation(n):
            state.run(np.array([p]))
            iterates.append(state.u / state.scale)
            weights.append(state.scale)
    state.average(mean)
    if not with_prior:
        np.testing.assert_allclose(weights, LAM * np.arange(1, 4 * n + 1))
    np.testing.assert_allclose(
        mean, np.average(iterates, axis=0, weights=weights), atol=1e-9
    )


@pytest.mark.reference
@pytest.mark.parametrize(
    "solver",
    [
        BCFW(tol=1e-3, max_iter=5000, average=True),
        BCFW(tol=1e-3, max_iter=5000, average=True, sampling="gap", cached_passes=2),
        Subgradient(tol=3e-2, max_iter=3000, average=True),
        Subgradient(tol=3e-2, max_iter=3000, average=False),
    ],
    ids=repr,
)
@pytest.mark.parametrize("with_prior", [False, True])
def test_certificates_of_averages(solver, with_prior):
    space, X, Y = planes()
    oracle = bound(space, X, Y)
    prior = prior_of(oracle.size_psi) if with_prior else np.zeros(oracle.size_psi)
    best, w = prior_problems.reference(space, X, Y, prior)
    result = solver.solve(oracle, LAM, w_prior=prior)
    assert result.status == "converged"
    assert result.dual <= best * (1 + 1e-6)
    assert result.primal >= best * (1 - 1e-6)
    assert result.relative_gap <= solver.tol
    P = prior_problems.objective(oracle, result.coef, prior)
    assert result.primal == pytest.approx(P, rel=1e-9)
    assert 0.5 * LAM * np.sum((result.coef - w) ** 2) <= result.gap + 1e-9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_single_precision_loses_little():
    """Sums of moves times j (j - 1) cancel; after 200 epochs, too."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 10)), rng.integers(0, 4, 80).tolist()
    means = []
    for dtype in ("float32", "float64"):
        space = MulticlassSpace(dtype=dtype)
        oracle = space.bind(space.fit_pack(X, y))
        solver = BCFW(tol=0.0, max_iter=200, check_every=1000, average=True)
        means.append(solver.solve(oracle, 0.01).coef)
    scale = np.abs(means[1]).max()
    assert np.abs(means[0] - means[1]).max() < 1e-3 * scale


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_averages_are_ahead_in_the_first_epochs():
    oracle = bound(*planes(n=60, m=6, d=30))
    primal = {
        average: BCFW(max_iter=2, average=average).solve(oracle, 1e-3).primal
        for average in (False, True)
    }
    assert primal[True] < primal[False]


@pytest.mark.parametrize(
    ("solver", "said"),
    [
        (BCFW(average="tail"), "BCFW: average must be True or False, got 'tail'"),
        (Subgradient(average=2), "Subgradient: average must be 'epochs', True or"),
    ],
)
def test_what_average_may_be(solver, said):
    with pytest.raises(ValueError, match=said):
        solver.solve(bound(*planes()), LAM)
