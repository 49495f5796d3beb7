"""LETOR and svmlight files with query ids."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords
from pystruct_ext.utils.callers import user_stacklevel
from pystruct_ext.utils.messages import shorten
from pystruct_ext.utils.queries import check_qid, check_relevance

# Columns of a file that does not say how many it means: 128 MB for a vector of weights.
_MAX_INDEX = 1 << 24
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
# Numbers of a dense array, zeros included, that are read without asking: 1 GB.
_MAX_DENSE = 1 << 27


@dataclass(frozen=True)
class LetorData:
    """Documents of queries, as read from a file.

    Attributes
    ----------
    X : (n, f) ndarray or csr_array
    y : (n,) float64
        Relevance >= 0.
    qid : (n,) int64, or str where some id is not a whole number as Python writes it: "01"
        and "1" are two queries
    comments : list of str
        What follows ``#``, such as ``docid = ...``.
    """

    X: Any
    y: NDArray[np.float64]
    qid: NDArray[Any]
    comments: list[str]


_Document = tuple[str, float, str, NDArray, NDArray, str]


def _parse(
    path: Any, n_features: int | None = None, bad: BadRecords | None = None
) -> Iterator[_Document]:
    """``(where, grade, qid, indices, values, comment)`` of every document."""
    for number, line in read_lines(path):
        body, _, comment = line.partition("#")
        words = body.split()
        if not words:
            continue
        try:
            document = _document(words, comment.strip(), f"{path}:{number}", n_features)
        except ValueError as error:
            if bad is None:
                raise
            bad.add(error)
        else:
            yield document


def _document(
    words: list[str], comment: str, where: str, n_features: int | None
) -> _Document:
    limit = _MAX_INDEX if n_features is None else n_features
    try:
        grade = _numbers([words[0]], float)[0]
    except ValueError:
        raise ValueError(
            f"{where}: the grade {shorten(words[0])!r} is not a number"
        ) from None
    if not (np.isfinite(grade) and grade >= 0):
        raise ValueError(
            f"{where}: the grade is {shorten(words[0])}, expected a number >= 0"
        )
    if len(words) < 2 or not words[1].startswith("qid:") or len(words[1]) == 4:
        raise ValueError(f"{where}: expected qid:ID after the grade")
    flat = " ".join(words[2:]).replace(":", " ").split()
    if len(flat) != 2 * (len(words) - 2) or any(w.count(":") != 1 for w in words[2:]):
        raise ValueError(f"{where}: features must be INDEX:VALUE")
    try:
        index = _numbers(flat[::2], np.int64)
        value = _numbers(flat[1::2], np.float64)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{where}: features must be INDEX:VALUE ({shorten(str(error))})"
        ) from None
    if index.size and (index[0] < 1 or (np.diff(index) <= 0).any()):
        raise ValueError(f"{where}: feature indices must start at 1 and increase")
    if not np.isfinite(value).all():
        raise ValueError(f"{where}: a feature is NaN or infinite")
    if index.size and index[-1] > limit:
        raise ValueError(
            f"{where}: feature index {index[-1]} is beyond "
            + (
                f"{limit}; pass n_features if it is meant"
                if n_features is None
                else f"n_features={n_features}"
            )
        )
    return where, float(grade), words[1][4:], index - 1, value, comment


def _numbers(words: list[str], dtype: Any) -> NDArray[Any]:
    """Numbers as other readers of this format know them: Python's 1_000 is none."""
    if any("_" in word for word in words):
        raise ValueError("a number has an underscore")
    return np.array(words, dtype=dtype)


