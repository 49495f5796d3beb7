"""From sentence pairs to `MatchingProblem`: candidate links and their features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.outputs.matchings import MatchingProblem
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted
from pystruct_ext.word_alignment._bends import Bends
from pystruct_ext.word_alignment._columns import (
    Columns,
    Spelling,
    add_counts,
    add_dice,
    add_lexicon,
    add_link_scores,
    add_positions,
    add_posteriors,
    add_surroundings,
)
from pystruct_ext.word_alignment._cooccurrence import Cooccurrence
from pystruct_ext.word_alignment._corpus import (
    Corpus,
    checked_links,
    checked_pairs,
    index_of,
    vocabulary,
)
from pystruct_ext.word_alignment._grid import Grid
from pystruct_ext.word_alignment._lexicon import Keys, Lexicon
from pystruct_ext.word_alignment.aligner import MODELS, WordAligner

_Pairs = list[tuple[list[str], list[str]]]
_Reals = NDArray[np.float64]
_Singles = NDArray[np.float32]
_FOLDS = 5
_CHUNK = 20_000


class _Described(NamedTuple):
    """Candidates of some sentence pairs and their features, not standardised."""

    grid: Grid
    kept: NDArray[np.int64]
    names: list[str]
    values: _Singles


@storable(kind="model")
class AlignmentFeatures(TransformerMixin, BaseEstimator):
    """Features of the links between the words of sentence pairs, for `MatchingSVM`.

    Two aligners are trained on the sentences, on whole words and on their first letters;
    candidates are those edges that they, co-occurrence, spelling and position make likely.
    With links, rates of links by the two words are added, and a second look: a logistic
    regression scores the candidates, and its scores of a candidate's rivals and neighbours
    become features. Of a sentence that was fitted on, `fit_transform` gives what would be
    known of it were its links hidden (its own links are left out of the rates, and it is
    scored by a regression that was not trained on it), as `transform` does of a new one.

    Parameters
    ----------
    prefixes : tuple of int or None, default=(None, 4)
        One aligner each, on as many first letters of the words; None is all.
    lexicon : bool, default=True
        Rates of links by words, first letters and endings, where links are given to `fit`.
    second_look : bool, default=True
        Scores of a first model around each candidate, where links are given to `fit`.
    candidates : int or None, default=6
        Edges kept per row and per column; None is all of them.
    bends : int, default=0
        Pieces into which the range of each real-valued feature is cut, each with a slope of
        its own, so that a linear model can bend; 0 is none.
    aligner : WordAligner, optional
        Parameters of the aligners, but for ``prefix``.
    lowercase : bool, default=True

    Attributes
    ----------
    aligners_ : list of WordAligner
    cooccurrence_ : list of Cooccurrence
    lexicons_ : list of Lexicon
    names_ : list of str
    mean_, scale_ : (d,) float64 ndarrays
    first_coef_ : (columns + 1,) float64 ndarray
        Weights of the first model and its intercept; empty without a second look.
    recall_ : float
        Share of the links given to `fit` that are candidates; NaN without.

    Examples
    --------
    >>> X = [("a house".split(), "ein haus".split()), ("a dog".split(), "ein hund".split())]
    >>> problems = AlignmentFeatures().fit_transform(X)
    >>> problems[0].shape, len(problems[0].pairs)
    ((2, 2), 4)
    """

    def __init__(
        self,
        prefixes: tuple[int | None, ...] = (None, 4),
        *,
        lexicon: bool = True,
        second_look: bool = True,
        candidates: int | None = 6,
        bends: int = 0,
        aligner: WordAligner | None = None,
        lowercase: bool = True,
    ) -> None:
        self.prefixes = prefixes
        self.lexicon = lexicon
        self.second_look = second_look
        self.candidates = candidates
        self.bends = bends
        self.aligner = aligner
        self.lowercase = lowercase

    def _check_parameters(self) -> None:
        if not isinstance(self.prefixes, (tuple, list)) or not self.prefixes:
            raise ValueError(
                f"prefixes must be a tuple of numbers of letters, got {self.prefixes!r}"
            )
        for value in self.prefixes:
            if value is not None and not _whole(value, 1):
                raise ValueError(
                    f"prefixes must hold whole numbers from 1 or None, got {value!r}"
                )
        if len(set(self.prefixes)) != len(self.prefixes):
            raise ValueError(f"prefixes has one twice: {self.prefixes!r}")
        if self.candidates is not None and not _whole(self.candidates, 1):
            raise ValueError(
                f"candidates must be at least 1 or None, got {self.candidates!r}"
            )
        if not _whole(self.bends, 0) or self.bends == 1:
            raise ValueError(f"bends must be 0 or at least 2, got {self.bends!r}")
        if self.aligner is not None and not isinstance(self.aligner, WordAligner):
            raise TypeError(
                f"aligner must be a WordAligner, got a {type(self.aligner).__name__}"
            )

    def fit(
        self, X: Iterable[Any], y: Any = None, unlabelled: Iterable[Any] = ()
    ) -> AlignmentFeatures:
        """Train the aligners, count links, and learn the scales.

        Parameters
        ----------
        X : n pairs (source words, target words)
        y : n lists of (source position, target position), or of Links, optional
        unlabelled : pairs (source words, target words), optional
            Further text for the aligners: the sentences to align later are good for it.
        """
        self._fit(X, y, unlabelled)
        return self

    def fit_transform(
        self, X: Iterable[Any], y: Any = None, unlabelled: Iterable[Any] = ()
    ) -> list[MatchingProblem]:
        """`fit`, then features in which no sentence knows its own links."""
        pairs, described = self._fit(X, y, unlabelled)
        return self._problems(pairs, described)

    def transform(self, X: Iterable[Any]) -> list[MatchingProblem]:
        """Candidates and features of sentence pairs.

        Parameters
        ----------
        X : n pairs (source words, target words)

        Returns
        -------
        list of n MatchingProblem
            Float32 features, standardised.
        """
        check_is_fitted(self, "names_")
        pairs = checked_pairs(X, self.lowercase)
        if not pairs:
            return []
        described = self._describe(pairs, None)
        if len(self.first_coef_):
            described = self._look_again(described, self._first(described.values))
        return self._problems(pairs, described)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the features, in order."""
        check_is_fitted(self, "names_")
        return np.array(self._out_names(), dtype=object)

    def _out_names(self) -> list[str]:
        bent = self.bends_.names(self.names_) if self.bends else []
        return [*self.names_, *bent]

    def _fit(
        self, X: Iterable[Any], y: Any, unlabelled: Iterable[Any]
    ) -> tuple[_Pairs, _Described]:
        self._check_parameters()
        pairs = checked_pairs(X, self.lowercase)
        if not pairs:
            raise ValueError("X holds no sentence pairs")
        text = pairs + checked_pairs(unlabelled, self.lowercase, "unlabelled")
        links = None if y is None else checked_links(y, pairs)
        template = WordAligner() if self.aligner is None else self.aligner
        params = template.get_params(deep=False)
        params["lowercase"] = False  # done
        self.aligners_, self.cooccurrence_ = [], []
        for prefix in self.prefixes:
            params["prefix"] = prefix
            self.aligners_.append(WordAligner(**params).fit(text))
            self.cooccurrence_.append(Cooccurrence().fit(_cut(text, prefix)))
        self.lexicons_ = []
        self.recall_ = float("nan")
        linked = None
        if links is not None:
            grid = _grid_of(pairs)
            linked = _linked(grid, links)
            if self.lexicon:
                for key in _KEYS:
                    self.lexicons_.append(
                        Lexicon().fit(_keys(pairs, grid, key), linked)
                    )
        described = self._describe(pairs, linked)
        self.first_coef_ = np.zeros(0)
        if linked is not None:
            truth = linked[described.kept]
            self.recall_ = float(truth.sum() / max(linked.sum(), 1.0))
            if self.second_look and 0 < truth.sum() < len(truth):
                described = self._look_again(
                    described, self._fit_first(described, truth)
                )
        self.names_ = described.names
        values = described.values
        if self.bends:
            self.bends_ = Bends(self.bends).fit(values)
        self._scales(values)
        return pairs, described

    def _bent(self, values: _Singles) -> _Singles:
        if not self.bends:
            return values
        return np.hstack([values, self.bends_.transform(values)])

    def _scales(self, values: _Singles) -> None:
        """Means and deviations, some rows at a time: bends are many columns."""
        sums = np.zeros((2, self._bent(values[:1]).shape[1]))
        # About a first guess of the mean, or the second sum would be all rounding.
        guess = self._bent(values[:_CHUNK]).mean(axis=0, dtype=np.float64)
        for begin in range(0, len(values), _CHUNK):
            some = self._bent(values[begin : begin + _CHUNK]) - guess
            sums += some.sum(axis=0), (some**2).sum(axis=0)
        shift, square = sums / len(values)
        self.mean_ = guess + shift
        scale = np.sqrt(np.maximum(square - shift**2, 0.0))
        # What hardly varies in training says nothing, and would be blown up elsewhere.
        self.scale_ = np.where(scale > 1e-6, scale, 1.0)

    def _describe(self, pairs: _Pairs, linked: _Reals | None) -> _Described:
        """Candidates and columns; linked: the links of these very sentences, to leave out."""
        grid = _grid_of(pairs)
        spelling = Spelling(
            [w for s, _ in pairs for w in s], [w for _, t in pairs for w in t], grid
        )
        posteriors = [
            {m: a.posteriors(pairs, m).flat for m in _trained(a)}
            for a in self.aligners_
        ]
        dice = [
            c.dice(_cut(pairs, p), grid)
            for c, p in zip(self.cooccurrence_, self.prefixes, strict=True)
        ]
        rates = [
            lexicon.features(_keys(pairs, grid, key), linked)
            for lexicon, key in zip(self.lexicons_, _KEYS, strict=False)
        ]
        last = [np.sqrt(p[_last(p)][0] * p[_last(p)][1]) for p in posteriors]
        if self.candidates is None:
            kept = np.arange(len(grid))
        else:
            likely = _likely(grid, last, dice, spelling, rates)
            row, column = grid.ranks(likely)
            kept = np.flatnonzero(np.minimum(row, column) < self.candidates)
        columns = Columns(kept)
        add_positions(columns, grid)
        for k, prefix in enumerate(self.prefixes):
            name = "word" if prefix is None else f"{prefix} letters"
            for model, (forward, backward) in posteriors[k].items():
                add_posteriors(columns, grid, f"{name} {model}", forward, backward)
            add_surroundings(columns, grid, f"{name} {_last(posteriors[k])}", last[k])
            add_dice(columns, grid, name, dice[k])
            counts = self.cooccurrence_[k].counts(_cut(pairs, prefix))
            add_counts(columns, grid, name, counts)
        spelling.add(columns, grid)
        for key, values in zip(_KEYS, rates, strict=False):
            add_lexicon(columns, key, values)
        return _Described(grid, kept, columns.names, columns.matrix())

    def _fit_first(self, described: _Described, truth: _Reals) -> _Reals:
        """Scores of every candidate by a regression that has not seen its sentence."""
        values = described.values
        sentence = described.grid.sentence[described.kept]
        scores = np.empty(len(truth))
        self.first_coef_ = _regression(values, truth)
        folds = np.arange(int(sentence.max()) + 1) % _FOLDS
        for k in range(_FOLDS):
            out = folds[sentence] == k
            if not out.any():
                continue
            inside = truth[~out]
            some = 0 < inside.sum() < len(inside)
            coef = _regression(values[~out], inside) if some else self.first_coef_
            scores[out] = values[out] @ coef[:-1] + coef[-1]
        return scores

    def _first(self, values: _Singles) -> _Reals:
        coef = self.first_coef_
        scores: _Reals = values.astype(np.float64) @ coef[:-1] + coef[-1]
        return scores

    def _look_again(self, described: _Described, scores: _Reals) -> _Described:
        grid, kept = described.grid, described.kept
        columns = Columns(kept)
        add_link_scores(columns, grid, scores)
        return described._replace(
            names=described.names + columns.names,
            values=np.hstack([described.values, columns.matrix()]),
        )

    def _problems(self, pairs: _Pairs, described: _Described) -> list[MatchingProblem]:
        grid, kept = described.grid, described.kept

        def standardised(values: _Singles) -> _Singles:
            found = (self._bent(values) - self.mean_) / self.scale_
            out: _Singles = np.clip(found, -_LARGEST, _LARGEST).astype(np.float32)
            return out

        values = described.values
        ends = np.searchsorted(kept, grid.corpus.offsets)
        places = np.stack([grid.i[kept], grid.j[kept]], axis=1)
        return [
            MatchingProblem(
                standardised(values[a:b]),
                shape=(len(source), len(target)),
                pairs=places[a:b],
                row_names=source,
                column_names=target,
            )
            for a, b, (source, target) in zip(ends[:-1], ends[1:], pairs, strict=True)
        ]

    def check_loaded(self) -> None:
        """Raise unless the attributes are what fitting makes."""
        self._check_parameters()
        fitted = Fitted(self)
        for name in ("lexicon", "second_look", "lowercase"):
            fitted.boolean(name)
        if not hasattr(self, "names_"):
            return
        for name, kind, counts in (
            ("aligners_", WordAligner, (len(self.prefixes),)),
            ("cooccurrence_", Cooccurrence, (len(self.prefixes),)),
            ("lexicons_", Lexicon, (0, len(_KEYS))),
        ):
            value = fitted.instance(name, list)
            if len(value) not in counts or not all(isinstance(v, kind) for v in value):
                raise ValueError(f"AlignmentFeatures.{name} is not what fitting makes")
        for a, p in zip(self.aligners_, self.prefixes, strict=True):
            if a.prefix != p or not hasattr(a, "pairs_"):
                raise ValueError("AlignmentFeatures.aligners_ do not fit prefixes")
        fitted.labels("names_", 1, str)
        # Columns follow from parameters: those of one small sentence pair are counted.
        found = self._describe([(["a"], ["a"])], None)
        names = found.names
        fitted.array("first_coef_", (None,), "float64")
        if len(self.first_coef_):
            if len(self.first_coef_) != len(names) + 1:
                raise ValueError(
                    "AlignmentFeatures.first_coef_ does not fit the columns"
                )
            names = self._look_again(found, self._first(found.values)).names
        if names != self.names_:
            raise ValueError("AlignmentFeatures.names_ does not fit the parameters")
        d = len(names)
        if self.bends:
            d += self.bends_.check(len(names))
        fitted.array("mean_", (d,), "float64")
        fitted.array("scale_", (d,), "float64", low=1e-300)


