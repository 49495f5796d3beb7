"""Grids as graphs, and graphs of networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from pystruct_ext.outputs import Graph, grid_graph
from pystruct_ext.outputs.networks import graph_from_networkx, graph_to_networkx


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 1), (3, 4)])
@pytest.mark.parametrize("neighbours", [4, 8])
def test_neighbours(shape, neighbours):
    h, w = shape
    graph = grid_graph(np.zeros((h, w, 2)), neighbours)
    near = {
        (min(a, b), max(a, b))
        for a in range(h * w)
        for b in range(h * w)
        if a != b
        for dy, dx in [(abs(a // w - b // w), abs(a % w - b % w))]
        if max(dy, dx) == 1 and (neighbours == 8 or dy + dx == 1)
    }
    found = [tuple(sorted(e)) for e in graph.edges.tolist()]
    assert set(found) == near
    assert len(found) == len(near)
    assert graph.shape == shape
    for (a, b), kind in zip(graph.edges.tolist(), graph.edge_types, strict=True):
        step = b // w - a // w, b % w - a % w
        expected = {"horizontal": (0, 1), "vertical": (1, 0), "falling": (1, 1)}
        assert step == expected.get(kind, (-1, 1))


def test_edge_features():
    rng = np.random.default_rng(0)
    image = rng.random((3, 4, 2))
    flat = image.reshape(12, 2)
    colours = rng.random((3, 4))
    graph = grid_graph(
        image, ends=True, contrast=(0.1, 0.5), colours=colours, directions="one-hot"
    )
    assert graph.edge_features.shape == (17, 3 + 4 + 2)
    for (a, b), row in zip(graph.edges.tolist(), graph.edge_features, strict=True):
        apart = (colours.ravel()[a] - colours.ravel()[b]) ** 2
        expected = [
            1.0,
            np.exp(-apart / 0.02),
            np.exp(-apart / 0.5),
            *flat[a],
            *flat[b],
        ]
        np.testing.assert_allclose(row[:7], expected)
        assert row[7:].tolist() == [float(b == a + 1), float(b != a + 1)]
    assert graph.edge_types is None
    thin = grid_graph(sparse.csr_array(flat), shape=(3, 4), ends=True)
    dense = grid_graph(image, ends=True)
    np.testing.assert_allclose(thin.edge_features.toarray(), dense.edge_features)
    assert graph.image(range(12)).tolist() == np.arange(12).reshape(3, 4).tolist()


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"neighbours": 6}, "neighbours must be 4 or 8, got 6"),
        ({"directions": "all"}, "directions must be"),
        ({"contrast": 0.0}, "contrast must be numbers > 0"),
        ({"colours": np.zeros((2, 2))}, "colours are for contrast"),
        ({"contrast": 1.0, "colours": np.zeros((3, 2))}, "colours has shape"),
        ({"node_weights": np.ones(4)}, r"node_weights has shape \(4,\)"),
        ({"shape": (4, 1)}, "but the image has"),
    ],
)
def test_bad_arguments(kwargs, text):
    with pytest.raises(ValueError, match=text):
        grid_graph(np.zeros((2, 2)), **kwargs)
    with pytest.raises(ValueError, match="image has shape"):
        grid_graph(np.zeros(4))


def test_networkx_there_and_back():
    net = nx.DiGraph()
    for name, x, label in (("b", 1.0, "y"), ("a", 2.0, "x"), ("c", 3.0, None)):
        net.add_node(name, features=[x, 0.0], label=label, type="t" + name, weight=x)
    net.add_edge("a", "b", features=[0.5], type="of")
    net.add_edge("c", "a", features=[1.5], type="is")
    found = graph_from_networkx(
        net,
        node_type="type",
        edge_type="type",
        edge_features="features",
        weight="weight",
    )
    graph, labels = found.graph, found.labels
    assert graph.names == ["b", "a", "c"]
    assert graph.features[:, 0].tolist() == [1, 2, 3]
    assert sorted(map(tuple, graph.edges.tolist())) == [(1, 0), (2, 1)]
    assert labels == ["y", "x", None]
    assert labels.weights.tolist() == [1, 2, 3]
    assert graph.node_types == ["tb", "ta", "tc"]
    back = graph_to_networkx(graph, labels)
    assert list(back) == ["b", "a", "c"]
    assert sorted(back.edges) == sorted(net.edges)
    assert back.nodes["a"]["label"] == "x"
    assert back.edges["c", "a"]["type"] == "is"
    assert back.edges["c", "a"]["features"].tolist() == [1.5]


def test_networkx_errors():
    net = nx.path_graph(3)
    with pytest.raises(ValueError, match="node 0 has no attribute 'features'"):
        graph_from_networkx(net)
    for v in net:
        net.nodes[v]["features"] = [float(v)]
    assert graph_from_networkx(net).labels is None
    net.nodes[1]["label"] = "a"
    assert graph_from_networkx(net).labels == [None, "a", None]
    net.add_edge(1, 1)
    with pytest.raises(ValueError, match="joins node 1 to itself"):
        graph_from_networkx(net)
    multi = nx.MultiGraph(nx.path_graph(2))
    with pytest.raises(TypeError, match="MultiGraph"):
        graph_from_networkx(multi)


def test_values_are_checked_again():
    graph = Graph(np.eye(2), [(0, 1)])
    assert len(graph) == 2
    graph.edges = [(0, 2)]
    with pytest.raises(ValueError, match=r"expected nodes 0 \.\. 1"):
        graph.check()
    with pytest.raises(ValueError, match="no grid"):
        Graph(np.eye(2), []).image([0, 1])
