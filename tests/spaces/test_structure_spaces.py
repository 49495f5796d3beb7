"""Trees, folds, segments, alignments: every recursion against enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext.spaces import (
    AlignmentSpace,
    ConstituencySpace,
    DependencySpace,
    FoldingSpace,
    SegmentSpace,
)
from pystruct_ext.structures import STRUCTURES
from pystruct_ext.structures.samples.constituency import constituency
from pystruct_ext.structures.samples.dependency import dependency, sentence

OF_TESTS = (
    DependencySpace,
    ConstituencySpace,
    FoldingSpace,
    SegmentSpace,
    AlignmentSpace,
)
# Name: space, its parameters, problem.
CASES = {
    v.name: (s.space, v.params, v.make_problem)
    for s in STRUCTURES.values()
    if s.space in OF_TESTS
    for v in s.samples
}
# Variants over sentences, which may be long.
SENTENCES = (
    "projective",
    "siblings",
    "grandparents",
    "siblings-grandparents",
    "arborescence",
)
SMALL = {"bits": 6, "split_bits": 6}
ARCS = {"bits": 8, "label_bits": 4}


@pytest.mark.parametrize("name", CASES)
def test_k_best_and_log_partition_equal_enumeration(name):
    cls, params, make = CASES[name]
    space = cls(dtype="float64", **params)
    X, Y = make(np.random.default_rng(7))
    packed = space.fit_pack(X, Y)
    oracle = space.bind(packed)
    w = np.random.default_rng(8).normal(size=space.size_psi_)
    for i, x in enumerate(X):
        outputs = list(space.enumerate(x))
        scores = np.array([space.joint_feature(x, y) @ w for y in outputs])
        scale = 1e-9 * (1 + np.abs(scores).max())
        for temperature in (1.0, 2.5):
            log_z = oracle.log_partition(w, i, temperature)
            expected = np.logaddexp.reduce(scores / temperature)
            np.testing.assert_allclose(log_z, expected, atol=scale, rtol=1e-9)
        codes, best = oracle.k_best(w, i, 7)
        np.testing.assert_allclose(best, np.sort(scores)[::-1][:7], atol=scale)
        assert len({code.tobytes() for code in codes}) == len(codes)
        for code, score in zip(codes.tolist(), best, strict=True):
            output = space.output_of(code, packed, i)
            assert abs(space.joint_feature(x, output) @ w - score) <= scale
        code = oracle.argmax(w, i, 0.0)
        assert abs(oracle.score(w, i, code) - scores.max()) <= scale


def test_all_trees_of_six_words():
    """k-best lists every tree once: 197 bracketings, each word labelled or not."""
    X, Y = constituency((6,), ["A"])(np.random.default_rng(0))
    space = ConstituencySpace(dtype="float64", **SMALL)
    packed = space.fit_pack(X, Y)
    space.labels_ = ["A"]  # unary chains of the sample would multiply the trees
    space._set_sizes()
    packed = space.pack(X)
    oracle = space.bind(packed)
    w = np.random.default_rng(1).normal(size=space.size_psi_)
    codes, scores = oracle.k_best(w, 0, 20_000)
    assert len(codes) == 197 * 2**6
    found = {str(space.output_of(code, packed, 0)) for code in codes.tolist()}
    assert found == set(map(str, space.enumerate(X[0])))
    by_code = [oracle.score(w, 0, code) for code in codes]
    np.testing.assert_allclose(scores, by_code, atol=1e-9)
    assert np.isclose(oracle.score(w, 0, oracle.argmax(w, 0, 0.0)), max(by_code))
    log_z = oracle.log_partition(w, 0)
    assert np.isclose(log_z, np.logaddexp.reduce(by_code))


def test_all_nonprojective_trees_of_six_words():
    """k-best lists every tree once: n^(n - 1) of them hang on one word."""
    space = DependencySpace(labelled=False, projective=False, dtype="float64", **ARCS)
    X, Y = dependency((6,), projective=False)(np.random.default_rng(0))
    packed = space.fit_pack(X, Y)
    oracle = space.bind(packed)
    w = np.random.default_rng(1).normal(size=space.size_psi_)
    codes, scores = oracle.k_best(w, 0, 10_000)
    assert len(codes) == 6**5
    assert {tuple(c) for c in codes.tolist()} == {
        y.heads for y in space.enumerate(X[0])
    }
    by_code = [oracle.score(w, 0, code) for code in codes]
    np.testing.assert_allclose(scores, by_code, atol=1e-9)
    for loss_scale in (0.0, 1.0):
        values = [oracle.score(w, 0, c) + loss_scale * oracle.loss(0, c) for c in codes]
        found = oracle.argmax(w, 0, loss_scale)
        value = oracle.score(w, 0, found) + loss_scale * oracle.loss(0, found)
        assert np.isclose(value, max(values))
    _, log_z = oracle.marginals(w, 0)
    assert np.isclose(log_z, np.logaddexp.reduce(by_code))


def parts(name, y, n):
    """Indices of the parts of an output in the array of marginals."""
    if name.startswith(("projective", "siblings", "grandparents", "arborescence")):
        return [(h, t) for t, h in enumerate(y.heads)]
    if name.startswith("folds"):
        stack, found = [], []
        for t, c in enumerate(y):
            if c == "(":
                stack.append(t)
            elif c == ")":
                found.append((stack.pop(), t))
        return found
    return [(i, j) for i, j in enumerate(y) if j >= 0]


@pytest.mark.parametrize(
    "name",
    [
        "projective",
        "siblings",
        "grandparents",
        "siblings-grandparents",
        "arborescence",
        "folds",
        "alignment-local",
    ],
)
def test_marginals_equal_enumeration(name):
    cls, params, make = CASES[name]
    space = cls(dtype="float64", **params)
    X, Y = make(np.random.default_rng(3))
    oracle = space.bind(space.fit_pack(X, Y))
    w = 0.5 * np.random.default_rng(4).normal(size=space.size_psi_)
    for i, x in enumerate(X):
        found, log_z = oracle.marginals(w, i)
        expected = np.zeros_like(found)
        for y in space.enumerate(x):
            p = np.exp(space.joint_feature(x, y) @ w - log_z)
            for at in parts(name, y, len(x)):
                expected[at] += p
        np.testing.assert_allclose(found, expected, atol=1e-9)


def longer(name):
    """Examples too long to enumerate."""
    rng = np.random.default_rng(11)
    if name in SENTENCES:
        make = dependency((30, 17, 41), projective=False)
        return [sentence(rng, n) for n in (30, 17, 41)], make(rng)[1]
    if name in ("spans", "grammar"):
        return constituency((18, 25, 21), ["A", "B"])(rng)
    if name == "folds":
        X = ["".join(rng.choice(list("GCAU"), size=n)) for n in (60, 83, 101)]
        return X, ["." * len(x) for x in X]
    if name == "segments":
        X = [rng.normal(size=(n, 3)) for n in (30, 50)]
        return X, [[(t, t + 1, "p") for t in range(len(x))] for x in X]
    X = [("".join(rng.choice(list("ABC"), size=k)), "ABCA" * 8) for k in (25, 40)]
    return X, [(-1,) * len(a) for a, _ in X]


@pytest.mark.parametrize(
    "name",
    [
        *SENTENCES,
        "spans",
        "grammar",
        "folds",
        "segments",
        "alignment",
        "alignment-local",
    ],
)
@pytest.mark.filterwarnings("ignore:.*have crossing arcs:UserWarning")
def test_fast_kernel_equals_forest_on_long_examples(name):
    """Vectors run over row ends only where rows are long."""
    cls, params, _ = CASES[name]
    for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-4)):
        space = cls(dtype=dtype, **params)
        X, Y = longer(name)
        if name == "alignment-local":
            X = [tuple([(c, "u") for c in s] for s in x) for x in X]
        if name == "arborescence":
            space.set_params(nonprojective="error")
        packed = space.fit_pack(X, Y)
        oracle = space.bind(packed)
        w = np.random.default_rng(1).normal(size=space.size_psi_).astype(dtype)
        for i in range(len(X)):
            _, (best,) = oracle.k_best(w, i, 1)
            fast = oracle.score(w, i, oracle.argmax(w, i, 0.0))
            assert abs(fast - best) <= tolerance * (1 + abs(best))
