"""`LatentStructuralSVM` around `GraphSVM`: labels that are missing at some nodes."""

from __future__ import annotations

import numpy as np
import pytest

import pystruct_ext
from pystruct_ext import LatentStructuralSVM
from pystruct_ext.structures import STRUCTURES

pytestmark = pytest.mark.skipif("graph" not in STRUCTURES, reason="no graphs")


@pytest.fixture(scope="module")
def problem():
    structure = STRUCTURES["graph"]
    X, y = structure.problem(np.random.default_rng(0))[:2]
    rng = np.random.default_rng(1)
    known = [[None if rng.random() < 0.4 else v for v in labels] for labels in y]
    known[0][0] = set(y[0][:2]) | {y[0][0]}
    estimator = pystruct_ext.GraphSVM(**{**structure.small, "tol": 1e-3})
    return X, y, known, LatentStructuralSVM(estimator, n_init=2).fit(X, known)


def agrees(y, z):
    return all(
        a is None or a == b or (isinstance(a, set) and b in a)
        for a, b in zip(y, z, strict=True)
    )


def test_the_objective_is_that_of_enumeration(problem):
    X, _, known, model = problem
    space, inner = model.space_, model.estimator_
    w = np.asarray(inner._w, dtype=np.float64)
    total = 0.0
    for x, y, imputed in zip(X, known, model.imputed_, strict=True):
        outputs = list(space.enumerate(x))
        scores = np.array([w @ space.joint_feature(x, z) for z in outputs])
        costs = np.array([space.loss(y, z) for z in outputs])
        fits = np.array([agrees(y, z) for z in outputs])
        assert not costs[fits].any()
        assert agrees(y, imputed)
        reached = w @ space.joint_feature(x, imputed)
        assert reached == pytest.approx(scores[fits].max(), rel=1e-5, abs=1e-6)
        total += (scores + costs).max() - scores[fits].max()
    expected = 0.5 * w @ w + inner.C * total
    assert model.objective_ == pytest.approx(expected, rel=1e-4)


def test_rounds(problem):
    _, _, _, model = problem
    assert model.status_ == "converged"
    assert np.all(np.diff(model.objective_path_) <= 0)
    assert all(row["certificate"] == "exact" for row in model.rounds_)


def test_plain_fits_refuse_missing_labels(problem):
    X, _, known, _ = problem
    with pytest.raises(ValueError, match=r"example 0.*LatentStructuralSVM"):
        pystruct_ext.GraphSVM().fit(X, known)
