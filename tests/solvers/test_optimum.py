"""Every solver against the optimum of a reference QP (cvxpy) on enumerated outputs."""

from __future__ import annotations

import importlib.util
import warnings
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from pystruct_ext.solvers import BCFW, NSlack, OneSlack, Perceptron, Subgradient
from pystruct_ext.spaces import MulticlassSpace, OutputSpace, SequenceSpace


class PythonClasses(OutputSpace):
    """Multiclass through the Python door."""

    def fit_domain(self, X, Y=None):
        self.size_psi_ = 3 * X.shape[1]
        return self

    def joint_feature(self, x, y):
        out = np.zeros((3, len(x)))
        out[y] = x
        return out.ravel()

    def loss(self, y, y_hat):
        return abs(y - y_hat) / 2

    def decode(self, w, x):
        return int(np.argmax(np.reshape(w, (3, -1)) @ x))

    def loss_augmented_decode(self, w, x, y):
        return int(np.argmax(np.reshape(w, (3, -1)) @ x + np.abs(np.arange(3) - y) / 2))

    def enumerate(self, x):
        return range(3)


PATH = Path(__file__).resolve().parents[2] / "examples" / "matching_space.py"
SPEC = importlib.util.spec_from_file_location("matching_space", PATH)
EXAMPLE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(EXAMPLE)


class MatchingSpace(EXAMPLE.MatchingSpace):
    """The documented sixteen lines, with an enumeration for the reference."""

    def enumerate(self, x):
        return [np.array(p) for p in permutations(range(len(x)))]


def problems():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(15, 3)), rng.integers(0, 3, 15).tolist()
    sequences = [rng.normal(size=(n, 2)) for n in (3, 2, 1, 3, 2, 3)]
    labels = [[int(v) for v in rng.integers(0, 2, len(s))] for s in sequences]
    labels[0] = [0, 1, 0]
    graded = np.abs(np.arange(3)[:, None] - np.arange(3)) / 2
    return {
        "multiclass": (MulticlassSpace(graded, fit_intercept=False), X, y),
        "chain": (SequenceSpace(dtype="float64"), sequences, labels),
        "python": (PythonClasses(), X, y),
        "matching": (MatchingSpace(), *EXAMPLE.make_matchings(12, rng, m=3)),
    }


@pytest.fixture(scope="module", params=["multiclass", "chain", "python", "matching"])
def problem(request):
    space, X, Y = problems()[request.param]
    return space, X, Y, space.bind(space.fit_pack(X, Y))


LAM = 0.05


def reference(space, X, Y, weight=None, slack=False):
    """Optimal value by a general-purpose solver."""
    cp = pytest.importorskip("cvxpy")
    n = len(Y)
    c = np.ones(n) if weight is None else np.asarray(weight)
    w = cp.Variable(space.size_psi_)
    xi = cp.Variable(n, nonneg=True)
    constraints = []
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        truth = space.joint_feature(x, y)
        planes = np.array(
            [truth - space.joint_feature(x, z) for z in space.enumerate(x)]
        )
        loss = np.array([space.loss(y, z) for z in space.enumerate(x)])
        if slack:
            constraints.append(xi[i] >= cp.multiply(loss, 1 - planes @ w))
        else:
            constraints.append(xi[i] >= loss - planes @ w)
    objective = 0.5 * LAM * cp.sum_squares(w) + c @ xi / n
    return cp.Problem(cp.Minimize(objective), constraints).solve(solver=cp.CLARABEL)


SOLVERS = [
    BCFW(tol=1e-5, max_iter=5000),
    BCFW(tol=1e-5, max_iter=5000, cached_passes=3),
    BCFW(tol=1e-5, max_iter=5000, sampling="gap"),
    OneSlack(tol=1e-5),
    OneSlack(tol=1e-4, stabilise=1.0),
    NSlack(tol=1e-5, max_iter=3000),
    Subgradient(tol=3e-2, max_iter=3000),
]


