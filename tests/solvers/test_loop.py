"""Stopping, interrupts, warm starts, warnings and errors of the shared loop."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext import MulticlassSVM, SequenceSVM, StructuralSVM
from pystruct_ext.solvers import (
    BCFW,
    SOLVERS,
    InterruptedWarning,
    NSlack,
    OracleWarning,
    get_solver,
)
from pystruct_ext.spaces import OutputSpace, SequenceSpace, SpaceTags


class Space(OutputSpace):
    """Two classes; can be told to raise, to be slow or to be wrong."""

    def __init__(self, error=None, after=0, wrong=False):
        self.error = error
        self.after = after
        self.wrong = wrong

    def fit_domain(self, X, Y=None):
        self.size_psi_ = 2 * len(X[0])
        self.calls_ = 0
        return self

    def joint_feature(self, x, y):
        out = np.zeros((2, len(x)))
        out[y] = x
        return out.ravel()

    def loss(self, y, y_hat):
        return float(y != y_hat)

    def decode(self, w, x):
        return int(np.argmax(np.reshape(w, (2, -1)) @ x))

    def loss_augmented_decode(self, w, x, y):
        self.calls_ += 1
        if self.error is not None and self.calls_ > self.after:
            self.calls_ = 0
            raise self.error
        if self.wrong and self.calls_ > 40:
            return y
        scores = np.reshape(w, (2, -1)) @ x + 1.0
        scores[y] -= 1.0
        return int(np.argmax(scores))


def bound(**kwargs):
    rng = np.random.default_rng(0)
    X, Y = list(rng.normal(size=(20, 3))), rng.integers(0, 2, 20).tolist()
    space = Space(**kwargs)
    return space.bind(space.fit_pack(X, Y))


class Custom(Exception):
    pass


@pytest.mark.parametrize("name", sorted(SOLVERS))
@pytest.mark.parametrize("after", [0, 30])
def test_exceptions_of_user_code_surface_unchanged(name, after):
    if name == "perceptron":
        pytest.skip("decodes without the loss")
    error = Custom("from user code")
    with pytest.raises(Custom) as caught:
        SOLVERS[name]().solve(bound(error=error, after=after), 0.1)
    assert caught.value is error


@pytest.mark.parametrize("name", ["bcfw", "one_slack", "n_slack", "subgradient"])
def test_interrupt_returns_the_best_so_far(name):
    oracle = bound(error=KeyboardInterrupt(), after=70)
    solver = SOLVERS[name](tol=1e-12, max_iter=1000)
    with pytest.warns(InterruptedWarning, match="interrupted"):
        result = solver.solve(oracle, 0.1)
    assert result.status == "interrupted"
    assert np.isfinite(result.coef).all()
    assert np.any(result.coef != 0)
    assert result.primal == pytest.approx(
        0.05 * result.coef @ result.coef + oracle.cut_sum(result.coef)[2] / 20
    )


def test_subgradient_stopped_in_its_first_epoch_has_a_model():
    # 12 decodes before the first epoch look at the oracle itself.
    oracle = bound(error=KeyboardInterrupt(), after=24)
    with pytest.warns(InterruptedWarning):
        result = SOLVERS["subgradient"]().solve(oracle, 0.1)
    assert np.any(result.coef != 0)


def test_max_time():
    result = BCFW(tol=0.0, max_iter=10**9, max_time=0.2).solve(bound(), 1e-4)
    assert result.status == "max_time"
    assert 0.1 < result.history[-1]["seconds"] < 5
    assert result.gap >= -1e-9


def test_max_iter_warns():
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2 epochs at a relative gap"):
        result = BCFW(tol=1e-12, max_iter=2).solve(bound(), 1e-3)
    assert result.status == "max_iter"
    assert result.n_iter == 2


def test_callback_stops_and_sees_the_weights():
    seen = []

    def callback(progress):
        seen.append(progress.coef.copy())
        progress.score = 0.5
        return progress.epoch == 3

    result = BCFW(tol=0.0).solve(bound(), 0.1, callback=callback)
    assert result.status == "callback"
    assert len(seen) == 3
    assert np.array_equal(seen[-1], result.coef)
    assert result.history[0]["score"] == 0.5


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_wrong_oracle_is_reported():
    with pytest.warns(OracleWarning, match="weaker than one already known"):
        BCFW(tol=1e-9, max_iter=30).solve(bound(wrong=True), 1e-3)


@pytest.mark.parametrize("solver", [BCFW(tol=1e-4), NSlack(tol=1e-4)])
def test_warm_start(solver):
    oracle = bound()
    cold = solver.solve(oracle, 0.01)
    same = solver.solve(oracle, 0.01, working_set=cold.working_set)
    assert same.n_iter <= 2
    assert same.primal == pytest.approx(cold.primal, rel=1e-3)
    # Another lambda: alpha is kept, w is formed anew.
    other = solver.solve(oracle, 0.005, working_set=cold.working_set)
    fresh = solver.solve(oracle, 0.005)
    assert other.primal == pytest.approx(fresh.primal, rel=3e-4)
    assert other.dual <= fresh.primal * (1 + 1e-9)


def test_working_set_of_other_data_is_refused():
    rng = np.random.default_rng(0)
    made = []
    for length in (2, 3):
        space = SequenceSpace()
        X = [rng.normal(size=(length, 2)) for _ in range(5)]
        Y = [(["a", "b", "a"])[:length]] * 5
        made.append(space.bind(space.fit_pack(X, Y)))
    result = BCFW().solve(made[0], 0.1)
    with pytest.raises(ValueError, match="made on other data"):
        BCFW().solve(made[1], 0.1, working_set=result.working_set)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"lam": 0.0}, "lam must be"),
        ({"lam": np.nan}, "lam must be"),
        ({"block_ids": [99]}, r"block_ids must be in \[0, 20\)"),
        ({"block_ids": []}, "non-empty"),
        ({"block_weight": [1.0]}, "one weight per block"),
        ({"block_weight": -np.ones(20)}, "block 0 has -1.0"),
    ],
)
def test_bad_arguments(kwargs, message):
    kwargs = {"lam": 0.1, **kwargs}
    with pytest.raises(ValueError, match=message):
        BCFW().solve(bound(), **kwargs)


def test_registry():
    assert get_solver("bcfw", tol=0.5).tol == 0.5
    given = BCFW(tol=0.1)
    assert get_solver(given, tol=None).tol == 0.1
    assert get_solver(given) is not given
    with pytest.raises(ValueError, match="solver must be one of"):
        get_solver("nope")
    with pytest.raises(TypeError, match="name or a Solver"):
        get_solver(3)


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_solver_parameters(name):
    with pytest.raises(ValueError, match="max_iter must be an integer >= 1"):
        SOLVERS[name](max_iter=0).solve(bound(), 0.1)
    with pytest.raises(ValueError, match="max_time must be > 0"):
        SOLVERS[name](max_time=0).solve(bound(), 0.1)


def test_history_is_consistent():
    result = BCFW(tol=1e-4, check_every=3).solve(bound(), 0.01)
    h = result.history
    assert np.all(np.diff(h.column("seconds")) >= 0)
    assert np.all(np.diff(h.column("oracle_calls")) >= 0)
    assert np.all(np.diff(h.column("dual")) >= -1e-12)
    gaps = h.column("gap")
    assert gaps[-1] == pytest.approx(result.gap)
    assert "relative gap" in repr(h)


def test_oracle_calls_are_counted():
    calls = []

    class Counting(Space):
        def loss_augmented_decode(self, w, x, y):
            calls.append(1)
            return super().loss_augmented_decode(w, x, y)

    rng = np.random.default_rng(0)
    X, Y = list(rng.normal(size=(20, 3))), rng.integers(0, 2, 20).tolist()
    space = Counting()
    oracle = space.bind(space.fit_pack(X, Y))
    for name in ("bcfw", "one_slack", "n_slack", "subgradient"):
        calls.clear()
        result = SOLVERS[name](tol=0.05).solve(oracle, 0.1)
        assert result.n_oracle_calls == len(calls), name


def test_warnings_point_at_the_line_of_the_user():
    X = [np.eye(3), np.eye(3)[::-1]]
    y = [[0, 1, 0], [1, 1, 0]]
    rows, labels = np.concatenate(X), np.concatenate(y)
    settings = {"max_iter": 1, "tol": 1e-12, "C": 100.0}
    space = SequenceSpace()
    oracle = space.bind(space.fit_pack(X, y))
    for train in (
        lambda: SequenceSVM(**settings).fit(X, y),
        lambda: MulticlassSVM(**settings).fit(rows, labels),
        lambda: StructuralSVM(SequenceSpace(), **settings).fit(X, y),
        lambda: BCFW(max_iter=1, tol=1e-12).solve(oracle, 1e-3),
    ):
        with pytest.warns(ConvergenceWarning) as seen:
            train()
        assert [w.filename for w in seen] == [__file__]
        assert seen[0].lineno == train.__code__.co_firstlineno


def test_a_greedy_oracle_is_announced_at_the_line_of_the_user():
    class Slow(OutputSpace):
        """One weight; the truth is 1."""

        def fit_domain(self, X, Y=None):
            self.size_psi_ = 1
            return self

        def joint_feature(self, x, y):
            return np.array([float(x * y)])

        def loss(self, y, y_hat):
            return float(y != y_hat)

        def decode(self, w, x):
            return int(w[0] * x > 0)

        def loss_augmented_decode(self, w, x, y):
            return 0

        def __space_tags__(self):
            return SpaceTags(exactness="none")

    with pytest.warns(OracleWarning, match="does not promise") as seen:
        StructuralSVM(Slow()).fit([1.0, 2.0], [1, 1])
    assert seen[0].filename == __file__
