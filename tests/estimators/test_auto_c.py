"""C="auto": every estimator, what is held out, what is reported, and how it ends."""

from __future__ import annotations

import logging
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold

from pystruct_ext import (
    AutoC,
    FoldingSVM,
    LatentStructuralSVM,
    MulticlassSVM,
    MultilabelSVM,
    RankingSVM,
    SequenceSVM,
    StructuralSVM,
    SubclassSVM,
    load,
)
from pystruct_ext.estimators import CPathTable
from pystruct_ext.estimators._auto_search import (
    folds_of,
)
from pystruct_ext.metrics import mean_average_precision
from pystruct_ext.solvers import BCFW, InterruptedWarning
from pystruct_ext.spaces import MulticlassSpace, SequenceSpace
from pystruct_ext.spaces.base import OutputSpace
from pystruct_ext.structures import STRUCTURES


def rows(n=240, d=12, noise=2.0, seed=0):
    """Three classes of noisy rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, size=n)
    return np.eye(3, d)[y] * 2 + noise * rng.normal(size=(n, d)), y


def wide_rows(n=600, seed=0):
    """Noise in many columns, which large C fits."""
    return rows(n, 150, 1.2, seed)


def sequences(n=60, seed=0):
    """Two labels that stay, seen through noise."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(n):
        labels = [int(rng.integers(2))]
        while len(labels) < 8:
            labels.append(labels[-1] if rng.random() < 0.8 else 1 - labels[-1])
        X.append(np.eye(2, 6)[labels] + rng.normal(size=(8, 6)) * [1, 1, 2, 2, 2, 2])
        y.append(labels)
    return X, y


# Every estimator.


