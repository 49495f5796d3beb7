"""Weights drawn to given ones instead of 0: optimum, certificate, and what must agree."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystruct_ext.solvers import BCFW, NSlack, OneSlack, Perceptron, Subgradient
from pystruct_ext.solvers.certificate import recertify
from pystruct_ext.spaces import MulticlassSpace, OutputSpace, SequenceSpace

LAM = 0.05


class Planes(OutputSpace):
    """x is (n_outputs, D) of features, y a row; the loss is a table. Room for any problem.

    The last `signed` weights stay >= 0.
    """

    def __init__(self, losses=None, signed=0):
        self.losses = losses
        self.signed = signed

    def fit_domain(self, X, Y=None):
        self.size_psi_ = X[0][1].shape[1]
        if self.signed:
            self.nonnegative_ = self.size_psi_ - self.signed, self.size_psi_
        return self

    def joint_feature(self, x, y):
        return x[1][y]

    def loss(self, y, y_hat):
        return float(self.losses[y, y_hat])

    def enumerate(self, x):
        return range(len(x[1]))

    def decode(self, w, x):
        return int(np.argmax(x[1] @ w))

    def loss_augmented_decode(self, w, x, y):
        return int(np.argmax(x[1] @ w + self.losses[y]))


def planes(seed=0, n=14, m=5, d=6, signed=0):
    rng = np.random.default_rng(seed)
    losses = rng.uniform(0.2, 2, (m, m))
    np.fill_diagonal(losses, 0)
    X = [(i, rng.normal(size=(m, d))) for i in range(n)]
    Y = [int(v) for v in rng.integers(0, m, n)]
    return Planes(losses, signed), X, Y


def chain():
    rng = np.random.default_rng(3)
    X = [rng.normal(size=(n, 2)) for n in (3, 2, 1, 3, 2, 3)]
    Y = [[int(v) for v in rng.integers(0, 2, len(s))] for s in X]
    Y[0] = [0, 1, 0]
    return SequenceSpace(dtype="float64"), X, Y


PROBLEMS = {"planes": planes, "chain": chain}


def bound(space, X, Y):
    return space.bind(space.fit_pack(X, Y))


def reference(space, X, Y, prior, lam=LAM, weight=None, slack=False):
    """The optimum and its weights by a general-purpose solver."""
    cp = pytest.importorskip("cvxpy")
    n = len(Y)
    c = np.ones(n) if weight is None else weight
    w, xi = cp.Variable(space.size_psi_), cp.Variable(n, nonneg=True)
    signs = getattr(space, "nonnegative_", None)
    constraints = [] if signs is None else [w[slice(*signs)] >= 0]
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        outputs = list(space.enumerate(x))
        truth = space.joint_feature(x, y)
        rows = np.array([truth - space.joint_feature(x, z) for z in outputs])
        loss = np.array([space.loss(y, z) for z in outputs])
        hinge = cp.multiply(loss, 1 - rows @ w) if slack else loss - rows @ w
        constraints.append(xi[i] >= hinge)
    objective = 0.5 * lam * cp.sum_squares(w - prior) + c @ xi / n
    value = cp.Problem(cp.Minimize(objective), constraints).solve(solver=cp.CLARABEL)
    return value, w.value


def objective(oracle, w, prior, lam=LAM):
    hinge = oracle.cut_sum(np.asarray(w, dtype=oracle.dtype))[2]
    return 0.5 * lam * np.sum((w - prior) ** 2) + hinge / oracle.n_blocks


def prior_of(size, scale=1.5, seed=1):
    return scale * np.random.default_rng(seed).normal(size=size)


SOLVERS = [
    BCFW(tol=1e-6, max_iter=5000),
    BCFW(tol=1e-6, max_iter=5000, cached_passes=3, sampling="gap"),
    OneSlack(tol=1e-6),
    NSlack(tol=1e-6, max_iter=3000),
    Subgradient(tol=3e-2, max_iter=3000),
]


@pytest.mark.reference
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("name", list(PROBLEMS))
def test_optimum_with_a_prior(name, solver):
    space, X, Y = PROBLEMS[name]()
    oracle = bound(space, X, Y)
    prior = prior_of(oracle.size_psi)
    weight = np.resize([0.5, 2.0, 0.0, 1.0], len(Y))
    for c in (None, weight):
        best, w = reference(space, X, Y, prior, weight=c)
        # The prior matters: the optimum without it is elsewhere.
        assert abs(reference(space, X, Y, 0 * prior, weight=c)[0] - best) > 1e-2 * best
        result = solver.solve(oracle, LAM, w_prior=prior, block_weight=c)
        assert result.status == "converged"
        assert result.certificate == "exact"
        assert result.dual <= best * (1 + 1e-6)
        assert result.primal >= best * (1 - 1e-6)
        assert result.relative_gap <= solver.tol
        # Strong convexity: the gap bounds the distance to the optimum.
        assert 0.5 * LAM * np.sum((result.coef - w) ** 2) <= result.gap + 1e-6
        if c is None:
            P = objective(oracle, result.coef, prior)
            assert result.primal == pytest.approx(P, rel=1e-9)


@pytest.mark.reference
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(
    "solver",
    [
        BCFW(tol=1e-6, max_iter=5000),
        NSlack(tol=1e-6, max_iter=3000),
        Subgradient(tol=3e-3, max_iter=5000),
    ],
    ids=repr,
)
def test_weights_that_stay_nonnegative(solver, inside):
    """Also with a prior that is itself not where the weights have to be."""
    space, X, Y = planes(signed=4)
    oracle = bound(space, X, Y)
    prior = prior_of(oracle.size_psi)
    prior[2:] = np.abs(prior[2:]) if inside else -np.abs(prior[2:])
    best, w = reference(space, X, Y, prior)
    assert np.sum(w[2:] < 1e-5) in (1, 2, 3)  # the constraint binds somewhere
    result = solver.solve(oracle, LAM, w_prior=prior)
    assert result.status == "converged"
    assert result.coef[2:].min() >= 0
    assert result.dual <= best * (1 + 1e-6)
    assert result.primal >= best * (1 - 1e-6)
    assert result.gap <= solver.tol * result.primal
    assert result.primal == pytest.approx(objective(oracle, result.coef, prior))


@pytest.mark.reference
def test_slack_rescaling():
    space, X, Y = planes(n=10, d=4)
    oracle = bound(space, X, Y)
    prior = prior_of(4, 0.3)
    best, _ = reference(space, X, Y, prior, slack=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = NSlack(tol=1e-3, rescaling="slack", max_iter=300).solve(
            oracle, LAM, w_prior=prior
        )
    assert result.dual <= best * (1 + 1e-6)
    assert result.primal >= best * (1 - 1e-6)
    assert result.dual == pytest.approx(best, rel=2e-2)


class Shifted(Planes):
    """A problem seen from a prior: losses less what the prior says of each cut."""

    def __init__(self, losses, prior):
        super().__init__(losses)
        self.prior = prior

    def fit_domain(self, X, Y=None):
        self.tables_ = {
            x[0]: self.losses[y] - (x[1][y] - x[1]) @ self.prior
            for x, y in zip(X, Y, strict=True)
        }
        # The loss is not told the example: it is in the output.
        return super().fit_domain(X)

    def joint_feature(self, x, y):
        return x[1][y[1]]

    def loss(self, y, y_hat):
        return float(self.tables_[y[0]][y_hat[1]])

    def decode(self, w, x):
        return x[0], int(np.argmax(x[1] @ w))

    def loss_augmented_decode(self, w, x, y):
        return x[0], int(np.argmax(x[1] @ w + self.tables_[y[0]]))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    share=st.floats(0, 0.99),
    lam=st.floats(0.03, 10),
    d=st.integers(1, 9),
)
def test_a_prior_shifts_the_losses(seed, share, lam, d):
    """P(w) with a prior p is P(w - p) without, of losses less <p, delta_psi>."""
    space, X, Y = planes(seed, n=6, m=4, d=d)
    prior = prior_of(d, 1.0, seed)
    # As long as no shifted loss is negative, which an oracle's must not be.
    shift = np.array([(x[1][y] - x[1]) @ prior for x, y in zip(X, Y, strict=True)])
    least = np.where(shift > 0, space.losses[Y] / np.where(shift > 0, shift, 1), np.inf)
    most = np.min(least, where=space.losses[Y] > 0, initial=1e3)
    prior *= share * most
    result = BCFW(tol=1e-5, max_iter=20000).solve(
        bound(space, X, Y), lam, w_prior=prior
    )
    seen = Shifted(space.losses, prior)
    labelled = [(x[0], y) for x, y in zip(X, Y, strict=True)]
    packed = seen.fit_domain(X, Y).pack(X, labelled)
    shifted = BCFW(tol=1e-5, max_iter=20000).solve(seen.bind(packed), lam)
    assert shifted.primal == pytest.approx(result.primal, rel=3e-5, abs=1e-9)
    assert shifted.dual == pytest.approx(result.dual, rel=3e-5, abs=1e-9)
    apart = np.sum((result.coef - prior - shifted.coef) ** 2)
    assert 0.5 * lam * apart <= 2 * (result.gap + shifted.gap) + 1e-9


@pytest.mark.parametrize(
    "solver",
    [
        BCFW(max_iter=7),
        OneSlack(max_iter=5),
        NSlack(max_iter=4),
        Subgradient(max_iter=5),
        Perceptron(max_iter=3),
        Perceptron("mira", max_iter=3),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_zero_is_none_to_the_bit(solver):
    oracle = bound(*chain())
    none = solver.solve(oracle, 1e-3)
    zero = solver.solve(oracle, 1e-3, w_prior=np.zeros(oracle.size_psi))
    assert np.array_equal(none.coef, zero.coef)
    assert (none.primal, none.dual) == (zero.primal, zero.dual)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_little_C_stays_at_the_prior(solver):
    oracle = bound(*planes())
    prior = prior_of(oracle.size_psi, 5.0)
    stuck = solver.solve(oracle, 1e7, w_prior=prior)
    np.testing.assert_allclose(stuck.coef, prior, atol=1e-5)
    assert stuck.status == "converged"


def test_much_C_forgets_the_prior():
    oracle = bound(*planes())
    prior = prior_of(oracle.size_psi, 5.0)
    solver = OneSlack(tol=1e-4)
    plain = solver.solve(oracle, 1e-5).primal
    free = solver.solve(oracle, 1e-5, w_prior=prior).primal
    assert objective(oracle, prior, prior) > 2 * plain
    assert free == pytest.approx(plain, rel=1e-2)


def test_single_precision_and_a_long_prior():
    """w moves by a ten-thousandth of the prior; the certificate must survive that."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 8)), rng.integers(0, 3, 60)
    space = MulticlassSpace(dtype="float32")
    oracle = space.bind(space.fit_pack(X, y.tolist()))
    assert oracle.dtype == np.float32
    prior = 30 * rng.normal(size=oracle.size_psi)
    for lam in (1e4, 1.0, 1e-2):
        result = BCFW(tol=1e-3).solve(oracle, lam, w_prior=prior)
        assert result.status == "converged", (lam, result.gap, result.primal)
        assert result.certificate == "exact"
        assert result.gap >= -1e-5 * result.primal


