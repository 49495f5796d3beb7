"""Compiled solvers against readable twins, step by step."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

from pystruct_ext.solvers import BCFW, Subgradient
from pystruct_ext.spaces import MulticlassSpace, SequenceSpace

PATH = Path(__file__).resolve().parents[1] / "reference" / "ref_bcfw.py"
SPEC = importlib.util.spec_from_file_location("ref_bcfw", PATH)
twins = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(twins)


def oracles():
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(25, 4)), rng.integers(0, 4, 25).tolist()
    space = MulticlassSpace()
    yield space.bind(space.fit_pack(X, y))
    lengths = rng.integers(1, 6, 15)
    X = [rng.normal(size=(n, 3)) for n in lengths]
    Y = [[int(v) for v in rng.integers(0, 3, n)] for n in lengths]
    space = SequenceSpace(dtype="float64")
    yield space.bind(space.fit_pack(X, Y))


ORACLES = dict(zip(["multiclass", "chain"], oracles(), strict=True))


@pytest.mark.parametrize("name", list(ORACLES))
@pytest.mark.parametrize("epochs", [1, 2, 5, 12])
def test_bcfw(name, epochs):
    oracle = ORACLES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = BCFW(
            tol=0.0, max_iter=epochs, check_every=10**6, inner_steps=500
        ).solve(oracle, 0.05)
    # To the optimum of each block: with few steps, equal gains would be told apart by
    # rounding, and the two would go different ways.
    twin = twins.Twin(oracle, 0.05, inner_steps=500)
    for _ in range(epochs):
        twin.epoch()
    # Inner products are kept in single precision by the compiled solver.
    np.testing.assert_allclose(result.coef, twin.w, atol=2e-5)
    assert result.dual == pytest.approx(twin.dual(), abs=1e-6)


@pytest.mark.parametrize("name", list(ORACLES))
@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize(("epochs", "cached"), [(1, 0), (3, 0), (7, 2)])
def test_bcfw_averaged(name, epochs, cached, prior):
    """The average of every iterate, without one of them being kept."""
    oracle = ORACLES[name]
    start = np.random.default_rng(2).normal(size=oracle.size_psi) if prior else None
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = BCFW(
            tol=0.0,
            max_iter=epochs,
            check_every=10**6,
            inner_steps=500,
            cached_passes=cached,
            average=True,
        ).solve(
            oracle,
            0.05,
            w_prior=start,
            callback=lambda progress: seen.append(progress.coef.copy()),
        )
    twin = twins.Twin(
        oracle, 0.05, inner_steps=500, prior=start if prior else 0.0, cached=cached
    )
    for coef in seen:
        twin.epoch()
        np.testing.assert_allclose(coef, twin.average(), atol=2e-5)
    np.testing.assert_allclose(result.coef, twin.average(), atol=2e-5)
    assert np.abs(result.coef - twin.w).max() > 1e-3
    # The bound is that of the last iterate; the primal is of the average.
    assert result.dual == pytest.approx(twin.dual(), abs=1e-6)
    apart = result.coef - (start if prior else 0)
    hinge = oracle.cut_sum(result.coef)[2] / oracle.n_blocks
    assert result.primal == pytest.approx(0.5 * 0.05 * apart @ apart + hinge)


@pytest.mark.parametrize("name", list(ORACLES))
@pytest.mark.parametrize("average", ["epochs", True, False])
def test_subgradient(name, average):
    oracle = ORACLES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = Subgradient(
            tol=0.0, max_iter=7, check_every=100, average=average
        ).solve(oracle, 0.05)
    by_epoch, by_step, last, dual = twins.subgradient(oracle, 0.05, 7)
    expected = {"epochs": by_epoch, True: by_step, False: last}[average]
    np.testing.assert_allclose(result.coef, expected, atol=1e-9)
    assert result.dual == pytest.approx(dual, abs=1e-12)
