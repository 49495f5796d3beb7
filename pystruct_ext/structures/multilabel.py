"""Sets of labels of single rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pystruct_ext.estimators import MultilabelSVM
from pystruct_ext.io import LabelledRows, read_label_sets, write_label_sets
from pystruct_ext.metrics import label_set_report
from pystruct_ext.spaces import MultilabelSpace
from pystruct_ext.structures.base import Examples, Structure
from pystruct_ext.structures.samples import multilabel as problems


def read(path: str, on_error: str = "raise") -> Examples:
    """SVMlight lines with several labels, or a NumPy archive."""
    return _examples(read_label_sets(path, on_error))


def _examples(data: LabelledRows) -> Examples:
    n, d = data.X.shape
    labels = {label for given in data.y for label in given}
    mean = sum(map(len, data.y)) / max(n, 1)
    return Examples(
        data.X,
        data.y if labels else None,
        n,
        "rows",
        f"{n} rows, {d} features, {len(labels)} labels, {mean:.2f} a row",
        lambda out, predicted: write_label_sets(out, data.X, predicted),
        missing="has no labels to learn from",
        source=data,
        records=data.records,
        take=lambda index: _examples(data.take(index)),
    )


def write(path: str, X: Any, y: Sequence[Any]) -> None:
    """SVMlight lines."""
    write_label_sets(path, X, y)


def adapt(model: Any, examples: Examples) -> Examples:
    """The width of the model: trailing zeros are not written in this format."""
    n_rows, width = examples.X.shape
    n = model.n_features_in_
    if width > n:
        raise ValueError(f"has {width} features, the model has {n}")
    if width == n:
        return examples
    if not hasattr(examples.X, "indptr"):
        raise ValueError(f"has {width} features, the model has {n}")
    wide = examples.X.copy()
    wide.resize((n_rows, n))
    return _examples(LabelledRows(wide, examples.source.y, examples.source.records))


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """Whole sets, labels, examples."""
    return {"label_sets": label_set_report(examples.y, predicted)}


def describe(model: Any) -> list[str]:
    """Labels and pairs."""
    space = model.space_
    pairs = len(space.edges_)
    line = f"{len(space.classes_)} labels, {pairs} pairs with a weight"
    if space.search_ == "listed":
        line += f", {len(space.seen_)} sets"
    return [line]


def inspect(model: Any, top: int) -> list[str]:
    """The largest weights of every label, and of pairs."""
    lines = []
    for label, row in zip(model.classes_, model.coef_, strict=True):
        lines += ["", f"{label}"]
        for j in np.argsort(-row, kind="stable")[:top]:
            lines.append(f"  {row[j]:8.3f}  feature {j + 1}")
    pairs = model.space_.split(model._w)[2]
    if len(pairs):
        lines += ["", "pairs"]
    for e in np.argsort(-np.abs(pairs), kind="stable")[:top]:
        a, b = (model.classes_[k] for k in model.space_.edges_[e])
        lines.append(f"  {pairs[e]:8.3f}  {a} and {b}")
    return lines


def _draw_sets(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import LabelSetDisplay

    X = adapt(model, examples).X
    return LabelSetDisplay.from_estimator(model, X, examples.y)


def _draw_pairs(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import LabelInteractionDisplay

    return LabelInteractionDisplay.from_estimator(model)


STRUCTURE = Structure(
    name="multilabel",
    estimator=MultilabelSVM,
    space=MultilabelSpace,
    summary="label sets of rows from SVMlight lines (label,label 1:value ...)",
    description="Train a multilabel classifier (MultilabelSVM) on rows with sets of labels, "
    "in the format of SVMlight or as arrays of NumPy.",
    file="SVMlight lines with comma-separated labels, gzip, bzip2 or plain, - is stdin; or "
    ".npz with X_train and Y_train (name.npz#test: X_test and Y_test)",
    read=read,
    write=write,
    report=report,
    adapt=adapt,
    describe=describe,
    inspect=inspect,
    display={"sets": _draw_sets, "pairs": _draw_pairs},
    sample=problems.sample,
    samples=problems.VARIANTS,
)
