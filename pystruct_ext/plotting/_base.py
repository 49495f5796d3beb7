"""What the displays share: SVG, and the two constructors of displays of one example."""

from __future__ import annotations

import copy
import io
import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from pystruct_ext.plotting._style import import_pyplot

D = TypeVar("D", bound="ExampleDisplay")


class Display:
    """Something that ``plot()`` draws.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Set by `plot`.
    """

    figure_: Any

    def plot(self, *args: Any, **kwargs: Any) -> Any:
        """Draw."""
        raise NotImplementedError

    def to_svg(self, **kwargs: Any) -> str:
        """The picture as SVG, which scrolls and scales where it is wide.

        Parameters
        ----------
        **kwargs
            For `plot`: drawn anew, on a figure of its own. Without them the figure is taken
            if there is one.

        Returns
        -------
        str
        """
        plt = import_pyplot()
        drawn = None if kwargs else getattr(self, "figure_", None)
        figure = drawn
        if figure is None:
            # A copy: to ask for a picture does not change the display.
            figure = copy.copy(self).plot(**kwargs).figure_
        out = io.StringIO()
        with plt.rc_context({"svg.hashsalt": "pystruct-ext"}):
            figure.savefig(out, format="svg", metadata={"Date": None})
        if drawn is None:
            plt.close(figure)
        return out.getvalue()

    def _repr_svg_(self) -> str | None:
        """For notebooks, which show the figures that were drawn by themselves."""
        return None if hasattr(self, "figure_") else self.to_svg()


class ExampleDisplay(Display, ABC):
    """A display of one example out of a list: its prediction and, if known, the truth."""

    @classmethod
    @abstractmethod
    def _of(cls: type[D], x: Any, y_true: Any, y_pred: Any) -> D:
        """The display of one example, not yet drawn."""

    @abstractmethod
    def plot(self: D, ax: Any = None, *, title: str | None = None) -> D:
        """Draw."""

    @classmethod
    def from_estimator(
        cls: type[D],
        estimator: Any,
        X: Sequence[Any],
        y: Sequence[Any] | None = None,
        *,
        index: int = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> D:
        """Predict one example with a fitted estimator and draw it.

        Parameters
        ----------
        estimator : estimator
            With ``predict(X)``.
        X : sequence of n inputs
            As for `predict`.
        y : sequence of n outputs, optional
            Truth; mistakes are marked where it is given.
        index : int, default=0
            Which example to draw.
        ax : matplotlib Axes, optional
            Where to draw; by default a figure is made.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display
            Drawn; ``figure_`` and ``ax_`` are set.
        """
        import_pyplot()
        x = pick(X, index, "X", len(X))
        truth = None if y is None else pick(y, index, "y", len(X))
        (predicted,) = estimator.predict([x])
        return cls._of(x, truth, predicted).plot(ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls: type[D],
        X: Sequence[Any],
        y_true: Sequence[Any] | None,
        y_pred: Sequence[Any],
        *,
        index: int = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> D:
        """Draw one of several predictions.

        Parameters
        ----------
        X : sequence of n inputs
        y_true : sequence of n outputs, or None
            Truth; mistakes are marked where it is given.
        y_pred : sequence of n outputs
        index : int, default=0
            Which example to draw.
        ax : matplotlib Axes, optional
            Where to draw; by default a figure is made.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display
            Drawn; ``figure_`` and ``ax_`` are set.

        Raises
        ------
        ValueError
            If lengths differ, or an output does not belong to its input.
        """
        x = pick(X, index, "X", len(X))
        truth = None if y_true is None else pick(y_true, index, "y_true", len(X))
        predicted = pick(y_pred, index, "y_pred", len(X))
        return cls._of(x, truth, predicted).plot(ax=ax, **kwargs)


def pick(values: Sequence[Any], index: int, name: str, n: int) -> Any:
    """``values[index]``, checked: there must be n, and `index` must be one of them."""
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} examples, but X has {n}")
    k = operator.index(index)
    if not -n <= k < n:
        raise ValueError(f"index is {k}, but X has {n} examples")
    # A pandas Series is indexed by place here, too, not by its labels.
    return getattr(values, "iloc", values)[k]


__all__ = ["Display", "ExampleDisplay", "pick"]
