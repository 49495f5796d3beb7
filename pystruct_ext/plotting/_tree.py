"""Constituency trees."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from pystruct_ext._moved import warn_moved
from pystruct_ext.outputs.phrase_trees import Tree
from pystruct_ext.outputs.sentences import as_sentence
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._page import (
    FONT,
    LEADING,
    MARGIN,
    Key,
    Legend,
    Page,
    measure,
    shorten,
)
from pystruct_ext.plotting._style import (
    BROKEN,
    FAINT,
    GRID,
    INK,
    MISSED,
    WRONG,
    import_pyplot,
)

_WIDEST = 100
_WRAP = 11.0
_LABEL, _SMALL = 9.5, 8.0
_LEVEL, _SIDE, _MISSED_ROW = 27.0, 14.0, 12.0
_PAD = 3.0
_FORM, _TAG = 24, 12


class TreeDisplay(ExampleDisplay):
    """A constituency tree, words on one line.

    `from_estimator` and `from_predictions` draw; the constructor only checks, for the text.

    Parameters
    ----------
    tree : Tree
    gold : Tree or None
        Truth: constituents of `tree` that it does not have get another colour, those that
        are missing are listed below.

    Raises
    ------
    TypeError, ValueError
        If one is no Tree, or they have different words.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Set by `plot`.

    Examples
    --------
    >>> print(TreeDisplay(Tree.parse("(S (NP (N dogs)) (VP (V bark)))")))
        S
     +--+--+
     NP    VP
     |     |
     N     V
     |     |
    dogs  bark
    """

    def __init__(self, tree: Tree, gold: Tree | None = None) -> None:
        for name, value in (("tree", tree), ("gold", gold)):
            if value is not None and not isinstance(value, Tree):
                raise TypeError(f"{name} must be a Tree, got {type(value).__name__}")
        if gold is not None and gold.words() != tree.words():
            raise ValueError(
                f"gold has the words {gold.words()}, expected those of tree: {tree.words()}"
            )
        self.tree = tree
        self.gold = gold

    @classmethod
    def _of(cls, x: Any, y_true: Any, y_pred: Any) -> TreeDisplay:
        display = cls(y_pred, y_true)
        forms = as_sentence(x, "X").forms
        if tuple(y_pred.words()) != forms:
            raise ValueError(
                f"y_pred has the words {y_pred.words()}, expected those of X: {forms}"
            )
        return display

    @classmethod
    def from_tree(cls, tree: Tree, gold: Tree | None = None) -> TreeDisplay:
        """Deprecated: the constructor checks, `from_predictions` draws."""
        warn_moved("TreeDisplay.from_tree", "TreeDisplay(...)")
        return cls(tree, gold)

    def missed(self) -> list[tuple[int, int, str]]:
        """True constituents that the tree does not have."""
        if self.gold is None:
            return []
        return list(
            (Counter(self.gold.spans()) - Counter(self.tree.spans())).elements()
        )

    def to_text(self) -> str:
        """The tree in characters, or indented brackets where that would be too wide."""
        # What is deep is wide as well; and it must not be drawn by recursion.
        deep = _nodes(self.tree)[-1].level > _WIDEST
        lines = [] if deep else _drawing(self.tree)[0]
        if deep or max(map(len, lines)) > _WIDEST:
            text = self.tree.pretty()
        else:
            text = "\n".join(line.rstrip() for line in lines)
        for a, b, label in self.missed():
            text += f"\nmissed: {label} over {' '.join(self.tree.words()[a:b])!r}"
        return text

    def __str__(self) -> str:
        return self.to_text()

    def plot(
        self,
        ax: Any = None,
        *,
        title: str | None = None,
        orient: Literal["auto", "down", "right"] = "auto",
    ) -> TreeDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made, as large as the tree needs.
        title : str, optional
        orient : {"auto", "down", "right"}, default="auto"
            Where the root looks: "down" has the words on one line below it, "right" has
            them below each other at its right, which suits long sentences; "auto" does that
            where one line would be wider than 11 inches.

        Returns
        -------
        TreeDisplay
            ``self``.
        """
        import_pyplot()
        if orient not in ("auto", "down", "right"):
            raise ValueError(
                f"orient must be 'auto', 'down' or 'right', got {orient!r}"
            )
        if orient == "auto":
            plan = _Plan(self, "down")
            if plan.size[0] > 72 * _WRAP:
                plan = _Plan(self, "right")
        else:
            plan = _Plan(self, orient)
        keys = []
        if self.gold is not None:
            if any(node.wrong for node in plan.nodes):
                keys.append(Key("wrong", WRONG, shape="line"))
            if plan.missed:
                keys.append(Key("missed", MISSED, shape="line", dashes=BROKEN))
        legend = Legend(keys, 72 * _WRAP)
        width, height = plan.size
        page = Page(
            ax,
            max(width, legend.width) + 2 * MARGIN,
            height + 2 * MARGIN + (legend.height + MARGIN if keys else 0.0),
            title,
        )
        self.ax_, self.figure_ = page.ax, page.ax.figure
        plan.draw(page)
        legend.draw(page, MARGIN, height + 2 * MARGIN)
        return self


