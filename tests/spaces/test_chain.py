"""The chain kernel against enumeration and a readable Python twin."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.spaces import SequenceSpace, _chain
from pystruct_ext.spaces.sequence import PackedSequences


def bound(rng, lengths, k, d=3, dtype="float64", integer=False, constraints=None):
    """A space over k labels with random dense features, its oracle, and weights."""
    space = SequenceSpace(dtype=dtype, constraints=constraints)
    Y = [[int(v) for v in rng.integers(0, k, n)] for n in lengths]
    Y.append(list(range(k)))  # every label occurs
    draw = (
        (lambda s: rng.integers(-1, 2, s).astype(float))
        if integer
        else (lambda s: rng.normal(size=s))
    )
    X = [draw((len(y), d)) for y in Y]
    oracle = space.bind(space.fit_pack(X, Y))
    parts = space.split(np.zeros(space.size_psi_, dtype=dtype))
    w = np.zeros(space.size_psi_, dtype=dtype)
    parts = space.split(w)
    for part in parts.values():
        part[...] = draw(part.shape)
    return space, oracle, w, X, Y


def potentials(space, w, x):
    p = space.split(np.asarray(w, dtype=np.float64))
    return x @ p["state"].T, p["transitions"], p["start"], p["end"]


def twin_score(space, w, x, code):
    """Readable twin of ChainSpace::score."""
    state, trans, start, end = potentials(space, w, x)
    total = start[code[0]] + end[code[-1]]
    total += sum(state[t, c] for t, c in enumerate(code))
    return total + sum(trans[p, q] for p, q in pairwise(code))


def twin_viterbi(space, w, x, y=None):
    """Readable twin of the backward recursion: smallest maximiser first."""
    state, trans, start, end = potentials(space, w, x)
    if y is not None:
        state = state + (np.arange(state.shape[1])[None, :] != np.asarray(y)[:, None])
    beta = np.zeros_like(state)
    beta[-1] = state[-1] + end
    for t in range(len(x) - 2, -1, -1):
        beta[t] = state[t] + (trans + beta[t + 1][None, :]).max(axis=1)
    code = [int(np.argmax(start + beta[0]))]
    for t in range(1, len(x)):
        code.append(int(np.argmax(trans[code[-1]] + beta[t])))
    return code


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
@pytest.mark.parametrize("k", [2, 3, 8, 9, 17, 33])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_instruction_set_equals_the_twin(monkeypatch, isa, k, dtype):
    monkeypatch.setenv("PSX_ISA", isa)
    rng = np.random.default_rng(k)
    # Integers: float32 sums are exact, so that codes must agree, ties included.
    space, oracle, w, X, Y = bound(rng, [1, 2, 7, 12], k, dtype=dtype, integer=True)
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        assert oracle.argmax(w, i, 0.0).tolist() == twin_viterbi(space, w, x)
        assert oracle.argmax(w, i, 1.0).tolist() == twin_viterbi(space, w, x, y)
        code = oracle.argmax(w, i, 0.0)
        assert oracle.score(w, i, code) == twin_score(space, w, x, code)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(1, 5))
def test_ties_go_to_the_smallest_code(seed, k, length):
    rng = np.random.default_rng(seed)
    space, oracle, w, X, _ = bound(rng, [length], k, integer=True)
    scores = {
        c: twin_score(space, w, X[0], c) for c in product(range(k), repeat=length)
    }
    best = max(scores.values())
    smallest = min(c for c, s in scores.items() if s == best)
    assert tuple(oracle.argmax(w, 0, 0.0)) == smallest


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 3), st.integers(1, 4), st.integers(1, 12))
def test_k_best_is_the_sorted_enumeration(seed, k, length, n_best):
    rng = np.random.default_rng(seed)
    space, oracle, w, X, _ = bound(rng, [length], k)
    codes, scores = _chain.k_best(oracle, w, 0, n_best)
    everything = sorted(
        (twin_score(space, w, X[0], c) for c in product(range(k), repeat=length)),
        reverse=True,
    )
    assert len(codes) == min(n_best, k**length)
    assert len({tuple(c) for c in codes}) == len(codes)
    np.testing.assert_allclose(scores, everything[: len(codes)], atol=1e-9)
    for c, s in zip(codes, scores, strict=True):
        assert s == pytest.approx(twin_score(space, w, X[0], c), abs=1e-9)


@settings(deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(2, 3),
    st.integers(1, 4),
    st.sampled_from([0.5, 1, 3]),
)
def test_marginals_are_those_of_the_enumeration(seed, k, length, temperature):
    rng = np.random.default_rng(seed)
    space, oracle, w, X, _ = bound(rng, [length], k)
    unary, pairs, log_z = _chain.marginals(oracle, w, 0, temperature, True)
    codes = np.array(list(product(range(k), repeat=length)))
    s = np.array([twin_score(space, w, X[0], c) for c in codes]) / temperature
    assert log_z == pytest.approx(logsumexp(s), abs=1e-9)
    p = np.exp(s - logsumexp(s))
    for t in range(length):
        for a in range(k):
            assert unary[t, a] == pytest.approx(p[codes[:, t] == a].sum(), abs=1e-9)
            if t:
                for b in range(k):
                    hit = (codes[:, t - 1] == a) & (codes[:, t] == b)
                    assert pairs[t - 1, a, b] == pytest.approx(p[hit].sum(), abs=1e-9)


def test_dense_csr_and_packed_rows_are_the_same():
    from scipy.sparse import csr_array

    rng = np.random.default_rng(0)
    space, _, w, X, Y = bound(rng, [3, 5], 3)
    dense = [x * (rng.random(x.shape) < 0.6) for x in X]
    packed = PackedRows.from_dense(dense, np.float64)
    a = space.bind(space.pack([csr_array(x) for x in dense], Y))
    b = space.bind(PackedSequences(packed, space.pack(dense, Y).labels))
    for i in range(len(dense)):
        assert a.argmax(w, i).tolist() == b.argmax(w, i).tolist()
        code = a.argmax(w, i)
        assert a.score(w, i, code) == pytest.approx(b.score(w, i, code))
        truth = a.truth(i)
        assert a.psi_diff_sqnorm(i, truth, code) == pytest.approx(
            b.psi_diff_sqnorm(i, truth, code)
        )


def test_long_sequences_and_many_differences():
    """Both ways to a norm: token pairs and the sparse sum."""
    rng = np.random.default_rng(1)
    X = [[[f"a{v}" for v in rng.integers(0, 9, 4)] for _ in range(40)]]
    Y = [[int(v) for v in rng.integers(0, 3, 40)]]
    space = SequenceSpace(dtype="float64")
    oracle = space.bind(space.fit_pack(X, Y))
    truth = oracle.truth(0)
    for n in (1, 3, 12, 13, 40):
        other = truth.copy()
        other[:n] = (other[:n] + 1) % len(space.classes_)
        d = oracle.psi_diff(0, truth, other)
        assert oracle.psi_diff_sqnorm(0, truth, other) == pytest.approx(d @ d)


def test_constraints_are_never_violated():
    rng = np.random.default_rng(2)
    Y = [["B-X", "I-X", "O"], ["O", "B-Y", "I-Y"]]
    X = [rng.normal(size=(3, 2)) for _ in Y]
    space = SequenceSpace(constraints="BIO")
    space.fit_domain(X, Y)
    long = rng.normal(size=(30, 2))
    for _ in range(20):
        w = rng.normal(size=space.size_psi_).astype(np.float32) * 3
        tags = space.decode(w, long)
        for before, tag in zip(["O", *tags[:-1]], tags, strict=True):
            if tag.startswith("I-"):
                assert before[2:] == tag[2:]


def test_illegal_truth_is_an_error():
    space = SequenceSpace(constraints="BIO")
    with pytest.raises(ValueError, match=r"example 1 has 'I-X' after 'O' at token 1"):
        space.fit_domain(
            [np.ones((2, 1)), np.ones((2, 1))], [["B-X", "I-X"], ["O", "I-X"]]
        )


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ("XYZ", "must be None, 'BIO'"),
        (np.ones((2, 3)), r"shape \(2, 3\), expected \(2, 2\)"),
        ({"<start>": []}, "no label to start"),
    ],
)
def test_bad_constraints(constraints, message):
    with pytest.raises(ValueError, match=message):
        SequenceSpace(constraints=constraints).fit_domain(
            [np.ones((2, 1))], [["a", "b"]]
        )


def test_mapping_constraints():
    space = SequenceSpace(constraints={"a": ["b"], "<end>": ["b"]})
    space.fit_domain([np.ones((2, 1))], [["a", "b"]])
    assert list(space.enumerate(np.ones((2, 1)))) == [["a", "b"], ["b", "b"]]


def test_token_weights_scale_the_loss():
    space = SequenceSpace(dtype="float64")
    X, Y = [np.ones((3, 1))], [["a", "b", "a"]]
    oracle = space.bind(space.fit_pack(X, Y, [[1.0, 0.5, 4.0]]))
    assert oracle.loss(0, [1, 0, 0]) == 1.5
    assert oracle.loss(0, [1, 0, 1]) == 5.5
    with pytest.raises(ValueError, match=r"token_weight: example 0 has shape \(2,\)"):
        space.fit_pack(X, Y, [[1.0, 1.0]])
