"""Scores of clusterings against their definitions, pair by pair and item by item."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pystruct_ext.metrics import b_cubed, clustering_report, pairwise_scores


def by_definition(y, z):
    n = len(y)
    pairs = list(itertools.combinations(range(n), 2))
    true = {p for p in pairs if y[p[0]] == y[p[1]]}
    found = {p for p in pairs if z[p[0]] == z[p[1]]}
    precision = recall = 0.0
    for i in range(n):
        mine = {j for j in range(n) if y[j] == y[i]}
        here = {j for j in range(n) if z[j] == z[i]}
        precision += len(mine & here) / len(here) / n
        recall += len(mine & here) / len(mine) / n
    return len(true & found), len(true), len(found), precision, recall


@pytest.mark.parametrize("seed", range(10))
def test_against_the_definitions(seed):
    rng = np.random.default_rng(seed)
    y, z = rng.integers(0, 4, size=(2, 11))
    both, true, found, precision, recall = by_definition(y, z)
    pairs, items = pairwise_scores([y], [z]), b_cubed([y.tolist()], [z])
    assert (pairs.precision, pairs.recall) == pytest.approx((both / found, both / true))
    assert pairs.f1 == pytest.approx(2 * both / (true + found))
    assert (items.precision, items.recall) == pytest.approx((precision, recall))
    assert items.f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_examples_are_counted_together_with_weights():
    y, z = ["aab", "ccccd"], ["abb", (0, 0, 1, 1, 2)]
    twice = b_cubed([*y, y[1]], [*z, z[1]])
    assert b_cubed(y, z, [1, 2]) == twice
    assert pairwise_scores(y, z, [1, 2]) == pairwise_scores([*y, y[1]], [*z, z[1]])


def test_report():
    report = clustering_report([[0, 0, 1, 2]], [(5, 5, 1, 1)])
    assert (report.n_items, report.n_true, report.n_predicted) == (4, 3, 2)
    assert report.exact == pytest.approx(1 / 3)
    assert report.to_dict()["b_cubed"]["recall"] == 1
    perfect = clustering_report(["xxy"], ["aab"])
    assert perfect.ari == perfect.exact == perfect.pairs.f1 == 1
    assert "F1 100.00 %" in str(perfect)


def test_no_pairs_at_all():
    assert np.isnan(pairwise_scores(["ab"], ["xy"]).f1)
    assert b_cubed(["ab"], ["xy"]).f1 == 1


def test_bad_input():
    with pytest.raises(ValueError, match="y_true has 1 clusterings and y_pred 2"):
        b_cubed(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="y_pred: example 0 has 3 cluster ids"):
        pairwise_scores(["aa"], ["aaa"])
    with pytest.raises(ValueError, match="sample_weight has shape"):
        b_cubed(["aa"], ["aa"], [1, 2])
