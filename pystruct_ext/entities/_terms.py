"""Terms of texts as sparse rows: sets, weights by rarity, and products of chosen rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.entities._values import tokens
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted


def trigrams(text: str) -> list[str]:
    """Three-character pieces of the words of a text, each word between blanks.

    Examples
    --------
    >>> trigrams("a tv")
    [' a ', ' tv', 'tv ']
    """
    out = []
    for word in text.split():
        padded = f" {word} "
        out += [padded[i : i + 3] for i in range(len(padded) - 2)]
    return out


ANALYZERS: dict[str, Callable[[str], list[str]]] = {"word": tokens, "char": trigrams}


@storable
class TermWeights(BaseEstimator):
    """How rare a term is among the texts of the training records.

    Parameters
    ----------
    analyzer : {"word", "char"}, default="word"
        Words, or three-character pieces of words.

    Attributes
    ----------
    terms_ : list of str
    idf_ : (n_terms,) ndarray
        ``log((3 + n) / (1 + max(n_t, 2))) + 1`` with n_t of n texts having the term.
    idf_unseen_ : float
        Of a term that no training text has.

    Notes
    -----
    A term of both records of a training pair is in two training texts, that of a new pair may
    be in none: were the second the rarer, all that is common to new pairs would weigh more
    than in training. So terms in 0, 1 and 2 texts weigh alike.
    """

    def __init__(self, analyzer: str = "word") -> None:
        self.analyzer = analyzer

    def fit(self, texts: Iterable[str], y: Any = None) -> TermWeights:
        """Count the texts of each term."""
        count: dict[str, int] = {}
        n, analyze = 0, ANALYZERS[self.analyzer]
        for text in texts:
            n += 1
            for term in set(analyze(text)):
                count[term] = count.get(term, 0) + 1
        self.terms_ = sorted(count)
        seen = np.array([count[t] for t in self.terms_], dtype=np.float64)
        self.idf_ = np.log((3 + n) / (1 + np.maximum(seen, 2))) + 1
        self.idf_unseen_ = float(np.log((3 + n) / 3) + 1)
        return self

    def check_loaded(self) -> None:
        """Raise unless the attributes are what fitting makes."""
        fitted = Fitted(self)
        fitted.one_of("analyzer", tuple(ANALYZERS))
        if hasattr(self, "terms_"):
            n = fitted.labels("terms_", kind=str, at_most=1 << 40)
            fitted.array("idf_", (n,), "float64", low=0)
            fitted.number("idf_unseen_", low=0)

    def rows(self, *columns: Sequence[str]) -> TermRows:
        """Terms of the texts of one list or more, one below the other."""
        check_is_fitted(self)
        index = dict(zip(self.terms_, range(len(self.terms_)), strict=True))
        analyze = ANALYZERS[self.analyzer]
        ids: list[int] = []
        ends = [0]
        for texts in columns:
            for text in texts:
                ids += [index.setdefault(t, len(index)) for t in analyze(text)]
                ends.append(len(ids))
        shape = (len(ends) - 1, max(len(index), 1))
        ones = np.ones(len(ids), dtype=np.float64)
        counts = sparse.csr_array((ones, ids, ends), shape=shape)
        counts.sum_duplicates()
        idf = np.full(shape[1], self.idf_unseen_)
        idf[: len(self.idf_)] = self.idf_
        return TermRows(counts, idf, list(index))


class TermRows:
    """Terms of texts, one text a row.

    Parameters
    ----------
    counts : (n, V) csr_array
    idf : (V,) ndarray
    terms : list of str
    """

    def __init__(
        self, counts: sparse.csr_array, idf: NDArray[np.float64], terms: list[str]
    ) -> None:
        self.counts, self.idf, self.terms = counts, idf, terms

    def sets(self) -> sparse.csr_array:
        """1 where a text has the term."""
        out = self.counts.copy()
        out.data = np.ones_like(out.data)
        return out

    def codes(self) -> sparse.csr_array:
        """`sets` of the terms that contain a digit."""
        have = np.array([any(c.isdigit() for c in t) for t in self.terms] or [False])
        out = self.sets()
        out.data *= have[out.indices]
        out.eliminate_zeros()
        return out

    def rarity(self) -> sparse.csr_array:
        """``idf`` where a text has the term."""
        out = self.counts.copy()
        out.data = self.idf[out.indices]
        return out

    def tfidf(self) -> sparse.csr_array:
        """``(1 + log count) idf``, rows of unit length."""
        out = self.counts.copy()
        out.data = (1 + np.log(out.data)) * self.idf[out.indices]
        norms = np.sqrt(np.asarray(out.multiply(out).sum(axis=1)).ravel())
        out.data /= np.repeat(np.where(norms > 0, norms, 1), np.diff(out.indptr))
        return out


def row_dots(
    a: sparse.csr_array, i: NDArray[Any], b: sparse.csr_array, j: NDArray[Any]
) -> NDArray[np.float64]:
    """Product of row i[e] of a with row j[e] of b, for each e."""
    return np.asarray(a[i].multiply(b[j]).sum(axis=1), dtype=np.float64).ravel()


def row_sizes(a: sparse.csr_array, i: NDArray[Any]) -> NDArray[np.float64]:
    """Entries of rows."""
    return np.asarray(np.diff(a.indptr)[i], dtype=np.float64)


def row_max(a: sparse.csr_array) -> NDArray[np.float64]:
    """Largest entry of each row, 0 if it has none; entries are not negative."""
    out: NDArray[np.float64] = np.zeros(a.shape[0])
    filled = np.flatnonzero(np.diff(a.indptr))
    if len(filled):
        out[filled] = np.maximum.reduceat(a.data, a.indptr[filled])
    return out


__all__ = [
    "ANALYZERS",
    "TermRows",
    "TermWeights",
    "row_dots",
    "row_max",
    "row_sizes",
    "trigrams",
]
