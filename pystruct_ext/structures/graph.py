"""Labels of the nodes of graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pystruct_ext.estimators import GraphSVM
from pystruct_ext.io import GraphData, read_graphs, write_graphs
from pystruct_ext.metrics import graph_report
from pystruct_ext.spaces import GraphSpace
from pystruct_ext.structures.base import Examples, Structure
from pystruct_ext.structures.samples import graph as problems


def read(path: str, on_error: str = "raise") -> Examples:
    """JSON Lines, one graph each."""
    return _examples(read_graphs(path, on_error))


def _examples(data: GraphData) -> Examples:
    nodes = sum(map(len, data.graphs))
    edges = sum(g.n_edges for g in data.graphs)
    return Examples(
        data.graphs,
        data.labels,
        nodes,
        "nodes",
        f"{len(data)} graphs, {nodes} nodes, {edges} edges",
        lambda out, y: write_graphs(out, data.graphs, y),
        missing=f"expected labels of the nodes; {data.unlabelled} has none",
        source=data,
        records=data.records,
        take=lambda index: _examples(data.take(index)),
    )


def write(path: str, X: Sequence[Any], y: Sequence[Sequence[Any]]) -> None:
    """JSON Lines with labels."""
    write_graphs(path, X, y)


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """Nodes that are right, and intersection over union."""
    return {"nodes": graph_report(examples.y, predicted)}


def inspect(model: Any, top: int) -> list[str]:
    """The largest pair scores of each kind of edges and each of their features."""
    lines = ["kind of edges, feature: labels and score"]
    space = model.space_
    for kind, (a, b, own) in enumerate(space.kinds_):
        names = [str(space.node_types_[t]) for t in (a, b)]
        head = "all" if own is None and names == ["None", "None"] else str(own)
        if names != ["None", "None"]:
            head = f"{names[0]} - {names[1]}" + ("" if own is None else f" ({own})")
        for f, table in enumerate(space.pair_scores(model.coef_, kind)):
            if table.ndim == 0:
                lines.append(f"{head}, {f}: equal {float(table):.3f}")
                continue
            order = abs(table).ravel().argsort(kind="stable")[::-1][:top]
            found = [divmod(int(k), table.shape[1]) for k in order]
            shown = ", ".join(
                f"{space.type_classes_[a][k]} {space.type_classes_[b][m]} "
                f"{float(table[k, m]):.3f}"
                for k, m in found
            )
            lines.append(f"{head}, {f}: {shown}")
    return lines


def _draw(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import GraphDisplay

    return GraphDisplay.from_estimator(model, examples.X, examples.y)


STRUCTURE = Structure(
    name="graph",
    estimator=GraphSVM,
    space=GraphSpace,
    summary="labels of the nodes of graphs from JSON Lines",
    description="Train a labeller of nodes (GraphSVM) on graphs, one JSON object per line.",
    file="JSON Lines, gzip or plain; - is stdin",
    read=read,
    write=write,
    report=report,
    inspect=inspect,
    display={"graph": _draw},
    sample=problems.sample,
    small={"C": 1.0},
    samples=problems.VARIANTS,
)
