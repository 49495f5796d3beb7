"""Training with inference="lp": cuts of the local polytope against HiGHS and enumeration."""

from __future__ import annotations

import pickle
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from pystruct_ext import GraphSVM, LatentStructuralSVM
from pystruct_ext.outputs import FractionalLabels, Graph, NodeLabels, grid_graph
from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import GraphSpace
from pystruct_ext.spaces.graph_decoders import decode_graph
from pystruct_ext.structures.samples import graph as samples

UNIT = 1 << 30
TRIANGLE = [(0, 1), (1, 2), (2, 0)]


def tables(space, w, graph, y=None):
    """Scores of the labels of every node, with the loss of y, and of pairs at every edge."""
    types = graph.node_types or [None] * len(graph)
    number = {t: k for k, t in enumerate(space.node_types_)}
    rows = graph.features
    rows = rows.toarray() if sparse.issparse(rows) else np.asarray(rows, dtype=float)
    nodes = []
    for v, t in enumerate(types):
        x = np.append(rows[v], 1.0) if space.bias else rows[v]
        nodes.append(x @ space.node_scores(w, number[t]))
        if y is not None:
            for k, label in enumerate(space.type_classes_[number[t]]):
                one = NodeLabels([label], None)
                own = NodeLabels([y[v]], [getattr(y, "weights", np.ones(len(y)))[v]])
                nodes[-1][k] += space.loss(own, one)
    edge_types = graph.edge_types or [None] * graph.n_edges
    features = graph.edge_features
    if features is None:
        features = np.ones((graph.n_edges, 1))
    edges = []
    for e, (a, b) in enumerate(graph.edges.tolist()):
        kind = space.kinds_.index((number[types[a]], number[types[b]], edge_types[e]))
        pairs = space.pair_scores(w, kind)
        if space.pairwise == "potts":
            pairs = pairs[:, None, None] * np.eye(len(nodes[a]))
        edges.append(np.tensordot(features[e], pairs, 1))
    return nodes, edges


def polytope(nodes, ends, edges):
    """The maximum over the local polytope, by HiGHS."""
    at = np.cumsum([0, *map(len, nodes)])
    cell = at[-1] + np.cumsum([0, *(t.size for t in edges)])
    rows, right = [], []
    for v in range(len(nodes)):
        rows.append(dict.fromkeys(range(at[v], at[v + 1]), 1.0))
        right.append(1.0)
    for e, (a, b) in enumerate(ends):
        cells = cell[e] + np.arange(edges[e].size).reshape(edges[e].shape)
        for node, lines in ((a, cells), (b, cells.T)):
            for k, line in enumerate(lines):
                rows.append({**dict.fromkeys(line.tolist(), 1.0), at[node] + k: -1.0})
                right.append(0.0)
    matrix = sparse.lil_array((len(rows), int(cell[-1])))
    for r, row in enumerate(rows):
        for c, x in row.items():
            matrix[r, c] = x
    cost = -np.concatenate([*nodes, *(t.ravel() for t in edges)])
    scale = max(1e-12, abs(cost).max())
    found = linprog(cost / scale, A_eq=matrix.tocsr(), b_eq=right, bounds=(0, 1))
    assert found.status == 0
    return -found.fun * scale


def labelled(nodes, ends, edges):
    """The maximum over all labellings, by enumeration."""
    sizes = tuple(map(len, nodes))
    total = np.zeros(sizes)
    every = np.indices(sizes)
    for v, scores in enumerate(nodes):
        total += scores[every[v]]
    for (a, b), table in zip(ends, edges, strict=True):
        total += table[every[a], every[b]]
    return total.max()


