"""Graphs with labels of their nodes: one JSON object per line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords
from pystruct_ext.outputs.graphs import Graph, NodeLabels, as_graph, is_sparse
from pystruct_ext.utils.examples import plain
from pystruct_ext.utils.messages import shorten

_FIELDS = (
    *("features", "edges", "edge_features", "node_types", "edge_types"),
    *("node_weights", "shape", "names", "labels"),
)
# Largest width of sparse rows.
_WIDEST = 2**31 - 1


@dataclass
class GraphData:
    """Graphs of a file.

    Attributes
    ----------
    graphs : list of n Graph
    labels : list of n NodeLabels, or None where the file has none
    records : list of n str
        File and line of each graph: for messages.
    unlabelled : str
        Where `labels` is None: the first graph without.
    """

    graphs: list[Graph]
    labels: list[NodeLabels] | None
    records: list[str] = field(default_factory=list, repr=False)
    unlabelled: str = ""

    def __len__(self) -> int:
        return len(self.graphs)

    def take(self, index: Sequence[int]) -> GraphData:
        """Some of the graphs, in this order."""
        return GraphData(
            [self.graphs[i] for i in index],
            None if self.labels is None else [self.labels[i] for i in index],
            [self.records[i] for i in index] if self.records else [],
            self.unlabelled,
        )


def read_graphs(path: str | os.PathLike[str], on_error: str = "raise") -> GraphData:
    """Read graphs, one JSON object per line.

    Fields: ``features`` (a list of a list of numbers for every node, or ``{"width": d,
    "rows": [{"3": 1.5}, ...]}`` for sparse ones) and ``edges`` (pairs of nodes, from 0);
    and, where there are any, ``edge_features`` (like ``features``), ``node_types``,
    ``edge_types``, ``node_weights``, ``shape`` (of a grid), ``names`` and ``labels`` (strings
    or numbers; null, or a list of the possible ones, where it is not known).

    Parameters
    ----------
    path : path-like
        Gzip or plain; "-" is stdin.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a bad graph: raise, or leave it out, with a warning that counts and
        names.

    Returns
    -------
    GraphData

    Raises
    ------
    ValueError
        With file and line: malformed JSON, a missing, unknown or repeated field, or one that
        does not fit the others.
    """
    bad = BadRecords(on_error, "graphs")
    graphs, labels, records, unlabelled = [], [], [], ""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            record = _parsed(line, where)
            graph, own = _graph_of(record, where)
        except ValueError as error:
            bad.add(error)
            continue
        if own is None:
            unlabelled = unlabelled or where
        graphs.append(graph)
        labels.append(own)
        records.append(where)
    bad.finish(path, len(graphs))
    known = [y for y in labels if y is not None]
    return GraphData(
        graphs, known if len(known) == len(graphs) else None, records, unlabelled
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"the field {shorten(twice)!r} occurs twice in one object")
    return out


def _parsed(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError(f"{where}: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{where}: not a JSON object: {shorten(str(error))}") from None
    if not isinstance(record, dict):
        raise ValueError(
            f"{where}: expected a JSON object, got {shorten(line.strip())}"
        )
    for name in record:
        if name not in _FIELDS:
            raise ValueError(
                f"{where}: unknown field {shorten(name)!r}, expected some of "
                f"{', '.join(_FIELDS)}"
            )
    for name in ("features", "edges"):
        if name not in record:
            raise ValueError(f"{where}: the field {name!r} is missing")
    return record


def _graph_of(record: dict[str, Any], where: str) -> tuple[Graph, NodeLabels | None]:
    labels = record.pop("labels", None)
    for name in ("node_types", "edge_types", "node_weights", "shape", "names"):
        if not isinstance(record.get(name, []), list):
            raise ValueError(f"{where}: {name} must be a list")
    try:
        for name in ("features", "edge_features"):
            if name in record:
                record[name] = _matrix_of(record[name], name)
        record["edges"] = _numbers(record["edges"], "edges", np.int64)
        if "node_weights" in record:
            record["node_weights"] = _numbers(
                record["node_weights"], "node_weights", np.float64
            )
        if "shape" in record and not all(
            isinstance(k, int) and 0 < k < 2**31 for k in record["shape"]
        ):
            raise ValueError("shape must be a list of whole numbers > 0")
        graph = Graph(**record)
        if len(graph) == 0:
            raise ValueError("the graph has no nodes, expected at least 1")
        return graph, _labels_of(labels, graph)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{where}: {shorten(str(error), 300)}") from None


def _numbers(values: Any, name: str, dtype: Any) -> np.ndarray:
    """A list of numbers, or of lists of numbers, as an array."""
    flat: list[Any] = [
        v
        for row in (values if isinstance(values, list) else [None])
        for v in (row if isinstance(row, list) else [row])
    ]
    kinds: Any = (int,) if dtype is np.int64 else (int, float)
    for v in flat:
        if isinstance(v, bool) or not isinstance(v, kinds):
            what = "whole numbers" if dtype is np.int64 else "numbers"
            raise ValueError(f"{name} holds {shorten(repr(v))}, expected {what}")
        if abs(v) > 1e300 if isinstance(v, float) else abs(v) >= 2**62:
            raise ValueError(f"{name} holds {shorten(repr(v))}, which is too large")
    return np.array(values, dtype=dtype)


def _matrix_of(values: Any, name: str) -> Any:
    if not isinstance(values, dict):
        array = _numbers(values, name, np.float64)
        if array.ndim == 1 and len(array) == 0:
            return np.zeros((0, 0))
        return array
    width, rows = values.get("width"), values.get("rows")
    if set(values) != {"width", "rows"} or not isinstance(rows, list):
        raise ValueError(f"{name} must be a list of rows, or have a width and rows")
    if not isinstance(width, int) or not 0 <= width <= _WIDEST:
        raise ValueError(
            f"{name}: width is {shorten(repr(width))}, expected 0 .. {_WIDEST}"
        )
    indices: list[int] = []
    data: list[float] = []
    indptr = [0]
    for r, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ValueError(f"{name}: row {r} must be an object of column and number")
        for key, value in row.items():
            if not (key.isascii() and key.isdigit() and int(key) < width):
                raise ValueError(
                    f"{name}: row {r} has the column {shorten(key)!r}, expected "
                    f"0 .. {width - 1}"
                )
            indices.append(int(key))
            data.append(float(_numbers([value], name, np.float64)[0]))
        indptr.append(len(indices))
    return sparse.csr_array(
        (np.array(data), np.array(indices, dtype=np.int32), np.array(indptr)),
        shape=(len(rows), width),
    )


def _labels_of(labels: Any, graph: Graph) -> NodeLabels | None:
    if labels is None:
        return None
    if not isinstance(labels, list) or len(labels) != len(graph):
        raise ValueError(f"labels must be a list of {len(graph)}, one per node")
    out: list[Any] = []
    for v, label in enumerate(labels):
        several = label if isinstance(label, list) else [label]
        for one in several:
            missing = one is None and not isinstance(label, list)
            if not (missing or (isinstance(one, (str, int, float)) and one == one)):
                raise ValueError(
                    f"labels: node {v} has {shorten(repr(one))}, expected a string or a "
                    "number"
                )
        out.append(frozenset(several) if isinstance(label, list) else label)
    return NodeLabels(out, graph.node_weights)


def write_graphs(
    path: str | os.PathLike[str],
    graphs: Iterable[Any],
    labels: Iterable[Sequence[Any]] | None = None,
) -> None:
    """Write graphs as `read_graphs` reads them.

    Parameters
    ----------
    path : path-like
        Gzip if it ends in ".gz"; "-" is stdout.
    graphs : iterable of Graph, or of tuples (features, edges[, edge_features])
    labels : iterable of lists of labels, optional

    Raises
    ------
    ValueError
        If there are not as many labels as nodes.
    """
    listed = [as_graph(g) for g in graphs]
    ys: list[Any] = [None] * len(listed) if labels is None else list(labels)
    if len(ys) != len(listed):
        raise ValueError(f"labels has {len(ys)} graphs, expected {len(listed)}")
    lines = []
    for i, (graph, y) in enumerate(zip(listed, ys, strict=True)):
        record: dict[str, Any] = {
            "features": _written(graph.features),
            "edges": graph.edges.tolist(),
        }
        if graph.edge_features is not None:
            record["edge_features"] = _written(graph.edge_features)
        for name in ("node_types", "edge_types", "node_weights", "shape", "names"):
            value = getattr(graph, name)
            if value is not None:
                record[name] = [plain(v) for v in value]
        if y is not None:
            flat = y.ravel().tolist() if isinstance(y, np.ndarray) else list(y)
            if len(flat) != len(graph):
                raise ValueError(
                    f"labels: example {i} has {len(flat)} labels, expected {len(graph)}"
                )
            weights = getattr(y, "weights", None)
            if weights is not None:
                record["node_weights"] = weights.tolist()
            record["labels"] = [
                sorted(map(plain, c)) if isinstance(c, Set) else plain(c) for c in flat
            ]
        lines.append(json.dumps(record))
    write_lines(path, lines)


def _written(values: Any) -> Any:
    if not is_sparse(values):
        return values.tolist()
    rows = []
    for r in range(values.shape[0]):
        at = slice(values.indptr[r], values.indptr[r + 1])
        rows.append(
            {
                str(int(j)): plain(v)
                for j, v in zip(values.indices[at], values.data[at], strict=True)
            }
        )
    return {"width": int(values.shape[1]), "rows": rows}


__all__ = ["GraphData", "read_graphs", "write_graphs"]
