"""Pictures of diverse rankings: what stands where, and whom it serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._style import DASHES, FAINT, INK, MARKERS, PALETTE, calm, import_pyplot


class RankingDisplay:
    """Rankings of one query side by side: places as rows, intents as coloured ribbons.

    A place is one row with the title of its document and a ribbon for each intent that the
    document serves; the line at the right of each ranking is the probability mass of the users
    satisfied down to that place. Create it with :meth:`from_slates`.

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
    def from_slates(
        cls, query: Any, slates: Mapping[str, Sequence[int]]
    ) -> RankingDisplay:
        """Draw rankings of a judged query.

        Parameters
        ----------
        query : DiverseQuery or AmbiguousQuery
            With titles, intents and relevance.
        slates : mapping of name to sequence of document indices, best first

        Returns
        -------
        RankingDisplay
        """
        p = query.probabilities
        if p is None:
            p = np.full(len(query.intents), 1 / len(query.intents))
        name = str(getattr(query, "query", None) or getattr(query, "query_id", ""))
        return cls(query.titles, query.intents, query.relevance, p, slates, name).plot()

    def plot(self) -> RankingDisplay:
        """Draw; the figure is in ``figure_``."""
        plt = import_pyplot()
        n = len(self.slates)
        depth = max(len(s) for s in self.slates.values())
        self.figure_, axes = plt.subplots(
            1,
            n,
            figsize=(6.2 * n, 0.42 * depth + 1.5),
            squeeze=False,
            layout="constrained",
        )
        self.axes_ = list(axes[0])
        for ax, (name, slate) in zip(self.axes_, self.slates.items(), strict=True):
            self._one(ax, name, slate, depth)
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
    def from_slates(
        cls, queries: Sequence[Any], slates: Mapping[str, Sequence[Sequence[int]]]
    ) -> IntentCoverageDisplay:
        """Average over judged queries.

        Parameters
        ----------
        queries : sequence of DiverseQuery or AmbiguousQuery
        slates : mapping of ranker to one slate per query
        """
        from pystruct_ext.metrics import satisfied_mass

        curves = {}
        for name, per_query in slates.items():
            if len(per_query) != len(queries):
                raise ValueError(
                    f"slates of {name!r}: {len(per_query)}, expected one per query: "
                    f"{len(queries)}"
                )
            depth = max(len(s) for s in per_query)
            rows = np.zeros((len(queries), depth))
            for i, (q, slate) in enumerate(zip(queries, per_query, strict=True)):
                mass = satisfied_mass(q.relevance, list(slate), q.probabilities)
                rows[i, : len(mass)] = mass
                rows[i, len(mass) :] = mass[-1]
            curves[name] = rows.mean(axis=0)
        return cls(curves).plot()

    def plot(self, ax: Any = None) -> IntentCoverageDisplay:
        """Draw on `ax`, or on a new figure."""
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
        return self
