"""Graphs of networkx as graphs to label, and back; needs ``pystruct-ext[graph]``."""

from __future__ import annotations

from typing import Any

import numpy as np

from pystruct_ext.outputs.graphs import Graph, LabelledGraph, NodeLabels, is_sparse
from pystruct_ext.utils.extras import require


def graph_from_networkx(
    graph: Any,
    features: str = "features",
    *,
    label: str | None = "label",
    edge_features: str | None = None,
    node_type: str | None = None,
    edge_type: str | None = None,
    weight: str | None = None,
) -> LabelledGraph:
    """A graph of networkx, with the labels of its nodes where they have some.

    Parameters
    ----------
    graph : networkx.Graph or networkx.DiGraph
        Edges of a DiGraph keep their direction.
    features : str, default="features"
        Node attribute with d numbers.
    label : str or None, default="label"
        Node attribute with the label; nodes without have None.
    edge_features : str, optional
        Edge attribute with f numbers, or one.
    node_type, edge_type : str, optional
        Attributes with types.
    weight : str, optional
        Node attribute with the cost of a wrong label.

    Returns
    -------
    LabelledGraph
        Its `names` are the nodes of networkx, in their order; `labels` is None where no node
        has one.

    Raises
    ------
    TypeError
        For a multigraph, or what is no graph.
    ValueError
        For an attribute that is missing, naming the node or edge.
    """
    nx = require("networkx", "graph", "graph_from_networkx")
    if not isinstance(graph, nx.Graph) or graph.is_multigraph():
        raise TypeError(
            f"graph must be a networkx Graph or DiGraph, got {type(graph).__name__}"
        )
    names = list(graph)
    number = {name: v for v, name in enumerate(names)}

    def of_nodes(attribute: str) -> list[Any]:
        for name, data in graph.nodes(data=True):
            if attribute not in data:
                raise ValueError(f"node {name!r:.60} has no attribute {attribute!r}")
        return [data[attribute] for _, data in graph.nodes(data=True)]

    def of_edges(attribute: str) -> list[Any]:
        for a, b, data in graph.edges(data=True):
            if attribute not in data:
                raise ValueError(f"edge {(a, b)!r:.60} has no attribute {attribute!r}")
        return [data[attribute] for _, _, data in graph.edges(data=True)]

    values = None
    if edge_features is not None:
        values = np.array(of_edges(edge_features), dtype=np.float64)
        values = values.reshape(graph.number_of_edges(), -1)
    own = Graph(
        np.array(of_nodes(features), dtype=np.float64).reshape(len(names), -1),
        [(number[a], number[b]) for a, b in graph.edges],
        values,
        None if node_type is None else of_nodes(node_type),
        None if edge_type is None else of_edges(edge_type),
        None if weight is None else of_nodes(weight),
        names=names,
    )
    labels = None
    if label is not None and any(label in data for _, data in graph.nodes(data=True)):
        found = [data.get(label) for _, data in graph.nodes(data=True)]
        labels = NodeLabels(found, own.node_weights)
    return LabelledGraph(own, labels)


def graph_to_networkx(graph: Graph, labels: Any = None) -> Any:
    """A graph, and labels of its nodes, for networkx.

    Parameters
    ----------
    graph : Graph
    labels : sequence of n labels, optional

    Returns
    -------
    networkx.DiGraph
        Its nodes are the graph's `names`, or numbers; attributes "features", "label", "type",
        "weight" of nodes and "features", "type" of edges.
    """
    nx = require("networkx", "graph", "graph_to_networkx")
    out = nx.DiGraph()
    names = graph.names or list(range(len(graph)))

    def rows(values: Any) -> Any:
        return values.toarray() if is_sparse(values) else values

    features = rows(graph.features)
    if labels is not None and len(labels) != len(graph):
        raise ValueError(f"labels has {len(labels)} entries, expected {len(graph)}")
    for v, name in enumerate(names):
        out.add_node(name, features=features[v])
        for key, values in (
            ("label", labels),
            ("type", graph.node_types),
            ("weight", graph.node_weights),
        ):
            if values is not None:
                out.nodes[name][key] = values[v]
    edge_features = rows(graph.edge_features)
    for e, (a, b) in enumerate(graph.edges.tolist()):
        data = {}
        if edge_features is not None:
            data["features"] = edge_features[e]
        if graph.edge_types is not None:
            data["type"] = graph.edge_types[e]
        out.add_edge(names[a], names[b], **data)
    return out


__all__ = ["graph_from_networkx", "graph_to_networkx"]
