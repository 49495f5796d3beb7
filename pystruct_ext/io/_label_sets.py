"""Rows with sets of labels: SVMlight's multilabel lines, and NumPy archives."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords
from pystruct_ext.utils.inputs import seekable
from pystruct_ext.utils.label_sets import as_collections, label_sets
from pystruct_ext.utils.messages import shorten

_INT32_MAX = (1 << 31) - 1


@dataclass
class LabelledRows:
    """Rows of features, each with its labels.

    Attributes
    ----------
    X : (n, d) CSR array or ndarray
    y : list of n tuples of labels
        Whole numbers if all labels in the file are, else text.
    records : list of n str
        File and line of each row: for messages.
    """

    X: Any
    y: list[tuple[Any, ...]]
    records: list[str] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: Sequence[int]) -> LabelledRows:
        """Some of the rows, in this order."""
        return LabelledRows(
            self.X[list(index)],
            [self.y[i] for i in index],
            [self.records[i] for i in index] if self.records else [],
        )


def read_label_sets(
    path: str | os.PathLike[str], on_error: str = "raise"
) -> LabelledRows:
    """Read rows with sets of labels.

    Lines are those of SVMlight and LIBSVM, labels separated by commas: ``1,5 3:0.2 7:1``;
    column numbers start at 1, ``#`` begins a comment, and a row without labels begins with a
    space or its first feature. A file whose first line is three whole numbers (rows, columns,
    labels) is in the form of the extreme classification repository: its column numbers start at
    0. A name that ends in ``.npz`` is a NumPy archive with the arrays X_train and Y_train, or
    X_train_data, X_train_indices, X_train_indptr and X_train_shape of a CSR matrix in place of
    X_train, and maybe label_names; ``name.npz#test`` reads X_test and Y_test.

    Parameters
    ----------
    path : path-like
        Gzip or plain; "-" is stdin.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a bad line: raise, or leave it out, with a warning that counts and
        names.

    Returns
    -------
    LabelledRows

    Raises
    ------
    ValueError
        With file and line: what was seen, and what was expected.
    """
    bad = BadRecords(on_error, "rows")
    name, _, part = str(path).partition("#")
    if name.endswith(".npz"):
        return _read_archive(name, part or "train")
    first, width = 1, 0
    indptr, indices, values = [0], [], []
    labels: list[list[str]] = []
    records: list[str] = []
    for number, raw in read_lines(path):
        line = raw.partition("#")[0]
        tokens = line.split()
        if number == 1 and len(tokens) == 3 and all(t.isdigit() for t in tokens):
            first, width = 0, int(tokens[1])
            continue
        if not tokens:
            continue
        try:
            given, columns, numbers = _parsed(tokens, line[:1].isspace(), first, width)
        except ValueError as error:
            bad.add(ValueError(f"{path}:{number}: {error}"))
            continue
        labels.append(given)
        indices += columns
        values += numbers
        indptr.append(len(indices))
        records.append(f"{path}:{number}")
    bad.finish(path, len(labels))
    X = csr_array(
        (np.array(values, dtype=np.float64), np.array(indices, dtype=np.int32),
         np.array(indptr)),
        shape=(len(labels), max(width, max(indices, default=-1) + 1)),
    )  # fmt: skip
    X.sort_indices()
    return LabelledRows(X, _as_numbers(labels), records)


def _parsed(
    tokens: list[str], no_labels: bool, first: int, width: int
) -> tuple[list[str], list[int], list[float]]:
    """Labels, columns and values of a line."""
    labels: list[str] = []
    if not no_labels and ":" not in tokens[0]:
        labels = tokens[0].split(",")
        tokens = tokens[1:]
        if "" in labels:
            raise ValueError(
                f"the labels {shorten(','.join(labels))!r} have nothing between two commas"
            )
        if len(set(labels)) < len(labels):
            raise ValueError(f"the labels {shorten(','.join(labels))!r} repeat one")
    columns, values = [], []
    for token in tokens:
        column, _, value = token.partition(":")
        try:
            j, v = int(column) - first, float(value)
        except ValueError:
            raise ValueError(
                f"{shorten(token)!r}, expected 'label,label column:value column:value ...'"
            ) from None
        if not 0 <= j < (width or _INT32_MAX):
            last = f" to {width - 1 + first}" if width else ""
            raise ValueError(f"column {j + first}, expected {first}{last}")
        if not math.isfinite(v):
            raise ValueError(f"column {j + first} has the value {value}")
        columns.append(j)
        values.append(v)
    if len(set(columns)) < len(columns):
        j = next(j for j in columns if columns.count(j) > 1)
        raise ValueError(f"column {j + first} is there twice")
    return labels, columns, values


def _as_numbers(labels: list[list[str]]) -> list[tuple[Any, ...]]:
    """Labels as whole numbers if all of them are."""
    number: dict[str, int] = {}
    for text in {t for given in labels for t in given}:
        try:
            value = float(text)
        except ValueError:
            return [tuple(given) for given in labels]
        if not value.is_integer() or abs(value) >= 1 << 53:
            return [tuple(given) for given in labels]
        number[text] = int(value)
    return [tuple(number[t] for t in given) for given in labels]


def _read_archive(path: str, part: str) -> LabelledRows:
    try:
        with seekable(path) as file, np.load(file, allow_pickle=False) as z:
            names = {k: z[k] for k in z.files if part in k or k == "label_names"}
            known = list(z.files)
    except (ValueError, OSError, EOFError, KeyError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path}: no NumPy archive: {shorten(str(error))}") from None
    x, y = f"X_{part}", f"Y_{part}"
    sparse = [f"{x}_{piece}" for piece in ("data", "indices", "indptr", "shape")]
    if y not in names or not (x in names or all(k in names for k in sparse)):
        raise ValueError(
            f"{path}: expected the arrays {x} (or {', '.join(sparse)}) and {y}, found "
            f"{', '.join(known)}"
        )
    try:
        X: Any
        if x in names:
            X = np.asarray(names[x], dtype=np.float64)
        else:
            data, indices, indptr, shape = (names[k] for k in sparse)
            X = csr_array(
                (data.astype(np.float64), indices, indptr), shape=tuple(shape.tolist())
            )
            X.check_format()
        classes = names["label_names"].tolist() if "label_names" in names else None
        sets = label_sets(names[y], classes, "indicator", y)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    if len(sets.codes) != X.shape[0] or X.ndim != 2:
        raise ValueError(
            f"{path}: {x} has the shape {X.shape} and {y} {len(sets.codes)} rows"
        )
    records = [f"{path}: row {i} of {part}" for i in range(X.shape[0])]
    return LabelledRows(X, as_collections(sets.codes, sets.classes), records)


def write_label_sets(
    path: str | os.PathLike[str], X: Any, y: Iterable[Iterable[Any]]
) -> None:
    """Write rows with sets of labels in the format of SVMlight; see `read_label_sets`.

    Parameters
    ----------
    path : path-like
        "-" is stdout; a name that ends in .gz is compressed.
    X : (n, d) ndarray or sparse matrix
    y : n collections of labels, or (n, K) array of 0 and 1
    """
    sets = label_sets(y)
    rows = csr_array(X)
    if rows.shape[0] != len(sets.codes):
        raise ValueError(
            f"X has {rows.shape[0]} rows and y {len(sets.codes)}, expected as many"
        )
    texts = {c: str(c) for c in sets.classes}
    for label, text in texts.items():
        if not text or any(c.isspace() or c in ",:#" for c in text):
            raise ValueError(
                f"the label {label!r} cannot be written: it is empty or has a space, comma, "
                "colon or '#'"
            )
    lines = []
    for i, given in enumerate(as_collections(sets.codes, sets.classes)):
        a, b = int(rows.indptr[i]), int(rows.indptr[i + 1])
        pairs = sorted(
            zip(rows.indices[a:b].tolist(), rows.data[a:b].tolist(), strict=True)
        )
        features = [f"{j + 1}:{float(v)!r}" for j, v in pairs]
        # A line with nothing on it would be no row.
        if not features and not given:
            features = ["1:0"]
        lines.append(" ".join([",".join(texts[c] for c in given), *features]))
    write_lines(path, lines)


__all__ = ["LabelledRows", "read_label_sets", "write_label_sets"]
