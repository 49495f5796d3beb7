"""Displays of rankings: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest

mpl = pytest.importorskip("matplotlib", reason="pip install pystruct-ext[plot]")
mpl.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from pystruct_ext.datasets import load_ambiguous_queries  # noqa: E402
from pystruct_ext.plotting import IntentCoverageDisplay, RankingDisplay  # noqa: E402

QUERY = load_ambiguous_queries()[0]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_ranking_display(tmp_path):
    slates = {"engine": range(10), "other": [17, 14, 11, 10]}
    display = RankingDisplay.from_slates(QUERY, slates)
    assert len(display.axes_) == 2
    ribbons = [len(ax.patches) for ax in display.axes_]
    served = (QUERY.relevance > 0).sum(axis=1)
    assert ribbons == [
        int(np.minimum(served[list(s)], 3).sum()) for s in slates.values()
    ]
    titles = [t.get_text() for t in display.axes_[1].texts]
    assert any("disambiguation" in t for t in titles)
    assert "100 %" not in display.axes_[0].get_title()
    display.figure_.savefig(tmp_path / "a.png")
    with pytest.raises(ValueError, match="slates is empty"):
        RankingDisplay.from_slates(QUERY, {})


def test_coverage_display():
    queries = load_ambiguous_queries("test")[:3]
    display = IntentCoverageDisplay.from_slates(
        queries, {"engine": [range(10)] * 3, "back": [range(29, 19, -1)] * 3}
    )
    (line, _) = display.ax_.lines
    curve = line.get_ydata()
    assert len(curve) == 10
    assert (np.diff(curve) >= -1e-12).all()
    expected = np.mean([q.probabilities[q.relevance[0] > 0].sum() for q in queries])
    assert curve[0] == pytest.approx(100 * expected)
    with pytest.raises(ValueError, match="one per query: 3"):
        IntentCoverageDisplay.from_slates(queries, {"a": [[0]]})
