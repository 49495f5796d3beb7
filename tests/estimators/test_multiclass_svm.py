"""MulticlassSVM: scikit-learn's whole battery, and its own Crammer-Singer problem."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits, load_iris
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from pystruct_ext import HeldOutScore, MulticlassSVM, c_path


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([MulticlassSVM()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def primal(model, X, y, C):
    scores = X @ model.coef_.T + model.intercept_
    rows = np.arange(len(y))
    augmented = scores + 1.0
    augmented[rows, y] -= 1.0
    norm = np.sum(model.coef_**2) + np.sum(model.intercept_**2)
    return 0.5 * norm + C * np.sum(augmented.max(axis=1) - scores[rows, y])


@pytest.mark.parametrize("C", [0.05, 0.5])
def test_same_optimum_as_linear_svc(C):
    X, y = load_digits(return_X_y=True)
    X, y = X[:600] / 16.0, y[:600]
    ours = MulticlassSVM(C=C, tol=1e-4).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation, and its own stopping rule
        theirs = LinearSVC(
            multi_class="crammer_singer",
            C=C,
            tol=1e-5,
            max_iter=100_000,
            random_state=0,
        ).fit(X, y)
    p = primal(ours, X, y, C)
    assert p == pytest.approx(ours.primal_objective_, rel=1e-6)
    assert p == pytest.approx(primal(theirs, X, y, C), rel=1e-3)
    assert ours.dual_objective_ <= primal(theirs, X, y, C) * (1 + 1e-6)


def test_sparse_is_dense():
    X, y = load_iris(return_X_y=True)
    a = MulticlassSVM(C=0.1, tol=1e-4).fit(X, y)
    b = MulticlassSVM(C=0.1, tol=1e-4).fit(csr_matrix(X), y)
    np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-8)
    np.testing.assert_array_equal(a.predict(X), b.predict(csr_matrix(X)))


def test_costs_change_predictions():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 2)), np.repeat([0, 1], 100)
    X[y == 1] += 1.0
    plain = MulticlassSVM(C=0.1).fit(X, y)
    dear = MulticlassSVM(C=0.1, loss=[[0, 1], [10, 0]]).fit(X, y)

    def missed(model):
        return int(np.sum((y == 1) & (model.predict(X) == 0)))

    assert missed(dear) < missed(plain)


def test_path_points_are_cold_fits():
    X, y = load_iris(return_X_y=True)
    path = c_path(MulticlassSVM(tol=1e-3), X, y, [0.1, 0.01], X_dev=X, y_dev=y)
    assert [p.C for p in path.points] == [0.01, 0.1]
    for point in path.points:
        cold = MulticlassSVM(C=point.C, tol=1e-3).fit(X, y)
        slack = point.estimator.duality_gap_ + cold.duality_gap_
        assert abs(point.estimator.primal_objective_ - cold.primal_objective_) <= slack
        np.testing.assert_array_equal(point.estimator.classes_, cold.classes_)
    assert path.best.score == max(p.score for p in path.points)
    assert "rel. gap" in repr(path)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_held_out_score_keeps_the_best_weights():
    X, y = load_digits(return_X_y=True)
    X = X / 16.0
    dev = HeldOutScore(X[600:900], y[600:900], patience=3)
    model = MulticlassSVM(C=1.0, tol=1e-9, callback=dev).fit(X[:300], y[:300])
    assert model.status_ == "callback"
    assert model.score(X[600:900], y[600:900]) == pytest.approx(dev.best_score_)
    assert model.n_iter_ == dev.best_epoch_ + 3
    # The weights kept have a certificate of their own.
    assert model.dual_objective_ <= model.primal_objective_
    assert primal(model, X[:300], y[:300], 1.0) == pytest.approx(
        model.primal_objective_
    )
    scores = model.history_.column("score")
    assert np.nanmax(scores) == pytest.approx(dev.best_score_)


@pytest.mark.parametrize("value", [np.inf, np.nan, "1", None])
def test_intercept_scaling_is_a_finite_number(value):
    with pytest.raises(ValueError, match="intercept_scaling must be a finite number"):
        MulticlassSVM(intercept_scaling=value).fit(np.eye(3), [0, 1, 2])