def read(space, code, graph, nodes, edges):
    """Marginals that a code stands for, which agree to the last unit; Potts: the shares."""
    at, own, pairs = 0, [], []
    for scores in nodes:
        own.append(np.array(code[at : at + len(scores)], dtype=np.int64))
        at += len(scores)
    for (a, b), table in zip(graph.edges.tolist(), edges, strict=True):
        size = 1 if space.pairwise == "potts" else table.size
        cells = np.array(code[at : at + size], dtype=np.int64)
        at += size
        if space.pairwise == "potts":
            assert cells[0] <= np.minimum(own[a], own[b]).sum()
            assert cells[0] >= max(0, (own[a] + own[b] - UNIT).max())
        else:
            cells = cells.reshape(table.shape)
            np.testing.assert_array_equal(cells.sum(1), own[a])
            np.testing.assert_array_equal(cells.sum(0), own[b])
        pairs.append(cells)
    assert at == len(code)
    assert min(c.min() for c in own + pairs) >= 0
    assert all(c.sum() == UNIT for c in own)
    return own, pairs


def value_of(space, own, pairs, nodes, edges):
    total = sum(float(s @ c) for s, c in zip(nodes, own, strict=True))
    for table, cells in zip(edges, pairs, strict=True):
        if space.pairwise == "potts":
            total += float(table[0, 0]) * float(cells[0])
        else:
            total += float((table * cells).sum())
    return total / UNIT


def check_cut(space, oracle, w, i, x, y):
    """The code is of the polytope and its maximum; its value, and that of HiGHS."""
    code = oracle.argmax(w, i, 1.0)
    nodes, edges = tables(space, w, x, y)
    own, pairs = read(space, code, x, nodes, edges)
    value = oracle.score(w, i, code) + oracle.loss(i, code)
    best = polytope(nodes, x.edges.tolist(), edges)
    # The value may be what is left of large scores that cancel.
    largest = max(float(np.abs(t).max(initial=0)) for t in (*nodes, *edges))
    size = 1 + max(abs(best), largest)
    assert value == pytest.approx(
        value_of(space, own, pairs, nodes, edges), abs=1e-9 * size
    )
    assert value == pytest.approx(best, abs=1e-6 * size)
    assert oracle.bound(w, i, 1.0) >= max(value - 1e-12 * size, best - 1e-6 * size)
    assert oracle.bound(w, i, 1.0) <= value + 1e-6 * size
    # psi and loss are linear in the code; the kernel's own codes pass its check of codes
    assert oracle.psi(i, code) @ w == pytest.approx(
        oracle.score(w, i, code), abs=1e-9 * size
    )
    z = space.output_of(code.tolist(), space.pack([x], [y]), 0)
    assert space.loss(y, z) == pytest.approx(oracle.loss(i, code), abs=1e-9)
    return code, value


def several(rng):
    """Cycles through nodes of two types, which have two and three labels."""
    X, Y = [], []
    for n in (3, 5, 5):
        kinds = ["word" if v % 2 else "place" for v in range(n)]
        edges = list(combinations(range(n), 2))
        X.append(Graph(rng.normal(size=(n, 2)), edges, node_types=kinds))
        own = {"word": ["a", "b"], "place": ["b", "c", "d"]}
        Y.append([str(rng.choice(own[k])) for k in kinds])
    Y[2] = ["c", "a", "d", "b", "b"]
    return X, Y


