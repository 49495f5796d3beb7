"""RNA sequences and their folds (secondary structures): dot-bracket, CT, BPSEQ and tables."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pystruct_ext._moved import warn_moved
from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords, checked_names, files_of
from pystruct_ext.io._tables import read_rows, suffix_of, table_lines
from pystruct_ext.outputs.dot_bracket import crossing_pairs, nested_levels, pairs_of
from pystruct_ext.utils.messages import shorten

SUFFIXES = (
    ".ct", ".bpseq", ".csv", ".tsv", ".fa", ".fasta", ".fna", ".seq", ".db", ".dbn", ".dot",
    ".vienna", ".txt",
)  # fmt: skip
_LEVELS = ("()", "[]", "{}", "<>", "Aa", "Bb", "Cc", "Dd")
_LETTERS = frozenset("ACGUTRYSWKMBDHVNacgutryswkmbdhvn")
# What tells a fold from a sequence; letters may mark pairs of a fold, too.
_MARKS = frozenset(".()[]{}<>:,_")
_DEMANDS = frozenset(".|x()<>")
_ENERGY = re.compile(r"\(?\s*[-+]?[0-9]+(\.[0-9]*)?\s*\)?(\s*kcal/mol)?")
_NUMBER = re.compile(r"[0-9]{1,9}")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


@dataclass
class RnaFolds:
    """Named sequences and, where known, their folds.

    Attributes
    ----------
    names, sequences : lists of n str
    folds : list of n dot-bracket str, or None
    columns : dict of str to list of n str
        Other columns of a table.
    constraints : list of n str, or None
        What the folds must be, in ViennaRNA's marks.
    records : list of n str
        File, line and name of each sequence: for messages.
    """

    names: list[str]
    sequences: list[str]
    folds: list[str] | None
    columns: dict[str, list[str]] = field(default_factory=dict, repr=False)
    constraints: list[str] | None = None
    records: list[str] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def structures(self) -> list[str] | None:
        """Deprecated name of `folds`."""
        warn_moved("RnaFolds.structures", "RnaFolds.folds")
        return self.folds

    def take(self, index: Sequence[int]) -> RnaFolds:
        """Some of the sequences, in this order."""

        def chosen(values: list[str] | None) -> list[str] | None:
            return None if values is None else [values[i] for i in index]

        return RnaFolds(
            [self.names[i] for i in index],
            [self.sequences[i] for i in index],
            chosen(self.folds),
            {name: [column[i] for i in index] for name, column in self.columns.items()},
            chosen(self.constraints),
            [self.records[i] for i in index] if self.records else [],
        )


@dataclass
class _Found:
    """A record as it stands in a file; `wrong` is what cannot be read of it."""

    path: Any
    line: int
    name: str
    sequence: str = ""
    fold: str | None = None
    constraint: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    wrong: str = ""

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}" + (
            f" ({shorten(self.name, 80)})" if self.name else ""
        )


def read_folds(
    path: str | os.PathLike[str] | Sequence[Any],
    on_error: str = "raise",
    *,
    constraints: bool = False,
) -> RnaFolds:
    """Read RNA sequences with or without folds.

    The format is told by the file's name: ``.ct``, ``.bpseq``, ``.csv`` or ``.tsv`` (with
    columns "sequence" and "structure"), each optionally with ``.gz``; anything else is FASTA
    with a dot-bracket line after each sequence (or none), as ViennaRNA writes it, energies
    included. Sequences under a name may take several lines, and white space in them is
    dropped; without a name each line is a sequence.

    Parameters
    ----------
    path : path-like, or list of them
        "-" is stdin. Of a folder, and of those below it, the files whose names end in one of
        the above, or in .fa, .fasta, .fna, .seq, .db, .dbn, .dot, .vienna or .txt.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a bad record: raise, or leave it out, with a warning that counts and
        names.
    constraints : bool, default=False
        The lines after sequences are not folds but what folds must be, in ViennaRNA's marks:
        "." anything, "x" free, "|" paired, "<" with a later base, ">" with an earlier one,
        "(" and ")" this pair. Of a table, the column "constraint".

    Returns
    -------
    RnaFolds

    Raises
    ------
    ValueError
        With file, line and name: letters other than A, C, G, U, T and IUPAC's for unknown
        bases, empty sequences, brackets that do not balance, lengths that differ, pairs that
        are not mutual, wrong columns.
    """
    bad = BadRecords(on_error, "sequences")
    found: list[_Found] = []
    for file in files_of(path, SUFFIXES):
        kind = suffix_of(file)
        if constraints and kind in (".ct", ".bpseq"):
            raise ValueError(
                f"{file}: {kind} files hold no constraints, FASTA and CSV do"
            )
        if kind in _SEPARATORS:
            found += _read_table(file, _SEPARATORS[kind], constraints, bad)
        elif kind == ".ct":
            found += _read_ct(file)
        elif kind == ".bpseq":
            found += _read_bpseq(file)
        else:
            found += _read_dot_bracket(file, constraints)
    known = any(r.fold is not None for r in found if not r.wrong)
    good = []
    for r in found:
        wrong = r.wrong or _fault(r)
        if not wrong and known and r.fold is None:
            wrong = "has no fold, but others have"
        if not wrong and constraints and r.constraint is None:
            wrong = "has no line of constraints after the sequence"
        if wrong:
            bad.add(ValueError(f"{r.where}: {wrong}"))
        else:
            good.append(r)
    bad.finish(path, len(good))
    columns = dict.fromkeys(name for r in good for name in r.columns)
    return RnaFolds(
        [r.name for r in good],
        [r.sequence for r in good],
        [r.fold or "" for r in good] if known else None,
        {name: [r.columns.get(name, "") for r in good] for name in columns},
        [r.constraint or "" for r in good] if constraints else None,
        [r.where for r in good],
    )


def _fault(r: _Found) -> str:
    """What is wrong with a record, or ""."""
    if not r.sequence:
        return "has no sequence"
    if not _LETTERS.issuperset(r.sequence):
        at = next(t for t, c in enumerate(r.sequence) if c not in _LETTERS)
        return (
            f"the sequence has {r.sequence[at]!r} at position {at + 1}, expected A, C, G, U "
            "or a letter of IUPAC for an unknown base"
        )
    for what, text in (("fold", r.fold), ("constraint", r.constraint)):
        if text is not None and len(text) != len(r.sequence):
            return (
                f"the {what} has {len(text)} characters, but the sequence has "
                f"{len(r.sequence)}"
            )
    if r.fold is not None:
        try:
            pairs_of(r.fold, "the fold")
        except ValueError as error:
            hint = ""
            if _DEMANDS.issuperset(r.fold):
                hint = "; are these constraints (--constraints, constraints=True)?"
            return f"{error}{hint}"
    return ""


# FASTA with dot-bracket.


def _read_dot_bracket(path: Any, constraints: bool) -> list[_Found]:
    found: list[_Found] = []
    now: _Found | None = None  # the record that lines may belong to
    named = False
    below = ""  # the fold or the constraints, so far
    for number, raw in read_lines(path):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        goes_on = (
            now is not None
            and 0 < len(below) < len(now.sequence)
            and len(line) > 1
            and len(below) + len(line) <= len(now.sequence)
            and _MARKS.issuperset(line)
        )
        if line.startswith(">") and not goes_on:
            now, named, below = _Found(path, number, line[1:].strip()), True, ""
            found.append(now)
        elif _is_below(line, constraints):
            text, wrong = _without_energy(line)
            if now is None or not now.sequence:
                if now is None:
                    now = _Found(path, number, "")
                    found.append(now)
                now.wrong = now.wrong or "a fold without a sequence"
                continue
            now.wrong = now.wrong or wrong
            below += text
            if constraints:
                now.constraint = below
            else:
                now.fold = below
        else:
            if now is None or below or (now.sequence and not named):
                now, named, below = _Found(path, number, ""), False, ""
                found.append(now)
            now.sequence += "".join(line.split())
    return found


def _is_below(line: str, constraints: bool) -> bool:
    """Whether a line is a fold, or constraints, rather than a sequence."""
    if constraints and _DEMANDS.issuperset(line):
        return True
    return not _MARKS.isdisjoint(line) or set(line) in ({"-"}, {"|"})


def _without_energy(line: str) -> tuple[str, str]:
    """A fold without what programs write after it, and what is wrong with the rest."""
    parts = line.split()
    n = 1
    while n < len(parts) and _MARKS.issuperset(parts[n]) and parts[n] != "(":
        n += 1
    rest = " ".join(parts[n:])
    if rest and not _ENERGY.fullmatch(rest):
        return "".join(parts[:n]), f"has {shorten(rest)!r} after the fold"
    return "".join(parts[:n]), ""


# Tables of pairs.


def _fold_of_pairs(partner: Mapping[int, int], n: int) -> tuple[str | None, str]:
    """Dot-bracket of partners counted from 1, or what is wrong with them.

    Crossing pairs get other brackets.
    """
    for i, j in partner.items():
        if j < 1 or j > n or j == i or partner.get(j) != i:
            return None, f"base {i} pairs with {j}, which does not pair with it"
    left = [(i - 1, j - 1) for i, j in partner.items() if i < j]
    levels = nested_levels(left, len(_LEVELS))
    if sum(map(len, levels)) < len(left):
        return None, f"pairs cross in more than {len(_LEVELS)} levels"
    text = ["."] * n
    for level, pairs in zip(_LEVELS, levels, strict=False):
        for i, j in pairs:
            text[i], text[j] = level[0], level[1]
    return "".join(text), ""


def _base(parts: Sequence[str], k: int, width: int, at: int) -> tuple[str, int]:
    """Letter and partner of base k; the partner is in column `at`.

    Raises
    ------
    ValueError
        Saying what was expected.
    """
    if len(parts) < width or parts[0] != str(k):
        columns = "its letter and its partner" if width == 3 else "with six columns"
        raise ValueError(
            f"expected base {k} {columns}, got {shorten(' '.join(parts))!r}"
        )
    if len(parts[1]) != 1:
        raise ValueError(f"base {k} is {shorten(parts[1])!r}, expected one letter")
    if not _NUMBER.fullmatch(parts[at]):
        raise ValueError(
            f"the partner of base {k} is {shorten(parts[at])!r}, expected a number"
        )
    return parts[1], int(parts[at])


def _read_ct(path: Any) -> list[_Found]:
    lines = [
        (k, line)
        for k, line in read_lines(path)
        if line.strip() and not line.lstrip().startswith(("#", ";"))
    ]
    found = []
    at = 0
    while at < len(lines):
        number, head = lines[at]
        cells = head.split(None, 1)
        record = _Found(path, number, cells[1].strip() if len(cells) > 1 else "")
        found.append(record)
        at += 1
        if not _NUMBER.fullmatch(cells[0]):
            record.name = ""
            record.wrong = f"expected a number of bases, got {shorten(cells[0])!r}"
        else:
            n = int(cells[0])
            block = lines[at : at + n]
            if len(block) < n:
                record.wrong = f"says {n} bases, but {len(block)} lines follow"
            else:
                _fill(record, block, 6, 4)
            if not record.wrong:
                at += n
                continue
        # The next record is where bases begin to count again.
        while at + 1 < len(lines) and lines[at + 1][1].split()[0] != "1":
            at += 1
        at += at + 1 >= len(lines)
    return found


def _fill(
    record: _Found, block: Sequence[tuple[int, str]], width: int, column: int
) -> None:
    """Sequence and fold of a record from lines of bases."""
    letters, partner = [], {}
    for k, (line, text) in enumerate(block, start=1):
        try:
            letter, other = _base(text.split(), k, width, column)
        except ValueError as error:
            record.line, record.wrong = line, str(error)
            return
        letters.append(letter)
        if other:
            partner[k] = other
    record.sequence = "".join(letters)
    record.fold, record.wrong = _fold_of_pairs(partner, len(letters))


def _read_bpseq(path: Any) -> list[_Found]:
    name = ""
    block: list[tuple[int, str]] = []
    for number, line in read_lines(path):
        parts = line.split()
        if not parts or line.startswith("#"):
            if line.startswith("#") and not name:
                name = line[1:].strip()
        elif block or _NUMBER.fullmatch(parts[0]):
            block.append((number, line))
    if not block:
        return []
    record = _Found(path, block[0][0], name)
    _fill(record, block, 3, 2)
    return [record]


def _read_table(
    path: Any, separator: str, constraints: bool, bad: BadRecords
) -> list[_Found]:
    known = ("id", "sequence", "structure", *(["constraint"] if constraints else []))
    needed = ("sequence", *(["constraint"] if constraints else []))
    rows = read_rows(path, separator, needed, bad)
    some = any(row.get("structure") for _, row in rows)
    return [
        _Found(
            path,
            line,
            row.get("id", str(k + 1)).strip(),
            "".join(row["sequence"].split()),
            (row["structure"].strip() or None) if some else None,
            row["constraint"].strip() if constraints else None,
            {name: cell for name, cell in row.items() if name not in known},
        )
        for k, (line, row) in enumerate(rows)
    ]


# Writing.


def write_folds(
    path: str | os.PathLike[str],
    names: Sequence[str],
    sequences: Sequence[str],
    folds: Sequence[str],
    columns: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write sequences and folds: ``.ct``, ``.bpseq``, ``.csv``, ``.tsv``, else dot-bracket.

    Parameters
    ----------
    path : path-like
        Written beside it under a temporary name, then renamed; "-" is stdout.
    names, sequences, folds : lists of n str
    columns : mapping of str to n values, optional
        More columns of a table; other formats have no place for them.

    Raises
    ------
    ValueError
        Naming the example: names with line breaks, and sequences and folds that
        `read_folds` would refuse. Nothing is written then.
    """
    rows = []
    for i, (name, sequence, fold) in enumerate(
        zip(checked_names(names, "names"), sequences, folds, strict=True)
    ):
        wrong = _fault(_Found(path, 0, name, sequence, fold))
        if wrong:
            raise ValueError(f"example {i} ({shorten(name, 80)}): {wrong}")
        if _MARKS.isdisjoint(fold):
            # Brackets that are letters look like a sequence.
            partner = {t: p for t, p in enumerate(_partners(fold), start=1) if p}
            fold = _fold_of_pairs(partner, len(fold))[0] or fold
        rows.append((name, sequence, fold))
    kind = suffix_of(path)
    if kind in _SEPARATORS:
        more = {k: v for k, v in (columns or {}).items() if len(v) == len(rows)}
        header = ["id", "sequence", "structure", *more]
        table = [
            [*row, *(str(column[i]) for column in more.values())]
            for i, row in enumerate(rows)
        ]
        write_lines(path, table_lines(header, table, _SEPARATORS[kind]))
        return
    if kind == ".bpseq" and len(rows) != 1:
        raise ValueError(f"{path}: a BPSEQ file holds one fold, got {len(rows)}")
    formats: Mapping[str, Callable[[str, str, str], Iterable[str]]] = {
        ".ct": _ct_lines,
        ".bpseq": _bpseq_lines,
    }
    form = formats.get(kind, lambda *row: (f">{row[0]}", *row[1:]))
    write_lines(path, (line for row in rows for line in form(*row)))


