"""Pictures of diverse rankings: what stands where, and whom it serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._moved import warn_moved
from pystruct_ext.plotting._base import pick
from pystruct_ext.plotting._style import (
    DASHES,
    FAINT,
    INK,
    MARKERS,
    PALETTE,
    calm,
    import_pyplot,
)

# One slate per query, or such slates of several rankers by name.
Slates = Sequence[Sequence[int]]


class RankingDisplay:
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
    def from_estimator(
        cls,
        estimator: Any,
        X: Sequence[Any],
        y: Sequence[ArrayLike] | None = None,
        *,
        index: int = 0,
        **kwargs: Any,
    ) -> RankingDisplay:
        """Rank one query with a fitted ranker and draw the slate.

        Parameters
        ----------
        estimator : DiverseRankingSVM, or a baseline of `pystruct_ext.diversify`
        X : sequence of n DiverseQuery
            Judged, unless `y` is given.
        y : sequence of n (k, n_intents) array-likes, optional
            Relevance of the documents; by default that of the queries.
        index : int, default=0
            Which query to draw.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        RankingDisplay
        """
        named = {type(estimator).__name__: estimator}
        return cls.from_estimators(named, X, y, index=index, **kwargs)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: Sequence[Any],
        y: Sequence[ArrayLike] | None = None,
        *,
        index: int = 0,
        **kwargs: Any,
    ) -> RankingDisplay:
        """As `from_estimator`, for several rankers side by side under their names."""
        import_pyplot()
        x = pick(X, index, "X", len(X))
        relevance = None if y is None else pick(y, index, "y", len(X))
        slates = {name: ranker.predict([x])[0] for name, ranker in estimators.items()}
        return cls._of(x, relevance, slates).plot(**kwargs)

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
            for name, per_query in _named(y_pred).items()
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
        grades = _relevance(query, relevance)
        n = grades.shape[1]
        p = query.probabilities
        intents = query.intents or [f"intent {i + 1}" for i in range(n)]
        titles = query.titles or query.doc_ids
        name = str(getattr(query, "query", None) or getattr(query, "query_id", ""))
        if p is None:
            p = np.full(n, 1 / n)
        return cls(titles, intents, grades, p, slates, name)

    def plot(self, *, depth: int | None = None) -> RankingDisplay:
        """Draw on a new figure, one panel for each ranking.

        Parameters
        ----------
        depth : int, optional
            Draw the first places only; by default all.

        Returns
        -------
        RankingDisplay
            ``self``.
        """
        if depth is not None and depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth!r}")
        plt = import_pyplot()
        n = len(self.slates)
        longest = max(len(s) for s in self.slates.values())
        depth = longest if depth is None else min(depth, longest)
        self.figure_, axes = plt.subplots(
            1,
            n,
            figsize=(6.2 * n, 0.42 * depth + 1.5),
            squeeze=False,
            layout="constrained",
        )
        self.axes_ = list(axes[0])
        for ax, (name, slate) in zip(self.axes_, self.slates.items(), strict=True):
            self._one(ax, name, slate[:depth], depth)
        handles = [
            plt.Rectangle((0, 0), 1, 1, color=self._color(i))
            for i in range(len(self.intents))
        ]
        labels = [
            f"{name} ({100 * p:.0f} %)"
            for name, p in zip(self.intents, self.probabilities, strict=True)
        ]
        self.figure_.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=min(5, len(labels)),
            frameon=False,
            fontsize=9,
        )
        if self.query:
            self.figure_.suptitle(f"“{self.query}”", fontsize=13, color=INK)
        return self

    def _color(self, intent: int) -> str:
        return PALETTE[intent % len(PALETTE)]

    def _one(self, ax: Any, name: str, slate: list[int], depth: int) -> None:
        mass, served = 0.0, np.zeros(len(self.intents), dtype=bool)
        curve = []
        for p, d in enumerate(slate):
            here = np.flatnonzero(self.relevance[d] > 0)
            for slot, i in enumerate(here[:3]):
                ax.barh(
                    p, 0.075, left=0.085 * slot, height=0.72, color=self._color(int(i))
                )
            served[here] = True
            mass = float(self.probabilities[served].sum())
            curve.append(mass)
            title = self.titles[d]
            title = title if len(title) <= 46 else title[:45] + "…"
            ax.text(
                0.27,
                p,
                f"{p + 1}. {title}",
                va="center",
                fontsize=8.5,
                color=INK if here.size else FAINT,
                style="normal" if here.size else "italic",
            )
        left, width = 1.78, 0.5
        ax.plot([left + width * m for m in curve], range(len(curve)), "-", color=INK)
        ax.plot(
            [left + width * m for m in curve], range(len(curve)), "o", color=INK, ms=3
        )
        for x in (left, left + width):
            ax.axvline(x, color=FAINT, linewidth=0.6, zorder=0)
        ax.text(left, -0.95, "0", ha="center", fontsize=8, color=FAINT)
        ax.text(left + width, -0.95, "1", ha="center", fontsize=8, color=FAINT)
        ax.text(
            left + width / 2, -0.95, "satisfied", ha="center", fontsize=8, color=FAINT
        )
        ax.set_xlim(-0.02, left + width + 0.08)
        ax.set_ylim(depth - 0.4, -1.4)
        ax.set_axis_off()
        ax.set_title(
            f"{name}: {100 * mass:.0f} % of users satisfied", fontsize=10, color=INK
        )


class IntentCoverageDisplay:
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
    def from_estimator(
        cls,
        estimator: Any,
        X: Sequence[Any],
        y: Sequence[ArrayLike] | None = None,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> IntentCoverageDisplay:
        """Rank queries with a fitted ranker and draw the mean curve.

        Parameters
        ----------
        estimator : DiverseRankingSVM, or a baseline of `pystruct_ext.diversify`
        X : sequence of n DiverseQuery
            Judged, unless `y` is given.
        y : sequence of n (k, n_intents) array-likes, optional
            Relevance of the documents; by default that of the queries.
        ax : matplotlib Axes, optional
            Where to draw; by default a figure is made.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        IntentCoverageDisplay
        """
        named = {type(estimator).__name__: estimator}
        return cls.from_estimators(named, X, y, ax=ax, **kwargs)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: Sequence[Any],
        y: Sequence[ArrayLike] | None = None,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> IntentCoverageDisplay:
        """As `from_estimator`, with a curve for each of several rankers."""
        import_pyplot()
        slates = {name: ranker.predict(X) for name, ranker in estimators.items()}
        return cls.from_predictions(X, y, slates, ax=ax, **kwargs)

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
            _relevance(q, None if y_true is None else y_true[i])
            for i, q in enumerate(X)
        ]
        curves = {
            name: _mean_mass(name, X, grades, per_query)
            for name, per_query in _named(y_pred).items()
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
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        for k, (name, curve) in enumerate(self.curves.items()):
            ax.plot(
                np.arange(1, len(curve) + 1),
                100 * curve,
                color=PALETTE[k % len(PALETTE)],
                marker=MARKERS[k % len(MARKERS)],
                linestyle=DASHES[k % len(DASHES)],
                markersize=4,
                label=name,
            )
        ax.set_xlabel("results looked at")
        ax.set_ylabel("users satisfied, %")
        ax.set_ylim(0, 102)
        ax.legend(frameon=False, fontsize=9, loc="lower right")
        calm(ax)
        if title:
            ax.set_title(title, fontsize=10, color=INK, loc="left")
        return self


def _named(y_pred: Slates | Mapping[str, Slates]) -> Mapping[str, Slates]:
    return y_pred if isinstance(y_pred, Mapping) else {"predicted": y_pred}


def _relevance(query: Any, given: ArrayLike | None) -> NDArray[np.float64]:
    """Relevance of the documents of a query; ValueError if nobody has judged it."""
    grades = query.relevance if given is None else given
    if grades is None or np.size(grades) == 0:
        name = getattr(query, "query", None) or getattr(query, "query_id", "")
        raise ValueError(f"X: query {name!r} is not judged, and no relevance is given")
    return np.asarray(grades, dtype=np.float64)


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
        mass = satisfied_mass(grades[i], list(slate), q.probabilities)
        rows[i, : len(mass)] = mass
        rows[i, len(mass) :] = mass[-1]
    return np.asarray(rows.mean(axis=0))
