"""Displays of trees, folds and alignments: their text, and what is drawn."""

from __future__ import annotations

import itertools

import pytest

from pystruct_ext import Tree
from pystruct_ext.plotting import (
    AlignmentDisplay,
    DependencyDisplay,
    FoldingDisplay,
    TreeDisplay,
)

pytest.importorskip("matplotlib").use("Agg")


@pytest.fixture(autouse=True)
def close():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


X = (["the", "old", "dog", "barks", "loudly"], ["DET", "ADJ", "NOUN", "VERB", "ADV"])
GOLD = ([3, 3, 4, 0, 4], ["det", "amod", "nsubj", "root", "advmod"])
FOUND = ([3, 3, 4, 0, 3], ["det", "amod", "nsubj", "root", "amod"])


def test_dependency():
    display = DependencyDisplay.from_tree(X, FOUND, GOLD)
    lines = str(display).splitlines()
    assert lines[4] == "5  loudly  ADV   <- dog    amod   x  gold: barks advmod"
    assert lines[0] == "1  the     DET   <- dog    det"
    ax = display.plot().ax_
    # Four predicted arcs above (the root is an arrow), one missed below.
    assert len(ax.patches) == 5
    assert ax.get_title(loc="left") == "UAS 80 %, LAS 80 %"
    display.figure_.canvas.draw()
    words = [t for t in ax.texts if t.get_text() in X[0]]
    boxes = [t.get_window_extent() for t in words]
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    with pytest.raises(ValueError, match="gold has 2 heads"):
        DependencyDisplay.from_tree(X, FOUND, [0, 1])


def test_tree():
    tree = Tree.parse("(S (NP (N dogs)) (VP (V bark) (ADVP (R loud))))")
    gold = Tree.parse("(S (NP (N dogs)) (VP (V bark) (NP (R loud))))")
    display = TreeDisplay.from_tree(tree, gold)
    assert display.missed() == [(2, 3, "NP")]
    assert str(display).endswith("missed: NP over 'loud'")
    ax = display.plot().ax_
    drawn = [t.get_text() for t in ax.texts]
    assert {"S", "NP", "VP", "ADVP", "missed NP", "dogs"} <= set(drawn)
    (wrong,) = [t for t in ax.texts if t.get_text() == "ADVP"]
    (right,) = [t for t in ax.texts if t.get_text() == "VP"]
    assert wrong.get_color() != right.get_color()
    wide = Tree("S", tuple(Tree("N", ("word" * 4,)) for _ in range(9)))
    assert str(TreeDisplay.from_tree(wide)) == wide.pretty()
    with pytest.raises(ValueError, match="gold has the words"):
        TreeDisplay.from_tree(tree, Tree.parse("(S (N a))"))
    with pytest.raises(TypeError, match="tree must be a Tree"):
        TreeDisplay.from_tree("(S (N a))")


def test_folding():
    display = FoldingDisplay.from_structures("GGGAAACCC", "((.....))", "(((...)))")
    assert str(display).splitlines()[3].rstrip() == "  o   o   (x wrong, o missed)"
    ax = display.plot().ax_
    assert len(ax.patches) == 2 + 2 + 1
    assert [t.get_text() for t in ax.texts] == list("GGGAAACCC")
    long = FoldingDisplay.from_structures("A" * 300, "(" + "." * 298 + ")").plot()
    assert len(long.ax_.texts) == 6
    with pytest.raises(ValueError, match="structure has 2 characters"):
        FoldingDisplay.from_structures("GGG", "()")
    with pytest.raises(ValueError, match=r"gold: .* is never closed"):
        FoldingDisplay.from_structures("GGG", "...", "(..")


def test_alignment():
    display = AlignmentDisplay.from_alignment(
        "ACGT", "AGA", (0, -1, 1, 2), (0, 1, -1, 2)
    )
    assert str(display) == "ACGT\n| x.\nA-GA"
    ax = display.plot().ax_
    assert len(ax.patches) == 3 + 1
    assert "2 of 3 true pairs" in ax.get_xlabel()
    long = AlignmentDisplay.from_alignment("A" * 70, "A" * 70, tuple(range(70)))
    assert len(str(long).split("\n\n")) == 2
    with pytest.raises(ValueError, match="y must hold 2 positions below 1"):
        AlignmentDisplay.from_alignment("AC", "A", (0, 0))
