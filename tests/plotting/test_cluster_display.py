"""The display of clusters: its text, and what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext import ClusteringSVM, PairGraph
from pystruct_ext.plotting import ClusterDisplay
from pystruct_ext.structures import STRUCTURES

pytest.importorskip("matplotlib").use("Agg")


@pytest.fixture(autouse=True)
def close():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


GRAPH = PairGraph(5, [(0, 1), (1, 2), (0, 2), (2, 3)], [[0.0]] * 4, list("abcde"))


def test_text_puts_mistakes_first():
    text = str(ClusterDisplay(GRAPH, [0, 0, 1, 1, 2], list("xxxyz"))).splitlines()
    assert text == [
        "cluster x, 3 items: a b | c (with d)",
        "cluster y, 1 item: d (with c)",
        "cluster z, 1 item: e",
    ]
    assert str(ClusterDisplay(GRAPH, [0, 0, 1, 1, 2])).splitlines()[0].endswith(": a b")


def test_cells():
    display = ClusterDisplay(GRAPH, [0, 0, 1, 1, 2], list("xxxyz")).plot()
    kinds = display._kinds(np.arange(5))
    assert kinds[0, 1] == 2
    assert kinds[0, 2] == kinds[1, 2] == 4
    assert kinds[2, 3] == 3
    assert kinds[0, 4] == 0
    assert (kinds == kinds.T).all()
    title = display.ax_.get_title(loc="left")
    assert title == "3 clusters, 3 true; of 3 true pairs 2 missed, 1 joined falsely"
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == list("abcde")


def test_large_graphs_show_the_clusters_with_mistakes():
    gold = np.arange(60) // 3
    found = gold.copy()
    found[6] = 99
    graph = PairGraph.complete(60, np.zeros((1770, 1)))
    display = ClusterDisplay(graph, found, gold).plot(max_items=12)
    assert "12 of 60 items" in display.ax_.get_title(loc="left")
    assert {6, 7, 8} <= set(display._chosen(12).tolist())
    with pytest.raises(ValueError, match="max_items"):
        display.plot(max_items=0)


def test_from_estimator_on_given_axes():
    import matplotlib.pyplot as plt

    X, y = STRUCTURES["clustering"].sample(np.random.default_rng(0))
    model = ClusteringSVM().fit(X, y)
    _, ax = plt.subplots()
    display = ClusterDisplay.from_estimator(model, X, y, index=1, ax=ax)
    assert display.ax_ is ax
    with pytest.raises(ValueError, match="y has 2 cluster ids"):
        ClusterDisplay.from_predictions(X, None, [(0, 1)] * len(X))
    with pytest.raises(TypeError, match="graph must be a PairGraph"):
        ClusterDisplay([1], [0])
