"""Classes of single rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.metrics import classification_report

from pystruct_ext.estimators import MulticlassSVM
from pystruct_ext.io import BadRecords
from pystruct_ext.spaces import MulticlassSpace
from pystruct_ext.structures.base import Examples, Structure
from pystruct_ext.structures.samples import multiclass as problems
from pystruct_ext.utils.files import atomic_file
from pystruct_ext.utils.inputs import read_input
from pystruct_ext.utils.messages import shorten


def read(path: str, on_error: str = "raise") -> Examples:
    """LIBSVM lines; column numbers start at 1."""
    data, bad = read_input(path), BadRecords(on_error, "rows")
    try:
        X, y = load_svmlight_file(BytesIO(data), zero_based=False)
    except (ValueError, OverflowError):
        good = b"\n".join(_good_rows(data, path, bad))
        X, y = load_svmlight_file(BytesIO(good), zero_based=False)
    bad.finish(path, X.shape[0])
    if (y == np.round(y)).all():
        y = y.astype(np.int64)
    return Examples(
        X,
        y,
        X.shape[0],
        "rows",
        f"{X.shape[0]} rows, {X.shape[1]} features, {len(np.unique(y))} classes",
        lambda out, predicted: write(out, X, predicted),
    )


def _good_rows(data: bytes, path: str, bad: BadRecords) -> Iterator[bytes]:
    """Lines that can be read alone; scikit-learn does not say which one it cannot read."""
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            load_svmlight_file(BytesIO(line), zero_based=False)
        except (ValueError, OverflowError) as error:
            bad.add(
                ValueError(
                    f"{path}:{number}: {shorten(str(error))}; expected 'class 1:value "
                    "2:value ...'"
                )
            )
        else:
            yield line


def write(path: str, X: Any, y: Any) -> None:
    """LIBSVM lines."""
    if path == "-":
        dump_svmlight_file(X, y, sys.stdout.buffer, zero_based=False)
        sys.stdout.buffer.flush()
        return
    with atomic_file(path) as file:
        dump_svmlight_file(X, y, file, zero_based=False)


def adapt(model: Any, examples: Examples) -> Examples:
    """The width of the model: trailing zeros are not written in this format."""
    n_rows, width = examples.X.shape
    n = model.n_features_in_
    if width > n:
        raise ValueError(f"has {width} features, the model has {n}")
    wide = examples.X.copy()
    wide.resize((n_rows, n))
    examples.X = wide
    return examples


@dataclass(frozen=True)
class ClassReport:
    """Precision, recall and F1 of every class, and the accuracy."""

    table: dict[str, Any]
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As `sklearn.metrics.classification_report` has it."""
        return self.table

    def __str__(self) -> str:
        return self.text.rstrip()


def report(examples: Examples, predicted: Any, model: Any) -> ClassReport:
    """Class by class."""
    pair = examples.y, predicted
    with np.errstate(invalid="ignore"):  # labels that no integer holds
        table = classification_report(*pair, output_dict=True, zero_division=0)
        text = classification_report(*pair, digits=4, zero_division=0)
    return ClassReport(table, text)


def inspect(model: Any, top: int) -> list[str]:
    """The largest weights of every class."""
    lines = []
    for label, row in zip(model.classes_, model.coef_, strict=True):
        lines += ["", f"{label}"]
        for j in np.argsort(-row, kind="stable")[:top]:
            lines.append(f"  {row[j]:8.3f}  feature {j + 1}")
    return lines


def _confusion(model: Any, examples: Examples) -> Any:
    from sklearn.metrics import ConfusionMatrixDisplay

    X = adapt(model, examples).X
    labels = np.union1d(examples.y, model.classes_)
    # Counts of many classes have no room in their cells, nor names side by side.
    few = len(labels) <= 20
    return ConfusionMatrixDisplay.from_predictions(
        examples.y,
        model.predict(X),
        labels=labels,
        include_values=few,
        xticks_rotation="horizontal" if len(labels) <= 10 else "vertical",
        cmap="Blues",
    )


STRUCTURE = Structure(
    name="multiclass",
    estimator=MulticlassSVM,
    space=MulticlassSpace,
    summary="classes of single rows from LIBSVM lines (class 1:value ...)",
    description="Train a classifier (MulticlassSVM) on rows in the format of SVMlight and "
    "LIBSVM.",
    file="LIBSVM lines, gzip, bzip2 or plain; - is stdin",
    read=read,
    write=write,
    report=report,
    adapt=adapt,
    inspect=inspect,
    display={"confusion": _confusion},
    sample=problems.sample,
    samples=problems.VARIANTS,
)
