"""Features of links: what the columns are, and that no sentence knows its own links."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from pystruct_ext.estimators import MatchingSVM
from pystruct_ext.metrics import link_report
from pystruct_ext.outputs import Links
from pystruct_ext.persistence import load, save
from pystruct_ext.word_alignment import AlignmentFeatures, WordAligner
from pystruct_ext.word_alignment._bends import Bends
from pystruct_ext.word_alignment._columns import Columns, Spelling, add_surroundings
from pystruct_ext.word_alignment._cooccurrence import Cooccurrence
from pystruct_ext.word_alignment._corpus import Corpus, index_of
from pystruct_ext.word_alignment._grid import Grid
from pystruct_ext.word_alignment._lexicon import COLUMNS, Keys, Lexicon
from pystruct_ext.word_alignment._strings import similarities

WORDS = ["house", "dog", "old", "the", "sees", "eats", "red", "cat", "fish", "42", "."]
OTHER = [
    "haus",
    "hund",
    "alt",
    "das",
    "sieht",
    "isst",
    "rot",
    "katze",
    "fisch",
    "42",
    ".",
]


def sentences(n=40, seed=0, longest=7):
    rng = np.random.default_rng(seed)
    X, Y = [], []
    for _ in range(n):
        k = rng.integers(len(WORDS), size=rng.integers(2, longest + 1))
        order = list(np.argsort(np.arange(len(k)) + rng.uniform(0, 1.5, len(k))))
        if len(order) > 2:
            order = order[: len(order) - int(rng.integers(2))]
        X.append(([WORDS[i] for i in k], [OTHER[k[i]] for i in order]))
        Y.append([(int(i), j) for j, i in enumerate(order)])
    return X, Y


@pytest.fixture(scope="module")
def fitted():
    X, Y = sentences()
    features = AlignmentFeatures()
    return features, X, Y, features.fit_transform(X, Y)


def column(features, problems, name):
    k = features.get_feature_names_out().tolist().index(name)
    values = np.concatenate([x.features[:, k] for x in problems]).astype(float)
    return values * features.scale_[k] + features.mean_[k]


def test_problems(fitted):
    features, X, _, problems = fitted
    names = features.get_feature_names_out()
    assert len(set(names)) == len(names) == features.mean_.size
    for x, (s, t) in zip(problems, X, strict=True):
        assert x.shape == (len(s), len(t))
        assert list(x.row_names) == s
        assert list(x.column_names) == t
        assert x.features.dtype == np.float32
        assert x.features.shape == (len(x.pairs), len(names))
        assert np.isfinite(x.features).all()
    values = np.concatenate([x.features for x in problems])
    assert np.abs(values.mean(axis=0)).max() < 0.2  # but for the few that are cut
    assert features.recall_ == 1


def test_a_matching_learns(fitted):
    features, _, Y, problems = fitted
    new, truth = sentences(30, seed=9)
    model = MatchingSVM(C=0.01).fit(problems, Y)
    assert link_report(truth, model.predict(features.transform(new))).f1 > 0.95


def test_columns_of_words(fitted):
    features, X, _, problems = fitted
    pairs = [
        (s[i], t[j], i, j, len(s), len(t))
        for x, (s, t) in zip(problems, X, strict=True)
        for i, j in x.pairs
    ]
    for name, value in {
        "same word": lambda a, b, *_: a == b,
        "both punctuation": lambda a, b, *_: a == b == ".",
        "one digits": lambda a, b, *_: (a == "42") != (b == "42"),
        "distance": lambda a, b, i, j, n, m: abs((i + 0.5) / n - (j + 0.5) / m),
        "both last": lambda a, b, i, j, n, m: i == n - 1 and j == m - 1,
        "same 3 letters": lambda a, b, *_: len(a) >= 3 and a[:3] == b[:3],
    }.items():
        want = [float(value(*p)) for p in pairs]
        np.testing.assert_allclose(column(features, problems, name), want, atol=1e-4)


def test_posteriors_are_the_aligners(fitted):
    features, X, _, problems = fitted
    found = features.aligners_[1].posteriors(X)
    forward = np.concatenate(
        [f[tuple(x.pairs.T)] for f, x in zip(found.forward, problems, strict=True)]
    )
    got = column(features, problems, "4 letters hmm forward")
    np.testing.assert_allclose(got, forward, atol=1e-4)


def test_dice_by_counting(fitted):
    features, X, _, problems = fitted
    got = column(features, problems, "word dice")
    want = []
    for x, (s, t) in zip(problems, X, strict=True):
        for i, j in x.pairs:
            both = sum(s[i] in a and t[j] in b for a, b in X)
            one = sum(s[i] in a for a, _ in X) + sum(t[j] in b for _, b in X)
            want.append(2 * both / one)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_no_sentence_knows_its_own_links(fitted):
    """Other links of one sentence do not change its own features, but those of others."""
    features, X, Y, problems = fitted
    k = 5
    changed = [list(y) for y in Y]
    changed[k] = [(i, len(X[k][1]) - 1 - j) for i, j in Y[k]]
    assert changed[k] != Y[k]
    plain = []
    for links in (Y, changed):
        features = AlignmentFeatures(candidates=None)
        problems = features.fit_transform(X, links)
        plain.append([x.features * features.scale_ + features.mean_ for x in problems])
    names = features.get_feature_names_out()
    # A regression on the others, whose rates have changed, may score it differently.
    first_look = np.array([n.startswith("first look") for n in names])
    before, after = (np.where(first_look, 0, values[k]) for values in plain)
    np.testing.assert_allclose(before, after, atol=1e-4)
    assert np.abs(plain[0][0] - plain[1][0])[:, ~first_look].max() > 0.01


def test_hidden_links_are_those_of_a_new_sentence():
    """Rates of a training sentence are what they would be had it not been counted."""
    X, Y = sentences(12, seed=3)

    def keys(pairs):
        s = [w for a, _ in pairs for w in a]
        t = [w for _, b in pairs for w in b]
        grid = Grid(Corpus.of(pairs, index_of(s), index_of(t)))
        return Keys(s, t, grid.at_source, grid.at_target, grid.sentence)

    def linked(pairs, links):
        return np.concatenate(
            [
                [(i, j) in y for i in range(len(a)) for j in range(len(b))]
                for (a, b), y in zip(pairs, links, strict=True)
            ]
        ).astype(float)

    def smoothed(lexicon, values):
        """The first column is smoothed by the overall rate: links again."""
        r = lexicon.links_.sum() / lexicon.counts_.sum()
        return np.exp(values[:, 0]) * r * (np.expm1(values[:, 1]) + 1) - r

    whole = Lexicon().fit(keys(X), linked(X, Y))
    got = whole.features(keys(X), linked(X, Y))
    assert got.shape == (len(linked(X, Y)), len(COLUMNS))
    at = 0
    for k in range(len(X)):
        rest = X[:k] + X[k + 1 :], Y[:k] + Y[k + 1 :]
        other = Lexicon().fit(keys(rest[0]), linked(*rest))
        want = other.features(keys([X[k]]))
        own = got[at : at + len(want)]
        np.testing.assert_allclose(
            smoothed(whole, own), smoothed(other, want), atol=1e-9
        )
        np.testing.assert_allclose(own[:, 1:], want[:, 1:], atol=1e-9)
        at += len(want)


def test_without_links_there_are_no_rates():
    X, Y = sentences(10)
    plain = AlignmentFeatures().fit(X)
    assert np.isnan(plain.recall_)
    assert not plain.lexicons_
    more = AlignmentFeatures().fit(X, Y).get_feature_names_out().tolist()
    less = plain.get_feature_names_out().tolist()
    assert set(less) < set(more)
    assert {n.split(":")[0] for n in set(more) - set(less) if ":" in n} == {
        "word", "first letters", "ending",
    }  # fmt: skip
    one_look = AlignmentFeatures(second_look=False).fit(X, Y).get_feature_names_out()
    assert not any(n.startswith("first look") for n in one_look)
    assert any(n.startswith("first look") for n in more)


def test_candidates():
    X, Y = sentences(10, longest=11)
    few = AlignmentFeatures(candidates=2).fit_transform(X, Y)
    every = AlignmentFeatures(candidates=None).fit_transform(X, Y)
    for x, z, (s, t) in zip(few, every, X, strict=True):
        assert len(z.pairs) == len(s) * len(t)
        rows, columns = (np.bincount(x.pairs[:, k]) for k in (0, 1))
        assert len(rows) == len(s)
        assert len(columns) == len(t)
        assert min(rows) >= min(2, len(t))
        assert min(columns) >= min(2, len(s))
        assert len(x.pairs) <= 2 * (len(s) + len(t))


def test_unlabelled_text_is_text_for_the_aligners():
    X, Y = sentences(10)
    features = AlignmentFeatures().fit(X, Y, unlabelled=[(["extra"], ["zusatz"])])
    assert "extra" in features.aligners_[0].source_words_
    assert "zusatz" in features.cooccurrence_[0].target_words_
    assert "zusatz" not in features.lexicons_[0].target_keys_


def test_unknown_words_and_single_words(fitted):
    features, *_ = fitted
    (x,) = features.transform([(["Unheard", "of"], ["nie"])])
    assert len(x.pairs) == 2
    assert np.isfinite(x.features).all()
    assert features.transform([]) == []


def test_transform_takes_sentences_one_by_one(fitted):
    features, X, *_ = fitted
    for one, many in zip(
        [features.transform([p])[0] for p in X[:4]],
        features.transform(X[:4]),
        strict=True,
    ):
        np.testing.assert_array_equal(one.pairs, many.pairs)
        np.testing.assert_allclose(one.features, many.features, atol=1e-4)


def test_bends():
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.normal(size=200), rng.integers(2, size=200)])
    values = values.astype(np.float32)
    bends = Bends(4).fit(values)
    assert set(bends.columns_.tolist()) == {0}
    got = bends.transform(values)
    for k, at in enumerate(bends.at_):
        np.testing.assert_allclose(
            got[:, k], np.maximum(values[:, 0] - at, 0), atol=1e-6
        )
    assert all(re.fullmatch(r"a above -?[\d.e-]+", n) for n in bends.names(["a", "b"]))
    X, Y = sentences(10)
    features = AlignmentFeatures(bends=3)
    problems = features.fit_transform(X, Y)
    names = features.get_feature_names_out()
    assert problems[0].features.shape[1] == len(names)
    assert any(" above " in n for n in names)
    assert problems[0].features.shape == features.transform(X)[0].features.shape


def test_clone_pickle_and_model_file(fitted, tmp_path):
    features, X, *_ = fitted
    assert clone(features).get_params() == features.get_params()
    with pytest.raises(NotFittedError):
        clone(features).transform(X)
    bent = AlignmentFeatures((3,), bends=2, lexicon=False, aligner=WordAligner("ibm1"))
    bent.fit(*sentences(8))
    for k, f in enumerate((features, bent)):
        save(f, tmp_path / f"{k}.psx")
        for other in (pickle.loads(pickle.dumps(f)), load(tmp_path / f"{k}.psx")):
            for a, b in zip(f.transform(X[:3]), other.transform(X[:3]), strict=True):
                np.testing.assert_array_equal(a.features, b.features)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("names_", ["a"]),
        ("mean_", np.zeros(3)),
        ("aligners_", []),
        ("first_coef_", np.ones(4)),
        ("lexicons_", [1, 2, 3]),
    ],
)
def test_what_is_loaded_is_checked(fitted, name, value):
    features = pickle.loads(pickle.dumps(fitted[0]))
    features.check_loaded()
    setattr(features, name, value)
    with pytest.raises(ValueError, match=f"AlignmentFeatures.{name}"):
        features.check_loaded()


def test_links_objects_and_case():
    X, Y = sentences(8)
    upper = [([w.upper() for w in s], [w.title() for w in t]) for s, t in X]
    a = AlignmentFeatures().fit_transform(X, Y)
    b = AlignmentFeatures().fit_transform(upper, [Links(y) for y in Y])
    for x, z in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.features, z.features)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prefixes": ()}, "prefixes must be a tuple of numbers of letters"),
        ({"prefixes": (0,)}, "prefixes must hold whole numbers from 1 or None, got 0"),
        ({"prefixes": (4, 4)}, "prefixes has one twice"),
        ({"candidates": 0}, "candidates must be at least 1 or None, got 0"),
        ({"bends": 1}, "bends must be 0 or at least 2, got 1"),
        ({"aligner": "hmm"}, "aligner must be a WordAligner, got a str"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        AlignmentFeatures(**params).fit(*sentences(4))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[(0, 0)]], "y has 1 examples, but X has 2"),
        (
            [[(0, 0)], [(1, 0)]],
            r"y\[1\] links 1 and 0, but the sentences have 1 and 1 words",
        ),
        ([[(0, 0), (0, 0)], []], r"y\[0\] has a link twice"),
        ([[(0, 0, 0)], []], r"y\[0\] is .* expected pairs of positions"),
        ([[(0, 0), (0,)], []], r"y\[0\] is .* expected pairs of positions"),
        ([[0], []], r"y\[0\] is .* expected pairs of positions"),
        ([[(0.5, 0)], []], r"y\[0\] is .* expected pairs of positions"),
    ],
)
def test_bad_links(y, message):
    with pytest.raises(ValueError, match=message):
        AlignmentFeatures().fit([(["a"], ["b"]), (["c"], ["d"])], y)


# Spelling.

words = st.lists(st.text("abcé😀", max_size=6), min_size=1, max_size=4)


def jaro_winkler(a, b):
    """From the definition."""
    if not a or not b:
        return float(a == b)
    window = max(max(len(a), len(b)) // 2 - 1, 0)
    used, first = set(), []
    for i, c in enumerate(a):
        for j, d in enumerate(b):
            if c == d and j not in used and abs(i - j) <= window:
                used.add(j)
                first.append(c)
                break
    if not first:
        return 0.0
    second = [b[j] for j in sorted(used)]
    moved = sum(c != d for c, d in zip(first, second, strict=True)) // 2
    k = len(first)
    jaro = (k / len(a) + k / len(b) + (k - moved) / k) / 3
    prefix = 0
    while prefix < min(4, len(a), len(b)) and a[prefix] == b[prefix]:
        prefix += 1
    return jaro + 0.1 * prefix * (1 - jaro)


def lcs(a, b):
    if not a or not b:
        return 0
    if a[0] == b[0]:
        return 1 + lcs(a[1:], b[1:])
    return max(lcs(a[1:], b), lcs(a, b[1:]))


@settings(deadline=None, max_examples=40)
@given(words, words)
def test_similarities_by_definition(first, second):
    left, right = (
        k.ravel() for k in np.meshgrid(range(len(first)), range(len(second)))
    )
    got = similarities(first, second, left.astype(np.int64), right.astype(np.int64))
    for k, (i, j) in enumerate(zip(left, right, strict=True)):
        a, b = first[i], second[j]
        longest = max(len(a), len(b))
        assert got[k, 0] == pytest.approx(lcs(a, b) / longest if longest else 1.0)
        assert got[k, 1] == pytest.approx(jaro_winkler(a, b))
        same = [c == d for c, d in zip(a, b, strict=False)]
        assert got[k, 2] == [*same, False].index(False)


# Grids, by looking at each edge.


def grid_of(shapes):
    pairs = [
        ([f"s{i}" for i in range(n)], [f"t{j}" for j in range(m)]) for n, m in shapes
    ]
    index = {f"{c}{k}": k for c in "st" for k in range(9)}
    return Grid(Corpus.of(pairs, index, index))


@pytest.mark.parametrize("ties", [False, True])
def test_grid_by_tables(ties):
    shapes = [(2, 3), (1, 1), (4, 2), (3, 5), (1, 4)]
    grid = grid_of(shapes)
    rng = np.random.default_rng(0)
    values = rng.uniform(0.1, 1, len(grid))
    if ties:
        values = np.round(values * 2) / 2
    at = 0
    row, col = grid.rivals(values)
    ranks = grid.ranks(values)
    for k, (n, m) in enumerate(shapes):
        table = values[at : at + n * m].reshape(n, m)
        for i in range(n):
            for j in range(m):
                e = at + i * m + j
                assert (grid.sentence[e], grid.i[e], grid.j[e]) == (k, i, j)
                assert row[e] == max(np.delete(table[i], j), default=0)
                assert col[e] == max(np.delete(table[:, j], i), default=0)
                if not ties:
                    assert ranks[0][e] == (table[i] > table[i, j]).sum()
                    assert ranks[1][e] == (table[:, j] > table[i, j]).sum()
        at += n * m
    for di, dj in ((0, 1), (-1, 0), (1, 1), (2, -2)):
        shifted = grid.shifted(values, di, dj)
        for e in range(len(grid)):
            same = np.flatnonzero(
                (grid.sentence == grid.sentence[e])
                & (grid.i == grid.i[e] + di)
                & (grid.j == grid.j[e] + dj)
            )
            assert shifted[e] == (values[same[0]] if len(same) else 0)


def test_bends_of_neighbours():
    """Where the neighbour's best link points, the next word is expected to go on."""
    grid = grid_of([(3, 4)])
    table = np.zeros((3, 4))
    table[0, 1] = table[2, 3] = 0.9
    columns = Columns(np.arange(12))
    add_surroundings(columns, grid, "p", table.ravel())
    at = columns.names.index
    bend = columns.values[at("p bend of row")].reshape(3, 4)
    # Word 1 between 0 -> 1 and 2 -> 3 is expected at 2.
    assert bend[1].tolist() == [2, 1, 0, 1]
    # Word 0 has word 1 after it, which points nowhere, and nothing before it.
    assert bend[0].tolist() == [7, 7, 7, 7]


def test_cooccurrence_of_unknown_words():
    counts = Cooccurrence().fit([(["a", "a"], ["b"]), (["a"], ["c"])])
    assert counts.counts([(["a", "z"], ["b", "z"])])[0].tolist() == [2, 0]
    grid = Grid(Corpus.of([(["a", "z"], ["b", "z"])], {"a": 0}, {"b": 0}))
    assert counts.dice([(["a", "z"], ["b", "z"])], grid).tolist() == [2 / 3, 0, 0, 0]


def test_same_words():
    grid = grid_of([(2, 2)])
    spelling = Spelling(["ab", "a"], ["a", "ab"], grid)
    assert spelling.same.tolist() == [False, True, True, False]


def test_a_pipeline_of_words_and_links():
    X, Y = sentences(20)
    new, _ = sentences(3, seed=4)
    model = make_pipeline(AlignmentFeatures(), MatchingSVM(C=0.01))
    model.fit(X, Y, alignmentfeatures__unlabelled=new)
    features = AlignmentFeatures()
    svm = MatchingSVM(C=0.01).fit(features.fit_transform(X, Y, unlabelled=new), Y)
    assert model.predict(new) == svm.predict(features.transform(new))
