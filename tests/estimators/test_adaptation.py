"""Fitted models taken to other data, and estimators with weights to draw to."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext import MulticlassSVM, RankingSVM, SequenceSVM
from pystruct_ext.estimators import HeldOutScore, adapt
from pystruct_ext.structures import STRUCTURES


@pytest.mark.parametrize("name", sorted(STRUCTURES))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_structure(name):
    structure = STRUCTURES[name]
    problem = structure.problem(np.random.default_rng(0))
    model = structure.estimator(max_iter=5)
    model.fit(problem.X, problem.y, **problem.fit_params)
    if model._grouped_in_queries:
        with pytest.raises(TypeError, match="independent examples"):
            adapt(model, problem.X, problem.y)
        return
    before = model.coef_.copy() if hasattr(model.coef_, "copy") else model._w.copy()
    stuck = adapt(model, problem.X, problem.y, C=1e-12)
    np.testing.assert_allclose(stuck._w, model._w, atol=1e-6)
    assert type(stuck) is type(model)
    # The hinges at the old weights, which more C brings down.
    there = stuck.primal_objective_ / 1e-12
    model.set_params(max_iter=200, tol=1e-2)
    moved = adapt(model, problem.X, problem.y, C=10 * model.C)
    assert moved.primal_objective_ <= 10 * model.C * there * (1 + 1e-6)
    assert moved.dual_objective_ <= moved.primal_objective_ * (1 + 1e-6)
    assert np.array_equal(model.coef_, before)


def sentences(flip, n, seed):
    """Two domains: in one of them w=0 means the other label, and begins every sentence."""
    rng = np.random.default_rng(seed)
    X = [[[f"w={v}"] for v in rng.integers(0, 12, 5)] for _ in range(n)]
    if flip:
        for x in X:
            x[0] = ["w=0"]
    label = {f"w={v}": "AB"[v % 2] for v in range(12)}
    if flip:
        label["w=0"] = "B"
    return X, [[label[t[0]] for t in x] for x in X]


def test_little_data_of_another_domain():
    old, few = sentences(False, 60, 0), sentences(True, 4, 1)
    X, y = sentences(True, 200, 2)
    source = SequenceSVM(C=1).fit(*old)
    alone = SequenceSVM(C=1).fit(*few)
    adapted = adapt(source, *few, C=1)
    scores = [m.score(X, y) for m in (source, alone, adapted)]
    assert scores[2] > max(scores[:2])
    assert adapted.status_ == "converged"
    # The objective is that of the docs.
    space = adapted.space_
    hinge = space.bind(space.pack(*few)).hinge_sum(adapted._w)[0]
    apart = np.sum((adapted._w.astype(float) - source._w) ** 2)
    assert adapted.primal_objective_ == pytest.approx(0.5 * apart + hinge, rel=1e-5)


def test_labels_that_the_model_does_not_know():
    model = SequenceSVM(C=1).fit(*sentences(False, 5, 0))
    with pytest.raises(ValueError, match="'C'"):
        adapt(model, [[["w=1"]]], [["C"]])


def test_not_a_model():
    with pytest.raises(TypeError, match="got a RankingSVM"):
        adapt(RankingSVM(), [], [])
    with pytest.raises(TypeError, match="got a str"):
        adapt("model", [], [])


class Drawn(MulticlassSVM):
    """An estimator that knows weights beforehand."""

    def _prior_weights(self, space):
        prior = np.zeros(space.size_psi_)
        prior[0] = 3.0
        return prior


def test_hook_of_estimators():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    stuck = Drawn(C=1e-9).fit(X, y)
    assert stuck._w[0] == pytest.approx(3.0)
    assert np.abs(stuck._w[1:]).max() < 1e-6
    model = Drawn(C=0.1, tol=1e-6, max_iter=5000).fit(X, y)
    space = model.space_
    hinge = space.bind(space.pack(X, y)).hinge_sum(model._w)[0]
    apart = model._w.astype(float)
    apart[0] -= 3
    assert model.primal_objective_ == pytest.approx(
        0.5 * apart @ apart + 0.1 * hinge, rel=1e-6
    )
    # The weights of the best held-out score have their own certificate, of the same problem.
    dev = HeldOutScore(X, y, patience=None)
    kept = Drawn(C=0.1, tol=1e-6, max_iter=40, callback=dev).fit(X, y)
    apart = kept._w.astype(float)
    apart[0] -= 3
    hinge = space.bind(space.pack(X, y)).hinge_sum(kept._w)[0]
    assert kept.primal_objective_ == pytest.approx(
        0.5 * apart @ apart + 0.1 * hinge, rel=1e-6
    )
    assert kept.dual_objective_ <= model.primal_objective_
