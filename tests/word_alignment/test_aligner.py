"""The aligner: its expectations, its objective, what it finds, what it refuses."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from pystruct_ext.persistence import load, save
from pystruct_ext.word_alignment import HEURISTICS, WordAligner, symmetrize
from pystruct_ext.word_alignment._em import (
    diagonal_expectations,
    diagonal_moments,
    hmm_expectations,
    jump_normalisers,
)

_TWIN = Path(__file__).parent.parent / "reference" / "ref_word_aligner.py"
spec = importlib.util.spec_from_file_location("ref_word_aligner", _TWIN)
twin = importlib.util.module_from_spec(spec)
spec.loader.exec_module(twin)


def text(
    seed=0, n=40, words=12, longest=6, first="abcdefghijkl", second="nopqrstuvwxyz"
):
    """Sentence pairs of a planted dictionary, reordered a little, with words dropped."""
    rng = np.random.default_rng(seed)
    pairs, links = [], []
    for _ in range(n):
        source = rng.integers(words, size=rng.integers(2, longest + 1))
        order = list(
            np.argsort(np.arange(len(source)) + rng.uniform(0, 1.2, len(source)))
        )
        if len(order) > 2 and rng.random() < 0.3:
            order.pop(int(rng.integers(len(order))))
        pairs.append(([first[k] for k in source], [second[source[k]] for k in order]))
        links.append([(int(i), j) for j, i in enumerate(order)])
    return pairs, links


def arrays(pairs, t):
    rows = np.array([len(e) for e, _ in pairs])
    columns = np.array([len(f) for _, f in pairs])
    return rows, columns, np.array([t[e][f] for s, g in pairs for e in s for f in g])


def random_tables(seed):
    pairs, _ = text(seed, n=4, words=4, longest=4)
    rng = np.random.default_rng(seed)
    e = sorted({w for s, _ in pairs for w in s})
    f = sorted({w for _, s in pairs for w in s})
    t = {a: dict(zip(f, rng.dirichlet(np.ones(len(f))), strict=True)) for a in e}
    null = dict(zip(f, rng.dirichlet(np.ones(len(f))), strict=True))
    return pairs, t, null, rng


def flat(tables):
    return np.array([x for table in tables for row in table for x in row])


@pytest.mark.parametrize("seed", range(3))
def test_diagonal_expectations_are_the_twins(seed):
    pairs, t, null, _ = random_tables(seed)
    rows, columns, probability = arrays(pairs, t)
    of_null = np.array([null[w] for _, f in pairs for w in f])
    want, nulls, value = twin.diagonal_posteriors(pairs, t, null, 3.0, 0.1)
    got = diagonal_expectations(rows, columns, probability, of_null, False, 3.0, 0.1)
    np.testing.assert_allclose(got[0], value)
    np.testing.assert_allclose(got[1], flat(want), atol=1e-13)
    np.testing.assert_allclose(got[2], [x for row in nulls for x in row], atol=1e-13)
    moment = sum(
        p * twin.positions(i, len(table), j, len(row))
        for table in want
        for i, row in enumerate(table)
        for j, p in enumerate(row)
    )
    np.testing.assert_allclose(got[3], moment)
    # Rows generated from columns: the same of the transposed sentences.
    turned = [(f, e) for e, f in pairs]
    back = diagonal_expectations(
        columns, rows, arrays(turned, {f: {e: t[e][f] for e in t} for f in null})[2],
        of_null, True, 3.0, 0.1,
    )  # fmt: skip
    np.testing.assert_allclose(back[0], value)
    np.testing.assert_allclose(
        back[1],
        [row[j] for table in want for j in range(len(table[0])) for row in table],
    )


@pytest.mark.parametrize("seed", range(3))
def test_hmm_expectations_sum_over_all_paths(seed):
    pairs, t, null, rng = random_tables(seed)
    jump = rng.dirichlet(np.ones(5))
    rows, columns, probability = arrays(pairs, t)
    of_null = np.array([null[w] for _, f in pairs for w in f])
    want, nulls, value = twin.hmm_posteriors(pairs, t, null, jump, 2, 0.2)
    got = hmm_expectations(rows, columns, probability, of_null, False, jump, 0.2)
    np.testing.assert_allclose(got[0], value)
    np.testing.assert_allclose(got[1], flat(want), atol=1e-12)
    np.testing.assert_allclose(got[2], [x for row in nulls for x in row], atol=1e-12)
    # Every word that is not generated from NULL has been jumped to.
    np.testing.assert_allclose(got[3].sum(), flat(want).sum())
    np.testing.assert_allclose(got[4].sum(), flat(want).sum())
    # By the logarithm of a jump the likelihood changes by its count less its normalisers'.
    slope = got[3] / jump - jump_normalisers(rows, got[4], jump)[1]
    for k in range(5):
        step = np.zeros(5)
        step[k] = 1e-6
        up, down = (
            hmm_expectations(rows, columns, probability, of_null, False, jump + s, 0.2)[
                0
            ]
            for s in (step, -step)
        )
        np.testing.assert_allclose((up - down) / 2e-6, slope[k], rtol=1e-4, atol=1e-6)
    turned = [(f, e) for e, f in pairs]
    back = hmm_expectations(
        columns, rows, arrays(turned, {f: {e: t[e][f] for e in t} for f in null})[2],
        of_null, True, jump, 0.2,
    )  # fmt: skip
    np.testing.assert_allclose(back[0], value)


def test_moments_are_derivatives():
    rows, columns = np.array([3, 5, 1]), np.array([4, 2, 3])
    mass = np.random.default_rng(0).uniform(size=9)
    log_z, mean, variance = diagonal_moments(rows, columns, mass, False, 2.0)
    up = diagonal_moments(rows, columns, mass, False, 2.0 + 1e-5)
    np.testing.assert_allclose((up[0] - log_z) / 1e-5, -mean, rtol=1e-4)
    np.testing.assert_allclose((up[1] - mean) / 1e-5, -variance, rtol=1e-3)


def test_model_1_is_the_twins():
    pairs, _ = text(3, n=12, words=5)
    t, null, history = twin.model_1(pairs, 6, 0.15)
    a = WordAligner("ibm1", ibm1_iter=6, null=0.15, spelling=0, agreement=False).fit(
        pairs
    )
    np.testing.assert_allclose(a.objective_[0][0], history)
    m = len(a.target_words_)
    for code, found in zip(a.pairs_, a.translation_[0, 0], strict=True):
        want = t[a.source_words_[code // m]][a.target_words_[code % m]]
        np.testing.assert_allclose(found, want, atol=1e-12)
    np.testing.assert_allclose(
        a.null_[0, 0, :m], [null[w] for w in a.target_words_], atol=1e-12
    )


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"spelling": 0},
        {"alpha": 0.01},
        {"alpha": 0.3, "tension": 2.0},
        {"alpha": 1e-5, "width": 2},
        {"prefix": 1, "null": 0.4},
    ],
)
def test_the_objective_never_falls(params):
    # Some letters are shared by the languages, so that spelling says something.
    pairs, _ = text(1, first="abcdefghijkl", second="abcdnopqrstuv")
    a = WordAligner(agreement=False, ibm1_iter=8, diagonal_iter=8, hmm_iter=8, **params)
    a.fit(pairs)
    for direction in a.objective_:
        assert [len(values) for values in direction] == [9, 9, 9]
        for values in direction:
            assert np.isfinite(values).all()
            assert (np.diff(values) > -1e-8 * abs(values[0])).all()
            assert values[-1] > values[0]


@pytest.mark.parametrize("model", ["ibm1", "diagonal", "hmm"])
@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_posteriors_sum_to_one_with_null(model, alpha):
    pairs, _ = text(2)
    a = WordAligner(alpha=alpha).fit(pairs)
    found = a.posteriors([*pairs, (["new", "a"], ["n", "unseen", "words"])], model)
    assert len(found) == len(pairs) + 1
    for f, b, both in zip(
        found.forward, found.backward, found.agreement(), strict=True
    ):
        assert f.min() >= 0
        assert b.min() >= 0
        assert f.sum(axis=0).max() < 1 + 1e-9
        assert b.sum(axis=1).max() < 1 + 1e-9
        np.testing.assert_allclose(both, f * b)


@pytest.mark.parametrize("agreement", [False, True])
@pytest.mark.parametrize("model", ["diagonal", "hmm"])
def test_a_planted_dictionary_is_found(model, agreement):
    pairs, links = text(5, n=150)
    a = WordAligner(model, agreement=agreement, spelling=0).fit(pairs)
    m = len(a.target_words_)
    for side, words in ((0, a.source_words_), (1, a.target_words_)):
        best: dict = {}
        for code, t in zip(a.pairs_, a.translation_[-1, side], strict=True):
            pair = a.source_words_[code // m], a.target_words_[code % m]
            best[pair[side]] = max(best.get(pair[side], (0, "")), (t, pair[1 - side]))
        for k, word in enumerate(words):
            assert best[word][1] == (a.target_words_, a.source_words_)[side][k]
    found = a.predict(pairs, "intersection")
    right = sum(
        len(set(map(tuple, p.tolist())) & set(y))
        for p, y in zip(found, links, strict=True)
    )
    n_found, n_true = sum(map(len, found)), sum(map(len, links))
    assert 2 * right / (n_found + n_true) > 0.9


def test_sentences_that_were_trained_on_need_no_training():
    """What comes out of the last round is what new sentences get."""
    pairs, _ = text(6)
    a = WordAligner(agreement=False).fit(pairs)
    total = a.posteriors(pairs).forward
    again = a.posteriors(pairs[:3]).forward
    for x, y in zip(total, again, strict=False):
        np.testing.assert_array_equal(x, y)


def test_order_of_the_sentences_does_not_matter():
    pairs, _ = text(7)
    a, b = WordAligner().fit(pairs), WordAligner().fit(pairs[::-1])
    np.testing.assert_array_equal(a.pairs_, b.pairs_)
    np.testing.assert_allclose(a.translation_, b.translation_, atol=1e-9)


def test_spelling_helps_words_seen_once():
    pairs = [
        (["the", "parliament"], ["das", "parlament"]),
        (["the", "end"], ["das", "ende"]),
    ]
    a = WordAligner("ibm1", ibm1_iter=2).fit(pairs)
    found = a.posteriors(pairs).forward[0]
    assert found[1, 1] > 0.9
    even = WordAligner("ibm1", ibm1_iter=2, spelling=0).fit(pairs[:1])
    assert even.posteriors(pairs[:1]).forward[0][1, 1] < 0.5


def test_clone_pickle_and_model_file(tmp_path):
    pairs, _ = text(8)
    a = WordAligner(prefix=2, hmm_iter=2).fit(pairs)
    assert clone(a).get_params() == a.get_params()
    save(a, tmp_path / "a.psx")
    for b in (pickle.loads(pickle.dumps(a)), load(tmp_path / "a.psx")):
        for x, y in zip(a.predict(pairs), b.predict(pairs), strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": "ibm4"}, "model must be one of ibm1, diagonal, hmm, got 'ibm4'"),
        ({"hmm_iter": 0}, "hmm_iter must be at least 1, got 0"),
        ({"alpha": -1}, "alpha must be at least 0 and finite, got -1"),
        ({"spelling": np.inf}, "spelling must be at least 0 and finite, got inf"),
        ({"null": 0}, "null must lie between 0 and 1, got 0"),
        ({"tension": "none"}, "tension must be 'learn' or a number from 0, got 'none'"),
        ({"prefix": 0}, "prefix must be at least 1, got 0"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        WordAligner(**params).fit([(["a"], ["b"])])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X holds no sentence pairs"),
        ([(["a"], ["b"]), (["a"], [])], r"X\[1\]: the target side has no words"),
        (
            [(["a"],)],
            r"X\[0\] is \(\['a'\],\), expected \(source words, target words\)",
        ),
        (
            [("a b", ["c"])],
            r"X\[0\]: the source side is a str, expected a list of words",
        ),
        ([(["a"], ["b", 3])], r"X\[0\]: target word 1 is a int, expected text"),
    ],
)
def test_bad_sentences(X, message):
    with pytest.raises((TypeError, ValueError), match=message):
        WordAligner().fit(X)


def test_a_model_that_was_not_trained():
    a = WordAligner("diagonal").fit(text(0)[0])
    with pytest.raises(ValueError, match="one of ibm1, diagonal, got 'hmm'"):
        a.posteriors(text(0)[0], "hmm")


# Symmetrisation.

tables = st.integers(1, 5).flatmap(
    lambda n: st.integers(1, 5).flatmap(
        lambda m: st.tuples(
            *[
                st.lists(st.booleans(), min_size=n * m, max_size=n * m).map(
                    lambda x, n=n, m=m: np.array(x).reshape(n, m)
                )
            ]
            * 2
        )
    )
)


@settings(deadline=None, max_examples=60)
@given(tables)
def test_heuristics_are_nested(both):
    f, b = both
    found = {h: symmetrize(f, b, h) for h in HEURISTICS}
    np.testing.assert_array_equal(found["intersection"], f & b)
    np.testing.assert_array_equal(found["union"], f | b)
    for small, large in (
        ("intersection", "grow-diag"),
        ("grow-diag", "grow-diag-final-and"),
        ("grow-diag", "grow-diag-final"),
        ("grow-diag-final", "union"),
        ("grow-diag-final-and", "union"),
    ):
        assert (found[large] | ~found[small]).all()
    # Where growing has stopped nothing beside a link is left that has a free word.
    g = found["grow-diag"]
    n, m = g.shape
    for i, j in np.argwhere((f | b) & ~g):
        if not g[i].any() or not g[:, j].any():
            assert not g[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].any()
    done = found["grow-diag-final-and"]
    for i, j in np.argwhere((f | b) & ~done):
        assert done[i].any() or done[:, j].any()
    assert n * m == f.size


def test_symmetrize_refuses():
    with pytest.raises(ValueError, match="heuristic must be one of intersection"):
        symmetrize(np.ones((1, 1)), np.ones((1, 1)), "grow")
    with pytest.raises(ValueError, match=r"shapes \(1, 2\) and \(2, 1\)"):
        symmetrize(np.ones((1, 2)), np.ones((2, 1)))
