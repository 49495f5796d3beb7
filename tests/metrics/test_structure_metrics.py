"""Metrics of trees, folds, segments and alignments: hand-worked cases and bad input."""

from __future__ import annotations

from math import isnan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext import DependencyTree, Sentence, Tree
from pystruct_ext.metrics import (
    alignment_report,
    attachment_report,
    base_pair_report,
    bracket_report,
    q_score,
    segment_overlap,
    segment_report,
)


def test_attachment():
    gold = [
        DependencyTree((2, 0, 2, 2), ("nsubj", "root", "obj:pass", "punct")),
        DependencyTree((0,), ("root",)),
    ]
    found = [
        DependencyTree((2, 0, 2, 1), ("nsubj", "root", "obj", "punct")),
        DependencyTree((0,), ("root",)),
    ]
    X = [
        Sentence(("a", "b", "c", "."), ("N", "V", "N", "PUNCT")),
        Sentence(("b",), ("V",)),
    ]
    report = attachment_report(gold, found)
    # Heads: 4 of 5; heads and labels: words 1, 2 and the second sentence, 3 of 5.
    assert (report.uas, report.las) == (4 / 5, 3 / 5)
    assert (report.exact_unlabelled, report.exact_labelled) == (1 / 2, 1 / 2)
    assert report.label_accuracy == 4 / 5
    without = attachment_report(gold, found, X, punctuation=False)
    assert (without.uas, without.las, without.n_words) == (1.0, 3 / 4, 4)
    assert attachment_report(gold, found, strip_subtypes=True).las == 4 / 5
    heads = attachment_report([(2, 0)], [(0, 1)])
    assert heads.uas == 0
    assert isnan(heads.las)
    assert "UAS 80.00 %" in str(report)
    assert report.to_dict()["n_sentences"] == 2


def test_attachment_errors():
    with pytest.raises(ValueError, match="needs X"):
        attachment_report([(0,)], [(0,)], punctuation=False)
    with pytest.raises(ValueError, match="y_pred: example 0 has 2 words, expected 1"):
        attachment_report([(0,)], [(0, 1)])
    with pytest.raises(ValueError, match="y_true has 1 sentences and y_pred 0"):
        attachment_report([(0,)], [])


def test_brackets_by_hand():
    gold = Tree.parse(
        "(TOP (S (NP (DT the) (NN cat)) (VP (VBD sat) (PP (IN on) (NP (NN mats)))) (. .)))"
    )
    found = Tree.parse(
        "(TOP (S (NP (DT the) (NN cat) (VBD sat)) (PP (IN on) (NP (NN mats))) (. .)))"
    )
    report = bracket_report([gold], [found])
    # Without TOP and ".", true brackets: S 0-5, NP 0-2, VP 2-5, PP 3-5, NP 4-5.
    # Predicted: S 0-5, NP 0-3, PP 3-5, NP 4-5; three are right, NP 0-3 crosses VP 2-5.
    assert (report.n_gold, report.n_predicted, report.n_correct) == (5, 4, 3)
    assert report.f1 == 6 / 9
    assert (report.average_crossing, report.no_crossing) == (1.0, 0.0)
    assert (report.two_or_less_crossing, report.exact_match) == (1.0, 0.0)
    assert report.tagging_accuracy == 1.0


def test_brackets_conventions():
    adverb = Tree.parse("(S (ADVP (RB up)) (VP (V go)))")
    particle = Tree.parse("(S (PRT (RB up)) (VP (V go)))")
    assert bracket_report([adverb], [particle]).f1 == 1.0
    assert bracket_report([adverb], [particle], equal_labels={}).f1 == 2 / 3
    # A constituent of punctuation only vanishes.
    quoted = Tree.parse("(S (X (`` `)) (VP (V go)))")
    plain = Tree.parse("(S (`` `) (VP (V go)))")
    assert bracket_report([quoted], [plain]).exact_match == 1.0
    # Unary repetitions are a multiset.
    twice = Tree.parse("(S (S (VP (V go))))")
    once = Tree.parse("(S (VP (V go)))")
    assert bracket_report([twice], [once]).recall == 2 / 3
    with pytest.raises(ValueError, match="example 0 has 1 words, expected 2"):
        bracket_report([adverb], [once])


