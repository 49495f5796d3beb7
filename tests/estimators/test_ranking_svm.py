"""RankingSVM: optima, interfaces, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pystruct_ext
from pystruct_ext import RankingSVM
from pystruct_ext.metrics import ndcg

LOSSES = ("pairs", "roc", "map", "ndcg", "precision", "mrr")


def problem(seed=0, n_queries=20, d=4):
    rng = np.random.default_rng(seed)
    qid = np.repeat(np.arange(n_queries), rng.integers(4, 12, n_queries))
    X = rng.normal(size=(len(qid), d))
    y = np.clip(np.round(X @ np.arange(1, d + 1) / 3 + rng.normal(size=len(qid))), 0, 3)
    return X, y, qid


@pytest.mark.reference
def test_pairs_equal_the_cvxpy_optimum():
    """min 1/2 |w|^2 + C sum_q mean over pairs of max(0, 1 - (s_i - s_j))."""
    cvxpy = pytest.importorskip("cvxpy")
    X, y, qid = problem()
    w = cvxpy.Variable(4)
    total = 0
    for q in np.unique(qid):
        rows = np.flatnonzero(qid == q)
        i, j = np.nonzero(y[rows][:, None] > y[rows][None, :])
        if len(i):
            margins = (X[rows[i]] - X[rows[j]]) @ w
            total += cvxpy.sum(cvxpy.pos(1 - margins)) / len(i)
    reference = cvxpy.Problem(cvxpy.Minimize(0.5 * cvxpy.sum_squares(w) + 3 * total))
    best = reference.solve(solver="CLARABEL")
    model = RankingSVM(loss="pairs", C=3, tol=1e-5, max_iter=5000).fit(X, y, qid=qid)
    assert model.certificate_ == "exact"
    assert model.primal_objective_ == pytest.approx(best, rel=2e-4)
    assert model.dual_objective_ <= best * (1 + 1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_solvers_agree(loss):
    X, y, qid = problem(1)
    values = [
        RankingSVM(loss=loss, C=2, solver=s, tol=1e-3, max_iter=3000)
        .fit(X, y, qid=qid)
        .primal_objective_
        for s in ("bcfw", "one_slack")
    ]
    assert values[0] == pytest.approx(values[1], rel=3e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_order_of_rows_does_not_matter(loss):
    X, y, qid = problem(2)
    a = RankingSVM(loss=loss, tol=1e-6, max_iter=3000).fit(X, y, qid=qid)
    order = np.random.default_rng(0).permutation(len(y))
    b = RankingSVM(loss=loss, tol=1e-6, max_iter=3000).fit(
        X[order], y[order], qid=qid[order]
    )
    c = RankingSVM(loss=loss, tol=1e-6, max_iter=3000).fit(
        sparse.csr_array(X), y, qid=qid
    )
    for other in (b, c):
        np.testing.assert_allclose(a.coef_, other.coef_, atol=5e-3)


def test_it_learns_and_ranks():
    X, y, qid = problem(3, 60)
    model = RankingSVM(C=10, tol=0.01).fit(X, y, qid=qid)
    direct = ndcg(y, X @ np.arange(1, 5), qid)
    assert model.score(X, y, qid=qid) >= direct - 0.02
    scores = model.predict(X)
    orders = model.rank(X, qid=qid)
    assert len(orders) == 60
    for q, rows in enumerate(orders):
        assert set(rows) == set(np.flatnonzero(qid == q))
        assert (np.diff(scores[rows]) <= 0).all()


def test_query_weight_equals_repetition():
    X, y, qid = problem(4, 8)
    w = np.ones(8)
    w[2] = 2
    a = RankingSVM(loss="pairs", tol=1e-7, max_iter=9000).fit(
        X, y, qid=qid, sample_weight=w
    )
    rows = qid == 2
    X2, y2 = np.vstack([X, X[rows]]), np.concatenate([y, y[rows]])
    q2 = np.concatenate([qid, np.full(rows.sum(), 99)])
    b = RankingSVM(loss="pairs", tol=1e-7, max_iter=9000).fit(X2, y2, qid=q2)
    np.testing.assert_allclose(a.coef_, b.coef_, atol=2e-3)
    c = RankingSVM(loss="pairs", tol=1e-7, max_iter=9000).fit(
        X, y, qid=qid, sample_weight=w[qid]
    )
    np.testing.assert_allclose(a.coef_, c.coef_, atol=1e-12)


def test_document_weight_of_equal_values_changes_nothing():
    X, y, qid = problem(5)
    a = RankingSVM(loss="pairs", tol=1e-6, max_iter=5000).fit(X, y, qid=qid)
    b = RankingSVM(loss="pairs", tol=1e-6, max_iter=5000).fit(
        X, y, qid=qid, document_weight=np.full(len(y), 2.5)
    )
    np.testing.assert_allclose(a.coef_, b.coef_, atol=2e-3)
    with pytest.raises(ValueError, match="document_weight is for loss='pairs'"):
        RankingSVM(loss="ndcg").fit(X, y, qid=qid, document_weight=np.ones(len(y)))


def test_long_queries_take_the_one_slack_solver():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 3))
    y = np.clip(np.round(X[:, 0] + 0.3 * rng.normal(size=5000)), 0, 2)
    model = RankingSVM(loss="pairs", C=10, tol=0.01).fit(X, y)
    assert model._make_solver().name == "one_slack"
    assert model.status_ == "converged"
    assert model.get_params()["solver"] == "auto"


def test_pipeline_and_search():
    X, y, qid = problem(6, 30)
    with sklearn.config_context(enable_metadata_routing=True):
        ranker = (
            RankingSVM(tol=0.05).set_fit_request(qid=True).set_score_request(qid=True)
        )
        pipe = make_pipeline(StandardScaler(), ranker)
        search = GridSearchCV(pipe, {"rankingsvm__C": [0.01, 1.0]}, cv=GroupKFold(3))
        search.fit(X, y, groups=qid, qid=qid)
    assert search.best_score_ > 0.6
    assert clone(ranker).get_params() == ranker.get_params()


def test_saved_models_rank_alike(tmp_path):
    X, y, qid = problem(7)
    model = RankingSVM(loss="map").fit(X, y, qid=qid)
    model.save(tmp_path / "model.psx")
    again = pystruct_ext.load(tmp_path / "model.psx")
    np.testing.assert_array_equal(model.predict(X), again.predict(X))
    assert again.loss == "map"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"qid": [1, 2]}, "qid must have one entry per document: 6"),
        ({"y": [0, 1, -1, 0, 1, 2]}, "document 2 is -1, expected a finite grade >= 0"),
        ({"y": [1] * 6}, "no query has documents of different relevance"),
        ({"X": [[np.nan]] + [[1.0]] * 5}, "NaN"),
        ({"sample_weight": [1.0] * 3}, r"sample_weight has shape \(3,\)"),
        ({"sample_weight": [1, 2, 1, 1, 1, 1]}, "differs within the 0-th query"),
        ({"qid": [0, 0, 0, np.nan, 1, 1]}, "query of document 3 is missing"),
    ],
)
def test_bad_input(change, message):
    given = {
        "X": np.arange(6.0)[:, None],
        "y": [0, 1, 2, 0, 1, 2],
        "qid": [0, 0, 0, 1, 1, 1],
    }
    given.update(change)
    with pytest.raises(ValueError, match=message):
        RankingSVM().fit(given.pop("X"), given.pop("y"), **given)


@pytest.mark.parametrize(
    "params", [{"loss": "auc"}, {"top": 0}, {"gain": "cubic"}, {"C": 0}, {"dtype": "f"}]
)
def test_bad_parameters(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name} must be"):
        RankingSVM(**params).fit([[0.0], [1.0]], [0, 1])


def test_queries_without_information_are_left_out():
    X = np.arange(5.0)[:, None]
    model = RankingSVM().fit(X, [0, 1, 1, 1, 0], qid=[0, 0, 1, 1, 2])
    assert model.n_queries_ == 1


def test_c_path_says_what_to_do_instead():
    with pytest.raises(TypeError, match="GridSearchCV with GroupKFold"):
        pystruct_ext.c_path(RankingSVM(), [[0.0], [1.0]], [0, 1], [1.0])


def test_interrupt_leaves_a_model():
    X, y, qid = problem(8)

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        model = RankingSVM(C=100, tol=1e-9, callback=stop).fit(X, y, qid=qid)
    assert model.status_ == "interrupted"
    assert np.isfinite(model.predict(X)).all()