@dataclass
class _Node:
    """A node in a plan: its words first..last - 1, and how far it is above them."""

    label: str
    first: int
    last: int
    level: int
    children: list[_Node]
    wrong: bool = False
    at: float = 0.0

    @property
    def width(self) -> float:
        """Of the label, which is bold where it is wrong."""
        return measure(self.label, _LABEL) * (1.15 if self.wrong else 1.0)


class _Plan:
    """Where everything goes: `along` the words, and `level` by level up to the root.

    Every node stands above its own words only, in the middle of its children; its edges run
    along the level of the node and then straight down to each child. Nodes at one level have
    different words, and what stands between a node and its child belongs to neither: so no
    edge meets another node.
    """

    def __init__(self, display: TreeDisplay, orient: str) -> None:
        self.down = orient == "down"
        tree = display.tree
        self.words = [shorten(w, _FORM) for w in tree.words()]
        self.nodes = _nodes(tree)
        if display.gold is not None:
            left = Counter(display.gold.spans())
            # In preorder, as equal brackets of one span are told apart by their order only.
            for node in reversed(self.nodes):
                span = (node.first, node.last, node.label)
                if node.children and node.level > 0:
                    node.wrong = left[span] <= 0
                    left[span] -= 1
        self.missed = display.missed()
        self._place()

    def _extent(self, text: str, size: float) -> float:
        """Room that a text takes along the words."""
        return measure(text, size) + 2 * _PAD if self.down else LEADING * size

    def _place(self) -> None:
        # Along the words a label takes its width, or one line.
        spans = [
            (n.first, n.last, n.width + 2 * _PAD if self.down else LEADING * _LABEL)
            for n in self.nodes
        ]
        spans += [
            (a, b, self._extent(label, _SMALL) + 2 * _PAD)
            for a, b, label in self.missed
        ]
        room = [
            self._extent(w, FONT) + (_PAD if self.down else 2.0) for w in self.words
        ]
        # Shorter spans first: what they give serves the longer ones, too.
        for a, b, need in sorted(spans, key=lambda s: s[1] - s[0]):
            lack = need - sum(room[a:b])
            if lack > 0:
                room[a:b] = [r + lack / (b - a) for r in room[a:b]]
        self.edges = [0.0]
        for r in room:
            self.edges.append(self.edges[-1] + r)
        for node in self.nodes:
            ends = (node.first, node.last)
            node.at = (
                (node.children[0].at + node.children[-1].at) / 2
                if node.children
                else (self.edges[ends[0]] + self.edges[ends[1]]) / 2
            )
        top = max(n.level for n in self.nodes)
        # Distance of each level from the words, to the middle of its labels.
        if self.down:
            deep = [_LEVEL * k + LEADING * _LABEL for k in range(top + 1)]
            halves = [LEADING * _LABEL / 2] * (top + 1)
            self.leaf = LEADING * FONT
        else:
            wide = [0.0] * (top + 1)
            for n in self.nodes:
                wide[n.level] = max(wide[n.level], n.width)
            halves = [w / 2 for w in wide]
            deep, x = [], 0.0
            for w in wide:
                deep.append(x + _SIDE + w / 2)
                x += _SIDE + w
            self.leaf = max(measure(w, FONT) for w in self.words)
        self.deep, self.halves = deep, halves
        self.rows = _rows(self.missed)
        n_rows = max(self.rows, default=-1) + 1
        # Half the height, or width, of each label across the levels.
        self.half = [
            LEADING * _LABEL / 2 if self.down else n.width / 2 for n in self.nodes
        ]
        #: Distance from the top of the page to the words, across the levels.
        self.base = deep[self.nodes[-1].level] + self.half[-1]
        row = _MISSED_ROW if self.down else max(
            (measure(m[2], _SMALL) + 2 * _PAD for m in self.missed), default=0.0
        )  # fmt: skip
        self.row = row
        across = self.base + self.leaf + n_rows * row + (_PAD if n_rows else 0.0)
        along = self.edges[-1]
        self.size = (along, across) if self.down else (across, along)

    def _xy(self, along: float, across: float) -> tuple[float, float]:
        """A point of the page; `across` counts from the words, up positive."""
        if self.down:
            return MARGIN + along, MARGIN + self.base - across
        return MARGIN + self.base - across, MARGIN + along

    def _line(
        self, page: Page, points: list[tuple[float, float]], color: str, **style: Any
    ) -> None:
        x, y = zip(*(self._xy(*p) for p in points), strict=True)
        page.line(x, y, color=color, solid_joinstyle="miter", **style)

    def draw(self, page: Page) -> None:
        """Edges, labels, words and what was missed."""
        for node, half in zip(self.nodes, self.half, strict=True):
            color = WRONG if node.wrong else INK
            own = self.deep[node.level]
            x, y = self._xy(node.at, own)
            page.text(
                x, y, node.label, _LABEL, color=color if node.level else FAINT,
                fontweight="bold" if node.wrong else "normal",
            )  # fmt: skip
            if not node.children:
                self._line(page, [(node.at, own - half), (node.at, 2.0)], GRID)
                word = self.words[node.first]
                if self.down:
                    page.text(*self._xy(node.at, -self.leaf / 2), word)
                else:
                    page.text(*self._xy(node.at, 0.0), word, ha="left")
                continue
            # The bar of all nodes of a level lies next to its labels.
            bar = own - self.halves[node.level] - (1.0 if self.down else _SIDE / 2)
            self._line(page, [(node.at, own - half), (node.at, bar)], color)
            ends = node.children[0].at, node.children[-1].at
            self._line(page, [(ends[0], bar), (ends[1], bar)], color)
            for child in node.children:
                top = self.deep[child.level] + (
                    LEADING * _LABEL / 2 if self.down else child.width / 2 + 2.0
                )
                self._line(page, [(child.at, bar), (child.at, top)], color)
        for row, (a, b, label) in zip(self.rows, self.missed, strict=True):
            across = -self.leaf - _PAD - self.row * (row + 0.5)
            ends = self.edges[a] + 2.0, self.edges[b] - 2.0
            self._line(
                page, [(ends[0], across), (ends[1], across)], MISSED, ls=BROKEN, lw=1.3
            )
            page.text(
                *self._xy(sum(ends) / 2, across), label, _SMALL, color=MISSED,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8 * page.scale},
            )  # fmt: skip


