"""RankingSVM: optima, interfaces, and bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pystruct_ext
from pystruct_ext import MulticlassSVM, RankingSVM
from pystruct_ext.estimators import HeldOutScore
from pystruct_ext.io import read_run, write_run
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


def test_interrupt_leaves_a_model():
    X, y, qid = problem(8)

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        model = RankingSVM(C=100, tol=1e-9, callback=stop).fit(X, y, qid=qid)
    assert model.status_ == "interrupted"
    assert np.isfinite(model.predict(X)).all()


# Without qid, LightGBM's arguments, names of features, and files.


def test_scoring_without_qid_says_what_it_assumed():
    X, y, qid = problem(9, 30)
    model = RankingSVM(tol=0.05).fit(X, y, qid=qid)
    message = (
        rf"{len(y)} rows as one query \(NDCG@10 = [01]\.\d+\); .* 30 queries.* qid"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        whole = model.score(X, y)
    assert caught[0].filename == __file__
    assert f"{whole:.3f}" in str(caught[0].message)
    assert len(model.rank(X)) == 1  # a page at a time is what rank is for
    assert model.score(X, y, qid=qid) == np.mean(
        [
            ndcg(y[r], model.predict(X[r]))
            for r in (np.flatnonzero(qid == q) for q in range(30))
        ]
    )


def test_cross_val_score_without_routing_warns():
    X, y, qid = problem(10, 12)
    with pytest.warns(UserWarning, match=r"set_score_request\(qid=True\)"):
        cross_val_score(
            RankingSVM(tol=0.1),
            X,
            y,
            groups=qid,
            cv=GroupKFold(2),
            params={"qid": qid},
        )
    with sklearn.config_context(enable_metadata_routing=True):
        ranker = (
            RankingSVM(tol=0.1).set_fit_request(qid=True).set_score_request(qid=True)
        )
        scores = cross_val_score(
            ranker, X, y, cv=GroupKFold(2), params={"qid": qid, "groups": qid}
        )
    assert scores.min() > 0.5


def test_a_single_query_needs_no_qid(recwarn):
    X, y, _ = problem(11, 3)
    model = RankingSVM(tol=0.05).fit(X, y)
    model.score(X, y)
    model.rank(X)
    assert not recwarn


def test_a_model_of_an_older_file_warns_too(tmp_path):
    X, y, qid = problem(7)
    model = RankingSVM().fit(X, y, qid=qid)
    del model.n_queries_seen_
    model.save(tmp_path / "old.psx")
    with pytest.warns(UserWarning, match="as one query"):
        pystruct_ext.load(tmp_path / "old.psx").score(X, y)


def test_group_is_qid_by_sizes():
    X, y, qid = problem(12)
    sizes = np.bincount(qid)
    a = RankingSVM().fit(X, y, qid=qid)
    b = RankingSVM().fit(X, y, group=sizes.tolist())
    np.testing.assert_array_equal(a.coef_, b.coef_)
    assert a.score(X, y, qid=qid) == b.score(X, y, group=sizes)
    for one, other in zip(a.rank(X, qid), b.rank(X, group=sizes), strict=True):
        np.testing.assert_array_equal(one, other)
    for bad, message in (
        ([3, 4], rf"2 queries sum to 7, expected the number of documents, {len(y)}"),
        (qid + 1, "ids, one per document, are qid"),
        ([-1, len(y) + 1], "size of query 0 is -1"),
        ([2.5], "whole numbers"),
        ([[len(y)]], "whole numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            RankingSVM().fit(X, y, group=bad)
    with pytest.raises(ValueError, match="qid and group say the same"):
        RankingSVM().fit(X, y, qid=qid, group=sizes)


def test_eval_set_is_scored_every_epoch(tmp_path):
    X, y, qid = problem(13, 40)
    dev, dev_y, dev_qid = problem(14, 25)
    sizes = np.bincount(dev_qid)
    seen = []
    model = RankingSVM(
        C=30, tol=1e-4, max_iter=20, callback=lambda p: seen.append(p.coef.copy())
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, qid=qid, eval_set=[(dev, dev_y, dev_qid), (X, y, qid)])
        again = clone(model).fit(
            X, y, qid=qid, eval_set=[(dev, dev_y)], eval_group=[sizes]
        )
    first, second = (model.evals_result_[f"valid_{i}"]["ndcg@10"] for i in (0, 1))
    scored = [row["score"] for row in model.history_ if not np.isnan(row["score"])]
    assert scored == first == again.evals_result_["valid_0"]["ndcg@10"]
    assert len(first) == len(second) == model.n_iter_
    epochs = seen[: model.n_iter_]
    assert first == pytest.approx([ndcg(dev_y, dev @ w, dev_qid) for w in epochs])
    assert second == pytest.approx([ndcg(y, X @ w, qid) for w in epochs])
    model.save(tmp_path / "m.psx")
    back = pystruct_ext.load(tmp_path / "m.psx")
    assert back.evals_result_ == model.evals_result_
    plain = clone(model).set_params(tol=0.5).fit(X, y, qid=qid)
    assert not hasattr(plain, "evals_result_")
    with pytest.warns(UserWarning, match=r"eval_set\[0\] without qid"):
        plain.fit(X, y, qid=qid, eval_set=[(dev, dev_y)])


@pytest.mark.parametrize("own", [False, True])
def test_held_out_score_stops_a_ranker(own):
    X, y, qid = problem(13, 40)
    dev, dev_y, dev_qid = problem(14, 25)
    stop = HeldOutScore(dev, dev_y, 2, qid=dev_qid) if own else HeldOutScore(patience=2)
    extra = {} if own else {"eval_set": [(dev, dev_y, dev_qid)]}
    model = RankingSVM(C=30, tol=0.0, max_iter=60, callback=stop)
    model.fit(X, y, qid=qid, **extra)
    assert model.status_ == "callback"
    assert stop.best_score_ == np.nanmax(model.history_.column("score"))
    assert model.n_iter_ == stop.best_epoch_ + 2
    assert model.score(dev, dev_y, qid=dev_qid) == pytest.approx(stop.best_score_)


def test_bad_eval_sets():
    X, y, qid = problem(13, 5)
    for eval_set, message in (
        ([(X,)], r"eval_set\[0\] must be \(X, y\) or \(X, y, qid\), got a tuple of 1"),
        ([(X, y[1:], qid)], r"eval_set\[0\]: X has .* rows but y has shape"),
        ([(X[:, 1:], y, qid)], r"eval_set\[0\]: X has 3 features"),
        ([(X, y, qid), (X, y, qid[1:])], r"eval_set\[1\]: qid must have one entry"),
    ):
        with pytest.raises(ValueError, match=message):
            RankingSVM().fit(X, y, qid=qid, eval_set=eval_set)
    with pytest.raises(ValueError, match="eval_group needs eval_set"):
        RankingSVM().fit(X, y, qid=qid, eval_group=[[5]])
    with pytest.raises(ValueError, match="needs X and y, or eval_set"):
        RankingSVM(callback=HeldOutScore()).fit(X, y, qid=qid)
    with pytest.raises(ValueError, match="needs X and y"):
        MulticlassSVM(callback=HeldOutScore()).fit(X, y)


def test_top_features_have_the_names_of_the_columns(tmp_path):
    pd = pytest.importorskip("pandas")
    X, y, qid = problem(15)
    frame = pd.DataFrame(X, columns=["age", "bm25", "clicks", "depth"])
    model = RankingSVM().fit(frame, pd.Series(y, index=range(5, 5 + len(y))), qid=qid)
    best = model.top_features(2)
    order = np.argsort(-np.abs(model.coef_))
    assert best == [(frame.columns[j], model.coef_[j]) for j in order[:2]]
    model.save(tmp_path / "m.psx")
    assert pystruct_ext.load(tmp_path / "m.psx").top_features(2) == best
    assert model.top_features(1, ["a", "b", "c", "d"])[0][0] == "abcd"[order[0]]
    bare = RankingSVM().fit(X, y, qid=qid)
    assert [name for name, _ in bare.top_features(None)] == [f"x{j}" for j in order]
    with pytest.raises(ValueError, match="feature_names has 1 names, expected 4"):
        model.top_features(2, ["a"])
    with pytest.raises(ValueError, match="n must be None or an int >= 1"):
        model.top_features(0)


def test_c_path_of_queries():
    X, y, qid = problem(16, 20)
    dev, dev_y, dev_qid = problem(17, 10)
    weight = np.linspace(0.5, 2, 20)
    path = pystruct_ext.c_path(
        RankingSVM(tol=1e-3, max_iter=2000),
        X,
        y,
        [10.0, 0.1],
        X_dev=dev,
        y_dev=dev_y,
        sample_weight=weight,
        qid=qid,
        qid_dev=dev_qid,
    )
    for point in path.points:
        cold = RankingSVM(C=point.C, tol=1e-3, max_iter=2000)
        cold.fit(X, y, weight, qid=qid)
        warm = point.estimator
        assert warm.dual_objective_ <= cold.primal_objective_ * (1 + 1e-9)
        assert cold.dual_objective_ <= warm.primal_objective_ * (1 + 1e-9)
        assert set(vars(warm)) == set(vars(cold))
        assert point.score == warm.score(dev, dev_y, qid=dev_qid)
    with pytest.raises(TypeError, match="DiverseRankingSVM, which trains in rounds"):
        pystruct_ext.c_path(pystruct_ext.DiverseRankingSVM(), [], None)
    with pytest.raises(TypeError, match="qid is for RankingSVM"):
        pystruct_ext.c_path(MulticlassSVM(), X, y, qid=qid)


def test_a_run_of_what_rank_returns(tmp_path):
    X, y, _ = problem(18, 6)
    qid = np.array([f"q{q:02d}" for q in problem(18, 6)[2]])
    model = RankingSVM().fit(X, y, qid=qid)
    scores, ids = model.predict(X), [f"d{r}" for r in range(len(y))]
    write_run(tmp_path / "run", model.rank(X, qid), doc_ids=ids)
    run = read_run(tmp_path / "run")
    assert list(run) == list(dict.fromkeys(qid.tolist()))
    for q, docs in run.items():
        rows = [int(d[1:]) for d, _ in docs]
        assert sorted(rows) == np.flatnonzero(qid == q).tolist()
        assert [s for _, s in docs] == scores[rows].tolist()
    write_run(tmp_path / "run", model.rank(X, qid))
    assert next(iter(read_run(tmp_path / "run")["q00"]))[0].startswith("row")
    with pytest.raises(ValueError, match="pass qid=, the query of each document"):
        write_run(tmp_path / "run", list(model.rank(X, qid)))
    write_run(tmp_path / "run", list(model.rank(X, qid)), qid=qid)
    assert list(read_run(tmp_path / "run")) == list(run)
    with pytest.raises(ValueError, match="doc_ids: 1 ids"):
        write_run(tmp_path / "run", model.rank(X, qid), doc_ids=["a"])


@pytest.mark.parametrize(
    ("qid", "message"),
    [
        (["01", 1, "01", 1], "qid mixes text and numbers: '01' of document 0 and 1 of"),
        (np.array([1, "1", 1, "1"], dtype=object), "qid mixes text and numbers"),
        (["a", None, "a", "b"], r"query of document 1 is missing \(None\)"),
        (["a", "a", float("nan"), "b"], r"query of document 2 is missing \(nan\)"),
        ([1, 1, 2, float("inf")], "query of document 3 is infinite"),
        (np.ma.array([1, 1, 2, 2], mask=[0, 0, 1, 0]), "document 2 is missing"),
        ([object()] * 4, "document 0 is a object"),
    ],
)
def test_ids_are_never_guessed(qid, message):
    with pytest.raises(ValueError, match=message):
        RankingSVM().fit(np.eye(4), [0, 1, 0, 1], qid=qid)


def test_ids_of_text_stay_distinct():
    X, y = np.arange(8.0)[:, None], [0, 1] * 4
    model = RankingSVM().fit(X, y, qid=["01", "01", "1", "1", "1 ", "1 ", "一", "一"])
    assert model.n_queries_ == 4


def test_nan_grades_name_the_document():
    with pytest.raises(ValueError, match=r"y contains NaN: .* document 2"):
        RankingSVM().fit(np.eye(4), [0, 1, np.nan, 1])
    with pytest.raises(ValueError, match="document 1 is masked"):
        ndcg(np.ma.array([0, 1], mask=[0, 1]), [1.0, 2.0])
    with pytest.raises(ValueError, match="real numbers, got complex128"):
        ndcg([0, 1j], [1.0, 2.0])
