"""The table of links."""

from __future__ import annotations

import pytest

from pystruct_ext.outputs import Links
from pystruct_ext.plotting import MatchingDisplay

pytest.importorskip("matplotlib").use("Agg")


@pytest.fixture(autouse=True)
def close():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


WORDS = ["the", "old", "cat"], ["le", "vieux", "chat", "noir"]
GOLD = Links([(0, 0), (1, 1), (2, 2)], [(2, 3), (1, 2)])
FOUND = [(0, 0), (1, 1), (2, 3), (0, 3)]


def test_cells_and_text():
    display = MatchingDisplay((3, 4), FOUND, GOLD, *WORDS)
    assert str(display).splitlines() == [
        "  the - le",
        "+ the - noir",
        "  old - vieux",
        "- cat - chat",
        "? cat - noir",
    ]
    ax = display.plot().ax_
    assert ax.get_title(loc="left") == "2 of 3 links found, 1 wrong"
    drawn = {t.get_text() for t in ax.texts}
    assert {*WORDS[0], *WORDS[1], "wrong link", "missed link"} <= drawn
    display.figure_.canvas.draw()
    names = [t for t in ax.texts if t.get_text() in (*WORDS[0], *WORDS[1])]
    boxes = [t.get_window_extent() for t in names]
    figure = display.figure_.bbox
    assert all(figure.x0 <= b.x0 and b.x1 <= figure.x1 for b in boxes)
    assert all(figure.y0 <= b.y0 and b.y1 <= figure.y1 for b in boxes)


def test_large_tables_and_own_axes():
    import matplotlib.pyplot as plt

    large = MatchingDisplay((300, 200), [(i, i) for i in range(200)]).plot()
    assert max(large.figure_.get_size_inches()) < 14
    _, ax = plt.subplots(figsize=(2, 2))
    assert MatchingDisplay((3, 4), FOUND, GOLD, *WORDS).plot(ax=ax).ax_ is ax
    MatchingDisplay((0, 3), []).plot()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"y has \(3, 0\) at 0"):
        MatchingDisplay((3, 4), [(3, 0)])
    with pytest.raises(ValueError, match="gold has"):
        MatchingDisplay((3, 4), [], [(0, 4)])
    with pytest.raises(ValueError, match="row_names has 1 entries, expected 3"):
        MatchingDisplay((3, 4), [], row_names=["a"])
    with pytest.raises(ValueError, match="cell must be positive"):
        MatchingDisplay((3, 4), []).plot(cell=0)
