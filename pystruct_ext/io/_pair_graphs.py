"""Pair graphs and their clusters: one JSON object per line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords
from pystruct_ext.io._tables import suffix_of, table_lines
from pystruct_ext.outputs.pair_graphs import (
    PairGraph,
    cluster_ids,
    clusters_from_links,
)
from pystruct_ext.utils.messages import shorten

_FIELDS = ("name", "items", "n", "pairs", "features", "clusters", "links")


@dataclass
class PairGraphData:
    """What a file of pair graphs holds.

    Attributes
    ----------
    graphs : list of n PairGraph
    clusters : list of n lists, or None
        Ids of the items; None where a graph has none.
    records : list of n str
        File, line and name: what errors call an example.
    unclustered : str
        The first graph without clusters, or "".
    """

    graphs: list[PairGraph]
    clusters: list[Any] | None
    records: list[str] = field(default_factory=list, repr=False)
    unclustered: str = ""

    def __len__(self) -> int:
        return len(self.graphs)

    def take(self, index: Sequence[int]) -> PairGraphData:
        """Some of the graphs, in this order."""
        return PairGraphData(
            [self.graphs[i] for i in index],
            None if self.clusters is None else [self.clusters[i] for i in index],
            [self.records[i] for i in index] if self.records else [],
            self.unclustered,
        )


def read_pair_graphs(
    path: str | os.PathLike[str], on_error: str = "raise"
) -> PairGraphData:
    """Read pair graphs: one JSON object per line.

    Its fields: ``items``, names of the items, or ``n``, how many there are; ``pairs``, the
    candidate pairs, as ``[a, b]`` of names, or of numbers from 0 where there are no names;
    ``features``, a list of numbers for each pair; and, where the truth is known,
    ``clusters``, an id for each item, or ``links``, all pairs that belong together.
    ``name`` may be given.

    Parameters
    ----------
    path : path-like
        Plain or gzip; "-" is stdin.
    on_error : {"raise", "skip"}, default="raise"
        "skip" leaves bad graphs out, counted and named in a warning.

    Returns
    -------
    PairGraphData

    Raises
    ------
    ValueError
        With file and line: malformed JSON, a pair that mentions an unknown item, of an item
        with itself or given twice, features of another number, links that are not
        transitive (the three items are named).
    """
    bad = BadRecords(on_error, "pair graphs")
    graphs: list[PairGraph] = []
    truths: list[Any] = []
    records: list[str] = []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            graph, y = _graph(line, where, graphs[0] if graphs else None)
        except ValueError as error:
            bad.add(error)
            continue
        graphs.append(graph)
        truths.append(y)
        named = f" ({shorten(graph.name, 80)})" if graph.name else ""
        records.append(f"{where}{named}")
    bad.finish(path, len(graphs))
    without = [k for k, y in enumerate(truths) if y is None]
    if without:
        return PairGraphData(graphs, None, records, records[without[0]])
    return PairGraphData(graphs, truths, records)


def _graph(
    line: str, where: str, first: PairGraph | None
) -> tuple[PairGraph, list[Any] | None]:
    given = _object(line, where)
    items = given.get("items")
    if items is not None and not _all(items, str):
        raise ValueError(f"{where}: items must be a list of strings")
    n = given.get("n", None if items is None else len(items))
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(
            f"{where}: expected items, a list of names, or n, a whole number >= 1"
        )
    index = None if items is None else {name: k for k, name in enumerate(items)}
    pairs = _numbered(given.get("pairs"), index, n, f"{where}: pairs")
    try:
        graph = PairGraph(
            n,
            pairs,
            _features(given, len(pairs), first, where),
            items,
            _name(given, where),
        )
        truth = _truth(given, graph, index, where)
    except (TypeError, ValueError) as error:
        text = str(error)
        raise ValueError(
            text if text.startswith(where) else f"{where}: {text}"
        ) from None
    return graph, truth


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        given = json.loads(line)
    except RecursionError:
        raise ValueError(f"{where}: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{where}: not a JSON object: {shorten(str(error))}") from None
    if not isinstance(given, dict):
        raise ValueError(
            f"{where}: expected a JSON object, got {shorten(repr(given), 80)}"
        )
    unknown = sorted(set(given) - set(_FIELDS))
    if unknown:
        raise ValueError(
            f"{where}: unknown field {shorten(repr(unknown[0]))}, expected "
            f"{', '.join(_FIELDS)}"
        )
    return given


def _all(values: Any, kind: Any) -> bool:
    return isinstance(values, list) and all(isinstance(v, kind) for v in values)


def _name(given: dict[str, Any], where: str) -> str:
    name = given.get("name", "")
    if not isinstance(name, str):
        raise ValueError(f"{where}: name must be a string")
    return name


def _numbered(
    pairs: Any, index: dict[str, int] | None, n: int, where: str
) -> NDArray[np.int64]:
    """Pairs as numbers of items."""
    if pairs is None or not _all(pairs, list):
        raise ValueError(f"{where} must be a list of [a, b]")
    kind = "numbers" if index is None else "names"
    out = np.zeros((len(pairs), 2), dtype=np.int64)
    for e, pair in enumerate(pairs):
        if len(pair) != 2:
            raise ValueError(
                f"{where}: pair {e} has {len(pair)} entries, expected [a, b]"
            )
        for side, item in enumerate(pair):
            if index is not None:
                if not isinstance(item, str) or item not in index:
                    raise ValueError(
                        f"{where}: pair {e} mentions {shorten(repr(item))}, which is not "
                        "one of the items"
                    )
                out[e, side] = index[item]
                continue
            whole = isinstance(item, int) and not isinstance(item, bool)
            if not whole or not 0 <= item < n:
                raise ValueError(
                    f"{where}: pair {e} mentions {shorten(repr(item))}, expected {kind} of "
                    f"items, 0 .. {n - 1}"
                )
            out[e, side] = item
    return out


def _features(
    given: dict[str, Any], n_pairs: int, first: PairGraph | None, where: str
) -> NDArray[np.float64]:
    rows: Any = given.get("features")
    if rows is None or not _all(rows, list):
        raise ValueError(f"{where}: features must be a list of numbers for each pair")
    if len(rows) != n_pairs:
        raise ValueError(
            f"{where}: features has {len(rows)} rows, expected one per pair: {n_pairs}"
        )
    width = first.features.shape[1] if first else len(rows[0]) if rows else 0
    for e, row in enumerate(rows):
        if len(row) != width:
            raise ValueError(
                f"{where}: pair {e} has {len(row)} features, expected {width}"
            )
        for value in row:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(
                    f"{where}: pair {e} has the feature {shorten(repr(value))}, expected a "
                    "number"
                )
    try:
        return np.array(rows, dtype=np.float64).reshape(n_pairs, width)
    except OverflowError:
        raise ValueError(f"{where}: a feature is too large") from None


def _truth(
    given: dict[str, Any], graph: PairGraph, index: dict[str, int] | None, where: str
) -> list[Any] | None:
    clusters, links = given.get("clusters"), given.get("links")
    if clusters is not None and links is not None:
        raise ValueError(f"{where}: has clusters and links, expected one of them")
    if links is not None:
        pairs = _numbered(links, index, graph.n, f"{where}: links")
        ids: list[Any] = clusters_from_links(graph.n, pairs, items=graph.items).tolist()
        return ids
    if clusters is None:
        return None
    if not _all(clusters, (int, str)):
        raise ValueError(
            f"{where}: clusters must be a list of ids, whole numbers or strings"
        )
    cluster_ids(clusters, f"{where}: clusters", graph.n)
    return list(clusters)


def write_pair_graphs(
    path: str | os.PathLike[str],
    graphs: Sequence[PairGraph],
    clusters: Sequence[Any] | None = None,
) -> None:
    """Write pair graphs as `read_pair_graphs` reads them.

    Parameters
    ----------
    path : path-like
        gzip if it ends in ".gz"; "-" is stdout.
    graphs : list of n PairGraph
        Sparse features are written as all their numbers.
    clusters : list of n clusterings, optional
        An id for every item: whole numbers and strings stay as they are.
    """
    if clusters is not None and len(clusters) != len(graphs):
        raise ValueError(
            f"clusters has {len(clusters)} entries, expected one per graph: {len(graphs)}"
        )
    rows = [
        _record(graph, None if clusters is None else clusters[i], i)
        for i, graph in enumerate(graphs)
    ]
    write_lines(path, (json.dumps(row, ensure_ascii=False) for row in rows))


def _record(graph: PairGraph, y: Any, i: int) -> dict[str, Any]:
    features = graph.features
    if hasattr(features, "toarray"):
        features = features.toarray()
    out: dict[str, Any] = {"name": graph.name} if graph.name else {}
    pairs = graph.pairs.tolist()
    if graph.items is None:
        out["n"] = graph.n
    else:
        out["items"] = graph.items
        pairs = [[graph.items[a], graph.items[b]] for a, b in pairs]
    out["pairs"] = pairs
    out["features"] = features.astype(np.float64).tolist()
    if y is not None:
        ids = cluster_ids(y, f"clusters: example {i}", graph.n)
        values = np.asarray(y).tolist() if isinstance(y, np.ndarray) else list(y)
        plain = all(type(v) in (int, str) for v in values)
        out["clusters"] = values if plain else ids.tolist()
    return out


def write_clusters(
    path: str | os.PathLike[str], graphs: Iterable[PairGraph], clusters: Iterable[Any]
) -> None:
    """Write clusters as a table: graph, item, cluster; tabs between, commas in a .csv.

    Parameters
    ----------
    path : path-like
        gzip if it ends in ".gz"; "-" is stdout.
    graphs : list of n PairGraph
        Graphs and items without names are numbered.
    clusters : list of n clusterings
    """
    separator = "," if suffix_of(path) == ".csv" else "\t"
    rows = []
    for k, (graph, y) in enumerate(zip(graphs, clusters, strict=True)):
        ids = cluster_ids(y, f"clusters: example {k}", graph.n).tolist()
        names = graph.items or [str(item) for item in range(graph.n)]
        rows += [
            [graph.name or str(k), name, str(c)]
            for name, c in zip(names, ids, strict=True)
        ]
    write_lines(path, table_lines(["graph", "item", "cluster"], rows, separator))


__all__ = [
    "PairGraphData",
    "read_pair_graphs",
    "write_clusters",
    "write_pair_graphs",
]
