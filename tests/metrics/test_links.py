"""Precision, recall and error rate of links."""

from __future__ import annotations

import math

import pytest

from pystruct_ext.metrics import link_report
from pystruct_ext.outputs import Links


def test_och_and_ney():
    """A = 4 links: 2 sure, 1 possible, 1 wrong; S = 3."""
    gold = Links([(0, 0), (1, 1), (2, 2)], [(3, 3), (3, 4)])
    report = link_report([gold], [[(0, 0), (1, 1), (3, 3), (0, 4)]])
    assert report.precision == pytest.approx(3 / 4)
    assert report.recall == pytest.approx(2 / 3)
    assert report.aer == pytest.approx(1 - (2 + 3) / (4 + 3))
    assert report.exact == 0
    assert report.to_dict()["n_possible"] == 5
    assert "AER 28.57 %" in str(report)


def test_without_possible_links_aer_is_one_minus_f1():
    report = link_report([[(0, 0), (1, 2)], [(0, 1)]], [[(0, 0)], [(0, 1), (1, 1)]])
    assert report.aer == pytest.approx(1 - report.f1)
    assert report.n_predicted == 3


def test_nothing_and_nothing_right():
    assert math.isnan(link_report([[]], [[]]).aer)
    assert link_report([[]], [[]]).exact == 1
    none = link_report([[(0, 0)]], [[(1, 1)]])
    assert (none.precision, none.recall, none.f1, none.aer) == (0, 0, 0, 1)


def test_bad_links_are_named():
    with pytest.raises(ValueError, match="1 matchings and y_pred 2"):
        link_report([[]], [[], []])
    with pytest.raises(ValueError, match="y_pred: example 1 has the link"):
        link_report([[], []], [[], [(0, -1)]])