def _partners(fold: str) -> list[int]:
    partner = [0] * len(fold)
    for i, j in pairs_of(fold, "fold"):
        partner[i], partner[j] = j + 1, i + 1
    return partner


def _ct_lines(name: str, sequence: str, fold: str) -> Iterator[str]:
    n = len(sequence)
    yield f"{n}\t{name}"
    for k, (base, p) in enumerate(zip(sequence, _partners(fold), strict=True), start=1):
        yield f"{k}\t{base}\t{k - 1}\t{(k + 1) % (n + 1)}\t{p}\t{k}"


def _bpseq_lines(name: str, sequence: str, fold: str) -> Iterator[str]:
    if name:
        yield f"# {name}"
    for k, (base, p) in enumerate(zip(sequence, _partners(fold), strict=True), start=1):
        yield f"{k} {base} {p}"


def without_pseudoknots(fold: str) -> str:
    """Drop all pairs that are not written with round brackets, or that cross.

    Examples
    --------
    >>> without_pseudoknots("((<<))>>")
    '((..))..'
    """
    kept = "".join(c if c in "()" else "." for c in fold)
    crossing = {t for pair in crossing_pairs(pairs_of(kept, "fold")) for t in pair}
    return "".join("." if t in crossing else c for t, c in enumerate(kept))


__all__ = [
    "SUFFIXES",
    "RnaFolds",
    "read_folds",
    "without_pseudoknots",
    "write_folds",
]
