"""Files of pair graphs: round trips, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pystruct_ext import PairGraph
from pystruct_ext.io import (
    SkippedRecordsWarning,
    read_pair_graphs,
    write_clusters,
    write_pair_graphs,
)

GOOD = {
    "items": ["a", "b", "c"],
    "pairs": [["a", "b"], ["b", "c"], ["c", "a"]],
    "features": [[1, 0.5], [0, 2], [3, -1]],
    "clusters": ["x", "x", "y"],
}


def written(folder, *records):
    path = folder / "graphs.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in records) + "\n")
    return path


def test_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    graphs = [
        PairGraph.complete(
            3, rng.normal(size=(3, 2)), items=["é", "b c", '"'], name="one"
        ),
        PairGraph(4, [(2, 0), (3, 1)], rng.normal(size=(2, 2))),
        PairGraph(1, [], np.zeros((0, 2))),
    ]
    clusters = [["x", "x", 3], [0, 1, 0, 1], [5]]
    for name in ("g.jsonl", "g.jsonl.gz"):
        path = tmp_path / name
        write_pair_graphs(path, graphs, clusters)
        data = read_pair_graphs(path)
        assert data.clusters == clusters
        for a, b in zip(graphs, data.graphs, strict=True):
            assert (a.n, a.items, a.name) == (b.n, b.items, b.name)
            assert a.pairs.tolist() == b.pairs.tolist()
            assert a.features.tolist() == b.features.tolist()
    write_pair_graphs(tmp_path / "new", graphs)
    assert read_pair_graphs(tmp_path / "new").clusters is None
    write_clusters(tmp_path / "t.csv", graphs[:1], clusters[:1])
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "one,é,0"


def test_links(tmp_path):
    record = {k: v for k, v in GOOD.items() if k != "clusters"}
    data = read_pair_graphs(written(tmp_path, {**record, "links": [["c", "a"]]}))
    assert data.clusters == [[0, 1, 0]]
    path = written(tmp_path, {**record, "links": [["c", "a"], ["a", "b"]]})
    with pytest.raises(
        ValueError, match=r"jsonl:1: links: 'b' is linked with 'a' and 'a'"
    ):
        read_pair_graphs(path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"pairs": [["a", "b"], ["b", "z"], ["c", "a"]]},
            "pair 1 mentions 'z', which is not",
        ),
        ({"pairs": [["a", "b"], ["b", "b"], ["c", "a"]]}, "an item with itself"),
        ({"pairs": [["a", "b"], ["b", "a"], ["c", "a"]]}, "is there already: pair 0"),
        ({"pairs": [["a", "b"], ["b"], ["c", "a"]]}, "pair 1 has 1 entries"),
        ({"features": [[1, 2]]}, "features has 1 rows, expected one per pair: 3"),
        ({"features": [[1, 2], [1], [0, 0]]}, "pair 1 has 1 features, expected 2"),
        ({"features": [[1, 2], [1, "x"], [0, 0]]}, "has the feature 'x'"),
        (
            {"features": [[1, 2], [1, float("nan")], [0, 0]]},
            "NaN or infinity in column 1",
        ),
        ({"clusters": ["x"]}, "has 1 cluster ids, expected one per item: 3"),
        ({"clusters": ["x", [], "y"]}, "clusters must be a list of ids"),
        ({"items": ["a", "b", "a"]}, "which is not one of the items|occurs twice"),
        ({"extra": 1}, "unknown field 'extra'"),
        ({"links": []}, "has clusters and links"),
        ({"name": 3}, "name must be a string"),
    ],
)
def test_bad_records(tmp_path, change, text):
    path = written(tmp_path, GOOD, {**GOOD, **change})
    with pytest.raises(ValueError, match=rf"jsonl:2: .*({text})"):
        read_pair_graphs(path)
    with pytest.warns(SkippedRecordsWarning, match="1 of 2 pair graphs left out"):
        assert len(read_pair_graphs(path, "skip")) == 1


def test_no_json(tmp_path):
    path = tmp_path / "x.jsonl"
    for text, said in (("{", "not a JSON object"), ("[]", "expected a JSON object")):
        path.write_text(text)
        with pytest.raises(ValueError, match=said):
            read_pair_graphs(path)
    path.write_text('{"pairs": [], "features": []}')
    with pytest.raises(ValueError, match="expected items, a list of names, or n"):
        read_pair_graphs(path)
