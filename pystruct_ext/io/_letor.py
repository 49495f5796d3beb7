"""LETOR and svmlight files with query ids."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pystruct_ext.io._files import read_lines, write_lines


@dataclass(frozen=True)
class LetorData:
    """Documents of queries, as read from a file.

    Attributes
    ----------
    X : (n, f) ndarray or csr_array
    y : (n,) float64
        Relevance >= 0.
    qid : (n,) int64, or str where an id is not a whole number
    comments : list of str
        What follows ``#``, such as ``docid = ...``.
    """

    X: Any
    y: NDArray[np.float64]
    qid: NDArray[Any]
    comments: list[str]


def _parse(path: Any) -> Iterator[tuple[float, str, NDArray, NDArray, str]]:
    for number, line in read_lines(path):
        body, _, comment = line.partition("#")
        words = body.split()
        if not words:
            continue
        where = f"{path}:{number}"
        try:
            grade = float(words[0])
        except ValueError:
            raise ValueError(
                f"{where}: the grade {words[0]!r} is not a number"
            ) from None
        if not (np.isfinite(grade) and grade >= 0):
            raise ValueError(
                f"{where}: the grade is {words[0]}, expected a number >= 0"
            )
        if len(words) < 2 or not words[1].startswith("qid:") or len(words[1]) == 4:
            raise ValueError(f"{where}: expected qid:ID after the grade")
        flat = " ".join(words[2:]).replace(":", " ").split()
        if len(flat) != 2 * (len(words) - 2) or any(
            w.count(":") != 1 for w in words[2:]
        ):
            raise ValueError(f"{where}: features must be INDEX:VALUE")
        try:
            index = np.array(flat[::2], dtype=np.int64)
            value = np.array(flat[1::2], dtype=np.float64)
        except ValueError as error:
            raise ValueError(
                f"{where}: features must be INDEX:VALUE ({error})"
            ) from None
        if index.size and (index[0] < 1 or (np.diff(index) <= 0).any()):
            raise ValueError(f"{where}: feature indices must start at 1 and increase")
        if not np.isfinite(value).all():
            raise ValueError(f"{where}: a feature is NaN or infinite")
        yield grade, words[1][4:], index - 1, value, comment.strip()


def read_letor(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    n_features: int | None = None,
    sparse_output: bool = False,
) -> LetorData:
    """Read ``grade qid:ID INDEX:VALUE ... # comment`` lines.

    Parameters
    ----------
    path : path or sequence of paths
        Plain or gzip; "-" is standard input. Several files are read one after another.
    n_features : int, optional
        Columns; by default the largest index seen.
    sparse_output : bool, default=False
        X as a csr_array.

    Returns
    -------
    LetorData

    Raises
    ------
    ValueError
        With file and line, for a missing qid, a negative grade, features out of order, NaN.
    """
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    grades, ids, comments, indices, values, ends = [], [], [], [], [], [0]
    for one in paths:
        for grade, qid, index, value, comment in _parse(one):
            grades.append(grade)
            ids.append(qid)
            comments.append(comment)
            indices.append(index)
            values.append(value)
            ends.append(ends[-1] + len(index))
    if not grades:
        raise ValueError(f"{paths[0] if paths else path}: no documents")
    columns = np.concatenate(indices)
    seen = int(columns.max(initial=-1)) + 1
    width = seen if n_features is None else int(n_features)
    if seen > width:
        raise ValueError(f"feature index {seen} is beyond n_features={width}")
    X: Any = sparse.csr_array(
        (np.concatenate(values), columns, np.array(ends)), shape=(len(grades), width)
    )
    return LetorData(
        X if sparse_output else X.toarray(), np.array(grades), _ids(ids), comments
    )


def _ids(ids: list[str]) -> NDArray[Any]:
    """Whole numbers where all are, so that 10 does not sort before 9."""
    if all(i.lstrip("-").isdigit() and len(i) < 18 for i in ids):
        return np.array(ids, dtype=np.int64)
    return np.array(ids)


def iter_letor(path: str | os.PathLike[str]) -> Iterator[tuple[str, Any, NDArray]]:
    """Stream ``(qid, X, y)`` of one query at a time; X is a csr_array.

    The documents of a query must stand together; the width of X is the largest index of that
    query.
    """
    done: set[str] = set()
    current: str | None = None
    rows: list[tuple[NDArray, NDArray]] = []
    grades: list[float] = []

    def emit() -> tuple[str, Any, NDArray]:
        columns = np.concatenate([r[0] for r in rows])
        ends = np.concatenate([[0], np.cumsum([len(r[0]) for r in rows])])
        data = np.concatenate([r[1] for r in rows])
        width = int(columns.max(initial=-1)) + 1
        return (
            str(current),
            sparse.csr_array((data, columns, ends), shape=(len(rows), width)),
            np.array(grades),
        )

    for grade, qid, index, value, _ in _parse(path):
        if qid != current:
            if current is not None:
                yield emit()
                done.add(current)
            if qid in done:
                raise ValueError(
                    f"{path}: query {qid} appears again after others; iter_letor needs the "
                    "documents of a query together (read_letor does not)"
                )
            current, rows, grades = qid, [], []
        rows.append((index, value))
        grades.append(grade)
    if current is not None:
        yield emit()


def write_letor(
    path: str | os.PathLike[str],
    X: Any,
    y: ArrayLike,
    qid: ArrayLike,
    comments: Sequence[str] | None = None,
) -> None:
    """Write what `read_letor` reads; zeros are left out, numbers round-trip exactly."""
    X = sparse.csr_array(X)
    X.sort_indices()
    grades, ids = np.asarray(y, dtype=float), np.asarray(qid)
    if not X.shape[0] == len(grades) == len(ids):
        raise ValueError(
            f"X, y and qid must have one length, got {X.shape[0]}, {len(grades)}, {len(ids)}"
        )

    for r, comment in enumerate(comments or ()):
        if len(comment.splitlines()) > 1:
            raise ValueError(f"comments: that of document {r} has a line break")

    def lines() -> Iterator[str]:
        for r in range(X.shape[0]):
            b, e = X.indptr[r], X.indptr[r + 1]
            parts = [
                f"{j + 1}:{float(v)!r}"
                for j, v in zip(X.indices[b:e], X.data[b:e], strict=True)
                if v != 0
            ]
            tail = f" # {comments[r]}" if comments is not None and comments[r] else ""
            yield f"{grades[r]:.17g} qid:{ids[r]} {' '.join(parts)}".rstrip() + tail

    write_lines(path, lines())
