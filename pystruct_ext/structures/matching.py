"""Bipartite matchings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pystruct_ext.estimators import MatchingSVM
from pystruct_ext.io import Matchings, read_matchings, write_matchings
from pystruct_ext.metrics import link_report
from pystruct_ext.spaces import MatchingSpace
from pystruct_ext.structures.base import Examples, Structure
from pystruct_ext.structures.samples import matching as problems


def read(path: str, on_error: str = "raise") -> Examples:
    """JSON lines of candidates and links."""
    return _examples(read_matchings(path, on_error))


def _examples(data: Matchings) -> Examples:
    def write_predicted(out: str, y: Any) -> None:
        write_matchings(out, data.problems, y, data.ids)

    candidates = sum(map(len, data.problems))
    return Examples(
        data.problems,
        data.links,
        candidates,
        "candidates",
        f"{len(data)} matching problems, {candidates} candidate links",
        write_predicted,
        missing=f"expected links to learn from; {data.unlinked}",
        source=data,
        records=data.records,
        take=lambda index: _examples(data.take(index)),
    )


def write(path: str, X: Sequence[Any], y: Sequence[Any]) -> None:
    """JSON lines."""
    write_matchings(path, X, y)


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """Links, and the alignment error rate."""
    return {"links": link_report(examples.y, predicted)}


def inspect(model: Any, top: int) -> list[str]:
    """The largest weights of features, and what else a link costs or gains."""
    groups = model.split_weights()
    names = model.space_.encoder_.names()
    weights = groups["features"]
    order = np.argsort(-np.abs(weights), kind="stable")[:top]
    lines = ["weight  feature of a link"]
    for j in order.tolist():
        lines.append(f"{weights[j]:6.3f}  {names[j] if names else f'feature {j}'}")
    lines.append(f"{groups['intercept']:6.3f}  every link")
    for name, value in groups["adjacency"].items():
        lines.append(f"{value:6.3f}  two links side by side: {name}")
    for side in ("row", "column"):
        for k, value in enumerate(groups[f"{side}_costs"].tolist(), 1):
            lines.append(f"{-value:6.3f}  each link of a {side} beyond {k}")
    return lines


def _draw(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import MatchingDisplay

    return MatchingDisplay.from_estimator(model, examples.X, examples.y)


STRUCTURE = Structure(
    name="matching",
    estimator=MatchingSVM,
    space=MatchingSpace,
    summary="links between rows and columns from JSON lines",
    description="Train a matcher (MatchingSVM) on candidate links with features, one "
    "problem a line.",
    file="JSON lines, gzip or plain; - is stdin",
    read=read,
    write=write,
    report=report,
    inspect=inspect,
    display={"matching": _draw},
    sample=problems.sample,
    small={"C": 10.0},
    samples=problems.VARIANTS,
)
