"""Features of constituency trees, basic and rich, against a readable twin."""

from __future__ import annotations

import json
import zipfile
import zlib
from itertools import pairwise

import numpy as np
import pytest

from pystruct_ext import ConstituencySVM, Tree, load
from pystruct_ext.spaces import ConstituencySpace
from pystruct_ext.spaces._treebank_grammar import brackets
from pystruct_ext.structures.samples.constituency import constituency

WORD = 2**64 - 1
BITS = 9  # of both tables

# Code of a template: what it joins. A letter is form, suffix, tag or shape ("f", "s", "t", "h")
# of the word that many places after a place of the span.
START = {
    1: "f0", 2: "t0 t-1", 3: "f-1", 4: "t0 t1", 5: "t-1 t-2", 6: "s0",
}  # fmt: skip
START_RICH = {
    101: "f0 t-1", 102: "t0 f-1", 103: "t0 t1 t-1", 104: "t0 t-1 t-2", 105: "t0 t1 t2",
    106: "f0 f-1", 107: "f0 f1", 108: "f0 t1", 109: "h0 t-1", 110: "s-1", 111: "f1",
    112: "f-2 t-1",
}  # fmt: skip
END = {
    11: "f-1", 12: "t-1 t0", 13: "f0", 14: "t-1 t-2", 15: "t0 t1", 16: "s-1",
}  # fmt: skip
END_RICH = {
    121: "f-1 t0", 122: "t-1 f0", 123: "t-1 t-2 t0", 124: "t-1 t0 t1", 125: "t-1 t-2 t-3",
    126: "f-1 f0", 127: "f-1 f-2", 128: "f-1 t-2", 129: "h-1 t0", 130: "s0", 131: "f-2",
    132: "f1 t0",
}  # fmt: skip
# Of both ends: words after the start, then those after the end; "n" is the length.
BOTH = {
    21: "n", 22: "it0 n", 23: "jt-1 n", 24: "it0 jt-1", 25: "it-1 jt0",
    26: "it-1 it0 jt-1 jt0", 27: "if0 jt-1", 28: "it0 jf-1", 29: "if-1 jt0",
    30: "if0 jt0", 31: "it-1 it0 jt0", 32: "it0 jf0",
}  # fmt: skip
# "m" and "n": lengths of the left and the right part.
SPLIT = {
    41: "kt-1 kt0 n", 42: "it0 kt0 jt0", 43: "kf-1 kt0", 44: "kt-1 kf0", 45: "if0 kf0",
    46: "m n",
}  # fmt: skip
SPLIT_RICH = {
    171: "it0 kt-1 kt0 jt-1", 172: "kt-1 kt0 jt0", 173: "kt-2 kt-1 kt0 kt1",
    174: "it-1 it0 kt0 jt0", 175: "kf-1 kf0", 176: "kf0 jt0", 177: "it0 kf0 jt-1",
    178: "kt0 m n",
}  # fmt: skip


def key(code, *hashes):
    a, b, c, d = (*hashes, 0, 0, 0, 0)[:4]
    return (
        (code + 1) * 0x9E3779B97F4A7C15
        + a * 0xBB67AE8584CAA73B
        + b * 0xD6E8FEB86659FD93
        + c * 0xA0761D6478BD642F
        + d * 0xE7037ED1A0B428DB
    ) & WORD


def slot(k):
    k ^= k >> 31
    k = k * 0x589965CC75374CC3 & WORD
    k ^= k >> 29
    return (k * 0x1D8E4E27C47D124F & WORD) >> (64 - BITS)


def shape(word):
    kinds = [
        "X" if c.isupper() else "x" if c.islower() else "9" if c.isdigit() else c
        for c in word
    ]
    return "".join(k for p, k in pairwise(["", *kinds]) if p != k)


def bucket(n):
    return n if n <= 5 else 5 + sum(n > end for end in (5, 7, 10, 15, 22))


class Twin:
    """Counts of features of one tree."""

    def __init__(self, space, sentence):
        self.space, self.sentence = space, sentence
        self.n = len(sentence.forms)

    def hash(self, kind, at):
        if not 0 <= at < self.n:
            text = f"\0b{at + 2}" if at < 0 else f"\0e{at - self.n}"
        elif kind == "t":
            text = self.sentence.tags[at]
        else:
            form = self.sentence.forms[at]
            text = {"f": form, "s": form[-3:], "h": shape(form)}[kind]
        return zlib.crc32(text.encode())

    def value(self, name, places):
        if name in "mn":
            return bucket(places[name])
        if name[0] not in "ijk":
            name = f"i{name}"
        return self.hash(name[1], places[name[0]] + int(name[2:]))

    def keys(self, templates, places):
        for code, names in templates.items():
            yield key(code, *(self.value(name, places) for name in names.split()))

    def span(self, i, j):
        rich = self.space.features == "rich"
        yield from self.keys({**START, **(START_RICH if rich else {})}, {"i": i})
        yield from self.keys({**END, **(END_RICH if rich else {})}, {"i": j})
        yield from self.keys(BOTH, {"i": i, "j": j, "n": j - i})
        tags = [self.hash("t", t) for t in range(i, j)]
        if j - i <= 6:
            k = key(33)
            for tag in tags:
                k = (k ^ tag) * 0x9E3779B97F4A7C15 & WORD
            yield k
        else:
            yield key(34, *tags[:2], *tags[-2:])
        for tag in set(tags) if rich else ():
            yield key(161, tag)
            yield key(162, tag, tags[0])
            yield key(163, tag, self.hash("t", i - 1))

    def split(self, i, k, j):
        rich = self.space.features == "rich"
        places = {"i": i, "k": k, "j": j, "m": k - i, "n": j - k}
        yield from self.keys({**SPLIT, **(SPLIT_RICH if rich else {})}, places)

    def joints(self, tree):
        """(start, split, end) of all children but the first of every node."""
        ends = {(a, b) for a, b, _ in brackets(tree)}
        for a, b in ends:
            position, first = a, True
            while position < b:
                inner = [e for s, e in ends if s == position and (s, e) != (a, b)]
                end = max([position + 1, *(e for e in inner if e <= b)])
                if not first:
                    yield a, position, end
                position, first = end, False

    def counts(self, tree):
        space = self.space
        psi = np.zeros(space.size_psi_)
        index = {label: k for k, label in enumerate(space.labels_)}
        for i, j, label in brackets(tree):
            for k in self.span(i, j):
                psi[slot(k) * space.stride_ + index[label]] += 1
        first = space.stride_ << BITS
        for i, k, j in self.joints(tree) if space._scores_splits() else ():
            for feature in self.split(i, k, j):
                psi[first + slot(feature)] += 1
        return psi


