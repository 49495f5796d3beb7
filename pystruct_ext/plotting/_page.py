"""Axes laid out in points, so that texts find room before anything is drawn.

A display measures its texts, decides where everything goes and how large the page must be,
and then draws on a `Page`, whose coordinates are points from the top left corner down. On
axes of another size everything, texts included, shrinks together.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pystruct_ext.plotting._style import FAINT, INK, Look, import_pyplot, tint

FONT = 10.0
MARGIN = 8.0
# A line of text needs this many times its size.
LEADING = 1.35
_TITLE_SIZE = 10.0
_TITLE_HEIGHT = 24.0
_KEY_SIZE = 8.5
_MANY_KEYS = 6
_KEY_WIDTH, _KEY_HEIGHT, _KEY_LINE = 16.0, 10.0, 15.0


def measure(text: str, size: float = FONT, *, mono: bool = False) -> float:
    """Width of a text in points, a little generous: renderers round."""
    from matplotlib import rcParams

    fonts = ("monospace",) if mono else tuple(rcParams["font.family"])
    return 1.02 * size * sum(_advance(c, fonts) for c in text) + 0.5


@functools.lru_cache(maxsize=8192)
def _advance(character: str, fonts: tuple[str, ...]) -> float:
    """Width of a character at size 1; of one that the font lacks, that of a square."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=list(fonts))))
    font.set_size(FONT, 72)
    index = font.get_char_index(ord(character))
    if index == 0:
        return 1.0
    return float(font.load_glyph(index).linearHoriAdvance) / 65536 / FONT


