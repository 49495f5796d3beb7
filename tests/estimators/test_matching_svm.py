"""`MatchingSVM`: what it learns, what it certifies, how it scores."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext import MatchingSVM, load
from pystruct_ext.metrics import link_report
from pystruct_ext.outputs import Links, MatchingProblem
from pystruct_ext.spaces import best_matching

TRUE = np.array([2.0, -1.0, 0.5, 0.0])


def make(n, rng, *, pairs_of_columns=0.0):
    """Problems of 5 x 6; some rows have the next column, too."""
    X, Y = [], []
    for _ in range(n):
        x = rng.normal(size=(5, 6, 4))
        worth = x @ TRUE - 0.5 + 0.3 * rng.normal(size=(5, 6))
        rows, columns, _ = best_matching(worth)
        links = set(zip(rows.tolist(), columns.tolist(), strict=True))
        links |= {
            (i, j + 1) for i, j in links if j < 5 and rng.random() < pairs_of_columns
        }
        X.append(x)
        Y.append(sorted(links))
    return X, Y


def test_links_are_learnt_and_beat_a_threshold():
    rng = np.random.default_rng(0)
    X, Y = make(160, rng)
    model = MatchingSVM(C=1.0, random_state=0).fit(X[:80], Y[:80])
    assert model.certificate_ == "exact"
    assert model.relative_gap_ <= 1e-2
    together = model.score(X[80:], Y[80:])
    free = MatchingSVM(C=1.0, row_capacity=None, column_capacity=None, excess="drop")
    alone = free.fit(X[:80], Y[:80]).score(X[80:], Y[80:])
    assert together > 0.75
    assert together > alone + 0.05


def test_score_is_one_minus_aer_and_weighs_examples():
    X, Y = make(12, np.random.default_rng(1))
    Y = [Links(y[:-1], y[-1:]) for y in Y]
    model = MatchingSVM(C=1.0).fit(X, Y)
    report = link_report(Y, model.predict(X))
    assert model.score(X, Y) == pytest.approx(1 - report.aer)
    assert report.n_possible > report.n_sure
    twice = model.score(X[:3] + X[:1], Y[:3] + Y[:1])
    assert model.score(X[:3], Y[:3], sample_weight=[2, 1, 1]) == pytest.approx(twice)


def test_costs_of_more_links_stay_nonnegative_and_certified():
    X, Y = make(60, np.random.default_rng(2), pairs_of_columns=0.4)
    model = MatchingSVM(
        C=1.0, row_capacity=3, column_capacity=None, fertility=2, tol=1e-3
    ).fit(X, Y)
    groups = model.split_weights()
    assert (groups["row_costs"] >= 0).all()
    assert (groups["column_costs"] >= 0).all()
    assert groups["column_costs"][0] > 0.1
    assert model.certificate_ == "exact"
    assert model.relative_gap_ <= 1e-3
    # The same problem without costs is worth no less.
    plain = MatchingSVM(C=1.0, row_capacity=3, column_capacity=None, tol=1e-3).fit(X, Y)
    assert model.primal_objective_ <= plain.primal_objective_ * (1 + 2e-3)


def test_neighbours_are_learnt_with_a_bound():
    X, Y = make(90, np.random.default_rng(3), pairs_of_columns=0.6)
    settings = {"C": 1.0, "row_capacity": 2, "column_capacity": 2, "excess": "drop"}
    model = MatchingSVM(adjacency=True, fertility=1, **settings).fit(X[:60], Y[:60])
    assert model.certificate_ == "bounded"
    assert model.relative_gap_ <= 2e-2
    near = model.split_weights()["adjacency"]
    assert near["row"] > max(near["column"], near["diagonal"], near["antidiagonal"])
    plain = MatchingSVM(fertility=1, **settings).fit(X[:60], Y[:60])
    assert model.score(X[60:], Y[60:]) > plain.score(X[60:], Y[60:])


def test_must_match_of_columns_is_that_of_rows_turned():
    rng = np.random.default_rng(4)
    X = [rng.normal(size=(3, 5, 4)) for _ in range(20)]
    Y = [sorted(enumerate(rng.permutation(5)[:3].tolist())) for _ in X]
    rows = MatchingSVM(must_match="rows", tol=1e-4).fit(X, Y)
    turned = [np.swapaxes(x, 0, 1).copy() for x in X]
    columns = MatchingSVM(must_match="columns", tol=1e-4).fit(
        turned, [sorted((j, i) for i, j in y) for y in Y]
    )
    assert rows.primal_objective_ == pytest.approx(columns.primal_objective_, rel=1e-3)
    for x, y in zip(X, rows.predict(X), strict=True):
        assert [i for i, _ in y] == [0, 1, 2]
        again = rows.space_.decode(rows.coef_, x)
        assert again == y


def test_examples_without_candidates_have_no_links():
    X, Y = make(6, np.random.default_rng(5))
    empty = MatchingProblem(np.zeros((0, 4)), shape=(0, 3), pairs=[])
    model = MatchingSVM(C=1.0).fit([*X, empty], [*Y, []])
    assert model.predict([empty, X[0]])[0] == ()
    with pytest.raises(ValueError, match="example 0 has no candidate links"):
        MatchingSVM(must_match="columns").fit([empty], [[]])


def test_k_best_save_and_load(tmp_path):
    X, Y = make(8, np.random.default_rng(6))
    model = MatchingSVM(C=1.0, fertility=1, row_capacity=2).fit(X, Y)
    model.save(tmp_path / "m.psx")
    again = load(tmp_path / "m.psx")
    assert again.predict(X) == model.predict(X)
    best = again.predict_k_best(X[:1], 4)[0]
    assert best[0][1] == model.predict(X[:1])[0]
    assert [s for s, _ in best] == sorted((s for s, _ in best), reverse=True)
    with pytest.raises((NotImplementedError, ValueError), match="marginals"):
        model.predict_marginals(X[:1])
