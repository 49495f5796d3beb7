"""MultilabelSVM: scikit-learn's contract, forms of label sets, margins, known optima."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array, issparse
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import accuracy_score
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from pystruct_ext import MulticlassSVM, MultilabelSVM, load


@pytest.fixture(scope="module")
def data():
    X, Y = make_multilabel_classification(
        n_samples=80, n_features=8, n_classes=4, random_state=0
    )
    return (X - X.mean(axis=0)) / X.std(axis=0), Y


def cannot(model):
    """Copies of an example may be held out, where one of a weight is not."""
    if model.C != "auto":
        return {}
    checks = ("dense", "sparse")
    return {
        f"check_sample_weight_equivalence_on_{kind}_data": "folds differ"
        for kind in checks
    }


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [MultilabelSVM(), MultilabelSVM(C="auto")], expected_failed_checks=cannot
)
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_hamming_without_interactions_is_linear_svc_for_each_label(data):
    X, Y = data
    C = 0.1
    model = MultilabelSVM(C, interactions="none", tol=1e-8, max_iter=5000).fit(X, Y)
    objective = 0.0
    for k in range(Y.shape[1]):
        svc = LinearSVC(loss="hinge", C=C, tol=1e-9, max_iter=200_000, random_state=0)
        w = svc.fit(X, Y[:, k])
        margin = (2 * Y[:, k] - 1) * w.decision_function(X)
        objective += C * np.maximum(0, 1 - margin).sum()
        objective += (w.coef_**2).sum() / 2 + w.intercept_[0] ** 2 / 2
    assert model.certificate_ == "exact"
    assert model.primal_objective_ == pytest.approx(objective, rel=1e-5)


def test_squared_slacks_are_the_squared_hinge_of_linear_svc(data):
    X, Y = data
    C, params = 0.5, {"interactions": "none", "never_empty": False, "tol": 1e-7}
    value = (2 * C) ** -0.5
    model = MultilabelSVM(100.0, squared_slack=value, max_iter=5000, **params).fit(X, Y)
    svc = LinearSVC(C=C, dual=True, tol=1e-9, max_iter=200_000, random_state=0)
    for k in range(Y.shape[1]):
        w = svc.fit(X, Y[:, k])
        assert model.coef_[k] == pytest.approx(w.coef_[0], abs=2e-3)
        assert model.intercept_[k] == pytest.approx(w.intercept_[0], abs=2e-3)
    assert len(model._w) == model.space_.size_psi_
    pairs = MultilabelSVM(1.0, squared_slack=0.5, interactions="full").fit(X, Y)
    assert pairs.pair_scores_.any()
    assert (pairs.predict(X) == pairs.predict(csr_array(X))).all()


def test_forms_of_label_sets_are_one_problem(data):
    X, Y = data
    names = np.array(["ant", "bee", "cat", "dog"])
    sets = [tuple(names[y == 1].tolist()) for y in Y]
    params = {"C": 0.05, "random_state": 0}
    array = MultilabelSVM(**params).fit(X, Y)
    sparse = MultilabelSVM(**params).fit(csr_array(X), csr_array(Y))
    labels = MultilabelSVM(**params).fit(X, [set(s) for s in sets])
    for model in (sparse, labels):
        assert model.coef_ == pytest.approx(array.coef_, abs=1e-4)
    found = array.predict(X)
    assert found.shape == Y.shape
    assert set(np.unique(found)) <= {0, 1}
    assert issparse(sparse.predict(csr_array(X)))
    assert sparse.predict(X).toarray() == pytest.approx(found)
    assert labels.predict(X) == [tuple(names[y == 1].tolist()) for y in found]
    assert labels.classes_.tolist() == names.tolist()
    right = accuracy_score(Y, found)
    assert array.score(X, Y) == pytest.approx(right)
    assert labels.score(X, sets) == pytest.approx(right)
    assert sparse.score(X, csr_array(Y)) == pytest.approx(right)
    weight = np.arange(len(Y)) + 1.0
    expected = accuracy_score(Y, found, sample_weight=weight)
    assert array.score(X, Y, weight) == pytest.approx(expected)


def test_data_frames_name_the_labels(data):
    pandas = pytest.importorskip("pandas")
    X, Y = data
    frame = pandas.DataFrame(Y, columns=list("abcd"))
    model = MultilabelSVM(0.05).fit(X, frame)
    assert model.classes_.tolist() == list("abcd")
    assert model.predict(X).shape == Y.shape


def test_one_label_each_is_multiclass(data):
    X, y = data[0], np.array(["a", "b", "c"])[np.arange(80) % 3]
    ours = MultilabelSVM(0.1, tol=1e-7, max_iter=3000).fit(X, y)
    other = MulticlassSVM(0.1, loss=2 * (1 - np.eye(3)), tol=1e-7, max_iter=3000)
    other.fit(X, y)
    assert ours.primal_objective_ == pytest.approx(other.primal_objective_, rel=1e-5)
    scores = ours.decision_function(X), other.decision_function(X)
    assert (
        scores[0].argmax(axis=1) == ours.space_.codes_of(ours.predict(X)).argmax(axis=1)
    ).all()


@pytest.mark.parametrize("params", [
    {"interactions": "none"},
    {"interactions": "none", "never_empty": False},
    {"interactions": "none", "max_labels": 3},
    {"interactions": "tree"},
    {"interactions": "full"},
    {"interactions": "full", "label_sets": "seen"},
])  # fmt: skip
def test_decision_function_is_the_margin_of_each_label(data, params):
    X, Y = data[0][:40], data[1][:40].copy()
    if params.get("never_empty", True):
        Y[Y.sum(axis=1) == 0, 1] = 1
    Y[Y.sum(axis=1) == 4, 0] = 0
    model = MultilabelSVM(0.05, **params).fit(X, Y)
    margin, found = model.decision_function(X), model.predict(X)
    assert ((margin > 0) == (found == 1)).all()
    Z = np.array(list(model.space_.enumerate(X[0])))
    base = X @ model.coef_.T + model.intercept_
    value = base @ Z.T + np.einsum("zj,zk,jk->z", Z, Z, model.pair_scores_) / 2
    for k in range(4):
        best = [value[:, Z[:, k] == b].max(axis=1) for b in (0, 1)]
        assert margin[:, k] == pytest.approx(best[1] - best[0], abs=1e-8)
    p = model.predict_marginals(X, temperature=0.5)
    share = np.exp(2 * (value - value.max(axis=1, keepdims=True)))
    share /= share.sum(axis=1, keepdims=True)
    assert p == pytest.approx(share @ Z)
    assert model.predict_marginals(X[:1], as_dicts=True)[0].keys() == {0, 1, 2, 3}


def test_margins_with_a_limit_and_empty_sets_barred():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 4)), np.eye(5, dtype=int)[rng.integers(0, 5, 30)]
    Y[::3, 0] = 1
    for most in (2, 3, None):
        model = MultilabelSVM(0.1, interactions="none", max_labels=most).fit(X, Y)
        margin, found = model.decision_function(X), model.predict(X)
        assert ((margin > 0) == (found == 1)).all()
        assert found.sum(axis=1).min() >= 1
        assert found.sum(axis=1).max() <= (most or 5)
        Z = np.array(list(model.space_.enumerate(X[0])))
        value = (X @ model.coef_.T + model.intercept_) @ Z.T
        for k in range(5):
            best = [value[:, Z[:, k] == b].max(axis=1) for b in (0, 1)]
            assert margin[:, k] == pytest.approx(best[1] - best[0], abs=1e-8)


def test_f1_is_learnt_and_pairs_matter():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6))
    one = rng.integers(
        0, 3, size=300
    )  # exactly one of three labels, and a fourth with the first
    Y = np.eye(3, dtype=int)[one]
    Y = np.hstack([Y, Y[:, :1]])
    X[np.arange(300), one] += 1.5
    half = slice(0, 150), slice(150, 300)
    apart = MultilabelSVM(0.1, interactions="none", never_empty=False).fit(
        X[half[0]], Y[half[0]]
    )
    pairs = MultilabelSVM(0.1, interactions="full").fit(X[half[0]], Y[half[0]])
    assert (
        pairs.score(X[half[1]], Y[half[1]]) > apart.score(X[half[1]], Y[half[1]]) + 0.05
    )
    scores = pairs.pair_scores_
    assert max(scores[0, 1], scores[1, 2]) < min(0, scores[0, 3])
    assert (scores == scores.T).all()
    f1 = MultilabelSVM(0.1, loss="f1", interactions="none").fit(X[half[0]], Y[half[0]])
    assert f1.predict(X[half[1]]).sum() > apart.predict(X[half[1]]).sum()


def test_graph_decoder_is_certified_by_its_bound(data):
    X, Y = data
    exact = MultilabelSVM(0.02, interactions="full").fit(X, Y)
    graph = MultilabelSVM(0.02, interactions="full", inference="graph").fit(X, Y)
    assert (exact.certificate_, graph.certificate_) == ("exact", "bounded")
    assert graph.primal_objective_ == pytest.approx(exact.primal_objective_, rel=2e-3)


@pytest.mark.parametrize("loss", ["hamming", "subset"])
def test_attractive_weights_solve_the_problem_with_signs(data, loss):
    cvxpy = pytest.importorskip("cvxpy")
    X, Y = data[0][:15, :3], data[1][:15, :3].copy()
    Y[:12, 2] = 1 - Y[:12, 0]
    C, K, d = 0.3, 3, 4
    params = {"interactions": "full", "attractive": True, "never_empty": False}
    params |= {"loss": loss, "pair_scaling": 1.0, "tol": 1e-7, "max_iter": 20_000}
    fits = [
        MultilabelSVM(C, inference=how, **params).fit(X, Y) for how in ("auto", "graph")
    ]
    # All outputs of all examples in one quadratic program.
    Z = np.array(list(product((0, 1), repeat=K)))
    rows = np.hstack([X, np.ones((len(X), 1))])

    def psi(x, y):
        pairs = [y[a] * y[b] for a, b in fits[0].space_.edges_]
        return np.concatenate([np.outer(y, x).ravel(), pairs])

    w, slack = cvxpy.Variable(K * d + 3), cvxpy.Variable(len(X))
    constraints = [w[K * d :] >= 0]
    for i, (x, y) in enumerate(zip(rows, Y, strict=True)):
        wrong = y != Z
        lost = wrong.sum(axis=1) if loss == "hamming" else wrong.any(axis=1)
        differ = np.array([psi(x, y) - psi(x, z) for z in Z])
        constraints.append(slack[i] >= lost.astype(float) - differ @ w)
    objective = cvxpy.sum_squares(w) / 2 + C * cvxpy.sum(slack)
    best = cvxpy.Problem(cvxpy.Minimize(objective), constraints).solve()
    for model in fits:
        assert model.certificate_ == "exact"
        assert model.primal_objective_ == pytest.approx(best, rel=1e-5)
        pairs = model.pair_scores_[np.triu_indices(K, 1)]
        assert pairs.min() == 0
    free = MultilabelSVM(C, **params | {"attractive": False}).fit(X, Y)
    assert free.pair_scores_.min() < 0
    assert free.primal_objective_ < fits[0].primal_objective_


def test_attractive_pairs_of_many_labels_have_an_exact_certificate():
    rng = np.random.default_rng(1)
    X, hidden = rng.normal(size=(60, 5)), rng.normal(size=(60, 2))
    score = 0.3 * X @ rng.normal(size=(5, 20)) + hidden @ rng.normal(size=(2, 20))
    Y = (score + 0.3 * rng.normal(size=(60, 20)) > 0.5).astype(int)
    params = {"C": 0.2, "interactions": "full", "pair_scaling": 1.0}
    model = MultilabelSVM(attractive=True, max_iter=3000, **params).fit(X, Y)
    assert model.space_.search_ == "graph"
    assert (model.certificate_, model.status_) == ("exact", "converged")
    assert model.relative_gap_ <= 1e-3
    pairs = model.pair_scores_[np.triu_indices(20, 1)]
    assert pairs.min() == 0
    assert 5 < (pairs > 0).sum() < 190
    same = MultilabelSVM(attractive=True, label_sets="seen", **params).fit(X, Y)
    assert (
        same.primal_objective_ <= model.primal_objective_
    )  # a maximum over fewer sets


def test_miss_cost_with_squared_slacks_moves_the_threshold():
    # Without features a label has one number f: sum of max(0, margin asked - own)^2.
    Y = np.zeros((50, 3), dtype=int)
    for k, positive in enumerate((10, 15, 30)):
        Y[:positive, k] = 1
    params = {"interactions": "none", "never_empty": False, "tol": 1e-7}
    found = []
    for c in (1.0, 3.0):
        model = MultilabelSVM(100.0, miss_cost=c, squared_slack=0.5, **params)
        model.fit(np.zeros((50, 1)), Y)
        expected = []
        for p in Y.sum(axis=0):

            def objective(f, p=p, c=c):
                hinges = p * max(0, c - f) ** 2 + (50 - p) * max(0, 1 + f) ** 2
                return f * f / 2 + hinges / (2 * 0.5**2)

            expected.append(minimize_scalar(objective, bracket=(-1, 1)).x)
        assert model.intercept_ == pytest.approx(expected, abs=2e-3)
        found.append((model.intercept_ > 0).tolist())
    assert found == [[False, False, True], [False, True, True]]  # 1 / 2, then 1 / 4


def test_constants_of_sets_let_frequent_ones_win():
    rng = np.random.default_rng(0)
    Z = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    at = rng.choice(4, size=200, p=[0.5, 0.3, 0.15, 0.05])
    X, Y = rng.normal(size=(200, 2)) * 0.1, Z[at]
    params = {"loss": "subset", "label_sets": "seen", "interactions": "none"}
    model = MultilabelSVM(1.0, set_scaling=1.0, squared_slack=1.0, **params).fit(X, Y)
    scores = model.set_scores_
    assert model.sets_.tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 1]]
    assert scores.argsort().tolist()[-2:] == [0, 2]
    value = (X @ model.coef_.T + model.intercept_) @ model.sets_.T + scores
    assert (model.predict(X) == model.sets_[value.argmax(axis=1)]).all()
    margin = model.decision_function(X)
    for k in range(3):
        on = model.sets_[:, k] == 1
        best = value[:, on].max(axis=1) - value[:, ~on].max(axis=1)
        assert margin[:, k] == pytest.approx(best, abs=1e-8)
    plain = MultilabelSVM(1.0, **params).fit(X, Y)
    assert plain.set_scores_.tolist() == [0, 0, 0, 0]


def test_saved_calibrated_and_wide(data, tmp_path):
    X, Y = data
    model = MultilabelSVM(0.05, interactions="full").fit(X[:60], Y[:60])
    model.calibrate(X[60:], Y[60:])
    model.save(tmp_path / "m.psx")
    again = load(tmp_path / "m.psx")
    assert (again.predict(X) == model.predict(X)).all()
    assert again.predict_marginals(X) == pytest.approx(model.predict_marginals(X))
    wide = csr_array(
        (np.ones(3), np.array([1 << 21, 3, 9]), np.array([0, 1, 2, 3])),
        shape=(3, 1 << 22),
    )
    far = MultilabelSVM(100.0).fit(wide, [("a", "b"), ("a",), ("b",)])
    assert far.space_.size_psi_ < 100
    assert far.coef_.shape == (2, 1 << 22)
    assert far.decision_function(wide).shape == (3, 2)
    assert far.predict(wide) == [("a", "b"), ("a",), ("b",)]