def _nodes(tree: Tree) -> list[_Node]:
    """All nodes, children before parents and the last child first among them."""
    # Without recursion: trees may be deeper than Python's stack.
    order: list[tuple[Tree, int]] = []
    stack = [(tree, -1)]
    while stack:
        node, parent = stack.pop()
        order.append((node, parent))
        if not node.is_preterminal:
            stack.extend((child, len(order) - 1) for child in node.children)
    # Preorder, the last child first: words are counted from the end.
    words = sum(node.is_preterminal for node, _ in order)
    made = [_Node(shorten(node.label, _TAG), 0, 0, 0, []) for node, _ in order]
    position = words
    for leaf, (source, _) in zip(made, order, strict=True):
        if source.is_preterminal:
            leaf.first, leaf.last = position - 1, position
            position -= 1
    for k in reversed(range(len(made))):
        this, parent = made[k], order[k][1]
        if this.children:
            this.first, this.last = this.children[0].first, this.children[-1].last
            this.level = 1 + max(child.level for child in this.children)
        if parent >= 0:
            made[parent].children.append(this)
    return made[::-1]


def _rows(spans: list[tuple[int, int, str]]) -> list[int]:
    """A row for each span such that those of a row do not meet; short ones first."""
    rows = [0] * len(spans)
    full: list[list[tuple[int, int]]] = []
    for k in sorted(range(len(spans)), key=lambda k: spans[k][1] - spans[k][0]):
        a, b, _ = spans[k]
        row = next(
            (
                r
                for r, taken in enumerate(full)
                if all(d <= a or b <= c for c, d in taken)
            ),
            len(full),
        )
        if row == len(full):
            full.append([])
        full[row].append((a, b))
        rows[k] = row
    return rows


def _drawing(node: Any) -> tuple[list[str], int, int]:
    """Lines, width and the column of the top of a tree."""
    if isinstance(node, str):
        return [node], len(node), (len(node) - 1) // 2
    blocks = [_drawing(c) for c in node.children]
    gap = 2
    width = sum(w for _, w, _ in blocks) + gap * (len(blocks) - 1)
    height = max(len(lines) for lines, _, _ in blocks)
    rows = [""] * height
    tops, offset = [], 0
    for lines, w, top in blocks:
        # Words stand on the last line: shorter blocks are stretched from above.
        stretch = [" " * top + "|"] * (height - len(lines))
        for r, line in enumerate([*stretch, *lines]):
            rows[r] = rows[r].ljust(offset) + line
        tops.append(offset + top)
        offset += w + gap
    center = (tops[0] + tops[-1]) // 2
    start = center - (len(node.label) - 1) // 2
    shift = max(0, -start)
    head = " " * (start + shift) + node.label
    if len(tops) == 1:
        bar = " " * (center + shift) + "|"
    else:
        marks = ["-"] * (tops[-1] - tops[0] + 1)
        for t in (*tops, center):
            marks[t - tops[0]] = "+"
        bar = " " * (tops[0] + shift) + "".join(marks)
    lines = [head, bar, *(" " * shift + row for row in rows)]
    return lines, max(width + shift, len(head)), center + shift


__all__ = ["TreeDisplay"]