def test_base_pairs():
    report = base_pair_report(
        ["((...))..", "[.<..].>."], ["((...)).."[::1], "(....)..."]
    )
    # True: 2 + 2 pairs (crossing ones count), predicted 2 + 1, right 2 + 1.
    assert (report.n_true, report.n_predicted, report.n_correct) == (4, 3, 3)
    assert (report.sensitivity, report.ppv) == (3 / 4, 1.0)
    tp, fp, fn, tn = 3, 0, 1, 2 * 36 - 4
    expected = (tp * tn - fp * fn) / sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert report.mcc == pytest.approx(expected)
    assert report.mean_f1 == pytest.approx((1 + 2 / 3) / 2)
    shifted = base_pair_report(["((...))"], ["(.(.).)"], slip=0)
    assert shifted.f1 == 0.5
    assert base_pair_report([".(....)"], ["(.....)"]).f1 == 0
    assert base_pair_report([".(....)"], ["(.....)"], slip=1).f1 == 1
    assert base_pair_report(["...."], ["...."]).mean_f1 == 1
    with pytest.raises(ValueError, match="y_pred: example 0: '\\)' at position 1"):
        base_pair_report(["()"], [")("])


def test_secondary_structure_by_hand():
    assert q_score(["HHHEC"], ["HHEEC"]) == {"all": 0.8, "C": 1.0, "E": 1.0, "H": 2 / 3}
    # Zemla et al. 1999: one helix of ten, predicted two shifted: minov 8, maxov 12,
    # delta min(4, 8, 5, 5) = 4, so (8 + 4) / 12 = 1.
    true, found = "CC" + "H" * 10 + "CCC", "CCCC" + "H" * 10 + "C"
    assert segment_overlap([true], [found])["H"] == 1.0
    # Split in two: pairs (5, 5) and (4, 4) of ten: minov 5, maxov 10, delta min(5, 5, 5, 2)
    # = 2 gives 0.7; minov 4, maxov 10, delta min(6, 4, 5, 2) = 2 gives 0.6; N counts 20.
    split = segment_overlap(["H" * 10], ["HHHHHCHHHH"])
    assert split["H"] == pytest.approx((0.7 + 0.6) * 10 / 20)
    # A true segment without any prediction counts its length once.
    assert segment_overlap(["HHHHCC"], ["CCCCCC"])["H"] == 0
    with pytest.raises(ValueError, match="example 0 has 2 labels, expected 3"):
        q_score(["HHH"], ["HH"])


def test_segments_and_alignments():
    report = segment_report(
        [[(0, 2, "a"), (2, 3, "O")]], [[(0, 1, "a"), (1, 2, "b"), (2, 3, "O")]], "O"
    )
    assert (report.n_true, report.n_predicted, report.n_correct) == (1, 2, 0)
    assert report.token_accuracy == 2 / 3
    aligned = alignment_report([(0, 2, -1), (-1,)], [(1, 2, 3), (-1,)])
    assert (aligned.recall, aligned.precision) == (1 / 2, 1 / 3)
    assert aligned.mean_recall == 1 / 2
    assert alignment_report([(0, 2)], [(1, 2)], shift=1).recall == 1
    with pytest.raises(ValueError, match="example 0 has 1 entries, expected 2"):
        alignment_report([(0, 1)], [(0,)])


@given(st.lists(st.text("HEC", min_size=1, max_size=12), min_size=1, max_size=4))
def test_perfect_is_one(y):
    assert q_score(y, y)["all"] == 1
    assert segment_overlap(y, y)["all"] == pytest.approx(1)


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=6), st.data())
def test_exchange_of_precision_and_recall(a, data):
    b = data.draw(st.lists(st.integers(-1, 4), min_size=len(a), max_size=len(a)))
    one, other = alignment_report([a], [b]), alignment_report([b], [a])
    assert (one.recall == other.precision) or (
        isnan(one.recall) and isnan(other.precision)
    )
