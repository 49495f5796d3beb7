"""MulticlassSVM: scikit-learn's contract, and its optimum against LIBLINEAR's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from pystruct_ext import MulticlassSVM
from pystruct_ext.solvers import BCFW


def _expected(estimator):
    if estimator.tol is not None:
        return {}
    reason = (
        "two fits agree to the certified gap, not to 1e-7: see the model of smaller tol"
    )
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
        "check_sample_weight_equivalence_on_sparse_data": reason,
    }


# Scikit-learn's data are unscaled on purpose; its own suite ignores this warning as well.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:SCIPY_ARRAY_API")
@parametrize_with_checks(
    [
        MulticlassSVM(),
        MulticlassSVM(tol=1e-8),
        MulticlassSVM(tol=1e-8, fit_intercept=False),
    ],
    expected_failed_checks=_expected,
)
def test_sklearn_contract(estimator, check):
    check(estimator)


def objective(X, y, coef, intercept, C):
    """1/2 ||w||^2 + C sum of Crammer-Singer hinges, written out."""
    scores = X @ coef.T + intercept
    n = np.arange(len(y))
    margin = scores + 1.0
    margin[n, y] -= 1.0
    hinge = margin.max(axis=1) - scores[n, y]
    return 0.5 * ((coef**2).sum() + (intercept**2).sum()) + C * hinge.sum()


def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16.0, y[:300]


@pytest.mark.parametrize("C", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("data", [iris, digits])
def test_agrees_with_liblinear(data, C):
    X, y = data()
    ours = MulticlassSVM(C=C, tol=2e-4, max_iter=3000).fit(X, y)
    theirs = LinearSVC(
        C=C, multi_class="crammer_singer", tol=1e-6, max_iter=200_000, random_state=0
    ).fit(X, y)
    a = objective(X, y, ours.coef_, ours.intercept_, C)
    b = objective(X, y, theirs.coef_, theirs.intercept_, C)
    assert a == pytest.approx(b, rel=1e-3)
    assert ours.primal_objective_ == pytest.approx(a, rel=1e-6)
    assert ours.dual_objective_ <= b * (1 + 1e-6)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=0.1)


def test_two_classes_agree_with_liblinear():
    X, y = iris()
    X, y = X[50:], y[50:] - 1
    ours = MulticlassSVM(tol=1e-4, max_iter=3000).fit(X, y)
    theirs = LinearSVC(multi_class="crammer_singer", tol=1e-6, max_iter=100_000)
    theirs.fit(X, y)
    # LIBLINEAR solves the binary problem for two classes; predictions are comparable.
    assert np.mean(ours.predict(X) == theirs.predict(X)) > 0.97
    scores = ours.decision_function(X)
    assert scores.shape == (100,)
    np.testing.assert_array_equal(ours.predict(X), (scores > 0).astype(int))


def test_dense_and_sparse_are_one_problem():
    X, y = digits()
    dense = MulticlassSVM(C=0.1, tol=1e-4).fit(X, y)
    sparse = MulticlassSVM(C=0.1, tol=1e-4).fit(csr_array(X), y)
    for a, b in ((dense, sparse), (sparse, dense)):
        assert a.dual_objective_ <= b.primal_objective_ + 1e-9
    np.testing.assert_allclose(
        dense.decision_function(X), sparse.decision_function(csr_array(X)), atol=0.02
    )


def test_float32_is_close():
    X, y = digits()
    wide = MulticlassSVM(C=0.1).fit(X, y)
    slim = MulticlassSVM(C=0.1, dtype="float32").fit(X, y)
    assert slim.coef_.dtype == np.float32
    assert slim.primal_objective_ == pytest.approx(wide.primal_objective_, rel=2e-3)


def test_cost_matrix_moves_predictions():
    X, y = iris()
    cost = 1.0 - np.eye(3)
    cost[1, 2] = 25.0  # never call a 1 a 2
    plain = MulticlassSVM(C=0.02).fit(X, y)
    wary = MulticlassSVM(C=0.02, loss=cost).fit(X, y)
    wrong = [np.sum((m.predict(X) == 2) & (y == 1)) for m in (plain, wary)]
    assert wrong[1] < wrong[0]
    named = MulticlassSVM(C=0.02, loss={(1, 2): 25.0}).fit(X, y)
    np.testing.assert_array_equal(named.coef_, wary.coef_)


def test_attributes_and_shapes():
    X, y = iris()
    names = np.array(["setosa", "versicolor", "virginica"])
    model = MulticlassSVM().fit(X, names[y])
    assert model.coef_.shape == (3, 4)
    assert model.intercept_.shape == (3,)
    assert np.shares_memory(model.coef_, model._w), "coef_ is a view"
    assert model.decision_function(X).shape == (150, 3)
    assert model.classes_.tolist() == names.tolist()
    assert set(model.predict(X)) <= set(names)
    assert model.status_ == "converged"
    assert model.certificate_ == "exact"
    assert 0 <= model.duality_gap_ <= 1e-3 * model.primal_objective_
    assert model.history_[-1]["gap"] == pytest.approx(model.duality_gap_)
    gap = model.primal_objective_ - model.dual_objective_
    assert gap == pytest.approx(model.duality_gap_)


def test_intercept_scaling_and_none():
    X, y = iris()
    without = MulticlassSVM(fit_intercept=False).fit(X, y)
    assert not without.intercept_.any()
    for scaling in (1.0, 10.0):
        model = MulticlassSVM(intercept_scaling=scaling, tol=1e-2).fit(X, y)
        scores = X @ model.coef_.T + model.intercept_
        np.testing.assert_array_equal(model.predict(X), scores.argmax(axis=1))
        space_says = model.space_.decode_batch(model._w, X)
        assert space_says == model.predict(X).tolist()


def test_in_a_grid_search():
    X, y = iris()
    search = GridSearchCV(MulticlassSVM(), {"C": [0.01, 0.1]}, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.8
    assert cross_val_score(MulticlassSVM(C=0.1), X, y, cv=3).min() > 0.8


def test_solver_objects_and_overrides():
    X, y = iris()
    solver = BCFW(tol=0.5, random_state=3)
    model = MulticlassSVM(solver=solver, tol=1e-2).fit(X, y)
    assert model.relative_gap_ <= 1e-2
    assert solver.get_params() == BCFW(tol=0.5, random_state=3).get_params()
    model.set_params(solver__tol=0.25)
    assert solver.tol == 0.25


@pytest.mark.parametrize(
    ("params", "kind", "message"),
    [
        ({"C": 0}, ValueError, "C must be a finite number > 0, got 0"),
        ({"C": -1.0}, ValueError, "C must be"),
        ({"C": float("inf")}, ValueError, "C must be"),
        ({"C": "big"}, ValueError, "C must be .* got 'big'"),
        ({"C": None}, ValueError, "C must be"),
        ({"C": [1.0]}, ValueError, "C must be"),
        ({"solver": "newton"}, ValueError, "solver must be one of .* got 'newton'"),
        ({"solver": None}, TypeError, "solver must be a name or a Solver"),
        ({"dtype": "int8"}, ValueError, "dtype must be"),
        ({"loss": "log"}, ValueError, "loss must be"),
        ({"loss": np.ones((3, 3))}, ValueError, "loss: the cost of predicting"),
        ({"loss": np.zeros((2, 2))}, ValueError, r"loss: .* \(2, 2\)"),
        ({"tol": -1.0}, ValueError, "tol must be"),
        ({"max_iter": 0}, ValueError, "max_iter must be"),
        ({"max_time": 0.0}, ValueError, "max_time must be"),
    ],
)
def test_bad_parameters(params, kind, message):
    X, y = iris()
    with pytest.raises(kind, match=message):
        MulticlassSVM(**params).fit(X, y)


def test_bad_data():
    X, y = iris()
    with pytest.raises(ValueError, match="single class 1, expected at least 2"):
        MulticlassSVM().fit(X[:3], [1, 1, 1])
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\)"):
        MulticlassSVM().fit(X, y, sample_weight=np.ones(3))
    model = MulticlassSVM(tol=0.1).fit(X, y)
    with pytest.raises(ValueError, match="X has 2 features, but MulticlassSVM"):
        model.predict(X[:, :2])
    X = X.copy()
    X[7, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        MulticlassSVM().fit(X, y)
