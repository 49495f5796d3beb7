"""Similarities of many pairs of texts at once; NaN where a side has nothing to compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.entities._terms import TermWeights, row_dots, row_max, row_sizes
from pystruct_ext.entities._values import days_of, numbers_of, tokens
from pystruct_ext.utils.extras import require

Floats = NDArray[np.float64]

STRINGS = (
    "ratio",
    "partial_ratio",
    "token_sort_ratio",
    "token_set_ratio",
    "jaro_winkler",
)
SETS = ("jaccard", "overlap", "length_difference", "equal", "first_token")
COSINES = ("word_cosine", "char_cosine")
RARITY = ("rarest_common", "rarest_left", "rarest_right", "common_weight")
CODES = (
    *("codes_jaccard", "codes_overlap", "codes_common", "codes_left", "codes_right"),
    *("codes_ratio", "codes_missing"),
)
NUMBER = (*("number_difference", "number_relative", "number_equal", "number_missing"),)
DATE = ("days", "same_year", "same_month", "same_day", "date_missing")
MISSING = ("both_missing", "one_missing")

# What is compared in a column of each type.
FEATURES: dict[str, tuple[str, ...]] = {
    "text": (*STRINGS, *SETS, *COSINES, *RARITY, *NUMBER, *CODES, *MISSING),
    "number": ("ratio", "jaro_winkler", "equal", *NUMBER, *MISSING),
    "date": ("ratio", "equal", *DATE, *MISSING),
    "category": ("ratio", "jaccard", "overlap", "equal", "first_token", *MISSING),
}
# Kept as they are by an expansion: 0, 1 or missing.
FLAGS = frozenset(
    (
        *("equal", "first_token", "number_equal", "number_missing", "codes_missing"),
        *("same_year", "same_month", "same_day", "date_missing", *MISSING),
    )
)


def fuzzy(
    name: str, a: Sequence[str], b: Sequence[str], workers: int
) -> NDArray[np.float32]:
    """One of `STRINGS` for each pair (a[k], b[k]), in 0 .. 1."""
    process = require("rapidfuzz.process", "entities", "comparing strings")
    if name == "jaro_winkler":
        distance = require("rapidfuzz.distance", "entities", "comparing strings")
        scorer, scale = distance.JaroWinkler.similarity, 1.0
    else:
        fuzz = require("rapidfuzz.fuzz", "entities", "comparing strings")
        scorer, scale = getattr(fuzz, name), 100.0
    found = process.cpdist(a, b, scorer=scorer, dtype=np.float32, workers=workers)
    return np.asarray(found, dtype=np.float32) / np.float32(scale)


class TextPairs:
    """Texts of two lists, and the pairs of them that are asked for.

    What is made per text (tokens, sparse rows, numbers) is made once.

    Parameters
    ----------
    a, b : list of str
        Distinct texts, "" where missing.
    words, chars : TermWeights
        Of the column, from the training records; None where cosines are not asked for.
    workers : int
        Threads for rapidfuzz.
    """

    def __init__(
        self,
        a: list[str],
        b: list[str],
        words: TermWeights | None = None,
        chars: TermWeights | None = None,
        workers: int = 1,
    ) -> None:
        self.a, self.b, self.workers = a, b, workers
        self._n = len(a)
        self._words = None if words is None else words.rows(a, b)
        self._chars = None if chars is None else chars.rows(a, b)
        self._made: dict[str, Any] = {}

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _word_rows(self, kind: str) -> Any:
        assert self._words is not None
        return self._once(f"words {kind}", getattr(self._words, kind))

    def _per_text(self, key: str, make: Callable[[list[str]], Any]) -> tuple[Any, Any]:
        found: tuple[Any, Any] = self._once(key, lambda: (make(self.a), make(self.b)))
        return found

    def compare(
        self, names: Sequence[str], i: NDArray[Any], j: NDArray[Any]
    ) -> NDArray[np.float32]:
        """Features of the pairs (a[i[e]], b[j[e]]), one column a name."""
        miss_a, miss_b = self._per_text(
            "missing", lambda texts: np.array([not t for t in texts], dtype=bool)
        )
        left, right = miss_a[i], miss_b[j]
        missing = left | right
        out = np.full((len(i), len(names)), np.nan, dtype=np.float32)
        here = np.flatnonzero(~missing)
        i, j = i[here], j[here]
        made: dict[str, Any] = {
            "both_missing": left & right,
            "one_missing": left ^ right,
        }
        groups: list[tuple[tuple[str, ...], Callable[..., dict[str, Any]]]] = [
            (STRINGS, self._strings),
            (SETS, self._sets),
            (COSINES, self._cosines),
            (RARITY, self._rarity),
            (CODES, self._codes),
            (NUMBER, self._numbers),
            (DATE, self._dates),
        ]
        for group, make in groups:
            wanted = [n for n in names if n in group]
            if wanted:
                made.update(make(wanted, i, j))
        for k, name in enumerate(names):
            if name in MISSING:
                out[:, k] = made[name]
            else:
                out[here, k] = made[name]
                if name.endswith("_missing"):
                    out[missing, k] = 1
        return out

    def _strings(self, names: list[str], i: Any, j: Any) -> dict[str, Any]:
        a, b = [self.a[k] for k in i.tolist()], [self.b[k] for k in j.tolist()]
        return {n: fuzzy(n, a, b, self.workers) for n in names}

    def _sets(self, names: list[str], i: Any, j: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if "jaccard" in names or "overlap" in names:
            sets = self._word_rows("sets") if self._words else self._plain_sets()
            n, m = row_sizes(sets, i), row_sizes(sets, j + self._n)
            common = row_dots(sets, i, sets, j + self._n)
            out["jaccard"] = common / np.maximum(n + m - common, 1)
            out["overlap"] = common / np.maximum(np.minimum(n, m), 1)
        if "length_difference" in names:
            la, lb = self._per_text("length", lambda t: np.array([len(x) for x in t]))
            n, m = la[i], lb[j]
            out["length_difference"] = np.abs(n - m) / np.maximum(np.maximum(n, m), 1)
        code: dict[str, int] = {}
        if "equal" in names:
            ka, kb = self._per_text(
                "same", lambda t: np.array([code.setdefault(x, len(code)) for x in t])
            )
            out["equal"] = ka[i] == kb[j]
        first: dict[str, int] = {}
        if "first_token" in names:

            def number(texts: list[str]) -> NDArray[np.intp]:
                heads = [next(iter(tokens(x)), x) for x in texts]
                return np.array([first.setdefault(h, len(first)) for h in heads])

            fa, fb = self._per_text("first", number)
            out["first_token"] = fa[i] == fb[j]
        return out

    def _plain_sets(self) -> Any:
        weights = self._once("plain", lambda: TermWeights().fit([]))
        return self._once("plain sets", lambda: weights.rows(self.a, self.b).sets())

    def _cosines(self, names: list[str], i: Any, j: Any) -> dict[str, Any]:
        out = {}
        if "word_cosine" in names:
            rows = self._word_rows("tfidf")
            out["word_cosine"] = row_dots(rows, i, rows, j + self._n)
        if "char_cosine" in names:
            assert self._chars is not None
            rows = self._once("chars", self._chars.tfidf)
            out["char_cosine"] = row_dots(rows, i, rows, j + self._n)
        return out

    def _rarity(self, names: list[str], i: Any, j: Any) -> dict[str, Any]:
        """The rarest term of both, of the left only, of the right only; share of common."""
        rarity, sets = self._word_rows("rarity"), self._word_rows("sets")
        a, b = rarity[i], rarity[j + self._n]
        common = a.multiply(sets[j + self._n]).tocsr()
        scale = float(self._words.idf.max()) if self._words is not None else 1.0
        left, right = (a - common).tocsr(), (b - common).tocsr()
        for rows in (common, left, right):
            rows.eliminate_zeros()
        both = common.sum(axis=1)
        total = a.sum(axis=1) + b.sum(axis=1) - both
        return {
            "rarest_common": row_max(common) / scale,
            "rarest_left": row_max(left) / scale,
            "rarest_right": row_max(right) / scale,
            "common_weight": both / np.maximum(total, 1e-12),
        }

    def _codes(self, names: list[str], i: Any, j: Any) -> dict[str, Any]:
        """Tokens with a digit: models, versions, years."""
        codes = self._word_rows("codes")
        n, m = row_sizes(codes, i), row_sizes(codes, j + self._n)
        common = row_dots(codes, i, codes, j + self._n)
        none, lacks = (n == 0) & (m == 0), (n == 0) | (m == 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            out = {
                "codes_jaccard": np.where(none, np.nan, common / (n + m - common)),
                "codes_overlap": np.where(lacks, np.nan, common / np.minimum(n, m)),
                "codes_common": common,
                "codes_left": n - common,
                "codes_right": m - common,
                "codes_missing": lacks,
            }
        if "codes_ratio" in names:
            ca, cb = self._per_text(
                "longest code", lambda t: [_longest_code(x) for x in t]
            )
            a, b = [ca[k] for k in i.tolist()], [cb[k] for k in j.tolist()]
            ratio = fuzzy("ratio", a, b, self.workers).astype(np.float64)
            out["codes_ratio"] = np.where(lacks, np.nan, ratio)
        return out

    def _numbers(self, names: list[str], i: Any, j: Any) -> dict[str, Any]:
        na, nb = self._per_text("numbers", numbers_of)
        x, y = na[i], nb[j]
        gap = np.abs(x - y)
        none = np.isnan(gap)
        return {
            "number_difference": gap,
            "number_relative": gap / np.maximum(np.maximum(np.abs(x), np.abs(y)), 1e-9),
            "number_equal": np.where(none, np.nan, gap == 0),
            "number_missing": none,
        }

    def _dates(self, names: list[str], i: Any, j: Any) -> dict[str, Any]:
        (xa, pa), (xb, pb) = self._per_text("dates", _dates)
        x, y = xa[i], xb[j]
        none = np.isnan(x) | np.isnan(y)
        same = np.where(none[:, None], np.nan, pa[i] == pb[j])
        return {
            "days": np.abs(x - y),
            "same_year": same[:, 0],
            "same_month": same[:, 1],
            "same_day": same[:, 2],
            "date_missing": none,
        }


def _longest_code(text: str) -> str:
    """The longest token with a digit, the first of them; "" if there is none."""
    codes = [t for t in tokens(text) if any(c.isdigit() for c in t)]
    return max(codes, key=len, default="")


def _dates(texts: list[str]) -> tuple[Floats, NDArray[np.int64]]:
    """Day numbers, and (n, 3) year, month, day."""
    import datetime

    days = days_of(texts)
    parts = np.zeros((len(texts), 3), dtype=np.int64)
    for k, day in enumerate(days.tolist()):
        if day == day:
            date = datetime.date.fromordinal(int(day))
            parts[k] = date.year, date.month, date.day
    return days, parts


__all__ = ["FEATURES", "FLAGS", "TextPairs", "fuzzy"]