# Standardised values beyond are cut: no sentence should overrule the others.
_LARGEST = 12.0
_KEYS = ("word", "first letters", "ending")


def _key(word: str, key: str) -> str:
    if key == "first letters":
        return word[:4]
    if key == "ending":
        return word[-3:] if len(word) > 5 else "=" + word
    return word


def _keys(pairs: _Pairs, grid: Grid, key: str) -> Keys:
    return Keys(
        [_key(w, key) for s, _ in pairs for w in s],
        [_key(w, key) for _, t in pairs for w in t],
        grid.at_source,
        grid.at_target,
        grid.sentence,
    )


def _whole(value: Any, low: int) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and value >= low


def _cut(pairs: _Pairs, prefix: int | None) -> _Pairs:
    if prefix is None:
        return pairs
    return [([w[:prefix] for w in s], [w[:prefix] for w in t]) for s, t in pairs]


def _grid_of(pairs: _Pairs) -> Grid:
    words = [vocabulary(w for pair in pairs for w in pair[side]) for side in (0, 1)]
    return Grid(Corpus.of(pairs, index_of(words[0]), index_of(words[1])))


def _linked(grid: Grid, links: Sequence[NDArray[np.int64]]) -> _Reals:
    out = np.zeros(len(grid))
    corpus = grid.corpus
    for k, y in enumerate(links):
        out[corpus.offsets[k] + y[:, 0] * corpus.columns[k] + y[:, 1]] = 1.0
    return out


