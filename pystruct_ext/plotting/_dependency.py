"""Dependency trees: arcs over words."""

from __future__ import annotations

from typing import Any

from pystruct_ext._moved import warn_moved
from pystruct_ext.outputs.sentences import DependencyTree, as_sentence, as_tree
from pystruct_ext.plotting._arcs import LINE_GAP, Arc, arrange, draw_line
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._page import MARGIN, Key, Legend, Page
from pystruct_ext.plotting._style import BROKEN, INK, MISSED, WRONG, import_pyplot


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

    def plot(
        self, ax: Any = None, *, title: str | None = None, wrap: float = 11.0
    ) -> DependencyDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made, as large as the sentence needs.
        title : str, optional
            By default the attachment scores, where the truth is known.
        wrap : float, default=11
            Width in inches after which the sentence continues below; ``math.inf`` keeps it
            on one line, to be scrolled (see `to_svg`). Arcs between two lines end at the
            margins, where number and form of the word at their other end stand.

        Returns
        -------
        DependencyDisplay
            ``self``.
        """
        import_pyplot()
        if not wrap > 0:
            raise ValueError(f"wrap must be positive, got {wrap!r}")
        gold, n = self.gold, len(self.sentence.forms)
        missed = [t for t in range(n) if not self._right(t)]
        layers = [
            [
                Arc(t, h - 1, label, INK if self._right(t) else WRONG)
                for t, (h, label) in enumerate(self._labelled(self.tree))
            ]
        ]
        if gold is not None and missed:
            truth = self._labelled(gold)
            layers.append(
                [Arc(t, truth[t][0] - 1, truth[t][1], MISSED) for t in missed]
            )
        lines = arrange(self.sentence, layers, 72 * wrap - 2 * MARGIN)
        keys = []
        if missed:
            keys = [
                Key("wrong", WRONG, shape="line"),
                Key("missed, below the words", MISSED, shape="line", dashes=BROKEN),
            ]
        legend = Legend(keys, 72 * wrap)
        height = sum(line.height for line in lines) + LINE_GAP * (len(lines) - 1)
        if gold is not None and title is None:
            heads = sum(
                p == q for p, q in zip(self.tree.heads, gold.heads, strict=True)
            )
            title = f"UAS {100 * heads / n:.0f} %"
            if self.tree.labels and gold.labels:
                title += f", LAS {100 * (n - len(missed)) / n:.0f} %"
        page = Page(
            ax,
            max(legend.width, *(line.width for line in lines)) + 2 * MARGIN,
            height + 2 * MARGIN + (legend.height + MARGIN if keys else 0.0),
            title,
        )
        self.ax_, self.figure_ = page.ax, page.ax.figure
        y = MARGIN
        for line in lines:
            draw_line(page, line, self.sentence, MARGIN, y, numbers=len(lines) > 1)
            y += line.height + LINE_GAP
        legend.draw(page, MARGIN, y - LINE_GAP + MARGIN)
        return self

    def _labelled(self, tree: DependencyTree) -> list[tuple[int, str]]:
        labels = tree.labels or ("",) * len(tree.heads)
        return list(zip(tree.heads, labels, strict=True))


def _checked(y: Any, n: int, where: str) -> DependencyTree:
    labels = getattr(y, "labels", None)
    pair = len(y) == 2 and all(hasattr(part, "__len__") for part in y)
    return as_tree(y, n, bool(labels) if labels is not None else pair, where)


__all__ = ["DependencyDisplay"]
