"""Constituency trees: nested labelled spans of a sentence."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.outputs.phrase_trees import Tree, as_phrase_tree
from pystruct_ext.outputs.sentences import Sentence, as_sentence
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._kernels import constituency as _constituency
from pystruct_ext.spaces._labels import UnseenLabelError, padded
from pystruct_ext.spaces._treebank_grammar import (
    TreebankGrammar,
    brackets,
    tree_of_brackets,
)
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.utils.fitted import Fitted
from pystruct_ext.utils.messages import shorten


@dataclass
class PackedParses:
    """Sentences and their constituency trees as arrays.

    Attributes
    ----------
    sentences : list of n Sentence
    offsets : (n + 1,) int64
        First word of each sentence.
    tokens : (n_words + 4 n, 4) uint32
        Hashes of form, suffix, tag and shape, two more before and after each sentence.
    word_tag : (n_words,) int32
        Tag of every word in the grammar.
    codes : int32 array or None
        Truth, end to end.
    gold_offsets, gold_at, gold_label : arrays or None
        True constituents of each sentence: start * (length + 1) + end, and label.
    """

    sentences: list[Sentence]
    offsets: NDArray[np.int64]
    tokens: NDArray[np.uint32]
    word_tag: NDArray[np.int32] | None = None
    codes: NDArray[np.int32] | None = None
    gold_offsets: NDArray[np.int64] | None = None
    gold_at: NDArray[np.int32] | None = None
    gold_label: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.sentences)


@storable
class ConstituencySpace(CompiledSpace):
    """Constituency trees, scored by their spans or by the rules of a grammar.

    ``Delta(y, y_hat)`` is the number of labelled brackets that are in one of the trees
    only.

    Parameters
    ----------
    model : {"spans", "grammar"}, default="spans"
        "spans": ``sum over constituents label(i, j, l) + sum over joints split(i, k, j)``
        and no grammar. "grammar": weights of the binarised rules, of symbols over tags and
        of the root, and only trees that the grammar derives.
    horizontal, vertical : int, default=1, 1
        Markovisation of the grammar: children remembered by partial nodes; 2 marks
        labels with their parent's.
    span_features : bool, default=True
        "grammar" only: score the labels of spans, too, as the "spans" model does.
    splits : bool, default=True
        Score the points where parts are joined; of "grammar", with span features that are
        "rich" only.
    features : {"rich", "basic"}, default="rich"
        "rich" adds words and tags further out and in at both ends of a span, the tags
        anywhere in it, by themselves and with the first tag and the one before the span,
        and more about splits. "basic" is faster and takes less memory.
    bits, split_bits : int or None, default=None
        Span features are hashed to ``2 ** bits`` rows of weights over labels, those of
        splits to ``2 ** split_bits`` weights. None: 18 and 20 for rich features, 16 and 18
        for basic ones.
    max_length : int, default=150
        Longest sentence; tables need ``n^2 (K + 3) w`` bytes for n words, K labels and
        weights of w bytes, ``n^3 w`` more with splits, and ``n^2 / 2 * S (w + 12)`` for a
        grammar of S symbols.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights.

    Attributes
    ----------
    labels_ : list of K str
        Labels; those of unary chains are joined by spaces, "S VP" for S over VP.
    grammar_ : TreebankGrammar or None
    size_psi_ : int

    Notes
    -----
    x is a `Sentence`, a pair (forms, tags) or a list of (form, tag) pairs; y is a `Tree`, or
    an ``nltk.Tree``, over the same words. Take function tags and traces off first
    (`pystruct_ext.io.read_brackets` does).

    Code of "spans": (start * (n + 1) + end, label) of the constituents in preorder, -1
    after the last; of "grammar": (rule, split) in preorder. Ties: the same weights give
    the same tree, not necessarily the one with the smallest code.

    References
    ----------
    Hall, Durrett and Klein 2014; Taskar et al. 2004; Klein and Manning 2003.

    Examples
    --------
    >>> y = Tree.parse("(S (NP (NNS dogs)) (VP (VBP bark)))")
    >>> space = ConstituencySpace(bits=6, split_bits=6)
    >>> packed = space.fit_pack([y.sentence()], [y])
    >>> space.labels_
    ['NP', 'S', 'VP']
    """

    def __init__(
        self,
        model: str = "spans",
        horizontal: int = 1,
        vertical: int = 1,
        span_features: bool = True,
        splits: bool = True,
        features: str = "rich",
        bits: int | None = None,
        split_bits: int | None = None,
        max_length: int = 150,
        dtype: str = "float32",
    ) -> None:
        self.model = model
        self.horizontal = horizontal
        self.vertical = vertical
        self.span_features = span_features
        self.splits = splits
        self.features = features
        self.bits = bits
        self.split_bits = split_bits
        self.max_length = max_length
        self.dtype = dtype

    # Domain.

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> ConstituencySpace:
        """Learn labels, the grammar and sizes."""
        self.fit_pack(X, Y)
        return self

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any] | None) -> PackedParses:
        """Learn labels, the grammar and sizes, and pack the examples."""
        self._check_parameters()
        if Y is None:
            raise ValueError("y is needed to learn the labels, got None")
        self.validate(X, Y)
        Y = [_checked(y, f"y: example {i}") for i, y in enumerate(Y)]
        found = [brackets(y) for y in Y]
        self.labels_ = sorted({label for b in found for _, _, label in b})
        roots = Counter(b[0][2] for b in found)
        self.root_ = min(roots, key=lambda r: (-roots[r], r))
        self.grammar_: TreebankGrammar | None = None
        if self.model == "grammar":
            self.grammar_ = TreebankGrammar(self.horizontal, self.vertical)
            self.grammar_.fit(Y, self.labels_)
            tags = Counter(t for y in Y for t in y.tags())
            self.frequent_tag_ = min(tags, key=lambda t: (-tags[t], t))
        self._set_sizes()
        return self.pack(X, Y)

    def _set_sizes(self) -> None:
        self.stride_ = padded(len(self.labels_))
        # Files of before there were two sets do not have it.
        self.rich_ = self.features == "rich"
        self.size_psi_ = self._size()

    def _table_bits(self) -> tuple[int, int]:
        """Bits of the tables of span features and of splits."""
        default = (18, 20) if self.features == "rich" else (16, 18)
        bits = default[0] if self.bits is None else self.bits
        split_bits = default[1] if self.split_bits is None else self.split_bits
        return bits, split_bits

    def _scores_splits(self) -> bool:
        rich_spans = self.span_features and self.features == "rich"
        return bool(self.splits and (self.model == "spans" or rich_spans))

    def _size(self) -> int:
        scored = self.model == "spans" or self.span_features
        bits, split_bits = self._table_bits()
        size = (self.stride_ << bits) if scored else 0
        if self._scores_splits():
            size += 1 << split_bits
        if self.grammar_ is not None:
            g = self.grammar_
            size += len(g.rules) + len(g.lexical) + len(g.symbols)
        return size

    def _check_parameters(self) -> None:
        for name, allowed in (
            ("model", ("spans", "grammar")),
            ("features", ("rich", "basic")),
            ("dtype", ("float32", "float64")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got "
                    f"{getattr(self, name)!r}"
                )
        for name, low, high in (
            ("bits", 1, 24),
            ("split_bits", 1, 30),
            ("horizontal", 0, 10),
            ("vertical", 1, 2),
            ("max_length", 1, 1000),
        ):
            value = getattr(self, name)
            if value is None and name in ("bits", "split_bits"):
                continue
            if not (isinstance(value, (int, np.integer)) and low <= value <= high):
                raise ValueError(
                    f"{name} must be an integer in {low} .. {high}, got {value!r}"
                )

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        if hasattr(self, "size_psi_") and not hasattr(self, "rich_"):
            self.features, self.rich_ = "basic", False
        self._check_parameters()
        if not hasattr(self, "size_psi_"):
            return
        fitted = Fitted(self)
        fitted.boolean("rich_")
        fitted.one_of("rich_", (self.features == "rich",))
        k = fitted.labels("labels_", at_least=1, kind=str)
        fitted.one_of("root_", tuple(self.labels_))
        fitted.equal("stride_", padded(k))
        if self.model == "grammar":
            grammar = fitted.instance("grammar_", TreebankGrammar)
            if grammar.labels != self.labels_:
                raise ValueError(
                    "ConstituencySpace.grammar_ has other labels than labels_"
                )
            fitted.one_of("frequent_tag_", tuple(grammar.tags))
        else:
            fitted.one_of("grammar_", (None,))
        fitted.equal("size_psi_", self._size())

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Raise unless X is a list of sentences, and Y as long."""
        if isinstance(X, (str, bytes)) or not hasattr(X, "__getitem__"):
            raise TypeError(f"X must be a list of sentences, got {type(X).__name__}")
        super().validate(X, Y)

    def pack(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> PackedParses:
        """Pack examples with what was learnt at fit."""
        self.validate(X, Y)
        sentences = [as_sentence(x, f"X: example {i}") for i, x in enumerate(X)]
        offsets = np.zeros(len(X) + 1, dtype=np.int64)
        np.cumsum([len(s.forms) for s in sentences], out=offsets[1:])
        self._check_lengths(np.diff(offsets))
        packed = PackedParses(sentences, offsets, _tokens(sentences))
        if self.grammar_ is not None:
            number = {t: k for k, t in enumerate(self.grammar_.tags)}
            other = number[self.frequent_tag_]
            packed.word_tag = np.array(
                [number.get(t, other) for s in sentences for t in s.tags],
                dtype=np.int32,
            )
        if Y is not None:
            self._pack_truth(packed, Y)
        return packed

    def _check_lengths(self, lengths: NDArray[np.int64]) -> None:
        i = int(np.argmax(lengths))
        n = int(lengths[i])
        if n <= self.max_length:
            return
        size = np.dtype(self.dtype).itemsize
        need = n**2 * (self.stride_ + 3) * size
        if self.grammar_ is not None:
            need += n**2 // 2 * len(self.grammar_.symbols) * (size + 12)
        if self._scores_splits():
            need += n**3 * size
        raise ValueError(
            f"X: example {i} has {n} words, more than max_length={self.max_length}; it "
            f"would need {need / 2**20:.0f} MiB of tables per thread"
        )

    def _pack_truth(self, packed: PackedParses, Y: Sequence[Any]) -> None:
        index = {label: k for k, label in enumerate(self.labels_)}
        offsets = packed.offsets
        lengths = np.diff(offsets)
        ends = np.concatenate([[0], np.cumsum(4 * lengths - 2)])
        codes = np.full(int(ends[-1]), -1, dtype=np.int32)
        gold_offsets = np.zeros(len(Y) + 1, dtype=np.int64)
        gold_at: list[int] = []
        gold_label: list[int] = []
        for i, y in enumerate(Y):
            where, n = f"y: example {i}", int(lengths[i])
            y = _checked(y, where)
            if len(y.words()) != n:
                raise ValueError(
                    f"{where} has {len(y.words())} words, but the sentence has {n}"
                )
            flat: list[int] = []
            for a, b, label in brackets(y):
                if label not in index:
                    raise UnseenLabelError(
                        f"{where} has the label {label!r}, which was not seen at fit"
                    )
                flat += [a * (n + 1) + b, index[label]]
            gold_at += flat[::2]
            gold_label += flat[1::2]
            gold_offsets[i + 1] = len(gold_at)
            if self.grammar_ is not None:
                flat = self.grammar_.code(y, where)
            codes[ends[i] : ends[i] + len(flat)] = flat
        packed.codes = codes
        packed.gold_offsets = gold_offsets
        packed.gold_at = np.array(gold_at, dtype=np.int32)
        packed.gold_label = np.array(gold_label, dtype=np.int32)

    # The way to the oracle.

    def bind(self, packed: PackedParses) -> Oracle:
        """The oracle over packed sentences."""
        dtype = np.dtype(self.dtype)
        bits, split_bits = self._table_bits()
        arrays: dict[str, Any] = {
            "offsets": packed.offsets,
            "tokens": packed.tokens,
            "bits": bits,
            "split_bits": split_bits,
            "rich": bool(self.rich_),
            "use_splits": self._scores_splits(),
            "use_features": self.model == "spans" or bool(self.span_features),
            "n_labels": len(self.labels_),
            "stride": self.stride_,
            "cost": self._costs().astype(dtype),
            "gold_offsets": packed.gold_offsets,
            "gold_at": packed.gold_at,
            "gold_label": packed.gold_label,
            "codes": packed.codes,
        }
        if self.grammar_ is None:
            return _constituency.SPANS.bind(arrays, dtype)
        arrays.update(self.grammar_.arrays())
        arrays["word_tag"] = packed.word_tag
        return _constituency.GRAMMAR.bind(arrays, dtype)

    def _costs(self) -> NDArray[np.float64]:
        """Brackets in which two collapsed labels differ; row and column 0 are "none"."""
        chains = [Counter(label.split(" ")) for label in self.labels_]
        bags = [Counter[str](), *chains]
        out = np.zeros((len(bags), len(bags)))
        for a, x in enumerate(bags):
            for b, y in enumerate(bags):
                out[a, b] = sum(((x - y) + (y - x)).values())
        return out

    def tree_of(self, code: Sequence[int], sentence: Sentence) -> Tree:
        """One code as a tree; flat where the grammar has no derivation."""
        n = len(sentence.forms)
        if self.grammar_ is None:
            items = [
                (at // (n + 1), at % (n + 1), self.labels_[label])
                for at, label in zip(code[::2], code[1::2], strict=True)
                if at >= 0
            ]
        else:
            items = self.grammar_.brackets_of(code, n) or [(0, n, self.root_)]
        return tree_of_brackets(items, sentence.forms, sentence.tags)

    def output_of(self, code: Sequence[int], packed: PackedParses, i: int) -> Tree:
        """The output that a code of packed example i stands for."""
        return self.tree_of(code, packed.sentences[i])

    # One example in domain language.

    def loss(self, y: Any, y_hat: Any) -> float:
        """Number of labelled brackets that are in one of the trees only."""
        a = Counter(as_phrase_tree(y, "y").spans())
        b = Counter(as_phrase_tree(y_hat, "y_hat").spans())
        return float(sum(((a - b) + (b - a)).values()))

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """Starts, ends and labels of constituents, as an index into (n + 1, n + 1, K)."""
        index = {label: k for k, label in enumerate(self.labels_)}
        found = brackets(as_phrase_tree(y, "y"))
        known = [(a, b, index[label]) for a, b, label in found if label in index]
        return tuple(np.array(known, dtype=np.int64).reshape(-1, 3).T)

    def enumerate(self, x: Any) -> Iterable[Tree]:
        """All trees of x."""
        sentence = as_sentence(x, "x")
        n = len(sentence.forms)
        if self.grammar_ is not None:
            for code in self.grammar_.derivations(sentence.tags):
                yield self.tree_of(code, sentence)
            return
        for items in self._all_brackets(0, n):
            yield tree_of_brackets(items, sentence.forms, sentence.tags)

    def _all_brackets(self, a: int, b: int) -> Iterator[list[tuple[int, int, str]]]:
        """All constituents over [a, b) with everything in them, in preorder."""
        parts = [[]] if b == a + 1 else list(self._all_parts(a, b, 0))
        for label in self.labels_:
            for inner in parts:
                yield [(a, b, label), *inner]

    def _all_parts(
        self, a: int, b: int, before: int
    ) -> Iterator[list[tuple[int, int, str]]]:
        """All ways to cut [a, b) into two parts or more, given `before` parts so far."""
        if a == b:
            if before >= 2:
                yield []
            return
        for k in range(a + 1, b + 1):
            if k == b and before == 0:
                continue
            first: list[list[tuple[int, int, str]]] = [[]] if k == a + 1 else []
            first += list(self._all_brackets(a, k))
            for head in first:
                for rest in self._all_parts(k, b, before + 1):
                    yield head + rest

    # Grammar.

    def pcfg_weights(self, packed: PackedParses) -> NDArray[np.floating]:
        """Log relative frequencies of the rules in packed trees: a plain treebank PCFG.

        Parameters
        ----------
        packed : PackedParses
            With truth.

        Returns
        -------
        (size_psi_,) array
            A weight vector whose decoder is the most probable parse.

        References
        ----------
        Charniak 1996, "Tree-bank grammars".
        """
        g = self.grammar_
        if g is None or packed.codes is None:
            raise ValueError("pcfg_weights needs model='grammar' and packed trees")
        n_rules, n_lexical = len(g.rules), len(g.lexical)
        used = packed.codes[::2]
        counts = np.bincount(used, minlength=n_rules + n_lexical).astype(float)
        symbol = np.concatenate([g.rules[:, 0], g.lexical[:, 1]])
        total = np.bincount(symbol, weights=counts, minlength=len(g.symbols))
        lengths = np.diff(packed.offsets)
        first = np.concatenate([[0], np.cumsum(4 * lengths - 2)])[:-1]
        roots = np.bincount(
            symbol[packed.codes[first]], minlength=len(g.symbols)
        ).astype(float)
        unseen = -30.0
        with np.errstate(divide="ignore", invalid="ignore"):
            rule = np.log(counts / total[symbol])
            root = np.log(roots / roots.sum())
        w = np.zeros(self.size_psi_, dtype=np.dtype(self.dtype))
        tail = np.concatenate([rule, root])
        w[len(w) - len(tail) :] = np.where(np.isfinite(tail), tail, unseen)
        return w


def _checked(y: Any, where: str) -> Tree:
    tree = as_phrase_tree(y, where)
    if tree.is_preterminal:
        raise ValueError(
            f"{where} is a single word {shorten(str(tree))!r} without a constituent above it"
        )
    return tree


def _shape(word: str) -> str:
    """Character classes with repetitions cut: "Xxx-99" becomes "Xx-9"."""
    out = ""
    for c in word:
        k = "X" if c.isupper() else "x" if c.islower() else "9" if c.isdigit() else c
        if not out.endswith(k):
            out += k
    return out


def _tokens(sentences: Sequence[Sentence]) -> NDArray[np.uint32]:
    hashes: dict[str, tuple[int, int, int]] = {}
    tags: dict[str, int] = {}

    def crc(text: str) -> int:
        return zlib.crc32(text.encode("utf-8", "replace"))

    before = [(crc(f"\0b{k}"),) * 4 for k in range(2)]
    after = [(crc(f"\0e{k}"),) * 4 for k in range(2)]
    rows: list[tuple[int, ...]] = []
    for s in sentences:
        rows += before
        for form, tag in zip(s.forms, s.tags, strict=True):
            word = hashes.get(form)
            if word is None:
                word = hashes[form] = (crc(form), crc(form[-3:]), crc(_shape(form)))
            t = tags.get(tag)
            if t is None:
                t = tags[tag] = crc(tag)
            rows.append((word[0], word[1], t, word[2]))
        rows += after
    return np.array(rows, dtype=np.uint32)


__all__ = ["ConstituencySpace", "PackedParses"]
