"""Parsers of untagged text: a tagger before a parser that was trained on its tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from pystruct_ext._core.features import Template
from pystruct_ext.estimators._whole import all_or_nothing
from pystruct_ext.estimators._word_columns import N_COLUMNS, WordColumns
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.estimators.dependency import DependencySVM
from pystruct_ext.estimators.sequence import SequenceSVM
from pystruct_ext.outputs.sentences import Sentence, as_sentence
from pystruct_ext.outputs.tokens import splits_hyphens, tokenize
from pystruct_ext.persistence import save as save_model
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.examples import OutputList, as_examples
from pystruct_ext.utils.fitted import Fitted
from pystruct_ext.utils.messages import shorten
from pystruct_ext.utils.progress import report_progress

if TYPE_CHECKING:
    from typing_extensions import Self

TOKENIZERS = ("simple", "whitespace")
#: What columns of tags hold where there are none.
NO_TAG = "_"
# Sentences in a row that are left out together: texts go on from one to the next.
_RUN = 20


def _offers(name: str) -> Callable[[Any], bool]:
    """Whether the parser has a method."""

    def check(self: Any) -> bool:
        return hasattr(getattr(self, "parser_", self._parser()), name)

    return check


@storable(kind="model", leave_out=("clusters", "folds_"))
class TaggedParser(BaseEstimator):
    """A parser of untagged text: a tagger, and a parser trained on the tags it predicts.

    The tagger is jackknifed: the sentences of each of `n_folds` parts are tagged by one that
    was trained on the others, so that the parser is trained on tags as wrong as those it will
    see. Then the tagger is trained on all sentences.

    Parameters
    ----------
    parser : DependencySVM or ConstituencySVM, optional
        None: ``DependencySVM()``. Cloned, never changed.
    tagger : SequenceSVM, optional
        None: ``SequenceSVM(random_state=0)``. Cloned. Without a `template` of its own it gets
        the built-in one; see the notes for the columns that a template can name.
    n_folds : int, default=5
        Parts of the jackknife; 0 trains the parser on the tags of X as they are.
    tokenizer : {"simple", "whitespace"}, default="simple"
        How plain strings become words: by `pystruct_ext.outputs.tokenize`, or at white space.
        Words that are given as lists stay as they are.
    clusters : mapping of str to str, optional
        Bits of a hierarchical clustering for each word, as
        `pystruct_ext.io.read_clusters` reads them; more features of the tagger. Saved as
        `clusters_`.
    n_jobs : int or None, default=None
        Threads of both; None leaves them what they have.
    verbose : int, default=0
        Above 0, of both.

    Attributes
    ----------
    tagger_ : SequenceSVM
        Of the tags (UPOS), trained on all sentences.
    fine_tagger_ : SequenceSVM or None
        Of the fine tags (XPOS), where the parser uses them and all sentences have them.
    parser_ : DependencySVM or ConstituencySVM
    tag_accuracy_, fine_tag_accuracy_ : float or None
        Share of the words whose jackknifed tag is that of X: how good tags of other sentences
        will be. None without jackknife, or without fine tags.
    split_hyphens_ : bool
        Whether the words of X are split at hyphens, which the simple tokeniser follows.
    folds_ : (n,) ndarray of int
        The part that each training sentence was left out with. Not saved.
    clusters_ : dict
    coef_, space_, relative_gap_, certificate_, status_, history_ and others
        Those of `parser_`; the tagger has its own.

    Notes
    -----
    X of `fit` is a list of `Sentence` with tags, or pairs (forms, tags); lemmas are not used,
    since text has none. X of the other methods is a list of strings, one sentence each, of
    lists of words, or of sentences, whose tags are not looked at.

    Which tags: a parser reads `Sentence.tags`, and a `DependencySVM` with ``fine_tags=True``
    also `Sentence.fine_tags`. Both are predicted, by two taggers that do not know of each
    other: on the English Web Treebank this is as accurate as one tagger of pairs.

    Parts are runs of 20 sentences dealt out in turn (shorter runs of small data).

    Columns for templates of the tagger, in the language of CRF++: 0 the word, 1 in lower case;
    2 .. 5 its first one to four letters, 6 .. 9 its last in lower case, where it is longer; 10
    its shape ("Xx", "d,d"), 11 which kinds of characters it has; with `clusters` 12 the bits
    of its cluster, 13 and 14 the first six and four of them.

    References
    ----------
    Collins and Koo 2005 (jackknifed tags); Koo, Carreras and Collins 2008 (clusters).

    Examples
    --------
    >>> from pystruct_ext import DependencySVM, TaggedParser
    >>> from pystruct_ext.datasets import make_treebank
    >>> bank = make_treebank(60)
    >>> parser = TaggedParser(DependencySVM(C=0.1, bits=12, label_bits=8), n_folds=3)
    >>> parser = parser.fit(bank.sentences, bank.dependencies)
    >>> text = " ".join(bank.sentences[0].forms)
    >>> parser.predict([text])[0] == bank.dependencies[0]
    True
    """

    tagger_: SequenceSVM
    fine_tagger_: SequenceSVM | None
    parser_: Any

    def __init__(
        self,
        parser: Any = None,
        tagger: SequenceSVM | None = None,
        *,
        n_folds: int = 5,
        tokenizer: str = "simple",
        clusters: Mapping[str, str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.parser = parser
        self.tagger = tagger
        self.n_folds = n_folds
        self.tokenizer = tokenizer
        self.clusters = clusters
        self.n_jobs = n_jobs
        self.verbose = verbose

    # Training.

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Train on tagged sentences X with trees y.

        Parameters
        ----------
        X : list of n Sentence, with tags
        y : list of n trees
        sample_weight : (n,) array-like, optional
            Weight of each sentence, for tagger and parser.
        **fit_params
            What else the ``fit`` of the parser takes.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the argument, the example, what was seen and what was expected.
        KeyboardInterrupt
            If training is interrupted before the parser's turn; later the parser is the best
            so far.
        """
        self._check()
        sentences = _tagged_sentences(X)
        y = as_examples(y, "y")
        if len(y) != len(sentences):
            raise ValueError(
                f"X and y must have the same number of examples, got {len(sentences)} and "
                f"{len(y)}"
            )
        parser = self._parser()
        fine = bool(getattr(parser, "fine_tags", False))
        fine = fine and all(_has_tags(s.fine_tags) for s in sentences)
        # One value says nothing, and is no task for a tagger.
        fine = fine and len({t for s in sentences for t in s.fine_tags}) > 1
        if len({t for s in sentences for t in s.tags}) < 2:
            raise ValueError(
                f"X: all words have the tag {sentences[0].tags[0]!r}, expected at least 2 tags"
            )
        self.clusters_ = dict(self.clusters or {})
        self._columns = WordColumns(self.clusters_)
        self.folds_ = self._dealt(len(sentences))
        self.split_hyphens_ = splits_hyphens([s.forms for s in sentences])
        weight = None if sample_weight is None else np.asarray(sample_weight)
        n_taggers = (1 + fine) * (self.n_folds + 1)
        self.tag_accuracy_ = self.fine_tag_accuracy_ = self.fine_tagger_ = None
        columns = []
        for k, name in enumerate(("tags", "fine_tags")[: 1 + fine]):
            gold = [getattr(s, name) for s in sentences]
            steps = (k * (self.n_folds + 1), n_taggers)
            found, accuracy = self._jackknifed(sentences, gold, weight, steps)
            columns.append(found)
            tagger = self._trained(sentences, gold, weight)
            report_progress(steps[0] + self.n_folds + 1, n_taggers)
            if name == "tags":
                self.tagger_, self.tag_accuracy_ = tagger, accuracy
            else:
                self.fine_tagger_, self.fine_tag_accuracy_ = tagger, accuracy
        blank: list[tuple[str, ...]] = [()] * len(sentences)
        seen = [
            Sentence(s.forms, tags, more)
            for s, tags, more in zip(
                sentences, columns[0], columns[1] if fine else blank, strict=True
            )
        ]
        if weight is not None:
            fit_params["sample_weight"] = weight
        self.parser_ = parser.fit(seen, y, **fit_params)
        return self

    def _parser(self) -> Any:
        parser = DependencySVM() if self.parser is None else clone(self.parser)
        return self._with_settings(parser)

    def _with_settings(self, part: Any) -> Any:
        if self.n_jobs is not None:
            part.set_params(n_jobs=self.n_jobs)
        if self.verbose:
            part.set_params(verbose=self.verbose)
        return part

    def _check(self) -> None:
        if self.parser is not None and not isinstance(self.parser, BaseStructuralSVM):
            raise TypeError(
                "parser must be a DependencySVM or a ConstituencySVM, got "
                f"{type(self.parser).__name__}"
            )
        if self.tagger is not None and not isinstance(self.tagger, SequenceSVM):
            raise TypeError(
                f"tagger must be a SequenceSVM, got {type(self.tagger).__name__}"
            )
        n = self.n_folds
        if not isinstance(n, Integral) or isinstance(n, bool) or n < 0 or n == 1:
            raise ValueError(f"n_folds must be 0 or an integer >= 2, got {n!r}")
        if self.tokenizer not in TOKENIZERS:
            raise ValueError(
                f"tokenizer must be one of {', '.join(TOKENIZERS)}, got {self.tokenizer!r}"
            )
        if self.clusters is not None:
            if not isinstance(self.clusters, Mapping):
                raise TypeError(
                    "clusters must map words to bits, as pystruct_ext.io.read_clusters "
                    f"gives them, got {type(self.clusters).__name__}"
                )
            for word, bits in self.clusters.items():
                if not isinstance(word, str) or not isinstance(bits, str):
                    raise TypeError(
                        f"clusters must map strings to strings, got {word!r}: {bits!r}"
                    )

    def _dealt(self, n: int) -> NDArray[np.int64]:
        """The part of each sentence."""
        k = self.n_folds
        if not k:
            return np.zeros(n, dtype=np.int64)
        if n < k:
            raise ValueError(
                f"n_folds={k} needs as many sentences at least, got {n} of them"
            )
        run = max(1, min(_RUN, n // (4 * k)))
        return np.arange(n, dtype=np.int64) // run % k

    def _jackknifed(
        self,
        sentences: Sequence[Sentence],
        gold: Sequence[tuple[str, ...]],
        weight: NDArray[Any] | None,
        steps: tuple[int, int],
    ) -> tuple[list[tuple[str, ...]], float | None]:
        """Tags of every sentence by a tagger that has not seen it, and their accuracy."""
        if not self.n_folds:
            return list(gold), None
        found: list[tuple[str, ...]] = list(gold)
        for k in range(self.n_folds):
            report_progress(steps[0] + k, steps[1])
            out = np.flatnonzero(self.folds_ == k).tolist()
            kept = np.flatnonzero(self.folds_ != k).tolist()
            tagger = self._trained(
                [sentences[i] for i in kept],
                [gold[i] for i in kept],
                None if weight is None else weight[kept],
            )
            tags = self._tags_by(tagger, [sentences[i].forms for i in out])
            for i, predicted in zip(out, tags, strict=True):
                found[i] = predicted
        right = sum(
            a == b
            for p, q in zip(found, gold, strict=True)
            for a, b in zip(p, q, strict=True)
        )
        return found, right / sum(map(len, gold))

    def _trained(
        self,
        sentences: Sequence[Sentence],
        gold: Sequence[tuple[str, ...]],
        weight: NDArray[Any] | None,
    ) -> SequenceSVM:
        """A tagger of sentences with their tags."""
        tagger = SequenceSVM(random_state=0)
        if self.tagger is not None:
            tagger = clone(self.tagger)
        if tagger.template is None:
            tagger.set_params(template=self._columns.template)
        self._with_settings(tagger)
        table = self._columns.table([s.forms for s in sentences])
        tagger.fit(table, [list(tags) for tags in gold], sample_weight=weight)
        if "interrupted" in (tagger.status_, tagger.solver_info_.get("ended_by")):
            raise KeyboardInterrupt("training was interrupted before the parser's turn")
        return tagger

    def _tags_by(
        self, tagger: SequenceSVM, words: Sequence[Sequence[str]]
    ) -> list[tuple[str, ...]]:
        """Predicted tags of sentences, of none for those of no words."""
        if "_columns" not in vars(self):  # not in model files
            self._columns = WordColumns(self.clusters_)
        some = [w for w in words if len(w)]
        found: Any = tagger.predict(self._columns.table(some)) if some else []
        tags = iter(found)
        return [tuple(next(tags)) if len(w) else () for w in words]

    # Prediction.

    def words(self, X: Any) -> list[tuple[str, ...]]:
        """The words of sentences, strings cut by the tokeniser.

        Parameters
        ----------
        X : list of n str, lists of words, or Sentence
        """
        split = bool(getattr(self, "split_hyphens_", True))
        return [
            _words_of(x, f"X: example {i}", self.tokenizer, split)
            for i, x in enumerate(_listed(X))
        ]

    def tag(self, X: Any) -> list[Sentence]:
        """Sentences with predicted tags, as the parser gets them.

        Parameters
        ----------
        X : list of n str, lists of words, or Sentence
            See the notes of the class.

        Returns
        -------
        list of n Sentence
            With fine tags where there is a `fine_tagger_`.
        """
        check_is_fitted(self)
        words = self.words(X)
        parts = [self.tagger_, self.fine_tagger_]
        columns: list[list[tuple[str, ...]]] = []
        for tagger in parts:
            if tagger is None:
                columns.append([()] * len(words))
                continue
            columns.append(self._tags_by(self._with_settings(tagger), words))
        return [
            Sentence(forms, tags, fine)
            for forms, tags, fine in zip(words, *columns, strict=True)
        ]

    def predict_tags(self, X: Any) -> list[list[str]]:
        """Tags of the words of sentences; see `tag` for fine tags and the words.

        Parameters
        ----------
        X : list of n str, lists of words, or Sentence

        Returns
        -------
        list of n lists of str
        """
        return OutputList([list(s.tags) for s in self.tag(X)])

    def predict(self, X: Any, tagged: bool = False) -> Any:
        """Trees of sentences.

        Parameters
        ----------
        X : list of n str, lists of words, or Sentence
            See the notes of the class.
        tagged : bool, default=False
            X is what `tag` returned: tags are taken from it.

        Returns
        -------
        list of n trees
            Constituency trees hold the words and their tags; words of dependency trees are
            those of `words` or `tag`.
        """
        return self._fitted().predict(X if tagged else self.tag(X))

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The parser's score on sentences with predicted tags; larger is better."""
        return float(
            self._fitted().score(self.tag(X), as_examples(y, "y"), sample_weight)
        )

    @available_if(_offers("predict_k_best"))  # type: ignore[untyped-decorator]
    def predict_k_best(self, X: Any, k: int) -> Any:
        """The k best trees of every sentence under its best tags; see the parser's."""
        return self._fitted().predict_k_best(self.tag(X), k)

    @available_if(_offers("predict_marginals"))  # type: ignore[untyped-decorator]
    def predict_marginals(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        """Probabilities of parts under the best tags; see the parser's."""
        return self._fitted().predict_marginals(self.tag(X), *args, **kwargs)

    @available_if(_offers("calibrate"))  # type: ignore[untyped-decorator]
    def calibrate(self, X: Any, y: Any, *args: Any, **kwargs: Any) -> Self:
        """Find the temperature of the parser's probabilities; see its ``calibrate``."""
        self._fitted().calibrate(self.tag(X), y, *args, **kwargs)
        return self

    def _fitted(self) -> Any:
        check_is_fitted(self)
        if self.n_jobs is not None:
            self.parser_.set_params(n_jobs=self.n_jobs)
        return self.parser_

    # The fitted model.

    def __sklearn_is_fitted__(self) -> bool:
        return "parser_" in vars(self)

    def __getattr__(self, name: str) -> Any:
        # Fitted attributes that are not its own are the parser's.
        if name.endswith("_") and not name.startswith("_"):
            if "parser_" not in vars(self):
                raise NotFittedError(
                    "this TaggedParser is not fitted yet; call fit first"
                )
            return getattr(self.parser_, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        """Without what is kept of words for speed."""
        state = dict(super().__getstate__())
        state.pop("_columns", None)
        return state

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes fit together; called after loading."""
        self._check()
        if "parser_" not in vars(self):
            raise ValueError(
                "TaggedParser.parser_ is missing, expected a fitted parser"
            )
        fitted = Fitted(self)
        parser = fitted.instance("parser_", BaseStructuralSVM)
        fitted.boolean("split_hyphens_")
        clusters = fitted.instance("clusters_", dict)
        for word, bits in clusters.items():
            if not isinstance(word, str) or not isinstance(bits, str):
                raise ValueError("TaggedParser.clusters_ must map strings to strings")
        taggers = [fitted.instance("tagger_", SequenceSVM)]
        if vars(self).get("fine_tagger_") is not None:
            taggers.append(fitted.instance("fine_tagger_", SequenceSVM))
        for name in ("tag_accuracy_", "fine_tag_accuracy_"):
            if vars(self).get(name) is not None:
                fitted.number(name, 0.0, 1.0)
        for part in (parser, *taggers):
            if not hasattr(part, "_w"):
                raise ValueError(
                    f"TaggedParser holds a {type(part).__name__} that is not fitted"
                )
        width = N_COLUMNS[bool(clusters)]
        for tagger in taggers:
            text = tagger.space_.encoder_.template
            if text is None or Template(text).max_column >= width:
                raise ValueError(
                    f"TaggedParser holds a tagger whose template is none of {width} columns"
                )

    def save(self, path: Any) -> None:
        """Write tagger and parser to one file; see `pystruct_ext.load`.

        Parameters
        ----------
        path : path-like
            The file is written beside it under a temporary name, then renamed.
        """
        save_model(self, path)

    def __sklearn_tags__(self) -> Any:
        return self._parser().__sklearn_tags__()


def _listed(X: Any) -> Sequence[Any]:
    if isinstance(X, (str, bytes)) or not hasattr(X, "__getitem__"):
        raise TypeError(
            "X must be a list of sentences (strings, lists of words, or Sentence), got "
            f"{type(X).__name__}"
        )
    if isinstance(X, Sentence):
        raise TypeError("X must be a list of sentences, got a single Sentence")
    found: Sequence[Any] = as_examples(X)
    return found


def _has_tags(tags: Sequence[str]) -> bool:
    return len(tags) > 0 and any(tag != NO_TAG for tag in tags)


def _tagged_sentences(X: Any) -> list[Sentence]:
    """Sentences with tags to learn from."""
    listed = _listed(X)
    if not len(listed):
        raise ValueError("X holds no examples, expected at least 1")
    found = []
    for i, x in enumerate(listed):
        where = f"X: example {i}"
        bare = isinstance(x, str) or (isinstance(x, Sentence) and not len(x.tags))
        if bare or (isinstance(x, list) and x and isinstance(x[0], str)):
            raise ValueError(
                f"{where} has no tags, expected a Sentence with tags to train the tagger on"
            )
        sentence = as_sentence(x, where)
        if not _has_tags(sentence.tags):
            raise ValueError(
                f"{where} has no tags but {NO_TAG!r}, expected tags to train the tagger on"
            )
        found.append(sentence)
    return found


def _words_of(
    x: Any, where: str, tokenizer: str, split_hyphens: bool
) -> tuple[str, ...]:
    """Words of a sentence in any of its forms."""
    if isinstance(x, str):
        made = x.split() if tokenizer == "whitespace" else tokenize(x, split_hyphens)
        return tuple(made)
    if isinstance(x, Sentence):
        words: Any = x.forms
    elif isinstance(x, (list, tuple)) and not all(isinstance(w, str) for w in x):
        words = as_sentence(x, where).forms
    elif isinstance(x, (list, tuple)):
        words = x
    elif hasattr(x, "tolist"):
        words = x.tolist()
    else:
        raise TypeError(
            f"{where} must be a string, a list of words or a Sentence, got "
            f"{type(x).__name__}"
        )
    for t, word in enumerate(words):
        if not isinstance(word, str):
            raise TypeError(
                f"{where}: word {t + 1} is {shorten(repr(word))} of type "
                f"{type(word).__name__}, expected a str"
            )
        if not word.strip():
            raise ValueError(f"{where}: word {t + 1} is empty, expected text")
    return tuple(words)


__all__ = ["TaggedParser"]
