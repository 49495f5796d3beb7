"""Held-out scores against C: how ``C="auto"`` came to its value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.plotting._base import Display
from pystruct_ext.plotting._style import FAINT, INK, calm, import_pyplot, line_look


class CPathDisplay(Display):
    """Held-out score with its standard error against C, and what each C took.

    Parameters
    ----------
    path : CPathTable
        The ``C_path_`` of a fitted estimator.

    Attributes
    ----------
    path : CPathTable
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
        Scores. Open marks are of the first fold only.
    axes_ : ndarray of Axes
        Scores, and below them relative gaps and seconds.
    lines_ : dict of str to Line2D
        The score curves, by the values of the second parameter ("" where there is none).

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from pystruct_ext import MulticlassSVM
    >>> from pystruct_ext.plotting import CPathDisplay
    >>> model = MulticlassSVM(C="auto").fit(*load_iris(return_X_y=True))
    >>> CPathDisplay.from_estimator(model).axes_[-1].get_xlabel()
    'C'
    """

    def __init__(self, path: Any) -> None:
        if not (hasattr(path, "columns") and hasattr(path, "chosen")):
            raise TypeError(
                f"path must be the C_path_ of an estimator, got {type(path).__name__}"
            )
        self.path = path

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> CPathDisplay:
        """Plot the path of an estimator that was fitted with ``C="auto"``.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X, y : ignored
            For the signature of all displays.
        ax : matplotlib Axes, optional
            Where to plot the scores; see :meth:`plot`.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        CPathDisplay

        Raises
        ------
        ValueError
            If the estimator has no ``C_path_``.
        """
        path = getattr(estimator, "C_path_", None)
        if path is None:
            raise ValueError(
                f"this {type(estimator).__name__} has no C_path_: it was not fitted with "
                "C='auto'"
            )
        return cls(path).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, title: str | None = None) -> CPathDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            For the scores alone; by default a figure with two panels is made.
        title : str, optional
            By default none.

        Returns
        -------
        CPathDisplay
        """
        plt = import_pyplot()
        if ax is None:
            figure, axes = plt.subplots(
                2, 1, figsize=(6.4, 4.6), sharex=True, height_ratios=(3, 1.15),
                layout="constrained",
            )  # fmt: skip
        else:
            figure, axes = ax.figure, np.array([ax])
        self.figure_, self.axes_, self.ax_ = figure, axes, axes[0]
        self.lines_: dict[str, Any] = {}
        for k, (label, at) in enumerate(self._curves().items()):
            self._scores(axes[0], k, label, at)
        self._mark(axes[0])
        axes[0].set_ylabel("held-out score", color=INK)
        calm(axes[0])
        if title is not None:
            axes[0].set_title(title, loc="left", fontsize=10.5, color=INK)
        if len(axes) > 1:
            self._costs(axes[1])
        axes[-1].set_xscale("log")
        axes[-1].set_xlabel("C", color=INK)
        return self

    def _curves(self) -> dict[str, NDArray[np.intp]]:
        """Rows of each curve in the order of C, by the values of other parameters."""
        path, others = self.path, self.path.parameters[1:]
        groups: dict[str, list[int]] = {}
        for i, row in enumerate(path):
            label = ", ".join(f"{name} = {row[name]:.3g}" for name in others)
            groups.setdefault(label, []).append(i)
        C = path.column("C")
        return {
            label: np.array(sorted(rows, key=lambda i: C[i]))
            for label, rows in groups.items()
        }

    def _scores(self, ax: Any, k: int, label: str, at: NDArray[np.intp]) -> None:
        path, look = self.path, line_look(k)
        C, score = path.column("C")[at], path.column("score")[at]
        error = np.nan_to_num(path.column("standard_error")[at])
        done = path.column("folds")[at] >= path.column("folds").max()
        ax.fill_between(
            C,
            score - error,
            score + error,
            color=look["color"],
            alpha=0.13,
            linewidth=0,
        )
        (line,) = ax.plot(
            C, score, color=look["color"], linestyle=look["linestyle"], linewidth=1.6,
            label=label,
        )  # fmt: skip
        for some, face in ((done, look["color"]), (~done, "white")):
            ax.plot(
                C[some], score[some], linestyle="none", marker=look["marker"],
                markersize=5, markerfacecolor=face, markeredgecolor=look["color"],
            )  # fmt: skip
        if label:
            ax.legend(frameon=False, fontsize=8.5, loc="best")
        self.lines_[label] = line

    def _mark(self, ax: Any) -> None:
        """The value that was taken."""
        best = self.path.best
        for each in self.axes_:
            each.axvline(best["C"], color=FAINT, linewidth=1.0, linestyle=(0, (4, 2)))
        ax.annotate(
            f"C = {best['C']:g}", (best["C"], 0.03), xycoords=("data", "axes fraction"),
            xytext=(5, 0), textcoords="offset points", fontsize=9.5, color=INK,
        )  # fmt: skip

    def _costs(self, ax: Any) -> None:
        """Relative gaps, in per cent, and seconds on an axis of their own."""
        path = self.path
        at = next(rows for rows in self._curves().values() if path.chosen in rows)
        C = path.column("C")[at]
        gap, taken = line_look(2), line_look(1)
        ax.plot(
            C, 100 * path.column("relative_gap")[at], color=gap["color"], marker="s",
            markersize=3.5, linewidth=1.2,
        )  # fmt: skip
        ax.set_ylabel("gap, %", color=gap["color"], fontsize=9.5)
        ax.set_ylim(bottom=0)
        calm(ax)
        other = ax.twinx()
        # Seconds of one fold, so that values that had all folds can be compared.
        seconds = path.column("seconds")[at] / path.column("folds")[at]
        other.plot(
            C, seconds, color=taken["color"], marker="^", markersize=3.5, linewidth=1.2
        )
        other.set_ylabel("seconds a fold", color=taken["color"], fontsize=9.5)
        other.set_ylim(bottom=0)
        other.spines[["top", "left"]].set_visible(False)
        other.spines[["right", "bottom"]].set_color(FAINT)
        other.tick_params(color=FAINT, labelcolor=INK, labelsize=9)


__all__ = ["CPathDisplay"]
