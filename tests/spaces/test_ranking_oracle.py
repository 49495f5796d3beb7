"""Every ranking oracle against enumeration of all outputs."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.spaces.ranking import (
    PackedQueries,
    RankingSpace,
    descending_order,
)
from pystruct_ext.utils.gains import discounts, gain_of

BINARY = ("roc", "map", "precision", "mrr")


def bind(space, X, relevance, weight=None):
    rows = PackedRows.from_dense(X, np.dtype(space.dtype))
    flat = np.concatenate([np.asarray(r, dtype=float) for r in relevance])
    packed = PackedQueries(rows, flat, weight)
    return space.bind(space.fit_pack(packed))


def pairs_of(grade):
    return [
        (i, j)
        for i in range(len(grade))
        for j in range(len(grade))
        if grade[i] > grade[j]
    ]


def task_loss(name, grade, order, top, gain):
    """The textbook definitions, one ranking at a time."""
    grade, order = np.asarray(grade, dtype=float), list(order)
    relevant = [grade[d] > 0 for d in order]
    if name == "map":
        hits = [r + 1 for r, good in enumerate(relevant) if good]
        return 1 - np.mean([(k + 1) / r for k, r in enumerate(hits)])
    if name == "mrr":
        return 1 - 1 / (relevant.index(True) + 1)
    if name == "precision":
        top = min(top or len(order), len(order))
        return 1 - sum(relevant[:top]) / min(sum(relevant), top)
    top = min(top or len(order), len(order))
    gains = gain_of(grade, gain)
    d = discounts(top)
    return 1 - (gains[order[:top]] @ d) / (np.sort(gains)[::-1][:top] @ d)


def hinge_by_enumeration(name, grade, s, scale, top, gain, weight=None):
    """max_y scale Delta + <w, psi(y)> - <w, psi(truth)>."""
    grade = np.asarray(grade, dtype=float)
    if name in BINARY:
        grade = (grade > 0).astype(float)
    pairs = pairs_of(grade)
    v = np.ones(len(grade)) if weight is None else weight
    total = sum(v[i] for i, _ in pairs)
    best = 0.0
    if name in ("pairs", "roc"):
        # y is any choice of swapped pairs (Joachims 2006).
        for r in range(len(pairs) + 1):
            for swapped in combinations(pairs, r):
                value = sum(v[i] * (scale - (s[i] - s[j])) for i, j in swapped)
                best = max(best, value / total)
        return best
    for order in permutations(range(len(grade))):
        place = np.argsort(order)
        lost = sum(s[i] - s[j] for i, j in pairs if place[i] > place[j])
        value = scale * task_loss(name, grade, order, top, gain) - lost / total
        best = max(best, value)
    return best


@st.composite
def problems(draw, largest=6):
    n = draw(st.integers(2, largest))
    # Few values: ties among scores and grades are the hard case.
    s = draw(
        st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), min_size=n, max_size=n)
    )
    grade = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    return np.array(s), np.array(grade)


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.5])
@pytest.mark.parametrize(
    ("name", "top", "gain"),
    [
        ("ndcg", 10, "exponential"),
        ("ndcg", 3, "linear"),
        ("ndcg", None, "linear"),
        ("ndcg", 1, "exponential"),
        ("precision", 2, "linear"),
        ("precision", None, "linear"),
        ("map", None, "linear"),
        ("mrr", None, "linear"),
    ],
)
@given(problem=problems())
@settings(max_examples=40, deadline=None)
def test_permutation_oracles_reach_the_maximum(name, top, gain, scale, problem):
    s, grade = problem
    if len(set(grade > 0 if name in BINARY else grade)) < 2:
        return
    oracle = bind(RankingSpace(name, top, gain), [s[:, None]], [grade])
    w = np.ones(1)
    code = oracle.argmax(w, 0, scale)
    loss = oracle.loss(0, code)
    got = scale * loss - oracle.psi_diff_dot(w, 0, oracle.truth(0), code)
    expected = hinge_by_enumeration(name, grade, s, scale, top, gain)
    assert got == pytest.approx(expected, abs=1e-9)
    assert len(code) == len(s)
    assert code.min() >= 0
    # The code is a real ranking, and its loss is that ranking's.
    order = order_of(code, grade > 0 if name in BINARY else grade, s)
    assert loss == pytest.approx(task_loss(name, grade, order, top, gain), abs=1e-9)


def order_of(code, grade, s):
    """The ranking of a code: position = others above + rank within the level."""
    n = len(s)
    position = np.zeros(n, dtype=int)
    for level in set(grade):
        members = [d for d in range(n) if grade[d] == level]
        members.sort(key=lambda d: (code[d], -s[d], d))
        for rank, d in enumerate(members):
            position[d] = code[d] + rank
    assert sorted(position) == list(range(n)), "not the code of a ranking"
    return np.argsort(position)


@pytest.mark.parametrize("name", ["ndcg", "map", "mrr", "precision"])
def test_seven_documents(name):
    rng = np.random.default_rng(0)
    for _ in range(6):
        s = rng.choice([0.0, 0.3, 0.6], 7) + rng.choice([0, 1e-3], 7)
        grade = rng.integers(0, 3, 7)
        grade[:2] = 0, 2
        oracle = bind(RankingSpace(name, 4), [s[:, None]], [grade])
        code = oracle.argmax(np.ones(1), 0, 1.0)
        got = oracle.loss(0, code) - oracle.psi_diff_dot(
            np.ones(1), 0, oracle.truth(0), code
        )
        expected = hinge_by_enumeration(name, grade, s, 1.0, 4, "exponential")
        assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["pairs", "roc"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [0.0, 1.0])
@given(problem=problems(largest=7), seed=st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_pairs_reach_the_maximum(name, weighted, scale, problem, seed):
    s, grade = problem
    binary = grade > 0 if name == "roc" else grade
    pairs = pairs_of(binary)
    if not pairs or len(pairs) > 12:
        return
    weight = np.random.default_rng(seed).uniform(0.1, 2, len(s)) if weighted else None
    oracle = bind(RankingSpace(name), [s[:, None]], [grade], weight)
    code = oracle.argmax(np.ones(1), 0, scale)
    got = scale * oracle.loss(0, code) - oracle.psi_diff_dot(
        np.ones(1), 0, oracle.truth(0), code
    )
    expected = hinge_by_enumeration(name, grade, s, scale, None, "linear", weight)
    assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n_levels", [2, 5, 40])
@pytest.mark.parametrize("weighted", [False, True])
def test_large_pairs_query_equals_the_sum_over_all_pairs(n_levels, weighted):
    """Radix sort, level counts and Fenwick trees, against the quadratic loop."""
    rng = np.random.default_rng(n_levels)
    n = 6000
    # Rounded: many ties, and differences of exactly 1.
    s = np.round(rng.normal(size=n), 2)
    grade = rng.integers(0, n_levels, n)
    v = rng.uniform(0.5, 2, n) if weighted else None
    oracle = bind(RankingSpace("pairs"), [s[:, None]], [grade], v)
    code = oracle.argmax(np.ones(1), 0, 1.0)
    own = np.ones(n) if v is None else v
    better = grade[:, None] > grade[None, :]
    swapped = better & (s[:, None] - s[None, :] < 1.0)
    total = (own[:, None] * better).sum()
    assert oracle.loss(0, code) == pytest.approx(
        (own[:, None] * swapped).sum() / total, rel=1e-12
    )
    u = (own[:, None] * swapped).sum(1) - (own[:, None] * swapped).sum(0)
    got = oracle.psi_diff(0, oracle.truth(0), code)
    assert got == pytest.approx([(u * s).sum() / total], rel=1e-9)


def test_map_slots_equal_the_quadratic_search():
    rng = np.random.default_rng(3)
    for _ in range(20):
        n = int(rng.integers(20, 80))
        s = np.round(rng.normal(size=n), 1) * 0.5
        grade = (rng.random(n) < 0.3).astype(int)
        grade[:2] = 0, 1
        oracle = bind(RankingSpace("map"), [s[:, None]], [grade])
        code = oracle.argmax(np.ones(1), 0, 1.0)
        got = oracle.loss(0, code) - oracle.psi_diff_dot(
            np.ones(1), 0, oracle.truth(0), code
        )
        rel = -np.sort(-s[grade == 1])
        non = -np.sort(-s[grade == 0])
        pairs = len(rel) * len(non)
        value = 0.0
        for j in range(1, len(non) + 1):  # Yue et al. 2007, equation for one slot
            best = 0.0
            for q in range(len(rel)):
                k = np.arange(q + 1, len(rel) + 1)
                lost = (k / (k + j - 1) - k / (k + j)).sum() / len(rel)
                best = max(best, lost - (rel[q:] - non[j - 1]).sum() / pairs)
            value += best
        assert got == pytest.approx(value, abs=1e-9)


@given(
    st.lists(
        st.floats(allow_nan=False, width=64) | st.sampled_from([0.0, -0.0, 1.0]),
        max_size=30,
    )
)
def test_descending_order_small(values):
    expected = sorted(range(len(values)), key=lambda d: (-values[d], d))
    assert descending_order(np.array(values, dtype=float)).tolist() == expected


@pytest.mark.parametrize("kind", ["normal", "ties", "near", "mixed"])
def test_descending_order_radix(kind):
    rng = np.random.default_rng(1)
    n = 50_000
    values = {
        "normal": rng.normal(size=n),
        "ties": rng.integers(-3, 3, n).astype(float) * 0.0 + rng.integers(-3, 3, n),
        "near": 1 + rng.normal(size=n) * 1e-9,
        "mixed": rng.normal(size=n) * 10.0 ** rng.integers(-300, 300, n),
    }[kind]
    expected = np.lexsort((np.arange(n), -values))
    np.testing.assert_array_equal(descending_order(values), expected)


@pytest.mark.parametrize("name", ["pairs", "roc", "map", "ndcg", "precision", "mrr"])
def test_oracle_is_consistent(name):
    """psi, score, norms, batches, threads, dense against sparse, float32 near float64."""
    rng = np.random.default_rng(5)
    X = [rng.normal(size=(int(k), 4)).round(1) for k in rng.integers(3, 12, 40)]
    Y = [rng.integers(0, 3, len(x)) for x in X]
    for y in Y:
        y[:2] = 0, 2
    space = RankingSpace(name, 5)
    oracle = bind(space, X, Y)
    assert oracle.exactness == "exact"
    w = rng.normal(size=4)
    codes, scores, losses, margins = oracle.argmax_batch(w, loss_scale=1.0)
    threaded = oracle.argmax_batch(w, loss_scale=1.0, n_threads=3)
    for a, b in zip(codes, threaded[0], strict=True):
        np.testing.assert_array_equal(a, b)
    hinge = losses - margins
    assert (hinge >= -1e-12).all()
    dpsi, _, total = oracle.cut_sum(w)
    assert total == pytest.approx(hinge.sum())
    expected = sum(
        oracle.psi(i, oracle.truth(i)) - oracle.psi(i, codes[i]) for i in range(len(X))
    )
    np.testing.assert_allclose(dpsi, expected, atol=1e-12)
    other = oracle.argmax(-w, 0, 1.0)
    d = oracle.psi_diff(0, codes[0], other)
    assert oracle.psi_diff_sqnorm(0, codes[0], other) == pytest.approx(d @ d)
    assert scores[0] == pytest.approx(oracle.psi(0, codes[0]) @ w)
    # Subgradient inequality at another point.
    w2 = rng.normal(size=4)
    _, _, total2 = oracle.cut_sum(w2)
    assert total2 >= total - dpsi @ (w2 - w) - 1e-9
    rows = PackedRows.from_csr([sparse.csr_array(x) for x in X])
    same = space.bind(PackedQueries(rows, np.concatenate(Y).astype(float)))
    for a, b in zip(codes, same.argmax_batch(w, loss_scale=1.0)[0], strict=True):
        np.testing.assert_array_equal(a, b)
    single = bind(RankingSpace(name, 5, dtype="float32"), X, Y)
    _, _, narrow = single.cut_sum(w.astype(np.float32))
    assert narrow == pytest.approx(total, rel=1e-4)
    with pytest.raises(ValueError, match="block 0"):
        oracle.argmax(np.full(4, np.nan), 0, 1.0)


def test_states_beyond_memory_are_refused():
    rows = PackedRows.from_dense([np.zeros((600, 1))])
    packed = PackedQueries(rows, np.arange(600) % 6.0)
    with pytest.raises(ValueError, match=r"states .*lower top"):
        RankingSpace("ndcg", None).bind(packed)


def test_permuting_documents_permutes_the_code():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(8, 3)), np.array([0, 1, 2, 0, 1, 2, 3, 0])
    order = rng.permutation(8)
    for name, top in product(["pairs", "ndcg", "map", "mrr"], [None, 3]):
        a = bind(RankingSpace(name, top), [x], [y]).argmax(np.ones(3), 0, 1.0)
        b = bind(RankingSpace(name, top), [x[order]], [y[order]]).argmax(
            np.ones(3), 0, 1.0
        )
        np.testing.assert_array_equal(a[:8][order], b[:8])