PROBLEMS = {
    "several": ({}, several),
    "full": ({}, samples.cycles),
    "potts": ({"pairwise": "potts"}, samples.cycles),
    "symmetric": ({"pairwise": "symmetric", "label_weight": {1: 2.5}}, samples.cycles),
    "types": ({"bias": False}, samples.typed),
    "costs": ({"pairwise": "potts"}, samples.grids),
    "directions": ({}, samples.labelled),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_cuts_are_maxima_over_the_local_polytope(name):
    params, make = PROBLEMS[name]
    X, Y = make(np.random.default_rng(5))
    space = GraphSpace(dtype="float64", inference="lp", **params)
    oracle = space.bind(space.fit_pack(X, Y))
    assert oracle.exactness == "relaxed"
    fractional = 0
    for seed in range(6):
        w = np.random.default_rng(seed).normal(size=space.size_psi_) * (0.3 + seed)
        for i, (x, y) in enumerate(zip(X, Y, strict=True)):
            code, value = check_cut(space, oracle, w, i, x, y)
            fractional += bool(((code > 0) & (code < UNIT)).any())
            nodes, edges = tables(space, w, x, y)
            best = labelled(nodes, x.edges.tolist(), edges)
            assert value >= best - 1e-9 * (1 + abs(best))
            # without loss: labels, those of the decoder that predictions come from
            plain = oracle.argmax(w, i, 0.0)
            assert set(plain.tolist()) <= {0, UNIT}
            assert space.output_of(plain.tolist(), space.pack([x], [y]), 0) == (
                space.decode(w, x)
            )
    assert fractional or name not in ("full", "potts", "symmetric", "several")


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 6),
    labels=st.integers(2, 4),
    potts=st.booleans(),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    ties=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_cuts_of_random_graphs(n, labels, potts, scale, ties, seed):
    rng = np.random.default_rng(seed)
    edges = [p for p in combinations(range(n), 2) if rng.random() < 0.7]
    edges = [p if rng.random() < 0.5 else p[::-1] for p in edges]
    x = Graph(rng.normal(size=(n, 2)).round(0 if ties else 9), edges)
    y = rng.integers(0, labels, size=n).tolist()
    space = GraphSpace(
        pairwise="potts" if potts else "full",
        inference="lp",
        labels=tuple(range(labels)),
        dtype="float64",
    )
    oracle = space.bind(space.fit_pack([x], [y]))
    w = rng.normal(size=space.size_psi_) * scale
    check_cut(space, oracle, w.round() if ties else w, 0, x, y)


@pytest.mark.parametrize("pairwise", ["full", "potts"])
def test_a_cut_of_a_grid(pairwise):
    rng = np.random.default_rng(3)
    x = grid_graph(rng.normal(size=(9, 9, 3)), 8)
    y = rng.integers(0, 4, size=81).tolist()
    space = GraphSpace(pairwise=pairwise, inference="lp", dtype="float64")
    oracle = space.bind(space.fit_pack([x], [y]))
    for seed in range(2):
        w = np.random.default_rng(2 * seed).normal(size=space.size_psi_)
        if pairwise == "potts":
            w[-len(space.kinds_) :] = -np.abs(w[-len(space.kinds_) :])
        code, _ = check_cut(space, oracle, w, 0, x, y)
        assert ((code > 0) & (code < UNIT)).any()


def test_a_frustrated_triangle():
    """Labels that want to differ around a triangle: one half each, and no edge agrees."""
    x, y = Graph(np.zeros((3, 1)), TRIANGLE), [0, 1, 0]
    for pairwise in ("potts", "full"):
        space = GraphSpace(
            pairwise=pairwise, inference="lp", dtype="float64", bias=False
        )
        oracle = space.bind(space.fit_pack([x], [y]))
        w = np.zeros(space.size_psi_)
        if pairwise == "potts":
            w[-1] = -10.0
        else:
            # [0, 0] and [1, 1] of the last table, (2, stride)
            w[-2 * space.stride_] = w[-space.stride_ + 1] = -10.0
        z = space.loss_augmented_decode(w, x, y)
        assert isinstance(z, FractionalLabels)
        for one in z.shares:
            assert one[0] == pytest.approx(0.5, abs=1e-6)
        assert space.loss(y, z) == pytest.approx(1.5, abs=1e-5)
        assert space.joint_feature(x, z) @ w == pytest.approx(0, abs=1e-5)
        nodes, edges = tables(space, w, x, y)
        assert labelled(nodes, TRIANGLE, edges) == -7
        assert "0:0.5/1:0.5" in repr(z)
        assert len(z) == 3
        assert repr(pickle.loads(pickle.dumps(z))) == repr(z)
        assert space.decode(w, x) in list(space.enumerate(x))
        assert oracle.argmax(w, 0, 1.0).tolist() == z.code.tolist()


