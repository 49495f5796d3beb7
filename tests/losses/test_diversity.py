"""One form for all diversity measures, against their definitions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from pystruct_ext.losses import DIVERSITY_LOSSES, DiversityMetric
from pystruct_ext.metrics import greedy_ideal


def problem(seed, k=6, n=3):
    rng = np.random.default_rng(seed)
    relevance = rng.integers(0, 3, (k, n)) * (rng.random((k, n)) < 0.5)
    relevance[0, 0] = 1
    return relevance, rng.dirichlet(np.ones(n))


def by_hand(name, relevance, p, order, alpha):
    """The textbook sums, one place and one intent at a time."""
    total = 0.0
    for i, share in enumerate(p):
        grades = [int(relevance[d][i]) for d in order]
        everyone = np.sort(2.0 ** relevance[:, i] - 1)[::-1][: len(order)]
        ideal = sum(g / np.log2(r + 2) for r, g in enumerate(everyone))
        stay, seen = 1.0, 0
        for r, grade in enumerate(grades):
            if name == "alpha_ndcg" and grade:
                total += share * (1 - alpha) ** seen / np.log2(r + 2)
            elif name == "err_ia" and grade:
                total += share * stay * 0.5 / (r + 1)
            elif name == "intents" and grade and not seen:
                total += share
            elif name == "ndcg_ia" and ideal:
                total += share * (2.0**grade - 1) / np.log2(r + 2) / ideal
            stay *= 0.5 if grade else 1.0
            seen += bool(grade)
    return total


@pytest.mark.parametrize("name", DIVERSITY_LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_value_is_the_definition(name, seed):
    relevance, p = problem(seed)
    metric = DiversityMetric.of(name, relevance, p, 4, alpha=0.3)
    for order in permutations(range(6), 4):
        expected = by_hand(name, relevance, p, order, 0.3)
        assert metric.value(order) == pytest.approx(expected, abs=1e-12)
        below = [metric.steps(order[:r])[d] for r, d in enumerate(order)]
        assert metric.gains(order) == pytest.approx(below, abs=1e-12)
    assert metric.value([*order, 4, 5]) == metric.value(order)
    assert metric.value([]) == 0


@pytest.mark.parametrize("name", DIVERSITY_LOSSES)
def test_greedy_takes_the_largest_step(name):
    for seed in range(20):
        relevance, p = problem(seed)
        metric = DiversityMetric.of(name, relevance, p, 6)
        for prefer in (None, -np.arange(6.0), np.random.default_rng(seed).random(6)):
            order = metric.greedy(6, prefer)
            assert sorted(order) == list(range(6))
            for r, d in enumerate(order):
                steps = metric.steps(order[:r])
                free = [e for e in range(6) if e not in order[:r]]
                best = [e for e in free if steps[e] >= max(steps[free]) - 1e-12]
                chosen = (
                    best[-1] if prefer is None else max(best, key=prefer.__getitem__)
                )
                assert d == chosen


def test_the_tie_rule_is_that_of_the_published_scores():
    relevance = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    metric = DiversityMetric.of("alpha_ndcg", relevance, [0.5, 0.5], 4)
    assert metric.greedy(4) == [3, 1, 2, 0]
    assert greedy_ideal(relevance > 0, np.full(2, 0.5), 0.5, 4).tolist() == [3, 1, 2, 0]
    assert metric.greedy(2, prefer=[4, 3, 2, 1]) == [0, 2]


def test_unknown_name():
    with pytest.raises(ValueError, match=r"loss must be one of .*'mrr'"):
        DiversityMetric.of("mrr", [[1.0]], [1.0], 3)
