"""Graphs and labels of their nodes as the arrays that the kernel takes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.outputs.graphs import Graph, NodeLabels, as_graph
from pystruct_ext.utils.examples import as_sequence, is_missing, plain

# Edge features with fewer nonzeros than this are kept as sparse rows.
_SPARSE_BELOW = 0.4


@dataclass
class PackedGraphs:
    """Graphs, and labels of their nodes, as arrays.

    Attributes
    ----------
    rows : PackedRows
        One row of features per node.
    edge_offsets : (n + 1,) int64
    edges : (n_edges, 2) int32
        Nodes counted within their graph.
    edge_rows : tuple (indptr, indices, values)
        Edge features; dense where indptr is None.
    types : (n_nodes,) int32
    kinds : (n_edges,) int32
    forest : bool
        Whether no graph has a cycle.
    exact : bool
        Whether every graph is decoded to the maximum.
    truths : (n_nodes,) int32 or None
        Labels, counted within the type of the node.
    cost : (n_nodes,) float64 or None
    allowed : (n_nodes, n_labels) uint8 or None
        Labels that cost nothing, where the truth is not known everywhere.
    """

    rows: PackedRows
    edge_offsets: NDArray[np.int64]
    edges: NDArray[np.int32]
    edge_rows: tuple[Any, Any, Any]
    types: NDArray[np.int32]
    kinds: NDArray[np.int32]
    forest: bool
    exact: bool = False
    truths: NDArray[np.int32] | None = None
    cost: NDArray[np.float64] | None = None
    allowed: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return self.rows.n_examples


def graphs_of(X: Sequence[Any]) -> list[Graph]:
    """Examples as graphs; errors name the example."""
    out = []
    for i, x in enumerate(X):
        try:
            graph = as_graph(x)
        except (TypeError, ValueError) as error:
            raise type(error)(f"X: example {i}: {error}") from None
        if len(graph) == 0:
            raise ValueError(f"X: example {i} has no nodes, expected at least 1")
        out.append(graph)
    return out


def node_features(graphs: Sequence[Graph]) -> list[Any]:
    """Node features of all graphs in one form."""
    if any(sparse.issparse(g.features) for g in graphs):
        return [sparse.csr_array(g.features) for g in graphs]
    return [g.features for g in graphs]


def edge_width(graphs: Sequence[Graph], expected: int | None = None) -> int:
    """Number of edge features, 0 for none; errors name the graph that differs."""
    for i, graph in enumerate(graphs):
        values = graph.edge_features
        width = 0 if values is None else int(values.shape[1])
        if graph.n_edges == 0 and (values is None or width == 0):
            continue
        if values is not None and width == 0:
            raise ValueError(
                f"X: example {i} has edge_features of no columns, expected at least 1"
            )
        if expected is None:
            expected = width
        elif width != expected:
            raise ValueError(
                f"X: example {i} has {width} edge features, expected {expected}"
            )
    return expected or 0


def edge_rows(
    graphs: Sequence[Graph], width: int, dtype: np.dtype[Any]
) -> tuple[Any, Any, Any]:
    """(indptr, indices, values) of the features of all edges; dense: (None, None, values)."""
    parts = [g.edge_features for g in graphs if g.n_edges]
    if not width or not parts:
        return None, None, np.zeros(0, dtype=dtype)
    if not any(map(sparse.issparse, parts)):
        values = np.concatenate(parts).astype(dtype)
        if np.count_nonzero(values) >= _SPARSE_BELOW * values.size:
            return None, None, np.ascontiguousarray(values.reshape(-1))
        stacked = sparse.csr_array(values)
    else:
        stacked = sparse.csr_array(sparse.vstack(parts, format="csr"))
    return (
        stacked.indptr.astype(np.int64),
        stacked.indices.astype(np.int32),
        stacked.data.astype(dtype),
    )


def smallest_entry(rows: tuple[Any, Any, Any]) -> float:
    """The smallest edge feature; 0 if there are none."""
    return float(rows[2].min()) if len(rows[2]) else 0.0


def is_forest(graphs: Sequence[Graph]) -> bool:
    """Whether no graph has a cycle."""
    return all(map(_no_cycle, graphs))


def _no_cycle(graph: Graph) -> bool:
    n, m = len(graph), graph.n_edges
    if m >= n:
        return False
    if m == 0:
        return True
    links = sparse.coo_array(
        (np.ones(m, dtype=np.int8), (graph.edges[:, 0], graph.edges[:, 1])), (n, n)
    )
    return bool(connected_components(links, directed=False)[0] == n - m)


def with_cycle(graphs: Sequence[Graph]) -> int:
    """The first graph that has a cycle."""
    return next(i for i, g in enumerate(graphs) if not _no_cycle(g))


def type_numbers(graphs: Sequence[Graph], known: Sequence[Any]) -> NDArray[np.int32]:
    """Number of the type of every node."""
    index = {t: k for k, t in enumerate(known)}
    parts = []
    for i, g in enumerate(graphs):
        if g.node_types is None:
            if None not in index:
                raise ValueError(
                    f"X: example {i} has no node_types, expected some of {list(known)}"
                )
            parts.append(np.zeros(len(g), dtype=np.int32))
            continue
        for v, t in enumerate(g.node_types):
            if t not in index:
                raise ValueError(
                    f"X: example {i}, node {v} is of the type {t!r:.60}, which was not seen "
                    f"at fit; known are {list(known)}"
                )
        parts.append(np.array([index[t] for t in g.node_types], dtype=np.int32))
    return np.concatenate(parts)


def kinds_of(graph: Graph, types: NDArray[np.int32]) -> list[tuple[int, int, Any]]:
    """Types of both ends and the edge's own type, of every edge."""
    a, b = types[graph.edges[:, 0]].tolist(), types[graph.edges[:, 1]].tolist()
    own = graph.edge_types or [None] * graph.n_edges
    return list(zip(a, b, own, strict=True))


