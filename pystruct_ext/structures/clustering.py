"""Clusterings of items by candidate pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pystruct_ext.estimators import ClusteringSVM
from pystruct_ext.io import (
    PairGraphData,
    read_pair_graphs,
    suffix_of,
    write_clusters,
    write_pair_graphs,
)
from pystruct_ext.metrics import clustering_report
from pystruct_ext.spaces import ClusteringSpace
from pystruct_ext.structures.base import Examples, Structure
from pystruct_ext.structures.samples import clustering as problems


def read(path: str, on_error: str = "raise") -> Examples:
    """One graph per line, as JSON."""
    return _examples(read_pair_graphs(path, on_error))


def _examples(data: PairGraphData) -> Examples:
    def write_found(out: str, y: Any) -> None:
        if suffix_of(out) in (".csv", ".tsv"):
            write_clusters(out, data.graphs, y)
        else:
            write_pair_graphs(out, data.graphs, [list(ids) for ids in y])

    n_items = sum(map(len, data.graphs))
    n_pairs = sum(len(graph.pairs) for graph in data.graphs)
    return Examples(
        data.graphs,
        data.clusters,
        n_items,
        "items",
        f"{len(data)} graphs, {n_items} items, {n_pairs} candidate pairs",
        write_found,
        missing=f"expected clusters or links of every graph; {data.unclustered} has none",
        source=data,
        records=data.records,
        take=lambda index: _examples(data.take(index)),
    )


def write(path: str, X: Sequence[Any], y: Sequence[Any]) -> None:
    """JSON Lines."""
    write_pair_graphs(path, X, y)


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """Pairs and items."""
    return {"clusters": clustering_report(examples.y, predicted)}


def inspect(model: Any, top: int) -> list[str]:
    """The largest weights of features of pairs, by their numbers."""
    space, w = model.space_, model.coef_
    order = sorted(range(space.n_features_), key=lambda j: -abs(w[j]))[:top]
    lines = [f"{w[j]:9.4f}  feature {j}" for j in order]
    if space.fit_intercept:
        lines.append(f"{w[-1] * space.intercept_scaling:9.4f}  intercept")
    return lines


def _draw(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import ClusterDisplay

    return ClusterDisplay.from_estimator(model, examples.X, examples.y)


STRUCTURE = Structure(
    name="clustering",
    estimator=ClusteringSVM,
    space=ClusteringSpace,
    summary="supervised clustering from candidate pairs with features",
    description="Train a clusterer (ClusteringSVM) on graphs of candidate pairs whose "
    "clusters are known: duplicates in a table, mentions of one entity.",
    file="JSON Lines, one graph a line, gzip or plain; - is stdin",
    read=read,
    write=write,
    report=report,
    inspect=inspect,
    display={"clusters": _draw},
    sample=problems.sample,
    small={"C": 1.0},
    samples=problems.VARIANTS,
)
