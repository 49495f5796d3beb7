"""Pairwise alignments as FASTA with gaps, or as a table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords, checked_names
from pystruct_ext.io._tables import read_rows, suffix_of, table_lines
from pystruct_ext.utils.messages import shorten

_GAPS = "-."
_COLUMNS = ("id_a", "id_b", "a", "b")


@dataclass
class SequencePairs:
    """Pairs of sequences and, where the file has gaps, their alignments.

    Attributes
    ----------
    names : list of n (str, str)
    pairs : list of n (str, str)
        Letters without gaps.
    alignments : list of n tuples of int
        Per letter of the first sequence the aligned position in the second, or -1.
    aligned : bool
        Whether the rows of every pair had equal lengths: without, `alignments` is empty.
    records : list of n str
        File, line and names of each pair: for messages.
    unequal : str
        Where the rows of a pair first differ in length.
    """

    names: list[tuple[str, str]]
    pairs: list[tuple[str, str]]
    alignments: list[tuple[int, ...]]
    aligned: bool
    records: list[str] = field(default_factory=list, repr=False)
    unequal: str = ""

    def __len__(self) -> int:
        return len(self.pairs)

    def take(self, index: Sequence[int]) -> SequencePairs:
        """Some of the pairs, in this order."""
        return SequencePairs(
            [self.names[i] for i in index],
            [self.pairs[i] for i in index],
            [self.alignments[i] for i in index] if self.alignments else [],
            self.aligned,
            [self.records[i] for i in index] if self.records else [],
            self.unequal,
        )


def read_alignments(
    path: str | os.PathLike[str], on_error: str = "raise"
) -> SequencePairs:
    """Read pairs of sequences: records 1 and 2 of a FASTA file, 3 and 4, and so on.

    "-" and "." are gaps. Columns with a gap in one row align nothing. White space within
    sequences is dropped. A table (.csv, .tsv) has the columns "a" and "b", and may have
    "id_a" and "id_b".

    Parameters
    ----------
    path : path-like
        Gzip or plain; "-" is stdin.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a bad pair: raise, or leave it out, with a warning that counts and
        names.

    Returns
    -------
    SequencePairs

    Raises
    ------
    ValueError
        With file and line: an odd number of records, text before the first name, an empty
        sequence, or rows of different lengths in a file that has gaps.
    """
    bad = BadRecords(on_error, "pairs of sequences")
    separator = {".csv": ",", ".tsv": "\t"}.get(suffix_of(path))
    if separator is None:
        both = _fasta_pairs(path)
    else:
        rows = read_rows(path, separator, ("a", "b"), bad)
        both = [
            (
                line,
                (row.get("id_a", str(2 * k + 1)), row.get("id_b", str(2 * k + 2))),
                ("".join(row["a"].split()), "".join(row["b"].split())),
            )
            for k, (line, row) in enumerate(rows)
        ]
    gapped = any(c in row for _, _, rows in both for row in rows for c in _GAPS)
    unequal = ""
    out = SequencePairs([], [], [], True)
    for line, names, (a, b) in both:
        record = f"{path}:{line} ({shorten(names[0], 80)}, {shorten(names[1], 80)})"
        pair = _letters(a), _letters(b)
        if not all(pair):
            empty = names[not pair[1]]
            bad.add(ValueError(f"{record}: {shorten(empty)!r} is an empty sequence"))
            continue
        if len(a) != len(b):
            text = f"{record}: the rows differ in length, {len(a)} and {len(b)}"
            if gapped:
                bad.add(ValueError(f"{text}, but the file has gaps"))
                continue
            unequal = unequal or text
        out.names.append(names)
        out.pairs.append(pair)
        out.records.append(record)
        out.alignments.append(_code(a, b) if len(a) == len(b) else ())
    bad.finish(path, len(out))
    if unequal:
        out.aligned, out.alignments, out.unequal = False, [], unequal
    return out


def _fasta_pairs(path: Any) -> list[tuple[int, tuple[str, str], tuple[str, str]]]:
    heads: list[tuple[int, str]] = []
    rows: list[list[str]] = []
    for number, line in read_lines(path):
        text = line.strip()
        if not text:
            continue
        if text.startswith(">"):
            heads.append((number, text[1:].strip()))
            rows.append([])
        elif not rows:
            raise ValueError(
                f"{path}:{number}: expected a name (>...), got {shorten(text)!r}"
            )
        else:
            rows[-1] += text.split()
    if not rows or len(rows) % 2:
        where = f"{path}:{heads[-1][0]}" if heads else str(path)
        raise ValueError(f"{where}: has {len(rows)} records, expected pairs of them")
    joined = ["".join(row) for row in rows]
    return [
        (heads[k][0], (heads[k][1], heads[k + 1][1]), (joined[k], joined[k + 1]))
        for k in range(0, len(rows), 2)
    ]


def _letters(row: str) -> str:
    return "".join(c for c in row if c not in _GAPS)


def _code(a: str, b: str) -> tuple[int, ...]:
    code: list[int] = []
    j = 0
    for p, q in zip(a, b, strict=True):
        if p not in _GAPS:
            code.append(j if q not in _GAPS else -1)
        j += q not in _GAPS
    return tuple(code)


def alignment_rows(a: str, b: str, y: Sequence[int]) -> tuple[str, str]:
    """The two rows of an alignment, with "-" for gaps.

    Raises
    ------
    ValueError
        If `y` has not one entry per letter of `a`, or they do not increase within `b`.

    Examples
    --------
    >>> alignment_rows("ACT", "AT", (0, -1, 1))
    ('ACT', 'A-T')
    """
    if len(y) != len(a):
        raise ValueError(f"y has {len(y)} entries, but a has {len(a)} letters")
    top: list[str] = []
    bottom: list[str] = []
    j = 0
    for i, p in enumerate(y):
        if p < 0:
            top.append(a[i])
            bottom.append("-")
            continue
        if not j <= p < len(b):
            raise ValueError(
                f"y aligns position {i} with {p}, expected {j} .. {len(b) - 1} or -1"
            )
        top += ["-"] * (p - j) + [a[i]]
        bottom += b[j : p + 1]
        j = p + 1
    top += ["-"] * (len(b) - j)
    bottom += b[j:]
    return "".join(top), "".join(bottom)


def write_alignments(
    path: str | os.PathLike[str],
    names: Sequence[tuple[str, str]],
    pairs: Sequence[tuple[str, str]],
    alignments: Sequence[Sequence[int]],
    scores: Iterable[Any] | None = None,
) -> None:
    """Write alignments as FASTA with gaps; as a table where the name ends in .csv or .tsv.

    Parameters
    ----------
    path : path-like
        Written beside it under a temporary name, then renamed; "-" is stdout.
    names, pairs, alignments : lists of n
        As in `SequencePairs`.
    scores : n values, optional
        A column of a table; other formats have no place for it.

    Raises
    ------
    ValueError
        Naming the example: letters that are gaps, white space or no single letters, names
        with line breaks, alignments that do not fit. Nothing is written then.
    """
    rows = []
    first, second = (checked_names((n[k] for n in names), "names") for k in range(2))
    for i, (m, n, (a, b), y) in enumerate(
        zip(first, second, pairs, alignments, strict=True)
    ):
        for side in (a, b):
            _check_letters(side, f"pairs: example {i}")
        try:
            rows.append([m, n, *alignment_rows(a, b, y)])
        except ValueError as error:
            raise ValueError(f"alignments: example {i}: {error}") from None
    separator = {".csv": ",", ".tsv": "\t"}.get(suffix_of(path))
    if separator is None:
        write_lines(path, _fasta_lines(rows))
        return
    header = list(_COLUMNS)
    if scores is not None:
        header.append("score")
        rows = [[*r, str(s)] for r, s in zip(rows, scores, strict=True)]
    write_lines(path, table_lines(header, rows, separator))


def _check_letters(side: Sequence[Any], where: str) -> None:
    if len(side) == 0:
        raise ValueError(f"{where} has an empty sequence")
    for c in side:
        if (
            not isinstance(c, str)
            or len(c) != 1
            or c in _GAPS
            or c.isspace()
            or c == "\0"
        ):
            raise ValueError(
                f"{where} has the letter {shorten(repr(c))}, expected one character that "
                "is neither a gap nor white space"
            )
    if side[0] == ">":
        raise ValueError(
            f"{where} begins with '>', which is read as the mark of a name"
        )


def _fasta_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for m, n, top, bottom in rows:
        yield from (f">{m}", top, f">{n}", bottom)


__all__ = ["SequencePairs", "alignment_rows", "read_alignments", "write_alignments"]
