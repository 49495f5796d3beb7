"""decode_graph and relax_graph against enumeration, SciPy's linear programs and each other."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import csr_array

from pystruct_ext.spaces.graph_decoders import decode_graph, relax_graph

EVERY = ["auto", "forest", "cut", "expansion", "dual", "lp", "exact"]
ANY = [name for name in EVERY if name != "forest"]


def grid(height, width):
    i = np.arange(height * width).reshape(height, width)
    across = np.c_[i[:, :-1].ravel(), i[:, 1:].ravel()]
    return np.vstack([across, np.c_[i[:-1].ravel(), i[1:].ravel()]])


def random_graph(n, chance, rng):
    pairs = np.array(list(itertools.combinations(range(n), 2)), int).reshape(-1, 2)
    edges = pairs[rng.random(len(pairs)) < chance]
    turned = rng.random(len(edges)) < 0.5
    edges[turned] = edges[turned, ::-1]
    return rng.permutation(edges)


def random_tree(n, rng):
    """A tree, or a forest where nodes are left out."""
    edges = [(rng.integers(v), v) for v in range(1, n) if rng.random() < 0.9]
    return np.array(edges, dtype=np.int64).reshape(-1, 2)


def pair_scores(edges, pairwise, labels):
    a, b = labels[..., edges[:, 0]], labels[..., edges[:, 1]]
    if pairwise.ndim == 1:
        return (pairwise * (a == b)).sum(-1)
    if pairwise.ndim == 2:
        return pairwise[a, b].sum(-1)
    return pairwise[np.arange(len(edges)), a, b].sum(-1)


def score(unary, edges, pairwise, labels):
    labels = np.asarray(labels)
    own = np.take_along_axis(unary[None], labels.reshape(-1, len(unary), 1), 2)[..., 0]
    total = own.sum(-1) + pair_scores(edges, pairwise, labels.reshape(-1, len(unary)))
    return total.reshape(labels.shape[:-1])


def optimum(unary, edges, pairwise, counts):
    """The largest score of all labellings."""
    every = np.array(list(itertools.product(*map(range, counts))))
    return score(unary, edges, pairwise, every).max()


def local_polytope(unary, edges, pairwise):
    """Its optimum, by HiGHS."""
    (n, k), m = unary.shape, len(edges)
    full = (
        pairwise[:, None, None] * np.eye(k)
        if pairwise.ndim == 1
        else np.broadcast_to(pairwise, (m, k, k))
    )
    rows, columns, values, right = [], [], [], []
    for v in range(n):
        rows += [v] * k
        columns += range(v * k, v * k + k)
        values += [1.0] * k
        right.append(1.0)
    for e, (a, b) in enumerate(edges):
        cells = n * k + e * k * k + np.arange(k * k).reshape(k, k)
        for node, table in ((a, cells), (b, cells.T)):
            for label in range(k):
                rows += [len(right)] * (k + 1)
                columns += [*table[label], node * k + label]
                values += [1.0] * k + [-1.0]
                right.append(0.0)
    cost = -np.concatenate([unary.ravel(), full.ravel()])
    equal = csr_array((values, (rows, columns)), shape=(len(right), len(cost)))
    return -linprog(cost, A_eq=equal, b_eq=right, bounds=(0, 1)).fun


def tables(edges, labels, rng, kind):
    m = len(edges)
    if kind == "potts":
        return rng.normal(size=m)
    if kind == "attractive":
        return rng.random(m) * 1.5
    if kind == "shared":
        return rng.normal(size=(labels, labels))
    return rng.normal(size=(m, labels, labels)) * 0.7


KINDS = ["potts", "attractive", "shared", "tables"]


def check(got, unary, edges, pairwise, best, exact=False):
    np.testing.assert_allclose(
        got.value, score(unary, edges, pairwise, got.labels), atol=1e-9
    )
    assert got.value <= best + 1e-9 * (1 + abs(best))
    assert got.bound >= best - 1e-9 * (1 + abs(best))
    if got.exact or exact:
        assert got.exact
        assert got.bound == got.value
        np.testing.assert_allclose(got.value, best, rtol=0, atol=2e-9 * (1 + abs(best)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("height", "width", "labels"), [(1, 4, 3), (2, 2, 3), (3, 3, 3), (3, 4, 2)]
)
def test_grids_equal_enumeration(height, width, labels, kind):
    edges = grid(height, width)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        unary = rng.normal(size=(height * width, labels))
        pairwise = tables(edges, labels, rng, kind)
        best = optimum(unary, edges, pairwise, [labels] * len(unary))
        for inference in ANY:
            got = decode_graph(unary, edges, pairwise, inference)
            check(got, unary, edges, pairwise, best, inference == "exact")


def test_the_largest_grid_that_is_enumerated():
    edges, rng = grid(3, 4), np.random.default_rng(5)
    unary = rng.normal(size=(12, 3))
    pairwise = tables(edges, 3, rng, "tables")
    best = optimum(unary, edges, pairwise, [3] * 12)
    for inference in ANY:
        got = decode_graph(unary, edges, pairwise, inference)
        check(got, unary, edges, pairwise, best, inference == "exact")


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(1, 6),
    labels=st.integers(1, 4),
    chance=st.sampled_from([0.0, 0.4, 0.7, 1.0]),
    kind=st.sampled_from(KINDS),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
    mixed=st.booleans(),
    ties=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_bounds_and_optima_on_random_graphs(
    n, labels, chance, kind, scale, mixed, ties, seed
):
    rng = np.random.default_rng(seed)
    edges = random_graph(n, chance, rng)
    counts = rng.integers(1, labels + 1, size=n) if mixed else np.full(n, labels)
    unary, pairwise = rng.normal(size=(n, labels)), tables(edges, labels, rng, kind)
    if ties:
        unary, pairwise = unary.round(), pairwise.round()
    unary, pairwise = unary * scale, pairwise * scale
    best = optimum(unary, edges, pairwise, counts)
    for inference in ANY:
        got = decode_graph(unary, edges, pairwise, inference, n_labels=counts)
        assert (got.labels < counts).all()
        check(got, unary, edges, pairwise, best, inference == "exact")
        again = decode_graph(unary, edges, pairwise, inference, n_labels=counts)
        np.testing.assert_array_equal(got.labels, again.labels)
        assert got[1:] == again[1:]


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 7),
    labels=st.integers(1, 4),
    kind=st.sampled_from(KINDS),
    mixed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_forests_are_exact(n, labels, kind, mixed, seed):
    rng = np.random.default_rng(seed)
    edges = random_tree(n, rng)
    counts = rng.integers(1, labels + 1, size=n) if mixed else np.full(n, labels)
    unary, pairwise = rng.normal(size=(n, labels)), tables(edges, labels, rng, kind)
    best = optimum(unary, edges, pairwise, counts)
    for inference in ("auto", "forest"):
        got = decode_graph(unary, edges, pairwise, inference, counts)
        check(got, unary, edges, pairwise, best, exact=True)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 8), seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_submodular_tables_are_cut_exactly(n, seed, ties):
    rng = np.random.default_rng(seed)
    edges = random_graph(n, 0.6, rng)
    unary, pairwise = rng.normal(size=(n, 2)), rng.normal(size=(len(edges), 2, 2))
    if ties:
        unary, pairwise = unary.round(), pairwise.round()
    lack = pairwise[:, 0, 0] + pairwise[:, 1, 1] - pairwise[:, 0, 1] - pairwise[:, 1, 0]
    pairwise[:, 1, 1] += np.maximum(-lack, 0) + (lack < 0) * rng.random(len(edges))
    counts = rng.integers(1, 3, size=n)
    for given_counts in (None, counts):
        known = np.full(n, 2) if given_counts is None else counts
        best = optimum(unary, edges, pairwise, known)
        got = decode_graph(unary, edges, pairwise, "cut", given_counts)
        check(got, unary, edges, pairwise, best, exact=True)


def test_equal_scores_take_the_smallest_labels():
    edges = grid(3, 3)
    for pairwise in (np.ones(len(edges)), np.zeros((len(edges), 2, 2))):
        got = decode_graph(np.zeros((9, 2)), edges, pairwise, "cut")
        np.testing.assert_array_equal(got.labels, 0)
    chain = np.array([[0, 1], [1, 2]])
    got = decode_graph(np.zeros((3, 3)), chain, np.zeros((2, 3, 3)), "forest")
    np.testing.assert_array_equal(got.labels, 0)


def test_large_cuts_reach_the_optimum_of_the_relaxation():
    # the local polytope is tight for attractive binary scores
    edges = grid(20, 20)
    rng = np.random.default_rng(3)
    unary, pairwise = rng.normal(size=(400, 2)), rng.random(len(edges)) * 1.5
    want = local_polytope(unary, edges, pairwise)
    got = decode_graph(unary, edges, pairwise)
    assert got.exact
    np.testing.assert_allclose(got.value, want, rtol=1e-9)


def test_cuts_of_capacities_of_all_sizes_end():
    # rounding must not make flow of nothing: fractions of 3 and sizes over 16 decades
    edges = grid(12, 12)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        unary = (
            rng.normal(size=(144, 2)) / 3 * 10.0 ** rng.integers(-8, 8, size=(144, 1))
        )
        pairwise = rng.random(len(edges)) / 3 * 10.0 ** rng.integers(-8, 8, len(edges))
        got = decode_graph(unary, edges, pairwise, "cut")
        other = decode_graph(unary, edges, pairwise, "dual")
        assert got.value >= other.value - 1e-9 * abs(other.value)
        assert got.value <= other.bound + 1e-9 * abs(other.bound)


def test_expansion_is_no_worse_than_any_single_expansion():
    edges = grid(8, 8)
    rng = np.random.default_rng(1)
    unary, pairwise = rng.normal(size=(64, 5)), rng.random(len(edges))
    got = decode_graph(unary, edges, pairwise, "expansion")
    for label in range(5):
        # the best expansion of a label, as a binary problem of its own
        keep = got.labels
        two = np.c_[unary[np.arange(64), keep], unary[:, label]]
        a, b = edges.T
        table = np.zeros((len(edges), 2, 2))
        table[:, 0, 0] = pairwise * (keep[a] == keep[b])
        table[:, 0, 1] = pairwise * (keep[a] == label)
        table[:, 1, 0] = pairwise * (keep[b] == label)
        table[:, 1, 1] = pairwise
        best = decode_graph(two, edges, table, "cut")
        assert best.exact
        assert best.value <= got.value + 1e-9


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("edges", "labels", "kind"),
    [
        (grid(5, 5), 4, "tables"),
        (grid(6, 5), 2, "potts"),
        (grid(4, 4), 3, "shared"),
        (np.array(list(itertools.combinations(range(7), 2))), 3, "tables"),
    ],
    ids=["grid", "binary", "shared", "complete"],
)
def test_local_polytope_equals_highs(edges, labels, kind, seed):
    rng = np.random.default_rng(seed)
    n = int(edges.max()) + 1
    unary, pairwise = rng.normal(size=(n, labels)), tables(edges, labels, rng, kind)
    want = local_polytope(unary, edges, pairwise)
    got = relax_graph(unary, edges, pairwise)
    np.testing.assert_allclose([got.value, got.bound], want, rtol=0, atol=1e-6)
    # the marginals are what they say
    assert got.nodes.min() >= -1e-9
    assert got.edges.min() >= -1e-9
    np.testing.assert_allclose(got.nodes.sum(1), 1, atol=2e-6)
    np.testing.assert_allclose(got.edges.sum(2), got.nodes[edges[:, 0]], atol=2e-6)
    np.testing.assert_allclose(got.edges.sum(1), got.nodes[edges[:, 1]], atol=2e-6)
    full = (
        pairwise[:, None, None] * np.eye(labels)
        if pairwise.ndim == 1
        else np.broadcast_to(pairwise, got.edges.shape)
    )
    total = (got.nodes * unary).sum() + (got.edges * full).sum()
    np.testing.assert_allclose(got.value, total, atol=1e-9)
    # and "lp" bounds the labels by the same optimum, which no other bound goes below
    lp = decode_graph(unary, edges, pairwise, "lp")
    assert lp.exact or abs(lp.bound - want) < 1e-6
    assert decode_graph(unary, edges, pairwise, "dual").bound >= want - 1e-6 or lp.exact


def test_marginals_where_label_counts_differ():
    rng = np.random.default_rng(0)
    edges = np.array(list(itertools.combinations(range(5), 2)))
    unary, pairwise = rng.normal(size=(5, 4)), rng.normal(size=(10, 4, 4)) * 2
    counts = np.array([1, 2, 3, 4, 2])
    got = relax_graph(unary, edges, pairwise, counts)
    beyond = np.arange(4) >= counts[:, None]
    assert (got.nodes[beyond] == 0).all()
    # scores of labels that are not there, so bad that none can pay for them
    low = np.where(beyond, -1e3, unary)
    np.testing.assert_allclose(
        got.value, local_polytope(low, edges, pairwise), atol=1e-6
    )


def test_tables_shared_by_edges_of_different_shapes():
    edges = np.array(list(itertools.combinations(range(5), 2)))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        unary, pairwise = rng.normal(size=(5, 3)), rng.normal(size=(3, 3))
        counts = rng.integers(1, 4, size=5)
        best = optimum(unary, edges, pairwise, counts)
        for inference in ("dual", "exact"):
            got = decode_graph(unary, edges, pairwise, inference, counts)
            check(got, unary, edges, pairwise, best, inference == "exact")


@pytest.mark.parametrize("inference", ANY)
def test_single_precision(inference):
    edges = grid(3, 3)
    rng = np.random.default_rng(2)
    unary = rng.normal(size=(9, 3)).astype(np.float32)
    pairwise = tables(edges, 3, rng, "tables").astype(np.float32)
    want = decode_graph(
        unary.astype(np.float64), edges, pairwise.astype(np.float64), inference
    )
    for edge_type in (np.int32, np.int64):
        got = decode_graph(unary, edges.astype(edge_type), pairwise, inference)
        np.testing.assert_array_equal(got.labels, want.labels)
        np.testing.assert_allclose(got.value, want.value, atol=1e-9)


def test_layouts_of_arrays_do_not_matter():
    edges = grid(4, 4)
    rng = np.random.default_rng(4)
    unary, pairwise = rng.normal(size=(16, 3)), rng.normal(size=(len(edges), 3, 3))
    want = decode_graph(unary, edges, pairwise)
    swapped = pairwise.astype(pairwise.dtype.newbyteorder())
    odd = np.zeros(unary.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(unary.shape)
    odd[:] = unary
    for got in (
        decode_graph(
            np.asfortranarray(unary), edges[::1], np.repeat(pairwise, 2, 0)[::2]
        ),
        decode_graph(unary.tolist(), edges.tolist(), pairwise.tolist()),
        decode_graph(odd, np.asfortranarray(edges), swapped),
        decode_graph(unary, edges.astype(np.uint8), pairwise),
    ):
        np.testing.assert_array_equal(got.labels, want.labels)
        assert got[1:] == want[1:]
    whole = decode_graph(unary.round().astype(int), edges, pairwise.round().astype(int))
    assert whole.value == round(whole.value)


def test_history_and_threads_do_not_matter():
    rng = np.random.default_rng(6)
    problems = []
    for height, labels in ((3, 2), (9, 4), (2, 7), (6, 3)):
        edges = grid(height, height)
        unary = rng.normal(size=(height**2, labels))
        problems.append((unary, edges, rng.normal(size=(len(edges), labels, labels))))
    asks = [(p, how) for p in problems for how in ("dual", "lp", "exact")]
    want = [decode_graph(*p, how) for p, how in asks]
    backwards = [decode_graph(*p, how) for p, how in asks[::-1]][::-1]
    with ThreadPoolExecutor(3) as pool:
        aside = list(pool.map(lambda ask: decode_graph(*ask[0], ask[1]), asks * 2))
    for other in (backwards, aside[: len(asks)], aside[len(asks) :]):
        for got, expected in zip(other, want, strict=True):
            np.testing.assert_array_equal(got.labels, expected.labels)
            assert got[1:] == expected[1:]


def test_every_instruction_set_agrees(monkeypatch):
    rng = np.random.default_rng(0)
    edges, asks = grid(6, 6), []
    for labels in (2, 3, 9, 17):
        unary = rng.normal(size=(36, labels))
        pairwise = rng.normal(size=(60, labels, labels))
        asks += [(unary, edges, p) for p in (pairwise, pairwise[:, 0, 0].copy())]

    def answers():
        return [
            decode_graph(*ask, how) for ask in asks for how in ("dual", "lp", "exact")
        ]

    want = answers()
    for level in ("baseline", "avx2"):
        monkeypatch.setenv("PSX_ISA", level)
        with ThreadPoolExecutor(
            1
        ) as pool:  # a new thread looks for the instructions anew
            for got, expected in zip(pool.submit(answers).result(), want, strict=True):
                np.testing.assert_allclose(got.bound, expected.bound, atol=1e-5)
                if expected.exact:
                    np.testing.assert_allclose(got.value, expected.value, atol=1e-9)


@pytest.mark.parametrize("inference", EVERY)
def test_small_cases(inference):
    none = np.zeros((0, 2), int)
    got = decode_graph([[1.0, 3.0, 2.0], [0.5, 0.0, 0.0]], none, [], inference)
    np.testing.assert_array_equal(got.labels, [1, 0])
    assert got == (got.labels, 3.5, 3.5, True)
    got = decode_graph([[2.0], [1.0]], [[1, 0]], [0.5], inference)
    assert (got.labels.tolist(), got.value, got.exact) == ([0, 0], 3.5, True)


@pytest.mark.parametrize("inference", ANY)
def test_exact_where_others_may_not_be(inference):
    # three nodes that want to differ, with two labels: the relaxation is far off
    got = decode_graph(
        np.array([[0.1, 0.0]] * 3), [[0, 1], [1, 2], [2, 0]], [-1.0] * 3, inference
    )
    np.testing.assert_allclose(got.value, -0.8)
    assert got.bound >= -0.8 - 1e-12
    assert got.exact == (inference == "exact") or got.bound == got.value


def problem(**changes):
    rng = np.random.default_rng(0)
    edges = grid(2, 3)
    given_problem = {
        "unary": rng.normal(size=(6, 3)),
        "edges": edges,
        "pairwise": rng.normal(size=(len(edges), 3, 3)),
    }
    for name, change in changes.items():
        if callable(change):
            given_problem[name] = given_problem[name].copy()
            change(given_problem[name])
        else:
            given_problem[name] = change
    return given_problem


def put(at, value):
    def change(array):
        array[at] = value

    return change


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edges": put(2, (0, 6))}, r"edges\[2\] is \[0, 6\], expected nodes 0 \.\. 5"),
        (
            {"edges": put(1, (-1, 2))},
            r"edges\[1\] is \[-1, 2\], expected nodes 0 \.\. 5",
        ),
        ({"edges": put(3, (4, 4))}, r"edges\[3\] is \[4, 4\], expected two different"),
        (
            {"edges": put(4, (1, 0))},
            r"edges\[4\] is \[1, 0\], the pair that edges\[0\] joins already",
        ),
        (
            {"edges": put(5, (3, 4))},
            r"edges\[5\] is \[3, 4\], the pair that edges\[2\]",
        ),
        ({"unary": put((4, 1), np.nan)}, r"unary\[4, 1\] is nan, expected a finite"),
        ({"unary": put((0, 0), -np.inf)}, r"unary\[0, 0\] is -inf, expected a finite"),
        (
            {"pairwise": put((6, 2, 0), np.inf)},
            r"pairwise\[6, 2, 0\] is inf, expected a finite",
        ),
        ({"unary": np.zeros(6)}, r"unary has shape \(6,\), expected \(nodes, labels\)"),
        ({"unary": np.zeros((6, 0))}, r"unary has shape \(6, 0\)"),
        ({"unary": np.array([["a"] * 3] * 6)}, "unary has dtype <U1, expected real"),
        ({"edges": np.zeros((7, 3), int)}, r"edges has shape \(7, 3\)"),
        ({"edges": np.zeros((7, 2))}, r"edges has shape \(7, 2\) and dtype float64"),
        (
            {"pairwise": np.zeros((7, 3))},
            r"pairwise has shape \(7, 3\), expected \(7,\)",
        ),
        ({"pairwise": np.zeros(6)}, r"pairwise has shape \(6,\), expected \(7,\)"),
        ({"n_labels": [3, 3, 3, 3, 3]}, r"n_labels has shape \(5,\)"),
        ({"n_labels": [3, 3, 0, 3, 3, 3]}, r"n_labels\[2\] is 0, expected 1 \.\. 3"),
        ({"n_labels": [3, 3, 3, 4, 3, 3]}, r"n_labels\[3\] is 4, expected 1 \.\. 3"),
        (
            {"unary": put((2, 1), 1e90)},
            r"unary\[2, 1\] is 1e\+90, expected .* up to 1e80",
        ),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(ValueError, match=message):
        decode_graph(**problem(**changes))
    with pytest.raises(ValueError, match=message):
        relax_graph(**problem(**changes))


def test_numbers_beyond_the_labels_are_not_looked_at():
    rng = np.random.default_rng(0)
    edges = grid(2, 3)
    unary, pairwise = rng.normal(size=(6, 3)), rng.normal(size=(len(edges), 3, 3))
    want = decode_graph(unary[:, :2], edges, pairwise[:, :2, :2], "exact")
    unary[:, 2] = np.nan
    pairwise[:, 2] = np.inf
    pairwise[:, :, 2] = np.nan
    for inference in ANY:
        got = decode_graph(unary, edges, pairwise, inference, np.full(6, 2))
        assert got.bound >= want.value - 1e-9
        assert got.labels.max() < 2
    np.testing.assert_array_equal(got.labels, want.labels)
    unary[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"unary\[3, 1\] is nan"):
        decode_graph(unary, edges, pairwise, n_labels=np.full(6, 2))


def test_requests_that_cannot_be_met():
    with pytest.raises(ValueError, match="inference='best', expected one of"):
        decode_graph(**problem(), inference="best")
    with pytest.raises(ValueError, match="needs edges without a cycle"):
        decode_graph(**problem(), inference="forest")
    rng = np.random.default_rng(0)
    edges = np.array(list(itertools.combinations(range(40), 2)))
    unary, pairwise = rng.normal(size=(40, 5)), rng.normal(size=(len(edges), 5, 5))
    with pytest.raises(
        ValueError, match=r"40 nodes and 780 edges .* 1\.1e\+28 entries"
    ):
        decode_graph(unary, edges, pairwise, "exact", max_branches=3)
