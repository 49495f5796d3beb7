"""Features of pairs of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.entities._expansion import Expansion
from pystruct_ext.entities._rivals import RIVALS, rivals
from pystruct_ext.entities._similarities import FEATURES, FLAGS, TextPairs
from pystruct_ext.entities._tables import RecordPairs, Table, as_pairs, texts_of
from pystruct_ext.entities._terms import TermWeights
from pystruct_ext.entities._values import TYPES, type_of
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted
from pystruct_ext.utils.progress import report_progress, shown_progress

WHOLE = "*"
_CHUNK = 20_000
# Pairs that knots and scales are taken from, at most.
_SAMPLE = 200_000

Texts = dict[str, tuple[list[str], list[str]]]


@storable
class PairFeatures(TransformerMixin, BaseEstimator):
    """Similarities of pairs of records, attribute by attribute and as a whole.

    Parameters
    ----------
    columns : sequence of str, optional
        Attributes; None: the columns that both tables have.
    types : dict of str to {"text", "number", "date", "category"}, optional
        Of the columns whose type is not to be detected.
    whole_record : bool, default=True
        Whether the text of all columns together is compared, too, as the column "*".
    rivals : bool, default=True
        Whether to compare the cosine of the whole texts with those of the same records to all
        others of the tables: ``lead_left`` is how far the right record is ahead of the next
        best for the left one, ``rank_left`` 1 / its rank, the same from the right.
    lowercase : bool, default=True
    expand : {None, "hinges", "bins"}, default=None
        Columns that let a linear model bend: ``max(0, x - t)`` or ``x > t`` with t at
        quantiles; with labels in `fit`, of matches and others alike.
    n_knots : int, default=8
        Quantiles of a column.
    fill : "mean" or float, default="mean"
        What a missing value becomes: the column's mean, in columns that are standardised, or a
        number, in columns that are not. NaN suits trees.
    n_jobs : int, optional
        Threads of the string similarities.
    verbose : int, default=0
        1 shows a progress bar where it takes long and tqdm is installed.

    Attributes
    ----------
    columns_ : list of str
    types_ : list of str
        Of `columns_`, and "text" of the whole record.
    word_weights_, char_weights_ : list of TermWeights
        Rarity of words and of three-character pieces among the distinct texts of the training
        records, a column each.
    rival_weights_ : TermWeights
        Of the whole records, where `rivals` is set.
    expansion_ : Expansion

    Notes
    -----
    X is a `RecordPairs`, or a tuple ``(left, right, pairs)`` or ``(table, pairs)``; tables are
    DataFrames, lists of dicts or dicts of columns, pairs positions (E, 2) in them.

    Columns of text have ``ratio``, ``partial_ratio``, ``token_sort_ratio``,
    ``token_set_ratio`` and ``jaro_winkler`` (rapidfuzz, in 0 .. 1; `pip install
    pystruct-ext[entities]`); of their token sets ``jaccard`` and ``overlap``;
    ``length_difference`` (relative), ``equal``, ``first_token`` (the same), ``word_cosine``
    and ``char_cosine`` (tf-idf); the rarest token of both, of one side only
    (``rarest_common``, ``rarest_left``, ``rarest_right``) and the share of common ones by
    weight (``common_weight``); ``number_difference``, ``number_relative`` and
    ``number_equal`` of first numbers; of tokens with a digit ``codes_jaccard``,
    ``codes_overlap``, ``codes_common``, ``codes_left``, ``codes_right`` (counts) and
    ``codes_ratio`` of the longest; flags for what is missing. Numbers, dates and
    categories have the columns that fit them.

    Examples
    --------
    >>> left = [{"name": "Sony DVD player", "price": 99}, {"name": "LG TV", "price": None}]
    >>> right = [{"name": "dvd player by sony", "price": 95}]
    >>> features = PairFeatures(rivals=False, fill=-1)
    >>> found = features.fit_transform((left, right, [(0, 0), (1, 0)]))
    >>> found.shape, features.types_
    ((2, 67), ['text', 'number', 'text'])
    >>> names = features.get_feature_names_out().tolist()
    >>> found[:, names.index("price__number_difference")].tolist()
    [4.0, -1.0]
    """

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        types: Mapping[str, str] | None = None,
        whole_record: bool = True,
        rivals: bool = True,
        lowercase: bool = True,
        expand: str | None = None,
        n_knots: int = 8,
        fill: str | float = "mean",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.columns = columns
        self.types = types
        self.whole_record = whole_record
        self.rivals = rivals
        self.lowercase = lowercase
        self.expand = expand
        self.n_knots = n_knots
        self.fill = fill
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> PairFeatures:
        """Learn types, rarities, knots and scales from training pairs.

        Parameters
        ----------
        X : RecordPairs or tuple
            See the notes of the class.
        y : (E,) array-like, optional
            Labels, positive for matches: knots then serve both classes.
        """
        self._fit(X, y)
        return self

    def fit_transform(
        self, X: Any, y: Any = None, **fit_params: Any
    ) -> NDArray[np.float32]:
        """`fit`, then `transform`, with the similarities computed once."""
        return self.expansion_transform(self._fit(X, y))

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Features of pairs, (E, n_features_out).

        Parameters
        ----------
        X : RecordPairs or tuple
            See the notes of the class.
        """
        return self.expansion_transform(self.similarities(X))

    def similarities(self, X: Any) -> NDArray[np.float32]:
        """The columns before expansion and scaling, NaN where there is nothing to compare."""
        check_is_fitted(self)
        pairs = as_pairs(X)
        return self._compared(pairs, self._texts(pairs))

    def expansion_transform(self, similarities: NDArray[Any]) -> NDArray[np.float32]:
        """Expand and scale what `similarities` gave."""
        check_is_fitted(self)
        width = len(self.get_feature_names_out())
        out = np.empty((len(similarities), width), dtype=np.float32)
        for first in range(0, len(out), _CHUNK):
            rows = slice(first, first + _CHUNK)
            out[rows] = self.expansion_.transform(similarities[rows])
        return out

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """``column__feature``, with ``>t`` behind it for a knot at t."""
        check_is_fitted(self)
        names = self._names()
        out = [
            names[k] if t is None else f"{names[k]}>{t:.4g}"
            for k, t in self.expansion_.column_knots()
        ]
        return np.array(out, dtype=object)

    def check_loaded(self) -> None:
        """Raise unless the attributes are what fitting makes."""
        fitted = Fitted(self)
        for name in ("whole_record", "rivals", "lowercase"):
            fitted.boolean(name)
        if not hasattr(self, "columns_"):
            return
        n = fitted.labels("columns_", kind=str) + self.whole_record
        types = fitted.value("types_")
        if not isinstance(types, list) or not set(map(str, types)) <= set(TYPES):
            raise ValueError(f"PairFeatures.types_ is not a list of {', '.join(TYPES)}")
        for name in ("types_", "word_weights_", "char_weights_"):
            if len(fitted.value(name)) != n:
                raise ValueError(f"PairFeatures.{name} must have {n} entries")
        for weights in (*self.word_weights_, *self.char_weights_):
            if not isinstance(weights, TermWeights):
                raise ValueError("PairFeatures has weights that are no TermWeights")
        if self.rivals:
            fitted.instance("rival_weights_", TermWeights)
        fitted.instance("expansion_", Expansion)
        if len(self.expansion_.knot_ends_) != len(self._names()) + 1:
            raise ValueError("PairFeatures.expansion_ has other columns")

    # How it is done.

    def _fit(self, X: Any, y: Any) -> NDArray[np.float32]:
        """Fit, and the similarities of the training pairs."""
        pairs = as_pairs(X)
        expansion = Expansion(self.expand, n_knots=self.n_knots, fill=self.fill)
        expansion.check()
        if not len(pairs):
            raise ValueError("X holds no pairs, expected at least one")
        if y is not None and len(y) != len(pairs):
            raise ValueError(
                f"y has {len(y)} labels, expected one per pair: {len(pairs)}"
            )
        self.columns_ = self._columns_of(pairs)
        texts = self._texts(pairs)
        self._learn_columns(pairs, texts)
        found = self._compared(pairs, texts)
        keep: Any = slice(None)
        if len(found) > _SAMPLE:
            keep = np.random.default_rng(0).choice(len(found), _SAMPLE, replace=False)
        flags = [name.rpartition("__")[2] in FLAGS for name in self._names()]
        labels = None if y is None else np.asarray(y)[keep]
        self.expansion_ = expansion.fit(found[keep], flags, labels)
        return found

    def _columns_of(self, pairs: RecordPairs) -> list[str]:
        left, right = pairs.left, pairs.right
        if self.columns is not None:
            names = list(self.columns)
            for name in names:
                left.column(name, "left")
                right.column(name, "right")
        else:
            names = [c for c in left.columns if c in right.columns]
        if not names:
            raise ValueError(
                f"the tables have no column in common: left has {', '.join(left.columns)}; "
                f"right has {', '.join(right.columns)}"
            )
        if WHOLE in names:
            raise ValueError(f"a column may not be named {WHOLE!r}")
        for name, kind in (self.types or {}).items():
            if name not in names:
                raise ValueError(
                    f"types names the column {name!r}, expected one of {', '.join(names)}"
                )
            if kind not in TYPES:
                raise ValueError(
                    f"types[{name!r}] is {kind!r}, expected one of {', '.join(TYPES)}"
                )
        return names

    def _learn_columns(self, pairs: RecordPairs, texts: Texts) -> None:
        """Types, and weights of terms, from the records that occur in pairs."""
        given = dict(self.types or {})
        used = [np.unique(pairs.pairs[:, side]).tolist() for side in (0, 1)]
        if pairs.one_table:
            used = [sorted({*used[0], *used[1]}), []]
        self.types_: list[str] = []
        self.word_weights_: list[TermWeights] = []
        self.char_weights_: list[TermWeights] = []
        for name, (left, right) in texts.items():
            known = [left[k] for k in used[0]] + [right[k] for k in used[1]]
            known = [t for t in known if t]
            kind = "text" if name == WHOLE else given.get(name) or type_of(known)
            if name != WHOLE or self.whole_record:
                self.types_.append(kind)
                corpus = list(dict.fromkeys(known)) if kind == "text" else []
                self.word_weights_.append(TermWeights("word").fit(corpus))
                self.char_weights_.append(TermWeights("char").fit(corpus))
            if name == WHOLE and self.rivals:
                corpus = list(dict.fromkeys(known))
                self.rival_weights_ = TermWeights("char").fit(corpus)

    def _texts(self, pairs: RecordPairs) -> Texts:
        """Texts of the columns, and of whole records, in both tables."""

        def side(table: Table, which: str) -> list[list[str]]:
            out = [
                texts_of(table, name, which, self.lowercase) for name in self.columns_
            ]
            rows = zip(*out, strict=True)
            return [*out, [" ".join(filter(None, row)) for row in rows]]

        left = side(pairs.left, "left")
        right = left if pairs.one_table else side(pairs.right, "right")
        return dict(
            zip([*self.columns_, WHOLE], zip(left, right, strict=True), strict=True)
        )

    def _names(self) -> list[str]:
        """Names of the columns before expansion."""
        columns = [*self.columns_, *([WHOLE] if self.whole_record else [])]
        out = [
            f"{column}__{feature}"
            for column, kind in zip(columns, self.types_, strict=True)
            for feature in FEATURES[kind]
        ]
        return out + [f"{WHOLE}__{r}" for r in RIVALS if self.rivals]

    def _compared(self, pairs: RecordPairs, texts: Texts) -> NDArray[np.float32]:
        """Similarities of pairs, (E, n), NaN where there is nothing to compare."""
        names = self._names()
        out = np.empty((len(pairs), len(names)), dtype=np.float32)
        total = len(pairs) * (len(self.types_) + 2 * self.rivals)
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            report_progress(min(done, total), total)

        shown: Any = nullcontext()
        if self.verbose:
            shown = shown_progress("comparing records", "pair")
        with shown:
            at = 0
            for part in self._columnwise(pairs, texts, tell):
                out[:, at : at + part.shape[1]] = part
                at += part.shape[1]
        return out

    def _columnwise(
        self, pairs: RecordPairs, texts: Texts, tell: Callable[[int], None]
    ) -> Iterator[NDArray[np.float32]]:
        workers = effective_n_jobs(self.n_jobs)
        columns = zip(
            texts.values(),
            self.types_,
            self.word_weights_,
            self.char_weights_,
            strict=False,  # without whole_record there is one text more
        )
        for (left, right), kind, words, chars in columns:
            a, i = _distinct(left, pairs.pairs[:, 0])
            b, j = _distinct(right, pairs.pairs[:, 1])
            code, back = np.unique(i * len(b) + j, return_inverse=True)
            text = kind == "text"
            both = TextPairs(
                a, b, words if text else None, chars if text else None, workers
            )
            found = np.empty((len(code), len(FEATURES[kind])), dtype=np.float32)
            for first in range(0, len(code), _CHUNK):
                some = code[first : first + _CHUNK]
                found[first : first + _CHUNK] = both.compare(
                    FEATURES[kind], some // len(b), some % len(b)
                )
                tell(len(some))
            tell(len(pairs) - len(code))
            yield found[back]
        if self.rivals:
            left, right = texts[WHOLE]
            if pairs.one_table:
                rows = self.rival_weights_.rows(left).tfidf()
                a_rows = b_rows = rows
            else:
                rows = self.rival_weights_.rows(left, right).tfidf()
                a_rows, b_rows = rows[: len(left)], rows[len(left) :]
            i, j = pairs.pairs[:, 0], pairs.pairs[:, 1]
            yield rivals(a_rows, b_rows, i, j, pairs.one_table, tell)


def _distinct(texts: list[str], rows: Any) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct texts of some records, and which of them each record has."""
    code: dict[str, int] = {}
    index = [code.setdefault(texts[k], len(code)) for k in rows.tolist()]
    return list(code), np.array(index, dtype=np.int64)


__all__ = ["PairFeatures"]
