"""Duality gap against time and work, for several solvers in one plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.plotting._base import Display
from pystruct_ext.plotting._style import FAINT, INK, calm, import_pyplot, line_look

Axis = Literal["seconds", "oracle_calls"]
_AXES: dict[str, str] = {"seconds": "seconds", "oracle_calls": "oracle calls"}
_NEEDED = ("seconds", "oracle_calls", "relative_gap")
# Final times that differ by more than this are not readable on one linear axis.
_LOG_SPREAD = 12.0


def _columns(name: str, history: Any) -> dict[str, NDArray[np.float64]]:
    """Turn one list of rows into float columns; raise with the row that is wrong."""
    if isinstance(history, str | bytes | Mapping) or not isinstance(history, Iterable):
        raise TypeError(
            f"history {name!r} must be a list of dicts, got {type(history).__name__}"
        )
    rows = list(history)
    if not rows:
        raise ValueError(f"history {name!r} has no rows")
    columns: dict[str, list[float]] = {key: [] for key in (*_NEEDED, "score")}
    for k, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(
                f"history {name!r}, row {k} must be a dict, got {type(row).__name__}"
            )
        for key, column in columns.items():
            if key in row:
                value = row[key]
            elif key in _NEEDED:
                raise ValueError(
                    f"history {name!r}, row {k} has no {key!r}; "
                    f"its keys are {', '.join(map(str, row))}"
                )
            else:
                value = None
            try:
                column.append(float("nan") if value is None else float(value))
            except (TypeError, ValueError):
                raise ValueError(
                    f"history {name!r}, row {k}: {key!r} must be a number, "
                    f"got {value!r}"
                ) from None
    return {key: np.array(column) for key, column in columns.items()}


class ConvergenceDisplay(Display):
    """Relative duality gap of solvers against seconds and against oracle calls.

    The gap, (P - D) / max(|P|, tiny), bounds how far the objective still is from its
    optimum, so solvers of quite different kind can be compared on it. Create the
    display with :meth:`from_estimator`, :meth:`from_estimators` or :meth:`from_histories`.

    Parameters
    ----------
    histories : dict of str to history
        One history per solver: a list of dicts with the keys ``seconds``,
        ``oracle_calls`` and ``relative_gap`` and, if a held-out score was taken,
        ``score``. Rows whose gap (or score) is nan or None are left out of its curve.

    Attributes
    ----------
    histories : dict of str to dict of str to ndarray of shape (n_rows,)
        The columns drawn, float64.
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
        The first panel.
    axes_ : ndarray of Axes
        All panels from left to right: seconds, oracle calls, score.
    lines_ : dict of str to list of Line2D
        The gap curves of each solver, one per panel.
    score_lines_ : dict of str to Line2D
        The score curves of the solvers that have one.

    Raises
    ------
    TypeError, ValueError
        If a history is not a list of dicts, is empty, or lacks a key (the message names
        solver and row).

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from pystruct_ext.plotting import ConvergenceDisplay
    >>> rows = [
    ...     {"seconds": t, "oracle_calls": 100 * t, "relative_gap": 0.5**t}
    ...     for t in range(1, 6)
    ... ]
    >>> display = ConvergenceDisplay.from_histories({"bcfw": rows})
    >>> [ax.get_xlabel() for ax in display.axes_]
    ['seconds', 'oracle calls']
    """

    def __init__(self, histories: Mapping[str, Any]) -> None:
        if not isinstance(histories, Mapping):
            raise TypeError(
                f"histories must map names to histories, got {type(histories).__name__}"
            )
        if not histories:
            raise ValueError("histories is empty: nothing to plot")
        self.histories = {
            str(name): _columns(str(name), history)
            for name, history in histories.items()
        }

    @classmethod
    def from_histories(
        cls, histories: Mapping[str, Any], *, ax: Any = None, **kwargs: Any
    ) -> ConvergenceDisplay:
        """Plot histories.

        Parameters
        ----------
        histories : dict of str to history
            As for the constructor.
        ax : matplotlib Axes, optional
            Where to plot; see :meth:`plot`.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        ConvergenceDisplay
        """
        return cls(histories).plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> ConvergenceDisplay:
        """Plot the ``history_`` of one fitted estimator, under the name of its class.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X, y : ignored
            The history is drawn, whatever the data; for the signature of all displays.
        ax : matplotlib Axes, optional
            Where to plot; see :meth:`plot`.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        ConvergenceDisplay

        Raises
        ------
        ValueError
            If the estimator has no ``history_``.
        """
        return cls.from_estimators(
            {type(estimator).__name__: estimator}, ax=ax, **kwargs
        )

    @classmethod
    def from_estimators(
        cls, estimators: Mapping[str, Any], *, ax: Any = None, **kwargs: Any
    ) -> ConvergenceDisplay:
        """Plot the ``history_`` of fitted estimators.

        Parameters
        ----------
        estimators : dict of str to estimator
            Fitted estimators under the names to show.
        ax : matplotlib Axes, optional
            Where to plot; see :meth:`plot`.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        ConvergenceDisplay

        Raises
        ------
        ValueError
            If an estimator has no ``history_``.
        """
        if not isinstance(estimators, Mapping):
            raise TypeError(
                "estimators must map names to estimators, "
                f"got {type(estimators).__name__}"
            )
        for name, estimator in estimators.items():
            if not hasattr(estimator, "history_"):
                raise ValueError(
                    f"estimator {name!r} ({type(estimator).__name__}) has no "
                    "history_: fit it first"
                )
        histories = {name: est.history_ for name, est in estimators.items()}
        return cls.from_histories(histories, ax=ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        x: Axis | None = None,
        xscale: Literal["auto", "linear", "log"] = "auto",
        tol: float | None = None,
        score: bool = True,
        score_label: str = "held-out score",
    ) -> ConvergenceDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Draw a single panel here, with the scores on a second y axis. By default a
            figure is made.
        x : {"seconds", "oracle_calls"}, optional
            Draw this panel only. By default both are drawn side by side if `ax` is
            None, else ``"seconds"``.
        xscale : {"auto", "linear", "log"}
            ``"auto"`` takes a logarithmic axis when one solver ran more than 12 times
            as long as another.
        tol : float, optional
            Draw the tolerance of the stopping rule as a horizontal line.
        score : bool
            Whether to draw held-out scores where there are any.
        score_label : str
            What the score is called on its axis.

        Returns
        -------
        ConvergenceDisplay
            ``self``.

        Notes
        -----
        A gap of zero or, from rounding, below has no place on a logarithmic axis; it is
        drawn at the smallest positive gap of the plot.
        """
        if x is not None and x not in _AXES:
            raise ValueError(f"x must be 'seconds' or 'oracle_calls', got {x!r}")
        if xscale not in ("auto", "linear", "log"):
            raise ValueError(
                f"xscale must be 'auto', 'linear' or 'log', got {xscale!r}"
            )
        if tol is not None and not tol > 0:
            raise ValueError(f"tol must be positive, got {tol!r}")
        plt = import_pyplot()
        scored = [
            name
            for name, columns in self.histories.items()
            if score and np.isfinite(columns["score"]).any()
        ]
        panels: list[Axis] = [x or "seconds"]
        if ax is None and x is None:
            panels = ["seconds", "oracle_calls"]
        n_axes = len(panels) + (ax is None and bool(scored))
        if ax is None:
            self.figure_, grid = plt.subplots(
                1,
                n_axes,
                figsize=(4.1 * n_axes + 0.4, 3.7),
                layout="constrained",
                squeeze=False,
            )
            self.axes_ = grid[0]
        else:
            self.figure_ = ax.figure
            self.axes_ = np.array([ax], dtype=object)
        self.ax_ = self.axes_[0]
        self.lines_: dict[str, list[Any]] = {name: [] for name in self.histories}
        self.score_lines_: dict[str, Any] = {}

        for panel, key in zip(self.axes_, panels, strict=False):
            self._draw_gap(panel, key, xscale, tol)
        if scored and ax is None:
            self._draw_score(self.axes_[-1], panels[0], xscale, scored, score_label)
        elif scored:
            twin = ax.twinx()
            self._draw_score(twin, panels[0], xscale, scored, score_label)
            self._restyle_twin(twin)
        for panel in self.axes_[1 : len(panels)]:
            panel.set_ylim(self.ax_.get_ylim())
            panel.tick_params(labelleft=False)
            panel.set_ylabel("")
        self._draw_legend(own_figure=ax is None, twin=ax is not None and bool(scored))
        return self

    def _style(self, name: str) -> dict[str, Any]:
        k = list(self.histories).index(name)
        return {
            **line_look(k),
            "markersize": 4.5,
            "markeredgecolor": "white",
            "markeredgewidth": 0.6,
            "linewidth": 1.8,
            "label": name,
        }

    def _set_x(self, ax: Any, key: str, xscale: str) -> None:
        last = np.array([np.nanmax(c[key]) for c in self.histories.values()])
        spread = last.max() / max(last.min(), 1e-12)
        if xscale == "log" or (xscale == "auto" and spread > _LOG_SPREAD):
            ax.set_xscale("log", nonpositive="mask")
        else:
            ax.set_xlim(left=0)
            ax.xaxis.get_major_locator().set_params(nbins=5)
        ax.set_xlabel(_AXES[key], color=INK)

    def _draw_gap(self, ax: Any, key: Axis, xscale: str, tol: float | None) -> None:
        gaps = np.concatenate([c["relative_gap"] for c in self.histories.values()])
        positive = gaps[np.isfinite(gaps) & (gaps > 0)]
        floor = positive.min() if positive.size else np.finfo(np.float64).eps
        for name, columns in self.histories.items():
            gap = columns["relative_gap"]
            known = np.isfinite(gap)
            style = self._style(name)
            style["markevery"] = max(1, int(known.sum()) // 12)
            (line,) = ax.plot(
                columns[key][known], np.maximum(gap[known], floor), **style
            )
            self.lines_[name].append(line)
        ax.set_yscale("log")
        self._set_x(ax, key, xscale)
        calm(ax)
        ax.set_ylabel("relative duality gap", color=INK)
        if tol is not None:
            ax.axhline(tol, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)), zorder=1)
            ax.annotate(
                f"tol {tol:g}",
                (1, tol),
                xycoords=("axes fraction", "data"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                color=FAINT,
            )

    def _draw_score(
        self, ax: Any, key: str, xscale: str, scored: list[str], label: str
    ) -> None:
        for name in scored:
            columns = self.histories[name]
            known = np.isfinite(columns["score"])
            style = self._style(name)
            style["markevery"] = max(1, int(known.sum()) // 12)
            (line,) = ax.plot(columns[key][known], columns["score"][known], **style)
            self.score_lines_[name] = line
        self._set_x(ax, key, xscale)
        calm(ax)
        ax.set_ylabel(label, color=INK)

    def _restyle_twin(self, twin: Any) -> None:
        """On one panel thin lines without markers tell the scores from the gaps."""
        twin.grid(False)
        twin.spines["right"].set_visible(True)
        twin.spines["right"].set_color(FAINT)
        for line in self.score_lines_.values():
            line.set(marker="", linewidth=1.1, alpha=0.85)

    def _draw_legend(self, *, own_figure: bool, twin: bool) -> None:
        from matplotlib.lines import Line2D

        handles: list[Any] = [lines[0] for lines in self.lines_.values()]
        if twin:
            handles.append(Line2D([], [], color=FAINT, linewidth=1.1, label="score"))
        if len(handles) == 1:
            return
        style = {"frameon": False, "fontsize": 9, "handlelength": 2.6}
        if own_figure:
            fits = max(1, int(self.figure_.get_figwidth() / 1.6))
            self.figure_.legend(
                handles=handles,
                loc="outside upper left",
                ncols=min(len(handles), fits),
                **style,
            )
        else:
            self.ax_.legend(
                handles=handles,
                loc="lower left",
                bbox_to_anchor=(-0.02, 1.0),
                ncols=min(len(handles), 3),
                **style,
            )
