"""Real-valued features of the edges between the words of two sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.word_alignment._corpus import PairTable
from pystruct_ext.word_alignment._grid import Grid
from pystruct_ext.word_alignment._lexicon import COLUMNS
from pystruct_ext.word_alignment._strings import similarities

_Ints = NDArray[np.int64]
_Reals = NDArray[np.float64]
_CLIP = 1e-4
_SURE = 0.3  # posterior of a link that says where its neighbours should be


class Columns:
    """Columns of some edges, under names.

    Parameters
    ----------
    kept : (K,) int64
        The edges of the grid that are candidates.
    """

    def __init__(self, kept: _Ints) -> None:
        self.kept = kept
        self.names: list[str] = []
        self.values: list[NDArray[np.float32]] = []

    def add(self, name: str, values: NDArray) -> None:
        """A column over all edges of the grid."""
        self.names.append(name)
        self.values.append(values[self.kept].astype(np.float32))

    def add_kept(self, name: str, values: NDArray) -> None:
        """A column over the candidates."""
        self.names.append(name)
        self.values.append(values.astype(np.float32))

    def matrix(self) -> NDArray[np.float32]:
        """(K, columns)."""
        return np.column_stack(self.values)


def log_odds(p: _Reals) -> _Reals:
    """Log odds of probabilities, at most those of 1e-4 from 0 and 1."""
    p = np.clip(p, _CLIP, 1 - _CLIP)
    return np.log(p / (1 - p))


def add_positions(columns: Columns, grid: Grid) -> None:
    """Where the words stand in their sentences."""
    x, y = (grid.i + 0.5) / grid.n, (grid.j + 0.5) / grid.m
    distance = np.abs(x - y)
    columns.add("distance", distance)
    columns.add("root of distance", np.sqrt(distance))
    columns.add("words from the diagonal", np.minimum(distance * grid.m, 20.0))
    columns.add("signed distance", x - y)
    first = (grid.i == 0) & (grid.j == 0)
    last = (grid.i == grid.n - 1) & (grid.j == grid.m - 1)
    columns.add("both first", first)
    columns.add("both last", last)
    columns.add("log words", np.log(np.minimum(grid.n, grid.m)))
    columns.add("log ratio of lengths", np.log(grid.n / grid.m))


def add_posteriors(
    columns: Columns, grid: Grid, name: str, forward: _Reals, backward: _Reals
) -> _Reals:
    """Posteriors of one model; their geometric mean."""
    both = np.sqrt(forward * backward)
    columns.add(f"{name} forward", forward)
    columns.add(f"{name} backward", backward)
    columns.add(f"{name} both", both)
    columns.add(f"{name} log odds forward", log_odds(forward))
    columns.add(f"{name} log odds backward", log_odds(backward))
    columns.add(f"{name} log odds", log_odds(both))
    return both


def add_surroundings(columns: Columns, grid: Grid, name: str, both: _Reals) -> None:
    """What speaks for other links of the two words, and for links of their neighbours."""
    row, column = grid.rivals(both)
    columns.add(f"{name} lead in row", both - row)
    columns.add(f"{name} lead in column", both - column)
    rank = grid.ranks(both)
    columns.add(f"{name} rank in row", np.minimum(rank[0], 4))
    columns.add(f"{name} rank in column", np.minimum(rank[1], 4))
    for what, place, count in (
        ("row", grid.at_source, len(grid.corpus.source)),
        ("column", grid.at_target, len(grid.corpus.target)),
    ):
        columns.add(f"{name} sum of {what}", np.bincount(place, both, count)[place])
    steps = (-1, 0, 1)
    around = {(a, b): grid.shifted(both, a, b) for a in steps for b in steps if a or b}
    for (di, dj), values in around.items():
        columns.add(f"{name} at {di:+d} {dj:+d}", values)
    far = grid.shifted(both, -2, -2) + grid.shifted(both, 2, 2)
    columns.add(f"{name} diagonal", around[-1, -1] + around[1, 1] + 0.5 * far)
    columns.add(f"{name} above or below", np.maximum(around[-1, 0], around[1, 0]))
    columns.add(f"{name} left or right", np.maximum(around[0, -1], around[0, 1]))
    add_bends(columns, grid, name, both)


def add_bends(columns: Columns, grid: Grid, name: str, both: _Reals) -> None:
    """How far the edge lies from where its neighbours' most probable links point."""
    corpus = grid.corpus
    for what, place, here, other, lengths, largest in (
        ("row", grid.at_source, grid.i, grid.j, corpus.rows, grid.row_max),
        ("column", grid.at_target, grid.j, grid.i, corpus.columns, grid.column_max),
    ):
        limit = np.repeat(lengths, lengths)
        top = np.flatnonzero((both == largest(both)[place]) & (both > _SURE))
        mode = np.full(len(limit), -1, dtype=np.int64)
        mode[place[top[::-1]]] = other[
            top[::-1]
        ]  # the first of several is written last
        gaps = []
        for step in (-1, 1):
            inside = (here + step >= 0) & (here + step < limit[place])
            near = mode[np.where(inside, place + step, place)]
            gap = np.minimum(np.abs(other - near + step), 6)
            gaps.append(np.where(inside & (near >= 0), gap, 7).astype(float))
        columns.add(f"{name} bend of {what}", np.minimum(*gaps))
        columns.add(f"{name} bends of {what}", gaps[0] + gaps[1])


