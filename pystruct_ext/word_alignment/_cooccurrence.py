"""In how many sentence pairs words occur, alone and together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted
from pystruct_ext.word_alignment._corpus import Corpus, PairTable, index_of, vocabulary
from pystruct_ext.word_alignment._grid import Grid

_Reals = NDArray[np.float64]
_Pairs = Sequence[tuple[list[str], list[str]]]


@storable(name="WordCooccurrence")
class Cooccurrence:
    """Counts of sentence pairs that hold a word, or two words.

    Attributes
    ----------
    source_words_, target_words_ : lists of str
    pairs_ : (P,) int64 ndarray
    together_ : (P,) float64 ndarray
        Sentence pairs that hold both words.
    source_, target_ : float64 ndarrays
        Sentences that hold each word.
    """

    def fit(self, X: _Pairs) -> Cooccurrence:
        """Count."""
        self.source_words_ = vocabulary(w for s, _ in X for w in s)
        self.target_words_ = vocabulary(w for _, t in X for w in t)
        corpus = self._corpus(X)
        grid = Grid(corpus)
        table, pair = PairTable.of(
            corpus.source[grid.at_source],
            corpus.target[grid.at_target],
            len(self.target_words_),
        )
        self.pairs_ = table.codes
        self.together_ = _sentences(grid.sentence, pair, len(table.codes))
        sides = []
        for lengths, number, size in (
            (corpus.rows, corpus.source, len(self.source_words_)),
            (corpus.columns, corpus.target, len(self.target_words_)),
        ):
            of_word = np.repeat(np.arange(len(lengths)), lengths)
            sides.append(_sentences(of_word, number, size))
        self.source_, self.target_ = sides
        return self

    def _corpus(self, X: _Pairs) -> Corpus:
        return Corpus.of(X, index_of(self.source_words_), index_of(self.target_words_))

    def counts(self, X: _Pairs) -> tuple[_Reals, _Reals]:
        """Sentences that hold each source word, and each target word; 0 of unknown ones."""
        corpus = self._corpus(X)
        return (
            np.append(self.source_, 0.0)[corpus.source],
            np.append(self.target_, 0.0)[corpus.target],
        )

    def dice(self, X: _Pairs, grid: Grid) -> _Reals:
        """Dice coefficient of each edge; 0 of unknown words."""
        corpus = self._corpus(X)
        pair = PairTable(self.pairs_, len(self.target_words_)).find(
            corpus.source[grid.at_source], corpus.target[grid.at_target]
        )
        source, target = self.counts(X)
        total = source[grid.at_source] + target[grid.at_target]
        return 2 * np.append(self.together_, 0.0)[pair] / np.maximum(total, 1.0)

    def check_loaded(self) -> None:
        """Raise unless the attributes are what fitting makes."""
        fitted = Fitted(self)
        n = fitted.labels("source_words_", 1, str, 1 << 28)
        m = fitted.labels("target_words_", 1, str, 1 << 28)
        codes = fitted.array("pairs_", (None,), "int64", low=0, high=n * m - 1)
        if len(codes) == 0 or (np.diff(codes) <= 0).any():
            raise ValueError("Cooccurrence.pairs_ does not rise")
        fitted.array("together_", (len(codes),), "float64", low=1)
        fitted.array("source_", (n,), "float64", low=1)
        fitted.array("target_", (m,), "float64", low=1)

    def __getstate__(self) -> dict[str, object]:
        return dict(vars(self))

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)


def _sentences(
    sentence: NDArray[np.int64], key: NDArray[np.int64], size: int
) -> _Reals:
    """In how many sentences each key occurs."""
    once = np.unique(sentence * size + key) % size
    return np.bincount(once, minlength=size).astype(np.float64)


__all__ = ["Cooccurrence"]