def shorten(text: Any, limit: int) -> str:
    """One line of at most `limit` characters; "…" stands for what is left out."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def clip(text: Any, width: float, size: float = FONT) -> str:
    """One line of at most `width` points; "…" stands for what is left out."""
    line = shorten(text, int(min(max(width, 1.0), 1e4)))
    if measure(line, size) <= width:
        return line
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(line[:middle].rstrip() + "…", size) <= width:
            low = middle
        else:
            high = middle - 1
    return line[:low].rstrip() + "…"


def tick_step(total: int, room: float, needed: float) -> int:
    """Smallest of 1, 2, 5, 10, 20, ... that leaves `needed` points for each label."""
    least = max(1.0, total * needed / max(room, 1.0))
    power = 10 ** math.floor(math.log10(least))
    return next(int(m * power) for m in (1, 2, 5, 10) if m * power >= least)


class Page:
    """Axes whose unit is a point, from the top left corner down.

    Parameters
    ----------
    ax : matplotlib Axes or None
        None makes a figure that the page fills.
    width, height : float
        In points.
    title : str, optional
        Stands above the axes.
    """

    def __init__(
        self, ax: Any, width: float, height: float, title: str | None = None
    ) -> None:
        if ax is None:
            plt = import_pyplot()
            head = _TITLE_HEIGHT if title else 0.0
            if title:
                width = max(width, measure(title, _TITLE_SIZE) + 2 * MARGIN)
            # No layout engine: the axes are the figure, so that points are points.
            figure = plt.figure(figsize=(width / 72, (height + head) / 72))
            ax = figure.add_axes((0.0, 0.0, 1.0, height / (height + head)))
        self.ax = ax
        box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
        room = 72 * box.width, 72 * box.height
        scale = min(room[0] / width, room[1] / height)
        # A figure of the page's own size differs by rounding.
        self.scale = scale if scale < 0.999 else 1.0
        # The page keeps to the top left corner of axes that are larger than it.
        ax.set(
            xlim=(0, room[0] / self.scale),
            ylim=(room[1] / self.scale, 0),
            aspect="equal",
            anchor="NW",
        )
        ax.set_autoscale_on(False)
        ax.set_axis_off()
        if title:
            ax.set_title(
                title, loc="left", x=MARGIN * self.scale / room[0], color=INK,
                fontsize=_TITLE_SIZE, parse_math=False,
            )  # fmt: skip

    def add(self, artist: Any) -> Any:
        """Any artist; limits, on which `add_patch` spends most of its time, are fixed."""
        return self.ax.add_artist(artist)

    def text(
        self, x: float, y: float, text: str, size: float = FONT, **style: Any
    ) -> Any:
        """A text, in the middle of (x, y) unless `style` says otherwise."""
        style = {"ha": "center", "va": "center", "color": INK, **style}
        return self.ax.text(
            x, y, text, fontsize=size * self.scale, parse_math=False, **style
        )

    def line(
        self, x: Sequence[float], y: Sequence[float], lw: float = 1.0, **style: Any
    ) -> Any:
        """A line through points."""
        from matplotlib.lines import Line2D

        style = {"color": INK, "lw": lw * self.scale, **style}
        return self.add(Line2D(x, y, **style))

    def box(self, x: float, y: float, width: float, height: float, **style: Any) -> Any:
        """A rectangle; (x, y) is its top left corner."""
        from matplotlib.patches import Rectangle

        style = {"linewidth": 0.0, **style}
        style["linewidth"] *= self.scale
        return self.add(Rectangle((x, y), width, height, **style))

    def fill(
        self, x: float, y: float, width: float, height: float, look: Look, **style: Any
    ) -> Any:
        """A rectangle in the look of a label."""
        # The pattern has the colour of the edge, which itself has no width.
        rgb = tint(look.color, 1.0)
        dark = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] < 0.6
        edge: Any = (1.0, 1.0, 1.0) if dark else tuple(0.8 * c for c in rgb)
        return self.box(
            x, y, width, height, facecolor=rgb, edgecolor=edge,
            hatch=look.hatch or None, **style,
        )  # fmt: skip


class Key(NamedTuple):
    """What one look means: a filled area, an outline or a line, and its meaning.

    `tail` ends the text and is kept where the text is cut.
    """

    text: str
    color: Any
    hatch: str = ""
    shape: str = "fill"
    dashes: Any = "-"
    tail: str = ""

    def cut(self, width: float) -> Key:
        """The key with a text, tail included, of at most `width` points."""
        room = width - measure(self.tail, _KEY_SIZE) if self.tail else width
        return self._replace(text=clip(self.text, room, _KEY_SIZE) + self.tail, tail="")


class Legend:
    """Keys in columns, as many as the room has.

    Attributes
    ----------
    width, height : float
        In points.
    """

    def __init__(self, keys: Sequence[Key], room: float) -> None:
        indent = _KEY_WIDTH + 6.0
        # Long names of many keys are cut where two columns have room for them.
        longest = (room - 12.0) / 2 if len(keys) > _MANY_KEYS else room
        self.keys = [k.cut(max(60.0, longest - indent - 1.0)) for k in keys]
        widths = [indent + measure(k.text, _KEY_SIZE) + 12.0 for k in self.keys]
        # As many columns as fit, each as wide as its widest entry; filled row by row.
        self._columns = max(1, len(widths))
        while self._columns > 1 and sum(self._column_widths(widths)) - 12.0 > room:
            self._columns -= 1
        rows = math.ceil(len(widths) / self._columns)
        self._columns = math.ceil(len(widths) / max(rows, 1)) or 1
        self._starts = [0.0]
        for width in self._column_widths(widths):
            self._starts.append(self._starts[-1] + width)
        self.width = self._starts[-1]
        self.height = _KEY_LINE * math.ceil(len(self.keys) / self._columns)

    def _column_widths(self, widths: list[float]) -> list[float]:
        return [
            max(widths[c :: self._columns], default=0.0) for c in range(self._columns)
        ]

    def draw(self, page: Page, x: float, y: float) -> None:
        """With the top left corner at (x, y)."""
        for k, key in enumerate(self.keys):
            left = x + self._starts[k % self._columns]
            middle = y + _KEY_LINE * (k // self._columns + 0.5)
            if key.shape == "line":
                page.line(
                    [left, left + _KEY_WIDTH], [middle, middle], 1.4, color=key.color,
                    ls=key.dashes,
                )  # fmt: skip
            else:
                area = left, middle - _KEY_HEIGHT / 2, _KEY_WIDTH, _KEY_HEIGHT
                if key.shape == "outline":
                    page.box(*area, fill=False, edgecolor=key.color, linewidth=1.6)
                else:
                    page.fill(*area, Look(key.color, key.hatch))
            page.text(
                left + _KEY_WIDTH + 6.0, middle, key.text, _KEY_SIZE, ha="left",
                color=FAINT,
            )  # fmt: skip
