"""Paths over C, held-out scores, and the certificate that survives both."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from pystruct_ext import MulticlassSVM, SequenceSVM, StructuralSVM
from pystruct_ext.estimators import HeldOutScore
from pystruct_ext.model_selection import c_path
from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import SequenceSpace
from pystruct_ext.testing import brute_force

CS = [0.03, 0.3, 3.0]


def iris():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    return X[::2], y[::2], X[1::2], y[1::2]


def sequences(n=24, seed=0):
    rng = np.random.default_rng(seed)
    inputs, outputs = [], []
    for _ in range(n):
        x = rng.normal(size=(rng.integers(1, 5), 3))
        noise = 0.7 * rng.normal(size=x.shape)
        inputs.append(x)
        outputs.append((x + noise).argmax(axis=1).tolist())
    return inputs, outputs


def objective(model, X, y):
    """1/2 ||w||^2 + C sum of hinges, by enumeration."""
    w, space = model._w.astype(float), model.space_
    hinges = [
        brute_force(space, w, a, b).value - space.joint_feature(a, b) @ w
        for a, b in zip(X, y, strict=True)
    ]
    return 0.5 * w @ w + model.C * sum(hinges)


def overlap(a, b, slack=1e-6):
    room = slack * (1 + abs(a.primal_objective_))
    return (
        a.dual_objective_ <= b.primal_objective_ + room
        and b.dual_objective_ <= a.primal_objective_ + room
    )


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (MulticlassSVM(max_iter=5000), iris()[:2]),
        (SequenceSVM(tol=1e-3, dtype="float64"), sequences()),
        (StructuralSVM(SequenceSpace(), tol=2e-3), sequences()),
    ],
    ids=["multiclass", "sequence", "structural"],
)
def test_path_points_are_cold_fits(estimator, data):
    X, y = data
    before = estimator.C
    path = c_path(estimator, X, y, CS[::-1])
    assert [p.C for p in path.points] == CS
    for point in path.points:
        cold = clone(estimator).set_params(C=point.C).fit(X, y)
        warm = point.estimator
        assert warm.status_ == cold.status_ == "converged"
        assert warm.C == point.C
        assert overlap(warm, cold, 1e-5)
        assert warm.primal_objective_ == pytest.approx(objective(warm, X, y), rel=1e-4)
        agree = [a == b for a, b in zip(warm.predict(X), cold.predict(X), strict=True)]
        assert np.mean(agree) > 0.9
        assert set(vars(warm)) == set(vars(cold)), "a point lacks fitted attributes"
    assert before == estimator.C


def test_path_reuses_work():
    X, y = sequences(60)
    near = [1.0, 1.05, 1.1, 1.15]
    path = c_path(SequenceSVM(tol=1e-3, dtype="float64"), X, y, near)
    warm = sum(p.estimator.n_oracle_calls_ for p in path.points[1:])
    cold = sum(
        SequenceSVM(C=C, tol=1e-3, dtype="float64").fit(X, y).n_oracle_calls_
        for C in near[1:]
    )
    assert warm < cold


def test_path_scores_and_best():
    X, y, dev_x, dev_y = iris()
    path = c_path(MulticlassSVM(max_iter=5000), X, y, CS, X_dev=dev_x, y_dev=dev_y)
    scores = [p.score for p in path.points]
    assert scores == [p.estimator.score(dev_x, dev_y) for p in path.points]
    assert path.best.score == max(scores)
    assert len(repr(path).splitlines()) == 4
    own = c_path(
        MulticlassSVM(max_iter=5000),
        X,
        y,
        CS,
        X_dev=dev_x,
        y_dev=dev_y,
        scorer=lambda model, a, b: -model.C,
    )
    assert CS[0] == own.best.C
    with pytest.raises(ValueError, match="without held-out data"):
        c_path(MulticlassSVM(), X, y, [0.1]).best  # noqa: B018


def test_path_with_weights():
    X, y = sequences()
    weight = np.arange(len(X)) % 3
    path = c_path(SequenceSVM(tol=1e-3), X, y, [0.5], sample_weight=weight)
    cold = SequenceSVM(C=0.5, tol=1e-3).fit(X, y, sample_weight=weight)
    assert overlap(path.points[0].estimator, cold, 1e-5)


@pytest.mark.parametrize("bad", [[0.1, 0.0], [-1], [np.nan], 0])
def test_path_of_bad_values(bad):
    X, y = sequences(4)
    with pytest.raises(ValueError, match="C must be a finite number > 0"):
        c_path(SequenceSVM(), X, y, bad)


def test_points_do_not_share_state():
    X, y = sequences()
    path = c_path(SequenceSVM(), X, y, [0.1, 1.0])
    first, second = (p.estimator for p in path.points)
    assert not np.shares_memory(first._w, second._w)
    before = second.predict(X)
    first.fit(X[:8], [[label + 5 for label in labels] for labels in y[:8]])
    assert second.predict(X) == before


def rough(**kwargs):
    """Stops by its callback long before this tolerance."""
    return SequenceSVM(tol=0.0, max_iter=40, dtype="float64", **kwargs)


def test_held_out_score_stops_and_restores_the_best():
    X, y = sequences(40)
    dev_x, dev_y = sequences(40, seed=1)
    dev = HeldOutScore(dev_x, dev_y, patience=3)
    model = rough(C=30.0, callback=dev).fit(X, y)
    assert model.status_ == "callback"
    scores = model.history_.column("score")
    assert dev.best_score_ == np.nanmax(scores)
    assert dev.best_epoch_ == model.history_[int(np.nanargmax(scores))]["epoch"]
    assert model.n_iter_ == dev.best_epoch_ + 3
    assert model.score(dev_x, dev_y) == pytest.approx(dev.best_score_)


def test_the_restored_model_is_certified_on_its_own():
    X, y = sequences(40)
    dev_x, dev_y = sequences(10, seed=1)
    model = rough(callback=HeldOutScore(dev_x, dev_y, patience=2)).fit(X, y)
    assert model.primal_objective_ == pytest.approx(objective(model, X, y), rel=1e-9)
    best = SequenceSVM(tol=1e-4, dtype="float64").fit(X, y)
    assert model.dual_objective_ <= best.primal_objective_ + 1e-9
    assert best.dual_objective_ <= model.primal_objective_ + 1e-9
    gap = model.primal_objective_ - model.dual_objective_
    assert model.duality_gap_ == pytest.approx(gap)
    assert gap >= 0


def test_restored_weights_that_have_not_converged_do_not_say_so():
    X, y = sequences(40)
    dev_x, dev_y = sequences(10, seed=1)
    scores = iter([1.0] + 1000 * [0.0])  # the first epoch is the best
    dev = HeldOutScore(dev_x, dev_y, patience=None, metric=lambda *_: next(scores))
    model = SequenceSVM(C=1.0, tol=1e-3, dtype="float64", callback=dev).fit(X, y)
    assert dev.best_epoch_ == 1
    # The solve itself did converge: its bound is the optimum to a thousandth.
    optimum = SequenceSVM(C=1.0, tol=1e-4, dtype="float64").fit(X, y)
    assert model.dual_objective_ >= optimum.dual_objective_ * (1 - 2e-3)
    assert model.primal_objective_ == pytest.approx(objective(model, X, y), rel=1e-9)
    assert model.relative_gap_ > 1e-3
    assert model.status_ == "callback"


def test_early_stopping_of_averaged_weights():
    X, y = sequences(40)
    dev_x, dev_y = sequences(10, seed=1)
    dev = HeldOutScore(dev_x, dev_y, patience=2)
    solver = BCFW(average=True, check_every=1000)
    model = SequenceSVM(C=0.5, dtype="float64", solver=solver, callback=dev).fit(X, y)
    assert model.status_ == "callback"
    assert model.n_iter_ == dev.best_epoch_ + 2
    assert model.score(dev_x, dev_y) == pytest.approx(dev.best_score_)
    assert model.primal_objective_ == pytest.approx(objective(model, X, y), rel=1e-9)
    # The weights are the average of the best epoch: what as many epochs give.
    with pytest.warns(ConvergenceWarning):
        again = SequenceSVM(
            C=0.5, dtype="float64", solver=solver, max_iter=dev.best_epoch_
        ).fit(X, y)
    np.testing.assert_array_equal(again.coef_, model.coef_)


def test_held_out_score_without_restoring():
    X, y = sequences(40)
    dev_x, dev_y = sequences(10, seed=1)
    kept = HeldOutScore(dev_x, dev_y, patience=2, restore_best=False)
    model = rough(callback=kept).fit(X, y)
    # The last row may be the closing exact pass, which is not scored.
    last = [row["score"] for row in model.history_ if not np.isnan(row["score"])][-1]
    assert last <= kept.best_score_
    assert model.score(dev_x, dev_y) == pytest.approx(last)
    assert model.duality_gap_ >= 0


def test_every_and_no_patience():
    X, y = sequences()
    dev = HeldOutScore(X, y, patience=None, every=3)
    with pytest.warns(ConvergenceWarning, match="max_iter=40"):
        model = rough(callback=dev).fit(X, y)
    assert model.n_iter_ == 40
    scored = [row["epoch"] for row in model.history_ if not np.isnan(row["score"])]
    assert scored == list(range(3, 41, 3))


def test_own_metric_for_every_estimator():
    X, y = sequences()
    calls = []

    def metric(y_true, y_pred):
        calls.append((len(y_true), len(y_pred)))
        return -len(calls)  # ever worse

    for estimator in (
        rough(),
        StructuralSVM(SequenceSpace(), tol=0.0),
    ):
        calls.clear()
        dev = HeldOutScore(X[:5], y[:5], patience=1, metric=metric)
        model = clone(estimator).set_params(callback=dev).fit(X, y)
        assert calls == [(5, 5), (5, 5)]
        assert dev.best_epoch_ == 1
        assert model.n_iter_ == 2
    a, b, dev_x, dev_y = iris()
    calls.clear()
    dev = HeldOutScore(dev_x, dev_y, patience=1, metric=metric)
    MulticlassSVM(tol=0.0, callback=dev).fit(a, b)
    assert calls == [(75, 75), (75, 75)]


def test_callbacks_may_be_a_list_and_see_progress():
    X, y = sequences()
    seen = []
    dev = HeldOutScore(X, y, patience=2)
    model = rough(callback=[seen.append, dev]).fit(X, y)
    assert len(seen) == model.n_iter_
    assert [p.epoch for p in seen] == list(range(1, model.n_iter_ + 1))
    stopped = rough(callback=lambda p: p.epoch == 4).fit(X, y)
    assert (stopped.status_, stopped.n_iter_) == ("callback", 4)


def test_held_out_score_belongs_to_an_estimator():
    X, y = sequences()
    space = SequenceSpace()
    oracle = space.bind(space.fit_pack(X, y))
    with pytest.raises(RuntimeError, match="given to an estimator"):
        BCFW().solve(oracle, 0.1, callback=HeldOutScore(X, y))


def test_a_model_with_a_callback_pickles():
    X, y = sequences()
    model = rough(callback=HeldOutScore(X, y, patience=1)).fit(X, y)
    back = pickle.loads(pickle.dumps(model))
    assert back.predict(X) == model.predict(X)
    assert back.callback.best_score_ == model.callback.best_score_


def test_an_exception_in_a_callback_comes_out():
    X, y = sequences()

    def fail(progress):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        rough(callback=fail).fit(X, y)


def test_time_limit_and_epoch_limit_are_certified():
    X, y = sequences(60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        timed = SequenceSVM(tol=0.0, max_time=1e-9).fit(X, y)
    assert timed.status_ == "max_time"
    assert timed.duality_gap_ >= 0
    assert timed.primal_objective_ == pytest.approx(objective(timed, X, y), rel=1e-4)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        short = SequenceSVM(C=10, tol=0.0, max_iter=2).fit(X, y)
    assert short.status_ == "max_iter"
    assert short.n_iter_ == 2
    assert short.primal_objective_ == pytest.approx(objective(short, X, y), rel=1e-4)