def frustrated(n_graphs, seed=0, n=6):
    """Labels that differ from most of their neighbours, in graphs full of odd cycles."""
    rng = np.random.default_rng(seed)
    X, Y = [], []
    for _ in range(n_graphs):
        edges = [p for p in combinations(range(n), 2) if rng.random() < 0.6]
        y = rng.integers(0, 3, size=n)
        for _ in range(20):
            v = rng.integers(n)
            near = [y[b] if a == v else y[a] for a, b in edges if v in (a, b)]
            counts = np.bincount(near, minlength=3)
            y[v] = rng.choice(np.flatnonzero(counts == counts.min()))
        X.append(Graph(np.eye(3)[y] * 0.3 + rng.normal(size=(n, 3)), edges))
        Y.append(y.tolist())
    return X, Y


@pytest.mark.parametrize("pairwise", ["full", "potts"])
@pytest.mark.parametrize("solver", ["bcfw", "one_slack"])
def test_the_gap_of_the_relaxed_problem_closes(pairwise, solver):
    X, Y = frustrated(12, seed=1)
    same = {"C": 1.0, "pairwise": pairwise, "dtype": "float64", "max_iter": 500}
    model = GraphSVM(inference="lp", tol=1e-3, solver=solver, **same).fit(X, Y)
    assert (model.certificate_, model.status_) == ("relaxed", "converged")
    assert model.relative_gap_ <= 1e-3
    w, space = model.coef_, model.space_
    relaxed = exact = 0.5 * float(w @ w)
    for x, y in zip(X, Y, strict=True):
        nodes, edges = tables(space, w, x, y)
        ends = x.edges.tolist()
        truth = space.joint_feature(x, y) @ w
        relaxed += polytope(nodes, ends, edges) - truth
        exact += labelled(nodes, ends, edges) - truth
    assert model.primal_objective_ == pytest.approx(relaxed, rel=1e-6)
    assert relaxed > exact + 1e-3  # the relaxation is loose here
    assert all(len(z) == len(y) for z, y in zip(model.predict(X), Y, strict=True))


def test_the_gap_of_rounded_labels_stays_open_there():
    X, Y = frustrated(12, seed=1)
    rounded = GraphSVM(
        1.0, inference="dual", dtype="float64", max_iter=500, tol=1e-3
    ).fit(X, Y)
    assert (rounded.certificate_, rounded.status_) == ("bounded", "stalled")
    assert rounded.relative_gap_ > 1e-2


@pytest.mark.parametrize("kind", ["forest", "attractive"])
def test_where_the_relaxation_is_tight_the_problem_is_the_exact_one(kind):
    params = {"pairwise": "potts", "attractive": True} if kind == "attractive" else {}
    X, Y = (samples.grids if params else samples.forests)(np.random.default_rng(2))
    X, Y = X * 2, Y * 2
    fits = {
        inference: GraphSVM(
            0.5, inference=inference, tol=1e-5, dtype="float64", max_iter=3000, **params
        ).fit(X, Y)
        for inference in ("auto", "lp")
    }
    auto, lp = fits["auto"], fits["lp"]
    assert (auto.certificate_, lp.certificate_) == ("exact", "relaxed")
    assert lp.primal_objective_ == pytest.approx(auto.primal_objective_, rel=3e-5)
    oracle = lp.space_.bind(lp.space_.pack(X, Y))
    exact = auto.space_.bind(auto.space_.pack(X, Y))
    for w in (lp.coef_, 3 * auto.coef_):
        for i in range(len(X)):
            code, z = oracle.argmax(w, i, 1.0), exact.argmax(w, i, 1.0)
            assert oracle.score(w, i, code) + oracle.loss(i, code) == pytest.approx(
                exact.score(w, i, z) + exact.loss(i, z), rel=1e-8
            )


