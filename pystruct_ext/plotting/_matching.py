"""Matchings: the table of all pairs, with the links as cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pystruct_ext.outputs.matchings import (
    MatchingProblem,
    as_pairs,
    sure_and_possible,
)
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._page import (
    MARGIN,
    Key,
    Legend,
    Page,
    clip,
    measure,
    shorten,
    tick_step,
)
from pystruct_ext.plotting._style import FAINT, GRID, INK, MISSED, WRONG, import_pyplot

_CELL, _NAME, _LONGEST = 14.0, 9.0, 130.0
# Larger tables have smaller cells, and names only where there is room.
_SIDE = 560.0
_RIGHT, _POSSIBLE, _OPEN = "#3A3A3A", "#8C8C8C", "#E6E6E6"


class MatchingDisplay(ExampleDisplay):
    """A matching of rows and columns: a word alignment, say.

    `from_estimator` and `from_predictions` draw; the constructor only checks, for the text.

    Parameters
    ----------
    shape : (m, n)
    y : list of (row, column)
        Predicted links.
    gold : list of (row, column), or Links, or None
        Truth.
    row_names, column_names : sequences of m and of n, optional
        Words, say.

    Raises
    ------
    ValueError
        For links outside of the table, and names of another number.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Set by `plot`.

    Examples
    --------
    >>> names = ["the", "cat"], ["le", "chat"]
    >>> print(MatchingDisplay((2, 2), [(0, 0)], [(0, 0), (1, 1)], *names))
      the - le
    - cat - chat
    """

    def __init__(
        self,
        shape: tuple[int, int],
        y: Any,
        gold: Any = None,
        row_names: Sequence[Any] | None = None,
        column_names: Sequence[Any] | None = None,
    ) -> None:
        self.shape = (int(shape[0]), int(shape[1]))
        self.y = sure_and_possible(y, "y")[0]
        as_pairs(self.y, self.shape, "y")
        self.gold = None if gold is None else sure_and_possible(gold, "gold")
        for links in self.gold or ():
            as_pairs(links, self.shape, "gold")
        for name, names, count in (
            ("row_names", row_names, self.shape[0]),
            ("column_names", column_names, self.shape[1]),
        ):
            if names is not None and len(names) != count:
                raise ValueError(f"{name} has {len(names)} entries, expected {count}")
        self.row_names = row_names
        self.column_names = column_names

    @classmethod
    def _of(cls, x: Any, y_true: Any, y_pred: Any) -> MatchingDisplay:
        if isinstance(x, MatchingProblem):
            return cls(x.shape, y_pred, y_true, x.row_names, x.column_names)
        return cls(x.shape[:2], y_pred, y_true)

    def _name(self, side: int, k: int) -> str:
        names = (self.row_names, self.column_names)[side]
        return str(k) if names is None else shorten(names[k], 40)

    def _kinds(self) -> dict[tuple[int, int], str]:
        """Every cell that is drawn, and what it is."""
        if self.gold is None:
            return dict.fromkeys(self.y, "link")
        sure, possible = map(set, self.gold)
        kinds = dict.fromkeys(self.gold[1], "open")
        kinds.update(dict.fromkeys(self.gold[0], "missed"))
        for link in self.y:
            kinds[link] = (
                "right" if link in sure else "possible" if link in possible else "wrong"
            )
        return kinds

    def to_text(self) -> str:
        """One link a line; "+" before wrong ones, "-" before missed ones, "?" possible ones."""
        marks = {"wrong": "+", "missed": "-", "possible": "?"}
        return "\n".join(
            f"{marks.get(kind, ' ')} {self._name(0, i)} - {self._name(1, j)}"
            for (i, j), kind in sorted(self._kinds().items())
            if kind != "open"
        )

    def __str__(self) -> str:
        return self.to_text()

    def _keys(self) -> list[Key]:
        if self.gold is None:
            return [Key("link", _RIGHT)]
        keys = [Key("link that is right", _RIGHT)]
        if self.gold[1]:
            keys += [
                Key("link that is possible", _POSSIBLE),
                Key("possible, not predicted", _OPEN),
            ]
        return [
            *keys,
            Key("wrong link", WRONG),
            Key("missed link", MISSED, shape="outline"),
        ]

    def plot(
        self, ax: Any = None, *, title: str | None = None, cell: float | None = None
    ) -> MatchingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional
            By default how many sure links were found, where the truth is known.
        cell : float, optional
            Points of a row and of a column; by default 14, less for large tables.

        Returns
        -------
        MatchingDisplay
            ``self``.
        """
        import_pyplot()
        m, n = self.shape
        if cell is None:
            cell = min(_CELL, max(1.0, _SIDE / max(m, n, 1)))
        if not cell > 0:
            raise ValueError(f"cell must be positive, got {cell!r}")
        kinds = self._kinds()
        if title is None and self.gold is not None:
            found = sum(kind == "right" for kind in kinds.values())
            wrong = sum(kind == "wrong" for kind in kinds.values())
            title = f"{found} of {len(self.gold[0])} links found, {wrong} wrong"
        size = min(_NAME, 0.75 * cell) if cell >= 8 else 6.5
        steps = [1, 1] if cell >= 8 else [tick_step(k, k * cell, 11.0) for k in (m, n)]
        names = [
            [
                (k, clip(self._name(side, k), _LONGEST, size))
                for k in range(0, count, steps[side])
            ]
            for side, count in enumerate((m, n))
        ]
        left, top = (
            max((measure(text, size) for _, text in side), default=0.0) + 6.0
            for side in names
        )
        width, height = n * cell, m * cell
        legend = Legend(self._keys(), max(left + width, 240.0))
        page = Page(
            ax, max(left + width, legend.width) + 2 * MARGIN,
            top + height + legend.height + 3 * MARGIN, title,
        )  # fmt: skip
        self.ax_, self.figure_ = page.ax, page.ax.figure
        left, top = MARGIN + left, MARGIN + top
        self._grid(page, left, top, cell)
        for k, text in names[0]:
            page.text(left - 5.0, top + (k + 0.5) * cell, text, size, ha="right")
        for k, text in names[1]:
            page.text(left + (k + 0.5) * cell, top - 5.0, text, size, va="bottom",
                      rotation=90)  # fmt: skip
        fills = {
            "link": _RIGHT,
            "right": _RIGHT,
            "possible": _POSSIBLE,
            "open": _OPEN,
            "wrong": WRONG,
        }
        inset = min(1.5, cell / 8)
        for (i, j), kind in sorted(kinds.items()):
            side = max(cell - 2 * inset, 3.0)  # points in a large table are seen, too
            area = (
                left + (j + 0.5) * cell - side / 2, top + (i + 0.5) * cell - side / 2,
                side, side,
            )  # fmt: skip
            if kind == "missed" and cell < 4:
                page.box(*area, facecolor=MISSED, zorder=3)
            elif kind == "missed":
                page.box(*area, fill=False, edgecolor=MISSED,
                         linewidth=min(1.6, cell / 5), zorder=3)  # fmt: skip
            else:
                page.box(*area, facecolor=fills[kind], zorder=3)
        legend.draw(page, MARGIN, top + height + MARGIN)
        return self

    def _grid(self, page: Page, left: float, top: float, cell: float) -> None:
        m, n = self.shape
        width, height = n * cell, m * cell
        if cell >= 4:
            for k in range(1, m):
                page.line([left, left + width], [top + k * cell] * 2, 0.6, color=GRID)
            for k in range(1, n):
                page.line([left + k * cell] * 2, [top, top + height], 0.6, color=GRID)
        page.box(left, top, width, height, fill=False, edgecolor=FAINT, linewidth=0.8)
        if not (m and n):
            page.text(left, top, "no pairs", color=INK)


__all__ = ["MatchingDisplay"]
