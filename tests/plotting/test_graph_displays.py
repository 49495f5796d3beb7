"""Pictures of graphs and grids show what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext.outputs import Graph, grid_graph
from pystruct_ext.plotting import GraphDisplay, GridDisplay

pytest.importorskip("matplotlib").use("Agg")


@pytest.fixture(autouse=True)
def close():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def some_graph(n=9, seed=0):
    rng = np.random.default_rng(seed)
    edges = [(int(rng.integers(v)), v) for v in range(1, n)]
    return Graph(rng.normal(size=(n, 2)), edges)


def test_graph_text_and_picture():
    graph = some_graph()
    y = list("aabbccabc")
    gold = [*"aabbcaab", None]
    display = GraphDisplay(graph, y, gold)
    assert display.mistakes() == [5]
    lines = str(display).splitlines()
    assert len(lines) == 9
    assert lines[5].endswith("x gold: a")
    assert sum("gold" in line for line in lines) == 1
    display.plot()
    assert display.ax_.get_title(loc="left") == "7 of 8 nodes right"
    from matplotlib.patches import Circle

    circles = [c for c in display.ax_.get_children() if isinstance(c, Circle)]
    assert len(circles) == 9
    edges = {c.get_edgecolor() for c in circles}
    assert len(edges) == 2, "one ring for what is right, one for what is wrong"
    fills = {tuple(c.get_facecolor()) for c in circles}
    assert len(fills) == 3
    texts = [t.get_text() for t in display.ax_.texts]
    assert {str(v) for v in range(9)} <= set(texts)


def test_layout_keeps_nodes_apart_and_is_always_the_same():
    for n in (1, 2, 3, 30):
        graph = some_graph(n)
        places = GraphDisplay(graph, [0] * n).layout()
        np.testing.assert_array_equal(places, GraphDisplay(graph, [0] * n).layout())
        assert places.shape == (n, 2)
        far = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
        assert n == 1 or far[~np.eye(n, dtype=bool)].min() > 0.3
    grid = GraphDisplay(grid_graph(np.zeros((2, 3))), [0] * 6).layout()
    assert grid.tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]
    given = np.arange(6.0).reshape(3, 2)
    assert GraphDisplay(some_graph(3), "abc", positions=given).layout() is not None
    large = GraphDisplay(Graph(np.zeros((700, 1)), []), [0] * 700).plot()
    large.figure_.canvas.draw()


def test_grid_panels():
    rng = np.random.default_rng(0)
    image = rng.random((3, 4, 3))
    gold = rng.integers(0, 3, size=(3, 4))
    found = gold.copy()
    found[1, 2] = (found[1, 2] + 1) % 3
    graph = grid_graph(image)
    display = GridDisplay.from_predictions(
        [graph], [gold], [found.ravel().tolist()], image=image
    )
    names = [ax.get_title(loc="left") for ax in display.axes_]
    assert names == ["image", "truth", "prediction", "mistakes"]
    shown = [ax.images[0].get_array() for ax in display.axes_]
    np.testing.assert_array_equal(shown[0], image)
    np.testing.assert_array_equal(shown[1], gold)
    np.testing.assert_array_equal(shown[2], found)
    assert np.argwhere(shown[3]).tolist() == [[1, 2]]
    assert str(display).count("x") == 1
    assert len(str(display).splitlines()) == 3
    alone = GridDisplay(graph, found)
    assert [ax.get_title(loc="left") for ax in alone.plot().axes_] == ["prediction"]
    assert "<svg" in alone.to_svg()
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert GridDisplay(graph, found, gold).plot(ax=ax).figure_ is ax.figure


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: GraphDisplay(some_graph(3), "ab"),
            "y has 2 labels, but the graph has 3",
        ),
        (lambda: GraphDisplay(some_graph(3), "abc", "ab"), "gold has 2 labels"),
        (
            lambda: GraphDisplay(some_graph(3), "abc", positions=np.zeros((2, 2))),
            r"positions has shape \(2, 2\)",
        ),
        (lambda: GridDisplay(some_graph(4), "abab"), "expected a grid"),
        (
            lambda: GridDisplay(
                grid_graph(np.zeros((2, 2))), "abab", image=np.zeros((3, 2))
            ),
            r"image has shape \(3, 2\)",
        ),
    ],
)
def test_what_does_not_fit(make, text):
    with pytest.raises(ValueError, match=text):
        make()
