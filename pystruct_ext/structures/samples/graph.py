"""Small random graphs with labels of their nodes."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy import sparse

from pystruct_ext.outputs import Graph, NodeLabels, grid_graph
from pystruct_ext.structures.base import Variant


def _tree(rng: np.random.Generator, n: int) -> list[tuple[int, int]]:
    """Edges of a random forest, in random directions."""
    edges = []
    for v in range(1, n):
        if rng.random() < 0.15:
            continue
        u = int(rng.integers(v))
        edges.append((u, v) if rng.random() < 0.5 else (v, u))
    return edges


def forests(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Directed edges of two types, one graph of a single node, one without edges."""
    X: list[Any] = []
    Y: list[Any] = []
    for n in (1, 4, 5, 6):
        edges = _tree(rng, n)
        types = [str(rng.choice(["is", "of"])) for _ in edges]
        if n == 5:
            edges, types = [(0, 1), (2, 1), (1, 3)], ["is", "of", "is"]
        X.append(Graph(rng.normal(size=(n, 2)), edges, edge_types=types))
        Y.append([str(c) for c in rng.choice(list("abc"), size=n)])
    Y[2] = ["a", "b", "c", "a", "b"]
    X[3].edges, X[3].edge_types = np.array([(0, 1), (1, 2)]), ["of", "is"]
    return X, Y


def typed(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Words and places, which have other labels; sparse features, edges with features."""
    X: list[Any] = []
    Y: list[Any] = []
    for n in (2, 4, 5):
        edges = [(v, v + 1) for v in range(n - 1)]
        kinds = ["word" if v % 2 else "place" for v in range(n)]
        features = rng.normal(size=(n, 4)) * (rng.random((n, 4)) < 0.4)
        X.append(
            Graph(
                sparse.csr_array(features),
                edges,
                rng.normal(size=(n - 1, 2)),
                node_types=kinds,
            )
        )
        own = {"word": ["a", "b"], "place": ["b", "c", "d"]}
        Y.append([str(rng.choice(own[k])) for k in kinds])
    Y[2] = ["c", "a", "d", "b", "b"]
    return X, Y


def grids(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Cells that cost differently, and edges with contrast."""
    X: list[Any] = []
    Y: list[Any] = []
    for shape in ((2, 2), (2, 3), (1, 3)):
        image = rng.normal(size=(*shape, 2))
        X.append(grid_graph(image, 8, directions=None, contrast=0.5))
        cost = rng.integers(1, 4, size=shape[0] * shape[1])
        Y.append(NodeLabels(rng.integers(0, 2, size=len(cost)).tolist(), cost))
    Y[1][:2] = [0, 1]
    return X, Y


def labelled(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Grids of three labels, with directions."""
    X: list[Any] = []
    Y: list[Any] = []
    for shape in ((2, 2), (2, 3)):
        image = rng.normal(size=(*shape, 2))
        X.append(grid_graph(image))
        Y.append(rng.integers(0, 3, size=shape[0] * shape[1]).tolist())
    Y[1][:3] = [0, 1, 2]
    return X, Y


def cycles(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """A triangle, a ring, a complete graph: where marginals that agree may be fractional."""
    X: list[Any] = []
    Y: list[Any] = []
    for n, edges in (
        (3, [(0, 1), (1, 2), (2, 0)]),
        (4, [(0, 1), (2, 1), (2, 3), (0, 3)]),
        (4, list(combinations(range(4), 2))),
    ):
        X.append(Graph(rng.normal(size=(n, 2)), edges))
        Y.append(rng.integers(0, 3, size=n).tolist())
    Y[2] = [0, 1, 2, 1]
    return X, Y


def sample(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Small forests whose labels follow the features, each with every label."""
    X: list[Any] = []
    Y: list[Any] = []
    for n in (4, 5, 4, 3, 5, 4):
        labels = [str(c) for c in rng.permutation(["a", "b", "a", "b", "b"][:n])]
        if "a" not in labels[:2] or "b" not in labels[:2]:
            labels[:2] = ["a", "b"]
        signs = np.array([1.0 if c == "a" else -1.0 for c in labels])
        features = np.column_stack([signs, rng.normal(size=n)]).round(3)
        edges = [(v - 1, v) for v in range(1, n)]
        X.append(Graph(features, edges))
        Y.append(labels)
    return X, Y


VARIANTS = (
    Variant("graph-forest", {}, forests),
    Variant("graph-types", {"inference": "forest", "bias": False}, typed, 2),
    Variant(
        "graph-potts",
        {"pairwise": "potts", "attractive": True, "label_weight": {0: 2.0}},
        grids,
    ),
    Variant("graph-symmetric", {"pairwise": "symmetric"}, labelled, 2),
    Variant("graph-relaxed", {"inference": "lp"}, cycles, 2),
    Variant("graph-relaxed-potts", {"inference": "lp", "pairwise": "potts"}, cycles, 1),
    Variant("graph-relaxed-types", {"inference": "lp", "bias": False}, typed, 1),
)
