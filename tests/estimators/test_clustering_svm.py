"""`ClusteringSVM`: what it learns, its certificates, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from pystruct_ext import ClusteringSVM, PairGraph
from pystruct_ext.metrics import b_cubed
from pystruct_ext.outputs import split_into_blocks


def graphs(rng, sizes, noise=0.6):
    """Points around centres; features: distance and a number that says nothing."""
    X, Y = [], []
    for n in sizes:
        y = rng.integers(0, max(2, n // 5), size=n)
        centres = rng.normal(size=(y.max() + 1, 3)) * 3
        points = centres[y] + noise * rng.normal(size=(n, 3))
        a, b = np.triu_indices(n, 1)
        distance = np.linalg.norm(points[a] - points[b], axis=1)
        X.append(
            PairGraph.complete(n, np.stack([distance, rng.random(len(a))], axis=1))
        )
        Y.append(y)
    return X, Y


def test_blocks_of_one_large_graph_teach_as_much():
    rng = np.random.default_rng(0)
    (train,), (y,) = graphs(rng, [120], noise=0.4)
    test, truth = graphs(rng, [80], noise=0.4)
    X, Y = split_into_blocks([train], [y], 10, 2, random_state=0)
    model = ClusteringSVM(C=0.01, tol=2e-2).fit(X, Y)
    assert model.certificate_ == "bounded"
    assert model.status_ == "converged"
    assert model.coef_[0] < 0 < model.coef_[2]
    assert model.score(test, truth) > 0.9
    scores = model.pair_scores(test)[0]
    assert scores.shape == (len(test[0].pairs),)
    # Where only positive pairs are joined, scores say it all.
    found = np.array(model.predict(test)[0])
    assert b_cubed(truth, [found]).f1 == model.score(test, truth)


@pytest.mark.parametrize("inference", ["auto", "exact"])
def test_bounded_and_exact_agree(inference):
    X, Y = graphs(np.random.default_rng(3), [6, 8, 5, 7])
    settings = {"C": 1.0, "tol": 1e-4, "dtype": "float64", "random_state": 0}
    settings["intercept_scaling"] = 1.0  # with 5, tight gaps take 1,500 epochs
    model = ClusteringSVM(inference=inference, **settings).fit(X, Y)
    assert model.certificate_ == ("bounded" if inference == "auto" else "exact")
    other = ClusteringSVM(inference="exact", solver="n_slack", **settings).fit(X, Y)
    assert model.primal_objective_ == pytest.approx(other.primal_objective_, rel=3e-4)


def test_sparse_and_dense_features_agree():
    X, Y = graphs(np.random.default_rng(1), [8, 9, 7])
    rows = [PairGraph(x.n, x.pairs, sparse.csr_array(x.features)) for x in X]
    dense = ClusteringSVM(random_state=0, dtype="float64").fit(X, Y)
    assert np.allclose(
        dense.coef_, ClusteringSVM(random_state=0, dtype="float64").fit(rows, Y).coef_
    )


def test_costs_move_the_balance():
    X, Y = graphs(np.random.default_rng(2), [9] * 12, noise=1.5)
    joined = {}
    for name, value in (("false_cost", 5.0), ("miss_cost", 5.0)):
        model = ClusteringSVM(C=0.01, tol=0.05, **{name: value}).fit(X, Y)
        joined[name] = sum(y.joined.sum() for y in model.predict(X))
    assert joined["false_cost"] < joined["miss_cost"]


def test_bad_input():
    X, Y = graphs(np.random.default_rng(0), [4, 5])
    for bad_X, bad_y, error, text in (
        (X[0], Y, TypeError, "PairGraph"),
        ([X[0], "abc"], Y, TypeError, "X: example 1 must be a PairGraph, got str"),
        (
            X,
            [Y[0], Y[1][:3]],
            ValueError,
            "y: example 1 has 3 cluster ids, expected one per",
        ),
        (X, Y[:1], ValueError, "same number of examples|has 1"),
    ):
        with pytest.raises(error, match=text):
            ClusteringSVM().fit(bad_X, bad_y)
    with pytest.raises(ValueError, match="y is needed to learn from, got None"):
        ClusteringSVM().fit(X, None)
    narrow = PairGraph(2, [(0, 1)], [[1.0]])
    with pytest.raises(ValueError, match="example 1 has 1 features, expected 2"):
        ClusteringSVM().fit([X[0], narrow], [Y[0], "ab"])
    model = ClusteringSVM().fit(X, Y)
    with pytest.raises(ValueError, match="example 0 has 1 features, expected 2"):
        model.predict([narrow])
    with pytest.raises(ValueError, match="task_loss must be one of"):
        ClusteringSVM(loss="hamming").fit(X, Y)
    with pytest.raises(ValueError, match="miss_cost must be a finite number >= 0"):
        ClusteringSVM(miss_cost=-1).fit(X, Y)