def read_letor(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    n_features: int | None = None,
    sparse_output: bool = False,
    on_error: str = "raise",
) -> LetorData:
    """Read ``grade qid:ID INDEX:VALUE ... # comment`` lines.

    Parameters
    ----------
    path : path or sequence of paths
        Plain or gzip; "-" is standard input. Several files are read one after another.
    n_features : int, optional
        Columns; by default the largest index seen, which may not be above 16,777,216 then.
    sparse_output : bool, default=False
        X as a csr_array.
    on_error : {"raise", "skip"}, default="raise"
        "skip" leaves bad documents out, counted and named in a warning.

    Returns
    -------
    LetorData

    Raises
    ------
    ValueError
        With file and line, for a missing qid, a negative grade, features out of order, NaN;
        and for a dense X of more than a gigabyte that is nearly all zeros.

    Warns
    -----
    UserWarning
        If two files have documents of one query id: they become one query.
    """
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    if n_features is not None and (
        not isinstance(n_features, (int, np.integer)) or n_features < 1
    ):
        raise ValueError(f"n_features must be None or an int >= 1, got {n_features!r}")
    grades, ids, comments, indices, values, ends = [], [], [], [], [], [0]
    bad = BadRecords(on_error, "documents")
    last_file: dict[str, int] = {}
    apart: list[str] = []
    for f, one in enumerate(paths):
        for _, grade, qid, index, value, comment in _parse(one, n_features, bad):
            if last_file.setdefault(qid, f) != f:
                apart.append(f"{qid} of {paths[last_file[qid]]} and {one}")
                last_file[qid] = f
            grades.append(grade)
            ids.append(qid)
            comments.append(comment)
            indices.append(index)
            values.append(value)
            ends.append(ends[-1] + len(index))
    bad.finish(paths[0] if paths else path, len(grades))
    if apart:
        warnings.warn(
            f"{len(apart)} query ids occur in two files and are taken for one query each: "
            f"query {shorten(apart[0])}; give different queries different ids",
            stacklevel=user_stacklevel(),
        )
    columns = np.concatenate(indices)
    seen = int(columns.max(initial=-1)) + 1
    shape = (len(grades), seen if n_features is None else int(n_features))
    if not sparse_output and shape[0] * shape[1] > _MAX_DENSE + 64 * len(columns):
        raise ValueError(
            f"{paths[0]}: {shape[0]} documents by {shape[1]} features, nearly all zero, need "
            f"{8e-9 * shape[0] * shape[1]:.3g} GB as a dense array; pass sparse_output=True"
        )
    X: Any = sparse.csr_array(
        (np.concatenate(values), columns, np.array(ends)), shape=shape
    )
    return LetorData(
        X if sparse_output else X.toarray(), np.array(grades), _ids(ids), comments
    )


def _ids(ids: list[str]) -> NDArray[Any]:
    """Whole numbers where all are, so that 10 does not sort before 9; 01 is not 1."""
    if all(_WHOLE.fullmatch(i) for i in ids):
        return np.array(ids, dtype=np.int64)
    return np.array(ids)


def iter_letor(path: str | os.PathLike[str]) -> Iterator[tuple[str, Any, NDArray]]:
    """Stream ``(qid, X, y)`` of one query at a time; X is a csr_array.

    The documents of a query must stand together; the width of X is the largest index of that
    query.

    Raises
    ------
    ValueError
        As `read_letor`, with file and line.
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

    # Sparse rows: no index is too large here.
    for where, grade, qid, index, value, _ in _parse(path, np.iinfo(np.int64).max):
        if qid != current:
            if current is not None:
                yield emit()
                done.add(current)
            if qid in done:
                raise ValueError(
                    f"{where}: query {shorten(qid)} appears again after others; "
                    "iter_letor needs the documents of a query together (read_letor does not)"
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
    """Write what `read_letor` reads; zeros are left out, numbers round-trip exactly.

    Parameters
    ----------
    path : path
        gzip if it ends in ".gz"; "-" is standard output.
    X : (n, f) array-like or sparse matrix
    y : (n,) array-like
        Relevance >= 0.
    qid : (n,) array-like
    comments : sequence of n str, optional
        Without line breaks; blanks at the ends are not kept.

    Raises
    ------
    ValueError
        For what could not be read back: grades or features that are NaN or infinite,
        negative grades, query ids with blanks or ``#``, comments of several lines.
    """
    grades = check_relevance(y)
    X = X if sparse.issparse(X) else np.asarray(X)
    if X.ndim != 2 or X.dtype.kind not in "buif":
        raise ValueError(
            f"X must hold real numbers of shape (documents, features), got {X.dtype} of "
            f"shape {X.shape}"
        )
    X = sparse.csr_array(X, copy=True)
    X.sum_duplicates()
    if grades.ndim != 1 or not X.shape[0] == len(grades) == len(np.asarray(qid)):
        raise ValueError(
            f"X, y and qid must have one length, got {X.shape[0]}, {len(grades)}, "
            f"{len(np.asarray(qid))}"
        )
    bad = np.flatnonzero(~np.isfinite(X.data))
    if bad.size:
        r = int(np.searchsorted(X.indptr, bad[0], side="right")) - 1
        raise ValueError(
            f"X: feature {X.indices[bad[0]]} of document {r} is {X.data[bad[0]]}"
        )
    ids = _written_ids(check_qid(qid, len(grades)))
    if comments is not None and len(comments) != len(grades):
        raise ValueError(f"comments: {len(comments)} for {len(grades)} documents")
    for r, comment in enumerate(comments or ()):
        if any(c in comment for c in "\r\n\0"):
            raise ValueError(f"comments: that of document {r} has a line break or NUL")

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


def _written_ids(qid: NDArray[Any]) -> list[str]:
    if qid.dtype.kind == "f" and (qid % 1 == 0).all():
        return [str(int(v)) for v in qid]
    out = [v.decode() if isinstance(v, bytes) else str(v) for v in qid.tolist()]
    for r, name in enumerate(out):
        if (
            not name
            or "#" in name
            or "\0" in name
            or len(name.split()) != 1
            or name.strip() != name
        ):
            raise ValueError(
                f"qid: that of document {r} is {shorten(name)!r}; in this format an id has no "
                "blanks and no #, and is not empty"
            )
    return out
