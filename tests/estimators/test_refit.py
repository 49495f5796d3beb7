"""A fit depends on its arguments alone, and leaves parameters and inputs as they are."""

from __future__ import annotations

import pickle
import threading
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext import (
    DiverseRankingSVM,
    MulticlassSVM,
    RankingSVM,
    SequenceSVM,
    StructuralSVM,
)
from pystruct_ext.datasets import load_ambiguous_queries
from pystruct_ext.diversify import QueryTextFeatures
from pystruct_ext.solvers import BCFW, SOLVERS
from pystruct_ext.spaces import SequenceSpace
from pystruct_ext.structures import STRUCTURES


def models():
    out = {}
    for structure in STRUCTURES.values():
        out[structure.name] = structure, {}
    out["diverse-steps"] = STRUCTURES["diverse-ranking"], {"training": "steps"}
    out["sequence-solver"] = STRUCTURES["sequence"], {"solver": BCFW(tol=0.01)}
    out["ranking-pairs"] = STRUCTURES["ranking"], {"loss": "pairs"}
    return out


CASES = models()


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    """An estimator, a problem, and another one."""
    structure, params = request.param
    model = structure.estimator(**{**structure.small, **params})
    problem = structure.problem(np.random.default_rng(0))
    n = groups(problem)
    return model, structure.select(problem, list(range(0, n, 2))), problem


def groups(problem):
    """Number of examples, or of queries."""
    qid = problem.fit_params.get("qid")
    if qid is not None:
        return len(np.unique(qid))
    return problem.X.shape[0] if hasattr(problem.X, "shape") else len(problem.X)


def fit(model, problem, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(problem.X, problem.y, **problem.fit_params, **more)


def weights(model):
    coef = model.coef_
    return coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef)


def test_a_refit_is_a_fresh_fit(case):
    model, one, other = case
    fresh = fit(clone(model), other)
    again = fit(fit(model, one), other)
    assert set(vars(again)) == set(vars(fresh))
    np.testing.assert_array_equal(weights(again), weights(fresh))
    assert again.primal_objective_ == fresh.primal_objective_
    assert again.n_oracle_calls_ == fresh.n_oracle_calls_


class Halt(Exception):
    pass


def test_a_fit_that_fails_changes_nothing(case):
    model, one, other = case
    data = pickle.dumps(other)

    def halt(progress):
        raise Halt

    model.set_params(max_iter=3)
    for fitted in (False, True):
        model.set_params(callback=None)
        if fitted:
            fit(model, one)
        model.set_params(callback=halt)
        before, params = dict(vars(model)), model.get_params(deep=False)
        w = weights(model).copy() if fitted else None
        with pytest.raises(Halt):
            fit(model, other)
        assert list(vars(model)) == list(before)
        assert all(vars(model)[k] is v for k, v in before.items())
        assert all(getattr(model, k) is v for k, v in params.items())
        if fitted:
            np.testing.assert_array_equal(weights(model), w)
    assert pickle.dumps(other) == data


def test_parameters_never_change_while_a_fit_runs(case):
    model, _, problem = case
    params = model.get_params(deep=False)
    deep = str(model.get_params())
    changed, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            changed.extend(k for k, v in params.items() if getattr(model, k) is not v)

    class Watched(type(model)):
        def __setattr__(self, key, value):
            if key in params:
                changed.append(key)
            super().__setattr__(key, value)

    watcher = threading.Thread(target=watch)
    watcher.start()
    model.__class__ = Watched
    try:
        fit(model, problem)
    finally:
        model.__class__ = Watched.__mro__[1]
        stop.set()
        watcher.join()
    assert changed == []
    assert str(model.get_params()) == deep


