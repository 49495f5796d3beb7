"""Candidate pairs of records without comparing all with all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator

from pystruct_ext.entities._tables import (
    Pairs,
    Table,
    as_table,
    check_pairs,
    is_missing,
    texts_of,
)
from pystruct_ext.entities._terms import ANALYZERS, TermWeights
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.messages import shorten
from pystruct_ext.utils.progress import report_progress, shown_progress

Key = str | Sequence[str] | Callable[[dict[str, Any]], Any]
# Cells of similarities that are held at once.
_CELLS = 4_000_000


@storable
class Blocking(BaseEstimator):
    """Candidate pairs of two tables, or within one: the union of several simple rules.

    Parameters
    ----------
    columns : sequence of str, optional
        Whose text is compared; None: all that both tables have.
    neighbours : int, default=10
        For each record, the most similar records of the other table by tf-idf cosine, from
        either side; 0: none. Records without a term in common are no neighbours, unless
        as many are asked for as there are.
    analyzer : {"char", "word"}, default="char"
        Terms are three-character pieces of words, or words.
    both_ways : bool, default=True
        Whether records of the right table choose neighbours, too.
    exact : sequence of keys, default=()
        Records with the same key are candidates. A key is a column, a tuple of columns, or a
        function of the record (a dict) that gives a key, a list or set of keys, or None.
    sorted_by : sequence of keys, default=()
        Records of both tables are sorted by the key; those near each other are candidates.
    window : int, default=5
        How near: at most ``window - 1`` places away.
    lowercase : bool, default=True
    max_pairs : int, default=50_000_000
        More candidates are an error that names the rule.
    verbose : int, default=0
        1 shows a progress bar where it takes long and tqdm is installed.

    Examples
    --------
    >>> left = [{"name": "sony dvd player"}, {"name": "lg tv"}]
    >>> right = [{"name": "LG TV 32"}, {"name": "DVD player, Sony"}, {"name": "desk"}]
    >>> blocking = Blocking(neighbours=1)
    >>> blocking.pairs(left, right).tolist()
    [[0, 1], [1, 0]]
    >>> report = blocking.report(left, right, links=[(0, 1), (1, 0)])
    >>> report["pair_completeness"], round(report["reduction_ratio"], 2)
    (1.0, 0.67)
    """

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        neighbours: int = 10,
        analyzer: str = "char",
        both_ways: bool = True,
        exact: Sequence[Key] = (),
        sorted_by: Sequence[Key] = (),
        window: int = 5,
        lowercase: bool = True,
        max_pairs: int = 50_000_000,
        verbose: int = 0,
    ) -> None:
        self.columns = columns
        self.neighbours = neighbours
        self.analyzer = analyzer
        self.both_ways = both_ways
        self.exact = exact
        self.sorted_by = sorted_by
        self.window = window
        self.lowercase = lowercase
        self.max_pairs = max_pairs
        self.verbose = verbose

    def pairs(self, left: Any, right: Any = None) -> Pairs:
        """Positions of candidate pairs, (E, 2), rising, each once.

        Parameters
        ----------
        left, right : DataFrame, list of dicts, or dict of columns
            Without `right`, pairs are within `left`, and the first is the smaller.
        """
        tables = self._tables(left, right)
        codes = [code for _, code in self._rules(*tables)]
        return self._united(codes, len(tables[1] or tables[0]))

    def report(
        self, left: Any, right: Any = None, links: Any = (), pairs: Any = None
    ) -> dict[str, Any]:
        """What the candidates keep of known links, and what they spare.

        Parameters
        ----------
        left, right : DataFrame, list of dicts, or dict of columns
        links : (L, 2) array-like of int
            Positions of the known matches.
        pairs : (E, 2) array-like of int, optional
            Candidates to report on, instead of those of `pairs`.

        Returns
        -------
        dict
            ``n_pairs``; ``pair_completeness``, the share of links among the candidates (NaN
            without links); ``reduction_ratio``, the share of all pairs that are none;
            ``pair_quality``, the share of candidates that are links; ``missed``, positions of
            the links that are no candidates; and, if they were made here, ``rules``: the
            same numbers of each rule alone.
        """
        a, b = self._tables(left, right)
        width = len(b or a)
        known = _coded(check_pairs(links, len(a), width, "links"), width, b is None)
        every = len(a) * (len(a) - 1) // 2 if b is None else len(a) * width

        def numbers(code: NDArray[np.int64]) -> dict[str, Any]:
            found = np.isin(known, code)
            return {
                "n_pairs": len(code),
                "pair_completeness": float(found.mean()) if len(known) else np.nan,
                "reduction_ratio": 1 - len(code) / max(every, 1),
                "pair_quality": float(found.sum() / max(len(code), 1)),
            }

        if pairs is not None:
            given = check_pairs(pairs, len(a), width)
            code, rules = _coded(given, width, b is None), None
        else:
            made = list(self._rules(a, b))
            rules = {name: numbers(c) for name, c in made}
            code = _union([c for _, c in made])
        out = numbers(code)
        missed = known[~np.isin(known, code)]
        out["missed"] = np.stack([missed // width, missed % width], axis=1)
        if rules is not None:
            out["rules"] = rules
        return out

    # How it is done. Pairs are coded i * width + j, with i < j in one table.

    def _tables(self, left: Any, right: Any) -> tuple[Table, Table | None]:
        a = as_table(left, "left")
        return a, None if right is None or right is left else as_table(right, "right")

    def _check(self) -> None:
        for name, low in (("neighbours", 0), ("window", 2), ("max_pairs", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(f"{name} is {value!r}, expected a whole number")
            if value < low:
                raise ValueError(f"{name} is {value}, expected at least {low}")
        if self.analyzer not in ANALYZERS:
            raise ValueError(
                f"analyzer is {self.analyzer!r}, expected one of {', '.join(ANALYZERS)}"
            )
        for name in ("exact", "sorted_by"):
            if isinstance(getattr(self, name), str):
                raise TypeError(
                    f"{name} is {getattr(self, name)!r}, expected a list of keys"
                )
        if not (self.neighbours or len(self.exact) or len(self.sorted_by)):
            raise ValueError(
                "no rule gives candidates: expected neighbours > 0, exact or sorted_by"
            )

    def _rules(
        self, a: Table, b: Table | None
    ) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Name and coded pairs of each rule."""
        self._check()
        if self.neighbours:
            name = f"{self.neighbours} nearest by {self.analyzer}"
            shown: Any = nullcontext()
            if self.verbose:
                shown = shown_progress("finding neighbours", "record")
            with shown:
                yield name, self._nearest(a, b, name)
        for key in self.exact:
            name = f"same {_name_of(key)}"
            yield name, self._same(a, b, key, name)
        for key in self.sorted_by:
            name = f"near by {_name_of(key)}"
            yield name, self._near(a, b, key, name)

    def _united(self, codes: list[NDArray[np.int64]], width: int) -> Pairs:
        code = _union(codes)
        return np.stack([code // max(width, 1), code % max(width, 1)], axis=1)

    def _limit(self, n: int, name: str) -> None:
        if n > self.max_pairs:
            raise ValueError(
                f"the rule {name!r} gives {n} pairs or more, above max_pairs="
                f"{self.max_pairs}"
            )

    def _texts(self, a: Table, b: Table | None) -> tuple[list[str], list[str] | None]:
        names = self.columns
        if names is None:
            names = [c for c in a.columns if b is None or c in b.columns]
            if not names:
                raise ValueError(
                    f"the tables have no column in common: left has {', '.join(a.columns)}; "
                    f"right has {', '.join(b.columns if b is not None else ())}"
                )

        def joined(table: Table, which: str) -> list[str]:
            out = [texts_of(table, c, which, self.lowercase) for c in names]
            return [" ".join(filter(None, row)) for row in zip(*out, strict=True)]

        return joined(a, "left"), None if b is None else joined(b, "right")

    def _nearest(self, a: Table, b: Table | None, name: str) -> NDArray[np.int64]:
        left, right = self._texts(a, b)
        weights = TermWeights(self.analyzer).fit([*left, *(right or ())])
        if right is None:
            rows = weights.rows(left).tfidf()
            i, j = self._chosen(rows, rows, True, name)
            return _union([_coded(np.stack([i, j], axis=1), len(a), True)])
        rows = weights.rows(left, right).tfidf()
        a_rows, b_rows = rows[: len(left)], rows[len(left) :]
        i, j = self._chosen(a_rows, b_rows, False, name)
        codes = [i * len(right) + j]
        if self.both_ways:
            j, i = self._chosen(b_rows, a_rows, False, name)
            codes.append(i * len(right) + j)
        return _union(codes)

    def _chosen(
        self, a: sparse.csr_array, b: sparse.csr_array, same: bool, name: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The nearest rows of b for each row of a, not itself if they are the `same`."""
        n, m = a.shape[0], b.shape[0]
        others = m - same
        k = min(self.neighbours, others)
        self._limit(n * k // (1 + same), name)
        if n == 0 or k <= 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        columns, step = b.T.tocsr(), max(1, _CELLS // m)
        rows: list[NDArray[np.int64]] = []
        found: list[NDArray[np.int64]] = []
        for first in range(0, n, step):
            near = (a[first : first + step] @ columns).toarray()
            at = np.arange(len(near))
            if same:
                near[at, first + at] = -1.0
            best = (
                np.argpartition(-near, k - 1, axis=1)[:, :k]
                if k < m
                else (np.broadcast_to(np.arange(m), near.shape))
            )
            value = np.take_along_axis(near, best, axis=1)
            # All records are neighbours where that many are asked for.
            keep = value >= 0 if k == others else value > 0
            r, c = np.nonzero(keep)
            rows.append(first + r)
            found.append(best[r, c].astype(np.int64))
            report_progress(min(first + step, n), n)
        return np.concatenate(rows), np.concatenate(found)

    def _keys(self, table: Table, which: str, key: Key) -> list[tuple[Hashable, ...]]:
        """The keys of each record; none where a value is missing."""
        if callable(key):
            names = list(table.columns)
            columns = [table.columns[c] for c in names]
            out = []
            for k in range(len(table)):
                record = dict(zip(names, (c[k] for c in columns), strict=True))
                out.append(_several(key(record), which, k))
            return out
        names = [key] if isinstance(key, str) else list(key)
        texts = [texts_of(table, c, which, self.lowercase) for c in names]
        return [
            (row[0] if len(row) == 1 else row,) if all(row) else ()
            for row in zip(*texts, strict=True)
        ]

    def _same(
        self, a: Table, b: Table | None, key: Key, name: str
    ) -> NDArray[np.int64]:
        groups: dict[Hashable, tuple[list[int], list[int]]] = {}
        for side, table in enumerate([a] if b is None else [a, b]):
            which = "right" if side else "left"
            for k, keys in enumerate(self._keys(table, which, key)):
                for value in keys:
                    groups.setdefault(value, ([], []))[side].append(k)
        n = 0
        codes: list[NDArray[np.int64]] = []
        for left, right in groups.values():
            if b is None:
                n += len(left) * (len(left) - 1) // 2
                self._limit(n, name)
                first, second = np.triu_indices(len(left), 1)
                where = np.array(left, dtype=np.int64)
                codes.append(where[first] * len(a) + where[second])
            else:
                n += len(left) * len(right)
                self._limit(n, name)
                codes.append(
                    np.add.outer(
                        np.array(left, dtype=np.int64) * len(b),
                        np.array(right, dtype=np.int64),
                    ).ravel()
                )
        return _union(codes)

    def _near(
        self, a: Table, b: Table | None, key: Key, name: str
    ) -> NDArray[np.int64]:
        entries = []
        for side, table in enumerate([a] if b is None else [a, b]):
            which = "right" if side else "left"
            for k, keys in enumerate(self._keys(table, which, key)):
                entries += [(_sortable(value), side, k) for value in keys]
        entries.sort()
        self._limit(len(entries) * (self.window - 1) // 2, name)
        sides = np.array([e[1] for e in entries], dtype=np.int64)
        at = np.array([e[2] for e in entries], dtype=np.int64)
        codes = []
        for d in range(1, min(self.window, len(entries))):
            i, j, s, t = at[:-d], at[d:], sides[:-d], sides[d:]
            if b is None:
                apart = i != j
                both = np.stack([i[apart], j[apart]], axis=1)
                codes.append(_coded(both, len(a), True))
            else:
                first = (s == 0) & (t == 1)
                second = (s == 1) & (t == 0)
                codes.append(i[first] * len(b) + j[first])
                codes.append(j[second] * len(b) + i[second])
        return _union(codes)

    def check_loaded(self) -> None:
        """Raise unless the parameters are what they may be."""
        self._check()


def _union(codes: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    parts = [np.zeros(0, dtype=np.int64), *codes]
    return np.unique(np.concatenate(parts))


def _coded(pairs: Pairs, width: int, one_table: bool) -> NDArray[np.int64]:
    """Codes of pairs, each once, the smaller first within one table."""
    if one_table:
        pairs = np.sort(pairs, axis=1)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    return np.unique(pairs[:, 0] * width + pairs[:, 1])


def _name_of(key: Key) -> str:
    if callable(key):
        return str(getattr(key, "__name__", type(key).__name__))
    return key if isinstance(key, str) else " + ".join(key)


def _several(value: Any, which: str, k: int) -> tuple[Hashable, ...]:
    """What a function gave for a record, as keys."""
    values = tuple(value) if isinstance(value, (list, set, frozenset)) else (value,)
    for v in values:
        if isinstance(v, Mapping) or not isinstance(v, Hashable):
            raise TypeError(
                f"{which}[{k}] has the key {shorten(v, 80)}, expected text, a number, a "
                "tuple of them, or None"
            )
    return tuple(dict.fromkeys(v for v in values if not is_missing(v)))


def _sortable(value: Any) -> tuple[Any, ...]:
    """Numbers before text, tuples by their entries."""
    if isinstance(value, tuple):
        return (2, tuple(map(_sortable, value)))
    if isinstance(value, (int, float, np.number)):
        return (0, float(value))
    return (1, str(value))


__all__ = ["Blocking"]