@pytest.fixture(scope="module", params=STRUCTURES.values(), ids=lambda s: s.name)
def fitted(request):
    structure = request.param
    problem = structure.problem(np.random.default_rng(0))
    model = structure.estimator(**{**structure.small, "C": "auto"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return structure, problem, model.fit(problem.X, problem.y, **problem.fit_params)


def test_every_estimator_has_a_certified_path(fitted):
    structure, _, model = fitted
    path = model.C_path_
    assert model.C == "auto"
    assert model.C_ == path.best["C"] > 0
    assert path.column("certificate").tolist() == [model.certificate_] * len(path)
    assert (path.column("oracle_calls") > 0).all()
    assert (path.column("seconds") > 0).all()
    assert np.isfinite(path.column("score")).all()
    if structure.name not in ("diverse-ranking", "graph", "clustering"):
        # The others are rounds, or problems with a bound, whose gaps need not close; large C
        # may end before their gap is that small.
        gaps = path.column("relative_gap")
        assert (gaps >= -1e-6).all()
        assert gaps[:3].max() <= 0.05 + 1e-9
    again = clone(model)
    assert again.C == "auto"
    assert not hasattr(again, "C_")


def test_every_estimator_is_saved_with_its_path(fitted, tmp_path):
    _, problem, model = fitted
    model.save(tmp_path / "m.model")
    back = load(tmp_path / "m.model")
    assert back.C_ == model.C_
    assert repr(back.C_path_) == repr(model.C_path_)
    assert back.C == "auto"
    again = [np.asarray(y, dtype=object).tolist() for y in back.predict(problem.X)]
    first = [np.asarray(y, dtype=object).tolist() for y in model.predict(problem.X)]
    assert again == first


def test_every_estimator_finds_the_same_c_again(fitted):
    _, problem, model = fitted
    again = clone(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again.fit(problem.X, problem.y, **problem.fit_params)
    assert again.C_ == model.C_
    for name in ("C", "score", "standard_error", "relative_gap", "oracle_calls"):
        np.testing.assert_array_equal(
            again.C_path_.column(name), model.C_path_.column(name)
        )
    assert np.array_equal(again._w, model._w)


def test_c_is_a_fitted_attribute_of_numbers_too(tmp_path):
    X, y = rows()
    model = MulticlassSVM(C=0.5).fit(X, y)
    assert model.C_ == 0.5
    assert not hasattr(model, "C_path_")
    model.set_params(C="auto").fit(X, y)
    assert hasattr(model, "C_path_")
    model.set_params(C=0.5).fit(X, y)
    assert not hasattr(model, "C_path_")
    del model.C_  # as a file of before has it
    model.save(tmp_path / "old.model")
    assert load(tmp_path / "old.model").C_ == 0.5


# The choice.


@pytest.mark.parametrize(
    ("model", "data"),
    [(MulticlassSVM(tol=1e-3), wide_rows), (SequenceSVM(), sequences)],
    ids=["rows", "sequences"],
)
def test_choice_is_near_the_best_of_a_fine_grid(model, data):
    X, y = data(seed=0)
    Xt, yt = data(n=1500, seed=1)
    auto = clone(model).set_params(C="auto").fit(X, y)
    grid = {
        C: clone(model).set_params(C=C).fit(X, y).score(Xt, yt)
        for C in 10.0 ** np.arange(-4, 0.6, 0.5)
    }
    spread = max(grid.values()) - min(grid.values())
    assert spread > 0.04  # C matters
    assert auto.score(Xt, yt) >= max(grid.values()) - 0.012


def test_features_of_another_scale_move_c_and_nothing_else():
    X, y = rows(noise=1.0)
    small, large = (
        MulticlassSVM(C="auto", fit_intercept=False, tol=1e-6).fit(X * s, y)
        for s in (1.0, 1000.0)
    )
    assert np.isclose(small.C_ / large.C_, 1e6)
    np.testing.assert_allclose(
        small.C_path_.column("score"), large.C_path_.column("score"), atol=0.02
    )


def test_refit_is_that_of_the_chosen_c():
    X, y = sequences()
    auto = SequenceSVM(C="auto", tol=1e-4, dtype="float64").fit(X, y)
    plain = SequenceSVM(C=auto.C_, tol=1e-4, dtype="float64").fit(X, y)
    assert auto.status_ == "converged"
    assert np.isclose(auto.primal_objective_, plain.primal_objective_, rtol=3e-4)
    assert auto.relative_gap_ <= 1e-4


def test_given_values_only():
    X, y = rows()
    model = MulticlassSVM(C=AutoC([1.0, 0.001, 0.1], cv=4)).fit(X, y)
    assert model.C_path_.column("C").tolist() == [0.001, 0.1, 1.0]
    assert model.C_ in (0.001, 0.1, 1.0)


def test_scoring():
    X, y = rows()
    balanced = MulticlassSVM(C=AutoC([0.1, 1.0], cv=2, scoring="balanced_accuracy"))
    balanced.fit(X, y)
    own = MulticlassSVM(C=AutoC([0.1, 1.0], cv=2, scoring=lambda t, p: -1.0)).fit(X, y)
    assert set(own.C_path_.column("score")) == {-1.0}
    assert own.C_ == 0.1  # of equal scores the smallest C
    assert 0 < balanced.C_path_.best["score"] < 1


@pytest.mark.parametrize(
    "solver", ["bcfw", "n_slack", "one_slack", "subgradient", "perceptron"]
)
def test_all_solvers(solver):
    X, y = sequences(20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SequenceSVM(C="auto", solver=solver, max_iter=30).fit(X, y)
    assert model.C_path_.best["C"] == model.C_
    assert model.score(X, y) > 0.6


def test_weights_of_examples_count():
    X, y = rows()
    wrong = np.r_[y, (y + 1) % 3]
    twice = np.concatenate([X, X])
    weight = np.r_[np.ones(len(y)), np.zeros(len(y))]
    model = MulticlassSVM(C=AutoC(cv=2)).fit(twice, wrong, sample_weight=weight)
    assert model.C_path_.best["score"] > 0.5
    assert MulticlassSVM(C=AutoC(cv=2)).fit(twice, wrong).C_path_.best["score"] < 0.5


def test_scores_are_those_of_the_held_out_examples():
    X, y = rows(60)
    train, test = np.arange(40), np.arange(40, 60)
    model = MulticlassSVM(C=AutoC([0.1], cv=[(train, test)], tol=1e-6)).fit(X, y)
    direct = (
        MulticlassSVM(C=0.1, tol=1e-6).fit(X[train], y[train]).score(X[test], y[test])
    )
    assert model.C_path_.best["score"] == direct
    assert (model.C_path_.n_train, model.C_path_.n_held_out) == (40, 20)


# Groups.


@pytest.mark.parametrize("cv", [None, 3, 0.3])
@pytest.mark.parametrize("n", [40, 2000])
def test_groups_are_never_split(cv, n):
    groups = np.random.default_rng(0).integers(0, 9, size=n)
    held = []
    for train, test in folds_of(AutoC(cv=cv), n, groups):
        assert not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == list(range(n))
        held += test.tolist()
    if cv == 3:
        assert sorted(held) == list(range(n))


def test_groups_reach_the_folds(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "pystruct_ext.estimators._auto_search.folds_of",
        lambda s, n, g: seen.append(g.tolist()) or folds_of(s, n, g),
    )
    X, y = sequences(12)
    SequenceSVM(C="auto").fit(
        [*X, np.zeros((0, 6))], [*y, []], groups=[*"aabbccddeeff", "x"]
    )
    assert seen == [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]]
    rng = np.random.default_rng(0)
    A, qid = rng.normal(size=(80, 3)), np.repeat(np.arange(16), 5)
    relevance = (A[:, 0] + rng.normal(size=80) > 0).astype(int)
    relevance[qid == 3] = 0  # teaches nothing: left out
    for groups in (np.arange(16) // 4, qid // 4):
        seen.clear()
        RankingSVM(C="auto").fit(A, relevance, qid=qid, groups=groups)
        assert seen == [[q // 4 for q in range(16) if q != 3]]


def test_ranking_metric_knows_queries():
    rng = np.random.default_rng(0)
    X, qid = rng.normal(size=(120, 3)), np.repeat(np.arange(12), 10)
    y = (X[:, 0] + rng.normal(size=120) > 0).astype(int)
    scoring = AutoC(cv=3, scoring=lambda t, s, q: mean_average_precision(t, s, q))
    model = RankingSVM(C=scoring).fit(X, y, qid=qid)
    assert 0.5 < model.C_path_.best["score"] <= 1
    with pytest.raises(ValueError, match="scoring='accuracy' knows no queries"):
        RankingSVM(C=AutoC(scoring="accuracy")).fit(X, y, qid=qid)


# No copies.


class Counting(SequenceSpace):
    """Counts what is packed and bound."""

    packed = bound = 0

    def fit_pack(self, X, Y=None, **more):
        type(self).packed += 1
        return super().fit_pack(X, Y, **more)

    def pack(self, X, Y=None, **more):
        type(self).packed += 1
        return super().pack(X, Y, **more)

    def bind(self, packed):
        type(self).bound += 1
        return super().bind(packed)


def test_examples_are_packed_and_bound_once():
    X, y = sequences(30)
    Counting.packed = Counting.bound = 0
    model = StructuralSVM(Counting(), C="auto").fit(X, y)
    assert len(model.C_path_) > 3
    first = Counting.packed, Counting.bound
    Counting.packed = Counting.bound = 0
    StructuralSVM(Counting(), C=1.0).fit(X, y)
    assert first == (Counting.packed, Counting.bound)
    assert Counting.bound == 1


# Other parameters.


def folding_problem(n=24, seed=0):
    rng = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(n):
        stem = rng.choice(list("ACGU"), size=4)
        pair = {"A": "U", "U": "A", "C": "G", "G": "C"}
        loop = rng.choice(list("ACGU"), size=4)
        X.append("".join([*stem, *loop, *(pair[c] for c in stem[::-1])]))
        y.append("((((....))))")
    return X, y


@pytest.mark.parametrize("name", ["false_cost", "miss_cost"])
def test_second_parameter(name):
    X, y = folding_problem()
    model = FoldingSVM(C=AutoC([0.01, 0.1], auto=("C", name), cv=2)).fit(X, y)
    own = getattr(model, name)
    tried = sorted(set(model.C_path_.column(name).tolist()))
    assert np.allclose(tried, np.array([0.1, 0.3, 1, 3]) * own)
    assert getattr(model.space_, name) == model.C_path_.best[name]
    assert model.C_path_.parameters == ["C", name]
    assert f"{name}" in repr(model.C_path_)
    # The same problem as one that is fitted at these values.
    same = FoldingSVM(C=model.C_, **{name: model.C_path_.best[name]}).fit(X, y)
    assert np.isclose(same.primal_objective_, model.primal_objective_, rtol=0.02)


def test_second_parameter_of_packed_examples():
    X, y = rows()
    auto = AutoC([0.01, 0.1], auto=("C", "intercept_scaling"), cv=2)
    model = MulticlassSVM(C=auto).fit(X, y)
    assert model.space_.intercept_scaling == model.C_path_.best["intercept_scaling"]
    assert model.intercept_scaling == 1.0


# Rounds.


def test_hidden_parts():
    X, y = sequences(40)
    part = [[None if k % 3 == 0 else v for k, v in enumerate(one)] for one in y]
    model = LatentStructuralSVM(SequenceSVM(C="auto")).fit(X, part)
    assert model.estimator_.C == model.C_ == model.C_path_.best["C"]
    assert model.estimator.C == "auto"
    assert model.score(*sequences(100, seed=1)) > 0.7


def test_hidden_subclasses():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model = LatentStructuralSVM(SubclassSVM(C=AutoC([0.1, 1, 10], cv=2)), n_init=2)
    model.fit(X, y)
    assert model.C_ in (0.1, 1, 10)
    assert model.C_path_.best["score"] > 0.5


# Interrupts.


class InterruptAt(BCFW):
    """Ctrl-C in its solve of a number."""

    def solve(self, *args, **kwargs):
        Count.solves += 1
        if Count.solves == Count.at:
            calls = []

            def callback(progress):
                calls.append(progress)
                raise KeyboardInterrupt

            kwargs["callback"] = callback
        return super().solve(*args, **kwargs)


class Count:
    solves, at = 0, 0


@pytest.mark.parametrize("at", [1, 4])
def test_interrupted_path_keeps_the_best_model(at):
    X, y = sequences()
    Count.solves, Count.at = 0, at
    model = SequenceSVM(C="auto", solver=InterruptAt(), tol=None)
    with pytest.warns(InterruptedWarning, match="search for C was interrupted"):
        model.fit(X, y)
    assert model.status_ == "interrupted"
    assert len(getattr(model, "C_path_", ())) == at - 1
    assert model.C_ > 0
    assert model.score(X, y) > 0.5
    # Certified on all examples.
    best = SequenceSVM(C=model.C_, tol=1e-4).fit(X, y).primal_objective_
    assert model.dual_objective_ <= best <= model.primal_objective_ * 1.0001


def test_interrupt_while_scoring():
    X, y = rows()
    seen = []

    def scoring(y_true, y_pred):
        seen.append(len(y_true))
        if len(seen) == 50:
            raise KeyboardInterrupt
        return np.mean(np.asarray(y_true) == y_pred)

    with pytest.warns(InterruptedWarning):
        model = MulticlassSVM(C=AutoC(scoring=scoring)).fit(X, y)
    assert len(model.C_path_) == 2
    assert model.status_ == "interrupted"


def test_max_time_ends_the_path():
    X, y = sequences(200)
    model = SequenceSVM(C="auto", max_time=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    assert len(model.C_path_) <= 2
    assert model.status_ in ("max_time", "converged")


# What is said.


def test_rows_are_said_as_they_come(caplog, capfd):
    X, y = rows()
    with caplog.at_level(logging.INFO, logger="pystruct_ext.auto_c"):
        model = MulticlassSVM(C="auto").fit(X, y)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith(
        "C is chosen by 3 folds of 160 examples to train, 80 to score"
    )
    assert said[-1] == f"C = {model.C_:g}"
    assert len(said) >= len(model.C_path_) + 2
    assert capfd.readouterr().err == ""
    MulticlassSVM(C="auto", verbose=1).fit(X, y)
    assert "certificate" in capfd.readouterr().err


def test_table():
    X, y = rows()
    path = MulticlassSVM(C="auto").fit(X, y).C_path_
    assert isinstance(path, CPathTable)
    assert len(list(path)) == len(path) == len(path.column("C"))
    text = repr(path).splitlines()
    assert len(text) == len(path) + 2
    assert sum(line.startswith(" *") for line in text) == 1
    assert (np.diff(path.column("C")) > 0).all()
    with pytest.raises(KeyError, match="expected one of C, score"):
        path.column("gap")
    assert repr(pickle.loads(pickle.dumps(path))) == repr(path)


@pytest.mark.parametrize(
    ("C", "error"),
    [
        (AutoC(Cs=[0.0]), "Cs must be finite numbers > 0 or None"),
        (AutoC(cv=1), "cv must be at least 2 folds"),
        (AutoC(cv=1.5), "cv must be an int >= 2, a share"),
        (AutoC(cv="no"), "cv must be an int >= 2"),
        (AutoC(cv=[([0], [0])]), "a fold that holds out what it trains on"),
        (AutoC(cv=[([0], [999])]), "beyond the 240 examples"),
        (AutoC(scoring=3), "scoring must be None, the name of a scorer"),
        (AutoC(scoring="roc_auc"), "expected a scorer of predictions"),
        (AutoC(auto=("C", "nothing")), "which MulticlassSVM has not"),
        (AutoC(auto=("C", "loss")), "expected a number > 0 to try multiples of"),
        (AutoC(tol=-1), "tol must be None or > 0"),
        ("best", '"auto" finds it'),
    ],
)
def test_errors_name_the_setting(C, error):
    X, y = rows()
    with pytest.raises((ValueError, TypeError), match=error):
        MulticlassSVM(C=C).fit(X, y)


def test_groups_need_auto():
    X, y = rows()
    with pytest.raises(ValueError, match=r"groups .* \(C='auto'\); C is 1.0 here"):
        MulticlassSVM().fit(X, y, groups=y)
    with pytest.raises(ValueError, match="groups has 3 entries, expected 240"):
        MulticlassSVM(C="auto").fit(X, y, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="at least 2 groups, to hold some out, got 1"):
        MulticlassSVM(C="auto").fit(X, y, groups=np.zeros(240))


# scikit-learn.


def test_scikit_learn():
    X, y = rows(120)
    search = GridSearchCV(MulticlassSVM(), {"C": [0.1, "auto"]}, cv=2).fit(X, y)
    assert search.best_params_["C"] in (0.1, "auto")
    model = MulticlassSVM(C=AutoC(cv=3))
    assert clone(model).C.cv == 3
    assert clone(model).C is not model.C
    assert model.set_params(C__cv=4).C.cv == 4
    assert model.get_params()["C__cv"] == 4
    assert repr(model) == "MulticlassSVM(C=AutoC(cv=4))"
    GridSearchCV(MulticlassSVM(C="auto"), {"loss": ["zero_one"]}, cv=GroupKFold(2)).fit(
        X, y, groups=np.arange(120) // 10
    )
    splitter = MulticlassSVM(C=AutoC(cv=GroupKFold(3))).fit(
        X, y, groups=np.arange(120) // 10
    )
    assert splitter.C_path_.n_folds == 3


def test_label_sets_in_all_forms():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    Y = (X[:, :3] + 0.5 * rng.normal(size=(60, 3)) > 0).astype(int)
    from scipy.sparse import csr_array

    forms = [Y, csr_array(Y), [tuple("abc"[k] for k in np.flatnonzero(r)) for r in Y]]
    chosen = [MultilabelSVM(C="auto").fit(X, form) for form in forms]
    assert len({model.C_ for model in chosen}) == 1
    assert chosen[0].C_path_.best["score"] > 0.3


def test_spaces_in_python():
    class Classes(OutputSpace):
        """Two classes of numbers."""

        def fit_domain(self, X, Y=None):
            self.size_psi_ = 2
            return self

        def joint_feature(self, x, y):
            return np.array([x, 1.0]) * (1 if y else -1)

        def loss(self, y, y_hat):
            return float(y != y_hat)

        def decode(self, w, x):
            return int(w @ [x, 1.0] > 0)

        def loss_augmented_decode(self, w, x, y):
            return max((0, 1), key=lambda z: (z != y) + w @ self.joint_feature(x, z))

    rng = np.random.default_rng(0)
    X = rng.normal(size=80).tolist()
    y = [int(x + 0.5 * rng.normal() > 0.3) for x in X]
    model = StructuralSVM(Classes(), C="auto").fit(X, y)
    assert -0.3 < model.C_path_.best["score"] <= 0  # minus the mean loss
    rows_, classes = rows(60)
    same = StructuralSVM(MulticlassSpace(), C="auto").fit(rows_, classes.tolist())
    assert same.C_path_.best["score"] > -0.6
