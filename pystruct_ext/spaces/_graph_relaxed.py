"""Codes of the local polytope: where marginals of nodes and edges are, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pystruct_ext.outputs.graphs import FractionalLabels
from pystruct_ext.spaces._graph_packing import PackedGraphs
from pystruct_ext.utils.fitted import INT32_MAX

UNIT = 1 << 30  # as kUnit in spaces/graph_relaxed.hpp


def code_fields(
    packed: PackedGraphs, n_labels: Sequence[int], potts: bool
) -> dict[str, Any]:
    """What the kernel takes beside the graphs: where marginals are, and codes of the truths.

    Parameters
    ----------
    packed : PackedGraphs
    n_labels : sequence of int
        Labels of each type of nodes.
    potts : bool
        Whether the code of an edge is the one share on which its ends agree.

    Raises
    ------
    ValueError
        If the code of a graph is too long.
    """
    own = np.array(n_labels, dtype=np.int64)[packed.types]
    nodes, edges = packed.rows.offsets, packed.edge_offsets
    sizes = np.ones(len(packed.edges), dtype=np.int64)
    first = np.repeat(nodes[:-1], np.diff(edges))
    ends = packed.edges.astype(np.int64) + first[:, None]
    if not potts:
        sizes = own[ends[:, 0]] * own[ends[:, 1]]
    node_sum = np.concatenate([[0], np.cumsum(own)])
    edge_sum = np.concatenate([[0], np.cumsum(sizes)])
    offsets = node_sum[nodes] + edge_sum[edges]
    long = np.flatnonzero(np.diff(offsets) > INT32_MAX)
    if len(long):
        i = int(long[0])
        raise ValueError(
            f"X: example {i} has {nodes[i + 1] - nodes[i]} nodes and "
            f"{edges[i + 1] - edges[i]} edges, whose marginals are "
            f"{offsets[i + 1] - offsets[i]} numbers; inference='lp' takes up to {INT32_MAX}"
        )
    graph_of_node = np.repeat(np.arange(len(nodes) - 1), np.diff(nodes))
    node_at = node_sum[:-1] - node_sum[nodes[:-1]][graph_of_node]
    codes = None
    if packed.truths is not None:
        codes = np.zeros(offsets[-1], dtype=np.int32)
        y = packed.truths.astype(np.int64)
        codes[offsets[graph_of_node] + node_at + y] = UNIT
        graph_of_edge = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
        begin = offsets[:-1] + node_sum[nodes[1:]] - node_sum[nodes[:-1]]
        edge_at = begin[graph_of_edge] + edge_sum[:-1] - edge_sum[edges[graph_of_edge]]
        a, b = y[ends[:, 0]], y[ends[:, 1]]
        if potts:
            codes[edge_at] = np.where(a == b, UNIT, 0)
        else:
            codes[edge_at + a * own[ends[:, 1]] + b] = UNIT
    return {
        "code_offsets": np.ascontiguousarray(offsets, dtype=np.int64),
        "node_at": node_at.astype(np.int32),
        "codes": codes,
    }


def output_of(
    code: Sequence[int], classes: Sequence[Sequence[Any]]
) -> list[Any] | FractionalLabels:
    """Labels, or shares of them, of nodes that may have the labels `classes`."""
    shares, at = [], 0
    for own in classes:
        units = code[at : at + len(own)]
        shares.append({c: u / UNIT for c, u in zip(own, units, strict=True) if u != 0})
        at += len(own)
    if all(len(one) == 1 for one in shares):
        return [next(iter(one)) for one in shares]
    return FractionalLabels(shares, code)


__all__ = ["UNIT", "code_fields", "output_of"]
