"""Constituency trees."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pystruct_ext._moved import warn_moved
from pystruct_ext.outputs.phrase_trees import Tree
from pystruct_ext.outputs.sentences import as_sentence
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._style import FAINT, INK, PALETTE, import_pyplot

_WRONG = PALETTE[1]
_WIDEST = 100


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
        lines, _, _ = _drawing(self.tree)
        if max(map(len, lines)) > _WIDEST:
            text = self.tree.pretty()
        else:
            text = "\n".join(line.rstrip() for line in lines)
        for a, b, label in self.missed():
            text += f"\nmissed: {label} over {' '.join(self.tree.words()[a:b])!r}"
        return text

    def __str__(self) -> str:
        return self.to_text()

    def plot(self, ax: Any = None, *, title: str | None = None) -> TreeDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made, as wide as the words need.
        title : str, optional

        Returns
        -------
        TreeDisplay
            ``self``.
        """
        plt = import_pyplot()
        words = self.tree.words()
        space = [
            max(len(w), len(t)) + 2.0
            for w, t in zip(words, self.tree.tags(), strict=True)
        ]
        at, x = [], 0.0
        for width in space:
            at.append(x + width / 2)
            x += width
        depth = _depth(self.tree)
        missed = self.missed()
        if ax is None:
            height = 0.5 * (depth + 1) + 0.3 + (0.22 * len(missed))
            _, ax = plt.subplots(figsize=(max(3.5, 0.1 * x + 0.4), height))
        self.ax_, self.figure_ = ax, ax.figure
        left = Counter(self.gold.spans()) if self.gold is not None else None
        position = 0

        def draw(node: Tree, level: int) -> tuple[float, float, int, int]:
            nonlocal position
            if node.is_preterminal:
                center, start = at[position], position
                ax.text(
                    center, -depth, node.children[0], ha="center", va="center",
                    fontsize=10, color=INK,
                )  # fmt: skip
                ax.text(
                    center, -depth + 0.75, node.label, ha="center", va="center",
                    fontsize=8, color=FAINT,
                )  # fmt: skip
                ax.plot(
                    [center, center], [-depth + 0.5, -depth + 0.25], color=FAINT, lw=0.8
                )
                position += 1
                return center, -depth + 0.98, start, position
            children = [draw(c, level + 1) for c in node.children]
            center = (children[0][0] + children[-1][0]) / 2
            span = (children[0][2], children[-1][3], node.label)
            color = INK
            if left is not None:
                if left[span] > 0:
                    left[span] -= 1
                else:
                    color = _WRONG
            for child, top, _, _ in children:
                ax.plot([center, child], [-level, top], color=color, lw=1.0, zorder=1)
            ax.text(
                center, -level, node.label, ha="center", va="center", fontsize=9.5,
                color=color, fontweight="bold" if color == _WRONG else "normal",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2}, zorder=2,
            )  # fmt: skip
            return center, -level + 0.15, span[0], span[1]

        draw(self.tree, 0)
        for k, (a, b, label) in enumerate(missed):
            y = -depth - 0.55 - 0.45 * k
            ax.plot(
                [at[a] - 1, at[b - 1] + 1],
                [y, y],
                color=PALETTE[0],
                lw=1.6,
                ls=(0, (4, 2)),
            )
            ax.text(
                (at[a] + at[b - 1]) / 2, y, f"missed {label}", ha="center", va="center",
                fontsize=8, color=PALETTE[0],
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip
        ax.set_xlim(0, x)
        ax.set_ylim(-depth - 0.4 - 0.45 * len(missed), 0.4)
        ax.axis("off")
        if title:
            ax.set_title(title, fontsize=10, color=INK, loc="left")
        return self


def _depth(node: Tree) -> int:
    if node.is_preterminal:
        return 1
    return 1 + max(_depth(c) for c in node.children)


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
