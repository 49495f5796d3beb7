"""Satisfied users by depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._moved import warn_moved
from pystruct_ext.plotting._page import shorten
from pystruct_ext.plotting._rankers import (
    RankersDisplay,
    Slates,
    named_slates,
    probabilities_of,
    relevance_of,
)
from pystruct_ext.plotting._style import INK, calm, import_pyplot, line_look


class IntentCoverageDisplay(RankersDisplay):
    """Probability mass of satisfied users by depth, averaged over queries, per ranker.

    Attributes
    ----------
    curves : dict of name to (depth,) ndarray
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    """

    def __init__(self, curves: Mapping[str, ArrayLike]) -> None:
        if not curves:
            raise ValueError("curves is empty, expected at least one ranker")
        self.curves = {k: np.asarray(v, dtype=np.float64) for k, v in curves.items()}

    @classmethod
    def from_predictions(
        cls,
        X: Sequence[Any],
        y_true: Sequence[ArrayLike] | None,
        y_pred: Slates | Mapping[str, Slates],
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> IntentCoverageDisplay:
        """Draw the mean curve of given slates.

        Parameters
        ----------
        X : sequence of n DiverseQuery or AmbiguousQuery
            Judged, unless `y_true` is given.
        y_true : sequence of n (k, n_intents) array-likes, or None
            Relevance of the documents; None takes that of the queries.
        y_pred : sequence of n slates, or mapping of ranker to such
        ax : matplotlib Axes, optional
            Where to draw; by default a figure is made.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        IntentCoverageDisplay
        """
        if y_true is not None and len(y_true) != len(X):
            raise ValueError(f"y_true has {len(y_true)} examples, but X has {len(X)}")
        grades = [
            relevance_of(q, None if y_true is None else y_true[i])
            for i, q in enumerate(X)
        ]
        curves = {
            name: _mean_mass(name, X, grades, per_query)
            for name, per_query in named_slates(y_pred).items()
        }
        return cls(curves).plot(ax=ax, **kwargs)

    @classmethod
    def from_slates(
        cls, queries: Sequence[Any], slates: Mapping[str, Slates]
    ) -> IntentCoverageDisplay:
        """Deprecated: `from_predictions` has the order of arguments of all displays."""
        warn_moved(
            "IntentCoverageDisplay.from_slates",
            "IntentCoverageDisplay.from_predictions",
        )
        return cls.from_predictions(queries, None, slates)

    def plot(
        self, ax: Any = None, *, title: str | None = None
    ) -> IntentCoverageDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional

        Returns
        -------
        IntentCoverageDisplay
            ``self``.
        """
        plt = import_pyplot()
        own = ax is None
        if own:
            _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        for k, (name, curve) in enumerate(self.curves.items()):
            places = np.arange(1, len(curve) + 1)
            ax.plot(
                places, 100 * curve, **line_look(k), markersize=4,
                label=shorten(name, 40),
            )  # fmt: skip
        ax.set_xlabel("results looked at")
        ax.set_ylabel("users satisfied, %")
        ax.set_ylim(0, 102)
        ax.xaxis.get_major_locator().set_params(integer=True)
        calm(ax)
        if title:
            ax.set_title(title, fontsize=10, color=INK, loc="left", parse_math=False)
        if own:
            # Outside of the axes: curves end where there is room for a legend.
            self.figure_.legend(
                loc="outside lower left", frameon=False, fontsize=9,
                ncols=max(1, min(len(self.curves), 60 // self._longest())),
            )  # fmt: skip
        else:
            ax.legend(frameon=False, fontsize=9, loc="lower right")
        return self

    def _longest(self) -> int:
        return 8 + max(len(shorten(name, 40)) for name in self.curves)


def _mean_mass(
    name: str,
    queries: Sequence[Any],
    grades: Sequence[NDArray[np.float64]],
    slates: Slates,
) -> NDArray[np.float64]:
    """Satisfied mass at every depth, the mean over queries; short slates stay as they end."""
    from pystruct_ext.metrics import satisfied_mass

    if len(slates) != len(queries):
        raise ValueError(
            f"slates of {name!r}: {len(slates)}, expected one per query: {len(queries)}"
        )
    rows = np.zeros((len(queries), max(len(s) for s in slates)))
    for i, (q, slate) in enumerate(zip(queries, slates, strict=True)):
        mass = satisfied_mass(
            grades[i], list(slate), probabilities_of(q, grades[i].shape[1])
        )
        rows[i, : len(mass)] = mass
        rows[i, len(mass) :] = mass[-1]
    return np.asarray(rows.mean(axis=0))


__all__ = ["IntentCoverageDisplay"]