@pytest.mark.parametrize("solver", [BCFW(tol=1e-6), NSlack(tol=1e-6)], ids=repr)
def test_warm_start_keeps_its_cuts_whatever_the_prior(solver):
    oracle = bound(*planes())
    prior = prior_of(oracle.size_psi)
    first = solver.solve(oracle, LAM, w_prior=prior)
    again = solver.solve(oracle, LAM, w_prior=prior, working_set=first.working_set)
    assert again.n_iter <= 2
    assert again.primal == pytest.approx(first.primal, rel=1e-5)
    other = solver.solve(oracle, LAM, w_prior=-prior, working_set=first.working_set)
    cold = solver.solve(oracle, LAM, w_prior=-prior)
    assert other.primal == pytest.approx(cold.primal, rel=1e-5)
    assert other.dual == pytest.approx(cold.dual, rel=1e-5)


@pytest.mark.parametrize("variant", ["perceptron", "mira"])
def test_perceptrons_start_at_the_prior(variant):
    space = MulticlassSpace(fit_intercept=False)
    oracle = space.bind(space.fit_pack(np.eye(3), [0, 1, 2]))
    # Right at once, by any margin.
    prior = 9 * sum(space.joint_feature(np.eye(3)[k], k) for k in range(3))
    result = Perceptron(variant).solve(oracle, 1.0, w_prior=prior)
    assert np.array_equal(result.coef, prior)
    assert result.n_iter == 1
    assert result.primal == 0
    elsewhere = Perceptron(variant).solve(oracle, 1.0, w_prior=prior, w_init=2 * prior)
    assert np.array_equal(elsewhere.coef, 2 * prior)
    assert elsewhere.primal == pytest.approx(0.5 * prior @ prior)


