"""`MatchingSpace`: its oracle against enumeration and `milp`, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from pystruct_ext.outputs import Links, MatchingProblem
from pystruct_ext.spaces import MatchingSpace
from pystruct_ext.structures.samples.matching import VARIANTS, matchings

EXACT = [v for v in VARIANTS if not v.params.get("adjacency")]
BOUNDED = [v for v in VARIANTS if v.params.get("adjacency")]


def weights(space, rng):
    """Random weights with costs >= 0."""
    w = rng.normal(size=space.size_psi_)
    if space.nonnegative_ is not None:
        begin, end = space.nonnegative_
        w[begin:end] = np.maximum(w[begin:end], 0)
    return w


def tables(space, x, y, w):
    """Scores and losses of all outputs."""
    outputs = list(space.enumerate(x))
    scores = np.array([space.joint_feature(x, z) @ w for z in outputs])
    return outputs, scores, np.array([space.loss(y, z) for z in outputs])


@pytest.mark.parametrize("variant", EXACT, ids=lambda v: v.name)
def test_oracle_equals_enumeration(variant):
    space = MatchingSpace(dtype="float64", **variant.params)
    rng = np.random.default_rng(5)
    X, Y = variant.make_problem(rng)
    packed = space.fit_pack(X, Y)
    oracle = space.bind(packed)
    for _ in range(5):
        w = weights(space, rng)
        for i, (x, y) in enumerate(zip(X, Y, strict=True)):
            outputs, scores, losses = tables(space, x, y, w)
            for scale in (0.0, 1.0):
                code = oracle.argmax(w, i, scale)
                z = space.output_of(code.tolist(), packed, i)
                assert z in outputs
                value = space.joint_feature(x, z) @ w + scale * space.loss(y, z)
                np.testing.assert_allclose(
                    value, (scores + scale * losses).max(), atol=1e-9
                )
            codes, best = oracle.k_best(w, i, 9)
            np.testing.assert_allclose(best, np.sort(scores)[::-1][:9], atol=1e-9)
            assert (
                len({c.tobytes() for c in codes}) == len(codes) == min(9, len(outputs))
            )


@pytest.mark.parametrize("shape", [(6, 6), (4, 6), (6, 3)])
@pytest.mark.parametrize("must_match", [None, "rows", "columns"])
def test_matchings_to_six_by_six(shape, must_match):
    """13,327 outputs: scored from their links, not through joint features."""
    if (must_match == "rows" and shape[0] > shape[1]) or (
        must_match == "columns" and shape[0] < shape[1]
    ):
        pytest.skip("nothing to find")
    rng = np.random.default_rng(1)
    make = matchings((shape,), must_match=must_match)
    X, Y = make(rng)
    space = MatchingSpace(must_match=must_match, dtype="float64").fit_domain(X)
    w = rng.normal(size=space.size_psi_)
    scores = (X[0].features @ w[:-1] + w[-1]).reshape(shape)
    loss = np.ones(shape)
    loss[tuple(np.array(Y[0]).reshape(-1, 2).T)] = -1.0
    for table, z in (
        (scores, space.decode(w, X[0])),
        (scores + loss, space.loss_augmented_decode(w, X[0], Y[0])),
    ):
        best = max(sum(table[e] for e in y) for y in space.enumerate(X[0]))
        np.testing.assert_allclose(sum(table[e] for e in z), best, atol=1e-9)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 3), st.sampled_from([None, "rows"]))
def test_fertility_equals_milp(seed, capacity, must_match):
    """A cost of each link beyond the k-th is a variable of its own."""
    rng = np.random.default_rng(seed)
    m, n, k = 5, 6, 2
    pairs = [(i, j) for i in range(m) for j in range(n) if rng.random() < 0.7]
    pairs += [(i, 0) for i in range(m) if (i, 0) not in pairs]
    x = MatchingProblem(rng.normal(size=(len(pairs), 2)), (m, n), pairs)
    space = MatchingSpace(
        row_capacity=capacity, column_capacity=5, fertility=k, must_match=must_match,
        dtype="float64",
    ).fit_domain([x])  # fmt: skip
    w = weights(space, rng)
    value = x.features @ w[:2] + w[2]
    rows, columns = x.pairs.T
    count = len(value)
    # Links, then for rows and columns what is beyond k links.
    c = np.concatenate([-value, np.repeat(w[3:5], m), np.repeat(w[5:7], n)])
    A, low, high = [], [], []
    for side, size, cap in ((rows, m, capacity), (columns, n, 5)):
        for r in range(size):
            line = np.zeros(len(c))
            line[:count] = side == r
            A.append(line)
            low.append(int(must_match == "rows" and side is rows))
            high.append(cap)
            for t in range(k):
                beyond = line.copy()
                at = count + (0 if side is rows else k * m) + t * size + r
                beyond[at] = -1
                A.append(beyond)
                low.append(-np.inf)
                high.append(t + 1)
    whole = np.zeros(len(c))
    whole[:count] = 1
    result = milp(
        c, integrality=whole, bounds=Bounds(0, np.where(whole, 1, np.inf)),
        constraints=LinearConstraint(np.array(A), low, high),
    )  # fmt: skip
    z = space.decode(w, x)
    np.testing.assert_allclose(space.joint_feature(x, z) @ w, -result.fun, atol=1e-7)


@pytest.mark.parametrize("variant", BOUNDED, ids=lambda v: v.name)
def test_bounds_hold_and_are_often_reached(variant):
    rng = np.random.default_rng(2)
    reached = total = 0
    for _ in range(6):
        X, Y = variant.make_problem(rng)
        space = MatchingSpace(dtype="float64", **variant.params)
        packed = space.fit_pack(X, Y)
        oracle = space.bind(packed)
        w = weights(space, rng)
        at = space.n_features_ + 1
        w[at : at + 4] *= 0.5
        for i, (x, y) in enumerate(zip(X, Y, strict=True)):
            _, scores, losses = tables(space, x, y, w)
            for scale in (0.0, 1.0):
                best = (scores + scale * losses).max()
                code = oracle.argmax(w, i, scale)
                z = space.output_of(code.tolist(), packed, i)
                value = space.joint_feature(x, z) @ w + scale * space.loss(y, z)
                bound = oracle.bound(w, i, scale)
                assert value <= best + 1e-9
                assert bound >= best - 1e-9
                reached += value >= best - 1e-9
                total += 1
    assert reached >= 0.9 * total


def test_possible_links_cost_nothing():
    x = np.zeros((2, 2, 1))
    space = MatchingSpace(false_cost=3.0, miss_cost=2.0).fit_domain([x])
    y = Links([(0, 0)], [(1, 1), (0, 1)])
    assert space.loss(y, ()) == 2.0
    assert space.loss(y, [(1, 1)]) == 2.0
    assert space.loss(y, [(0, 0), (1, 1)]) == 0.0
    assert space.loss(y, [(1, 0)]) == 5.0
    shared = MatchingSpace(task_loss="fraction").fit_domain([x])
    assert shared.loss([(0, 0), (1, 1)], [(0, 1)]) == 1.5
    assert shared.loss([], [(0, 1)]) == 1.0


def test_excess_links_are_dropped_or_refused():
    x = MatchingProblem([[1.0]] * 3, (2, 2), [(0, 0), (0, 1), (1, 0)])
    kept = MatchingSpace(excess="drop", dtype="float64")
    packed = kept.fit_pack([x], [[(0, 0), (0, 1), (1, 0), (1, 1)]])
    # (1, 1) is no candidate; of the others two can stay.
    assert packed.codes.tolist() == [1, 0]
    assert packed.kind.tolist() == [2, 1, 1]
    strict = MatchingSpace()
    with pytest.raises(
        ValueError, match=r"example 0 has the link \(1, 1\), which is no cand"
    ):
        strict.fit_pack([x], [[(1, 1)]])
    with pytest.raises(
        ValueError, match="example 0 has 2 links at row 0, more than its cap"
    ):
        strict.fit_pack([x], [[(0, 0), (0, 1)]])
    with pytest.raises(ValueError, match="example 0 has 2 links at column 0"):
        strict.fit_pack([x], [[(0, 0), (1, 0)]])


def test_dense_and_sparse_candidates_are_one_problem():
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(3, 4, 2))
    pairs = [(i, j) for j in range(4) for i in range(3)]  # in another order
    sparse = MatchingProblem([dense[p] for p in pairs], (3, 4), pairs)
    space = MatchingSpace().fit_domain([dense])
    w = rng.normal(size=3)
    assert space.decode(w, dense) == space.decode(w, sparse)
    named = MatchingProblem([["a"], {"b": 2.0}], (1, 2), [(0, 0), (0, 1)])
    names = MatchingSpace().fit_domain([named])
    assert names.n_features_ == 2


def test_own_capacities_come_before_those_of_the_space():
    x = MatchingProblem(np.ones((2, 3, 1)), row_capacity=[3, 0], column_capacity=1)
    space = MatchingSpace(row_capacity=1).fit_domain([x])
    assert space.decode(np.array([1.0, 0.0]), x) == ((0, 0), (0, 1), (0, 2))
    free = MatchingSpace(row_capacity=None, column_capacity=None).fit_domain([x])
    assert len(free.decode(np.array([1.0, 0.0]), np.ones((2, 3, 1)))) == 6


def test_bad_examples_are_named():
    x = np.ones((2, 2, 1))
    fit = MatchingSpace().fit_pack
    for X, Y, error, message in (
        (
            [x, "ab"],
            [[], []],
            TypeError,
            "X: example 1 must be a MatchingProblem or an",
        ),
        ([x, x[0]], [[], []], ValueError, "X: example 1 has shape"),
        ([x, x * np.nan], [[], []], ValueError, "X: example 1, row 0 has NaN"),
        ([x, np.ones((2, 2, 3))], [[], []], ValueError, "example 1"),
        (
            [x],
            [[(0, 2)]],
            ValueError,
            r"y: example 0 has the link \(0, 2\), expected a row",
        ),
        (
            [x],
            [[(0, 0), (0, 0)]],
            ValueError,
            r"y: example 0 has the link \(0, 0\) twice",
        ),
        ([x], [[(0, 0.5)]], ValueError, "y: example 0 has the link"),
        ([x], [3], TypeError, "y: example 0 must be a list of"),
        ([np.ones((0, 2, 1))], [[]], ValueError, "example 0 has no candidate links"),
    ):
        with pytest.raises(error, match=message):
            fit(X, Y)
    for arguments, message in (
        (
            {"shape": (2, 2), "pairs": [(0, 2)]},
            "pairs has .* at 0, expected a row in 0 .. 1",
        ),
        ({"shape": (2, 2), "pairs": [(-1, 0)]}, "pairs has"),
        ({"pairs": [(0, 0)]}, "shape must be"),
        (
            {"shape": (2, 2), "pairs": [(0, 0)], "row_capacity": [1]},
            "row_capacity has shape",
        ),
        (
            {"shape": (2, 2), "pairs": [(0, 0)], "row_capacity": -1},
            "whole numbers >= 0",
        ),
        (
            {"shape": (2, 2), "pairs": [(0, 0)], "row_names": ["a"]},
            "row_names has 1 entries",
        ),
        (
            {"shape": (2, 2), "pairs": [(0, 0), (0, 1)]},
            "one vector for each of the 2 pairs",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            MatchingProblem([[1.0]], **arguments)
    with pytest.raises(ValueError, match=r"pairs has \(0, 1\) twice"):
        MatchingProblem([[1.0], [2.0]], (2, 2), [(0, 1), (0, 1)])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            MatchingProblem([[1.0]], (2, 2), [(0, 1)]),
            "example 0: row 1 has no candidate",
        ),
        (
            MatchingProblem(np.ones((1, 1, 1)), row_capacity=0),
            "row 0 has the capacity 0",
        ),
        (np.ones((3, 2, 1)), "example 0: the capacities do not allow every row a link"),
    ],
)
def test_infeasible_demands_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        MatchingSpace(must_match="rows").fit_domain([x]).pack([x])


def test_a_truth_that_leaves_a_row_bare_is_named():
    x = np.ones((2, 2, 1))
    with pytest.raises(ValueError, match="y: example 0 has no link at column 1"):
        MatchingSpace(must_match="columns").fit_pack([x], [[(0, 0)]])


@pytest.mark.parametrize(
    "arguments",
    [
        {"must_match": "all"},
        {"row_capacity": -1},
        {"column_capacity": 0.5},
        {"fertility": 17},
        {"task_loss": "hinge"},
        {"excess": "ignore"},
        {"false_cost": -1.0},
        {"dtype": "int"},
    ],
)
def test_bad_parameters_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        MatchingSpace(**arguments).fit_domain([np.ones((1, 1, 1))])
