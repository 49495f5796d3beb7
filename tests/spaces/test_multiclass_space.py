"""The multiclass kernel against NumPy, and both spaces through the Python door."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import (
    MulticlassSpace,
    OutputSpace,
    PackedObjects,
    SequenceSpace,
)

SIZES = [2, 3, 7, 8, 9, 16, 17, 33]


@pytest.fixture(params=["baseline", "avx2", "best"])
def isa(request, monkeypatch):
    if request.param == "best":
        monkeypatch.delenv("PSX_ISA", raising=False)
    else:
        monkeypatch.setenv("PSX_ISA", request.param)
    return request.param


def problem(K, n=24, d=5, seed=0, integers=True):
    rng = np.random.default_rng([seed, K])
    draw = rng.integers(-2, 3, size=(n + K, d)).astype(float)
    X = draw if integers else rng.normal(size=(n + K, d))
    return X, np.arange(n + K) % K, rng


def weights(space, W):
    """W is (K, columns) as `split` shows it; padding stays zero."""
    w = np.zeros(space.size_psi_, dtype=space.dtype)
    w.reshape(-1, space.stride_)[:, : len(W)] = W.T
    return w


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("K", SIZES)
def test_argmax_against_numpy(K, sparse, dtype, isa):
    X, y, rng = problem(K)
    cost = rng.integers(0, 4, size=(K, K)).astype(float)
    np.fill_diagonal(cost, 0)
    space = MulticlassSpace(task_loss=cost, fit_intercept=False, dtype=dtype)
    oracle = space.bind(space.fit_pack(csr_array(X) if sparse else X, y))
    W = rng.integers(-2, 3, size=(K, X.shape[1])).astype(float)
    w = weights(space, W)
    # Integers are exact in every type, so that ties must go to the smallest class.
    codes, scores, losses, margins = oracle.argmax_batch(w, loss_scale=1.0)
    table = X @ W.T
    want = (table + cost[y]).argmax(axis=1)
    n = np.arange(len(X))
    np.testing.assert_array_equal(np.concatenate(codes), want)
    np.testing.assert_array_equal(scores, table[n, want])
    np.testing.assert_array_equal(losses, cost[y, want])
    np.testing.assert_array_equal(margins, table[n, y] - table[n, want])
    assert space.decode_batch(w, X) == table.argmax(axis=1).tolist()
    hinge = (table + cost[y]).max(axis=1) - table[n, y]
    assert oracle.cut_sum(w)[2] == pytest.approx(hinge.sum())


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 10), st.integers(0, 10_000), st.floats(0.5, 20))
def test_intercept_is_a_constant_feature(K, seed, scaling):
    X, y, rng = problem(K, seed=seed, integers=False)
    space = MulticlassSpace(intercept_scaling=scaling).fit_domain(X, y)
    W, b = rng.normal(size=(K, X.shape[1])), rng.normal(size=K)
    w = weights(space, np.column_stack([W, b]))
    coef, intercept = space.split(w)
    np.testing.assert_array_equal(coef, W)
    np.testing.assert_allclose(intercept, b * scaling)
    for x, label in zip(X[:5], y[:5].tolist(), strict=True):
        psi = space.joint_feature(x, label)
        assert psi @ w == pytest.approx(W[label] @ x + b[label] * scaling)
        best = (W @ x + b * scaling).argmax()
        assert space.decode(w, x) == best


def test_errors_name_what_they_saw():
    X, y, _ = problem(3)
    space = MulticlassSpace().fit_domain(X, y)
    with pytest.raises(ValueError, match=r"example 1 has the class 7, .* known are"):
        space.pack(X[:2], [0, 7])
    with pytest.raises(ValueError, match=r"X has 2 features, .* fitted on 5"):
        space.pack(X[:, :2])
    with pytest.raises(ValueError, match="X must have shape"):
        MulticlassSpace().fit_domain(X[:, 0], y)
    with pytest.raises(ValueError, match="same number of examples"):
        MulticlassSpace().fit_domain(X[:4], y[:3])
    with pytest.raises(ValueError, match="y is needed"):
        MulticlassSpace().fit_domain(X)
    with pytest.raises(ValueError, match="single class 'a'"):
        MulticlassSpace().fit_domain(X[:2], ["a", "a"])


@pytest.mark.parametrize(
    ("y", "kind", "message"),
    [
        (np.zeros((5, 2)), ValueError, r"one class per example, .* \(5, 2\)"),
        (["a", 1, "b", "a", "a"], TypeError, "example 0 has 'a' and example 1 has 1"),
        (np.array([1, "a"] * 2 + [1], dtype=object), TypeError, "all strings or all"),
        (["a", None, "b", "a", "a"], ValueError, "example 1 is missing"),
        ([0.0, 1.0, np.nan, 1.0, 0.0], ValueError, "example 2 is missing"),
        ([], ValueError, "y holds no examples"),
    ],
)
def test_bad_classes(y, kind, message):
    with pytest.raises(kind, match=message):
        MulticlassSpace().fit_domain(np.ones((5, 2)), y)


def test_classes_of_objects():
    X, y, _ = problem(3)
    names = np.array(["a", "bb", "c"], dtype=object)
    space = MulticlassSpace().fit_domain(X, names[y])
    assert space.classes_ == ["a", "bb", "c"]


def test_a_class_unknown_at_fit_costs_one():
    X, y, _ = problem(3)
    space = MulticlassSpace(task_loss=2 * (1 - np.eye(3))).fit_domain(X, y)
    assert space.loss(0, 1) == 2
    assert space.loss(9, 1) == 1
    assert space.loss(9, 9) == 0


def sequences(seed=0):
    rng = np.random.default_rng(seed)
    lengths = (1, 3, 4, 2, 5)
    X = [rng.normal(size=(t, 3)) for t in lengths]
    Y = [rng.integers(0, 3, size=t).tolist() for t in lengths]
    Y[4] = [0, 1, 2, 2, 0]
    return X, Y


def rows():
    X, y, _ = problem(4, integers=False)
    return X, y.tolist()


DOORS = {
    "multiclass": (
        MulticlassSpace(),
        rows(),
    ),
    "sequence": (SequenceSpace(dtype="float64"), sequences()),
    "sequence-seen": (SequenceSpace(features="seen", dtype="float64"), sequences()),
}


@pytest.mark.parametrize("case", DOORS)
def test_both_doors_lead_to_one_problem(case):
    """The compiled oracle, and the same space as if it were written in Python."""
    space, (X, Y) = DOORS[case]
    compiled = space.bind(space.fit_pack(X, Y))
    python = OutputSpace.bind(space, PackedObjects(X, Y))
    assert python.needs_gil
    assert not compiled.needs_gil
    rng = np.random.default_rng(0)
    for scale in (0.1, 1.0, 10.0):
        w = rng.normal(size=space.size_psi_) * scale
        a, b = compiled.cut_sum(w), python.cut_sum(w)
        np.testing.assert_allclose(a[0], b[0], atol=1e-10)
        np.testing.assert_allclose(a[1:], b[1:], rtol=1e-10)
    first = BCFW(max_iter=3000).solve(compiled, 0.1)
    second = BCFW(max_iter=3000).solve(python, 0.1)
    assert first.status == second.status == "converged"
    assert first.dual <= second.primal + 1e-9
    assert second.dual <= first.primal + 1e-9


def test_seen_features_are_all_features_restricted():
    X, Y = sequences()
    X = [np.maximum(x, 0) for x in X]  # zeros, so that some pairs never occur
    X = [csr_array(x) for x in X]
    wide = SequenceSpace(dtype="float64").fit_domain(X, Y)
    slim = SequenceSpace(features="seen", dtype="float64").fit_domain(X, Y)
    ones = slim.split(np.ones(slim.size_psi_))["state"].toarray() != 0
    seen = np.zeros_like(ones)
    for x, y in zip(X, Y, strict=True):
        for token, label in zip(x.toarray(), y, strict=True):
            seen[label, token != 0] = True
    np.testing.assert_array_equal(ones, seen)
    rng = np.random.default_rng(0)
    for x, y in zip(X, Y, strict=True):
        for z in (y, rng.integers(0, 3, size=len(y)).tolist()):
            a = wide.split(wide.joint_feature(x, z))
            b = slim.split(slim.joint_feature(x, z))
            np.testing.assert_allclose(b["state"].toarray(), a["state"] * seen)
            for part in ("transitions", "start", "end"):
                np.testing.assert_array_equal(a[part], b[part])


def test_psi_of_a_sequence_counts():
    X, Y = sequences()
    space = SequenceSpace(dtype="float64").fit_domain(X, Y)
    for x, y in zip(X, Y, strict=True):
        parts = space.split(space.joint_feature(x, y))
        state, moves = np.zeros((3, 3)), np.zeros((3, 3))
        for token, label in zip(x, y, strict=True):
            state[label] += token
        for p, q in itertools.pairwise(y):
            moves[p, q] += 1
        np.testing.assert_allclose(parts["state"], state)
        np.testing.assert_array_equal(parts["transitions"], moves)
        np.testing.assert_array_equal(parts["start"], np.eye(3)[y[0]])
        np.testing.assert_array_equal(parts["end"], np.eye(3)[y[-1]])
