"""Displays of trees, folds and alignments: their text, and what is drawn."""

from __future__ import annotations

import itertools

import pytest

from pystruct_ext import AlignmentSVM, ConstituencySVM, DependencySVM, FoldingSVM, Tree
from pystruct_ext.datasets import make_alignments, make_folds, make_treebank
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
    display = DependencyDisplay(X, FOUND, GOLD)
    lines = str(display).splitlines()
    assert lines[4] == "5  loudly  ADV   <- dog    amod   x  gold: barks advmod"
    assert lines[0] == "1  the     DET   <- dog    det"
    ax = display.plot().ax_
    # Five predicted arcs above, the root's among them, one missed below.
    assert len(ax.patches) == 6
    assert ax.get_title(loc="left") == "UAS 80 %, LAS 80 %"
    display.figure_.canvas.draw()
    words = [t for t in ax.texts if t.get_text() in X[0]]
    boxes = [t.get_window_extent() for t in words]
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    with pytest.raises(ValueError, match="gold has 2 heads"):
        DependencyDisplay(X, FOUND, [0, 1])


def test_tree():
    tree = Tree.parse("(S (NP (N dogs)) (VP (V bark) (ADVP (R loud))))")
    gold = Tree.parse("(S (NP (N dogs)) (VP (V bark) (NP (R loud))))")
    display = TreeDisplay(tree, gold)
    assert display.missed() == [(2, 3, "NP")]
    assert str(display).endswith("missed: NP over 'loud'")
    ax = display.plot().ax_
    drawn = [t.get_text() for t in ax.texts]
    assert {"S", "NP", "VP", "ADVP", "missed", "dogs"} <= set(drawn)
    (wrong,) = [t for t in ax.texts if t.get_text() == "ADVP"]
    (right,) = [t for t in ax.texts if t.get_text() == "VP"]
    assert wrong.get_color() != right.get_color()
    wide = Tree("S", tuple(Tree("N", ("word" * 4,)) for _ in range(9)))
    assert str(TreeDisplay(wide)) == wide.pretty()
    with pytest.raises(ValueError, match="gold has the words"):
        TreeDisplay(tree, Tree.parse("(S (N a))"))
    with pytest.raises(TypeError, match="tree must be a Tree"):
        TreeDisplay("(S (N a))")


def test_folding():
    display = FoldingDisplay("GGGAAACCC", "((.....))", "(((...)))")
    assert str(display).splitlines()[3].rstrip() == "  o   o   (x wrong, o missed)"
    ax = display.plot().ax_
    assert len(ax.patches) == 2 + 2 + 1
    drawn = [t.get_text() for t in ax.texts]
    assert drawn[:9] == list("GGGAAACCC")
    assert drawn[9:11] == ["1", "5"]
    long = FoldingDisplay("A" * 300, "(" + "." * 298 + ")").plot()
    assert "300" in [t.get_text() for t in long.ax_.texts]
    with pytest.raises(ValueError, match="fold has 2 characters"):
        FoldingDisplay("GGG", "()")
    with pytest.raises(ValueError, match=r"gold: .* is never closed"):
        FoldingDisplay("GGG", "...", "(..")


def test_alignment():
    display = AlignmentDisplay("ACGT", "AGA", (0, -1, 1, 2), (0, 1, -1, 2))
    assert str(display) == "ACGT\n| x.\nA-GA"
    ax = display.plot().ax_
    # Two cells a pair, an outline for each letter of the missed pair, four keys.
    assert len(ax.patches) == 2 * 3 + 2 + 4
    assert ax.get_title(loc="left") == "2 of 3 true pairs found"
    cells, missed = display.plot(kind="path").ax_.collections
    assert len(cells.get_paths()) == 3
    assert len(missed.get_paths()) == 1
    long = AlignmentDisplay("A" * 70, "A" * 70, tuple(range(70)))
    assert len(str(long).split("\n\n")) == 2
    with pytest.raises(ValueError, match="y must hold 2 positions below 1"):
        AlignmentDisplay("AC", "A", (0, 0))


BANK = make_treebank(12)
PROBLEMS = {
    DependencyDisplay: (DependencySVM(bits=8), BANK.sentences, BANK.dependencies),
    TreeDisplay: (ConstituencySVM(bits=8), BANK.sentences, BANK.trees),
    FoldingDisplay: (FoldingSVM(C=0.01), *make_folds(8, length=30)),
    AlignmentDisplay: (AlignmentSVM(), *make_alignments(8, length=12)),
}


@pytest.mark.parametrize("cls", PROBLEMS, ids=lambda c: c.__name__)
def test_both_constructors_draw(cls):
    import matplotlib.pyplot as plt

    estimator, X, y = PROBLEMS[cls]
    model = estimator.set_params(tol=0.3).fit(X, y)
    k = len(X) - 1
    _, (left, right) = plt.subplots(1, 2)
    one = cls.from_estimator(model, X, y, index=k, ax=left, title="mine")
    two = cls.from_predictions(X, y, model.predict(X), index=-1, ax=right)
    assert isinstance(one, cls)
    assert one.ax_ is left
    assert two.ax_ is right
    assert left.get_title(loc="left") == "mine"
    drawn = [len(ax.patches) + len(ax.texts) + len(ax.lines) for ax in (left, right)]
    assert drawn[0] == drawn[1] > 0
    assert str(one) == str(two)
    # Without the truth nothing is marked; drawing again makes a figure of its own.
    plain = cls.from_estimator(model, X, index=k)
    assert plain.gold is None
    first = plain.figure_
    assert plain.plot().figure_ is not first
    with pytest.raises(ValueError, match=f"index is {k + 1}, but X has {k + 1}"):
        cls.from_estimator(model, X, y, index=k + 1)
    with pytest.raises(ValueError, match="y_pred has 1 examples, but X has"):
        cls.from_predictions(X, y, y[:1])


@pytest.mark.parametrize(
    ("old", "arguments"),
    [
        (DependencyDisplay.from_tree, (X, FOUND)),
        (TreeDisplay.from_tree, (Tree.parse("(S (N a))"),)),
        (FoldingDisplay.from_structures, ("GAAAC", "(...)")),
        (AlignmentDisplay.from_alignment, ("AC", "A", (0, -1))),
    ],
)
def test_old_constructors_warn_here(old, arguments):
    with pytest.warns(FutureWarning, match=r"is now \w+Display") as seen:
        display = old(*arguments)
    assert str(display)
    assert seen[0].filename == __file__


def test_words_of_a_tree_are_those_of_its_sentence():
    tree = Tree.parse("(S (N a))")
    with pytest.raises(ValueError, match="expected those of X"):
        TreeDisplay.from_predictions([(["b"], ["N"])], None, [tree])


def test_alignment_of_letters_with_channels():
    x = ([("A", "h"), ("C", "e")], [("A", "e")])
    display = AlignmentDisplay.from_predictions([x], None, [(0, -1)])
    assert str(display) == "AC\n|\nA-"