@pytest.mark.reference
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: repr(s))
def test_solvers_reach_the_reference_optimum(problem, solver):
    space, X, Y, oracle = problem
    best = reference(space, X, Y)
    result = solver.solve(oracle, LAM)
    assert result.status == "converged"
    assert result.certificate == "exact"
    assert result.dual <= best * (1 + 1e-6)
    assert result.primal >= best * (1 - 1e-6)
    assert result.gap == pytest.approx(result.primal - result.dual)
    assert result.relative_gap <= solver.tol
    # The primal is what it says: P at coef, computed apart from the solver.
    hinge = oracle.cut_sum(result.coef)[2]
    P = 0.5 * LAM * result.coef @ result.coef + hinge / len(Y)
    assert result.primal == pytest.approx(P, rel=1e-9)


@pytest.mark.reference
@pytest.mark.parametrize(
    "solver",
    [
        BCFW(tol=1e-5, max_iter=5000),
        OneSlack(tol=1e-5),
        NSlack(tol=1e-5, max_iter=3000),
        Subgradient(tol=3e-2, max_iter=3000),
    ],
    ids=lambda s: s.name,
)
def test_block_weights(problem, solver):
    space, X, Y, oracle = problem
    weight = np.resize([0.5, 2.0, 0.0, 1.0], len(Y))
    best = reference(space, X, Y, weight)
    result = solver.solve(oracle, LAM, block_weight=weight)
    assert result.status == "converged"
    assert result.dual <= best * (1 + 1e-6)
    assert result.primal >= best * (1 - 1e-6)


@pytest.mark.reference
def test_slack_rescaling_is_honest(problem):
    """The reference lies between dual and primal; on graded losses the gap closes."""
    space, X, Y, oracle = problem
    best = reference(space, X, Y, slack=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = NSlack(tol=1e-3, rescaling="slack", max_iter=300).solve(oracle, LAM)
    assert result.dual <= best * (1 + 1e-6)
    assert result.primal >= best * (1 - 1e-6)
    # Searching over scalings reaches the true maximum here, even where its bound does not
    # prove it: the dual is at the optimum.
    assert result.dual == pytest.approx(best, rel=2e-2)


@pytest.mark.parametrize("variant", ["perceptron", "mira"])
def test_perceptron_learns_without_a_certificate(problem, variant):
    _, _, Y, oracle = problem
    result = Perceptron(variant).solve(oracle, LAM)
    assert result.certificate == "none"
    assert result.dual == 0.0
    before = oracle.argmax_batch(np.zeros(oracle.size_psi))[2].sum()
    after = oracle.argmax_batch(result.coef)[2].sum()
    assert after < before
    assert len(Y) == oracle.n_blocks


def test_perceptron_stops_without_mistakes():
    X, y = np.eye(3), [0, 1, 2]
    space = MulticlassSpace(fit_intercept=False)
    oracle = space.bind(space.fit_pack(X, y))
    result = Perceptron(max_iter=50).solve(oracle, 1.0)
    assert result.status == "converged"
    assert result.n_iter < 50


@pytest.mark.parametrize(
    "solver",
    [
        BCFW(max_iter=5),
        NSlack(max_iter=3),
        Subgradient(max_iter=5),
        Perceptron(max_iter=3),
    ],
    ids=lambda s: s.name,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_random_state_and_threads(problem, solver):
    oracle = problem[3]
    solver = clone(solver)
    a = solver.solve(oracle, 1e-3)
    b = solver.set_params(n_jobs=3).solve(oracle, 1e-3)
    assert np.array_equal(a.coef, b.coef)
    assert a.primal == b.primal
    solver.set_params(random_state=1)
    assert (
        not np.array_equal(solver.solve(oracle, 1e-3).coef, a.coef)
        or solver.name == "n_slack"
    )


def test_block_ids_and_weights_are_the_same_thing(problem):
    oracle = problem[3]
    ids = np.arange(0, oracle.n_blocks, 2)
    weight = np.zeros(oracle.n_blocks)
    weight[ids] = 1.0
    solver = BCFW(tol=1e-6, max_iter=5000)
    part = solver.solve(oracle, LAM, block_ids=ids)
    # lam of the whole, so that the same C multiplies each hinge.
    whole = solver.solve(oracle, LAM * len(ids) / oracle.n_blocks, block_weight=weight)
    np.testing.assert_allclose(part.coef, whole.coef, atol=2e-2)
