"""Heat map of the transition scores of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.plotting._base import Display
from pystruct_ext.plotting._style import FAINT, INK, calm, import_pyplot

_FORBIDDEN = "#E9E9E9"
_HATCH = "#B5B5B5"
_MAX_ANNOTATED = 12
# Distance, in cells, between the matrix and the start row or the end column.
_GAP = 0.35


def _scores(value: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.array(value, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    bad = np.isnan(array) | np.isposinf(array)
    if bad.any():
        at = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}{list(at)} is {array[at]}; expected a finite score, or -inf for a "
            "forbidden one"
        )
    return array


class TransitionDisplay(Display):
    """Transition scores of a first-order chain as a heat map, rows to columns.

    The cell in row a and column b is the score of label b directly after label a. A row
    on top shows the scores of starting with a label, a column on the right those of
    ending with it. Forbidden transitions are hatched. Create the display with
    :meth:`from_estimator` or :meth:`from_scores`.

    Parameters
    ----------
    transitions : array-like of shape (K, K)
        Scores, from row to column; -inf means forbidden.
    labels : sequence of length K, optional
        Names of the labels; by default 0 to K - 1.
    start, end : array-like of shape (K,), optional
        Scores of the first and of the last label; -inf means forbidden.
    forbidden : array-like of bool, shape (K, K), optional
        Further forbidden transitions, whatever their score.

    Attributes
    ----------
    transitions : ndarray of shape (K, K), float64
        With -inf wherever a transition is forbidden.
    labels : list of str
    start, end : ndarray of shape (K,) or None
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    im_ : AxesImage
        The (K, K) image; its array is masked where transitions are forbidden.
    start_im_, end_im_ : AxesImage or None
        Images of shape (1, K) and (K, 1).
    text_ : ndarray of shape (K, K), object, or None
        The Text of each annotated cell, None where forbidden.

    Raises
    ------
    ValueError
        If shapes disagree or a score is nan or +inf.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from pystruct_ext.plotting import TransitionDisplay
    >>> scores = np.array([[1.0, -0.5], [-np.inf, 0.2]])
    >>> display = TransitionDisplay.from_scores(scores, ["O", "I"])
    >>> display.ax_.get_xlabel()
    'to'
    """

    def __init__(
        self,
        transitions: ArrayLike,
        labels: Sequence[Any] | None = None,
        *,
        start: ArrayLike | None = None,
        end: ArrayLike | None = None,
        forbidden: ArrayLike | None = None,
    ) -> None:
        shape = np.shape(transitions)
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
            raise ValueError(
                f"transitions must be a square (K, K) matrix, got shape {shape}"
            )
        K = shape[0]
        self.transitions = _scores(transitions, "transitions", (K, K))
        if forbidden is not None:
            mask = np.asarray(forbidden)
            if mask.dtype != bool or mask.shape != (K, K):
                raise ValueError(
                    f"forbidden must be a boolean ({K}, {K}) matrix, got "
                    f"{mask.dtype} of shape {mask.shape}"
                )
            self.transitions[mask] = -np.inf
        self.labels = [str(k) for k in (range(K) if labels is None else labels)]
        if len(self.labels) != K:
            raise ValueError(f"expected {K} labels, got {len(self.labels)}")
        self.start = None if start is None else _scores(start, "start", (K,))
        self.end = None if end is None else _scores(end, "end", (K,))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        forbidden: ArrayLike | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> TransitionDisplay:
        """Plot the transitions of a fitted sequence model.

        Parameters
        ----------
        estimator : estimator
            With ``transitions_`` (K, K) and, if it has them, ``start_`` and ``end_``
            (K,) and ``classes_`` (K,).
        X, y : ignored
            Weights are drawn, whatever the data; for the signature of all displays.
        forbidden : array-like of bool, shape (K, K), optional
            Further forbidden transitions.
        ax : matplotlib Axes, optional
            Where to plot; by default a figure is made.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        TransitionDisplay

        Raises
        ------
        ValueError
            If the estimator has no ``transitions_``.
        """
        transitions = getattr(estimator, "transitions_", None)
        if transitions is None:
            raise ValueError(
                f"{type(estimator).__name__} has no transitions_: fit it first, or pass "
                "a model with transitions"
            )
        return cls(
            transitions,
            getattr(estimator, "classes_", None),
            start=getattr(estimator, "start_", None),
            end=getattr(estimator, "end_", None),
            forbidden=forbidden,
        ).plot(ax=ax, **kwargs)

    @classmethod
    def from_scores(
        cls,
        transitions: ArrayLike,
        labels: Sequence[Any] | None = None,
        *,
        start: ArrayLike | None = None,
        end: ArrayLike | None = None,
        forbidden: ArrayLike | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> TransitionDisplay:
        """Plot given scores.

        Parameters
        ----------
        transitions, labels, start, end, forbidden
            As for the constructor.
        ax : matplotlib Axes, optional
            Where to plot; by default a figure is made.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        TransitionDisplay
        """
        display = cls(transitions, labels, start=start, end=end, forbidden=forbidden)
        return display.plot(ax=ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        cmap: Any = "RdBu",
        vmax: float | None = None,
        annotate: bool | None = None,
        values_format: str = ".1f",
        colorbar: bool = True,
    ) -> TransitionDisplay:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a figure is made whose size grows with K.
        cmap : str or Colormap
            A diverging colour map; its middle stands for 0.
        vmax : float, optional
            Score at the ends of the colour map; by default the largest magnitude.
        annotate : bool, optional
            Whether to write the scores into the cells; by default if K <= 12.
        values_format : str
            Format of these numbers.
        colorbar : bool
            Whether to draw a colour bar.

        Returns
        -------
        TransitionDisplay
            ``self``.
        """
        plt = import_pyplot()
        from matplotlib.colors import Normalize

        K = len(self.labels)
        blocks = [self.transitions, self.start, self.end]
        finite = np.concatenate(
            [b[np.isfinite(b)].ravel() for b in blocks if b is not None]
        )
        if vmax is None:
            vmax = float(np.abs(finite).max(initial=0.0)) or 1.0
        elif not vmax > 0:
            raise ValueError(f"vmax must be positive, got {vmax!r}")
        if ax is None:
            side = float(np.clip(0.52 * K, 3.2, 9.0))
            _, ax = plt.subplots(figsize=(side + 2.2, side + 1.2), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        look = {
            "cmap": cmap,
            "norm": Normalize(-vmax, vmax),
            "interpolation": "nearest",
        }
        low, high = -0.5, K - 0.5
        self.im_ = self._image(self.transitions, (low, high, high, low), look)
        self.start_im_ = self.end_im_ = None
        top, right = low, high
        if self.start is not None:
            top = low - _GAP - 1
            extent = (low, high, top + 1, top)
            self.start_im_ = self._image(self.start[None, :], extent, look)
        if self.end is not None:
            right = high + _GAP + 1
            extent = (right - 1, right, high, low)
            self.end_im_ = self._image(self.end[:, None], extent, look)
        any_forbidden = finite.size < sum(b.size for b in blocks if b is not None)
        self._hatch()
        ax.set(xlim=(low, right), ylim=(high, top), aspect="equal")
        self._label_axes()
        self.text_: Any = None
        if K <= _MAX_ANNOTATED if annotate is None else annotate:
            self._annotate(values_format)
        if colorbar:
            self._colorbar()
        if any_forbidden:
            from matplotlib.patches import Patch

            patch = Patch(
                facecolor=_FORBIDDEN, edgecolor=_HATCH, hatch="////", linewidth=0
            )
            ax.legend(
                [patch],
                ["forbidden"],
                loc="lower right",
                bbox_to_anchor=(1.0, 1.0),
                borderaxespad=0.2,
                frameon=False,
                fontsize=8,
            )
        return self

    def _image(self, scores: Any, extent: Any, look: dict[str, Any]) -> Any:
        masked = np.ma.masked_invalid(scores)
        return self.ax_.imshow(masked, extent=extent, **look)

    def _hatch(self) -> None:
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Rectangle

        K = len(self.labels)
        cells = [
            (b - 0.5, a - 0.5) for a, b in np.argwhere(~np.isfinite(self.transitions))
        ]
        if self.start is not None:
            cells += [
                (b - 0.5, -1.5 - _GAP) for b in np.flatnonzero(np.isinf(self.start))
            ]
        if self.end is not None:
            cells += [
                (K - 0.5 + _GAP, a - 0.5) for a in np.flatnonzero(np.isinf(self.end))
            ]
        if cells:
            self.ax_.add_collection(
                PatchCollection(
                    [Rectangle(cell, 1, 1) for cell in cells],
                    facecolor=_FORBIDDEN,
                    edgecolor=_HATCH,
                    hatch="////",
                    linewidth=0.0,
                ),
                autolim=False,
            )

    def _label_axes(self) -> None:
        ax, K = self.ax_, len(self.labels)
        calm(ax)
        ax.grid(False)
        ax.spines[:].set_visible(False)
        # White lines between cells, drawn as a minor grid.
        box = ax.get_window_extent().transformed(
            self.figure_.dpi_scale_trans.inverted()
        )
        points_per_cell = 72 * min(box.width, box.height) / (K + 2 * (1 + _GAP))
        size = float(np.clip(0.85 * points_per_cell, 5.0, 10.0))
        step = max(1, int(np.ceil(5.0 / max(0.85 * points_per_cell, 0.1))))
        columns = [(float(k), self.labels[k]) for k in range(0, K, step)]
        rows = list(columns)
        if self.end is not None:
            columns.append((K + _GAP, "end"))
        if self.start is not None:
            rows.insert(0, (-1 - _GAP, "start"))
        longest = max(len(name) for _, name in columns)
        upright = longest * 0.62 * size > step * points_per_cell
        ax.set_xticks(
            [at for at, _ in columns],
            [name for _, name in columns],
            rotation=90 if upright else 0,
        )
        ax.set_yticks([at for at, _ in rows], [name for _, name in rows])
        ax.tick_params(length=0, labelsize=size, pad=3)
        for axis, extra in ((ax.xaxis, "end"), (ax.yaxis, "start")):
            for label in axis.get_ticklabels():
                if label.get_text() == extra and extra not in self.labels:
                    label.set(style="italic", color=FAINT)
        ax.set_xlabel("to", color=INK)
        ax.set_ylabel("from", color=INK)

    def _annotate(self, values_format: str) -> None:
        ax, K = self.ax_, len(self.labels)
        self.text_ = np.full((K, K), None, dtype=object)

        def write(score: float, column: float, row: float) -> Any:
            if not np.isfinite(score):
                return None
            red, green, blue, _ = self.im_.cmap(self.im_.norm(score))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            return ax.text(
                column,
                row,
                f"{score:{values_format}}".replace("-", "\N{MINUS SIGN}"),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else INK,
            )

        for a in range(K):
            for b in range(K):
                self.text_[a, b] = write(self.transitions[a, b], b, a)
            if self.start is not None:
                write(self.start[a], a, -1 - _GAP)
            if self.end is not None:
                write(self.end[a], K + _GAP, a)

    def _colorbar(self) -> None:
        bar = self.figure_.colorbar(self.im_, ax=self.ax_, shrink=0.75, pad=0.03)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
        bar.set_label("score", color=INK, fontsize=9)
