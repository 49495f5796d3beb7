"""Dependency trees: arcs over words."""

from __future__ import annotations

from typing import Any

from pystruct_ext._moved import warn_moved
from pystruct_ext.outputs.sentences import DependencyTree, as_sentence, as_tree
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._style import FAINT, INK, PALETTE, import_pyplot

_WRONG, _MISSED = PALETTE[1], PALETTE[0]


class DependencyDisplay(ExampleDisplay):
    """A dependency tree drawn as arcs over the words.

    `from_estimator` and `from_predictions` draw; the constructor only checks, for the text.

    Parameters
    ----------
    sentence : Sentence, or pair (forms, tags)
    tree : DependencyTree, heads, or (heads, labels)
        What is drawn above the words.
    gold : DependencyTree, heads, (heads, labels), or None
        Truth: arcs of `tree` that are wrong get another colour, arcs that are missing are
        drawn below the words, dashed.

    Raises
    ------
    ValueError
        If the lengths differ, or a tree is none.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Set by `plot`.

    Examples
    --------
    >>> display = DependencyDisplay(
    ...     (["dogs", "bark"], ["NOUN", "VERB"]), ([2, 0], ["nsubj", "root"])
    ... )
    >>> print(display)
    1  dogs  NOUN  <- bark  nsubj
    2  bark  VERB  <- ROOT  root
    """

    def __init__(self, sentence: Any, tree: Any, gold: Any = None) -> None:
        self.sentence = as_sentence(sentence, "sentence")
        n = len(self.sentence.forms)
        self.tree = _checked(tree, n, "tree")
        self.gold = None if gold is None else _checked(gold, n, "gold")

    @classmethod
    def _of(cls, x: Any, y_true: Any, y_pred: Any) -> DependencyDisplay:
        return cls(x, y_pred, y_true)

    @classmethod
    def from_tree(cls, sentence: Any, tree: Any, gold: Any = None) -> DependencyDisplay:
        """Deprecated: the constructor checks, `from_predictions` draws."""
        warn_moved("DependencyDisplay.from_tree", "DependencyDisplay(...)")
        return cls(sentence, tree, gold)

    def _right(self, t: int) -> bool:
        if self.gold is None:
            return True
        same = self.tree.heads[t] == self.gold.heads[t]
        if self.tree.labels and self.gold.labels:
            same = same and self.tree.labels[t] == self.gold.labels[t]
        return bool(same)

    def to_text(self) -> str:
        """One row per word; "x" marks mistakes, with the truth behind."""
        forms = ("ROOT", *self.sentence.forms)
        rows = []
        for t, (form, tag) in enumerate(
            zip(self.sentence.forms, self.sentence.tags, strict=True)
        ):
            row = [str(t + 1), form, tag, f"<- {forms[self.tree.heads[t]]}"]
            row.append(self.tree.labels[t] if self.tree.labels else "")
            if not self._right(t) and self.gold is not None:
                label = self.gold.labels[t] if self.gold.labels else ""
                row.append(f"x  gold: {forms[self.gold.heads[t]]} {label}".rstrip())
            rows.append(row)
        widths = [max(len(r[c]) for r in rows) for c in range(5)]
        return "\n".join(
            "  ".join(
                [cell.ljust(w) for cell, w in zip(r[:5], widths, strict=True)] + r[5:]
            ).rstrip()
            for r in rows
        )

    def __str__(self) -> str:
        return self.to_text()

    def plot(self, ax: Any = None, *, title: str | None = None) -> DependencyDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made, as wide as the words need.
        title : str, optional
            By default the attachment scores, where the truth is known.

        Returns
        -------
        DependencyDisplay
            ``self``.
        """
        plt = import_pyplot()
        size = 11
        forms, tags = self.sentence.forms, self.sentence.tags
        labels = self.tree.labels or ("",) * len(forms)
        # Widths in units of a character; labels sit on arcs of neighbours, too.
        space = [
            max(len(f), len(t), 0.8 * len(label)) + 2.2
            for f, t, label in zip(forms, tags, labels, strict=True)
        ]
        at, x = [], 0.0
        for width in space:
            at.append(x + width / 2)
            x += width
        total = x
        missing = [t for t in range(len(forms)) if not self._right(t)]
        above = _levels(self.tree.heads)
        below = (
            _levels(self.gold.heads, missing)
            if self.gold is not None and missing
            else {}
        )
        top, bottom = max(above.values(), default=1), max(below.values(), default=0)
        if ax is None:
            _, ax = plt.subplots(
                figsize=(
                    max(4.0, 0.092 * total + 0.4),
                    1.1 + 0.42 * (top + 1.2 * bottom),
                )
            )
        self.ax_, self.figure_ = ax, ax.figure
        for t, (form, tag) in enumerate(zip(forms, tags, strict=True)):
            ax.text(at[t], -0.12, form, ha="center", va="top", fontsize=size, color=INK)
            ax.text(at[t], -0.62, tag, ha="center", va="top", fontsize=7.5, color=FAINT)
        for t, head in enumerate(self.tree.heads):
            color = INK if self._right(t) else _WRONG
            self._arc(ax, at, t, head, labels[t], above[t], color, 1, top, total)
        if self.gold is not None:
            for t in missing:
                label = self.gold.labels[t] if self.gold.labels else ""
                head = self.gold.heads[t]
                self._arc(ax, at, t, head, label, below[t], _MISSED, -1, bottom, total)
        ax.set_xlim(0, total)
        ax.set_ylim(-1.15 - (bottom + 0.9 if bottom else 0), top + 0.9)
        ax.axis("off")
        if self.gold is not None and title is None:
            n = len(forms)
            heads = sum(
                p == q for p, q in zip(self.tree.heads, self.gold.heads, strict=True)
            )
            title = f"UAS {100 * heads / n:.0f} %"
            if self.tree.labels and self.gold.labels:
                title += f", LAS {100 * (n - len(missing)) / n:.0f} %"
        if title:
            ax.set_title(title, fontsize=10, color=INK, loc="left")
        return self

    def _arc(
        self,
        ax: Any,
        at: list[float],
        t: int,
        head: int,
        label: str,
        level: int,
        color: str,
        side: int,
        top: int,
        total: float,
    ) -> None:
        base = 0.0 if side > 0 else -1.15
        style = "-" if side > 0 else (0, (4, 2))
        if head == 0:
            height = base + side * (top + 0.55)
            ax.annotate(
                "",
                (at[t], base),
                (at[t], height),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": color,
                    "lw": 1.1,
                    "ls": style,
                },
            )
            ax.text(
                at[t] + 0.5, height, label or "root", fontsize=7.5, color=color,
                va="top" if side > 0 else "bottom",
            )  # fmt: skip
            return
        # Feet of arcs at one word stand apart: heads left and right, the modifier between.
        shift = 0.9 if at[t] > at[head - 1] else -0.9
        a, b = at[head - 1] + shift, at[t]
        y = base + side * (level - 0.1)
        bend = min(1.5, abs(b - a) / 3) * (1 if b > a else -1)
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        path = Path(
            [(a, base), (a, y), (a + bend, y), (b - bend, y), (b, y), (b, base)],
            [
                Path.MOVETO,
                Path.CURVE3,
                Path.CURVE3,
                Path.LINETO,
                Path.CURVE3,
                Path.CURVE3,
            ],
        )
        ax.add_patch(
            FancyArrowPatch(
                path=path,
                arrowstyle="-|>",
                mutation_scale=8,
                color=color,
                lw=1.1,
                linestyle=style,
                fill=False,
                shrinkA=0,
                shrinkB=0,
            )
        )
        ax.text(
            (a + b) / 2,
            y,
            label,
            ha="center",
            va="center",
            fontsize=7.5,
            color=color,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )


def _checked(y: Any, n: int, where: str) -> DependencyTree:
    labels = getattr(y, "labels", None)
    pair = len(y) == 2 and all(hasattr(part, "__len__") for part in y)
    return as_tree(y, n, bool(labels) if labels is not None else pair, where)


def _levels(heads: Any, only: Any = None) -> dict[int, int]:
    """Height of every arc: one above all shorter arcs that it meets."""
    arcs = sorted(
        (abs(h - 1 - t), t)
        for t, h in enumerate(heads)
        if h and (only is None or t in only)
    )
    level: dict[int, int] = {}
    for _, t in arcs:
        a, b = sorted((t, heads[t] - 1))
        under = [
            level[s]
            for s in level
            if min(s, heads[s] - 1) < b and max(s, heads[s] - 1) > a
        ]
        level[t] = max(under, default=0) + 1
    for t, h in enumerate(heads):
        if not h and (only is None or t in only):
            level[t] = 1
    return level


__all__ = ["DependencyDisplay"]
