"""Dependency trees: every word has a head, one word is the root."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.outputs.sentences import (
    DependencyTree,
    as_sentence,
    as_tree,
    check_heads,
    is_projective,
)
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._kernels import dependency as _dependency
from pystruct_ext.spaces._labels import UnseenLabelError, padded
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.utils.callers import user_stacklevel
from pystruct_ext.utils.fitted import INT32_MAX, Fitted
from pystruct_ext.utils.renamed import renamed_parameters

# Tags are told apart between head and modifier as bits of a 64-bit set; the last is "other".
_TAG_BITS = 64
_BEGIN, _ROOT, _END = "\0begin", "\0root", "\0end"


@dataclass
class PackedTrees:
    """Sentences, or features of arcs, and their trees as arrays.

    Attributes
    ----------
    offsets : (n + 1,) int64
        First word of each sentence.
    tokens : (n_words + 3 n, 4) uint32 or None
        Hashes of form, lemma, tag and fine tag; begin, root, words and end of each sentence.
    tag_index : (n_words + 3 n,) uint8 or None
    rows : PackedRows or None
        Features of arcs the user gave, row ``h * length + m - 1`` for h -> m.
    heads, labels, codes : int32 arrays or None
        Truth, by word; and as codes.
    word_weight : (n_words,) or None
        Weight of each word in the loss.
    n_lifted : int
        Non-projective trees that were made projective.
    """

    offsets: NDArray[np.int64]
    tokens: NDArray[np.uint32] | None = None
    tag_index: NDArray[np.uint8] | None = None
    rows: PackedRows | None = None
    heads: NDArray[np.int32] | None = None
    labels: NDArray[np.int32] | None = None
    codes: NDArray[np.int32] | None = None
    word_weight: NDArray[np.floating] | None = None
    n_lifted: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1


@storable(renamed={"label_loss": "task_loss"})
class DependencySpace(CompiledSpace):
    """Dependency trees scored by their arcs.

    ``<w, psi(x, y)> = sum_m arc(h_m, m) + label(h_m, m, l_m)``, with sibling factors
    optionally, and ``Delta(y, y_hat)`` the number of words with a wrong head, or a wrong
    head or label. Exactly one word hangs on the root.

    Parameters
    ----------
    labelled : bool, default=True
        Predict the relations, too.
    projective : bool, default=True
        True: no crossing arcs, Eisner's algorithm, O(n^3). False: any tree,
        Chu-Liu/Edmonds, O(n^2).
    siblings : bool, default=False
        Score neighbouring modifiers of one head together; projective trees of words only.
    task_loss : {"las", "uas"}, default="las"
        Whether a wrong label costs as much as a wrong head; "uas" without labels.
    ignore_labels : tuple of str, default=()
        Words whose true relation is one of these do not count in the loss ("punct").
    nonprojective : {"lift", "error"}, default="lift"
        What to do with true trees that have crossing arcs if `projective`: move arcs up
        to the head's head, shortest first (Nivre and Nilsson 2005), or refuse.
    lemmas, fine_tags : bool, default=True, True
        Features of lemmas and of fine tags, where all sentences of the fit have them.
        Sentences that lack them later are parsed without those features, with a warning:
        turn them off if the sentences to parse will have none.
    bits, label_bits : int or None, default=None
        Arc features are hashed to ``2 ** bits`` weights, label features to
        ``2 ** label_bits`` rows of weights over labels. None: 23 and 18 for rich features,
        22 and 16 for basic ones.
    max_length : int, default=400
        Longest sentence; tables need ``n^2 (K + 9) w`` bytes for n words, K labels and
        weights of w bytes, and ``2 n^3 w`` more with siblings, ``4 n^3 w`` with grandparents.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights.
    grandparents : bool, default=False
        Score a word, its head and the head of that together; projective trees of words only,
        O(n^4).
    features : {"rich", "basic"}, default="rich"
        Features of arcs and labels of sentences. "rich" has the words next to head and
        modifier, the set of tags between, counts of like words between, and more of siblings
        and grandparents; "basic" is the smaller set of before, faster.

    Attributes
    ----------
    labels_ : list of K str, sorted; empty if unlabelled
    tags_ : list of str
        Tags told apart between head and modifier.
    n_features_ : int
        Width of the user's arc features, 0 for sentences.
    rich_ : bool
        Whether the features are rich ones.
    size_psi_ : int

    Notes
    -----
    x is a `Sentence`, a pair (forms, tags), or features of arcs: an (n + 1, n, d) array,
    entry [h, m] for the arc from h (0 is the root) to word m + 1, or a sparse matrix with
    (n + 1) n rows in that order. y is a `DependencyTree`, heads, or (heads, labels).

    Code: heads, then labels. Ties are broken by the algorithm: the same weights give the
    same tree, not necessarily the one with the smallest code.

    References
    ----------
    McDonald, Crammer and Pereira 2005; Eisner 1996; Tarjan 1977; Koo and Collins 2010.

    Examples
    --------
    >>> space = DependencySpace(labelled=False, bits=10)
    >>> x, y = (["dogs", "bark"], ["NOUN", "VERB"]), [2, 0]
    >>> oracle = space.bind(space.fit_pack([x], [y]))
    >>> oracle.n_blocks, space.size_psi_
    (1, 1024)
    """

    _one_part_along: ClassVar[int | None] = 0

    @renamed_parameters(label_loss="task_loss")
    def __init__(
        self,
        labelled: bool = True,
        projective: bool = True,
        siblings: bool = False,
        task_loss: str = "las",
        ignore_labels: tuple[str, ...] = (),
        nonprojective: str = "lift",
        lemmas: bool = True,
        fine_tags: bool = True,
        bits: int | None = None,
        label_bits: int | None = None,
        max_length: int = 400,
        dtype: str = "float32",
        grandparents: bool = False,
        features: str = "rich",
    ) -> None:
        self.labelled = labelled
        self.projective = projective
        self.siblings = siblings
        self.task_loss = task_loss
        self.ignore_labels = ignore_labels
        self.nonprojective = nonprojective
        self.lemmas = lemmas
        self.fine_tags = fine_tags
        self.bits = bits
        self.label_bits = label_bits
        self.max_length = max_length
        self.dtype = dtype
        self.grandparents = grandparents
        self.features = features

    # Domain.

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> DependencySpace:
        """Learn labels, tags and sizes."""
        self.fit_pack(X, Y)
        return self

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any] | None) -> PackedTrees:
        """Learn labels, tags and sizes, and pack the examples."""
        self._check_parameters()
        if Y is None and self.labelled:
            raise ValueError("y is needed to learn the labels, got None")
        self.validate(X, Y)
        self.own_features_ = _is_features(X[0])
        for name in ("siblings", "grandparents"):
            if getattr(self, name) and (self.own_features_ or not self.projective):
                raise ValueError(
                    f"{name}=True needs projective=True and sentences, not features of arcs"
                )
        self.rich_ = self.features == "rich" and not self.own_features_
        self.n_features_ = int(X[0].shape[-1]) if self.own_features_ else 0
        self.tags_: list[str] = []
        self.lemmas_ = self.fine_tags_ = False
        if not self.own_features_:
            sentences = [as_sentence(x, f"X: example {i}") for i, x in enumerate(X)]
            counts: dict[str, int] = {}
            for sentence in sentences:
                for tag in sentence.tags:
                    counts[tag] = counts.get(tag, 0) + 1
            frequent = sorted(counts, key=lambda t: (-counts[t], t))
            self.tags_ = frequent[: _TAG_BITS - 1]
            self.lemmas_ = bool(self.lemmas) and all(s.lemmas for s in sentences)
            self.fine_tags_ = bool(self.fine_tags) and all(
                s.fine_tags for s in sentences
            )
            X = sentences
        self.labels_: list[str] = []
        if self.labelled and Y is not None:
            trees = [
                as_tree(y, _length(x), True, f"y: example {i}")
                for i, (x, y) in enumerate(zip(X, Y, strict=True))
            ]
            self.labels_ = sorted({label for tree in trees for label in tree.labels})
            Y = trees
        self.stride_ = padded(len(self.labels_))
        if self.own_features_:
            self.n_arc_ = self.n_label_rows_ = self.n_features_
        else:
            bits, label_bits = self._table_bits()
            self.n_arc_, self.n_label_rows_ = 1 << bits, 1 << label_bits
        if not self.labelled:
            self.n_label_rows_ = 0
        self.size_psi_ = self.n_arc_ + self.n_label_rows_ * self.stride_
        return self.pack(X, Y)

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Raise ValueError if there are no examples, or not as many trees."""
        if isinstance(X, (str, bytes)) or not hasattr(X, "__getitem__"):
            raise TypeError(
                f"X must be a list of sentences or of arc features, got {type(X).__name__}"
            )
        super().validate(X, Y)

    def _check_parameters(self) -> None:
        for name, allowed in (
            ("task_loss", ("las", "uas")),
            ("nonprojective", ("lift", "error")),
            ("features", ("rich", "basic")),
            ("dtype", ("float32", "float64")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got "
                    f"{getattr(self, name)!r}"
                )
        for name, low, high in (
            ("bits", 1, 30),
            ("label_bits", 1, 26),
            ("max_length", 1, 1 << 15),
        ):
            value = getattr(self, name)
            if value is None and name != "max_length":
                continue
            if not (isinstance(value, (int, np.integer)) and low <= value <= high):
                raise ValueError(
                    f"{name} must be an integer in {low} .. {high}, got {value!r}"
                )

    def _table_bits(self) -> tuple[int, int]:
        """Bits of the tables of arc and of label features."""
        default = (23, 18) if self.features == "rich" else (22, 16)
        bits = default[0] if self.bits is None else self.bits
        label_bits = default[1] if self.label_bits is None else self.label_bits
        return bits, label_bits

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        if hasattr(self, "size_psi_") and not hasattr(self, "rich_"):
            # Files of before rich features were the default.
            self.features, self.rich_ = "basic", False
        self._check_parameters()
        if not hasattr(self, "size_psi_"):
            return
        fitted = Fitted(self)
        k = fitted.labels("labels_", at_least=int(bool(self.labelled)), kind=str)
        fitted.labels("tags_", kind=str, at_most=_TAG_BITS - 1)
        fitted.boolean("lemmas_")
        fitted.boolean("fine_tags_")
        d = fitted.integer("n_features_", 0, INT32_MAX)
        stride = fitted.equal("stride_", padded(k))
        own = fitted.boolean("own_features_")
        for name in ("siblings", "grandparents"):
            if getattr(self, name) and (own or not self.projective):
                raise ValueError(
                    f"DependencySpace.{name} is True, expected False for features and "
                    "for trees that are not projective"
                )
        fitted.boolean("rich_")
        fitted.one_of("rich_", (self.features == "rich" and not own,))
        bits, label_bits = self._table_bits()
        arcs = fitted.equal("n_arc_", d if own else 1 << bits)
        rows = d if own else 1 << label_bits
        rows = fitted.equal("n_label_rows_", rows if self.labelled else 0)
        fitted.equal("size_psi_", arcs + rows * stride)

    def pack(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> PackedTrees:
        """Pack examples with what was learnt at fit."""
        self.validate(X, Y)
        if _is_features(X[0]) != self.own_features_:
            kinds = ("sentences", "features of arcs")
            raise ValueError(
                f"X holds {kinds[not self.own_features_]}, but the model was fitted on "
                f"{kinds[self.own_features_]}"
            )
        packed = (
            self._pack_features(X) if self.own_features_ else self._pack_sentences(X)
        )
        self._check_lengths(np.diff(packed.offsets))
        if Y is not None:
            self._pack_truth(packed, Y)
        return packed

    def _pack_sentences(self, X: Sequence[Any]) -> PackedTrees:
        sentences = [as_sentence(x, f"X: example {i}") for i, x in enumerate(X)]
        offsets = np.zeros(len(X) + 1, dtype=np.int64)
        np.cumsum([len(s.forms) for s in sentences], out=offsets[1:])
        for name, wanted in (("lemmas", self.lemmas_), ("fine_tags", self.fine_tags_)):
            without = [
                i for i, s in enumerate(sentences) if wanted and not getattr(s, name)
            ]
            if without:
                warnings.warn(
                    f"X: {len(without)} of {len(sentences)} sentences (first: example "
                    f"{without[0]}) have no {name.replace('_', ' ')}, which the model was "
                    f"fitted with: they are parsed without; fit with {name}=False for such "
                    "sentences",
                    UserWarning,
                    stacklevel=user_stacklevel(),
                )
        hashes: dict[str, int] = {}
        index = {tag: k for k, tag in enumerate(self.tags_)}

        def column(words: Sequence[str]) -> list[int]:
            out = []
            for word in (_BEGIN, _ROOT, *words, _END):
                code = hashes.get(word)
                if code is None:
                    code = hashes[word] = zlib.crc32(word.encode("utf-8", "replace"))
                out.append(code)
            return out

        columns: list[list[int]] = [[], [], [], []]
        tags: list[int] = []
        other = _TAG_BITS - 1
        for s in sentences:
            blank = ("",) * len(s.forms)
            columns[0] += column(s.forms)
            # A hash never seen at fit: its features have no weight.
            columns[1] += column((s.lemmas or blank) if self.lemmas_ else blank)
            columns[2] += column(s.tags)
            columns[3] += column((s.fine_tags or blank) if self.fine_tags_ else s.tags)
            tags += [other, other, *(index.get(t, other) for t in s.tags), other]
        tokens = np.ascontiguousarray(np.array(columns, dtype=np.uint32).T)
        return PackedTrees(offsets, tokens, np.array(tags, dtype=np.uint8))

    def _pack_features(self, X: Sequence[Any]) -> PackedTrees:
        lengths = [_length(x, i) for i, x in enumerate(X)]
        offsets = np.zeros(len(X) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        if hasattr(X[0], "indptr"):
            rows = PackedRows.from_csr(X, np.dtype(self.dtype))
        else:
            flat = [np.asarray(x).reshape(-1, np.shape(x)[-1]) for x in X]
            # The diagonal is never read; people mark it with NaN.
            for i, x in enumerate(flat):
                n = lengths[i]
                diagonal = np.arange(1, n + 1) * n + np.arange(n)
                if not np.all(np.isfinite(x[diagonal])):
                    flat[i] = x.copy()
                    flat[i][diagonal] = 0
            rows = PackedRows.from_dense(flat, np.dtype(self.dtype))
        if rows.n_features != self.n_features_:
            raise ValueError(
                f"X has {rows.n_features} features, but the model was fitted on "
                f"{self.n_features_}"
            )
        return PackedTrees(offsets, rows=rows)

    def _check_lengths(self, lengths: NDArray[np.int64]) -> None:
        i = int(np.argmax(lengths))
        n = int(lengths[i])
        if n <= self.max_length:
            return
        size = np.dtype(self.dtype).itemsize
        need = (n + 2) ** 2 * (self.stride_ + 9) * size
        need += (
            (2 * bool(self.siblings) + 4 * bool(self.grandparents))
            * (n + 2) ** 3
            * size
        )
        raise ValueError(
            f"X: example {i} has {n} words, more than max_length={self.max_length}; it "
            f"would need {need / 2**20:.0f} MiB of tables per thread"
        )

    def _pack_truth(self, packed: PackedTrees, Y: Sequence[Any]) -> None:
        offsets = packed.offsets
        index = {label: k for k, label in enumerate(self.labels_)}
        heads = np.zeros(int(offsets[-1]), dtype=np.int32)
        labels = np.zeros(int(offsets[-1]), dtype=np.int32) if self.labelled else None
        weight = (
            np.ones(int(offsets[-1]), dtype=np.dtype(self.dtype))
            if self.ignore_labels
            else None
        )
        for i, y in enumerate(Y):
            a, b = int(offsets[i]), int(offsets[i + 1])
            where = f"y: example {i}"
            tree = as_tree(y, b - a, self.labelled, where)
            true_heads = tree.heads
            if self.projective and not is_projective(true_heads):
                if self.nonprojective == "error":
                    raise ValueError(
                        f"{where} has crossing arcs; use projective=False, or "
                        "nonprojective='lift' to move them"
                    )
                true_heads = lifted(true_heads)
                packed.n_lifted += 1
            heads[a:b] = true_heads
            if labels is not None:
                for t, label in enumerate(tree.labels):
                    if label not in index:
                        raise UnseenLabelError(
                            f"{where} has the label {label!r}, which was not seen at fit"
                        )
                    labels[a + t] = index[label]
            if weight is not None:
                relations = tree.labels or getattr(y, "labels", ())
                for t, label in enumerate(relations):
                    if label in self.ignore_labels:
                        weight[a + t] = 0
        if packed.n_lifted:
            warnings.warn(
                f"y: {packed.n_lifted} of {len(Y)} trees have crossing arcs and were made "
                "projective by lifting arcs; projective=False keeps them as they are",
                UserWarning,
                stacklevel=user_stacklevel(),
            )
        packed.heads, packed.labels, packed.word_weight = heads, labels, weight
        if labels is None:
            packed.codes = heads
        else:
            codes = np.empty(2 * len(heads), dtype=np.int32)
            first = 2 * offsets[:-1]
            lengths = np.diff(offsets)
            at = np.repeat(first - offsets[:-1], lengths) + np.arange(len(heads))
            codes[at] = heads
            codes[at + np.repeat(lengths, lengths)] = labels
            packed.codes = codes

    # The way to the oracle.

    def bind(self, packed: PackedTrees) -> Oracle:
        """The oracle over packed sentences."""
        rows = packed.rows
        bits, label_bits = self._table_bits()
        row_offsets = None
        if rows is not None:
            lengths = np.diff(packed.offsets)
            row_offsets = np.concatenate([[0], np.cumsum(lengths * (lengths + 1))])
        return _dependency.DEPENDENCY.bind(
            {
                "offsets": packed.offsets,
                "heads": packed.heads,
                "labels": packed.labels,
                "codes": packed.codes,
                "word_weight": packed.word_weight,
                "n_labels": len(self.labels_),
                "stride": self.stride_,
                "label_counts": self.labelled and self.task_loss == "las",
                "projective": bool(self.projective),
                "siblings": bool(self.siblings),
                "grandparents": bool(self.grandparents),
                "rich": self.rich_,
                "n_arc": self.n_arc_,
                "n_features": self.n_arc_,
                "n_label_rows": self.n_label_rows_,
                "bits": bits,
                "label_bits": label_bits,
                "tokens": packed.tokens,
                "tag_index": packed.tag_index,
                "lemmas": self.lemmas_,
                "fine": self.fine_tags_,
                "row_offsets": row_offsets,
                "indptr": None if rows is None else rows.indptr,
                "indices": None if rows is None else rows.indices,
                "values": None if rows is None else rows.values,
            },
            np.dtype(self.dtype),
        )

    def tree_of(self, code: Sequence[int]) -> DependencyTree:
        """One code as a tree."""
        if not self.labelled:
            return DependencyTree(tuple(code))
        n = len(code) // 2
        table = self.labels_
        return DependencyTree(tuple(code[:n]), tuple(table[c] for c in code[n:]))

    def empty_output(self, x: Any) -> DependencyTree | None:
        """No heads for a sentence of no words."""
        if not isinstance(x, (list, tuple)):
            return None
        words = x[0] if isinstance(x, tuple) and x else x
        empty = hasattr(words, "__len__") and len(words) == 0
        return DependencyTree(()) if empty else None

    def empty_shape(self, x: Any) -> tuple[int, ...]:
        """(1, 0)."""
        return 1, 0

    def output_of(
        self, code: Sequence[int], packed: PackedTrees, i: int
    ) -> DependencyTree:
        """The output that a code of packed example i stands for."""
        return self.tree_of(code)

    # One example in domain language.

    def loss(self, y: Any, y_hat: Any) -> float:
        """Number of words with a wrong head (or label), those ignored left out."""
        n = len(y.heads if isinstance(y, DependencyTree) else y_or_heads(y))
        a = as_tree(y, n, self.labelled, "y")
        b = as_tree(y_hat, n, self.labelled, "y_hat")
        relations = a.labels or getattr(y, "labels", ())
        strict = self.labelled and self.task_loss == "las"
        total = 0.0
        for t in range(n):
            if relations and relations[t] in self.ignore_labels:
                continue
            wrong = a.heads[t] != b.heads[t]
            if strict and not wrong:
                wrong = a.labels[t] != b.labels[t]
            total += float(wrong)
        return total

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """Heads and words, as an index into (n + 1, n); relations are not told apart."""
        heads = y.heads if isinstance(y, DependencyTree) else y_or_heads(y)
        return np.array(heads, dtype=np.int64), np.arange(len(heads))

    def enumerate(self, x: Any) -> Iterable[DependencyTree]:
        """All trees of x; with labels there are very many."""
        n = _length(x)
        for heads in product(range(n + 1), repeat=n):
            try:
                check_heads(heads, "")
            except ValueError:
                continue
            if self.projective and not is_projective(heads):
                continue
            if not self.labelled:
                yield DependencyTree(heads)
                continue
            for labels in product(self.labels_, repeat=n):
                yield DependencyTree(heads, labels)


def y_or_heads(y: Any) -> Any:
    """Heads of a tree given as heads or as (heads, labels)."""
    if len(y) == 2 and all(hasattr(part, "__len__") for part in y):
        return y[0]
    return y


def _is_features(x: Any) -> bool:
    return hasattr(x, "indptr") or (
        isinstance(x, np.ndarray) and x.dtype.kind in "fiub"
    )


def _length(x: Any, i: int = 0) -> int:
    """Number of words of a sentence or of arc features."""
    if hasattr(x, "indptr"):
        rows = int(x.shape[0])
        n = int((np.sqrt(1 + 4 * rows) - 1) / 2 + 0.5)
        if n < 1 or n * (n + 1) != rows:
            raise ValueError(
                f"X: example {i} has {rows} rows, expected (n + 1) n for n words"
            )
        return n
    if isinstance(x, np.ndarray):
        if x.ndim != 3 or x.shape[0] != x.shape[1] + 1 or x.shape[1] < 1:
            raise ValueError(
                f"X: example {i} has shape {x.shape}, expected (n + 1, n, d) features of arcs"
            )
        return int(x.shape[1])
    return len(as_sentence(x, f"X: example {i}").forms)


def lifted(heads: Sequence[int]) -> tuple[int, ...]:
    """A projective tree: arcs that cross others are moved up, shortest first.

    Parameters
    ----------
    heads : sequence of n int
        A tree with one root; from 1, 0 for the root.

    References
    ----------
    Nivre and Nilsson 2005, "Pseudo-projective dependency parsing".

    Examples
    --------
    >>> lifted((3, 0, 2, 1))
    (2, 0, 2, 2)
    """
    new = list(heads)

    def descends(word: int, ancestor: int) -> bool:
        while word not in (0, ancestor):
            word = new[word - 1]
        return word == ancestor

    while True:
        crossing = [
            (abs(h - m), m)
            for m, h in enumerate(new, start=1)
            if h and not all(descends(k, h) for k in range(min(h, m) + 1, max(h, m)))
        ]
        if not crossing:
            return tuple(new)
        m = min(crossing)[1]
        new[m - 1] = new[new[m - 1] - 1]


__all__ = ["DependencySpace", "PackedTrees", "lifted"]
