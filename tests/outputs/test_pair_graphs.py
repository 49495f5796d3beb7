"""Pair graphs, cluster ids, links and blocks."""

from __future__ import annotations

import itertools
import pickle

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from pystruct_ext.outputs import (
    Clusters,
    PairGraph,
    clusters_from_links,
    split_into_blocks,
)


@pytest.mark.parametrize(
    ("pairs", "features", "text"),
    [
        ([(0, 4)], [[1.0]], r"graph 'g': pair 0 is \(0, 4\), expected items in 0 .. 3"),
        ([(0, 1), (-1, 2)], [[1.0]] * 2, r"pair 1 is \(-1, 2\)"),
        ([(0, 1), (2, 2)], [[1.0]] * 2, r"pair 1 is \(2, 2\), an item with itself"),
        (
            [(0, 1), (1, 2), (1, 0)],
            [[1.0]] * 3,
            r"pair 2, \(1, 0\), is there already: pair 0",
        ),
        ([(0, 1)], [[1.0], [2.0]], "features has 2 rows, expected one per pair: 1"),
        ([(0, 1), (1, 2)], [[1.0], [np.nan]], r"column 0 of pair 1, \(1, 2\)"),
        ([(0, 1)], [1.0], "features must be 2-D"),
        ([(0, 1)], [["x"]], "features must hold numbers"),
        ([(0, 1, 2)], [[1.0]], r"pairs must have shape \(E, 2\), got \(1, 3\)"),
    ],
)
def test_bad_graphs(pairs, features, text):
    with pytest.raises(ValueError, match=text):
        PairGraph(4, pairs, features, name="g")


def test_bad_sparse_features_and_names():
    bad = sparse.csr_array(np.array([[0.0, 1.0], [0.0, np.inf]]))
    with pytest.raises(ValueError, match=r"column 1 of pair 1, \(1, 2\)"):
        PairGraph(3, [(0, 1), (1, 2)], bad)
    with pytest.raises(ValueError, match="the item 'a' occurs twice"):
        PairGraph(2, [(0, 1)], [[1.0]], items=["a", "a"])
    with pytest.raises(ValueError, match="items has 1 names, expected 2"):
        PairGraph(2, [(0, 1)], [[1.0]], items=["a"])
    with pytest.raises(TypeError, match="n must be an int"):
        PairGraph("2", [(0, 1)], [[1.0]])


def test_links_that_are_not_transitive_name_the_three():
    with pytest.raises(
        ValueError,
        match="1 is linked with 0 and 0 with 2, but 1 is not linked with 2: not",
    ):
        clusters_from_links(5, [(0, 1), (2, 0), (3, 4)])
    assert clusters_from_links(5, [(0, 1), (2, 0), (3, 4)], closed=False).tolist() == [
        0, 0, 0, 1, 1,
    ]  # fmt: skip
    graph = PairGraph(
        4, [(0, 1), (1, 2), (2, 3), (0, 3)], [[0.0]] * 4, items=list("abcd")
    )
    with pytest.raises(
        ValueError, match="'a' is linked with 'b' and 'b' with 'c' and 'c'"
    ):
        graph.clusters([True, True, True, False])
    with pytest.raises(ValueError, match="pair 0 is"):
        clusters_from_links(2, [(0, 2)])


@pytest.mark.parametrize("seed", range(5))
def test_links_of_clusters_give_the_clusters_back(seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 4, size=9)
    links = [(a, b) for a, b in itertools.combinations(range(9), 2) if ids[a] == ids[b]]
    same = clusters_from_links(9, links)
    assert len(set(zip(same.tolist(), ids.tolist(), strict=True))) == len(
        set(ids.tolist())
    )
    kept = [link for link in links if rng.random() < 0.8]
    graph = nx.Graph(kept)
    graph.add_nodes_from(range(9))
    pieces = list(nx.connected_components(graph))
    closed = sum(len(p) * (len(p) - 1) // 2 for p in pieces) == len(kept)
    if closed:
        assert clusters_from_links(9, kept).max() + 1 == len(pieces)
    else:
        with pytest.raises(ValueError, match="not transitive"):
            clusters_from_links(9, kept)


def test_clusters_know_their_pairs():
    y = Clusters((0, 1, 0), [(0, 1), (0, 2)])
    again = pickle.loads(pickle.dumps(y))
    assert again == y == (0, 1, 0)
    assert again.joined.tolist() == [False, True]


def test_cluster_ids_that_are_none():
    graph = PairGraph(2, [(0, 1)], [[1.0]])
    for ids, text in (
        (["a", None], "item 1 has the cluster id None"),
        ([0.5, float("nan")], "item 1 has the cluster id nan"),
        ([0], "has 1 cluster ids, expected one per item: 2"),
    ):
        with pytest.raises(ValueError, match=text):
            graph.joined(ids)
    with pytest.raises(TypeError, match="cluster id of type list"):
        graph.joined([[0], [1]])


def test_blocks():
    rng = np.random.default_rng(0)
    ids = rng.permutation(np.repeat(np.arange(30), rng.integers(1, 9, size=30)))
    n = len(ids)
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    graph = PairGraph(
        n, pairs, np.arange(len(pairs))[:, None], [str(k) for k in range(n)]
    )
    X, y = split_into_blocks([graph], [ids], 20, 3, random_state=0)
    seen = np.zeros(n, dtype=int)
    for block, clusters in zip(X, y, strict=True):
        items = np.array([int(name) for name in block.items])
        seen[items] += 1
        assert 2 <= block.n <= 20
        # The same pairs with the same features, and the same items together.
        original = items[block.pairs]
        assert (pairs[block.features[:, 0].astype(int)] == np.sort(original)).all()
        assert (
            (ids[original[:, 0]] == ids[original[:, 1]]) == block.joined(clusters)
        ).all()
    # Only items that were alone in a block, which has no pair then, may be missing.
    assert seen.max() == 3
    assert seen.mean() > 2.5
    again, _ = split_into_blocks([graph], [ids], 20, 3, random_state=0)
    assert [b.items for b in again] == [b.items for b in X]


def test_blocks_keep_small_components_whole():
    pairs = [(3 * k + i, 3 * k + j) for k in range(5) for i, j in ((0, 1), (1, 2))]
    graph = PairGraph(15, pairs, np.ones((10, 1)))
    X, _ = split_into_blocks([graph], [np.zeros(15)], 6, 4)
    assert [len(block) for block in X] == [6, 6, 3]
    assert sum(len(block.pairs) for block in X) == 10
    small, _ = split_into_blocks([graph], [np.zeros(15)], 15)
    assert small == [graph]
    for wrong in ({"n_items": 1}, {"n_repeats": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            split_into_blocks([graph], [np.zeros(15)], **wrong)
