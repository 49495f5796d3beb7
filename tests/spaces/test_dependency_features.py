"""Features of dependency trees against a readable twin, and what their options need."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections import Counter
from itertools import product

import numpy as np
import pytest

import pystruct_ext
from pystruct_ext import DependencySVM, Sentence
from pystruct_ext.spaces import DependencySpace
from pystruct_ext.structures.samples.dependency import dependency, random_heads

MASK = (1 << 64) - 1
FACTORS = (
    0xBB67AE8584CAA73B,
    0xD6E8FEB86659FD93,
    0xA0761D6478BD642F,
    0xE7037ED1A0B428DB,
)


def place(bits, code, values, context):
    """The row of a hashed feature: a template, what it names, and its direction."""
    key = (code + 1) * 0x9E3779B97F4A7C15 + context * 0x8EBC6AF09C88C6E3
    key += sum(v * f for v, f in zip(values, FACTORS, strict=False))
    key &= MASK
    key ^= key >> 31
    return (key * 0x589965CC75374CC3 & MASK) >> (64 - bits)


class Twin:
    """All features of one sentence and tree, as a Counter of indices."""

    def __init__(self, space, x, heads, labels):
        self.space, self.n = space, len(x.forms)
        self.rich = space.features == "rich"
        columns = {"form": x.forms, "tag": x.tags}
        columns["lemma"] = x.lemmas if space.lemmas_ else [""] * self.n
        columns["fine"] = x.fine_tags if space.fine_tags_ else x.tags
        columns["word"] = x.lemmas if space.lemmas_ else x.forms
        self.columns = {k: tuple(v) for k, v in columns.items()}
        self.heads = dict(enumerate(heads, 1))
        self.labels = dict(enumerate(labels, 1))
        self.found = Counter()
        self.arcs()
        if space.siblings:
            self.siblings()
        if space.grandparents:
            self.grandparents()

    def text(self, name, t):
        special = {-1: "\0begin", 0: "\0root", self.n + 1: "\0end"}
        if t in special:
            # Where there are no lemmas, they are blank in front and behind, too.
            return special[t]
        return self.columns[name][t - 1]

    def hash(self, name, t):
        return zlib.crc32(self.text(name, t).encode())

    def values(self, names, at):
        """Hashes named like "h.tag m-1.word 7"."""
        out = []
        for name in names.split():
            who, dot, column = name.partition(".")
            if not dot:
                out.append(int(who))
                continue
            t = at[who[0]] + int(who[1:] or 0)
            out.append(self.hash(column, t))
        return out

    def arc(self, code, names, at, context):
        values = self.values(names, at)
        self.found[place(self.space.bits, code, values, context)] += 1

    def label(self, code, names, at, context):
        space = self.space
        row = place(space.label_bits, code, self.values(names, at), context)
        label = space.labels_.index(self.labels[at["m"]])
        self.found[space.n_arc_ + row * space.stride_ + label] += 1

    @staticmethod
    def distance(a, b):
        d = abs(a - b)
        return d - 1 if d < 5 else 4 if d < 10 else 5

    def arcs(self):
        lemmas, fine = self.space.lemmas_, self.space.fine_tags_
        for m, h in self.heads.items():
            at = {"h": h, "m": m}
            direction = int(h < m)
            contexts = direction, 2 + direction + 2 * self.distance(h, m)
            single = ["{0}.form {0}.tag", "{0}.form", "{0}.tag"]
            single += ["{0}.lemma"] if lemmas else [""]
            if fine:
                single += ["{0}.fine", "{0}-1.fine {0}.fine {0}+1.fine"]
            pairs = {
                21: "h.form h.tag m.form m.tag",
                22: "h.tag m.form m.tag",
                23: "h.form m.form m.tag",
                24: "h.form h.tag m.tag",
                25: "h.form h.tag m.form",
                26: "h.form m.form",
                27: "h.tag m.tag",
                34: "h.tag h+1.tag m-1.tag m.tag",
                35: "h-1.tag h.tag m-1.tag m.tag",
                36: "h.tag h+1.tag m.tag m+1.tag",
                37: "h-1.tag h.tag m.tag m+1.tag",
            }
            if lemmas:
                pairs |= {28: "h.lemma m.lemma", 29: "h.lemma m.tag"}
                pairs |= {30: "h.tag m.lemma"}
            if fine:
                pairs |= {
                    31: "h.fine m.fine",
                    32: "h.fine h+1.fine m-1.fine m.fine",
                    33: "h-1.fine h.fine m.fine m+1.fine",
                }
            for who, first in (("h", 1), ("m", 11)):
                pairs |= {
                    first + k: names.format(who)
                    for k, names in enumerate(single)
                    if names
                }
            between = range(min(h, m) + 1, max(h, m))
            bits = {self.bit(t) for t in between}
            once = {}
            if self.rich:
                like = self.like(h, m, "tag", h) + 4 * self.like(h, m, "tag", m)
                near = self.like(h, m, "tag", h) + 4 * self.like(h, m, "form", m)
                tags = sum(1 << b for b in bits)
                pairs |= {102: f"h.tag m.tag {like}", 103: f"h.tag m.form {near}"}
                once = {
                    101: f"h.tag m.tag {tags & 0xFFFFFFFF} {tags >> 32}",
                    104: f"h.word m.tag {like}",
                    105: "h.fine h+1.fine m.fine",
                    106: "h-1.fine h.fine m.fine",
                    107: "h.fine m-1.fine m.fine",
                    108: "h.fine m.fine m+1.fine",
                    109: "h.word m.tag m-1.tag",
                    110: "h.word m.tag m+1.tag",
                    111: "h.tag h-1.tag m.word",
                    112: "h.tag h+1.tag m.word",
                    113: "h.tag m.tag m-1.word",
                    114: "h.word m.tag m-1.word",
                    115: "h.tag m.tag m+1.word",
                    116: "h.tag m.tag h-1.word",
                    117: "h.tag m.tag h+1.word",
                }
            for code, names in pairs.items():
                for context in contexts:
                    self.arc(code, names, at, context)
            for code, names in once.items():
                self.arc(code, names, at, direction)
            for b in bits:
                self.arc(38, f"h.tag m.tag {b + 1}", at, direction)
            if self.space.labelled:
                self.label_features(at, contexts, bits, lemmas, fine)

    def label_features(self, at, contexts, bits, lemmas, fine):
        rows = {
            61: "m.form m.tag",
            62: "m.tag m-1.tag",
            63: "m.tag m+1.tag",
            64: "m.form m-1.form",
            68: "m.form m+1.form",
            69: "m.tag m-1.form",
            71: "h.form h.tag",
            72: "h.tag",
            81: "h.tag m.tag",
            83: "h.tag m.form",
            84: "h.form m.tag",
            85: "h.form m.form",
            86: "h.tag m.tag m-1.tag",
            87: "h.tag m.tag m-1.form",
        }
        if fine:
            rows |= {65: "m.fine m-1.fine m+1.fine", 66: "m.fine", 73: "h.fine"}
            rows |= {88: "h.fine m.fine"}
        if lemmas:
            rows |= {67: "m.lemma", 74: "h.lemma"}
        if self.rich:
            h, m = at["h"], at["m"]
            like = self.like(h, m, "tag", h) + 4 * self.like(h, m, "tag", m)
            tags = sum(1 << b for b in bits)
            rows |= {
                171: "m.tag m-1.tag m-2.tag",
                172: "m.tag m+1.word",
                173: "m.word m+1.tag",
                174: "m.word m-1.tag",
                175: "h.fine h-1.word",
                176: "h.fine h+1.word",
                177: "h.tag h-1.tag h+1.tag",
                181: f"h.tag m.tag {tags & 0xFFFFFFFF} {tags >> 32}",
                182: f"h.tag m.tag {like}",
                183: "h.word m.word",
                184: "h.word m.tag m-1.word",
                185: "h.fine m.fine h-1.word",
                186: "h.tag m.word",
                187: "h.tag m.tag m+1.tag",
                188: "h.word m.fine",
            }
            for b in bits:
                self.label(189, f"h.tag m.tag {b}", at, contexts[0])
        for code, names in rows.items():
            self.label(code, names, at, contexts[0])
        self.label(82, "h.tag m.tag", at, contexts[1])

    def bit(self, t):
        tags = self.space.tags_
        tag = self.text("tag", t)
        return tags.index(tag) if tag in tags else 63

    def like(self, a, b, column, as_of):
        """How many words between are like one of the ends: 0, 1, 2, 3 and more."""
        between = range(min(a, b) + 1, max(a, b))
        want = self.text(column, as_of)
        return min(3, sum(self.text(column, t) == want for t in between))

    def siblings(self):
        for h, side in product(range(1, self.n + 1), (1, -1)):
            s = h
            end = self.n + 1 if side > 0 else 0
            for m in range(h + side, end, side):
                if self.heads[m] != h:
                    continue
                at, gap = {"h": h, "s": s, "m": m}, self.distance(s, m)
                if s == h:
                    names = {51: "h.tag m.tag", 52: "h.fine m.fine", 53: "h.form m.tag"}
                    if self.rich:
                        names |= {131: "h.word m.word", 132: "h.tag m.word"}
                        names |= {133: f"h.tag m.tag {gap}"}
                else:
                    names = {
                        41: "h.tag s.tag m.tag",
                        42: "s.tag m.tag",
                        43: "s.form m.form",
                        44: "s.form m.tag",
                        45: "s.tag m.form",
                        46: "h.fine s.fine m.fine",
                        47: "h.form s.tag m.tag",
                    }
                    if self.rich:
                        names |= {
                            134: "h.word s.word m.tag",
                            135: "h.tag s.word m.word",
                            136: "h.tag s.word m.tag",
                            137: "h.tag s.tag m.word",
                            138: f"s.tag m.tag {gap}",
                            139: f"h.tag s.tag m.tag {gap + 1}",
                        }
                for code, text in names.items():
                    self.arc(code, text, at, int(side > 0))
                s = m

    def grandparents(self):
        names = {
            151: "g.tag m.tag",
            152: "g.word m.tag",
            153: "g.tag m.word",
            154: "g.word m.word",
            155: "g.tag h.tag m.tag",
            156: "g.fine h.fine m.fine",
            157: "g.word h.tag m.tag",
            158: "g.tag h.word m.tag",
            159: "g.tag h.tag m.word",
        }
        if self.rich:
            names |= {160: "g.word h.tag m.word", 161: "g.tag h.word m.word"}
        for m, h in self.heads.items():
            if h == 0:
                continue
            g = self.heads[h]
            for code, text in names.items():
                at = {"g": g, "h": h, "m": m}
                self.arc(code, text, at, int(h < m) + 2 * int(g < h))


def sentences(rng, lengths, columns):
    found = []
    for n in lengths:
        pick = lambda letters, n=n: tuple(rng.choice(list(letters), size=n).tolist())  # noqa: E731
        more = (pick("pqr"), pick("LMN")) if columns else ()
        found.append(Sentence(pick("abcd"), pick("NVDP"), *more))
    return found


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("features", ["basic", "rich"])
@pytest.mark.parametrize("second", [(), ("siblings",), ("siblings", "grandparents")])
def test_features_equal_the_twin(second, features, labelled, columns):
    rng = np.random.default_rng(5)
    X = sentences(rng, (1, 2, 7, 18), columns)
    Y = [
        (random_heads(rng, n), rng.choice(["x", "y"], size=n).tolist())
        for n in (1, 2, 5)
    ]
    # Chains and a comb, so that long arcs, inner siblings and grandparents occur.
    Y[2:] = [
        ((3, 1, 0, 5, 3, 7, 5), list("xyxyxxy")),
        ((0, 1, 1, 1, 4, 5, 4, 1, 8, 8, 8, 13, 11, 13, 14, 15, 16, 1), ["y"] * 18),
    ]
    space = DependencySpace(
        labelled=labelled,
        features=features,
        bits=16,
        label_bits=10,
        dtype="float64",
        **dict.fromkeys(second, True),
    )
    space.fit_pack(X, Y)
    for x, (heads, labels) in zip(X, Y, strict=True):
        twin = Twin(space, x, heads, labels)
        psi = np.asarray(space.joint_feature(x, (heads, labels)))
        expected = np.zeros(space.size_psi_)
        for j, count in twin.found.items():
            expected[j] += count
        np.testing.assert_array_equal(psi, expected)


def test_scores_of_arcs_equal_their_features_on_long_sentences():
    """Counts and sets between words are kept up while loading, and counted anew in psi."""
    rng = np.random.default_rng(9)
    X = sentences(rng, (40, 33), True)
    Y = [([0, *range(1, n)], ["x"] * n) for n in (40, 33)]
    space = DependencySpace(
        features="rich", siblings=True, grandparents=True, bits=14, label_bits=8,
        dtype="float64",
    )  # fmt: skip
    oracle = space.bind(space.fit_pack(X, Y))
    w = rng.normal(size=space.size_psi_)
    for i, x in enumerate(X):
        for loss_scale in (0.0, 1.0):
            code = oracle.argmax(w, i, loss_scale)
            tree = space.tree_of(code.tolist())
            score = oracle.score(w, i, code)
            assert np.isclose(score, space.joint_feature(x, tree) @ w)


def test_options_that_do_not_fit():
    x, y = np.zeros((3, 2, 4)), [2, 0]
    for name in ("grandparents", "siblings"):
        with pytest.raises(ValueError, match=f"{name}=True needs"):
            DependencySpace(labelled=False, **{name: True}).fit_pack([x], [y])
    s = (["a", "b"], ["N", "V"])
    with pytest.raises(ValueError, match="grandparents=True needs projective=True"):
        DependencySpace(labelled=False, projective=False, grandparents=True).fit_pack(
            [s], [y]
        )
    with pytest.raises(ValueError, match="features must be one of rich, basic"):
        DependencySVM(labelled=False, features="full").fit([s], [y])
    model = DependencySVM(labelled=False, grandparents=True, bits=6, max_length=2)
    with pytest.raises(ValueError, match=r"3 words, more than max_length=2.*MiB"):
        model.fit([s], [y]).predict([(["a", "b", "c"], ["N", "V", "N"])])


def test_files_from_before_the_options(tmp_path):
    """Files without the parameters are those of basic, first-order features."""
    X, y = dependency((3, 4, 2), labels=("x", "y"))(np.random.default_rng(0))
    model = DependencySVM(features="basic", bits=8, label_bits=5).fit(X, y)
    path = tmp_path / "model.psx"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    dropped = 0

    def without(node):
        nonlocal dropped
        if isinstance(node, dict):
            return {k: without(v) for k, v in node.items() if not new(k)}
        if isinstance(node, list):
            kept = [v for v in node if not (isinstance(v, list) and v and new(v[0]))]
            return [without(v) for v in kept]
        return node

    def new(key):
        nonlocal dropped
        found = isinstance(key, str) and key in ("grandparents", "features", "rich_")
        dropped += found
        return found

    members["manifest.json"] = json.dumps(
        without(json.loads(members["manifest.json"]))
    ).encode()
    assert dropped == 5  # two of the estimator, three of its space
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    path.write_bytes(raw.getvalue())
    old = pystruct_ext.load(path)
    assert old.features == old.space_.features == "basic"
    assert old.grandparents is False
    assert old.predict(X) == model.predict(X)
    # And are as much so when they are written again.
    old.save(path)
    again = pystruct_ext.load(path)
    assert again.space_.features == "basic"
    assert again.space_.rich_ is False
    np.testing.assert_array_equal(again.coef_, model.coef_)


def test_tables_follow_the_features():
    x, y = (["a", "b"], ["N", "V"]), ([2, 0], ["x", "y"])
    fitted = {
        features: DependencySpace(features=features).fit_domain([x], [y])
        for features in ("rich", "basic")
    }
    for features, bits, label_bits in (("rich", 23, 18), ("basic", 22, 16)):
        space = fitted[features]
        assert (space.n_arc_, space.n_label_rows_) == (1 << bits, 1 << label_bits)
        assert space.rich_ is (features == "rich")
    given = DependencySpace(bits=5).fit_domain([x], [y])
    assert (given.n_arc_, given.n_label_rows_) == (1 << 5, 1 << 18)
    assert DependencySpace().fit_domain([x], [y]).rich_ is True
    with pytest.raises(ValueError, match=r"label_bits must be an integer in 1 \.\. 26"):
        DependencySpace(label_bits=0).fit_domain([x], [y])
    with pytest.raises(ValueError, match="max_length must be an integer"):
        DependencySpace(max_length=None).fit_domain([x], [y])


def test_basic_features_are_those_of_before():
    """The same weights with the tables given and chosen, and other than those of rich ones."""
    X, y = dependency((3, 4, 2), labels=("x", "y"))(np.random.default_rng(3))
    fits = [
        DependencySVM(features=features, **bits).fit(X, y)
        for features, bits in (
            ("basic", {}),
            ("basic", {"bits": 22, "label_bits": 16}),
            ("rich", {"bits": 22, "label_bits": 16}),
        )
    ]
    np.testing.assert_array_equal(fits[0].coef_, fits[1].coef_)
    assert fits[1].dual_objective_ != fits[2].dual_objective_


def test_own_features_of_arcs_are_used_as_they_are():
    rng = np.random.default_rng(4)
    X, y = [rng.normal(size=(4, 3, 5)) for _ in range(6)], [[2, 0, 2]] * 6
    fits = [
        DependencySVM(features=f, labelled=False).fit(X, y) for f in ("rich", "basic")
    ]
    assert fits[0].space_.rich_ is False
    assert fits[0].space_.size_psi_ == 5
    np.testing.assert_array_equal(fits[0].coef_, fits[1].coef_)