def problem(features, **params):
    """Trees of many words and of none, in upper case and lower, and their space."""
    rng = np.random.default_rng(5)
    _, trees = constituency((1, 2, 3, 7, 9, 14, 25), ["A", "B"])(rng)
    words = ["a", "Bc", "U.S.", "1990-91", "running", "n't", "étage"]

    def renamed(tree):
        if tree.is_preterminal:
            tag = str(rng.choice(["N", "V", ",", "D"]))
            return Tree(tag, (str(rng.choice(words)),))
        return Tree(tree.label, tuple(renamed(c) for c in tree.children))

    trees = [renamed(t) for t in trees]
    space = ConstituencySpace(
        features=features, bits=BITS, split_bits=BITS, dtype="float64", **params
    )
    X = [t.sentence() for t in trees]
    space.fit_pack(X, trees)
    return space, X, trees


@pytest.mark.parametrize("model", ["spans", "grammar"])
@pytest.mark.parametrize("features", ["basic", "rich"])
def test_features_equal_the_twin(features, model):
    space, X, trees = problem(features, model=model)
    seen = 0
    for x, tree in zip(X, trees, strict=True):
        psi = space.joint_feature(x, tree)
        tail = 0
        if space.grammar_ is not None:
            g = space.grammar_
            tail = len(g.rules) + len(g.lexical) + len(g.symbols)
            # One rule for every node and word of the derivation, and the root.
            assert psi[len(psi) - tail :].sum() == 2 * len(x.forms)
        expected = Twin(space, x).counts(tree)
        np.testing.assert_array_equal(
            psi[: len(psi) - tail], expected[: len(psi) - tail]
        )
        seen += expected.sum()
    assert seen > 1000


@pytest.mark.parametrize("model", ["spans", "grammar"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_of_rich_features_are_those_of_their_counts(model, dtype):
    """Scores come from tables filled by parts; counts are emitted one by one."""
    space, X, trees = problem("rich", model=model)
    space.dtype = dtype
    packed = space.pack(X, trees)
    oracle = space.bind(packed)
    w = np.random.default_rng(1).normal(size=space.size_psi_).astype(dtype)
    for i, x in enumerate(X):
        codes, _ = oracle.k_best(w, i, 3)
        for code in [*codes, oracle.argmax(w, i, 0.0)]:
            tree = space.output_of(code.tolist(), packed, i)
            by_counts = space.joint_feature(x, tree).astype(float) @ w
            found = oracle.score(w, i, code)
            np.testing.assert_allclose(found, by_counts, rtol=2e-4, atol=2e-3)


def test_size_of_tables():
    assert ConstituencySpace()._table_bits() == (18, 20)
    assert ConstituencySpace(features="basic")._table_bits() == (16, 18)
    assert ConstituencySpace(features="basic", bits=5)._table_bits() == (5, 18)
    with pytest.raises(ValueError, match="features must be one of rich, basic"):
        ConstituencySpace(features="more").fit_pack(*problem("basic")[1:])
    with pytest.raises(ValueError, match="bits must be an integer"):
        ConstituencySpace(bits=0).fit_pack(*problem("basic")[1:])


@pytest.mark.parametrize("model", ["spans", "grammar"])
def test_a_file_of_before_is_of_basic_features(model, tmp_path):
    _, X, trees = problem("basic")
    fitted = ConstituencySVM(
        features="basic", model=model, bits=8, split_bits=8, max_iter=3, tol=0.99
    ).fit(X, trees)
    expected = fitted.predict(X)
    new, old = tmp_path / "new.psx", tmp_path / "old.psx"
    fitted.save(new)
    # What such a file held before there was a choice.
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "manifest.json":
                data = json.dumps(without(json.loads(data))).encode()
            target.writestr(name, data)
    loaded = load(old)
    assert loaded.predict(X) == expected
    assert (loaded.features, loaded.space_.features) == ("basic", "basic")


def without(value):
    if isinstance(value, dict):
        new = ("features", "rich_")
        return {k: without(v) for k, v in value.items() if k not in new}
    return [without(v) for v in value] if isinstance(value, list) else value
