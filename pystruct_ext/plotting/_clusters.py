"""Clusters: which pairs of items are joined, as a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.outputs.pair_graphs import PairGraph, cluster_ids
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._page import shorten
from pystruct_ext.plotting._style import FAINT, INK, MISSED, WRONG, import_pyplot

_JOINED, _CANDIDATE, _NOTHING = "#7A7A7A", "#EFEFEF", "#FFFFFF"
# Names of items beside the matrix, and lines of the text.
_NAMES, _LINES = 40, 40


class ClusterDisplay(ExampleDisplay):
    """Clusters of the items of a `PairGraph`.

    `from_estimator` and `from_predictions` draw; the constructor only checks, for the text.

    Parameters
    ----------
    graph : PairGraph
    y : sequence of n ids
        Predicted clusters.
    gold : sequence of n ids, or None
        Truth.

    Raises
    ------
    ValueError
        If there is not one id for every item.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Set by `plot`.

    Examples
    --------
    >>> graph = PairGraph.complete(4, [[0.0]] * 6, items=["a", "b", "c", "d"])
    >>> print(ClusterDisplay(graph, (0, 0, 1, 1), "xxxy"))
    cluster x, 3 items: a b | c (with d)
    cluster y, 1 item: d (with c)
    """

    def __init__(self, graph: PairGraph, y: Any, gold: Any = None) -> None:
        if not isinstance(graph, PairGraph):
            raise TypeError(f"graph must be a PairGraph, got {type(graph).__name__}")
        self.graph = graph
        self.y = cluster_ids(y, "y", graph.n)
        self.gold = None if gold is None else cluster_ids(gold, "gold", graph.n)
        self.names = graph.items or [str(k) for k in range(graph.n)]
        self._of_gold = [] if gold is None else [str(v) for v in gold]

    @classmethod
    def _of(cls, x: Any, y_true: Any, y_pred: Any) -> ClusterDisplay:
        return cls(x, y_pred, y_true)

    def _order(self) -> NDArray[np.int64]:
        """Items by true cluster, the largest first, and by predicted cluster within it."""
        outer = self.y if self.gold is None else self.gold
        size = np.bincount(outer)[outer]
        inner = np.bincount(self.y)[self.y]
        return np.lexsort((np.arange(len(outer)), self.y, -inner, outer, -size))

    def to_text(self) -> str:
        """A line for each true cluster, cut with "|" where it is predicted apart.

        Behind "with" stand the items of other clusters that a piece is joined with; without
        a truth, a line is a predicted cluster. At most 40 lines: clusters with mistakes first.
        """
        outer = self.y if self.gold is None else self.gold
        lines: list[tuple[bool, str]] = []
        order = self._order()
        for c in dict.fromkeys(outer[order].tolist()):
            items = [int(i) for i in order if outer[i] == c]
            pieces, wrong = [], False
            for p in dict.fromkeys(self.y[items].tolist()):
                piece = " ".join(
                    shorten(self.names[i], 30) for i in items if self.y[i] == p
                )
                others = np.flatnonzero((self.y == p) & (outer != c))
                if len(others):
                    some = " ".join(shorten(self.names[i], 30) for i in others[:5])
                    piece += f" (with {some}{' ...' if len(others) > 5 else ''})"
                    wrong = True
                pieces.append(piece)
            number = f"{len(items)} item{'s' if len(items) > 1 else ''}"
            label = self._of_gold[items[0]] if self._of_gold else str(c)
            text = f"cluster {shorten(label, 30)}, {number}: {' | '.join(pieces)}"
            lines.append((wrong or len(pieces) > 1, text))
        lines.sort(key=lambda line: not line[0])
        shown = [text for _, text in lines[:_LINES]]
        if len(lines) > _LINES:
            shown.append(f"... and {len(lines) - _LINES} clusters more")
        return "\n".join(shown)

    def __str__(self) -> str:
        return self.to_text()

    def _title(self) -> str:
        found = int(self.y.max()) + 1
        if self.gold is None:
            return f"{found} clusters of {self.graph.n} items"
        joined = self.graph.joined(self.gold)
        here = self.graph.joined(self.y)
        return (
            f"{found} clusters, {int(self.gold.max()) + 1} true; of {joined.sum()} true "
            f"pairs {(joined & ~here).sum()} missed, {(here & ~joined).sum()} joined falsely"
        )

    def plot(
        self, ax: Any = None, *, title: str | None = None, max_items: int = 1000
    ) -> ClusterDisplay:
        """Draw the matrix of pairs, items sorted by true cluster.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional
            By default how many clusters and pairs are right.
        max_items : int, default=1000
            At most so many items are drawn, those of clusters with most mistakes first.

        Returns
        -------
        ClusterDisplay
            ``self``.
        """
        plt = import_pyplot()
        from matplotlib.colors import to_rgb
        from matplotlib.patches import Patch, Rectangle

        if max_items < 1:
            raise ValueError(f"max_items must be >= 1, got {max_items!r}")
        order = self._chosen(max_items)
        m = len(order)
        kinds = self._kinds(order)
        colors = np.array(
            [to_rgb(c) for c in (_NOTHING, _CANDIDATE, _JOINED, WRONG, MISSED)]
        )
        if ax is None:
            side = 3.2 + min(4.0, 0.12 * m)
            _, ax = plt.subplots(figsize=(side + 0.6, side + 0.9), layout="constrained")
            self.figure_ = ax.figure
            place: dict[str, Any] = {"loc": "outside lower left", "ncols": 3}
            legend = ax.figure.legend
        else:
            self.figure_ = ax.figure
            place, legend = {"loc": "upper right"}, ax.legend
        self.ax_ = ax
        ax.imshow(colors[kinds], interpolation="nearest" if m <= 400 else "auto")
        # Predicted clusters that lie together are framed.
        ids = self.y[order]
        starts = np.flatnonzero(np.diff(ids, prepend=-1))
        for a, b in zip(starts, [*starts[1:], m], strict=True):
            if b - a > 1:
                ax.add_patch(
                    Rectangle(
                        (a - 0.5, a - 0.5),
                        b - a,
                        b - a,
                        fill=False,
                        edgecolor=INK,
                        linewidth=0.8,
                    )
                )
        if self.gold is not None:
            for t in np.flatnonzero(np.diff(self.gold[order])):
                for line in (ax.axhline, ax.axvline):
                    line(t + 0.5, color=FAINT, linewidth=0.4, linestyle=(0, (2, 2)))
        ax.spines[:].set_color(FAINT)
        if m <= _NAMES:
            names = [shorten(self.names[i], 24) for i in order]
            ax.set_yticks(range(m), names, fontsize=7, parse_math=False)
            ax.set_xticks([])
        else:
            ax.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
            by = "true" if self.gold is not None else "predicted"
            ax.set_xlabel(f"items by {by} cluster", fontsize=9, color=INK)
        ax.tick_params(length=0)
        keys = [("joined", _JOINED), ("candidate pair, apart", _CANDIDATE)]
        if self.gold is not None:
            keys[0] = ("joined rightly", _JOINED)
            keys += [("joined falsely", WRONG), ("missed", MISSED)]
        handles = [Patch(facecolor=c, label=text) for text, c in keys]
        if self.gold is not None:
            handles.append(Patch(fill=False, edgecolor=INK, label="predicted cluster"))
        legend(handles=handles, frameon=False, fontsize=8, **place)
        text = self._title() if title is None else title
        if m < self.graph.n:
            text += f"\n{m} of {self.graph.n} items, clusters with mistakes first"
        if text:
            ax.set_title(
                text, fontsize=9, color=INK, loc="left", parse_math=False, wrap=True
            )
        return self

    def _chosen(self, max_items: int) -> NDArray[np.int64]:
        order = self._order()
        if len(order) <= max_items:
            return order
        outer = self.y if self.gold is None else self.gold
        table = np.zeros(int(outer.max()) + 1)
        if self.gold is not None:
            wrong = self.graph.joined(self.gold) != self.graph.joined(self.y)
            for side in (0, 1):
                np.add.at(table, outer[self.graph.pairs[wrong, side]], 1)
        first = np.argsort(-table[outer[order]], kind="stable")[:max_items]
        return order[np.sort(first)]

    def _kinds(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each cell 0 no candidate, 1 apart, 2 joined, 3 joined falsely, 4 missed."""
        m = len(order)
        place = np.full(self.graph.n, -1)
        place[order] = np.arange(m)
        a, b = place[self.graph.pairs].T
        seen = (a >= 0) & (b >= 0)
        here = self.graph.joined(self.y)
        kind = 1 + here.astype(np.int64)
        if self.gold is not None:
            true = self.graph.joined(self.gold)
            kind[here & ~true] = 3
            kind[true & ~here] = 4
        out = np.zeros((m, m), dtype=np.int64)
        out[a[seen], b[seen]] = out[b[seen], a[seen]] = kind[seen]
        np.fill_diagonal(out, 2)
        return out


__all__ = ["ClusterDisplay"]
