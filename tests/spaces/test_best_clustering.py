"""Correlation clustering: all decoders against all partitions, HiGHS and bounds."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp

from pystruct_ext import PairGraph
from pystruct_ext.outputs import Clusters
from pystruct_ext.spaces import ClusteringSpace, best_clustering

BELL = (1, 1, 2, 5, 15, 52, 203, 877, 4140)
METHODS = ("greedy", "auto", "exact", "branch", "milp")


@functools.cache
def partitions(n):
    """All partitions of n items, (Bell(n), n)."""
    rows = [()]
    for _ in range(n):
        rows = [(*r, v) for r in rows for v in range(max(r, default=-1) + 2)]
    assert len(rows) == BELL[n]
    return np.array(rows)


def value(ids, pairs, weights):
    return float(weights[ids[pairs[:, 0]] == ids[pairs[:, 1]]].sum())


def optimum(n, pairs, weights):
    every = partitions(n)
    joined = every[:, pairs[:, 0]] == every[:, pairs[:, 1]]
    return float((joined * weights).sum(axis=1).max())


def check(n, pairs, weights, best, methods=METHODS):
    size = 1e-9 * (1 + np.abs(weights).sum())
    for method in methods:
        found = best_clustering(weights, pairs, n, inference=method)
        assert abs(found.value - value(found.clusters, pairs, weights)) <= size
        assert found.value <= best + size, method
        assert found.bound >= best - 100 * size * (method == "milp") - size, method
        if method != "greedy" and n <= 12:
            assert abs(found.value - best) <= size, method
            assert found.bound <= best + 100 * size, method
        # Clusters are connected by candidate pairs, and numbered by their first items.
        graph = PairGraph(n, pairs, np.zeros((len(pairs), 1)))
        assert found.clusters.tolist() == graph.components(found.clusters).tolist()


@st.composite
def problems(draw):
    n = draw(st.integers(1, 8))
    every = list(itertools.combinations(range(n), 2))
    kept = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    numbers = st.integers(-4, 4) | st.floats(-10, 10, allow_subnormal=False)
    weights = draw(st.lists(numbers, min_size=len(kept), max_size=len(kept)))
    pairs = np.array(kept, dtype=np.int32).reshape(-1, 2)
    return n, pairs, np.array(weights, dtype=np.float64)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_every_decoder_against_all_partitions(problem):
    n, pairs, weights = problem
    check(n, pairs, weights, optimum(n, pairs, weights), METHODS[:-1])


@pytest.mark.parametrize("seed", range(12))
def test_eight_items(seed):
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.triu_indices(8, 1), axis=1)
    if seed % 2:
        pairs = pairs[rng.random(len(pairs)) < 0.6]
    weights = rng.normal(size=len(pairs)) + rng.choice([-0.3, 0, 0.3])
    check(8, pairs, weights, optimum(8, pairs, weights))


def triangle_milp(n, weights):
    """The textbook formulation, all triangle inequalities, written down once more."""
    number = {p: e for e, p in enumerate(itertools.combinations(range(n), 2))}
    rows = []
    for a, b, c in itertools.combinations(range(n), 3):
        e = [number[a, b], number[a, c], number[b, c]]
        for k in range(3):
            row = np.zeros(len(number))
            row[e] = 1
            row[e[k]] = -1
            rows.append(row)  # x_ab + x_ac - x_bc <= 1 where x is "together"
    found = milp(
        -weights,
        integrality=np.ones(len(number)),
        bounds=(0, 1),
        constraints=[LinearConstraint(np.array(rows), ub=1)],
    )
    return -found.fun


@pytest.mark.parametrize(("n", "noise"), [(11, 3.0), (12, 3.0), (14, 1.2), (15, 1.0)])
def test_larger_against_highs(n, noise):
    rng = np.random.default_rng(n)
    true = rng.integers(0, 4, size=n)
    a, b = np.triu_indices(n, 1)
    weights = np.where(true[a] == true[b], 1, -1) + noise * rng.normal(size=len(a))
    best = triangle_milp(n, weights)
    pairs = np.stack([a, b], axis=1)
    check(n, pairs, weights, best)
    for method in ("branch", "milp", "exact"):
        found = best_clustering(weights, pairs, inference=method)
        assert found.value == pytest.approx(best, abs=1e-6)
        assert found.bound == pytest.approx(best, abs=1e-5)


def test_large_planted_clusters_are_found_and_certified():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 12, size=150)
    a, b = np.triu_indices(150, 1)
    weights = np.where(true[a] == true[b], 1, -1) + 0.4 * rng.normal(size=len(a))
    square = np.zeros((150, 150))
    square[a, b] = weights
    found = best_clustering(square)
    assert (true[a] == true[b]).tolist() == (
        found.clusters[a] == found.clusters[b]
    ).tolist()
    assert found.bound - found.value < 0.01 * found.value


def test_local_search_splits_what_contraction_joined():
    # Contraction joins 1 and 2 first; the two pairs of the best clustering are apart.
    pairs = np.array([(0, 1), (1, 2), (2, 3), (0, 2), (1, 3), (0, 3)])
    weights = np.array([4.0, 5.0, 4.0, -3.0, -3.0, -9.0])
    best = optimum(4, pairs, weights)
    for method in METHODS:
        assert best_clustering(weights, pairs, inference=method).value == best == 8


@pytest.mark.parametrize("seed", range(6))
def test_forbidden_pairs_do_not_drown_the_others(seed):
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.triu_indices(8, 1), axis=1)
    weights = rng.normal(size=len(pairs)) + 0.2
    forbidden = rng.random(len(pairs)) < 0.3
    joined = partitions(8)[:, pairs[:, 0]] == partitions(8)[:, pairs[:, 1]]
    allowed = joined[~joined[:, forbidden].any(axis=1)]
    best = (allowed * weights).sum(axis=1).max()
    weights[forbidden] = -1e30
    for method in ("auto", "branch"):
        found = best_clustering(weights, pairs, inference=method)
        assert found.value == pytest.approx(best, abs=1e-9)
        assert found.bound == pytest.approx(best, abs=1e-9)


def test_bad_input():
    for weights, pairs, n, text in (
        ([1.0], [(0, 3)], 3, r"pair 0 is \(0, 3\), expected items in 0 .. 2"),
        ([1.0], [(1, 1)], 3, "an item with itself"),
        ([1.0, 2.0], [(0, 1), (1, 0)], 2, "is there already: pair 0"),
        ([1.0, np.nan], [(0, 1), (1, 2)], 3, r"that of pair 1, \(1, 2\), is nan"),
        ([1.0], [(0, 1), (1, 2)], 3, "expected one per pair: "),
        ([1.0], None, None, "expected \\(n, n\\), or pairs"),
        ([1.0], [(0, 1)], 0, "n must be an integer >= 1"),
    ):
        with pytest.raises(ValueError, match=text):
            best_clustering(weights, pairs, n)
    with pytest.raises(ValueError, match="inference must be one of"):
        best_clustering([1.0], [(0, 1)], inference="best")


def test_too_large_for_exact_says_how_large():
    n = 220
    square = np.ones((n, n))
    with pytest.raises(ValueError, match=r"at most 64 items .* got one of 220"):
        best_clustering(square, inference="branch")
    with pytest.raises(ValueError, match=r"at most 20000 pairs .* got 24090"):
        best_clustering(square, inference="milp")
    x = PairGraph.complete(70, np.zeros((70 * 69 // 2, 1)))
    space = ClusteringSpace(inference="exact").fit_domain([x])
    with pytest.raises(ValueError, match=r"example 0 has 70 items .* at most 64"):
        space.decode([1.0, 1.0], x)


def test_groups_of_many_items_are_decided_one_by_one():
    # 300 items in a ring of triangles that nothing positive connects.
    pairs = [
        (3 * k + i, 3 * k + j) for k in range(100) for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    weights = [2.0, 2.0, -1.0] * 100
    pairs += [(3 * k, (3 * k + 3) % 300) for k in range(100)]
    weights += [-5.0] * 100
    found = best_clustering(weights, pairs, inference="exact")
    assert found.value == found.bound == 300


def test_a_cluster_that_candidate_pairs_do_not_connect_falls_apart():
    x = PairGraph(4, [(0, 1), (2, 3)], [[1.0], [2.0]])
    space = ClusteringSpace(dtype="float64").fit_domain([x], ["aaaa"])
    oracle = space.bind(space.pack([x], ["aaaa"]))
    assert oracle.truth(0).tolist() == [0, 0, 1, 1]
    # Two joined pairs, each with the constant 5.
    assert space.joint_feature(x, "aaaa").tolist() == [3.0, 10.0]
    assert space.loss("aaaa", Clusters((0, 0, 1, 1), x.pairs)) == 0
    # All pairs are candidates where nobody says which.
    assert space.loss("aaaa", (0, 0, 1, 1)) == pytest.approx(4 * 0.5 / 4)


def test_item_costs_add_up_to_missing_b_cubed_recall():
    from pystruct_ext.metrics import b_cubed

    rng = np.random.default_rng(1)
    space = ClusteringSpace(false_cost=0.0)
    for _ in range(20):
        y, found = rng.integers(0, 4, size=(2, 9))
        missing = 1 - b_cubed([y], [found]).recall
        assert space.loss(y, found) == pytest.approx(missing)
