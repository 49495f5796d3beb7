"""Classes of single rows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.metrics import classification_report

from pystruct_ext.estimators import MulticlassSVM
from pystruct_ext.spaces import MulticlassSpace
from pystruct_ext.structures.base import Examples, Structure
from pystruct_ext.structures.samples import multiclass as problems
from pystruct_ext.utils.files import atomic_file
from pystruct_ext.utils.inputs import InputError, open_input


def read(path: str) -> Examples:
    """LIBSVM lines; column numbers start at 1."""
    try:
        with open_input(path) as file:
            X, y = load_svmlight_file(file, zero_based=False)
    except InputError:
        raise
    except ValueError as error:
        raise ValueError(
            f"{path}: {error}; expected lines 'class 1:value 2:value ...'"
        ) from None
    if X.shape[0] == 0:
        raise ValueError(f"{path}: holds no rows")
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
    table = classification_report(*pair, output_dict=True, zero_division=0)
    return ClassReport(table, classification_report(*pair, digits=4, zero_division=0))


def inspect(model: Any, top: int) -> list[str]:
    """The largest weights of every class."""
    lines = []
    for label, row in zip(model.classes_, model.coef_, strict=True):
        lines += ["", f"{label}"]
        for j in np.argsort(-row, kind="stable")[:top]:
            lines.append(f"  {row[j]:8.3f}  feature {j + 1}")
    return lines


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
    sample=problems.sample,
    samples=problems.VARIANTS,
)
