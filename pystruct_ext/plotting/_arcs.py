"""Arcs over words, on several lines where a sentence is long.

Design
------
Words stand as far apart as they, the feet of their arcs and the labels between them need:
from left to right, a word comes right of all that must be left of it. Arcs that overlap
have different levels, the shorter one below; the arcs of one word have a foot each, the
longest nearest to its middle, so that nested arcs do not cross. What leaves a line ends in a
margin which is as wide as the labels there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pystruct_ext.outputs.sentences import Sentence
from pystruct_ext.plotting._page import Page, measure, shorten
from pystruct_ext.plotting._style import BROKEN, FAINT

LINE_GAP = 16.0
_SIZE, _SMALL = 11.0, 7.5
_LEVEL = 14.0
_WORD_HEIGHT, _TAG_HEIGHT = 16.0, 11.0
_FOOT = 4.5
_GAP = 9.0
_PAD = 4.0
_ROUND = 7.0
_FORM, _LABEL = 24, 16


class Arc(NamedTuple):
    """An arc to the word `t` from its head, -1 for the root, counted from 0."""

    t: int
    head: int
    label: str
    color: Any


@dataclass
class _Side:
    """The arcs above, or below, a line of words.

    Attributes
    ----------
    level : dict of Arc to int
        From 1, nearest to the words.
    foot : dict of (Arc, word) to float
        Offset of each foot from the middle of its word.
    """

    arcs: list[Arc]
    level: dict[Arc, int] = field(default_factory=dict)
    foot: dict[tuple[Arc, int], float] = field(default_factory=dict)

    @property
    def height(self) -> float:
        top = max(self.level.values(), default=0)
        return _LEVEL * (top + 0.5) if top else 0.0


@dataclass
class Line:
    """Words first..last - 1, where their middles are, and the arcs of both sides."""

    first: int
    last: int
    at: list[float]
    left: float
    right: float
    sides: list[_Side]

    @property
    def height(self) -> float:
        rows = _WORD_HEIGHT + 2 * _TAG_HEIGHT
        return rows + sum(side.height for side in self.sides)

    @property
    def width(self) -> float:
        return self.right


def arrange(
    sentence: Sentence, layers: Sequence[Sequence[Arc]], room: float
) -> list[Line]:
    """Break a sentence into lines of at most `room` points where possible.

    Parameters
    ----------
    sentence : Sentence
    layers : one or two sequences of Arc
        Those above the words, and those below.
    room : float
    """
    forms = [shorten(f, _FORM) for f in sentence.forms]
    widths = [
        max(measure(f, _SIZE), measure(shorten(t, _FORM), _SMALL))
        for f, t in zip(forms, sentence.tags, strict=True)
    ]
    lines: list[Line] = []
    first, n = 0, len(forms)
    while first < n:
        line = _line(sentence, layers, widths, first, first + 1)
        while line.last < n:
            longer = _line(sentence, layers, widths, first, line.last + 1)
            if longer.width > room:
                break
            line = longer
        lines.append(line)
        first = line.last
    return lines


def _line(
    sentence: Sentence,
    layers: Sequence[Sequence[Arc]],
    widths: list[float],
    first: int,
    last: int,
) -> Line:
    """Words first..last - 1 on one line."""
    sides = [_side(arcs, first, last) for arcs in layers]
    feet = [0] * (last - first)
    before = after = 0.0
    within: list[list[tuple[int, float]]] = [[] for _ in feet]
    for side in sides:
        count = [0] * len(feet)
        for arc in side.arcs:
            ends = [w for w in {arc.t, arc.head} if first <= w < last]
            for w in ends:
                count[w - first] += 1
            text = label_of(arc, sentence, first, last)
            need = measure(text, _SMALL) + 2 * _PAD
            if arc.head < 0:
                continue
            if len(ends) == 2:
                a, b = sorted(ends)
                within[b - first].append((a, need))
            elif min(arc.t, arc.head) < first:
                before = max(before, need + _ROUND)
            else:
                after = max(after, need + _ROUND)
        feet = [max(f, c) for f, c in zip(feet, count, strict=True)]
    half = [_FOOT * f / 2 for f in feet]
    roots = {arc.t: arc for side in sides for arc in side.arcs if arc.head < 0}
    at: list[float] = []
    for k in range(len(feet)):
        wide = max(widths[first + k] / 2, half[k])
        if not k:
            at.append(before + wide)
            continue
        x = at[-1] + max(widths[first + k - 1] / 2, half[k - 1]) + _GAP + wide
        for a, need in within[k]:
            # A corner at each end, and the feet.
            x = max(x, at[a - first] + half[a - first] + half[k] + need + 2.0)
        at.append(x)
    right = at[-1] + max(widths[last - 1] / 2, half[-1]) + after
    for t, arc in roots.items():
        text = label_of(arc, sentence, first, last)
        right = max(right, at[t - first] + measure(text, _SMALL) + 2 * _PAD)
    return Line(first, last, at, before, right, sides)


def _side(arcs: Sequence[Arc], first: int, last: int) -> _Side:
    """Levels and feet of the arcs that touch words first..last - 1."""
    here = [arc for arc in arcs if first <= arc.t < last or first <= arc.head < last]
    side = _Side(here)
    # Where an arc leaves the line it goes on to the margin.
    spans = {
        arc: (
            max(first - 1, min(arc.t, arc.head)), min(last, max(arc.t, arc.head))
        )
        for arc in here
        if arc.head >= 0
    }  # fmt: skip

    def length(arc: Arc) -> tuple[int, int, int]:
        a, b = spans[arc]
        return b - a, abs(arc.head - arc.t), arc.t

    for arc in sorted(spans, key=length):
        a, b = spans[arc]
        under = [
            side.level[s] for s in side.level if spans[s][0] < b and spans[s][1] > a
        ]
        side.level[arc] = 1 + max(under, default=0)
    top = max(side.level.values(), default=0)
    for arc in here:
        if arc.head < 0:
            side.level[arc] = top + 1
    for w in range(first, last):
        mine = [arc for arc in here if w in (arc.t, arc.head)]

        def place(arc: Arc, w: int = w) -> tuple[int, int]:
            if arc.head < 0:
                return 0, 0
            other = arc.head if arc.t == w else arc.t
            level = side.level[arc]
            return (-1, level) if other < w else (1, -level)

        for k, arc in enumerate(sorted(mine, key=place)):
            side.foot[arc, w] = _FOOT * (k - (len(mine) - 1) / 2)
    return side


def label_of(arc: Arc, sentence: Sentence, first: int, last: int) -> str:
    """Label of an arc, with the word at the other end where it leaves the line."""
    label = shorten(arc.label, _LABEL)
    if arc.head < 0:
        return label or "root"
    a, b = sorted((arc.t, arc.head))
    if a < first:
        return f"{a + 1} {shorten(sentence.forms[a], 12)} · {label}".rstrip(" ·")
    if b >= last:
        return f"{label} · {b + 1} {shorten(sentence.forms[b], 12)}".lstrip(" ·")
    return label


def draw_line(
    page: Page, line: Line, sentence: Sentence, x: float, y: float, *, numbers: bool
) -> None:
    """Draw a line of words with its arcs, its top left corner at (x, y)."""
    above = y + line.sides[0].height
    below = above + _WORD_HEIGHT + (2 if numbers else 1) * _TAG_HEIGHT + 2.0
    for k, t in enumerate(range(line.first, line.last)):
        middle = x + line.at[k]
        page.text(middle, above + 0.55 * _WORD_HEIGHT, shorten(sentence.forms[t], _FORM),
                  _SIZE)  # fmt: skip
        page.text(middle, above + _WORD_HEIGHT + 0.45 * _TAG_HEIGHT,
                  shorten(sentence.tags[t], _FORM), _SMALL, color=FAINT)  # fmt: skip
        if numbers:
            page.text(middle, above + _WORD_HEIGHT + 1.45 * _TAG_HEIGHT, str(t + 1), 6.5,
                      color=FAINT, style="italic")  # fmt: skip
    for up, side in zip((-1, 1), line.sides, strict=False):
        base = above if up < 0 else below
        for arc in side.arcs:
            text = label_of(arc, sentence, line.first, line.last)
            _draw(page, line, side, arc, text, x, base, up)


def _draw(
    page: Page, line: Line, side: _Side, arc: Arc, text: str, x: float, base: float,
    up: int,
) -> None:  # fmt: skip
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    def foot(w: int) -> float:
        return x + line.at[w - line.first] + side.foot[arc, w]

    height = base + up * _LEVEL * side.level[arc]
    style = {"color": arc.color, "va": "center"}
    points: list[tuple[float, float]]
    codes = [Path.MOVETO, Path.LINETO]
    corner = [Path.LINETO, Path.CURVE3, Path.CURVE3]
    arrow = "-|>"
    if arc.head < 0:
        a = foot(arc.t)
        points = [(a, height), (a, base)]
        page.text(a + _PAD, height, text, _SMALL, ha="left", **style)
    else:
        inside = [line.first <= w < line.last for w in (arc.head, arc.t)]
        width = measure(text, _SMALL)
        near, far = min(arc.t, arc.head), max(arc.t, arc.head)
        if all(inside):
            # Words to the left and right of the label hide nothing of it.
            middle = (foot(near) + foot(far)) / 2
        elif near >= line.first:
            middle = x + line.right - width / 2
        else:
            middle = x + width / 2
        # From the head to the word; an end outside of the line is at the label.
        ends = [
            foot(w) if here else middle
            for w, here in zip((arc.head, arc.t), inside, strict=True)
        ]
        (a, b), turn = ends, 1.0 if ends[1] > ends[0] else -1.0
        bend = min(_ROUND, abs(b - a) / 2)
        start = [
            (a, base),
            (a, height - up * _ROUND),
            (a, height),
            (a + turn * bend, height),
        ]
        end = [
            (b - turn * bend, height),
            (b, height),
            (b, height - up * _ROUND),
            (b, base),
        ]
        points = (start if inside[0] else [(a, height)]) + (
            end if inside[1] else [(b, height)]
        )
        codes = [Path.MOVETO]
        codes += corner if inside[0] else []
        codes += [*corner, Path.LINETO] if inside[1] else [Path.LINETO]
        if not inside[1]:
            arrow = "-"
        if text:
            page.text(
                middle, height, text, _SMALL, **style, zorder=4,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8 * page.scale},
            )  # fmt: skip
    page.add(
        FancyArrowPatch(
            path=Path(points, codes), arrowstyle=arrow, mutation_scale=7 * page.scale,
            color=arc.color, lw=1.0 * page.scale, fill=arrow != "-",
            linestyle="-" if up < 0 else BROKEN, shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip


__all__ = ["LINE_GAP", "Arc", "Line", "arrange", "draw_line", "label_of"]
