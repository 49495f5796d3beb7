"""Long inputs: no two texts overlap, none is cut off, no two labels look alike."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

mpl = pytest.importorskip("matplotlib", reason="pip install pystruct-ext[plot]")
mpl.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.path import Path  # noqa: E402

from pystruct_ext import Tree  # noqa: E402
from pystruct_ext.io import AmbientTopic  # noqa: E402
from pystruct_ext.outputs.queries import DiverseQuery  # noqa: E402
from pystruct_ext.plotting import (  # noqa: E402
    AlignmentDisplay,
    DependencyDisplay,
    FoldingDisplay,
    IntentCoverageDisplay,
    RankingDisplay,
    TaggingDisplay,
    TreeDisplay,
)
from pystruct_ext.plotting._page import Legend, clip, measure, shorten  # noqa: E402
from pystruct_ext.plotting._style import line_look, looks  # noqa: E402
from pystruct_ext.plotting._tree import _Plan  # noqa: E402
from pystruct_ext.structures import STRUCTURES  # noqa: E402

WORDS = [
    *(
        "the",
        "consolidation",
        "of",
        "smaller",
        "local",
        "fundamentalist",
        "groups",
        ",",
    ),
    *("also", "seen", "in", "$", "3.5", "Donaudampfschifffahrtsgesellschaft", "-LRB-"),
    *("a", "-RRB-", "&_^", "{x}", "Honorificabilitudinitatibus"),
]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def texts_of(figure):
    """Every text that is drawn."""
    found = list(figure.texts)
    for legend in figure.legends:
        found += legend.get_texts()
    for ax in figure.axes:
        found += [*ax.texts, ax.title, ax._left_title, ax._right_title]
        if ax.get_legend() is not None:
            found += ax.get_legend().get_texts()
        if ax.axison:
            found += [ax.xaxis.label, ax.yaxis.label]
            found += [t.label1 for a in (ax.xaxis, ax.yaxis) for t in a._update_ticks()]
    return [t for t in found if t.get_visible() and t.get_text().strip()]


def boxes_of(figure):
    """Texts with their boxes in pixels, (n, 4): left, bottom, right, top."""
    figure.canvas.draw()
    texts = texts_of(figure)
    boxes = [t.get_window_extent().extents for t in texts]
    return texts, np.array(boxes)


def assert_readable(figure, least=6.0):
    """No text overlaps another or the rim of the figure, and none is tiny."""
    texts, boxes = boxes_of(figure)
    assert len(texts) > 3
    small = boxes + np.array([0.75, 0.75, -0.75, -0.75])
    meet = (
        (small[:, None, 0] < small[None, :, 2])
        & (small[None, :, 0] < small[:, None, 2])
        & (small[:, None, 1] < small[None, :, 3])
        & (small[None, :, 1] < small[:, None, 3])
    )
    pairs = [
        (texts[i].get_text(), texts[j].get_text())
        for i, j in zip(*np.nonzero(np.triu(meet, 1)), strict=True)
    ]
    assert not pairs
    width, height = figure.bbox.width, figure.bbox.height
    inside = (
        (small[:, :2] >= 0).all(1) & (small[:, 2] <= width) & (small[:, 3] <= height)
    )
    assert [t.get_text() for t, ok in zip(texts, inside, strict=True) if not ok] == []
    assert min(t.get_fontsize() for t in texts) >= least
    return texts, boxes


def assert_clear(paths, boxes, texts):
    """No path, in pixels, runs through the box of a text."""
    inner = np.asarray(boxes) + np.array([1.5, 1.5, -1.5, -1.5])
    for path in paths:
        (x0, y0), (x1, y1) = path.vertices.min(0), path.vertices.max(0)
        near = (inner[:, 0] <= x1) & (inner[:, 2] >= x0)
        near &= (inner[:, 1] <= y1) & (inner[:, 3] >= y0)
        for k in np.flatnonzero(near):
            box = mpl.transforms.Bbox.from_extents(*inner[k])
            assert not path.intersects_bbox(box, filled=False), texts[k].get_text()


def projective(rng, n):
    """Heads of a random projective tree."""
    heads = [0] * n

    def grow(a, b, head):
        if a < b:
            root = int(rng.integers(a, b))
            heads[root] = head
            cut = a
            for other in (root, b):
                grow(cut, other, root + 1)
                cut = root + 1

    grow(0, n, 0)
    return heads


def sentence(rng, n):
    forms = [WORDS[k % len(WORDS)] for k in rng.integers(len(WORDS), size=n)]
    return forms, [str(t) for t in rng.choice(["NOUN", "ADP", "PUNCT", "X"], n)]


@pytest.mark.parametrize("wrap", [11.0, math.inf])
def test_dependencies(wrap):
    rng = np.random.default_rng(0)
    x = sentence(rng, 57)
    names = ["punct", "acl:relcl", "nmod:unmarked", "det", "obl:a-very-long-label"]
    found, gold = (
        (projective(rng, 57), [str(k) for k in rng.choice(names, 57)]) for _ in "ab"
    )
    display = DependencyDisplay.from_predictions([x], [gold], [found], wrap=wrap)
    texts, boxes = assert_readable(display.figure_)
    drawn = [t.get_text() for t in texts]
    assert sum(t.startswith("Honorificabilitudinitati") for t in drawn) == 0
    assert sum(t.startswith("Honorificabilitudinita") for t in drawn) > 0
    words = [k for k, t in enumerate(texts) if t.get_fontsize() == 11.0]
    assert len(words) == 57
    rows = len(np.unique(boxes[words, 1].round()))
    width = display.figure_.get_figwidth()
    if math.isinf(wrap):
        assert rows == 1
        assert width > 20
    else:
        assert rows > 3
        assert width < wrap + 1
        # The words of an arc that leaves its line are named there.
        assert any(re.search(r" · \d+ |\d+ \S+ · ", t) for t in drawn)
        assert {str(t + 1) for t in range(57)} <= set(drawn)
    arcs = [
        Path(part)
        for p in display.ax_.patches
        for part in p.get_transform()
        .transform_path(p.get_path())
        .to_polygons(closed_only=False)
    ]
    assert_clear(arcs, boxes[words], [texts[k] for k in words])
    svg = display.to_svg()
    (points,) = re.findall(r'<svg [^>]*width="([\d.]+)pt"', svg)
    assert float(points) == pytest.approx(72 * width)


def random_tree(rng, words, label="S"):
    if len(words) == 1:
        return Tree(str(rng.choice(["NN", "-LRB-", "PRP$"])), (words[0],))
    cuts = np.sort(
        rng.choice(
            np.arange(1, len(words)), min(len(words) - 1, 1 + rng.integers(3)), False
        )
    )
    parts = np.split(np.array(words, dtype=object), cuts)
    names = ["NP", "VP", "SBAR", "WHNP", "NP-SBJ-1=2", "FRAG"]
    return Tree(
        label, tuple(random_tree(rng, list(p), str(rng.choice(names))) for p in parts)
    )


@pytest.mark.parametrize("orient", ["down", "right"])
def test_trees(orient):
    rng = np.random.default_rng(1)
    words = sentence(rng, 45)[0]
    tree, gold = random_tree(rng, words), random_tree(rng, words)
    display = TreeDisplay(tree, gold).plot(orient=orient)
    texts, boxes = assert_readable(display.figure_)
    n_nodes = str(tree).count("(")
    assert len(texts) == n_nodes + 45 + len(display.missed()) + 2
    # Edges, in the colours of nodes, run between labels, never through one.
    edges = [
        line.get_transform().transform_path(line.get_path())
        for line in display.ax_.lines
        if line.get_linestyle() == "-" and len(line.get_xdata()) == 2
    ]
    assert len(edges) > 2 * 45
    assert_clear(edges, boxes, texts)
    if orient == "right":
        width = display.figure_.get_figwidth()
        # The words stand below each other.
        assert (
            width < TreeDisplay(tree, gold).plot(orient="down").figure_.get_figwidth()
        )
        auto = TreeDisplay(tree, gold).plot()
        assert auto.figure_.get_figwidth() == width


def test_a_deep_tree_is_drawn_without_recursion():
    tree = Tree("N", ("a",))
    for _ in range(1100):
        tree = Tree("X", (tree,))
    plan = _Plan(TreeDisplay(tree), "down")
    assert len(plan.nodes) == 1101
    assert plan.size[1] > 1100 * 20


def nested(rng, n):
    """A random fold with hairpins and stems that contain others."""
    fold = ["."] * n

    def fill(a, b):
        while b - a > 8:
            j = int(rng.integers(a + 7, min(b, a + 200)))
            stem = min(int(rng.integers(1, 6)), (j - a - 3) // 2)
            for k in range(stem):
                fold[a + k], fold[j - k] = "(", ")"
            fill(a + stem, j - stem + 1)
            a = j + 1

    fill(0, n)
    return "".join(fold)


@pytest.mark.parametrize("kind", ["arc", "circle", "mountain"])
@pytest.mark.parametrize("n", [400, 60])
def test_folds(kind, n):
    rng = np.random.default_rng(n)
    x = "".join(rng.choice(list("ACGU"), n))
    found, gold = nested(rng, n), nested(rng, n)
    display = FoldingDisplay.from_predictions([x], [gold], [found], kind=kind)
    texts, _ = assert_readable(display.figure_)
    width, height = display.figure_.get_size_inches()
    assert width < 13
    assert height < 13
    drawn = [t.get_text() for t in texts]
    positions = [int(t) for t in drawn if t.isdigit() and kind != "mountain"]
    if kind == "mountain":
        predicted, truth = display.ax_.lines
        heights = np.cumsum([(c == "(") - (c == ")") for c in found])
        np.testing.assert_array_equal(predicted.get_ydata(), heights)
        assert truth.get_color() != predicted.get_color()
        assert {"position", "predicted", "truth"} <= set(drawn)
    else:
        steps = np.diff(positions[1:])
        assert len(positions) >= 10
        assert positions[0] == 1
        assert (steps == steps[0]).all()
        assert ("".join(t for t in drawn if t in "ACGU") == x) == (n == 60)
        right = found.count("(") + gold.count("(")
        both = len(set(display._sets()[0]) & set(display._sets()[1]))
        # Above and below; the circle shows right pairs once.
        assert len(display.ax_.patches) == right - (both if kind == "circle" else 0)


def test_alignments():
    rng = np.random.default_rng(3)
    a, b = ("".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), n)) for n in (300, 290))
    y, gold = (
        tuple(
            np.where(
                rng.random(300) < 0.08, -1, np.sort(rng.choice(310, 300, False)) - 15
            ).tolist()
        )
        for _ in "ab"
    )
    y, gold = (tuple(j if 0 <= j < 290 else -1 for j in row) for row in (y, gold))
    display = AlignmentDisplay.from_predictions([(a, b)], [gold], [y])
    texts, boxes = assert_readable(display.figure_)
    letters = [k for k, t in enumerate(texts) if t.get_fontfamily() == ["monospace"]]
    rows = len(np.unique(boxes[letters, 1].round()))
    assert rows >= 8
    assert rows % 2 == 0
    top = "".join(texts[k].get_text() for k in letters).replace("-", "")
    assert len(top) == 300 + 290
    assert {"equal letters", "wrong pair", "1", "300", "290"} <= {
        t.get_text() for t in texts
    }
    assert display.figure_.get_figwidth() < 11
    path = AlignmentDisplay(a, b, y, gold).plot(kind="path")
    texts, _ = assert_readable(path.figure_)
    assert {"first sequence", "second sequence", "wrong pair"} <= {
        t.get_text() for t in texts
    }
    assert path.ax_.get_xlim() == (0.5, 290.5)


@pytest.mark.parametrize("n", [23, 50])
def test_labels_look_different(n):
    rng = np.random.default_rng(n)
    labels = [f"{k % 7}T{k}" for k in range(n)]
    x = [sentence(rng, 80)[0]]
    y = [[*labels, *rng.choice(labels, 80 - n)]]
    wrong = [[str(k) for k in rng.choice(labels, 80)]]
    display = TaggingDisplay.from_predictions(x, y, {"a": wrong, "b": y})
    assert_readable(display.figure_)
    of = {}
    for (name, i, t), cell in display.cells_.items():
        label = {"gold": y, "a": wrong, "b": y}[name][i][t]
        of.setdefault(label, set()).add(
            (to_hex(cell.get_facecolor()), cell.get_hatch())
        )
    assert all(len(seen) == 1 for seen in of.values())
    assert len({next(iter(seen)) for seen in of.values()}) == len(of) == n


def test_chunk_labels_look_different():
    kinds = [
        "NP",
        "VP",
        "PP",
        "ADJP",
        "ADVP",
        "SBAR",
        "PRT",
        "CONJP",
        "INTJ",
        "LST",
        "UCP",
    ]
    labels = ["O", *(f"{part}-{kind}" for kind in kinds for part in "BIES")]
    display = TaggingDisplay.from_predictions([labels], None, [labels])
    seen = {(to_hex(c.get_facecolor()), c.get_hatch()) for c in display.cells_.values()}
    assert len(seen) == len(labels)


@pytest.mark.parametrize("n_rankers", [1, 4])
def test_rankings(n_rankers):
    rng = np.random.default_rng(5)
    n, k = 12, 30
    relevance = rng.random((k, n)) < 0.12
    relevance[3] = True
    query = DiverseQuery(
        features=np.ones((k, 1)), relevance=relevance,
        query_id="scorpion $5 and $6 " + 30 * "long ",
        doc_ids=[f"d{d}" for d in range(k)],
        titles=[" ".join(sentence(rng, 12)[0]) for _ in range(k)],
        intents=[f"intent {i}: {' '.join(sentence(rng, 9)[0])}" for i in range(n)],
    )  # fmt: skip
    names = [f"ranker {r}" + r * " of a long name" for r in range(n_rankers)]
    slates = {name: [[*rng.permutation(k)[:9].tolist(), 3]] for name in names}
    display = RankingDisplay.from_predictions([query], None, slates)
    assert len(display.axes_) == n_rankers
    texts, _ = assert_readable(display.figure_)
    drawn = {t.get_text() for t in texts}
    assert {f"intent {i}" for i in range(n)} == {t[: t.find(":")] for t in drawn if
        t.startswith("intent ")}  # fmt: skip
    assert "+4" in drawn
    # Names are cut, their shares are not.
    assert sum(t.endswith(" (8 %)") for t in drawn) == n
    assert sum(t.endswith("… (8 %)") for t in drawn) > n / 2
    # The legend is outside of the rankings; its looks are those of the ribbons.
    (legend,) = [ax for ax in display.figure_.axes if ax not in display.axes_]
    assert all(
        not legend.get_position().overlaps(ax.get_position()) for ax in display.axes_
    )

    def look(patch):
        return to_hex(patch.get_facecolor()), patch.get_hatch()

    known = [look(p) for p in legend.patches]
    assert len(set(known)) == len(known) == n
    for ax, (name, slate) in zip(display.axes_, slates.items(), strict=True):
        expected = [
            known[i] for d in slate[0] for i in np.flatnonzero(relevance[d])[:8]
        ]
        assert [look(p) for p in ax.patches] == expected, name
    assert display.figure_.get_figwidth() < 15


def test_coverage_of_many_rankers():
    curves = {
        f"ranker number {k}": np.linspace(0.1, 1, 10) ** (1 + k) for k in range(12)
    }
    display = IntentCoverageDisplay(curves).plot()
    assert_readable(display.figure_)
    seen = {
        (x.get_color(), x.get_marker(), str(x._dash_pattern)) for x in display.ax_.lines
    }
    assert len(seen) == 12


def test_small_axes_shrink_everything():
    rng = np.random.default_rng(7)
    _, (left, right) = plt.subplots(2, 1, figsize=(9, 9))
    x = sentence(rng, 14)
    found, gold = projective(rng, 14), projective(rng, 14)
    one = DependencyDisplay.from_predictions([x], [gold], [found], ax=left)
    TreeDisplay(random_tree(rng, x[0])).plot(ax=right)
    assert one.figure_.axes == [left, right]
    assert_readable(one.figure_, least=4.0)


def test_looks_differ():
    for n in (7, 56, 168, 200):
        assert len(set(looks(n))) == n
    assert [hatch for _, hatch in looks(7)] == [""] * 7
    lines = [tuple(map(str, line_look(k).values())) for k in range(196)]
    assert len(set(lines)) == 196


def test_texts_are_cut_to_fit():
    assert shorten("a  b\nc", 9) == "a b c"
    assert shorten("abcdefgh", 5) == "abcd…"
    for width in (20.0, 55.0, 200.0):
        cut = clip("Honorificabilitudinitatibus in $x and $y", width)
        assert measure(cut) <= width
    assert clip("short", 200.0) == "short"
    # Formulas are not read: a dollar is a dollar.
    assert measure("$x^2$") > measure("x^2")
    legend = Legend([], 100.0)
    assert legend.height == 0


def test_empty_inputs_draw():
    for kind in ("arc", "circle", "mountain"):
        FoldingDisplay("", "").plot(kind=kind).figure_.canvas.draw()
    for kind in ("rows", "path"):
        AlignmentDisplay("", "", ()).plot(kind=kind).figure_.canvas.draw()
    display = TaggingDisplay.from_predictions([[], ["a"]], None, [[], ["O"]])
    assert len(display.cells_) == 1


def test_notebooks_show_what_is_not_drawn_yet():
    display = FoldingDisplay("GAAAC", "(...)")
    before = plt.get_fignums()
    svg = display._repr_svg_()
    assert svg.lstrip().startswith("<?xml")
    assert svg == display._repr_svg_()
    assert display.to_svg(kind="circle") != svg
    assert plt.get_fignums() == before
    # A figure that was drawn is shown by the notebook itself.
    assert display.plot()._repr_svg_() is None


def test_bad_arguments():
    fold = FoldingDisplay("GAAAC", "(...)")
    with pytest.raises(ValueError, match="kind must be 'arc', 'circle' or 'mountain'"):
        fold.plot(kind="square")
    with pytest.raises(ValueError, match="kind must be 'rows' or 'path', got 'dot'"):
        AlignmentDisplay("A", "A", (0,)).plot(kind="dot")
    with pytest.raises(ValueError, match="orient must be"):
        TreeDisplay(Tree.parse("(S (N a))")).plot(orient="up")
    for display in (
        DependencyDisplay((["a"], ["N"]), [0]),
        AlignmentDisplay("A", "A", (0,)),
    ):
        with pytest.raises(ValueError, match="wrap must be positive, got 0"):
            display.plot(wrap=0)


def test_series_are_indexed_by_place():
    pd = pytest.importorskip("pandas")
    X = pd.Series([["a", "b"], ["c"]], index=[7, 3])
    y = pd.Series([["O", "B-X"], ["O"]], index=[7, 3])
    display = TaggingDisplay.from_predictions(X, y, list(y))
    assert display.tokens == [["a", "b"], ["c"]]
    frame = pd.DataFrame({"length": [1, 2], "word": ["a", "bb"]})

    class Constant:
        def predict(self, X):
            return [["O", "O"] for _ in X]

    shown = TaggingDisplay.from_estimator(Constant(), [frame]).tokens
    assert shown == [["a", "bb"]]
    folds = pd.Series(["GAAAC", "CAAAG"], index=[5, 6])
    display = FoldingDisplay.from_predictions(folds, None, ["(...)", "....."], index=1)
    assert display.sequence == "CAAAG"


def test_paths_meet_boxes():
    """The check of edges would see one that runs through a label."""
    text = plt.figure().text(0.5, 0.5, "label")
    box = text.get_window_extent().extents
    middle = (box[1] + box[3]) / 2
    through = Path([(box[0] - 9, middle), (box[2] + 9, middle)])
    with pytest.raises(AssertionError, match="label"):
        assert_clear([through], [box], [text])


def test_rankings_by_grades_and_confusions_are_drawn(tmp_path):
    rng = np.random.default_rng(11)
    structure = STRUCTURES["ranking"]
    X = rng.normal(size=(24, 3))
    y, qid = np.zeros(24, dtype=int), np.repeat([4, 9], 12)
    y[12:] = rng.permutation([0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3])
    path = str(tmp_path / "a.letor")
    structure.write(path, X, y, qid)
    model = structure.estimator(tol=0.1).fit(X, y, qid=qid)
    display = structure.display["pages"](model, structure.read(path))
    # The second query: nothing can be found in the first.
    assert display.query == "query 9"
    assert [len(s) for s in display.slates.values()] == [12, 12]
    assert (
        display.slates["RankingSVM"]
        == np.argsort(-model.predict(X[12:]), kind="stable").tolist()
    )
    best = display.relevance.sum(axis=1)[display.slates["best possible"]]
    assert best.tolist() == [3, 3, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0]
    assert_readable(display.figure_)

    structure = STRUCTURES["multiclass"]
    y = np.arange(24) % 3
    path = str(tmp_path / "a.svm")
    structure.write(path, X, y)
    model = structure.estimator().fit(X, y)
    display = structure.display["confusion"](model, structure.read(path))
    assert display.confusion_matrix.sum() == 24
    assert np.trace(display.confusion_matrix) == (model.predict(X) == y).sum()


def test_queries_without_probabilities():
    query = AmbientTopic(
        "1",
        "scorpion",
        ["a", "b"],
        ["u", "v"],
        ["t", "w"],
        ["", ""],
        np.eye(2),
        ["1.1", "1.2"],
    )
    page = RankingDisplay.from_predictions([query], None, [[1, 0]])
    assert page.probabilities.tolist() == [0.5, 0.5]
    curve = IntentCoverageDisplay.from_predictions([query], None, [[1, 0]])
    assert curve.curves["predicted"].tolist() == [0.5, 1.0]
