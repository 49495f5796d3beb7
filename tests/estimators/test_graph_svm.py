"""GraphSVM: certificates, optima, what it learns."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext import GraphSVM, SequenceSVM, load
from pystruct_ext.metrics import graph_report
from pystruct_ext.outputs import Graph, grid_graph


def fitted(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def squares(n, seed=0, noise=0.8):
    rng = np.random.default_rng(seed)
    X, Y = [], []
    for _ in range(n):
        y = np.zeros((6, 6), dtype=int)
        a, b = rng.integers(0, 3, size=2)
        y[a : a + 4, b : b + 4] = 1
        X.append(grid_graph(y + noise * rng.normal(size=(6, 6)), directions=None))
        Y.append(y)
    return X, Y


def test_a_chain_is_a_sequence():
    """The same problem as SequenceSVM's but for weights of the first and last label."""
    rng = np.random.default_rng(0)
    xs = [rng.normal(size=(5, 3)) for _ in range(12)]
    ys = [rng.integers(0, 3, size=5).tolist() for _ in range(12)]
    chains = [Graph(x, [(t, t + 1) for t in range(4)]) for x in xs]
    model = fitted(GraphSVM(C=0.1, tol=1e-6, bias=False, dtype="float64"), chains, ys)
    assert model.certificate_ == "exact"
    # Two more features that say first and last stand for those weights in both.
    ends = np.zeros((5, 2))
    ends[0, 0] = ends[4, 1] = 1
    more = [Graph(np.c_[x, ends], [(t, t + 1) for t in range(4)]) for x in xs]
    both = fitted(GraphSVM(C=0.1, tol=1e-6, bias=False, dtype="float64"), more, ys)
    sequence = fitted(SequenceSVM(C=0.1, tol=1e-6, dtype="float64"), xs, ys)
    assert both.primal_objective_ == pytest.approx(sequence.primal_objective_, rel=1e-5)
    assert both.primal_objective_ < model.primal_objective_


def test_attractive_fits_are_exact_and_keep_their_signs():
    X, y = squares(30)
    model = fitted(GraphSVM(C=0.1, pairwise="potts", attractive=True), X[:20], y[:20])
    assert (model.certificate_, model.status_) == ("exact", "converged")
    assert model.space_.pair_scores(model.coef_)[0] > 0
    alone = fitted(
        GraphSVM(C=0.1), [Graph(x.features, [], shape=(6, 6)) for x in X[:20]], y[:20]
    )
    base = alone.score(
        [Graph(x.features, []) for x in X[20:]], [v.ravel() for v in y[20:]]
    )
    assert model.score(X[20:], y[20:]) > base + 0.02
    # Where neighbours differ, signs are what keeps pair scores from being negative.
    flipped = [np.indices((6, 6)).sum(axis=0) % 2 for _ in X]
    free = fitted(GraphSVM(C=0.1, pairwise="potts"), X[:20], flipped[:20])
    kept = fitted(
        GraphSVM(C=0.1, pairwise="potts", attractive=True), X[:20], flipped[:20]
    )
    assert free.space_.pair_scores(free.coef_)[0] < -0.1
    assert kept.space_.pair_scores(kept.coef_)[0] == 0
    assert free.dual_objective_ < kept.primal_objective_


def test_bounded_fits_bound_the_exact_ones():
    rng = np.random.default_rng(1)
    X = [grid_graph(rng.normal(size=(3, 3, 2))) for _ in range(8)]
    y = [rng.integers(0, 3, size=(3, 3)) for _ in range(8)]
    bounded = fitted(GraphSVM(C=0.1, dtype="float64"), X, y)
    exact = fitted(GraphSVM(C=0.1, inference="exact", tol=1e-4, dtype="float64"), X, y)
    assert (bounded.certificate_, exact.certificate_) == ("bounded", "exact")
    assert bounded.dual_objective_ <= exact.primal_objective_ + 1e-6
    assert bounded.primal_objective_ >= exact.dual_objective_ - 1e-6


def test_directions_are_learnt():
    """Label 1 always lies to the right of label 0: symmetric pair scores cannot say so."""
    rng = np.random.default_rng(2)
    X, y = [], []
    for _ in range(30):
        first = int(rng.integers(2))
        labels = np.array([first, 1 - first])
        edge = [(0, 1)] if first == 0 else [(1, 0)]
        X.append(Graph(rng.normal(size=(2, 1)), edge))
        y.append(labels.tolist())
    full = fitted(GraphSVM(C=1.0), X, y)
    symmetric = fitted(GraphSVM(C=1.0, pairwise="symmetric"), X, y)
    assert full.score(X, y) == 1.0
    assert symmetric.score(X, y) < 0.9


def test_too_large_for_exact():
    X = [grid_graph(np.zeros((40, 60)))]
    y = [np.arange(2400).reshape(40, 60) % 3]
    with pytest.raises(
        ValueError, match=r"example 0 has 2400 nodes .* tables of 1e\d+ entries"
    ):
        GraphSVM(inference="exact").fit(X, y)


def test_saved_models_predict_the_same(tmp_path):
    rng = np.random.default_rng(3)
    X = [
        Graph(
            rng.normal(size=(3, 2)),
            [(0, 1), (2, 1)],
            node_types=["p", 1, "p"],
            edge_types=["r", 2.5],
        )
        for _ in range(6)
    ]
    y = [["a", "b", str(rng.choice(["a", "c"]))] for _ in X]
    y[0][2], y[1][2] = "a", "c"
    model = fitted(GraphSVM(C=1.0, label_weight={"a": 2.0}), X, y)
    model.save(tmp_path / "m.psx")
    back = load(tmp_path / "m.psx")
    assert back.predict(X) == model.predict(X)
    assert back.space_.kinds_ == model.space_.kinds_
    assert [len(row) for row in model.predict(X)] == [3] * 6


def test_score_leaves_missing_labels_out():
    X = [(np.eye(2), [(0, 1)]), (np.eye(2), [(0, 1)])]
    model = fitted(GraphSVM(C=10.0), X, [["a", "b"], ["a", "b"]])
    assert model.score(X, [["a", None], ["b", {"a", "b"}]]) == 0.5
    assert model.score(X, [["a", None], ["b", None]], sample_weight=[3, 1]) == 0.75


def test_report():
    true = [["a", "a", "b"], ["b", None]]
    pred = [["a", "b", "b"], ["b", "a"]]
    report = graph_report(true, pred)
    assert (report.accuracy, report.exact, report.n_nodes) == (0.75, 0.5, 4)
    assert report.iou == {"a": 0.5, "b": pytest.approx(2 / 3)}
    assert report.recall == {"a": 0.5, "b": 1.0}
    weighed = graph_report(true, pred, weights=[[1, 5, 1], [1, 9]])
    assert weighed.accuracy == 3 / 8
    assert weighed.iou["a"] == 1 / 6
    assert "mean IoU" in str(report)
    assert report.to_dict()["iou"]["b"] == pytest.approx(2 / 3)
    for args, text in (
        (([["a"]], []), "1 graphs and y_pred 0"),
        (([["a"]], [["a", "b"]]), "example 0 has 2 labels, expected 1"),
    ):
        with pytest.raises(ValueError, match=text):
            graph_report(*args)
    with pytest.raises(TypeError, match="both hold strings"):
        graph_report([["a"]], [[1]])
