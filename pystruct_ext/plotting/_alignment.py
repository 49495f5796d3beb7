"""Alignments: rows with gaps, and the path through the table of letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pystruct_ext._moved import warn_moved
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._style import INK, PALETTE, import_pyplot, tint

_WIDTH = 60


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

    def to_text(self) -> str:
        """The rows with gaps, 60 columns at a time.

        Between them: "|" equal letters, "." other aligned letters; with a truth, "x" for
        aligned letters that it does not align.
        """
        top, middle, bottom = [], [], []
        j = 0
        for i, p in enumerate(self.y):
            while p >= 0 and j < p:
                top.append("-")
                middle.append(" ")
                bottom.append(self.b[j])
                j += 1
            top.append(self.a[i])
            if p < 0:
                middle.append(" ")
                bottom.append("-")
                continue
            mark = "|" if self.a[i] == self.b[p] else "."
            if self.gold is not None and self.gold[i] != p:
                mark = "x"
            middle.append(mark)
            bottom.append(self.b[p])
            j = p + 1
        for q in range(j, len(self.b)):
            top.append("-")
            middle.append(" ")
            bottom.append(self.b[q])
        blocks = []
        for k in range(0, len(top), _WIDTH):
            rows = (
                "".join(row[k : k + _WIDTH]).rstrip() for row in (top, middle, bottom)
            )
            blocks.append("\n".join(rows))
        return "\n\n".join(blocks)

    def __str__(self) -> str:
        return self.to_text()

    def plot(self, ax: Any = None, *, title: str | None = None) -> AlignmentDisplay:
        """Draw aligned letters as filled cells, the truth as outlined ones.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional

        Returns
        -------
        AlignmentDisplay
            ``self``.
        """
        plt = import_pyplot()
        from matplotlib.patches import Rectangle

        n, m = len(self.a), len(self.b)
        if ax is None:
            _, ax = plt.subplots(
                figsize=(
                    max(3.0, min(12.0, 0.18 * m + 1)),
                    max(3.0, min(12.0, 0.18 * n + 1)),
                )
            )
        self.ax_, self.figure_ = ax, ax.figure
        for i, j in enumerate(self.y):
            if j < 0:
                continue
            right = self.gold is None or self.gold[i] == j
            color = INK if right else PALETTE[1]
            strength = 0.85 if self.a[i] == self.b[j] else 0.35
            ax.add_patch(
                Rectangle(
                    (j - 0.5, i - 0.5), 1, 1, facecolor=tint(color, strength), lw=0
                )
            )
        if self.gold is not None:
            for i, j in enumerate(self.gold):
                if j >= 0 and self.y[i] != j:
                    ax.add_patch(
                        Rectangle(
                            (j - 0.5, i - 0.5),
                            1,
                            1,
                            fill=False,
                            edgecolor=PALETTE[0],
                            lw=1.4,
                        )
                    )
        ax.set_xlim(-0.5, m - 0.5)
        ax.set_ylim(n - 0.5, -0.5)
        ax.set_aspect("equal")
        size = 8 if max(n, m) <= 60 else 5
        ax.set_xticks(range(m), list(self.b), fontsize=size, family="monospace")
        ax.set_yticks(range(n), list(self.a), fontsize=size, family="monospace")
        ax.xaxis.tick_top()
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        if self.gold is not None:
            gold = sum(j >= 0 for j in self.gold)
            both = sum(
                j >= 0 and j == k for j, k in zip(self.y, self.gold, strict=True)
            )
            ax.set_xlabel(
                f"{both} of {gold} true pairs found; orange wrong, blue outlines missed",
                fontsize=9,
                color=INK,
            )
        if title:
            ax.set_title(title, fontsize=10, color=INK, loc="left")
        return self


def _letters(sequence: Any) -> str:
    """One character a letter: of letters with several channels the first one's first."""
    firsts = (c if isinstance(c, str) else str(c[0]) for c in sequence)
    return "".join(c[:1] for c in firsts)


__all__ = ["AlignmentDisplay"]