def add_dice(columns: Columns, grid: Grid, name: str, dice: _Reals) -> None:
    """Dice with its shares of the largest in row and column, and of the diagonal neighbours."""
    columns.add(f"{name} dice", dice)
    columns.add(f"{name} dice squared", dice**2)
    row, column = (
        grid.row_max(dice)[grid.at_source],
        grid.column_max(dice)[grid.at_target],
    )
    columns.add(f"{name} dice in row", dice / np.maximum(row, 1e-9))
    columns.add(f"{name} dice in column", dice / np.maximum(column, 1e-9))
    columns.add(f"{name} dice at -1 -1", grid.shifted(dice, -1, -1))
    columns.add(f"{name} dice at +1 +1", grid.shifted(dice, 1, 1))


def add_counts(
    columns: Columns, grid: Grid, name: str, counts: tuple[_Reals, _Reals]
) -> None:
    """How frequent the words are."""
    source = np.log1p(counts[0])[grid.at_source]
    target = np.log1p(counts[1])[grid.at_target]
    columns.add(f"{name} log count of source", source)
    columns.add(f"{name} log count of target", target)
    columns.add(f"{name} difference of log counts", np.abs(source - target))


def add_lexicon(columns: Columns, key: str, values: _Reals) -> None:
    """Rates of links by a key of the words; see `COLUMNS` of the lexicon."""
    for k, name in enumerate(COLUMNS):
        columns.add(f"{key}: {name}", values[:, k])


def add_link_scores(columns: Columns, grid: Grid, scores: _Reals) -> None:
    """Log odds that a first model gives to the candidates, and what they surround."""
    columns.add_kept("first look", np.clip(scores, -8.0, 8.0))
    probability = np.zeros(len(grid))
    probability[columns.kept] = 1.0 / (1.0 + np.exp(-np.clip(scores, -30.0, 30.0)))
    columns.add("first look probability", probability)
    add_surroundings(columns, grid, "first look", probability)


class Spelling:
    """Similarities of the spelling of word pairs, one row for each pair that occurs.

    Parameters
    ----------
    source, target : lists of str
        Words of all sentences.
    grid : Grid
    """

    def __init__(
        self, source: Sequence[str], target: Sequence[str], grid: Grid
    ) -> None:
        self.words: list[list[str]] = []
        numbers = []
        for words in (source, target):
            known, number = np.unique(
                np.array(words, dtype=object), return_inverse=True
            )
            self.words.append(known.tolist())
            numbers.append(number)
        table, self.pair = PairTable.of(
            numbers[0][grid.at_source], numbers[1][grid.at_target], len(self.words[1])
        )
        self.sides = table.source, table.target
        self.table = similarities(
            self.words[0], self.words[1], self.sides[0], self.sides[1]
        )
        self.number = numbers

    @property
    def lcs(self) -> _Reals:
        """Of each edge."""
        values: _Reals = self.table[self.pair, 0]
        return values

    @property
    def same(self) -> NDArray[np.bool_]:
        """Of each edge whether the words are equal."""
        lengths = [np.array([len(w) for w in words]) for words in self.words]
        a, b = lengths[0][self.sides[0]], lengths[1][self.sides[1]]
        equal: NDArray[np.bool_] = (a == b) & (self.table[:, 2] == a)
        return equal[self.pair]

    def add(self, columns: Columns, grid: Grid) -> None:
        """The columns."""
        kept = columns.kept
        pair = self.pair[kept]
        s, t = self.sides[0][pair], self.sides[1][pair]
        of_pair = self.table[pair]
        columns.add("same word", self.same)
        for k in (3, 4, 5):
            columns.add_kept(f"same {k} letters", of_pair[:, 2] >= k)
        columns.add_kept("common prefix", np.minimum(of_pair[:, 2], 8))
        columns.add_kept("common letters", of_pair[:, 0])
        columns.add_kept("Jaro-Winkler", of_pair[:, 1])
        kinds = []
        for words in self.words:
            kinds.append(
                np.array(
                    [
                        (
                            not any(c.isalnum() for c in w),
                            any(c.isdigit() for c in w),
                            len(w) <= 3,
                            len(w),
                        )
                        for w in words
                    ]
                )
            )
        a, b = kinds[0][s], kinds[1][t]
        for k, name in enumerate(("punctuation", "digits", "short")):
            columns.add_kept(f"both {name}", (a[:, k] > 0) & (b[:, k] > 0))
            columns.add_kept(f"one {name}", (a[:, k] > 0) != (b[:, k] > 0))
        columns.add_kept("difference of letters", np.abs(a[:, 3] - b[:, 3]) / 5)
        for di in (-1, 1):
            columns.add(
                f"common letters at {di:+d} {di:+d}", grid.shifted(self.lcs, di, di)
            )
            same = self.same.astype(float)
            columns.add(f"same word at {di:+d} {di:+d}", grid.shifted(same, di, di))
