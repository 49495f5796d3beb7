"""The chain kernel against a readable Python twin and against enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix
from scipy.special import logsumexp

from pystruct_ext.spaces import SequenceSpace

# The twin: plain loops over potentials.


def twin_viterbi(pot, trans, start, end):
    """Best path; among equals the lexicographically smallest.

    Backwards, so that reading the path off forwards meets the first label first.
    """
    T, K = pot.shape
    best = np.zeros((T, K))
    best[T - 1] = pot[T - 1] + end
    for t in range(T - 2, -1, -1):
        for k in range(K):
            best[t, k] = pot[t, k] + max(trans[k, q] + best[t + 1, q] for q in range(K))
    path = [int(np.argmax(start + best[0]))]
    for t in range(1, T):
        path.append(int(np.argmax(trans[path[-1]] + best[t])))
    return path, float((start + best[0]).max())


def twin_k_best(pot, trans, start, end, k):
    """k best paths by keeping the k best prefixes of every last label."""
    beams = {q: [(start[q] + pot[0, q], (q,))] for q in range(pot.shape[1])}
    for t in range(1, len(pot)):
        beams = {
            q: sorted(
                (
                    (s + trans[p, q] + pot[t, q], (*path, q))
                    for p, beam in beams.items()
                    for s, path in beam
                ),
                key=lambda pair: -pair[0],
            )[:k]
            for q in beams
        }
    final = [(s + end[q], path) for q, beam in beams.items() for s, path in beam]
    found = sorted(final, key=lambda pair: -pair[0])[:k]
    return [(s, path) for s, path in found if s > -np.inf]


def twin_marginals(pot, trans, start, end):
    """Forward-backward in the log domain."""
    T = len(pot)
    alpha, beta = np.zeros_like(pot), np.zeros_like(pot)
    alpha[0], beta[T - 1] = start + pot[0], end
    for t in range(1, T):
        alpha[t] = pot[t] + logsumexp(alpha[t - 1][:, None] + trans, axis=0)
    for t in range(T - 2, -1, -1):
        beta[t] = logsumexp(trans + (pot[t + 1] + beta[t + 1])[None, :], axis=1)
    log_z = logsumexp(alpha[-1] + end)
    return np.exp(alpha + beta - log_z), float(log_z)


def path_score(path, pot, trans, start, end):
    total = start[path[0]] + end[path[-1]] + sum(pot[t, q] for t, q in enumerate(path))
    return total + sum(trans[p, q] for p, q in itertools.pairwise(path))


class Chain:
    """A space of K labels over identity features: w spells out the potentials."""

    def __init__(self, K, T, dtype="float64", allowed=None, task_loss="hamming"):
        self.K, self.T = K, T
        self.space = SequenceSpace(
            dtype=dtype, constraints=allowed, task_loss=task_loss
        )
        legal = np.ones((K, K), dtype=bool) if allowed is None else allowed
        # Every label once as a sequence of its own makes them all known.
        X = [np.eye(T)[:1] for _ in range(K)]
        Y = [[k] for k in range(K)]
        self.space.fit_pack(X, Y)
        self.legal = legal

    def weights(self, pot, trans, start, end):
        s = self.space
        w = np.zeros(s.size_psi_, dtype=s.dtype)
        w[: s.n_state_].reshape(self.T, s.stride_)[:, : self.K] = pot
        parts = s.split(w)
        parts["transitions"][:], parts["start"][:], parts["end"][:] = trans, start, end
        return w

    def masked(self, trans):
        return np.where(self.legal, trans, -np.inf)

    def bind(self, y=None):
        return self.space.bind(
            self.space.pack([np.eye(self.T)], None if y is None else [y])
        )

    def draw(self, rng, integers=False):
        shapes = (self.T, self.K), (self.K, self.K), (self.K,), (self.K,)
        if integers:
            return [rng.integers(-1, 2, size=s).astype(float) for s in shapes]
        return [rng.normal(size=s) for s in shapes]


SIZES = [2, 3, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33]


@pytest.fixture(params=["baseline", "avx2", "best"])
def isa(request, monkeypatch):
    """The instruction set is chosen when a space is bound."""
    if request.param == "best":
        monkeypatch.delenv("PSX_ISA", raising=False)
    else:
        monkeypatch.setenv("PSX_ISA", request.param)
    return request.param


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("K", SIZES)
def test_viterbi_against_the_twin(K, dtype, isa):
    rng = np.random.default_rng(K)
    for T in (1, 2, 5, 12):
        chain = Chain(K, T, dtype)
        for integers in (True, True, False):
            pot, trans, start, end = chain.draw(rng, integers)
            w = chain.weights(pot, trans, start, end)
            path, value = twin_viterbi(pot, trans, start, end)
            oracle = chain.bind()
            code = oracle.argmax(w, 0, 0.0).tolist()
            if integers:  # exact in float32 too: ties must go the same way
                assert code == path
            score = path_score(code, pot, trans, start, end)
            assert score == pytest.approx(value, rel=1e-5, abs=1e-5)
            assert oracle.score(w, 0, code) == pytest.approx(score, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("K", [2, 9, 17])
def test_loss_augmented_against_the_twin(K, isa):
    rng = np.random.default_rng(K)
    cost = rng.integers(0, 4, size=(K, K)).astype(float)
    np.fill_diagonal(cost, 0)
    chain = Chain(K, 6, task_loss=cost)
    for _ in range(4):
        pot, trans, start, end = chain.draw(rng, integers=True)
        y = rng.integers(0, K, size=6).tolist()
        code = chain.bind(y).argmax(chain.weights(pot, trans, start, end), 0, 1.0)
        path, _ = twin_viterbi(pot + cost[y], trans, start, end)
        assert code.tolist() == path


def test_all_zero_weights_give_the_first_label(isa):
    for K in SIZES:
        chain = Chain(K, 4)
        w = np.zeros(chain.space.size_psi_)
        assert chain.bind().argmax(w, 0, 0.0).tolist() == [0, 0, 0, 0]


def test_instruction_sets_agree(monkeypatch):
    rng = np.random.default_rng(5)
    for K in (5, 16, 33):
        X = [rng.normal(size=(t, 6)) for t in (1, 4, 9)]
        Y = [np.resize(np.arange(K), len(x)).tolist() for x in X]
        Y[2][:] = list(range(min(K, 9))) + [0] * (9 - min(K, 9))
        found = {}
        for level in ("baseline", "avx2", ""):
            monkeypatch.setenv("PSX_ISA", level)
            space = SequenceSpace(dtype="float64")
            oracle = space.bind(space.fit_pack(X, Y))
            w = np.random.default_rng(1).normal(size=oracle.size_psi)
            codes, scores, *_ = oracle.argmax_batch(w, loss_scale=1.0)
            found[level] = codes, scores
        for level in ("baseline", "avx2"):
            for a, b in zip(found[level][0], found[""][0], strict=True):
                np.testing.assert_array_equal(a, b)
            np.testing.assert_allclose(found[level][1], found[""][1], rtol=1e-12)


@st.composite
def chains(draw):
    """A small chain with random potentials and, sometimes, forbidden moves."""
    K, T = draw(st.integers(2, 4)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    allowed = None
    if draw(st.booleans()):
        allowed = rng.random((K, K)) < 0.7
        allowed |= np.eye(K, dtype=bool)
    chain = Chain(K, T, "float64", allowed)
    return chain, chain.draw(rng, integers=draw(st.booleans()))


def enumerated(chain, parts):
    pot, trans, start, end = parts
    masked = chain.masked(trans)
    paths = itertools.product(range(chain.K), repeat=chain.T)
    scored = [(path_score(p, pot, masked, start, end), p) for p in paths]
    return [(s, p) for s, p in scored if s > -np.inf]


@settings(max_examples=60, deadline=None)
@given(chains())
def test_decode_is_the_maximum_and_legal(drawn):
    chain, parts = drawn
    oracle, w = chain.bind(), chain.weights(*parts)
    code = tuple(oracle.argmax(w, 0, 0.0).tolist())
    scored = enumerated(chain, parts)
    best = max(s for s, _ in scored)
    assert {p: s for s, p in scored}[code] == pytest.approx(best)
    assert all(chain.legal[p, q] for p, q in itertools.pairwise(code))


@settings(max_examples=60, deadline=None)
@given(chains(), st.integers(1, 30))
def test_k_best_is_the_sorted_enumeration(drawn, k):
    chain, parts = drawn
    codes, scores = chain.bind().k_best(chain.weights(*parts), 0, k)
    scored = enumerated(chain, parts)
    want = sorted((s for s, _ in scored), reverse=True)[:k]
    np.testing.assert_allclose(scores, want, atol=1e-9)
    paths = [tuple(c) for c in codes.tolist()]
    assert len(set(paths)) == len(paths)
    own = {p: s for s, p in scored}
    np.testing.assert_allclose([own[p] for p in paths], scores, atol=1e-9)
    pot, trans, start, end = parts
    twin = twin_k_best(pot, chain.masked(trans), start, end, k)
    np.testing.assert_allclose([s for s, _ in twin], scores, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(chains(), st.sampled_from([0.5, 1.0, 3.0]))
def test_marginals_and_partition_are_the_enumerated_ones(drawn, temperature):
    chain, parts = drawn
    oracle = chain.bind()
    unary, log_z = oracle.marginals(chain.weights(*parts), 0, temperature)
    scored = enumerated(chain, parts)
    exponents = np.array([s / temperature for s, _ in scored])
    assert log_z == pytest.approx(logsumexp(exponents))
    p = np.exp(exponents - logsumexp(exponents))
    want = np.zeros_like(unary)
    want_moves = np.zeros((chain.K, chain.K))
    for q, (_, path) in zip(p, scored, strict=True):
        for t, label in enumerate(path):
            want[t, label] += q
        for move in itertools.pairwise(path):
            want_moves[move] += q
    np.testing.assert_allclose(unary, want, atol=1e-9)
    assert oracle.log_partition(chain.weights(*parts), 0, temperature) == log_z
    # The expected number of a transition is the derivative by its weight.
    pot, trans, start, end = parts
    for move in np.ndindex(chain.K, chain.K):
        step = np.zeros_like(trans)
        step[move] = 1e-4
        up, down = (
            oracle.log_partition(chain.weights(pot, t, start, end), 0, temperature)
            for t in (trans + step, trans - step)
        )
        slope = temperature * (up - down) / 2e-4
        assert slope == pytest.approx(want_moves[move], abs=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("K", [2, 8, 17, 33])
def test_k_best_and_marginals_against_the_twin(K, dtype, isa):
    rng = np.random.default_rng(K)
    chain = Chain(K, 7, dtype)
    pot, trans, start, end = chain.draw(rng)
    oracle, w = chain.bind(), chain.weights(pot, trans, start, end)
    codes, scores = oracle.k_best(w, 0, 10)
    twin = twin_k_best(pot, trans, start, end, 10)
    np.testing.assert_allclose(scores, [s for s, _ in twin], rtol=1e-5)
    if dtype == "float64":
        assert [tuple(c) for c in codes.tolist()] == [path for _, path in twin]
    unary, log_z = oracle.marginals(w, 0)
    want, want_log_z = twin_marginals(pot, trans, start, end)
    np.testing.assert_allclose(unary, want, atol=1e-5)
    assert log_z == pytest.approx(want_log_z, rel=1e-6)
    (scores,) = chain.space.state_scores(w, chain.space.pack([np.eye(chain.T)]))
    np.testing.assert_allclose(scores, pot, rtol=1e-6)


def test_cold_marginals_stay_finite():
    chain = Chain(3, 5)
    parts = chain.draw(np.random.default_rng(0))
    unary, log_z = chain.bind().marginals(chain.weights(*parts), 0, 1e-3)
    assert np.all(np.isfinite(unary))
    assert math.isfinite(log_z)
    path, _ = twin_viterbi(*parts)
    assert unary.argmax(axis=1).tolist() == path


@pytest.mark.parametrize("features", ["all", "seen"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dense_csr_and_strings_are_one_problem(features, dtype):
    """The same zeros and ones through every door give the same oracle."""
    rng = np.random.default_rng(3)
    X = [(rng.random((t, 7)) < 0.3).astype(float) for t in (1, 3, 5, 2)]
    X[0][0] = 1  # every name occurs, in column order
    Y = [["a"], ["b", "a", "c"], ["c", "c", "b", "a", "b"], ["a", "b"]]
    names = [[[f"f{j}" for j in np.flatnonzero(token)] for token in x] for x in X]
    doors = {
        "dense": X,
        "csr_matrix": [csr_matrix(x) for x in X],
        "csr_array": [csr_array(x) for x in X],
        "names": names,
        "values": [[dict.fromkeys(token, 1.0) for token in x] for x in names],
    }
    found = {}
    for door, inputs in doors.items():
        space = SequenceSpace(features=features, dtype=dtype)
        oracle = space.bind(space.fit_pack(inputs, Y))
        w = np.random.default_rng(0).normal(size=oracle.size_psi).astype(dtype)
        found[door] = [oracle.cut_sum(w), oracle.argmax_batch(w, loss_scale=1.0)]
    tol = 1e-5 if dtype == "float32" else 1e-12
    for door, (cut, batch) in found.items():
        want_cut, want_batch = found["csr_matrix"]
        np.testing.assert_allclose(cut[0], want_cut[0], atol=tol, err_msg=door)
        np.testing.assert_allclose(cut[1:], want_cut[1:], rtol=tol, err_msg=door)
        for a, b in zip(batch[0], want_batch[0], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=door)


def test_token_weights_scale_the_loss():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(t, 2)) for t in (3, 2)]
    Y = [[0, 1, 2], [2, 1]]
    weight = [[1.0, 0.0, 2.5], [0.5, 4.0]]
    space = SequenceSpace(dtype="float64")
    oracle = space.bind(space.fit_pack(X, Y, weight))
    assert oracle.loss(0, [1, 1, 2]) == 1.0
    assert oracle.loss(0, [0, 0, 2]) == 0.0
    assert oracle.loss(0, [0, 0, 0]) == 2.5
    assert oracle.loss(1, [0, 0]) == 4.5
    w = rng.normal(size=oracle.size_psi)
    for i, x in enumerate(X):
        best = max(
            oracle.loss(i, code) + oracle.score(w, i, code)
            for code in itertools.product(range(3), repeat=len(x))
        )
        code = oracle.argmax(w, i, 1.0)
        assert oracle.loss(i, code) + oracle.score(w, i, code) == pytest.approx(best)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([[1.0, 1.0]], "token_weight has 1 examples"),
        ([[1.0], [1.0, 1.0]], r"example 0 has shape \(1,\), expected \(2,\)"),
        ([[1.0, 1.0], [1.0, -1.0]], "example 1 .* negative"),
        ([[1.0, 1.0], [1.0, np.nan]], "example 1 .* not finite"),
    ],
)
def test_bad_token_weights(weight, message):
    X, Y = [np.eye(2), np.eye(2)], [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match=message):
        SequenceSpace().fit_pack(X, Y, weight)
