"""Folds of RNA: arcs, circles and mountains."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from pystruct_ext._moved import warn_moved
from pystruct_ext.outputs.dot_bracket import pairs_of
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._page import MARGIN, Key, Legend, Page, measure, tick_step
from pystruct_ext.plotting._style import (
    BROKEN,
    FAINT,
    INK,
    MISSED,
    WRONG,
    calm,
    import_pyplot,
)

_Pairs = set[tuple[int, int]]
# Longer sequences are shown without their letters.
_LETTERS = 120
_BASE, _ROOM = 8.5, 11.0 * 72
_LETTER_HEIGHT, _TICKS = 13.0, 16.0
_SMALL = 7.5


class FoldingDisplay(ExampleDisplay):
    """A fold as arcs above the sequence, as a circle or as a mountain.

    `from_estimator` and `from_predictions` draw; the constructor only checks, for the text.

    Parameters
    ----------
    sequence : str
    fold : str
        Dot-bracket.
    gold : str or None
        Truth. Pairs of `fold` that it does not have get another colour; those missed
        are dashed.

    Raises
    ------
    ValueError
        If lengths differ or brackets do not balance.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Set by `plot`.

    Examples
    --------
    >>> print(FoldingDisplay("GGAAACC", "((...))", "(.....)"))
    GGAAACC
    ((...)) predicted
    (.....) gold
     x   x  (x wrong, o missed)
    """

    def __init__(self, sequence: str, fold: str, gold: str | None = None) -> None:
        for name, text in (("fold", fold), ("gold", gold)):
            if text is None:
                continue
            if len(text) != len(sequence):
                raise ValueError(
                    f"{name} has {len(text)} characters, but the sequence has "
                    f"{len(sequence)}"
                )
            pairs_of(text, name)
        self.sequence = sequence
        self.fold = fold
        self.gold = gold

    @classmethod
    def _of(cls, x: Any, y_true: Any, y_pred: Any) -> FoldingDisplay:
        return cls(x, y_pred, y_true)

    @classmethod
    def from_structures(
        cls, sequence: str, structure: str, gold: str | None = None
    ) -> FoldingDisplay:
        """Deprecated: the constructor checks, `from_predictions` draws."""
        warn_moved("FoldingDisplay.from_structures", "FoldingDisplay(...)")
        return cls(sequence, structure, gold)

    def _sets(self) -> tuple[_Pairs, _Pairs | None]:
        predicted = set(pairs_of(self.fold, "fold"))
        gold = None if self.gold is None else set(pairs_of(self.gold, "gold"))
        return predicted, gold

    def to_text(self) -> str:
        """Sequence and folds, with marks under the ends of wrong and missed pairs."""
        if self.gold is None:
            return f"{self.sequence}\n{self.fold}"
        predicted, gold = self._sets()
        marks = [" "] * len(self.sequence)
        for pair in gold or ():
            if pair not in predicted:
                for t in pair:
                    marks[t] = "o"
        for pair in predicted:
            if pair not in (gold or ()):
                for t in pair:
                    marks[t] = "x"
        return (
            f"{self.sequence}\n{self.fold} predicted\n{self.gold} gold\n"
            f"{''.join(marks)} (x wrong, o missed)"
        )

    def __str__(self) -> str:
        return self.to_text()

    def plot(
        self,
        ax: Any = None,
        *,
        title: str | None = None,
        kind: Literal["arc", "circle", "mountain"] = "arc",
    ) -> FoldingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional
            By default the counts of mistakes, with F1, where the truth is known.
        kind : {"arc", "circle", "mountain"}, default="arc"
            "arc": pairs as arcs above the sequence, the truth mirrored below. "circle": the
            sequence as a circle that begins at the top and runs clockwise, pairs as chords,
            prediction and truth in one. "mountain": how many pairs enclose each position, a
            curve each for prediction and truth.

        Returns
        -------
        FoldingDisplay
            ``self``.
        """
        import_pyplot()
        draw = {"arc": self._arcs, "circle": self._circle, "mountain": self._mountain}
        if kind not in draw:
            raise ValueError(
                f"kind must be 'arc', 'circle' or 'mountain', got {kind!r}"
            )
        predicted, gold = self._sets()
        if title is None:
            title = "predicted"
            if gold is not None:
                f1 = 2 * len(predicted & gold) / max(1, len(predicted) + len(gold))
                title = (
                    f"{len(predicted - gold)} wrong, {len(gold - predicted)} missed, "
                    f"F1 {100 * f1:.0f} %"
                )
        draw[kind](ax, title, predicted, gold)
        return self

    def _arcs(
        self, ax: Any, title: str, predicted: _Pairs, gold: _Pairs | None
    ) -> None:
        from matplotlib.patches import Arc

        n = len(self.sequence)
        letters = n <= _LETTERS
        step = max(5.0 / max(n, 1), _BASE if letters else min(_BASE, _ROOM / max(n, 1)))
        legend = _legend(gold, "above: ", "below: ")
        width = max(step * n, legend.width) + 2 * MARGIN

        def reach(pairs: _Pairs | None) -> float:
            return step * max((j - i for i, j in pairs or ()), default=0) / 2

        # Wide arcs are flattened: a page need not be as high as it is wide.
        rise = reach(predicted) + reach(gold)
        flat = min(1.0, 0.55 * max(width, 200.0) / rise) if rise else 1.0
        band = _TICKS + (_LETTER_HEIGHT if letters else 0.0)
        top = MARGIN + flat * reach(predicted)
        bottom = top + band
        down = flat * reach(gold)
        page = Page(ax, width, bottom + down + legend.height + 2 * MARGIN, title)
        self.ax_, self.figure_ = page.ax, page.ax.figure

        def at(t: float) -> float:
            return MARGIN + step * (t + 0.5)

        for pairs, up, color, dashes in _groups(predicted, gold, mirrored=True):
            for i, j in sorted(pairs):
                page.add(
                    Arc(
                        (at((i + j) / 2), top if up else bottom),
                        step * (j - i), flat * step * (j - i),
                        # The axes run downward.
                        theta1=180 if up else 0, theta2=360 if up else 180,
                        color=color, lw=(1.2 if letters else 0.9) * page.scale,
                        ls=dashes,
                    )
                )  # fmt: skip
        y = top
        if letters:
            for t, base in enumerate(self.sequence):
                page.text(at(t), y + _LETTER_HEIGHT / 2, base, 8.5, family="monospace")
            y += _LETTER_HEIGHT
        else:
            page.line([at(0), at(n - 1)], [top, top], 0.8, color=FAINT)
        if gold is not None and not letters:
            page.line([at(0), at(n - 1)], [bottom, bottom], 0.8, color=FAINT)
        for t in _ticks(n, step * n):
            if not letters:
                page.line([at(t), at(t)], [top, top + 3.0], 0.8, color=FAINT)
            # Numbers at the ends stay on the page.
            half = measure(str(t + 1), _SMALL) / 2
            x = min(max(at(t), half + 1.0), width - half - 1.0)
            page.text(x, y + _TICKS / 2 + 1.0, str(t + 1), _SMALL, color=FAINT)
        legend.draw(page, MARGIN, bottom + down + MARGIN)

    def _circle(
        self, ax: Any, title: str, predicted: _Pairs, gold: _Pairs | None
    ) -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        n = len(self.sequence)
        letters = n <= _LETTERS
        # A gap at the top tells the ends apart.
        turn = 2 * math.pi / (n + max(1.0, 0.02 * n))
        radius = max(70.0, 10.0 / turn) if letters else 230.0
        ring = radius + (_LETTER_HEIGHT if letters else 6.0)
        numbers = ring + 6.0
        legend = _legend(gold, "", "")
        room = 2 * (numbers + measure("0000", _SMALL) / 2 + 8.0)
        page = Page(
            ax,
            max(room, legend.width) + 2 * MARGIN,
            room + legend.height + 2 * MARGIN,
            title,
        )
        self.ax_, self.figure_ = page.ax, page.ax.figure
        middle = MARGIN + max(room, legend.width) / 2, MARGIN + room / 2

        def at(t: float, r: float) -> tuple[float, float]:
            angle = turn * (t + 0.5 + max(1.0, 0.02 * n) / 2)
            return middle[0] + r * math.sin(angle), middle[1] - r * math.cos(angle)

        if n:
            points = [at(t, radius + 2.0) for t in range(n)]
            page.line([x for x, _ in points], [y for _, y in points], 0.8, color=FAINT)
        for pairs, _, color, dashes in _groups(predicted, gold, mirrored=False):
            for i, j in sorted(pairs):
                # An arc of the circle that meets the rim at right angles: such arcs of
                # nested pairs never cross. (Clear of half a turn, where it is straight.)
                half = min(turn * (j - i), 2 * math.pi - turn * (j - i)) / 2
                half = min(half, math.pi / 2 - 1e-6)
                deep = 4 / 3 * math.tan(math.pi / 4 - half / 2) * math.tan(half)
                inner = radius * (1 - deep)
                page.add(
                    PathPatch(
                        Path(
                            [at(i, radius), at(i, inner), at(j, inner), at(j, radius)],
                            [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
                        ),
                        fill=False, edgecolor=color, ls=dashes,
                        lw=(1.2 if letters else 0.9) * page.scale,
                    )
                )  # fmt: skip
        if letters:
            for t, base in enumerate(self.sequence):
                page.text(*at(t, radius + _LETTER_HEIGHT / 2 + 2.0), base, 8.5,
                          family="monospace")  # fmt: skip
        for t in _ticks(n, 2 * math.pi * radius):
            a, b = at(t, radius + 2.0), at(t, radius + 5.0)
            if not letters:
                page.line([a[0], b[0]], [a[1], b[1]], 0.8, color=FAINT)
            page.text(*at(t, numbers + 5.0), str(t + 1), _SMALL, color=FAINT)
        legend.draw(page, MARGIN, room + 2 * MARGIN)

    def _mountain(
        self, ax: Any, title: str, predicted: _Pairs, gold: _Pairs | None
    ) -> None:
        plt = import_pyplot()
        n = len(self.sequence)
        if ax is None:
            wide = max(5.0, min(11.0, 0.04 * n + 2.0))
            _, ax = plt.subplots(figsize=(wide, 3.4), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        curves: list[tuple[str, _Pairs, str, Any]] = [
            ("predicted", predicted, INK, "-")
        ]
        if gold is not None:
            curves.append(("truth", gold, MISSED, BROKEN))
        positions = np.arange(1, n + 1)
        for name, pairs, color, dashes in curves:
            steps = np.zeros(n + 1, dtype=np.int64)
            for i, j in pairs:
                steps[i] += 1
                steps[j] -= 1
            ax.step(
                positions, np.cumsum(steps[:n]), where="mid", color=color, ls=dashes,
                lw=1.4, label=name,
            )  # fmt: skip
        calm(ax)
        ax.set_xlim(0.5, max(n, 1) + 0.5)
        ax.set_ylim(bottom=0)
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.set_xlabel("position", color=INK)
        ax.set_ylabel("pairs around it", color=INK)
        ax.set_title(title, fontsize=10, color=INK, loc="left", parse_math=False)
        if gold is not None:
            ax.legend(
                frameon=False, fontsize=9, loc="lower right", ncols=2,
                bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2,
            )  # fmt: skip


def _groups(
    predicted: _Pairs, gold: _Pairs | None, *, mirrored: bool
) -> list[tuple[_Pairs, bool, str, Any]]:
    """Pairs, whether they are drawn above, colour and dashes of each group."""
    if gold is None:
        return [(predicted, True, INK, "-")]
    groups: list[tuple[_Pairs, bool, str, Any]] = [
        (predicted & gold, True, INK, "-"),
        (predicted - gold, True, WRONG, "-"),
        (gold - predicted, False, MISSED, BROKEN),
    ]
    if mirrored:
        groups.insert(2, (predicted & gold, False, FAINT, "-"))
    return groups


def _legend(gold: _Pairs | None, above: str, below: str) -> Legend:
    keys = []
    if gold is not None:
        keys = [
            Key(f"{above}right", INK, shape="line"),
            Key(f"{above}wrong", WRONG, shape="line"),
            Key(f"{below}missed", MISSED, shape="line", dashes=BROKEN),
        ]
    return Legend(keys, 400.0)


def _ticks(n: int, room: float) -> list[int]:
    """Positions to number, from 0: the first, and round numbers not too near to it."""
    if n == 0:
        return []
    step = max(5, tick_step(n, room, measure(str(n), _SMALL) + 12.0))
    rounds = [t for t in range(step - 1, n, step) if t >= step / 2]
    return [0, *rounds]


__all__ = ["FoldingDisplay"]