def test_recertified_against_the_prior():
    oracle = bound(*planes())
    prior = prior_of(oracle.size_psi)
    result = BCFW(tol=1e-4).solve(oracle, LAM, w_prior=prior)
    other = prior_of(oracle.size_psi, seed=8)
    again = recertify(result, oracle, LAM, None, other, 1, prior)
    assert again.primal == pytest.approx(objective(oracle, other, prior))
    assert again.gap == again.primal - again.dual > 0


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        (np.zeros(3), r"w_prior has shape \(3,\), expected \(6,\)"),
        (np.array([0, 0, np.nan, 0, 0, 0]), "w_prior must be finite; entry 2 is nan"),
        (["a"] * 6, "w_prior must be an array of numbers"),
    ],
)
def test_bad_priors(prior, said):
    with pytest.raises(ValueError, match=said):
        BCFW().solve(bound(*planes()), LAM, w_prior=prior)


def test_interrupted_in_the_first_epoch():
    """There is no whole epoch to average yet; what there is has to be certified too."""
    oracle = bound(*planes())
    prior = prior_of(oracle.size_psi)
    for solver in (BCFW(max_time=1e-9), Subgradient(max_time=1e-9)):
        result = solver.solve(oracle, LAM, w_prior=prior)
        assert result.status == "max_time"
        assert result.primal == pytest.approx(objective(oracle, result.coef, prior))
        assert result.dual <= result.primal
