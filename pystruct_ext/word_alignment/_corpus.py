"""Sentence pairs as numbers: words, edges and the table of word pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.utils.messages import shorten


def checked_pairs(
    X: Iterable[Any], lowercase: bool, name: str = "X"
) -> list[tuple[list[str], list[str]]]:
    """Pairs of lists of words.

    Raises
    ------
    TypeError, ValueError
        Naming the example: no two sides, no words, a word that is no text.
    """
    out = []
    for k, pair in enumerate(X):
        try:
            source, target = pair
        except (TypeError, ValueError):
            raise ValueError(
                f"{name}[{k}] is {shorten(repr(pair), 60)}, expected (source words, "
                "target words)"
            ) from None
        sides = []
        for side, words in (("source", source), ("target", target)):
            if isinstance(words, (str, bytes)) or not hasattr(words, "__len__"):
                raise TypeError(
                    f"{name}[{k}]: the {side} side is a {type(words).__name__}, expected "
                    "a list of words"
                )
            if len(words) == 0:
                raise ValueError(f"{name}[{k}]: the {side} side has no words")
            for i, word in enumerate(words):
                if not isinstance(word, str):
                    raise TypeError(
                        f"{name}[{k}]: {side} word {i} is a {type(word).__name__}, "
                        "expected text"
                    )
            sides.append([w.lower() for w in words] if lowercase else list(words))
        out.append((sides[0], sides[1]))
    return out


def checked_links(
    Y: Sequence[Any], X: Sequence[tuple[list[str], list[str]]], name: str = "y"
) -> list[NDArray[np.int64]]:
    """Links of every pair, (K, 2), sorted.

    Raises
    ------
    ValueError
        Naming the example: a link that is no pair of positions, outside the sentences, or
        there twice.
    """
    if len(Y) != len(X):
        raise ValueError(f"{name} has {len(Y)} examples, but X has {len(X)}")
    out = []
    for k, (links, (source, target)) in enumerate(zip(Y, X, strict=True)):
        links = getattr(links, "sure", links)
        found: NDArray = np.zeros((0, 2), dtype=np.int64)
        if len(links):
            try:
                found = np.asarray(sorted(map(tuple, links)))
            except (TypeError, ValueError):
                found = np.zeros(0)
        if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu":
            raise ValueError(
                f"{name}[{k}] is {shorten(repr(links), 60)}, expected pairs of positions"
            )
        for i, j in found:
            if not (0 <= i < len(source) and 0 <= j < len(target)):
                raise ValueError(
                    f"{name}[{k}] links {int(i)} and {int(j)}, but the sentences have "
                    f"{len(source)} and {len(target)} words"
                )
        if len(np.unique(found, axis=0)) != len(found):
            raise ValueError(f"{name}[{k}] has a link twice")
        out.append(found.astype(np.int64))
    return out


@dataclass
class Corpus:
    """Sentence pairs under two vocabularies.

    Attributes
    ----------
    rows, columns : (S,) int64
        Words of the sides.
    source, target : int64 ndarrays
        Words behind one another, numbers in the vocabularies; -1 is unknown.
    offsets : (S + 1,) int64
        First edge of each sentence.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        X: Sequence[tuple[list[str], list[str]]],
        source_index: dict[str, int],
        target_index: dict[str, int],
    ) -> Corpus:
        """Number the words."""
        rows = np.array([len(s) for s, _ in X], dtype=np.int64)
        columns = np.array([len(t) for _, t in X], dtype=np.int64)
        offsets = np.zeros(len(X) + 1, dtype=np.int64)
        np.cumsum(rows * columns, out=offsets[1:])
        source = [source_index.get(w, -1) for s, _ in X for w in s]
        target = [target_index.get(w, -1) for _, t in X for w in t]
        return cls(
            rows,
            columns,
            np.array(source, dtype=np.int64),
            np.array(target, dtype=np.int64),
            offsets,
        )

    @property
    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each edge the place of its words in `source` and `target`."""
        first = np.zeros(len(self.rows), dtype=np.int64)
        np.cumsum(self.columns[:-1], out=first[1:])
        # Every source word meets all words of its sentence's other side.
        width = np.repeat(self.columns, self.rows)
        at_source = np.repeat(np.arange(len(width)), width)
        start = np.zeros(len(width), dtype=np.int64)
        np.cumsum(width[:-1], out=start[1:])
        begin = np.repeat(first, self.rows) - start
        return at_source, np.arange(int(width.sum())) + np.repeat(begin, width)

    @property
    def sentence(self) -> NDArray[np.int64]:
        """Of each edge its sentence."""
        return np.repeat(np.arange(len(self.rows)), np.diff(self.offsets))


def vocabulary(words: Iterable[str]) -> list[str]:
    """Distinct words, sorted: results do not depend on the order of the sentences."""
    return sorted(set(words))


def index_of(words: Sequence[str]) -> dict[str, int]:
    """Number of each word."""
    return {w: k for k, w in enumerate(words)}


class PairTable:
    """The word pairs that occur in a corpus.

    Parameters
    ----------
    codes : (P,) int64 ndarray
        ``source * n_target + target``, rising.
    n_target : int
    """

    def __init__(self, codes: NDArray[np.int64], n_target: int) -> None:
        self.codes = codes
        self.n_target = n_target

    @classmethod
    def of(
        cls, source: NDArray[np.int64], target: NDArray[np.int64], n_target: int
    ) -> tuple[PairTable, NDArray[np.int64]]:
        """The table of some edges, and the pair of each."""
        codes, pair = np.unique(source * n_target + target, return_inverse=True)
        return cls(codes, n_target), pair

    @property
    def source(self) -> NDArray[np.int64]:
        """Source word of each pair."""
        return self.codes // self.n_target

    @property
    def target(self) -> NDArray[np.int64]:
        """Target word of each pair."""
        return self.codes % self.n_target

    def find(
        self, source: NDArray[np.int64], target: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Number of each pair; -1 where a word or the pair is unknown."""
        code = source * self.n_target + target
        at = np.minimum(np.searchsorted(self.codes, code), len(self.codes) - 1)
        known = (source >= 0) & (target >= 0) & (self.codes[at] == code)
        return np.where(known, at, -1)
