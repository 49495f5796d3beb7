"""`LatentStructuralSVM`: the objective against enumeration, rounds, and how fits end."""

from __future__ import annotations

import signal
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from pystruct_ext import (
    LatentStructuralSVM,
    MulticlassSVM,
    OutputSpace,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
    StructuralSVM,
    SubclassSVM,
    load,
)
from pystruct_ext.cli.main import main
from pystruct_ext.estimators import LatentProgress
from pystruct_ext.solvers import BCFW, InterruptedWarning
from pystruct_ext.spaces.segments import labels_in_order

LABELS = "abc"


def sequences(n=24, seed=0, share=0.4):
    """Sequences, their labels, and the same with some of them missing."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(rng.integers(2, 6), 3)) for _ in range(n)]
    full = [[LABELS[k] for k in (x + 0.3).argmax(axis=1)] for x in X]
    known = []
    for y in full:
        draws = rng.random(len(y))
        row = [None if d < share else v for d, v in zip(draws, y, strict=True)]
        known.append(
            [{v, "a"} if d > 0.95 else v for d, v in zip(draws, row, strict=True)]
        )
    return X, full, known


def segments(n=14, seed=0):
    rng = np.random.default_rng(seed)
    X, full = [], []
    for _ in range(n):
        lengths = rng.integers(1, 4, size=rng.integers(1, 3))
        kinds = rng.integers(2, size=len(lengths))
        ends = np.cumsum(lengths).tolist()
        begins = [0, *ends[:-1]]
        full.append(
            [(a, b, "xy"[k]) for a, b, k in zip(begins, ends, kinds, strict=True)]
        )
        rows = np.repeat(np.eye(2)[kinds], lengths, axis=0)
        X.append(rows + 0.3 * rng.normal(size=rows.shape))
    known = [y if i % 4 == 0 else labels_in_order(y) for i, y in enumerate(full)]
    return X, full, known


def classes(n=24, seed=0):
    X, y = make_moons(n, noise=0.1, random_state=seed)
    return X, y, y.tolist()


class Bags(OutputSpace):
    """Bags of instances: which one makes the class of a bag is hidden."""

    def __init__(self, fail=False):
        self.fail = fail

    def fit_domain(self, X, Y=None):
        self.size_psi_ = X[0].shape[1] + 1
        return self

    def enumerate(self, x):
        return [*(("hit", k) for k in range(len(x))), ("miss", 0)]

    def joint_feature(self, x, y):
        if y[0] == "miss":
            return np.zeros(self.size_psi_)
        return np.append(x[y[1]], 1.0)

    def loss(self, y, y_hat):
        return float(y[0] != y_hat[0])

    def decode(self, w, x):
        return max(self.enumerate(x), key=lambda y: w @ self.joint_feature(x, y))

    def loss_augmented_decode(self, w, x, y):
        return max(
            self.enumerate(x),
            key=lambda z: self.loss(y, z) + w @ self.joint_feature(x, z),
        )

    def is_complete(self, y):
        return y[1] is not None

    def impute(self, w, x, y):
        if self.fail:
            raise ZeroDivisionError("imputing")
        of_class = [z for z in self.enumerate(x) if z[0] == y[0]]
        return max(of_class, key=lambda z: w @ self.joint_feature(x, z))


def bags(n=24, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(4, 2)) for _ in range(n)]
    for x in X[::2]:
        x[rng.integers(4)] += 2.5
    full = [("miss" if i % 2 else "hit", None) for i in range(n)]
    return X, full, full


PRECISE = {"dtype": "float64", "tol": 1e-3}
CASES = {
    "sequence": (SequenceSVM(C=0.5, **PRECISE), sequences),
    "sequence, cutting planes": (
        SequenceSVM(C=0.5, solver="one_slack", **PRECISE),
        sequences,
    ),
    "sequence, n-slack": (SequenceSVM(C=0.5, solver="n_slack", **PRECISE), sequences),
    "segments": (SegmentSVM(C=0.3, **PRECISE), segments),
    "subclasses": (SubclassSVM(2, C=2, tol=1e-3), classes),
    "a Python space": (StructuralSVM(Bags(), C=0.5, tol=1e-3), bags),
}


def agrees(y, z):
    if isinstance(z, tuple):
        return z[0] == (y[0] if isinstance(y, tuple) else y)
    if z and isinstance(z[0], tuple):
        return labels_in_order(z) == labels_in_order(y) and (
            not isinstance(y[0], tuple) or list(y) == list(z)
        )
    return all(
        a is None or b == a or (isinstance(a, set) and b in a)
        for a, b in zip(y, z, strict=True)
    )


def latent_objective(model, X, Y, weight=None):
    """By enumeration of all outputs."""
    space, inner = model.space_, model.estimator_
    w = np.asarray(inner._w, dtype=np.float64)
    total = 0.0
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        outputs = list(space.enumerate(x))
        scores = np.array([w @ space.joint_feature(x, z) for z in outputs])
        costs = np.array([space.loss(y, z) for z in outputs])
        fits = [agrees(y, z) for z in outputs]
        hinge = (scores + costs).max() - scores[fits].max()
        total += hinge * (1.0 if weight is None else weight[i])
    return 0.5 * w @ w + inner.C * total


@pytest.fixture(scope="module", params=CASES)
def fitted(request):
    estimator, problem = CASES[request.param]
    X, full, known = problem()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = LatentStructuralSVM(estimator, n_init=2).fit(X, known)
    return model, X, full, known


def test_the_objective_is_that_of_enumeration(fitted):
    model, X, _, known = fitted
    assert model.objective_ == pytest.approx(
        latent_objective(model, X, known), rel=1e-6
    )
    assert model.objective_ == model.objective_path_[-1]


def test_the_objective_never_rises(fitted):
    model, *_ = fitted
    assert np.all(np.diff(model.objective_path_) <= 0)
    for restart in (0, 1):
        path = [
            r["objective"]
            for r in model.rounds_
            if r["restart"] == restart and r["accepted"]
        ]
        assert np.all(np.diff(path) <= 0)
        assert model.objective_ <= path[-1]


def test_every_inner_solve_is_certified(fitted):
    model, *_ = fitted
    assert model.status_ == "converged"
    assert model.certificate_ == "exact"
    for row in model.rounds_:
        assert row["certificate"] == "exact"
        assert row["relative_gap"] <= row["tol"]
        gap = row["primal"] - row["dual"]
        assert row["relative_gap"] == pytest.approx(gap / row["primal"], abs=1e-9)
        if row["accepted"]:
            assert row["objective"] <= row["primal"]
    last = [r for r in model.rounds_ if r["accepted"]][-1]
    assert last["tol"] <= 1e-3 * (1 + 1e-9)
    assert model.estimator_.certificate_ == "exact"


def test_imputed_outputs_agree_and_are_the_best(fitted):
    model, X, _, known = fitted
    space, w = model.space_, np.asarray(model.estimator_._w, dtype=np.float64)
    assert len(model.imputed_) == len(known)
    for x, y, z in zip(X, known, model.imputed_, strict=True):
        assert space.is_complete(z)
        assert agrees(y, z)
        best = max(
            w @ space.joint_feature(x, v) for v in space.enumerate(x) if agrees(y, v)
        )
        assert w @ space.joint_feature(x, z) == pytest.approx(best, abs=1e-9)
    assert model.impute(X, known) == list(model.imputed_)


def test_a_fixed_point(fitted):
    """From the imputed outputs of the end, nothing is left to gain beyond the tolerance."""
    model, X, _, known = fitted
    again = clone(model).set_params(init=list(model.imputed_), n_init=1)
    again.fit(X, known)
    assert again.n_rounds_ <= 4
    assert again.objective_ == pytest.approx(model.objective_, rel=1e-2)


def test_files_keep_what_predicts(fitted, tmp_path):
    model, X, *_ = fitted
    model.save(tmp_path / "m")
    own = Bags() if isinstance(model.space_, Bags) else None
    back = load(tmp_path / "m", space=own)
    assert list(back.predict(X)) == list(model.predict(X))
    assert back.objective_path_.tolist() == model.objective_path_.tolist()
    assert str(back.rounds_) == str(model.rounds_)  # NaN is not NaN
    assert back.status_ == model.status_
    assert type(back.estimator) is type(model.estimator)
    assert not hasattr(back, "imputed_")
    assert back.get_params()["estimator__C"] == model.get_params()["estimator__C"]


def test_a_fit_does_not_change_what_it_is_given(fitted):
    model, *_ = fitted
    assert not hasattr(model.estimator, "space_")
    for name in ("tol", "max_time", "callback"):
        assert getattr(model.estimator_, name) == getattr(model.estimator, name)


def test_labels_that_are_all_there_give_the_plain_fit():
    X, full, _ = sequences()
    plain = SequenceSVM(C=0.5, **PRECISE).fit(X, full)
    model = LatentStructuralSVM(SequenceSVM(C=0.5, **PRECISE)).fit(X, full)
    assert model.objective_ == pytest.approx(plain.primal_objective_, rel=2e-3)
    assert model.imputed_ == full
    assert all(r["n_changed"] == 0 for r in model.rounds_)


def test_missing_labels_are_recovered():
    X, full, known = sequences(120, share=0.5)
    model = LatentStructuralSVM(SequenceSVM(C=1)).fit(X[:80], known[:80])
    plain = SequenceSVM(C=1).fit(X[:80], full[:80])
    assert plain.score(X[80:], full[80:]) > 0.9
    assert model.score(X[80:], full[80:]) > plain.score(X[80:], full[80:]) - 0.05


def test_hidden_subclasses_bend_borders():
    X, y = make_moons(200, noise=0.1, random_state=0)
    flat = MulticlassSVM(C=10).fit(X, y).score(X, y)
    model = LatentStructuralSVM(SubclassSVM(3, C=10), n_init=3).fit(X, y)
    assert flat < 0.9 < 0.97 < model.score(X, y)
    inner = model.estimator_
    assert inner.coef_.shape == (2, 3, 2)
    assert inner.intercept_.shape == (2, 3)
    scores = np.einsum("khd,nd->nkh", inner.coef_, X) + inner.intercept_
    best = scores.max(axis=2)
    assert np.allclose(model.decision_function(X), best[:, 1] - best[:, 0])
    assert np.array_equal(model.predict(X), model.classes_[best.argmax(axis=1)])
    part = inner.predict_subclass(X)
    assert np.allclose(
        scores[np.arange(200), best.argmax(axis=1), part], best.max(axis=1)
    )
    pairs = list(inner.space_.decode_batch(inner._w, X))
    assert [k for k, _ in pairs] == model.predict(X).tolist()
    assert [h for _, h in pairs] == part.tolist()


def test_known_subclasses_need_no_latent_fit():
    X = np.eye(4)
    pairs = [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    model = SubclassSVM(2, C=100).fit(X, pairs)
    assert model.predict(X).tolist() == ["a", "b", "a", "b"]
    # The loss is on classes: nothing drives the subclasses of a class apart but the truth.
    assert model.space_.loss(("a", 0), ("a", 1)) == 0
    with pytest.raises(ValueError, match=r"example 1 .*subclass.*LatentStructuralSVM"):
        SubclassSVM(2).fit(X, [("a", 0), "b", ("a", 1), ("b", 1)])


def test_some_subclasses_may_be_known():
    X, y = make_moons(40, noise=0.1, random_state=0)
    mixed = [
        (k, int(x[0] > 0.5)) if i % 2 else k
        for i, (x, k) in enumerate(zip(X, y, strict=False))
    ]
    model = LatentStructuralSVM(SubclassSVM(2, C=10)).fit(X, mixed)
    assert all(agrees(k, pair) for k, pair in zip(mixed, model.imputed_, strict=True))
    assert list(model.imputed_[1::2]) == mixed[1::2]
    with pytest.raises(ValueError, match="class of example 1 is missing"):
        model.fit(X[:3], [0, None, 1])
    with pytest.raises(ValueError, match="single class 1"):
        model.fit(X[:3], [1, 1, 1])


def test_scikit_learns_own_checks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(LatentStructuralSVM(SubclassSVM(2)), on_fail=None)
    failed = {row["check_name"] for row in found if row["status"] == "failed"}
    # Not convex: a start from repeated rows may end elsewhere than one from weights.
    assert failed <= {
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    }
    assert len(found) > 40


def test_segments_are_found_from_their_labels():
    X, full, known = segments(30)
    model = LatentStructuralSVM(SegmentSVM(C=10, max_length=3), n_init=2).fit(X, known)
    right = np.mean([a == b for a, b in zip(model.imputed_, full, strict=True)])
    assert right > 0.8


def test_weights_of_examples():
    X, _, known = sequences()
    weight = np.array([2.0, *np.ones(len(X) - 2), 0.0])
    model = LatentStructuralSVM(SequenceSVM(C=0.5, **PRECISE)).fit(X, known, weight)
    expected = latent_objective(model, X, known, weight)
    assert model.objective_ == pytest.approx(expected, rel=1e-6)


def test_weights_of_tokens():
    X, _, known = sequences()
    tokens = [np.ones(len(x)) for x in X]
    tokens[0][:] = 0
    model = LatentStructuralSVM(SequenceSVM(C=0.5, **PRECISE))
    model.fit(X, known, token_weight=tokens)
    # A sequence whose tokens count nothing is as one without labels.
    blank = [[None] * len(X[0]), *known[1:]]
    other = clone(model).fit(X, blank, token_weight=[np.ones(len(x)) for x in X])
    assert model.objective_ == pytest.approx(other.objective_, rel=0.1)
    with pytest.raises(ValueError, match="token_weight has 3 examples"):
        model.fit(X, known, token_weight=tokens[:3])


def test_empty_sequences():
    X, _full, known = sequences(8)
    X, known = [np.zeros((0, 3)), *X], [[], *known]
    model = LatentStructuralSVM(SequenceSVM()).fit(X, known)
    assert model.imputed_[0] == []
    assert model.predict(X)[0] == []
    assert model.impute(X, known) == list(model.imputed_)
    known[3] = [*known[3], "a"]
    with pytest.raises(ValueError, match="example 3 has"):
        model.fit(X, known)


def test_constraints_hold_for_what_is_imputed():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(6, 3)) for _ in range(12)]
    y = [["B-x", None, {"O", "B-y"}, "O", None, "I-y"] for _ in X]
    model = LatentStructuralSVM(SequenceSVM(constraints="BIO")).fit(X, y)
    for labels in model.imputed_:
        assert labels[4] in ("B-y", "I-y")
        assert all(
            not b.startswith("I-") or a[2:] == b[2:]
            for a, b in zip(["O", *labels], labels, strict=False)
        )
    with pytest.raises(ValueError, match="example 12 has no labels that agree"):
        model.fit([*X, X[0][:2]], [*y, ["O", "I-y"]])


# How fits end.


def many(n=24):
    X, _, known = sequences(n, share=0.6)
    return X, known


def test_max_rounds():
    X, known = many()
    model = LatentStructuralSVM(SequenceSVM(tol=1e-4), max_rounds=1)
    with pytest.warns(ConvergenceWarning, match="max_rounds=1"):
        model.fit(X, known)
    assert model.n_rounds_ == 1
    assert model.status_ == "max_rounds"
    assert len(model.objective_path_) == 2  # at the first weights, too


def test_a_callback_sees_every_round_and_stops():
    X, known = many()
    seen = []

    def stop(progress):
        assert isinstance(progress, LatentProgress)
        seen.append((progress.restart, progress.round, progress.objective))
        assert progress.gap == pytest.approx(progress.primal - progress.dual)
        return len(seen) == 2

    model = LatentStructuralSVM(
        SequenceSVM(C=1, tol=1e-4), init="random", n_init=3, callback=[stop]
    ).fit(X, known)
    assert model.status_ == "callback"
    assert [row[:2] for row in seen] == [(0, 1), (0, 2)]
    assert model.objective_ == seen[1][2]
    assert model.n_rounds_ == len(model.objective_path_) == 2


def test_a_callback_of_the_estimator_stops_an_inner_solve():
    X, known = many()
    calls = []

    def stop(progress):
        calls.append(progress.epoch)
        return len(calls) == 3

    model = LatentStructuralSVM(SequenceSVM(tol=1e-6, dtype="float64", callback=stop))
    model.fit(X, known)
    assert model.status_ == "callback"
    assert len(calls) == 3
    assert np.all(np.diff(model.objective_path_) <= 0)
    model.predict(X)


def test_a_time_limit_leaves_the_best_model():
    X, known = many()
    # Rounding alone keeps the gap above this tolerance.
    model = LatentStructuralSVM(
        SequenceSVM(C=100, tol=1e-18, dtype="float64", max_iter=10**9), max_time=0.3
    ).fit(X, known)
    assert model.status_ == "max_time"
    assert model.objective_ == pytest.approx(
        latent_objective(model, X, known), rel=1e-6
    )
    assert sum(r["seconds"] for r in model.rounds_) < 10


def test_an_interrupt_in_a_solve_leaves_the_best_model():
    X, known = many()
    calls = []

    def interrupt(progress):
        calls.append(progress.epoch)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)

    model = LatentStructuralSVM(
        SequenceSVM(C=1, tol=1e-7, dtype="float64", callback=interrupt)
    )
    with pytest.warns(InterruptedWarning):
        model.fit(X, known)
    assert model.status_ == "interrupted"
    assert model.objective_ == pytest.approx(
        latent_objective(model, X, known), rel=1e-6
    )


def test_an_interrupt_while_imputing_leaves_the_last_round():
    X, _, known = bags(40)
    space = Bags()
    model = LatentStructuralSVM(StructuralSVM(space, tol=1e-6), tol=1e-8, n_init=4)
    done = []

    def count(progress):
        done.append(progress.objective)

    model.set_params(callback=count)
    own = Bags.impute

    def impute(self, w, x, y):
        if len(done) == 2 and not done[2:]:
            done.append(None)
            raise KeyboardInterrupt
        return own(self, w, x, y)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bags, "impute", impute)
        with pytest.warns(InterruptedWarning, match="interrupted"):
            model.fit(X, known)
    assert model.status_ == "interrupted"
    assert model.objective_ == min(v for v in done if v is not None)
    assert model.objective_ == pytest.approx(
        latent_objective(model, X, known), rel=1e-6
    )
    assert all(agrees(y, z) for y, z in zip(known, model.imputed_, strict=True))


def test_a_fit_that_fails_leaves_the_model_as_it_was():
    X, _, known = bags()
    model = LatentStructuralSVM(StructuralSVM(Bags())).fit(X, known)
    before = dict(vars(model))
    model.set_params(estimator__space__fail=True)
    with pytest.raises(ZeroDivisionError, match="imputing"):
        model.fit(X, known)
    assert vars(model).keys() == before.keys()
    assert model.estimator_ is before["estimator_"]


def test_loose_solves_are_repeated_until_they_go_down():
    """Inner solves ten times too loose to see the end still never go up."""
    X, _, known = sequences(40, share=0.7)
    model = LatentStructuralSVM(
        SequenceSVM(C=2, tol=0.5, dtype="float64"), tol=1e-4, max_rounds=200
    ).fit(X, known)
    assert model.status_ in ("converged", "stalled")
    assert np.all(np.diff(model.objective_path_) <= 0)
    refused = [row["tol"] for row in model.rounds_ if not row["accepted"]]
    assert len(refused) > 1
    assert min(refused) < 0.5
    assert all(row["certificate"] == "exact" for row in model.rounds_)


# Restarts and starts.


def test_the_best_of_several_starts_counts():
    X, y = make_moons(80, noise=0.1, random_state=1)
    model = LatentStructuralSVM(SubclassSVM(3, C=10), n_init=4).fit(X, y)
    ends = {}
    for row in model.rounds_:
        if row["accepted"]:
            ends[row["restart"]] = row["objective"]
    assert len(ends) == 4
    assert len(set(ends.values())) > 1
    assert model.objective_ == min(ends.values())
    same = clone(model).fit(X, y)
    assert same.objective_ == model.objective_
    assert np.array_equal(same.predict(X), model.predict(X))


def test_starts():
    X, full, known = sequences()
    ends = {}
    for init in ("complete", "random", full):
        model = LatentStructuralSVM(SequenceSVM(C=0.5, **PRECISE), init=init)
        ends[str(init)] = model.fit(X, known).objective_
    assert max(ends.values()) <= 1.5 * min(ends.values())
    with pytest.raises(ValueError, match="example 1 "):
        wrong = [list(y) for y in full]
        wrong[1] = ["b" if v == "a" else "a" for v in wrong[1]]
        model.set_params(init=wrong).fit(X, known)


# Arguments.


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_init": 0}, "n_init must be an integer >= 1, got 0"),
        ({"max_rounds": 1.5}, "max_rounds must be an integer >= 1, got 1.5"),
        ({"tol": -1}, "tol must be None or a number > 0, got -1"),
        ({"max_time": 0}, "max_time must be None or a number > 0, got 0"),
        ({"init": "best"}, "init must be 'complete', 'random' or a list"),
        ({"callback": 3}, "callback must be None, a callable or a list"),
        ({"estimator": 3}, "estimator must be an estimator of this package"),
        ({"estimator": RankingSVM()}, "must not be a RankingSVM"),
        ({"estimator__C": -1}, "C must be a finite number > 0"),
    ],
)
def test_bad_arguments(params, message):
    X, _, known = sequences(6)
    model = LatentStructuralSVM(SequenceSVM()).set_params(**params)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, known)


def test_plain_estimators_name_this_one():
    X, _, known = sequences(6)
    with pytest.raises(ValueError, match=r"example 0 .*LatentStructuralSVM"):
        SequenceSVM().fit(X, known)
    X, _, known = segments()
    with pytest.raises(ValueError, match=r"example 1 .*LatentStructuralSVM"):
        SegmentSVM().fit(X, known)


def test_spaces_without_imputation():
    with pytest.raises(ValueError, match="class of example 1 is missing"):
        LatentStructuralSVM(MulticlassSVM()).fit(np.eye(3), ["a", None, "b"])
    X, y = np.eye(3), ["a", "b", "c"]
    model = LatentStructuralSVM(MulticlassSVM()).fit(X, y)  # nothing is missing
    assert model.predict(X).tolist() == y


def test_unfitted():
    model = LatentStructuralSVM(SequenceSVM())
    with pytest.raises(NotFittedError):
        model.predict([np.eye(3)])
    with pytest.raises(NotFittedError):
        _ = model.coef_
    assert not hasattr(model, "objective_")


# As scikit-learn has it.


def test_parameters_of_both():
    model = LatentStructuralSVM(SequenceSVM(C=3), n_init=2)
    params = model.get_params()
    assert params["estimator__C"] == 3
    assert params["n_init"] == 2
    twin = clone(model).set_params(estimator__C=5)
    assert (twin.estimator.C, model.estimator.C) == (5, 3)
    text = repr(model)
    assert "SequenceSVM(C=3)" in text


def test_methods_are_those_of_the_estimator():
    X, full, known = sequences()
    model = LatentStructuralSVM(SequenceSVM(C=0.5)).fit(X, known)
    inner = model.estimator_
    assert model.predict_k_best(X[:1], 2) == inner.predict_k_best(X[:1], 2)
    assert np.array_equal(model.predict_marginals(X)[0], inner.predict_marginals(X)[0])
    assert np.array_equal(model.log_partition(X), inner.log_partition(X))
    assert model.sample(X[:1], 2, random_state=0) == inner.sample(
        X[:1], 2, random_state=0
    )
    assert np.array_equal(model.decision_function(X)[0], inner.decision_function(X)[0])
    assert model.score(X, full) == inner.score(X, full)
    assert model.classes_.tolist() == list("abc")
    assert np.array_equal(model.coef_, inner.coef_)
    assert model.duality_gap_ == inner.duality_gap_
    assert np.array_equal(model.transitions_, inner.transitions_)
    with pytest.raises(AttributeError, match="nothing_"):
        _ = model.nothing_
    with pytest.raises(AttributeError, match="nothing"):
        _ = model.nothing
    model.calibrate(X, full)
    assert inner.temperature_ > 0
    assert not hasattr(LatentStructuralSVM(SegmentSVM()), "decision_function")


def test_grid_search_and_cross_validation():
    X, y = make_moons(60, noise=0.1, random_state=0)
    model = LatentStructuralSVM(SubclassSVM(2), n_init=2)
    search = GridSearchCV(model, {"estimator__C": [0.01, 10]}, cv=2).fit(X, y)
    assert search.best_params_ == {"estimator__C": 10}
    assert cross_val_score(model.set_params(estimator__C=10), X, y, cv=3).mean() > 0.85


def test_the_command_line_reads_latent_models(tmp_path, capsys):
    X = [[("the", "DT"), ("dog", "NN")], [("a", "DT"), ("cat", "NN")]]
    estimator = SequenceSVM(C=10, template="U1:%x[0,0]\nU2:%x[0,1]")
    model = LatentStructuralSVM(estimator).fit(X, [["B", "E"], [None, "E"]])
    model.save(tmp_path / "m")
    (tmp_path / "x").write_text("the DT\ncat NN\n\n")
    assert main(["predict", str(tmp_path / "m"), str(tmp_path / "x")]) == 0
    assert capsys.readouterr().out.split() == ["the", "DT", "B", "cat", "NN", "E"]
    assert main(["inspect", str(tmp_path / "m")]) == 0
    assert "relative gap" in capsys.readouterr().out


def test_solver_objects():
    X, _, known = sequences()
    solver = BCFW(tol=1e-3, max_time=20)
    model = LatentStructuralSVM(SequenceSVM(C=0.5, tol=None, solver=solver))
    model.fit(X, known)
    assert model.rounds_[-1]["tol"] == 1e-3
    assert (solver.tol, solver.max_time) == (1e-3, 20)
