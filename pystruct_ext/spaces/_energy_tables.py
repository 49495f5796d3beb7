"""Energy tables of the nearest-neighbour model of RNA, and ViennaRNA's files of them.

The tables of the package, ``turner2004.par``, are the free energies at 37 C of Turner 2004
(Mathews et al. 2004; Turner and Mathews 2010, the nearest-neighbour database NNDB), in the
format of parameters (version 2.0) that ViennaRNA reads and writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from math import log
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.spaces._kernels import fold as _fold

_HEADER = "## RNAfold parameter file v2.0"
# Values, by the dimensions that files have: pairs CG GC GU UG AU UA and others, bases unknown
# A C G U, or A C G U.
_PAIRS, _BASES, _KNOWN_PAIRS, _KNOWN_BASES = 7, 5, 6, 4
_MISMATCH = (_PAIRS, _BASES, _BASES)
_SHAPES: dict[str, tuple[int, ...]] = {
    "stack": (_PAIRS, _PAIRS),
    "mismatch_hairpin": _MISMATCH,
    "mismatch_internal": _MISMATCH,
    "mismatch_internal_1n": _MISMATCH,
    "mismatch_internal_23": _MISMATCH,
    "mismatch_multi": _MISMATCH,
    "mismatch_exterior": _MISMATCH,
    "dangle5": (_PAIRS, _BASES),
    "dangle3": (_PAIRS, _BASES),
    "int11": (_PAIRS, _PAIRS, _BASES, _BASES),
    "int21": (_PAIRS, _PAIRS, _BASES, _BASES, _BASES),
    "int22": (_KNOWN_PAIRS,) * 2 + (_KNOWN_BASES,) * 4,
    "hairpin": (31,),
    "bulge": (31,),
    "internal": (31,),
}
# Stacking on a branch never costs anything.
_AT_MOST_ZERO = ("mismatch_multi", "mismatch_exterior", "dangle5", "dangle3")
_SIZES = ("hairpin", "bulge", "internal")
_ENTHALPIES = {f"{name}_enthalpies" for name in _SHAPES}
_SPECIAL = {"Triloops": (0, 5), "Tetraloops": (1, 6), "Hexaloops": (2, 8)}
_WORDS = {"INF": _fold.HIGHEST_ENERGY, "DEF": -50, "NST": 0}
_COMMENT = re.compile(r"/\*.*?\*/")
_UNIT = 1e6  # of the factor of the logarithm


class _Token(NamedTuple):
    text: str
    line: int


class _Reader:
    """One file: what it says replaces what the tables hold."""

    def __init__(self, where: str, tables: NDArray[np.int32]) -> None:
        self.where = where
        self.tables = tables

    def error(self, line: int, message: str) -> ValueError:
        return ValueError(f"{self.where}, line {line}: {message}")

    def read(self, text: str) -> None:
        lines = text.splitlines()
        if not lines or not lines[0].startswith(_HEADER):
            seen = lines[0][:60] if lines else ""
            raise self.error(1, f"expected {_HEADER!r}, got {seen!r}")
        for name, line, tokens in self.sections(lines):
            if name in _SHAPES:
                self.table(name, line, tokens)
            elif name in _SPECIAL:
                self.special(name, tokens)
            elif name in _FEW:
                self.few(name, line, tokens)
            elif name not in _ENTHALPIES:
                raise self.error(line, f"the section {name!r} is not known")

    def sections(self, lines: list[str]) -> Iterator[tuple[str, int, list[_Token]]]:
        name, at = "", 0
        tokens: list[_Token] = []
        for number, line in enumerate(lines[1:], 2):
            line = _COMMENT.sub(" ", line)
            if "/*" in line or "*/" in line:
                raise self.error(number, "a comment must begin and end on one line")
            if line.startswith("##"):
                continue
            if not line.startswith("#"):
                words = [_Token(word, number) for word in line.split()]
                if words and not name:
                    raise self.error(number, f"{words[0].text!r} before any section")
                tokens += words
                continue
            if name:
                yield name, at, tokens
            words = [_Token(word, number) for word in line[1:].split()]
            if len(words) != 1:
                raise self.error(
                    number, f"expected the name of a section, got {line!r}"
                )
            name, at, tokens = words[0].text, number, []
            if name == "END":
                return
        if name:
            yield name, at, tokens

    def energy(self, token: _Token) -> int:
        value = _WORDS.get(token.text)
        if value is None:
            try:
                value = int(token.text)
            except ValueError:
                raise self.error(
                    token.line, f"expected an energy, got {token.text[:30]!r}"
                ) from None
        if abs(value) > _fold.HIGHEST_ENERGY:
            raise self.error(
                token.line,
                f"the energy {token.text[:30]} is beyond {_fold.HIGHEST_ENERGY}",
            )
        return value

    def count(self, name: str, line: int, tokens: list[_Token], expected: int) -> None:
        if len(tokens) != expected:
            raise self.error(
                tokens[-1].line if tokens else line,
                f"the section {name!r} has {len(tokens)} values, expected {expected}",
            )

    def table(self, name: str, line: int, tokens: list[_Token]) -> None:
        shape = _SHAPES[name]
        self.count(name, line, tokens, int(np.prod(shape)))
        now = _in_file_order(_view(self.tables, name)).ravel()
        last = 0
        for k, token in enumerate(tokens):
            if token.text == "*":  # as it was
                continue
            if token.text == "x" and name in _SIZES:
                if last == 0:
                    raise self.error(token.line, "'x' before any length's energy")
                factor = int(self.tables[_fold.ENERGIES["logarithm"]]) / _UNIT
                now[k] = int(now[last] + 0.5 + factor * log(k / last))
                continue
            now[k], last = self.energy(token), k
        if name in _AT_MOST_ZERO:
            now = np.minimum(now, 0)
        _view(self.tables, name)[...] = _in_kernel_order(now.reshape(shape))

    def special(self, name: str, tokens: list[_Token]) -> None:
        """Lines of a hairpin, its energy and its enthalpy; they replace those known before."""
        which, length = _SPECIAL[name]
        rows: dict[int, int] = {}
        for row in _by_line(tokens):
            text = row[0].text
            if len(row) not in (2, 3):
                raise self.error(
                    row[0].line,
                    f"expected a hairpin, its energy and enthalpy, got {text!r}",
                )
            if len(text) != length or set(text) - set("ACGUT"):
                raise self.error(
                    row[0].line,
                    f"expected {length} letters of A, C, G, U, got {text[:30]!r}",
                )
            code = 0
            for base in text:
                code = 4 * code + "ACGU".index(base.replace("T", "U"))
            rows.setdefault(code, self.energy(row[1]))
        if len(rows) > _fold.SPECIAL_LOOPS:
            raise self.error(
                tokens[-1].line,
                f"the section {name!r} has {len(rows)} hairpins, more than "
                f"{_fold.SPECIAL_LOOPS}",
            )
        table = _special(self.tables)[which]
        table[...] = (-1, 0)
        for k, code in enumerate(sorted(rows)):
            table[k] = code, rows[code]

    def few(self, name: str, line: int, tokens: list[_Token]) -> None:
        allowed, entries = _FEW[name]
        if len(tokens) not in allowed:
            self.count(name, line, tokens, allowed[-1])
        for k, entry in entries:
            if k >= len(tokens) or tokens[k].text == "*":
                continue
            self.tables[_fold.ENERGIES[entry]] = (
                self.logarithm(tokens[k])
                if entry == "logarithm"
                else self.energy(tokens[k])
            )

    def logarithm(self, token: _Token) -> int:
        try:
            value = round(float(token.text) * _UNIT)
        except (ValueError, OverflowError):
            value = -1
        if not 0 <= value < 2**31:
            raise self.error(
                token.line, f"expected a factor of 0 .. 2147, got {token.text[:30]!r}"
            )
        return value


# Sections of a few numbers: how many there may be, and which are free energies.
_FEW: dict[str, tuple[tuple[int, ...], tuple[tuple[int, str], ...]]] = {
    "ML_params": ((6,), ((0, "multi_base"), (2, "multi_closing"), (4, "multi_branch"))),
    "NINIO": ((3,), ((0, "ninio"), (2, "ninio_most"))),
    "Misc": ((4, 5, 6), ((2, "terminal"), (4, "logarithm"))),
}


def _by_line(tokens: list[_Token]) -> Iterator[list[_Token]]:
    row: list[_Token] = []
    for token in tokens:
        if row and token.line != row[0].line:
            yield row
            row = []
        row.append(token)
    if row:
        yield row


def _view(tables: NDArray[np.int32], name: str) -> NDArray[np.int32]:
    shape, first = _SHAPES[name], _fold.ENERGIES[name]
    return tables[first : first + int(np.prod(shape))].reshape(shape)


def _special(tables: NDArray[np.int32]) -> NDArray[np.int32]:
    return tables[_fold.ENERGIES["special"] :].reshape(3, _fold.SPECIAL_LOOPS, 2)


def _reordered(
    table: NDArray[np.int32], order: Callable[[int], list[int]]
) -> NDArray[np.int32]:
    for axis, size in enumerate(table.shape):
        if size == _BASES:
            table = np.take(table, order(size), axis=axis)
    return table


def _in_file_order(table: NDArray[np.int32]) -> NDArray[np.int32]:
    """A copy with unknown bases first."""
    return _reordered(table.copy(), lambda size: [size - 1, *range(size - 1)])


def _in_kernel_order(table: NDArray[np.int32]) -> NDArray[np.int32]:
    """A copy with unknown bases last."""
    return _reordered(table.copy(), lambda size: [*range(1, size), 0])


@cache
def _turner_2004() -> NDArray[np.int32]:
    tables = np.zeros(_fold.ENERGY_SIZE, dtype=np.int32)
    source = files("pystruct_ext.spaces") / "turner2004.par"
    _Reader("turner2004.par", tables).read(source.read_text(encoding="ascii"))
    tables.setflags(write=False)
    return tables


def energy_tables(path: str | None = None) -> NDArray[np.int32]:
    """Tables for the kernel: those of Turner 2004, or with what a file says instead.

    Parameters
    ----------
    path : str, optional
        A file of parameters in ViennaRNA's format, version 2.0. Sections, or values ``*``,
        that it leaves out are those of Turner 2004.

    Returns
    -------
    (n,) int32
        In 0.01 kcal/mol, as ``folding/energies.hpp`` lists them.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is malformed: names the file and the line.
    """
    tables = _turner_2004().copy()
    if path is not None:
        with Path(path).open("rb") as file:
            text = file.read(_LONGEST + 1)  # no more, of devices without an end
        if len(text) > _LONGEST:
            raise ValueError(f"{path}: longer than {_LONGEST} bytes, no parameter file")
        try:
            _Reader(path, tables).read(text.decode("utf-8"))
        except UnicodeDecodeError:
            line = text[: text.find(b"\n")].decode("utf-8", "replace")
            raise ValueError(f"{path}: not a text file, begins {line[:30]!r}") from None
    return tables


_LONGEST = 1 << 24


__all__ = ["energy_tables"]
