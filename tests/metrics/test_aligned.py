"""Scores of parses over other words than those of the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pystruct_ext import DependencyTree
from pystruct_ext.metrics import aligned_attachment_report, attachment_report


def random_tree(rng, n):
    order = rng.permutation(n)
    heads = [0] * n
    for k in range(1, n):
        heads[order[k]] = int(order[rng.integers(k)]) + 1
    return DependencyTree(
        tuple(heads), tuple(rng.choice(["a", "b:c", "b"], n).tolist())
    )


def test_same_words_give_the_plain_scores():
    rng = np.random.default_rng(0)
    words = [["ab"] * n for n in (1, 4, 9)]
    gold = [random_tree(rng, len(w)) for w in words]
    made = [random_tree(rng, len(w)) for w in words]
    for strip in (False, True):
        want = attachment_report(gold, made, strip_subtypes=strip)
        seen = aligned_attachment_report(words, gold, words, made, strip)
        assert (seen.uas, seen.las) == pytest.approx((want.uas, want.las))
        assert seen.words == 1
    assert seen.to_dict()["n_shared"] == 14
    assert "F1 of words 100.00 %" in str(seen)


def by_places(words_a, tree_a, words_b, tree_b):
    """Shared words, right heads and labels by sets of arcs between places."""

    def arcs(words, tree):
        ends = np.cumsum([len(w) for w in words]).tolist()
        at = [(end - len(w), end) for end, w in zip(ends, words, strict=True)]
        return {
            (place, at[h - 1] if h else "root", label)
            for place, h, label in zip(at, tree.heads, tree.labels, strict=True)
        }

    a, b = arcs(words_a, tree_a), arcs(words_b, tree_b)
    return (
        len({x[0] for x in a} & {x[0] for x in b}),
        len({x[:2] for x in a} & {x[:2] for x in b}),
        len(a & b),
    )


def test_other_words():
    rng = np.random.default_rng(1)
    seen_some = 0
    for _ in range(200):
        text = "".join(rng.choice(list("abc"), 8))
        sides = []
        for _ in range(2):
            cuts = np.flatnonzero(rng.random(7) < 0.6) + 1
            words = [text[i:j] for i, j in zip([0, *cuts], [*cuts, 8], strict=True)]
            sides.append((words, random_tree(rng, len(words))))
        (a, ta), (b, tb) = sides
        report = aligned_attachment_report([a], [ta], [b], [tb])
        shared, heads, labels = by_places(a, ta, b, tb)
        n = len(a) + len(b)
        assert report.n_shared == shared
        assert report.words == pytest.approx(2 * shared / n)
        assert report.uas == pytest.approx(2 * heads / n)
        assert report.las == pytest.approx(2 * labels / n)
        seen_some += heads > 0
    assert seen_some > 20


def test_errors():
    one, two = [DependencyTree((0,))], [DependencyTree((2, 0))]
    report = aligned_attachment_report([["ab"]], one, [["a b"]], one)
    assert report.uas == 1
    assert math.isnan(report.las)
    assert math.isnan(aligned_attachment_report([], [], [], []).words)
    with pytest.raises(ValueError, match="words_pred: example 0 is the text 'ac'"):
        aligned_attachment_report([["ab"]], one, [["a", "c"]], two)
    with pytest.raises(ValueError, match="y_pred: example 0 has 2 heads"):
        aligned_attachment_report([["ab"]], one, [["ab"]], two)
    with pytest.raises(ValueError, match="of one length, got 1, 1, 0, 1"):
        aligned_attachment_report([["ab"]], one, [], one)
