"""Reading and writing column files in the style of the CoNLL shared tasks."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import BinaryIO

from pystruct_ext._core.features import ColumnTable
from pystruct_ext.io._files import write_lines
from pystruct_ext.io._records import BadRecords
from pystruct_ext.io._text import NUL
from pystruct_ext.utils.inputs import name_of, read_input
from pystruct_ext.utils.listed import listed
from pystruct_ext.utils.messages import shorten

__all__ = ["read_conll", "write_conll"]

_CELLS = re.compile(rb"[^ \t]+")


def read_conll(
    path_or_file: str | os.PathLike[str] | BinaryIO,
    comment: str | None = None,
    sep: str | None = None,
    on_error: str = "raise",
) -> ColumnTable:
    r"""Read a column file: one token per line, a blank line after each sentence.

    Parameters
    ----------
    path_or_file : path-like, "-" or binary file
        A path; ``"-"`` for the standard input; or an object whose ``read()`` returns
        bytes. Data compressed by gzip is recognised by its first bytes.
    comment : str, optional
        Lines that start with it are skipped.
    sep : str, optional
        One character that separates cells; runs of spaces and tabs by default.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a sentence whose lines have another number of columns than most
        others: raise, or leave it out, with a warning that counts and names.

    Returns
    -------
    ColumnTable
        The cells, ``table.column(j)`` for instance.

    Raises
    ------
    ValueError
        For a file without tokens, invalid UTF-8, NUL bytes, damaged compression, or a
        change in the number of columns; the message starts with the name of the file.
    TypeError
        For a file opened in text mode.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import io
    >>> table = read_conll(io.BytesIO(b"the DT\ndog NN\n"))
    >>> table.column(-1)
    [['DT', 'NN']]
    """
    data = read_input(path_or_file)
    name = name_of(path_or_file)
    bad = BadRecords(on_error, "sentences")
    if b"\0" in data:
        line = 1 + data.count(b"\n", 0, data.index(b"\0"))
        raise ValueError(f"{name}: line {line} {NUL}")
    try:
        return ColumnTable(data, comment, sep)
    except ValueError as error:
        if not bad.skip:
            raise ValueError(f"{name}: {error}") from error
    data = _good_sentences(data, name, comment, sep, bad)
    try:
        return ColumnTable(data, comment, sep)
    except ValueError as error:
        more = f"; left out: {listed(bad.messages)}" if bad.messages else ""
        raise ValueError(f"{name}: {error}{more}") from error


def _good_sentences(
    data: bytes, name: str, comment: str | None, sep: str | None, bad: BadRecords
) -> bytes:
    """The sentences whose lines have the most common number of columns."""
    sentences: list[list[tuple[int, bytes, int]]] = [[]]
    counts: Counter[int] = Counter()
    mark = None if comment is None else comment.encode()
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.removesuffix(b"\r")
        if mark is not None and text.startswith(mark):
            continue
        if not text.strip(b" \t"):
            sentences.append([])
            continue
        width = len(text.split(sep.encode())) if sep else len(_CELLS.findall(text))
        try:
            text.decode()
        except UnicodeDecodeError:
            width = -1
        counts[width] += 1
        sentences[-1].append((number, text, width))
    most = max(counts, key=lambda w: (w > 0, counts[w])) if counts else 0
    good: list[bytes] = []
    n_good = 0
    for sentence in filter(None, sentences):
        wrong = next(((k, w) for k, _, w in sentence if w != most), None)
        if wrong is None:
            n_good += 1
            good += [text for _, text, _ in sentence] + [b""]
        else:
            k, w = wrong
            what = (
                "is not valid UTF-8"
                if w < 0
                else f"has {w} columns, others have {most}"
            )
            bad.add(ValueError(f"{name}: line {k} {what}"))
    if n_good:
        bad.finish(name, n_good)
    return b"\n".join(good)


def write_conll(
    path_or_file: str | os.PathLike[str] | BinaryIO,
    table: ColumnTable,
    labels: Sequence[Sequence[str]],
    *,
    sep: str | None = None,
) -> None:
    r"""Write a table with one more column, the form scorers such as conlleval read.

    Parameters
    ----------
    path_or_file : path-like, "-" or binary file
        Where to; a path is replaced if it exists, ``"-"`` is the standard output.
    table : ColumnTable
        The columns to repeat. Comments are not repeated.
    labels : list of lists of str
        One label per token, for instance the predicted ones.
    sep : str, optional
        Written between cells; by default that of the table, or a space if the table
        was read with runs of spaces and tabs.

    Raises
    ------
    ValueError
        If the labels do not match the table in number, or one is empty or holds white
        space; names the sentence and token. Nothing is written then.
    TypeError
        If a label is not a str.

    Examples
    --------
    >>> import io
    >>> out = io.BytesIO()
    >>> write_conll(out, read_conll(io.BytesIO(b"a X\nb Y\n")), [["X", "X"]])
    >>> out.getvalue()
    b'a X X\nb Y X\n\n'
    """
    between = sep if sep is not None else table.sep or " "
    lines = _lines(table, labels, between)
    text = "\n".join(lines).encode()
    if not isinstance(path_or_file, (str, os.PathLike)):
        path_or_file.write(text)
    elif path_or_file == "-":
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    else:
        write_lines(path_or_file, lines[:-1])


def _lines(
    table: ColumnTable, labels: Sequence[Sequence[str]], between: str
) -> list[str]:
    if len(labels) != table.n_sentences:
        raise ValueError(
            f"labels: {len(labels)} sequences for {table.n_sentences} sentences"
        )
    columns = [table.column(j) for j in range(table.n_columns)]
    good: set[str] = set()
    lines = []
    for i, sequence in enumerate(labels):
        n = len(columns[0][i])
        if len(sequence) != n:
            raise ValueError(
                f"labels: example {i} has {len(sequence)} labels for {n} tokens"
            )
        for t, label in enumerate(sequence):
            if label not in good:
                _check_label(label, i, t)
                good.add(label)
        cells = zip(*(column[i] for column in columns), sequence, strict=True)
        lines += [between.join(row) for row in cells]
        lines.append("")
    lines.append("")
    return lines


def _check_label(label: object, i: int, t: int) -> None:
    if not isinstance(label, str):
        raise TypeError(
            f"labels: example {i}, token {t} must be a str, got {type(label).__name__}"
        )
    if not label or label.split() != [label] or "\0" in label:
        raise ValueError(
            f"labels: example {i}, token {t} is {shorten(label)!r}: a label must not be empty "
            "or hold white space"
        )
