"""Arithmetic on the edges of many sentence pairs at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.word_alignment._corpus import Corpus

_Ints = NDArray[np.int64]
_Reals = NDArray[np.float64]


class Grid:
    """The edges of sentence pairs, row after row.

    Parameters
    ----------
    corpus : Corpus

    Attributes
    ----------
    sentence, i, j, n, m : (E,) int64
        Of each edge its sentence, row, column, and numbers of rows and columns.
    at_source, at_target : (E,) int64
        Places of its words among all of that side.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.at_source, self.at_target = corpus.edges
        self.sentence = corpus.sentence
        first_s = np.cumsum(corpus.rows) - corpus.rows
        first_t = np.cumsum(corpus.columns) - corpus.columns
        self.i = self.at_source - first_s[self.sentence]
        self.j = self.at_target - first_t[self.sentence]
        self.n = corpus.rows[self.sentence]
        self.m = corpus.columns[self.sentence]

    def __len__(self) -> int:
        return len(self.sentence)

    def shifted(self, values: _Reals, di: int, dj: int) -> _Reals:
        """The value of the edge (i + di, j + dj); 0 outside."""
        inside = (self.i + di >= 0) & (self.i + di < self.n)
        inside &= (self.j + dj >= 0) & (self.j + dj < self.m)
        at = np.flatnonzero(inside)
        out = np.zeros(len(values))
        out[at] = values[at + di * self.m[at] + dj]
        return out

    def row_max(self, values: _Reals) -> _Reals:
        """Largest value of each row, per row."""
        starts = np.flatnonzero(self.j == 0)
        return np.maximum.reduceat(values, starts)

    def column_max(self, values: _Reals) -> _Reals:
        """Largest value of each column, per column."""
        out = np.full(len(self.corpus.target), -np.inf)
        np.maximum.at(out, self.at_target, values)
        return out

    def rivals(self, values: _Reals) -> tuple[_Reals, _Reals]:
        """Largest value of the other edges in the row, and in the column; at least 0."""
        out = []
        for place, largest in (
            (self.at_source, self.row_max),
            (self.at_target, self.column_max),
        ):
            best = largest(values)
            top = values == best[place]
            several = np.bincount(place, top, len(best)) > 1
            second = np.maximum(largest(np.where(top, 0.0, values)), 0.0)
            second = np.where(several, best, second)
            out.append(np.where(top, second[place], best[place]))
        return out[0], out[1]

    def ranks(self, values: _Reals) -> tuple[_Ints, _Ints]:
        """Place of each edge in its row and in its column, the largest value being 0."""
        out = []
        for place in (self.at_source, self.at_target):
            order = np.lexsort((-values, place))
            size = np.bincount(place)
            begin = np.repeat(np.cumsum(size) - size, size)
            rank = np.empty(len(values), dtype=np.int64)
            rank[order] = np.arange(len(values)) - begin
            out.append(rank)
        return out[0], out[1]
