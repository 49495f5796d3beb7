"""Graphs: decoders against enumeration, a twin of the scores, missing labels, errors."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from pystruct_ext.outputs import Graph, NodeLabels, grid_graph
from pystruct_ext.spaces import GraphSpace, UnseenLabelError
from pystruct_ext.structures.samples import graph as samples

SHAPES = ((1, 4), (2, 2), (2, 3), (3, 3))


def grids(rng, n_labels, shapes=SHAPES, **kwargs):
    X = [grid_graph(rng.normal(size=(*s, 2)), **kwargs) for s in shapes]
    Y = [rng.integers(0, n_labels, size=s[0] * s[1]).tolist() for s in shapes]
    Y[-1][:n_labels] = range(n_labels)
    return X, Y


def twin_score(space, w, graph, labels):
    """The score as the formula says it, label by label."""
    types = graph.node_types or [None] * len(graph)
    number = {t: k for k, t in enumerate(space.node_types_)}
    rows = graph.features
    rows = rows.toarray() if sparse.issparse(rows) else np.asarray(rows, dtype=float)
    local = [
        space.type_classes_[number[t]].index(c)
        for t, c in zip(types, labels, strict=True)
    ]
    total = 0.0
    for v, t in enumerate(types):
        own = space.node_scores(w, number[t])
        x = np.append(rows[v], 1.0) if space.bias else rows[v]
        total += x @ own[:, local[v]]
    edge_types = graph.edge_types or [None] * graph.n_edges
    features = graph.edge_features
    if features is None:
        features = np.ones((graph.n_edges, 1))
    if sparse.issparse(features):
        features = features.toarray()
    for e, (a, b) in enumerate(graph.edges.tolist()):
        kind = space.kinds_.index((number[types[a]], number[types[b]], edge_types[e]))
        for f, table in zip(features[e], space.pair_scores(w, kind), strict=True):
            if space.pairwise == "potts":
                total += f * table * (labels[a] == labels[b])
            else:
                total += f * table[local[a], local[b]]
    return total


PROBLEMS = {
    "forest": ({}, samples.forests),
    "types": ({"bias": False}, samples.typed),
    "potts": ({"pairwise": "potts"}, samples.grids),
    "attractive": ({"pairwise": "potts", "attractive": True}, samples.grids),
    "symmetric": ({"pairwise": "symmetric"}, samples.labelled),
    "full": ({}, samples.labelled),
    "ends": ({}, lambda rng: grids(rng, 2, SHAPES[:3], ends=True)),
}


@pytest.fixture(params=PROBLEMS)
def problem(request):
    params, make = PROBLEMS[request.param]
    X, Y = make(np.random.default_rng(5))
    space = GraphSpace(dtype="float64", **params)
    packed = space.fit_pack(X, Y)
    w = np.random.default_rng(6).normal(size=space.size_psi_)
    if space.nonnegative_:
        first, last = space.nonnegative_
        w[first:last] = np.abs(w[first:last])
    return space, X, Y, space.bind(packed), w


def test_scores_are_those_of_the_formula(problem):
    space, X, Y, oracle, w = problem
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        expected = twin_score(space, w, x, y)
        assert oracle.score(w, i, oracle.truth(i)) == pytest.approx(expected)
        assert space.joint_feature(x, y) @ w == pytest.approx(expected)


def test_decoders_bounds_and_losses_equal_enumeration(problem):
    space, X, Y, oracle, w = problem
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        outputs = list(space.enumerate(x))
        scores = np.array([twin_score(space, w, x, z) for z in outputs])
        losses = np.array([space.loss(y, z) for z in outputs])
        for scale in (0.0, 1.0):
            best = (scores + scale * losses).max()
            code = oracle.argmax(w, i, scale)
            found = oracle.score(w, i, code)
            found += scale * oracle.loss(i, code) if scale else 0.0
            assert found <= best + 1e-9
            assert oracle.bound(w, i, scale) >= best - 1e-9
            if oracle.exactness == "exact":
                assert found == pytest.approx(best, abs=1e-9)


def test_forests_answer_questions_about_all_labellings():
    X, Y = samples.forests(np.random.default_rng(1))
    space = GraphSpace(dtype="float64")
    packed = space.fit_pack(X, Y)
    oracle = space.bind(packed)
    w = np.random.default_rng(2).normal(size=space.size_psi_)
    for i, x in enumerate(X):
        outputs = list(space.enumerate(x))
        scores = np.array([twin_score(space, w, x, z) for z in outputs])
        log_z = np.logaddexp.reduce(scores / 1.5)
        marginals, found = oracle.marginals(w, i, 1.5)
        assert found == pytest.approx(log_z)
        p = np.exp(scores / 1.5 - log_z)
        expected = np.zeros_like(marginals)
        for q, z in zip(p, outputs, strict=True):
            expected[space.parts(z)] += q
        np.testing.assert_allclose(marginals, expected, atol=1e-12)
        codes, best = oracle.k_best(w, i, 5)
        np.testing.assert_allclose(best, np.sort(scores)[::-1][:5])
        assert len({c.tobytes() for c in codes}) == len(codes)
        draws = oracle.sample(w, i, 4000, 1.5, 3)
        seen = np.zeros_like(marginals)
        for code in draws:
            seen[np.arange(len(code)), code] += 1 / 4000
        np.testing.assert_allclose(seen, marginals, atol=0.04)


def test_cut_equals_the_minimum_cut_of_networkx():
    rng = np.random.default_rng(0)
    X, Y = grids(rng, 2, [(6, 7)], contrast=1.0, directions=None)
    space = GraphSpace(pairwise="potts", attractive=True, dtype="float64").fit_domain(
        X, Y
    )
    assert space.exact_
    w = rng.normal(size=space.size_psi_)
    first, last = space.nonnegative_
    w[first:last] = np.abs(w[first:last])
    graph = X[0]
    unary = np.c_[graph.features, np.ones(42)] @ space.node_scores(w)
    net = nx.DiGraph()
    for v in range(42):
        net.add_edge("s", v, capacity=unary[v, 1] - unary[v].min())
        net.add_edge(v, "t", capacity=unary[v, 0] - unary[v].min())
    for (a, b), f in zip(graph.edges.tolist(), graph.edge_features, strict=True):
        price = float(f @ space.pair_scores(w, 0))
        net.add_edge(a, b, capacity=price)
        net.add_edge(b, a, capacity=price)
    _, (ones, _) = nx.minimum_cut(net, "s", "t")
    expected = [int(v in ones) for v in range(42)]
    assert twin_score(space, w, graph, space.decode(w, graph)) == pytest.approx(
        twin_score(space, w, graph, expected)
    )


def test_bounded_grids_are_near_the_best():
    rng = np.random.default_rng(3)
    X, Y = grids(rng, 3, [(3, 4)])
    space = GraphSpace(dtype="float64")
    oracle = space.bind(space.fit_pack(X, Y))
    assert oracle.exactness == "bounded"
    for _ in range(3):
        w = 0.5 * rng.normal(size=space.size_psi_)
        unary = np.c_[X[0].features, np.ones(12)] @ space.node_scores(w)
        codes = np.array(list(itertools.product(range(3), repeat=12)))
        scores = unary[np.arange(12), codes].sum(axis=1)
        for e, (a, b) in enumerate(X[0].edges.tolist()):
            kind = space.kinds_.index((0, 0, X[0].edge_types[e]))
            scores += space.pair_scores(w, kind)[0][codes[:, a], codes[:, b]]
        best = scores.max()
        found = oracle.score(w, 0, oracle.argmax(w, 0, 0.0))
        assert found <= best + 1e-9 <= oracle.bound(w, 0, 0.0) + 2e-9
        assert found >= best - 0.1 * abs(best)


@pytest.mark.parametrize("name", ["forest", "types", "symmetric", "attractive"])
def test_impute_is_the_best_that_agrees(name):
    params, make = PROBLEMS[name]
    X, Y = make(np.random.default_rng(5))
    space = GraphSpace(dtype="float64", inference="auto", **params)
    space.fit_domain(X, Y)
    rng = np.random.default_rng(9)
    w = rng.normal(size=space.size_psi_)
    if space.nonnegative_:
        w[slice(*space.nonnegative_)] = np.abs(w[slice(*space.nonnegative_)])
    for x, y in zip(X, Y, strict=True):
        partial = NodeLabels(y, getattr(y, "weights", None))
        for v in range(len(y)):
            how = rng.integers(3)
            if how == 0:
                partial[v] = None
            elif how == 1:
                types = x.node_types or [None] * len(x)
                own = space.type_classes_[space.node_types_.index(types[v])]
                partial[v] = {y[v], own[0]}
        assert space.is_complete(y)
        known = [c is not None and not isinstance(c, set) for c in partial]
        assert space.is_complete(partial) == all(known)
        found = space.impute(w, x, partial)
        agree = [
            z
            for z in space.enumerate(x)
            if all(
                c is None or (q in c if isinstance(c, set) else q == c)
                for q, c in zip(z, partial, strict=True)
            )
        ]
        assert list(found) in agree
        values = [twin_score(space, w, x, z) for z in agree]
        if space.exact_:
            assert twin_score(space, w, x, found) == pytest.approx(max(values))
        # The loss counts what is known, in the oracle as in the space.
        packed = space.pack([x], [found], observed=[partial])
        oracle = space.bind(packed)
        assert oracle.loss(0, oracle.truth(0)) == 0
        z = space.loss_augmented_decode(w, x, partial)
        code = oracle.argmax(w, 0, 1.0)
        assert oracle.loss(0, code) == pytest.approx(
            space.loss(partial, space.output_of(code.tolist(), packed, 0))
        )
        assert space.output_of(code.tolist(), packed, 0) == z


def test_costs():
    X, Y = samples.grids(np.random.default_rng(0))
    space = GraphSpace(pairwise="potts", label_weight={1: 3.0}).fit_domain(X, Y)
    y = NodeLabels([0, 1, 1, 0], [1.0, 2.0, 3.0, 4.0])
    assert space.loss(y, [1, 0, 1, 1]) == 1 + 3 * 2 + 4
    oracle = space.bind(space.pack([X[0]], [y]))
    assert oracle.loss(0, np.array([1, 0, 1, 1], dtype=np.int32)) == 11
    graph = grid_graph(
        np.zeros((2, 2, 2)),
        8,
        directions=None,
        contrast=0.5,
        node_weights=[[1, 0], [0, 5]],
    )
    oracle = space.bind(space.pack([graph], [[0, 0, 0, 0]]))
    assert oracle.loss(0, np.array([1, 1, 1, 0], dtype=np.int32)) == 1
    balanced = GraphSpace(label_weight="balanced").fit_domain(
        [(np.eye(4), [(0, 1)])], [["a", "a", "a", "b"]]
    )
    np.testing.assert_allclose(balanced.label_weights_, [4 / 6, 2.0])


def test_arrays_of_grids_are_labels():
    graph = grid_graph(np.arange(6.0).reshape(2, 3))
    y = np.array([[0, 0, 1], [1, 1, 0]])
    space = GraphSpace()
    packed = space.fit_pack([graph], [y])
    assert packed.truths.tolist() == y.ravel().tolist()
    assert space.loss(y, y.ravel().tolist()) == 0


X3 = np.eye(3)
PAIR = [(0, 1), (1, 2)]


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (
            (X3, [(0, 3)]),
            r"X: example 1: edge 0 joins the nodes \(0, 3\), expected nodes 0 .. 2",
        ),
        ((X3, [(-1, 0)]), r"joins the nodes \(-1, 0\)"),
        ((X3, [(0, 1), (1, 1)]), "edge 1 joins node 1 to itself"),
        ((X3, [(0, 1), (2, 1), (1, 0)]), r"edges 0 and 2 both join the nodes \(0, 1\)"),
        ((X3, [(0.5, 1)]), "edges holds float64, expected whole numbers"),
        ((X3, [(0, 1, 2)]), r"edges has shape \(1, 3\), expected \(m, 2\)"),
        ((X3 * np.nan, PAIR), "features holds NaN"),
        ((X3[:, :2], PAIR), "X has|X: example 1"),
        ((X3, PAIR, np.ones((3, 1))), "edge_features has 3 rows, expected 2"),
        ((X3, PAIR, np.ones((2, 1))), "X: example 1 has 1 edge features, expected 0"),
        ((np.zeros((0, 3)), []), "X: example 1 has no nodes"),
        ("graph", "X: example 1: must be a Graph or a tuple"),
    ],
)
def test_bad_graphs(x, text):
    good = (X3, PAIR)
    for call in (
        lambda: GraphSpace().fit_domain([good, x], [["a", "b", "a"], ["a", "b", "a"]]),
        lambda: GraphSpace().fit_domain([good], [["a", "b", "a"]]).pack([good, x]),
    ):
        with pytest.raises((ValueError, TypeError), match=text):
            call()


@pytest.mark.parametrize(
    ("params", "x", "y", "text"),
    [
        (
            {},
            (X3, PAIR),
            ["a", "b"],
            "y: example 0 has 2 labels, but the graph has 3 nodes",
        ),
        (
            {},
            (X3, PAIR),
            ["a", None, "b"],
            "node 1 of example 0 is missing .* LatentStructuralSVM",
        ),
        ({}, (X3, PAIR), ["a", {"a", "b"}, "b"], "LatentStructuralSVM"),
        ({"missing_label": -1}, (X3, PAIR), [0, -1, 1], "LatentStructuralSVM"),
        (
            {"labels": ("a", "b")},
            (X3, PAIR),
            ["a", "b", "c"],
            "node 2 of example 0 has the label 'c'",
        ),
        (
            {"labels": {"p": ["a"], "q": ["b"]}},
            Graph(X3, PAIR, node_types=["p", "q", "p"]),
            ["a", "b", "b"],
            r"node 2 of example 0 has the label 'b', expected one of \['a'\], the labels",
        ),
        (
            {"inference": "forest"},
            (X3, [*PAIR, (0, 2)]),
            ["a", "b", "a"],
            "example 0 has a cycle",
        ),
        (
            {"inference": "cut"},
            (X3, PAIR),
            ["a", "b", "c"],
            "'cut' is for two labels, but there are 3",
        ),
        (
            {"pairwise": "potts", "attractive": True},
            (X3, PAIR, [[1.0], [-0.5]]),
            ["a", "b", "a"],
            "example 0, edge 1 has the feature -0.5 in column 0; attractive=True needs",
        ),
        (
            {"attractive": True},
            (X3, PAIR),
            ["a", "b", "a"],
            "attractive=True is for pairwise='potts'",
        ),
        (
            {"pairwise": "potts"},
            Graph(X3, PAIR, node_types=["p", "q", "p"]),
            ["a", "b", "a"],
            "joins nodes of the types 'p' and 'q'",
        ),
        (
            {"label_weight": {"z": 1.0}},
            (X3, PAIR),
            ["a", "b", "a"],
            "label_weight names 'z'",
        ),
        (
            {"label_weight": {"a": -1.0}},
            (X3, PAIR),
            ["a", "b", "a"],
            r"label_weight\['a'\] is -1.0",
        ),
        ({"pairwise": "none"}, (X3, PAIR), ["a", "b", "a"], "pairwise must be one of"),
        ({}, (X3, PAIR), [["a"], "b", "a"], "node 0 of example 0 has the label"),
    ],
)
def test_bad_problems(params, x, y, text):
    with pytest.raises((ValueError, TypeError), match=text):
        GraphSpace(**params).fit_pack([x], [y])


def test_what_was_not_seen_at_fit():
    space = GraphSpace().fit_domain(
        [Graph(X3, PAIR, edge_types=["r", "s"])], [["a", "b", "a"]]
    )
    with pytest.raises(ValueError, match="example 0, edge 0 is one of the type 't'"):
        space.pack([Graph(X3, PAIR, edge_types=["t", "s"])])
    with pytest.raises(UnseenLabelError, match="node 1 of example 0 has the label 'z'"):
        space.pack([Graph(X3, PAIR, edge_types=["r", "s"])], [["a", "z", "a"]])
    typed = GraphSpace().fit_domain(
        [Graph(X3, PAIR, node_types=[1, 2, 1])], [["a", "b", "a"]]
    )
    with pytest.raises(ValueError, match="example 0, node 2 is of the type 3"):
        typed.pack([Graph(X3, PAIR, node_types=[1, 2, 3])])
    with pytest.raises(ValueError, match="example 0 has no node_types"):
        typed.pack([(X3, PAIR)])
