"""Graphs in files: what is written is read, and bad records are refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import sparse

from pystruct_ext.io import SkippedRecordsWarning, read_graphs, write_graphs
from pystruct_ext.outputs import Graph, NodeLabels, grid_graph


def same_matrix(a, b):
    if a is None or b is None:
        return a is b
    return sparse.issparse(a) == sparse.issparse(b) and np.array_equal(
        *(m.toarray() if sparse.issparse(m) else m for m in (a, b))
    )


@pytest.mark.parametrize("name", ["graphs.jsonl", "graphs.jsonl.gz"])
def test_round_trip(tmp_path, name):
    rng = np.random.default_rng(0)
    graphs = [
        grid_graph(rng.normal(size=(2, 3, 2)), 8, contrast=0.5),
        Graph(
            sparse.csr_array(np.eye(3)),
            [(2, 0), (1, 2)],
            sparse.csr_array([[0.5, 0], [0, 1.0]]),
            node_types=["p", 1, "p"],
            edge_types=["of", "is"],
            names=["x", "y", "z"],
        ),
        Graph([[1]], []),
    ]
    labels = [
        NodeLabels([0, 1, 1, None, 0, {0, 1}], [1, 2, 3, 4, 5, 0]),
        ["a", "b", "a"],
        [2.5],
    ]
    write_graphs(tmp_path / name, graphs, labels)
    data = read_graphs(tmp_path / name)
    assert len(data) == 3
    assert [list(y) for y in data.labels] == [list(y) for y in labels]
    assert data.labels[0].weights.tolist() == [1, 2, 3, 4, 5, 0]
    for graph, back in zip(graphs, data.graphs, strict=True):
        assert same_matrix(graph.features, back.features)
        assert same_matrix(graph.edge_features, back.edge_features)
        assert graph.edges.tolist() == back.edges.tolist()
        for field in ("node_types", "edge_types", "shape", "names"):
            assert getattr(graph, field) == getattr(back, field)
    assert data.take([2, 0]).labels[0] == [2.5]
    write_graphs(tmp_path / "plain.jsonl", graphs)
    without = read_graphs(tmp_path / "plain.jsonl")
    assert without.labels is None
    assert without.unlabelled.endswith("plain.jsonl:1")


GOOD = {"features": [[1.0], [2.0]], "edges": [[0, 1]], "labels": ["a", "b"]}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"edges": [[0, 2]]},
            r"edge 0 joins the nodes \(0, 2\), expected nodes 0 .. 1",
        ),
        ({"edges": [[0, 0]]}, "joins node 0 to itself"),
        ({"edges": [[0, 1], [1, 0]]}, "edges 0 and 1 both join"),
        ({"edges": [[0.5, 1]]}, "edges holds 0.5, expected whole numbers"),
        ({"edges": [[0, 1, 1]]}, r"edges has shape \(1, 3\)"),
        ({"edges": [[0, 2**70]]}, "too large"),
        ({"edges": {}}, "edges holds None"),
        ({"features": [[1.0], ["x"]]}, "features holds 'x', expected numbers"),
        ({"features": [[1.0], [2.0, 3.0]]}, "inhomogeneous|sequence"),
        ({"features": [[1.0], [float("nan")]]}, "NaN"),
        (
            {"features": {"width": 2, "rows": [{"2": 1}, {}]}},
            "row 0 has the column '2'",
        ),
        ({"features": {"width": -1, "rows": []}}, "width is -1"),
        (
            {"features": {"rows": []}},
            "must be a list of rows, or have a width and rows",
        ),
        ({"features": [], "edges": [], "labels": []}, "no nodes"),
        ({"labels": ["a"]}, "labels must be a list of 2"),
        ({"labels": ["a", {}]}, r"labels: node 1 has {}"),
        ({"labels": [["a"], [None]]}, "labels: node 1 has None"),
        ({"node_types": ["p"]}, "node_types has 1 entries, expected 2"),
        ({"node_types": "pq"}, "node_types must be a list"),
        ({"node_weights": [1, -1]}, "node 1 has -1.0, expected a finite number >= 0"),
        ({"shape": [3, 1]}, r"shape is \(3, 1\), expected one of 2 cells"),
        ({"shape": [2, 0.5]}, "whole numbers > 0"),
        ({"colour": 1}, "unknown field 'colour'"),
    ],
)
def test_bad_records(tmp_path, change, text):
    path = tmp_path / "g.jsonl"
    good, bad = json.dumps(GOOD), json.dumps({**GOOD, **change})
    path.write_text(f"{good}\n{bad}\n")
    with pytest.raises(ValueError, match=rf"g\.jsonl:2: .*({text})"):
        read_graphs(path)
    with pytest.warns(SkippedRecordsWarning, match="1 of 2 graphs left out"):
        assert len(read_graphs(path, on_error="skip")) == 1


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("[1]", "expected a JSON object"),
        ("{", "not a JSON object"),
        ('{"features": [[1]]}', "the field 'edges' is missing"),
        ('{"edges": [], "edges": []}', "the field 'edges' occurs twice"),
    ],
)
def test_bad_lines(tmp_path, line, text):
    path = tmp_path / "g.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match=rf"g\.jsonl:1: .*{text}"):
        read_graphs(path)


def test_writers_check(tmp_path):
    with pytest.raises(ValueError, match="example 0 has 1 labels, expected 2"):
        write_graphs(tmp_path / "x", [([[1], [2]], [])], [["a"]])
    with pytest.raises(ValueError, match="labels has 0 graphs, expected 1"):
        write_graphs(tmp_path / "x", [([[1], [2]], [])], [])
