"""What the links of training sentences say about pairs of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted
from pystruct_ext.word_alignment._corpus import PairTable, index_of, vocabulary

_Ints = NDArray[np.int64]
_Reals = NDArray[np.float64]
COLUMNS = (
    "log rate",
    "log count",
    "links to 5",
    "log share of source links",
    "log links per source word",
    "log share of target links",
    "log links per target word",
)


@dataclass
class Keys:
    """The edges of some sentence pairs, with a key for the word on either side.

    Attributes
    ----------
    source, target : lists of str
        Keys of all source and target words, sentence after sentence.
    at_source, at_target : (E,) int64
        Of each edge the places of its words.
    sentence : (E,) int64
    """

    source: Sequence[str]
    target: Sequence[str]
    at_source: _Ints
    at_target: _Ints
    sentence: _Ints


@storable(name="LinkLexicon")
class Lexicon:
    """Rates of links by keys of the two words, such as their first letters.

    With the links of the sentences that it was counted on, `features` leaves those of the
    sentence itself out: what it says of them is what it would say if they were new.

    Attributes
    ----------
    source_keys_, target_keys_ : lists of str
    pairs_ : (P,) int64 ndarray
    links_, counts_ : (P,) float64 ndarrays
        Of the pairs, over all training sentences.
    source_, target_ : (2, keys) float64 ndarrays
        Links and words of each key.
    """

    def __init__(self) -> None:
        pass

    def fit(self, keys: Keys, linked: _Reals) -> Lexicon:
        """Count links.

        Parameters
        ----------
        keys : Keys
        linked : (E,) float64
            1 where an edge is a link.
        """
        self.source_keys_ = vocabulary(keys.source)
        self.target_keys_ = vocabulary(keys.target)
        (s, t), at = self._numbers(keys), (keys.at_source, keys.at_target)
        table, pair = PairTable.of(s[at[0]], t[at[1]], len(self.target_keys_))
        self.pairs_ = table.codes
        self.links_ = np.bincount(pair, linked, len(table.codes))
        self.counts_ = np.bincount(pair, minlength=len(table.codes)).astype(float)
        sides = []
        for number, place, known in zip(
            (s, t), at, (self.source_keys_, self.target_keys_), strict=True
        ):
            links = np.bincount(place, linked, len(number))
            words = np.bincount(number, minlength=len(known)).astype(float)
            sides.append(np.stack([np.bincount(number, links, len(known)), words]))
        self.source_, self.target_ = sides
        return self

    def _numbers(self, keys: Keys) -> tuple[_Ints, _Ints]:
        source, target = index_of(self.source_keys_), index_of(self.target_keys_)
        s = np.array([source.get(w, -1) for w in keys.source], dtype=np.int64)
        t = np.array([target.get(w, -1) for w in keys.target], dtype=np.int64)
        return s, t

    def features(self, keys: Keys, linked: _Reals | None = None) -> _Reals:
        """Columns of `COLUMNS` for each edge.

        Parameters
        ----------
        keys : Keys
        linked : (E,) float64, optional
            Links of these very sentences, to leave out.
        """
        s, t = self._numbers(keys)
        table = PairTable(self.pairs_, len(self.target_keys_))
        pair = table.find(s[keys.at_source], t[keys.at_target])
        links = np.append(self.links_, 0.0)[pair]
        counts = np.append(self.counts_, 0.0)[pair]
        rate = max(float(self.links_.sum() / self.counts_.sum()), 1e-12)
        if linked is not None:
            links = links - _within(keys.sentence, pair, linked)
            counts = counts - _within(keys.sentence, pair, np.ones(len(pair)))
        columns = [
            np.log((links + rate) / (counts + 1.0) / rate),
            np.log1p(counts),
            np.minimum(links, 5.0),
        ]
        for number, place, known in (
            (s, keys.at_source, self.source_),
            (t, keys.at_target, self.target_),
        ):
            total, words = np.append(known, np.zeros((2, 1)), axis=1)[:, number]
            if linked is not None:
                sentence = np.zeros(len(number), dtype=np.int64)
                sentence[place] = keys.sentence
                own = np.bincount(place, linked, len(number)).astype(np.float64)
                total = total - _within(sentence, number, own)
                words = words - _within(sentence, number, np.ones(len(number)))
            columns += [
                np.log((links + 0.1) / (total[place] + 1.0)),
                np.log((total + 0.5) / (words + 0.5))[place],
            ]
        return np.column_stack(columns)

    def __getstate__(self) -> dict[str, object]:
        return dict(vars(self))

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)

    def check_loaded(self) -> None:
        """Raise unless the attributes are what fitting makes."""
        fitted = Fitted(self)
        n = fitted.labels("source_keys_", 1, str, 1 << 28)
        m = fitted.labels("target_keys_", 1, str, 1 << 28)
        codes = fitted.array("pairs_", (None,), "int64", low=0, high=n * m - 1)
        if len(codes) == 0 or (np.diff(codes) <= 0).any():
            raise ValueError("Lexicon.pairs_ does not rise")
        fitted.array("links_", (len(codes),), "float64", low=0)
        fitted.array("counts_", (len(codes),), "float64", low=1)
        fitted.array("source_", (2, n), "float64", low=0)
        fitted.array("target_", (2, m), "float64", low=0)


def _within(sentence: _Ints, key: _Ints, values: _Reals) -> _Reals:
    """Sum of values over the edges of the same sentence and key."""
    code = sentence * (int(key.max(initial=0)) + 2) + key + 1
    _, group = np.unique(code, return_inverse=True)
    sums: _Reals = np.bincount(group, values).astype(np.float64)
    return sums[group]
