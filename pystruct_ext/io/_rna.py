"""RNA sequences and their folds (secondary structures): dot-bracket, CT, BPSEQ and tables."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pystruct_ext._moved import warn_moved
from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.outputs.dot_bracket import crossing_pairs, pairs_of

_LEVELS = ("()", "[]", "{}", "<>", "Aa", "Bb", "Cc", "Dd")


@dataclass
class RnaFolds:
    """Named sequences and, where known, their folds.

    Attributes
    ----------
    names, sequences : lists of n str
    folds : list of n dot-bracket str, or None
    columns : dict of str to list of n str
        Other columns of a table.
    """

    names: list[str]
    sequences: list[str]
    folds: list[str] | None
    columns: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def structures(self) -> list[str] | None:
        """Deprecated name of `folds`."""
        warn_moved("RnaFolds.structures", "RnaFolds.folds")
        return self.folds


def read_folds(path: str | os.PathLike[str]) -> RnaFolds:
    """Read RNA sequences with or without folds.

    The format is told by the file's name: ``.ct``, ``.bpseq``, ``.csv`` (with columns
    "sequence" and "structure"), each optionally with ``.gz``; anything else is FASTA with
    a dot-bracket line after each sequence (or none), as ViennaRNA writes it.

    Parameters
    ----------
    path : path-like
        "-" is stdin.

    Returns
    -------
    RnaFolds

    Raises
    ------
    ValueError
        With file and line: brackets that do not balance, lengths that differ, pairs that
        are not mutual, wrong columns.
    """
    suffixes = Path(str(path)).suffixes
    kind = next((s for s in reversed(suffixes) if s != ".gz"), "")
    if kind == ".ct":
        found = list(_read_ct(path))
    elif kind == ".bpseq":
        found = list(_read_bpseq(path))
    elif kind == ".csv":
        return _read_table(path)
    else:
        found = list(_read_dot_bracket(path))
    if not found:
        raise ValueError(f"{path}: holds no sequences")
    known = [s for _, _, s in found if s is not None]
    if known and len(known) != len(found):
        k = next(k for k, (_, _, s) in enumerate(found) if s is None)
        raise ValueError(f"{path}: sequence {k + 1} has no fold, but others have")
    return RnaFolds([n for n, _, _ in found], [s for _, s, _ in found], known or None)


def write_folds(
    path: str | os.PathLike[str],
    names: Sequence[str],
    sequences: Sequence[str],
    folds: Sequence[str],
) -> None:
    """Write sequences and folds: ``.ct``, ``.bpseq``, else FASTA with dot-bracket.

    Parameters
    ----------
    path : path-like
        Written beside it under a temporary name, then renamed; "-" is stdout.
    names, sequences, folds : lists of n str
    """
    rows = list(zip(names, sequences, folds, strict=True))
    suffixes = Path(str(path)).suffixes
    kind = next((s for s in reversed(suffixes) if s != ".gz"), "")
    if kind == ".ct":
        write_lines(path, _ct_lines(rows))
    elif kind == ".bpseq":
        if len(rows) != 1:
            raise ValueError(f"{path}: a BPSEQ file holds one fold, got {len(rows)}")
        write_lines(path, _bpseq_lines(*rows[0]))
    else:
        write_lines(
            path, (line for n, s, y in rows for line in (f">{n}".rstrip(), s, y))
        )


def _read_dot_bracket(
    path: Any,
) -> Iterator[tuple[str, str, str | None]]:
    name, sequence, fold, first = "", "", "", 0

    def done() -> tuple[str, str, str | None]:
        where = f"{path}:{first}"
        if fold:
            if len(fold) != len(sequence):
                raise ValueError(
                    f"{where}: the fold has {len(fold)} characters, but the "
                    f"sequence has {len(sequence)}"
                )
            pairs_of(fold, where)
        return name, sequence, fold or None

    for number, raw in read_lines(path):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith(">"):
            if sequence:
                yield done()
            name, sequence, fold, first = line[1:].strip(), "", "", number
        elif set(line.split()[0]) <= set(".()[]{}<>"):
            if not sequence:
                raise ValueError(f"{path}:{number}: a fold without a sequence")
            fold += line.split()[0]
        else:
            if fold or (sequence and not first):
                yield done()
                name, sequence, fold = "", "", ""
            first = first or number
            if not sequence:
                first = number
            sequence += line.split()[0]
    if sequence:
        yield done()


def _from_partners(partner: dict[int, int], n: int, where: str) -> str:
    """Dot-bracket of partners counted from 1; crossing pairs get other brackets."""
    for i, j in partner.items():
        if j < 1 or j > n or partner.get(j) != i:
            raise ValueError(
                f"{where}: base {i} pairs with {j}, which does not pair with it"
            )
    left = [(i - 1, j - 1) for i, j in partner.items() if i < j]
    text = ["."] * n
    for level in _LEVELS:
        if not left:
            break
        taken: list[tuple[int, int]] = []
        rest: list[tuple[int, int]] = []
        for pair in sorted(left):
            crosses = any(
                p < pair[0] < q < pair[1] or pair[0] < p < pair[1] < q for p, q in taken
            )
            (rest if crosses else taken).append(pair)
        for i, j in taken:
            text[i], text[j] = level[0], level[1]
        left = rest
    if left:
        raise ValueError(f"{where}: pairs cross in more than {len(_LEVELS)} levels")
    return "".join(text)


def _read_ct(path: Any) -> Iterator[tuple[str, str, str | None]]:
    lines = [(k, line.split()) for k, line in read_lines(path) if line.strip()]
    at = 0
    while at < len(lines):
        number, cells = lines[at]
        where = f"{path}:{number}"
        if not cells[0].isdigit():
            raise ValueError(f"{where}: expected a number of bases, got {cells[0]!r}")
        n = int(cells[0])
        name = " ".join(cells[1:])
        block = lines[at + 1 : at + 1 + n]
        if len(block) < n:
            raise ValueError(f"{where}: says {n} bases, but {len(block)} lines follow")
        sequence, partner = "", {}
        for k, (row, parts) in enumerate(block, start=1):
            if len(parts) < 5 or parts[0] != str(k):
                raise ValueError(
                    f"{path}:{row}: expected base {k} with six columns, got {parts}"
                )
            sequence += parts[1]
            if int(parts[4]):
                partner[k] = int(parts[4])
        yield name, sequence, _from_partners(partner, n, where)
        at += n + 1


def _read_bpseq(path: Any) -> Iterator[tuple[str, str, str | None]]:
    name, sequence, partner = "", "", {}
    for number, line in read_lines(path):
        parts = line.split()
        if not parts or not parts[0].isdigit():
            if line.startswith("#") and not name:
                name = line[1:].strip()
            continue
        if len(parts) != 3 or parts[0] != str(len(sequence) + 1):
            raise ValueError(
                f"{path}:{number}: expected base {len(sequence) + 1}, its letter and its "
                f"partner, got {parts}"
            )
        sequence += parts[1]
        if int(parts[2]):
            partner[len(sequence)] = int(parts[2])
    if sequence:
        yield name, sequence, _from_partners(partner, len(sequence), str(path))


def _read_table(path: Any) -> RnaFolds:
    reader = csv.DictReader(line for _, line in read_lines(path))
    rows = list(reader)
    columns = list(reader.fieldnames or [])
    if "sequence" not in columns:
        raise ValueError(f"{path}: has no column 'sequence', but {columns}")
    if not rows:
        raise ValueError(f"{path}: holds no sequences")
    names = [r.get("id") or str(k + 1) for k, r in enumerate(rows)]
    folds = [r["structure"] for r in rows] if "structure" in columns else None
    for k, text in enumerate(folds or []):
        pairs_of(text, f"{path}:{k + 2}")
        if len(text) != len(rows[k]["sequence"]):
            raise ValueError(
                f"{path}:{k + 2}: the fold has {len(text)} characters, but the "
                f"sequence has {len(rows[k]['sequence'])}"
            )
    known = ("id", "sequence", "structure")
    return RnaFolds(
        names,
        [r["sequence"] for r in rows],
        folds,
        {c: [r[c] for r in rows] for c in columns if c not in known},
    )


def _partners(fold: str) -> list[int]:
    partner = [0] * len(fold)
    for i, j in pairs_of(fold, "fold"):
        partner[i], partner[j] = j + 1, i + 1
    return partner


def _ct_lines(rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    for name, sequence, fold in rows:
        n = len(sequence)
        yield f"{n}\t{name}"
        for k, (base, p) in enumerate(
            zip(sequence, _partners(fold), strict=True), start=1
        ):
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
    "RnaFolds",
    "read_folds",
    "without_pseudoknots",
    "write_folds",
]