def test_threads_fit_clones_as_one_thread_does(case):
    model, _, problem = case
    alone = fit(clone(model), problem)
    together = [clone(model) for _ in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # filters belong to all threads
        threads = [
            threading.Thread(
                target=lambda m: m.fit(problem.X, problem.y, **problem.fit_params),
                args=(m,),
            )
            for m in together
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for m in together:
        np.testing.assert_array_equal(weights(m), weights(alone))


def test_a_space_that_is_a_parameter_stays_unfitted():
    space = SequenceSpace()
    model = StructuralSVM(space).fit([np.eye(2)], [["a", "b"]])
    assert model.space is space
    assert vars(space) == vars(SequenceSpace())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("training", ["steps", "slates"])
def test_slates_by_another_model_first(training):
    queries = load_ambiguous_queries("train")[:4]
    queries = QueryTextFeatures().fit(queries).transform(queries)
    model = DiverseRankingSVM(model="mixture", rounds=1, max_iter=3).fit(queries)
    assert hasattr(model, "topics_")
    model.set_params(model="sequential", training=training).fit(queries)
    fresh = clone(model).fit(queries)
    assert set(vars(model)) == set(vars(fresh))
    np.testing.assert_array_equal(model.coef_, fresh.coef_)


# Weights.

BAD = {
    "zero": (lambda n: np.zeros(n), "zero"),
    "negative": (lambda n: np.r_[-1.0, np.ones(n - 1)], ">= 0"),
    "nan": (lambda n: np.r_[np.nan, np.ones(n - 1)], "finite"),
    "infinite": (lambda n: np.r_[np.inf, np.ones(n - 1)], "finite"),
    "none": (lambda n: [None, *np.ones(n - 1)], "finite"),
    "masked": (lambda n: np.ma.array(np.ones(n), mask=np.arange(n) == 0), "masked"),
    "complex": (lambda n: np.ones(n) * 1j, "real numbers"),
    "strings": (lambda n: ["1"] * n, "real numbers"),
    "long": (lambda n: np.ones(n + 1), r"weight"),
    "square": (lambda n: np.ones((n, 2)), r"weight"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_weights_of_every_structure(case, bad):
    model, _, problem = case
    make, message = bad
    with pytest.raises(ValueError, match=message):
        fit(model, problem, sample_weight=make(groups(problem)))
    assert not hasattr(model, "coef_")


def test_weights_of_other_kinds(case):
    model, _, problem = case
    n = groups(problem)
    plain = fit(clone(model), problem)
    whole = np.ma.array(np.ones(n), mask=False)
    for good in ([1] * n, (True,) * n, np.ones(n, dtype=bool), whole):
        again = fit(model, problem, sample_weight=good)
        np.testing.assert_array_equal(weights(again), weights(plain))


def test_zero_weights_are_an_error_of_every_solver():
    X, y = np.eye(4), [0, 1, 2, 3]
    for name, solver in SOLVERS.items():
        model = MulticlassSVM(solver=name)
        with pytest.raises(ValueError, match="all 4 weights are zero"):
            model.fit(X, y, sample_weight=np.zeros(4))
        oracle = (m := MulticlassSVM().fit(X, y)).space_.bind(m.space_.pack(X, y))
        with pytest.raises(ValueError, match="block_weight: all 4 weights are zero"):
            solver().solve(oracle, 1.0, block_weight=np.zeros(4))


def test_zero_weights_of_all_queries_that_teach():
    X, y, qid = np.eye(4), [0.0, 1.0, 1.0, 1.0], [0, 0, 1, 1]
    with pytest.raises(ValueError, match="zero"):
        RankingSVM().fit(X, y, [0.0, 1.0], qid=qid)  # nothing to learn from query 1


def test_documents_of_one_query_are_repeated():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3))
    y = np.clip(np.round(X[:, 0] * 2), 0, 2)
    times = np.array([1, 0, 3, 1, 2, 0, 1, 2, 1, 1, 0, 2])
    rows = np.repeat(np.arange(12), times)
    for loss in ("ndcg", "pairs"):
        weighted = RankingSVM(loss=loss).fit(X, y, sample_weight=times)
        repeated = RankingSVM(loss=loss).fit(X[rows], y[rows])
        np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)
        score = repeated.score(X[rows], y[rows])
        assert weighted.score(X, y, times) == pytest.approx(score)
    own = np.linspace(1, 2, 12)
    weighted = RankingSVM(loss="pairs").fit(X, y, times, document_weight=own)
    repeated = RankingSVM(loss="pairs").fit(X[rows], y[rows], document_weight=own[rows])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)
    for ids in (np.repeat(np.arange(4), 3), np.repeat([7, 3], 6), times / 2):
        with pytest.raises(ValueError, match="by the keyword qid"):
            RankingSVM().fit(X, y, ids)


def test_lists_without_an_end_are_refused_by_name():
    deep = inner = []
    for _ in range(20_000):
        inner.append([])
        inner = inner[0]
    model = SequenceSVM(random_state=deep)
    with pytest.raises(
        ValueError, match="random_state holds lists nested more than 100"
    ):
        model.fit([[["a"]]] * 2, [["A"], ["B"]])
    assert not hasattr(model, "coef_")
