"""Pictures of diverse rankings: what stands where, and whom it serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._moved import warn_moved
from pystruct_ext.plotting._base import pick
from pystruct_ext.plotting._page import (
    LEADING,
    MARGIN,
    Key,
    Legend,
    Page,
    clip,
    measure,
)
from pystruct_ext.plotting._rankers import (
    RankersDisplay,
    Slates,
    named_slates,
    probabilities_of,
    relevance_of,
)
from pystruct_ext.plotting._style import FAINT, INK, import_pyplot, looks

_ROW, _HEAD = 21.0, 34.0
_RIBBON, _RIBBON_GAP = 15.0, 2.0
# More intents of one document are counted, not drawn.
_RIBBONS = 8
_TITLE, _CURVE = 250.0, 90.0
_SIZE, _SMALL = 8.5, 7.5
_GAP = 24.0


class RankingDisplay(RankersDisplay):
    """Rankings of one query side by side: places as rows, intents as coloured ribbons.

    A place is one row with the title of its document and a ribbon for each intent that the
    document serves; the line at the right of each ranking is the probability mass of the users
    satisfied down to that place. Create it with :meth:`from_estimator`,
    :meth:`from_estimators` or :meth:`from_predictions`.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : list of matplotlib Axes
        One per ranking.
    """

    def __init__(
        self,
        titles: Sequence[str],
        intents: Sequence[str],
        relevance: ArrayLike,
        probabilities: ArrayLike,
        slates: Mapping[str, Sequence[int]],
        query: str = "",
    ) -> None:
        self.titles = list(titles)
        self.intents = list(intents)
        self.relevance: NDArray[np.float64] = np.asarray(relevance, dtype=np.float64)
        self.probabilities: NDArray[np.float64] = np.asarray(
            probabilities, dtype=np.float64
        )
        if self.relevance.shape != (len(self.titles), len(self.intents)):
            raise ValueError(
                f"relevance has shape {self.relevance.shape}, expected "
                f"({len(self.titles)}, {len(self.intents)}): titles by intents"
            )
        if not slates:
            raise ValueError("slates is empty, expected at least one ranking")
        self.slates = {k: [int(d) for d in v] for k, v in slates.items()}
        self.query = query

    @classmethod
    def _needed(
        cls, X: Sequence[Any], y: Sequence[ArrayLike] | None, kwargs: dict[str, Any]
    ) -> tuple[Sequence[Any], Sequence[ArrayLike] | None, dict[str, Any]]:
        index = kwargs.get("index", 0)
        x = pick(X, index, "X", len(X))
        truth = None if y is None else [pick(y, index, "y", len(X))]
        return [x], truth, {**kwargs, "index": 0}

    @classmethod
    def from_predictions(
        cls,
        X: Sequence[Any],
        y_true: Sequence[ArrayLike] | None,
        y_pred: Slates | Mapping[str, Slates],
        *,
        index: int = 0,
        **kwargs: Any,
    ) -> RankingDisplay:
        """Draw the slates of one query.

        Parameters
        ----------
        X : sequence of n DiverseQuery or AmbiguousQuery
            With titles and intents, and judged unless `y_true` is given.
        y_true : sequence of n (k, n_intents) array-likes, or None
            Relevance of the documents; None takes that of the queries.
        y_pred : sequence of n slates, or mapping of name to such
            Indices of documents, best first.
        index : int, default=0
            Which query to draw.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        RankingDisplay
        """
        x = pick(X, index, "X", len(X))
        relevance = None if y_true is None else pick(y_true, index, "y_true", len(X))
        slates = {
            name: pick(per_query, index, f"y_pred[{name!r}]", len(X))
            for name, per_query in named_slates(y_pred).items()
        }
        return cls._of(x, relevance, slates).plot(**kwargs)

    @classmethod
    def from_slates(
        cls, query: Any, slates: Mapping[str, Sequence[int]]
    ) -> RankingDisplay:
        """Deprecated: `from_predictions` takes lists of queries."""
        warn_moved("RankingDisplay.from_slates", "RankingDisplay.from_predictions")
        return cls._of(query, None, slates).plot()

    @classmethod
    def _of(
        cls, query: Any, relevance: Any, slates: Mapping[str, Sequence[int]]
    ) -> RankingDisplay:
        grades = relevance_of(query, relevance)
        n = grades.shape[1]
        intents = query.intents or [f"intent {i + 1}" for i in range(n)]
        titles = query.titles or query.doc_ids
        name = str(getattr(query, "query", None) or getattr(query, "query_id", ""))
        return cls(titles, intents, grades, probabilities_of(query, n), slates, name)

    def plot(self, *, depth: int | None = None, wrap: float = 14.0) -> RankingDisplay:
        """Draw on a new figure, one panel for each ranking and the legend below.

        Parameters
        ----------
        depth : int, optional
            Draw the first places only; by default all.
        wrap : float, default=14
            Width in inches after which further rankings stand below.

        Returns
        -------
        RankingDisplay
            ``self``.
        """
        if depth is not None and depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth!r}")
        if not wrap > 0:
            raise ValueError(f"wrap must be positive, got {wrap!r}")
        plt = import_pyplot()
        longest = max(len(s) for s in self.slates.values())
        depth = longest if depth is None else min(depth, longest)
        shown = {name: slate[:depth] for name, slate in self.slates.items()}
        served = {d: np.flatnonzero(self.relevance[d] > 0).tolist()
                  for slate in shown.values() for d in slate}  # fmt: skip
        self._looks = looks(len(self.intents))

        most = max(map(len, served.values()), default=0)
        ribbons = min(most, _RIBBONS) * (_RIBBON + _RIBBON_GAP)
        if most > _RIBBONS:
            ribbons += measure(f"+{most}", _SMALL) + _RIBBON_GAP
        panel = ribbons + 8.0 + _TITLE + 2 * MARGIN + _CURVE, _HEAD + _ROW * depth
        columns = int((72 * wrap - 2 * MARGIN + _GAP) // (panel[0] + _GAP))
        columns = max(1, min(len(shown), columns))
        rows = -(-len(shown) // columns)
        width = columns * (panel[0] + _GAP) - _GAP + 2 * MARGIN
        # A single panel may be narrower than the names of its intents.
        legend = Legend(
            [
                Key(name, look.color, look.hatch, tail=f" ({100 * p:.0f} %)")
                for name, p, look in zip(
                    self.intents, self.probabilities, self._looks, strict=True
                )
            ],
            max(width, 480.0) - 2 * MARGIN,
        )
        width = max(width, legend.width + 2 * MARGIN)
        head = 30.0 if self.query else MARGIN
        below = legend.height + 2 * MARGIN
        height = head + rows * (panel[1] + MARGIN) + below
        self.figure_ = plt.figure(figsize=(width / 72, height / 72))
        self.axes_ = []

        def axes(x: float, y: float, w: float, h: float) -> Any:
            return self.figure_.add_axes(
                (x / width, 1 - (y + h) / height, w / width, h / height)
            )

        for k, (name, slate) in enumerate(shown.items()):
            at = (
                MARGIN + k % columns * (panel[0] + _GAP),
                head + k // columns * (panel[1] + MARGIN),
            )
            page = Page(axes(*at, *panel), *panel)
            self.axes_.append(page.ax)
            self._one(page, name, slate, served, ribbons)
        page = Page(axes(0.0, height - below, width, below), width, below)
        legend.draw(page, MARGIN, MARGIN)
        if self.query:
            self.figure_.text(
                0.5, 1 - head / 2 / height, clip(f"“{self.query}”", width - 40.0, 13.0),
                ha="center", va="center", fontsize=13, color=INK, parse_math=False,
            )  # fmt: skip
        return self

    def _one(
        self, page: Page, name: str, slate: list[int], served: dict[int, list[int]],
        ribbons: float,
    ) -> None:  # fmt: skip
        """One ranking: ribbons, titles and the curve, from left to right."""
        left = ribbons + 8.0 + _TITLE + MARGIN
        met = np.zeros(len(self.intents), dtype=bool)
        curve: list[tuple[float, float]] = []
        for p, d in enumerate(slate):
            y = _HEAD + _ROW * (p + 0.5)
            intents = served[d]
            for slot, i in enumerate(intents[:_RIBBONS]):
                page.fill(
                    slot * (_RIBBON + _RIBBON_GAP), y - 0.36 * _ROW, _RIBBON, 0.72 * _ROW,
                    self._looks[i],
                )  # fmt: skip
            if len(intents) > _RIBBONS:
                page.text(_RIBBONS * (_RIBBON + _RIBBON_GAP), y,
                          f"+{len(intents) - _RIBBONS}", _SMALL, ha="left",
                          color=FAINT)  # fmt: skip
            met[intents] = True
            curve.append((left + _CURVE * float(self.probabilities[met].sum()), y))
            page.text(
                ribbons + 8.0, y, clip(f"{p + 1}. {self.titles[d]}", _TITLE, _SIZE),
                _SIZE, ha="left", color=INK if intents else FAINT,
                style="normal" if intents else "italic",
            )  # fmt: skip
        bottom = _HEAD + _ROW * len(slate)
        for x, text in ((left, "0"), (left + _CURVE, "100 %")):
            page.line([x, x], [_HEAD, bottom], 0.6, color=FAINT, zorder=0)
            page.text(x, _HEAD - LEADING * _SMALL / 2, text, _SMALL, color=FAINT)
        page.text(left + 0.42 * _CURVE, _HEAD - LEADING * _SMALL / 2, "satisfied", _SMALL,
                  color=FAINT)  # fmt: skip
        page.line([x for x, _ in curve], [y for _, y in curve], marker="o", ms=3)
        mass = 100 * float(self.probabilities[met].sum())
        page.text(
            0.0, LEADING * 10.0 / 2, clip(f"{name}: {mass:.0f} % of users satisfied", left),
            ha="left",
        )  # fmt: skip


__all__ = ["RankingDisplay"]
