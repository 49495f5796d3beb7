"""Folds of RNA: arc diagrams."""

from __future__ import annotations

from typing import Any

from pystruct_ext._moved import warn_moved
from pystruct_ext.outputs.dot_bracket import pairs_of
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._style import FAINT, INK, PALETTE, import_pyplot

_WRONG, _MISSED = PALETTE[1], PALETTE[0]
_BASE_COLORS = {"A": PALETTE[2], "C": PALETTE[0], "G": PALETTE[1], "U": PALETTE[3]}
_LETTERS = 120


class FoldingDisplay(ExampleDisplay):
    """A fold as arcs above the sequence, the truth mirrored below.

    `from_estimator` and `from_predictions` draw; the constructor only checks, for the text.

    Parameters
    ----------
    sequence : str
    fold : str
        Dot-bracket.
    gold : str or None
        Truth. Pairs of `fold` that it does not have get another colour; those missed
        are dashed below.

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

    def _sets(self) -> tuple[set[tuple[int, int]], set[tuple[int, int]] | None]:
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

    def plot(self, ax: Any = None, *, title: str | None = None) -> FoldingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional
            By default what the colours mean, with F1 where the truth is known.

        Returns
        -------
        FoldingDisplay
            ``self``.
        """
        plt = import_pyplot()
        from matplotlib.patches import Arc

        n = len(self.sequence)
        predicted, gold = self._sets()
        span = max((j - i for i, j in predicted), default=2)
        below = max((j - i for i, j in gold or ()), default=2)
        letters = n <= _LETTERS
        if ax is None:
            width = max(5.0, min(16.0, 0.125 * n + 0.6))
            deep = below if gold is not None else 0
            rise = width * (span + deep) / (2 * n)
            _, ax = plt.subplots(figsize=(width, rise + 1.5))
        self.ax_, self.figure_ = ax, ax.figure
        # Letters take room between the two halves.
        gap = max(1.0, 0.012 * n) if letters else 0.4

        def arcs(pairs: set[tuple[int, int]], up: bool, color: str, style: Any) -> None:
            for i, j in pairs:
                ax.add_patch(
                    Arc(
                        ((i + j) / 2, gap if up else -gap),
                        j - i,
                        j - i,
                        theta1=0 if up else 180,
                        theta2=180 if up else 360,
                        color=color,
                        lw=1.3 if letters else 0.9,
                        ls=style,
                    )
                )

        if gold is None:
            arcs(predicted, True, INK, "-")
        else:
            arcs(predicted & gold, True, INK, "-")
            arcs(predicted - gold, True, _WRONG, "-")
            arcs(predicted & gold, False, FAINT, "-")
            arcs(gold - predicted, False, _MISSED, (0, (4, 2)))
        if letters:
            size = 8 if n <= 80 else 6.5
            for t, base in enumerate(self.sequence):
                ax.text(
                    t, 0, base, ha="center", va="center", fontsize=size,
                    color=_BASE_COLORS.get(base.upper(), INK), family="monospace",
                )  # fmt: skip
        else:
            ax.plot([0, n - 1], [0, 0], color=INK, lw=1.0)
            for t in range(0, n, 50):
                ax.text(t, -gap if gold is None else 0, str(t + 1), fontsize=7, ha="center",
                        va="top" if gold is None else "bottom", color=FAINT)  # fmt: skip
        ax.set_xlim(-1, n)
        ax.set_ylim(
            -(below / 2 + gap + 0.5) if gold is not None else -2 * gap,
            span / 2 + gap + 0.5,
        )
        ax.set_aspect("equal")
        ax.axis("off")
        if title is None and gold is None:
            title = "predicted"
        elif title is None and gold is not None:
            both = len(predicted & gold)
            f1 = 2 * both / max(1, len(predicted) + len(gold))
            title = (
                f"above: predicted ({len(predicted - gold)} wrong), below: truth "
                f"({len(gold - predicted)} missed), F1 {100 * f1:.0f} %"
            )
        ax.set_title(title, fontsize=10, color=INK, loc="left")
        return self


__all__ = ["FoldingDisplay"]