def _trained(aligner: WordAligner) -> tuple[str, ...]:
    return MODELS[: MODELS.index(aligner.model) + 1]


def _last(posteriors: dict[str, Any]) -> str:
    return next(m for m in reversed(MODELS) if m in posteriors)


def _likely(
    grid: Grid,
    posteriors: Sequence[_Reals],
    dice: Sequence[_Reals],
    spelling: Spelling,
    rates: Sequence[_Reals],
) -> _Reals:
    """A rough score, by which candidates are chosen."""
    out = -0.5 * np.abs((grid.i + 0.5) / grid.n - (grid.j + 0.5) / grid.m)
    for p, d in zip(posteriors, dice, strict=True):
        out += p + 0.5 * d
    around = posteriors[-1]
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            if di or dj:
                out += 0.3 * grid.shifted(around, di, dj)
    lcs = spelling.lcs
    out += 0.3 * np.where(lcs > 0.5, lcs, 0.0)
    for values in rates[:2]:
        out += 0.03 * values[:, 0]
    return out


def _regression(values: _Singles, truth: _Reals) -> _Reals:
    """Weights of the plain values and the intercept, fitted on standardised ones."""
    mean = values.mean(axis=0, dtype=np.float64)
    scale = values.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 1e-6, scale, 1.0)
    model = LogisticRegression(C=0.1, tol=1e-3, max_iter=200)
    model.fit((values - mean.astype(np.float32)) / scale.astype(np.float32), truth)
    coef = model.coef_[0].astype(np.float64) / scale
    return np.append(coef, model.intercept_[0] - mean @ coef)


__all__ = ["AlignmentFeatures"]
