"""Pairwise alignments as FASTA with gaps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pystruct_ext.io._files import read_lines, write_lines

_GAPS = "-."


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
    """

    names: list[tuple[str, str]]
    pairs: list[tuple[str, str]]
    alignments: list[tuple[int, ...]]
    aligned: bool

    def __len__(self) -> int:
        return len(self.pairs)


def read_alignments(path: str | os.PathLike[str]) -> SequencePairs:
    """Read pairs of sequences: records 1 and 2 of a FASTA file, 3 and 4, and so on.

    "-" and "." are gaps. Columns with a gap in one row align nothing.

    Parameters
    ----------
    path : path-like
        Gzip or plain; "-" is stdin.

    Returns
    -------
    SequencePairs

    Raises
    ------
    ValueError
        For an odd number of records, or text before the first name.
    """
    names: list[str] = []
    rows: list[str] = []
    for number, line in read_lines(path):
        text = line.strip()
        if not text:
            continue
        if text.startswith(">"):
            names.append(text[1:].strip())
            rows.append("")
        elif not rows:
            raise ValueError(f"{path}:{number}: expected a name (>...), got {text!r}")
        else:
            rows[-1] += text
    if not rows or len(rows) % 2:
        raise ValueError(f"{path}: has {len(rows)} records, expected pairs of them")
    both = list(zip(rows[::2], rows[1::2], strict=True))
    aligned = all(len(a) == len(b) for a, b in both)
    pairs = [(_letters(a), _letters(b)) for a, b in both]
    for k, (a, b) in enumerate(pairs):
        if not a or not b:
            raise ValueError(f"{path}: pair {k + 1} has an empty sequence")
    return SequencePairs(
        list(zip(names[::2], names[1::2], strict=True)),
        pairs,
        [_code(a, b) for a, b in both] if aligned else [],
        aligned,
    )


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

    Examples
    --------
    >>> alignment_rows("ACT", "AT", (0, -1, 1))
    ('ACT', 'A-T')
    """
    top: list[str] = []
    bottom: list[str] = []
    j = 0
    for i, p in enumerate(y):
        if p < 0:
            top.append(a[i])
            bottom.append("-")
            continue
        while j < p:
            top.append("-")
            bottom.append(b[j])
            j += 1
        top.append(a[i])
        bottom.append(b[j])
        j += 1
    while j < len(b):
        top.append("-")
        bottom.append(b[j])
        j += 1
    return "".join(top), "".join(bottom)


def write_alignments(
    path: str | os.PathLike[str],
    names: Sequence[tuple[str, str]],
    pairs: Sequence[tuple[str, str]],
    alignments: Sequence[Sequence[int]],
) -> None:
    """Write alignments as FASTA with gaps.

    Parameters
    ----------
    path : path-like
        Written beside it under a temporary name, then renamed; "-" is stdout.
    names, pairs, alignments : lists of n
        As in `SequencePairs`.
    """

    def lines() -> Iterator[str]:
        for (m, n), (a, b), y in zip(names, pairs, alignments, strict=True):
            top, bottom = alignment_rows(a, b, y)
            yield from (f">{m}", top, f">{n}", bottom)

    write_lines(path, lines())


__all__ = ["SequencePairs", "alignment_rows", "read_alignments", "write_alignments"]
