"""Alignments: rows with gaps, and the path through the table of letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pystruct_ext._moved import warn_moved
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._page import MARGIN, Key, Legend, Page, measure
from pystruct_ext.plotting._style import (
    FAINT,
    INK,
    MISSED,
    WRONG,
    calm,
    import_pyplot,
)

_WIDTH = 60
_CELL, _ROW, _BLOCK_GAP = 9.0, 13.0, 14.0
_SMALL = 7.5
# A longer path is drawn without its letters.
_LETTERS = 40
_EQUAL, _OTHER, _FALSE = "#BDBDBD", "#E9E9E9", "#F2B27F"
# The path stands on white paper, without letters in its cells.
_PATH = {_EQUAL: "#3A3A3A", _OTHER: "#A6A6A6", _FALSE: WRONG}


class AlignmentDisplay(ExampleDisplay):
    """An alignment of two sequences.

    `from_estimator` and `from_predictions` draw; the constructor only checks, for the text.

    Parameters
    ----------
    a, b : str
    y : sequence of int
        Per letter of `a` the aligned position in `b`, or -1.
    gold : sequence of int or None
        Truth.

    Raises
    ------
    ValueError
        If a length is wrong, or positions do not increase.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Set by `plot`.

    Examples
    --------
    >>> print(AlignmentDisplay("ACGT", "AGA", (0, -1, 1, 2)))
    ACGT
    | |.
    A-GA
    """

    def __init__(
        self, a: str, b: str, y: Sequence[int], gold: Sequence[int] | None = None
    ) -> None:
        for name, code in (("y", y), ("gold", gold)):
            if code is None:
                continue
            kept = [j for j in code if j >= 0]
            if (
                len(code) != len(a)
                or kept != sorted(set(kept))
                or kept[-1:] > [len(b) - 1]
            ):
                raise ValueError(
                    f"{name} must hold {len(a)} positions below {len(b)} that increase, or "
                    f"-1; got {list(code)}"
                )
        self.a = a
        self.b = b
        self.y = y
        self.gold = gold

    @classmethod
    def _of(cls, x: Any, y_true: Any, y_pred: Any) -> AlignmentDisplay:
        a, b = (_letters(s) for s in x)
        return cls(a, b, y_pred, y_true)

    @classmethod
    def from_alignment(
        cls, a: str, b: str, y: Sequence[int], gold: Sequence[int] | None = None
    ) -> AlignmentDisplay:
        """Deprecated: the constructor checks, `from_predictions` draws."""
        warn_moved("AlignmentDisplay.from_alignment", "AlignmentDisplay(...)")
        return cls(a, b, y, gold)

    def _columns(self) -> list[tuple[int, int]]:
        """Positions (i, j) of the letters of each column, -1 for a gap."""
        columns = []
        j = 0
        for i, p in enumerate(self.y):
            if p >= 0:
                columns += [(-1, q) for q in range(j, p)]
                j = p + 1
            columns.append((i, p if p >= 0 else -1))
        return columns + [(-1, q) for q in range(j, len(self.b))]

    def to_text(self) -> str:
        """The rows with gaps, 60 columns at a time.

        Between them: "|" equal letters, "." other aligned letters; with a truth, "x" for
        aligned letters that it does not align.
        """

        def mark(i: int, j: int) -> str:
            if i < 0 or j < 0:
                return " "
            if not self._right(i, j):
                return "x"
            return "|" if self.a[i] == self.b[j] else "."

        columns = self._columns()
        top = "".join("-" if i < 0 else self.a[i] for i, _ in columns)
        middle = "".join(mark(i, j) for i, j in columns)
        bottom = "".join("-" if j < 0 else self.b[j] for _, j in columns)
        return "\n\n".join(
            "\n".join(row[k : k + _WIDTH].rstrip() for row in (top, middle, bottom))
            for k in range(0, len(top), _WIDTH)
        )

    def __str__(self) -> str:
        return self.to_text()

    def _right(self, i: int, j: int) -> bool:
        """Whether an aligned pair is true, or nobody knows."""
        return self.gold is None or self.gold[i] == j

    def _missed(self) -> set[tuple[int, int]]:
        """True pairs that are not aligned."""
        if self.gold is None:
            return set()
        return {(i, j) for i, j in enumerate(self.gold) if j >= 0 and self.y[i] != j}

    def _keys(self) -> list[Key]:
        keys = [Key("equal letters", _EQUAL), Key("other letters", _OTHER)]
        if self.gold is not None:
            keys += [
                Key("wrong pair", _FALSE),
                Key("letters of a true pair that is missed", MISSED, shape="outline"),
            ]
        return keys

    def _color(self, i: int, j: int) -> Any:
        if not self._right(i, j):
            return _FALSE
        return _EQUAL if self.a[i] == self.b[j] else _OTHER

    def plot(
        self,
        ax: Any = None,
        *,
        title: str | None = None,
        kind: Literal["rows", "path"] = "rows",
        wrap: float = 10.0,
    ) -> AlignmentDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional
            By default how many true pairs were found, where the truth is known.
        kind : {"rows", "path"}, default="rows"
            "rows": one sequence above the other, gaps as dashes, in blocks with the
            positions of their first and last letters. "path": the aligned pairs as cells of
            the table of all pairs, position by position.
        wrap : float, default=10
            Width in inches after which the rows continue below; of rows only.

        Returns
        -------
        AlignmentDisplay
            ``self``.
        """
        import_pyplot()
        if kind not in ("rows", "path"):
            raise ValueError(f"kind must be 'rows' or 'path', got {kind!r}")
        if not wrap > 0:
            raise ValueError(f"wrap must be positive, got {wrap!r}")
        if title is None and self.gold is not None:
            gold = sum(j >= 0 for j in self.gold)
            title = f"{gold - len(self._missed())} of {gold} true pairs found"
        if kind == "rows":
            self._rows(ax, title, wrap)
        else:
            self._path(ax, title)
        return self

    def _rows(self, ax: Any, title: str | None, wrap: float) -> None:
        columns = self._columns()
        gutter = measure(str(max(len(self.a), len(self.b), 1)), _SMALL) + 8.0
        room = 72 * wrap - 2 * (gutter + MARGIN)
        fits = max(10, int(min(room // _CELL, len(columns))))
        width = min(fits, max(len(columns), 1)) * _CELL + 2 * gutter
        legend = Legend(self._keys(), max(width, 360.0))
        blocks = range(0, max(len(columns), 1), fits)
        block = 2 * _ROW + _BLOCK_GAP
        height = block * len(blocks) - _BLOCK_GAP
        page = Page(
            ax, max(width, legend.width) + 2 * MARGIN,
            height + legend.height + 4 * MARGIN, title,
        )  # fmt: skip
        self.ax_, self.figure_ = page.ax, page.ax.figure
        outlined = [{pair[side] for pair in self._missed()} for side in (0, 1)]
        for n, k in enumerate(blocks):
            part = columns[k : k + fits]
            top = MARGIN + n * block
            for side, sequence in enumerate((self.a, self.b)):
                y = top + side * _ROW
                here = [pair[side] for pair in part if pair[side] >= 0]
                for x, ends, ha in (
                    (gutter - 5.0, here[:1], "right"),
                    (gutter + len(part) * _CELL + 5.0, here[-1:], "left"),
                ):
                    for position in ends:
                        page.text(MARGIN + x, y + _ROW / 2, str(position + 1), _SMALL,
                                  ha=ha, color=FAINT)  # fmt: skip
                for c, (i, j) in enumerate(part):
                    x, t = MARGIN + gutter + c * _CELL, (i, j)[side]
                    if i >= 0 and j >= 0:
                        page.box(x, y, _CELL, _ROW, facecolor=self._color(i, j))
                    page.text(
                        x + _CELL / 2, y + _ROW / 2, "-" if t < 0 else sequence[t], 9.0,
                        family="monospace", color=FAINT if t < 0 else INK, zorder=4,
                    )  # fmt: skip
                    if t >= 0 and t in outlined[side]:
                        page.box(x + 0.6, y + 0.6, _CELL - 1.2, _ROW - 1.2, fill=False,
                                 edgecolor=MISSED, linewidth=1.3, zorder=3)  # fmt: skip
        legend.draw(page, MARGIN, height + 3 * MARGIN)

    def _path(self, ax: Any, title: str | None) -> None:
        plt = import_pyplot()
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Patch, Rectangle
        from matplotlib.ticker import MaxNLocator

        n, m = len(self.a), len(self.b)
        letters, own = max(n, m) <= _LETTERS, ax is None
        if own:
            size = [max(3.6, min(7.5, 0.17 * length + 1.2)) for length in (m, n)]
            _, ax = plt.subplots(figsize=(size[0], size[1] + 0.7), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure

        def cells(pairs: list[tuple[int, int]], **style: Any) -> None:
            boxes = [Rectangle((j + 0.5, i + 0.5), 1, 1) for i, j in pairs]
            ax.add_collection(PatchCollection(boxes, **style), autolim=False)

        pairs = [(i, j) for i, j in enumerate(self.y) if j >= 0]
        # Cells of long sequences are smaller than a point: an edge keeps them visible.
        cells(
            pairs, facecolor=[_PATH[self._color(i, j)] for i, j in pairs],
            edgecolor=[_PATH[self._color(i, j)] for i, j in pairs],
            lw=0.0 if letters else 0.8,
        )  # fmt: skip
        cells(sorted(self._missed()), facecolor="none", edgecolor=MISSED, lw=1.3)
        ax.set_xlim(0.5, max(m, 1) + 0.5)
        ax.set_ylim(max(n, 1) + 0.5, 0.5)
        ax.set_aspect("equal")
        calm(ax)
        if letters:
            ax.grid(False)
            style = {"fontsize": 8, "family": "monospace"}
            ax.set_xticks(range(1, m + 1), list(self.b), **style)
            ax.set_yticks(range(1, n + 1), list(self.a), **style)
            ax.tick_params(length=0)
        else:
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=3))
        ax.set_xlabel("second sequence", color=INK, fontsize=9)
        ax.set_ylabel("first sequence", color=INK, fontsize=9)
        handles = [
            Patch(
                facecolor="none" if key.shape == "outline" else _PATH[key.color],
                edgecolor=key.color if key.shape == "outline" else "none",
                linewidth=1.3, label=key.text.replace("letters of a ", ""),
            )
            for key in self._keys()
        ]  # fmt: skip
        style = {"handles": handles, "frameon": False, "fontsize": 8, "ncols": 2}
        if own:
            self.figure_.legend(loc="outside lower left", **style)
        else:
            ax.legend(loc="upper right", borderaxespad=0.0, **{**style, "ncols": 1})
        if title:
            ax.set_title(title, fontsize=10, color=INK, loc="left", parse_math=False)


def _letters(sequence: Any) -> str:
    """One character a letter: of letters with several channels the first one's first."""
    firsts = (c if isinstance(c, str) else str(c[0]) for c in sequence)
    return "".join(c[:1] for c in firsts)


__all__ = ["AlignmentDisplay"]
