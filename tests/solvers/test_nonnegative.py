"""Weights that a space wants to be >= 0: solvers that keep them so, with a certificate."""

import itertools

import numpy as np
import pytest

from pystruct_ext.solvers import BCFW, NSlack, OneSlack, Perceptron, Subgradient
from pystruct_ext.spaces import OutputSpace, Product


class PairSpace(OutputSpace):
    """Three bits; features per bit, then equality of neighbours, whose weights stay >= 0."""

    def __init__(self, signed=True):
        self.signed = signed

    def fit_domain(self, X, Y=None):
        self.size_psi_ = X[0].shape[1] + 2
        self.nonnegative_ = (X[0].shape[1], self.size_psi_) if self.signed else None
        return self

    def joint_feature(self, x, y):
        same = [float(y[0] == y[1]), float(y[1] == y[2])]
        return np.concatenate([np.asarray(y, dtype=float) @ x, same])

    def loss(self, y, y_hat):
        return float(np.sum(np.not_equal(y, y_hat)))

    def enumerate(self, x):
        return itertools.product((0, 1), repeat=3)

    def decode(self, w, x):
        return max(self.enumerate(x), key=lambda z: w @ self.joint_feature(x, z))

    def loss_augmented_decode(self, w, x, y):
        return max(
            self.enumerate(x),
            key=lambda z: self.loss(y, z) + w @ self.joint_feature(x, z),
        )


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(3, 2)) for _ in range(12)]
    # Neighbours that differ: without the constraint, both weights would be negative.
    Y = [(0, 1, 0) if x[1].sum() > 0 else (1, 0, 0) for x in X]
    return X, Y


def optimum(space, X, Y, lam):
    cvxpy = pytest.importorskip("cvxpy")
    w = cvxpy.Variable(space.size_psi_)
    total = 0.5 * lam * cvxpy.sum_squares(w)
    for x, y in zip(X, Y, strict=True):
        rows, costs = [], []
        for z in space.enumerate(x):
            rows.append(space.joint_feature(x, z) - space.joint_feature(x, y))
            costs.append(space.loss(y, z))
        total += cvxpy.max(np.array(rows) @ w + np.array(costs)) / len(X)
    signs = [] if space.nonnegative_ is None else [w[slice(*space.nonnegative_)] >= 0]
    solved = cvxpy.Problem(cvxpy.Minimize(total), signs)
    solved.solve()
    return solved.value, w.value


@pytest.mark.reference
@pytest.mark.parametrize(
    ("solver", "tol"),
    [(BCFW(), 1e-6), (NSlack(), 1e-6), (Subgradient(max_iter=3000), 2e-3)],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.parametrize("lam", [0.3, 0.01])
def test_optimum_with_the_constraint(problem, solver, tol, lam):
    X, Y = problem
    space = PairSpace().fit_domain(X)
    best, _ = optimum(space, X, Y, lam)
    free, w = optimum(PairSpace(signed=False).fit_domain(X), X, Y, lam)
    assert w[-2:].min() < -1e-2
    assert best > free * 1.001
    result = type(solver)(**{**solver.get_params(), "tol": tol}).solve(
        space.bind(space.pack(X, Y)), lam
    )
    assert result.status == "converged"
    assert result.certificate == "exact"
    assert result.coef[-2:].min() >= 0
    assert result.dual <= best * (1 + 1e-6)
    assert result.primal >= best * (1 - 1e-6)
    assert result.gap <= tol * result.primal


def test_warm_start_and_folds_keep_signs(problem):
    X, Y = problem
    space = PairSpace().fit_domain(X)
    oracle = space.bind(space.pack(X, Y))
    first = BCFW(tol=1e-6).solve(oracle, 0.1, block_ids=range(8))
    second = BCFW(tol=1e-6).solve(oracle, 0.1, working_set=first.working_set)
    cold = BCFW(tol=1e-6).solve(oracle, 0.1)
    assert second.coef[-2:].min() >= 0
    np.testing.assert_allclose(second.primal, cold.primal, rtol=1e-5)


@pytest.mark.parametrize("solver", [OneSlack(), Perceptron()])
def test_solvers_that_cannot_say_so(problem, solver):
    X, Y = problem
    space = PairSpace().fit_domain(X)
    with pytest.raises(ValueError, match=r"weights 2 \.\. 3 to be; use BCFW, NSlack"):
        solver.solve(space.bind(space.pack(X, Y)), 0.1)


def test_ranges_are_checked(problem):
    X, Y = problem
    space = PairSpace().fit_domain(X)
    space.nonnegative_ = (3, 9)
    with pytest.raises(ValueError, match=r"within the 4 weights, got \(3, 9\)"):
        space.bind(space.pack(X, Y))


@pytest.mark.parametrize("first", [True, False])
def test_a_product_keeps_the_signs_of_one(problem, first):
    X, Y = problem
    spaces = [PairSpace(signed=first), PairSpace(signed=not first)]
    pair = Product(*spaces)
    YY = list(zip(Y, Y, strict=True))
    oracle = pair.bind(pair.fit_pack(X, YY))
    expected = slice(2, 4) if first else slice(6, 8)
    assert oracle.nonnegative == expected
    result = BCFW(tol=1e-4).solve(oracle, 0.1)
    assert result.coef[expected].min() >= 0
    assert result.coef.min() < 0
    both = Product(PairSpace(), PairSpace())
    with pytest.raises(ValueError, match="at most one of a product may"):
        both.bind(both.fit_pack(X, YY))
