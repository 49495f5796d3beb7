"""Certified although greedy: what "bounded" says, against exact training by enumeration."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pystruct_ext import DiverseRankingSVM
from pystruct_ext._core import python_oracle
from pystruct_ext.datasets import load_ambiguous_queries
from pystruct_ext.diversify import QueryTextFeatures
from pystruct_ext.solvers import BCFW, NSlack, OneSlack
from pystruct_ext.spaces import SlateSpace
from pystruct_ext.structures.samples.diverse_ranking import slates

PARTS = {
    "coverage": {"parts": ("elements",), "discounted": False, "task_loss": "intents"},
    "mixture": {"parts": ("elements",)},
    "sequential": {"parts": ("relations", "novelty")},
}


class Enumerated:
    """The same slates, separated exactly."""

    def __init__(self, space, X):
        self.space = space
        self.joint_feature, self.loss = space.joint_feature, space.loss
        self.table = {}
        for x in X:
            outputs = list(space.enumerate(x))
            psi = np.array([space.joint_feature(x, z) for z in outputs])
            self.table[id(x)] = outputs, psi

    def decode(self, w, x):
        outputs, psi = self.table[id(x)]
        return outputs[int(np.argmax(psi @ w))]

    def loss_augmented_decode(self, w, x, y):
        outputs, psi = self.table[id(x)]
        loss = np.array([self.space.loss(y, z) for z in outputs])
        return outputs[int(np.argmax(psi @ w + loss))]


@pytest.mark.parametrize(
    ("model", "solver"),
    [*((model, BCFW) for model in PARTS), ("coverage", OneSlack), ("coverage", NSlack)],
)
def test_the_interval_holds_the_optimum(model, solver):
    """dual <= optimum <= P(w) <= primal, with the optimum found by enumeration."""
    params = PARTS[model]
    loss = params.get("task_loss", "alpha_ndcg")
    X, Y = slates(loss, 3, (4, 5, 5, 4))(np.random.default_rng(3))
    space = SlateSpace(top=3, **params)
    oracle = space.bind(space.fit_pack(X, Y))
    assert oracle.exactness == "bounded"
    exact, _ = python_oracle(Enumerated(space, X), X, Y, space.size_psi_)
    lam = 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = solver(max_iter=60).solve(oracle, lam)
        best = BCFW(tol=1e-3, max_iter=200).solve(exact, lam)
    assert found.certificate == "bounded"
    assert best.certificate == "exact"
    slack = 1e-6 + 2e-3 * abs(best.primal)
    own = 0.5 * lam * found.coef @ found.coef + exact.hinge_sum(found.coef)[0] / len(X)
    assert found.dual <= best.primal + slack
    assert best.dual <= own + slack
    assert own <= found.primal + slack
    # The gap is that of the real problem, and not far above what is really left.
    assert 0 <= found.relative_gap < 1


def test_coverage_on_the_embedded_queries():
    raw = load_ambiguous_queries("train")
    X = QueryTextFeatures().fit(raw).transform(raw)
    model = DiverseRankingSVM(model="coverage", C=0.1).fit(X)
    assert model.certificate_ == "bounded"
    assert model.status_ in ("converged", "stalled", "max_iter")
    assert 0 <= model.relative_gap_ < 0.3
    assert model.duality_gap_ == pytest.approx(
        model.primal_objective_ - model.dual_objective_
    )