def kind_order(kind: tuple[int, int, Any]) -> tuple[Any, ...]:
    """What kinds are sorted by: types of edges may be None, strings and numbers."""
    a, b, own = kind
    return a, b, own is not None, isinstance(own, str), own if own is not None else 0


def type_order(t: Any) -> tuple[bool, Any]:
    """What types of nodes are sorted by."""
    return isinstance(t, str), t


def refuse_negative(graphs: Sequence[Graph]) -> None:
    """Raise for the first edge feature below 0."""
    for i, g in enumerate(graphs):
        values = g.edge_features
        if values is None or g.n_edges == 0:
            continue
        if hasattr(values, "toarray"):
            values = values.toarray()
        bad = np.argwhere(values < 0)
        if len(bad):
            e, f = bad[0].tolist()
            raise ValueError(
                f"X: example {i}, edge {e} has the feature {values[e, f]} in column {f}; "
                "attractive=True needs edge features >= 0"
            )


def elimination_size(graph: Graph, sizes: NDArray[np.int64]) -> float:
    """log10 of the entries of the largest table when nodes are eliminated one by one.

    The next node is that of the smallest table; `sizes` are numbers of labels.
    """
    near: list[set[int]] = [set() for _ in range(len(graph))]
    for a, b in graph.edges.tolist():
        near[a].add(b)
        near[b].add(a)
    cost = np.log10(np.maximum(sizes, 1)).tolist()

    def table(v: int) -> float:
        return float(cost[v] + sum(cost[u] for u in near[v]))

    heap = [(table(v), v) for v in range(len(graph))]
    heapq.heapify(heap)
    done = [False] * len(graph)
    most = 0.0
    while heap:
        size, v = heapq.heappop(heap)
        if done[v] or abs(size - table(v)) > 1e-9:
            continue
        done[v] = True
        most = max(most, size)
        for u in near[v]:
            near[u] |= near[v]
            near[u] -= {u, v}
        for u in near[v]:
            heapq.heappush(heap, (table(u), u))
    return most


# Labels.


def labels_of(y: Any, graph: Graph, i: int) -> list[Any]:
    """Labels of the nodes of graph i as a list; a grid's may be an array of its shape."""
    if isinstance(y, np.ndarray) and y.ndim > 1 and y.shape == graph.shape:
        y = y.ravel()
    labels = as_sequence(y)
    if isinstance(labels, np.ndarray):
        raise ValueError(
            f"y: example {i} has shape {labels.shape}, expected ({len(graph)},)"
            + ("" if graph.shape is None else f" or {graph.shape}")
        )
    if not isinstance(labels, list):
        raise TypeError(
            f"y: example {i} must be a list of labels, one per node, got "
            f"{type(y).__name__}"
        )
    if len(labels) != len(graph):
        raise ValueError(
            f"y: example {i} has {len(labels)} labels, but the graph has {len(graph)} nodes"
        )
    return labels


def is_unknown(label: Any, missing: Any = None) -> bool:
    """Whether a label is missing, or a set of possible ones."""
    if isinstance(label, Set):
        return True
    if missing is not None and plain(label) == missing:
        return True
    return is_missing(label)


def cost_of(y: Any, graph: Graph, i: int) -> NDArray[np.float64]:
    """Costs of wrong labels: those of y, else of the graph, else 1."""
    if isinstance(y, NodeLabels) and y.weights is not None:
        if len(y.weights) != len(graph):
            raise ValueError(
                f"y: example {i} has {len(y.weights)} weights, expected {len(graph)}"
            )
        return y.weights
    if graph.node_weights is not None:
        return np.asarray(graph.node_weights)
    return np.ones(len(graph))


def each_label(Y: Iterable[Any], missing: Any = None) -> Iterable[tuple[int, int, Any]]:
    """Example, node and label; the members of sets one by one, missing ones left out."""
    for i, y in enumerate(Y):
        for v, label in enumerate(y):
            if isinstance(label, Set):
                for one in label:
                    yield i, v, plain(one)
            elif not is_unknown(label, missing):
                yield i, v, plain(label)


__all__ = [
    "PackedGraphs",
    "cost_of",
    "each_label",
    "edge_rows",
    "edge_width",
    "elimination_size",
    "graphs_of",
    "is_forest",
    "is_unknown",
    "kind_order",
    "kinds_of",
    "labels_of",
    "node_features",
    "refuse_negative",
    "smallest_entry",
    "type_numbers",
    "type_order",
    "with_cycle",
]