def test_predictions_are_labels_of_the_program():
    X, Y = frustrated(4)
    space = GraphSpace(inference="lp", pairwise="potts", dtype="float64").fit_domain(
        X, Y
    )
    w = np.random.default_rng(1).normal(size=space.size_psi_)
    for x, z in zip(X, space.decode_batch(w, X), strict=True):
        nodes, _ = tables(space, w, x)
        found = decode_graph(np.array(nodes), x.edges, np.full(x.n_edges, w[-1]), "lp")
        assert z == found.labels.tolist()


def test_codes_from_outside_are_checked():
    x, y = Graph(np.zeros((3, 1)), TRIANGLE), [0, 1, 0]
    for pairwise, cells in (("potts", 1), ("full", 4)):
        space = GraphSpace(pairwise=pairwise, inference="lp")
        oracle = space.bind(space.fit_pack([x], [y]))
        truth = oracle.truth(0)
        assert len(truth) == oracle.code_len(0) == 6 + 3 * cells
        assert oracle.loss(0, truth) == 0
        for at, value in (
            (0, -1),
            (0, UNIT + 1),
            (0, UNIT - 1),  # a node that does not add up
            (1, 1),
            (6, UNIT),  # the ends of the first edge differ
            (6, -1),
        ):
            bad = truth.copy()
            bad[at] = value
            with pytest.raises(ValueError, match=r"code"):
                oracle.psi(0, bad)
        half = np.full(len(truth), UNIT // 2, dtype=np.int32)
        if pairwise == "full":
            half[6:] = UNIT // 4
            assert oracle.psi(0, half).sum() > 0
            half[6] += 1  # a row that is not its node's marginal
            with pytest.raises(ValueError, match=r"code"):
                oracle.psi(0, half)
        else:
            half[6:] = [0, UNIT // 3, UNIT]
            assert oracle.psi(0, half)[-1] == pytest.approx(4 / 3)


def test_warm_starts_and_verbs():
    X, Y = frustrated(6)
    space = GraphSpace(inference="lp", dtype="float64")
    packed = space.fit_pack(X, Y)
    oracle = space.bind(packed)
    assert not oracle.verbs & {"parts", "part_shape", "add_scores", "load_scores"}
    assert "bound" in oracle.verbs
    solver = BCFW(tol=1e-3, max_iter=400, random_state=0)
    first = solver.solve(oracle, 0.2)
    again = solver.solve(oracle, 0.2, working_set=first.working_set)
    assert again.status == "converged"
    assert again.n_iter <= first.n_iter
    assert again.dual >= first.dual - 1e-6
    # without truths codes are labels, and parts have scores
    plain = space.bind(space.pack(X))
    assert plain.code_len(0) == len(X[0])
    assert "add_scores" in plain.verbs


def test_labels_that_are_missing_cost_nothing():
    X, Y = frustrated(8)
    partial = [[None, *y[1:]] for y in Y[:4]] + Y[4:]
    space = GraphSpace(inference="lp", dtype="float64").fit_domain(X, Y)
    w = np.random.default_rng(0).normal(size=space.size_psi_)
    filled = space.impute_batch(w, X, partial)
    oracle = space.bind(space.pack(X, filled, observed=partial))
    for i, (x, y) in enumerate(zip(X, partial, strict=True)):
        code = oracle.argmax(w, i, 1.0)
        z = space.loss_augmented_decode(w, x, y)
        if i >= 4:
            assert space.loss(y, z) == pytest.approx(oracle.loss(i, code))
        nodes, edges = tables(space, w, x)
        for v in range(len(y)):
            if y[v] is not None:
                nodes[v] += np.arange(3) != y[v]
        value = oracle.score(w, i, code) + oracle.loss(i, code)
        best = polytope(nodes, x.edges.tolist(), edges)
        assert value == pytest.approx(best, abs=1e-6 * (1 + abs(best)))
    model = LatentStructuralSVM(
        GraphSVM(0.1, inference="lp"), max_rounds=2, random_state=0
    ).fit(X, partial)
    assert model.certificate_ == "relaxed"
