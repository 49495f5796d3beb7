"""Displays of rankings: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest

mpl = pytest.importorskip("matplotlib", reason="pip install pystruct-ext[plot]")
mpl.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from pystruct_ext.datasets import load_ambiguous_queries  # noqa: E402
from pystruct_ext.diversify import MMR, QueryTextFeatures  # noqa: E402
from pystruct_ext.outputs.queries import DiverseQuery  # noqa: E402
from pystruct_ext.plotting import IntentCoverageDisplay, RankingDisplay  # noqa: E402

QUERY = load_ambiguous_queries()[0]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_ranking_display(tmp_path):
    slates = {"engine": range(10), "other": [17, 14, 11, 10]}
    display = RankingDisplay.from_predictions(
        [QUERY], None, {name: [s] for name, s in slates.items()}
    )
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
        RankingDisplay.from_predictions([QUERY], None, {})


def test_coverage_display():
    queries = load_ambiguous_queries("test")[:3]
    display = IntentCoverageDisplay.from_predictions(
        queries, None, {"engine": [range(10)] * 3, "back": [range(29, 19, -1)] * 3}
    )
    (line, _) = display.ax_.lines
    curve = line.get_ydata()
    assert len(curve) == 10
    assert (np.diff(curve) >= -1e-12).all()
    expected = np.mean([q.probabilities[q.relevance[0] > 0].sum() for q in queries])
    assert curve[0] == pytest.approx(100 * expected)
    with pytest.raises(ValueError, match="one per query: 3"):
        IntentCoverageDisplay.from_predictions(queries, None, {"a": [[0]]})


def test_both_constructors_draw():
    train = load_ambiguous_queries("train")[:4]
    X = QueryTextFeatures().fit(train).transform(train)
    model = MMR().fit(X)
    page = RankingDisplay.from_estimator(model, X, index=2, depth=4)
    assert list(page.slates) == ["MMR"]
    assert page.slates["MMR"] == list(model.predict(X)[2])
    same = RankingDisplay.from_predictions(X, None, model.predict(X), index=2, depth=4)
    assert len(same.axes_[0].patches) == len(page.axes_[0].patches) > 0
    assert [t.get_text()[:2] for t in page.axes_[0].texts[:4]] == [
        "1.",
        "2.",
        "3.",
        "4.",
    ]
    first = page.figure_
    assert page.plot().figure_ is not first

    _, ax = plt.subplots()
    curve = IntentCoverageDisplay.from_estimator(model, X, ax=ax, title="mine")
    assert curve.ax_ is ax
    assert ax.get_title(loc="left") == "mine"
    given = IntentCoverageDisplay.from_predictions(
        X, [q.relevance for q in X], model.predict(X)
    )
    np.testing.assert_array_equal(curve.curves["MMR"], given.curves["predicted"])


def test_relevance_must_be_known():
    blind = DiverseQuery(features=np.ones((3, 1)), doc_ids=["a", "b", "c"])
    with pytest.raises(ValueError, match="is not judged"):
        RankingDisplay.from_predictions([blind], None, [[0, 1]])
    with pytest.raises(ValueError, match="is not judged"):
        IntentCoverageDisplay.from_predictions([blind], None, [[0, 1]])
    page = RankingDisplay.from_predictions([blind], [np.eye(3)[:, :2]], [[0, 1]])
    assert page.intents == ["intent 1", "intent 2"]
    assert page.titles == ["a", "b", "c"]


def test_old_constructors_warn():
    with pytest.warns(FutureWarning, match=r"is now RankingDisplay.from_predictions"):
        RankingDisplay.from_slates(QUERY, {"engine": range(3)})
    with pytest.warns(FutureWarning, match=r"IntentCoverageDisplay.from_predictions"):
        IntentCoverageDisplay.from_slates([QUERY], {"engine": [range(3)]})
