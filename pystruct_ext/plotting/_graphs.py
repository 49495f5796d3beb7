"""Labels of the nodes of graphs, and of the cells of images."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.outputs.graphs import Graph, as_graph
from pystruct_ext.plotting._base import ExampleDisplay
from pystruct_ext.plotting._page import (
    MARGIN,
    Key,
    Legend,
    Page,
    clip,
    measure,
    shorten,
)
from pystruct_ext.plotting._style import (
    FAINT,
    INK,
    WRONG,
    Look,
    import_pyplot,
    looks,
    tint,
)
from pystruct_ext.utils.examples import is_missing

_SMALL = 8.0
_UNIT = 46.0  # between neighbours, in points
_RADIUS = 9.0
# A layout costs the square of the nodes; larger graphs are drawn as a circle.
_MOST = 600
_ROUNDS = 150
_LINES = 40


def _unknown(label: Any) -> bool:
    return isinstance(label, Set) or is_missing(label)


def _checked(name: str, labels: Any, n: int) -> list[Any]:
    flat = labels.ravel().tolist() if isinstance(labels, np.ndarray) else list(labels)
    if len(flat) != n:
        raise ValueError(f"{name} has {len(flat)} labels, but the graph has {n} nodes")
    return flat


def _order(labels: Sequence[Any]) -> list[Any]:
    """Distinct labels, sorted where they can be."""
    distinct = list(dict.fromkeys(c for c in labels if not _unknown(c)))
    try:
        return sorted(distinct)
    except TypeError:
        return distinct


def _label_looks(n: int) -> list[Look]:
    """Looks of n labels; the colour of mistakes is none of theirs."""
    reserved = tint(WRONG, 1.0)
    return [look for look in looks(2 * n + 2) if look.color != reserved][:n]


class GraphDisplay(ExampleDisplay):
    """A graph with the labels of its nodes.

    `from_estimator` and `from_predictions` draw; the constructor only checks, for the text.

    Parameters
    ----------
    graph : Graph, or tuple (features, edges[, edge_features])
    y : sequence of n labels
    gold : sequence of n labels or None
        Truth; None, or a set, where it is not known.
    positions : (n, 2) array-like, optional
        Of the nodes, down the page; by default those of a grid, or found from the edges.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Set by `plot`.

    Examples
    --------
    >>> print(GraphDisplay(([[0.0], [1.0]], [(0, 1)]), ["a", "b"], ["a", "a"]))
    0  a  - 1
    1  b  - 0  x gold: a
    """

    def __init__(
        self, graph: Any, y: Sequence[Any], gold: Any = None, positions: Any = None
    ) -> None:
        self.graph: Graph = as_graph(graph)
        n = len(self.graph)
        self.y = _checked("y", y, n)
        self.gold = None if gold is None else _checked("gold", gold, n)
        self.positions = None
        if positions is not None:
            self.positions = np.asarray(positions, dtype=np.float64)
            if self.positions.shape != (n, 2) or not np.isfinite(self.positions).all():
                raise ValueError(
                    f"positions has shape {self.positions.shape}, expected finite ({n}, 2)"
                )

    @classmethod
    def _of(cls, x: Any, y_true: Any, y_pred: Any) -> GraphDisplay:
        return cls(x, y_pred, y_true)

    def mistakes(self) -> list[int]:
        """Nodes whose label is wrong."""
        if self.gold is None:
            return []
        pairs = enumerate(zip(self.y, self.gold, strict=True))
        return [v for v, (p, g) in pairs if not _unknown(g) and p != g]

    def _name(self, v: int) -> str:
        return str(v if self.graph.names is None else self.graph.names[v])

    def to_text(self) -> str:
        """One line per node: name, label, neighbours, and the truth where it differs."""
        around: list[list[str]] = [[] for _ in self.y]
        for a, b in self.graph.edges.tolist():
            around[a].append(self._name(b))
            around[b].append(self._name(a))
        wrong = set(self.mistakes())
        names = [shorten(self._name(v), 20) for v in range(len(self.y))]
        labels = [shorten(c, 20) for c in self.y]
        widths = [max(map(len, side), default=0) for side in (names, labels)]
        lines = []
        for v, (name, label) in enumerate(zip(names, labels, strict=True)):
            line = f"{name:<{widths[0]}}  {label:<{widths[1]}}"
            if around[v]:
                line += "  - " + shorten(" ".join(around[v]), 60)
            if v in wrong and self.gold is not None:
                line += f"  x gold: {shorten(self.gold[v], 20)}"
            lines.append(line.rstrip())
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_text()

    def layout(self) -> NDArray[np.float64]:
        """Places of the nodes in units of the length of an edge, x to the right, y down."""
        if self.positions is not None:
            return self.positions
        n, shape = len(self.graph), self.graph.shape
        if shape is not None and len(shape) == 2:
            rows, columns = np.divmod(np.arange(n), shape[1])
            return np.column_stack([columns, rows]).astype(np.float64)
        if n > _MOST:
            angle = 2 * np.pi * np.arange(n) / n
            return n / 12 * np.column_stack([np.cos(angle), np.sin(angle)])
        return _springs(n, self.graph.edges)

    def plot(self, ax: Any = None, *, title: str | None = None) -> GraphDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional
            By default how many nodes are right, where the truth is known.

        Returns
        -------
        GraphDisplay
            ``self``.
        """
        import_pyplot()
        wrong = self.mistakes()
        if title is None and self.gold is not None:
            known = sum(not _unknown(c) for c in self.gold)
            title = f"{known - len(wrong)} of {known} nodes right"
        order = _order([*self.y, *(self.gold or [])])
        look = dict(zip(order, _label_looks(len(order)), strict=True))
        places = _UNIT * self.layout()
        low = places.min(axis=0) if len(places) else np.zeros(2)
        span = places.max(axis=0) - low if len(places) else np.zeros(2)
        keys = [Key(shorten(c, 40), look[c].color, look[c].hatch) for c in order]
        if self.gold is not None:
            keys.append(Key("wrong; its true label beside it", WRONG, shape="outline"))
        legend = Legend(keys, max(float(span[0]), 260.0))
        pad = _RADIUS + 22.0
        width = max(float(span[0]) + 2 * pad, legend.width + 2 * MARGIN)
        height = float(span[1]) + 2 * pad
        page = Page(ax, width, height + legend.height + MARGIN, title)
        self.ax_, self.figure_ = page.ax, page.ax.figure
        places = places - low + [(width - span[0]) / 2, pad]
        self._draw(page, places, look, set(wrong))
        legend.draw(page, MARGIN, height)
        return self

    def _draw(
        self,
        page: Page,
        places: NDArray[np.float64],
        look: dict[Any, Look],
        wrong: set[int],
    ) -> None:
        from matplotlib.collections import LineCollection
        from matplotlib.patches import Circle

        if self.graph.n_edges:
            page.ax.add_collection(
                LineCollection(
                    list(places[self.graph.edges]), colors="#B5B5B5",
                    linewidths=1.0 * page.scale, zorder=1,
                ),
                autolim=False,
            )  # fmt: skip
        named = len(self.y) <= _MOST
        for v, (x, y) in enumerate(places.tolist()):
            own = look[self.y[v]]
            page.add(
                Circle(
                    (x, y), _RADIUS, facecolor=tint(own.color, 0.85),
                    edgecolor=WRONG if v in wrong else "white",
                    linewidth=(2.4 if v in wrong else 0.6) * page.scale,
                    hatch=own.hatch or None, zorder=2,
                )
            )  # fmt: skip
            if not named:
                continue
            text = self._name(v)
            if measure(text, _SMALL) <= 2 * _RADIUS - 3.0:
                dark = sum(own.color) < 1.9
                page.text(x, y, text, _SMALL, color="white" if dark else INK, zorder=3)
            else:
                page.text(
                    x, y + _RADIUS + 6.0, clip(text, _UNIT, _SMALL), _SMALL,
                    color=FAINT, zorder=3,
                )  # fmt: skip
            if v in wrong and self.gold is not None:
                page.text(
                    x + _RADIUS + 2.0, y - _RADIUS, clip(self.gold[v], 40.0, _SMALL),
                    _SMALL, ha="left", color=WRONG, zorder=4,
                )  # fmt: skip


def _springs(n: int, edges: NDArray[np.int32]) -> NDArray[np.float64]:
    """Fruchterman and Reingold 1991, from a spiral, always the same; and a light gravity."""
    turn = np.arange(n) * math.pi * (3 - math.sqrt(5))
    at = np.sqrt(np.arange(n) + 0.5)[:, None] * np.column_stack(
        [np.cos(turn), np.sin(turn)]
    )
    for k in range(_ROUNDS if n > 1 else 0):
        apart = at[:, None] - at[None]
        far = np.sqrt((apart**2).sum(axis=2)) + 1e-9
        push = (apart / far[:, :, None] ** 2).sum(axis=1)
        if len(edges):
            link = at[edges[:, 0]] - at[edges[:, 1]]
            pull = link * np.sqrt((link**2).sum(axis=1))[:, None]
            np.add.at(push, edges[:, 0], -pull)
            np.add.at(push, edges[:, 1], pull)
        push -= 0.05 * at
        size = np.sqrt((push**2).sum(axis=1)) + 1e-9
        heat = 0.1 * math.sqrt(n) * (1 - k / _ROUNDS)
        at = at + push / size[:, None] * np.minimum(size, heat)[:, None]
    # The longer side lies along the page.
    at = at - at.mean(axis=0)
    if n > 2:
        _, _, axes = np.linalg.svd(at, full_matrices=False)
        at = at @ axes.T
    return np.asarray(at)


class GridDisplay(ExampleDisplay):
    """The cells of an image with their labels: image, truth, prediction, mistakes.

    `from_estimator` and `from_predictions` draw; the constructor only checks, for the text.

    Parameters
    ----------
    graph : Graph
        With a `shape`, such as those of `pystruct_ext.outputs.grid_graph`.
    y : sequence of labels or (h, w) array
    gold : sequence of labels, (h, w) array or None
        Truth.
    image : (h, w) or (h, w, 3) array-like, optional
        What is shown beside the labels.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : list of matplotlib Axes
        One for each panel. Set by `plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext.outputs import grid_graph
    >>> print(GridDisplay(grid_graph(np.eye(2)), [1, 0, 0, 1], [1, 1, 0, 1]))
    1  0x
    0  1
    """

    def __init__(self, graph: Any, y: Any, gold: Any = None, image: Any = None) -> None:
        self.graph: Graph = as_graph(graph)
        shape = self.graph.shape
        if shape is None or len(shape) != 2:
            raise ValueError(f"the graph has the shape {shape}, expected a grid (h, w)")
        n = len(self.graph)
        self.y = _checked("y", y, n)
        self.gold = None if gold is None else _checked("gold", gold, n)
        self.image = None if image is None else np.asarray(image)
        if self.image is not None and self.image.shape[:2] != shape:
            raise ValueError(
                f"image has shape {self.image.shape}, expected {shape} or {(*shape, 3)}"
            )

    @classmethod
    def _of(cls, x: Any, y_true: Any, y_pred: Any) -> GridDisplay:
        return cls(x, y_pred, y_true)

    def wrong(self) -> NDArray[np.bool_]:
        """Cells whose label is wrong, (h, w)."""
        out = np.zeros(len(self.y), dtype=bool)
        if self.gold is not None:
            for v, (p, g) in enumerate(zip(self.y, self.gold, strict=True)):
                out[v] = not _unknown(g) and p != g
        return out.reshape(self.graph.shape)

    def to_text(self) -> str:
        """The labels row by row; "x" behind those that are wrong."""
        wrong = self.wrong().ravel()
        cells = [
            shorten(c, 8) + ("x" if bad else "")
            for c, bad in zip(self.y, wrong, strict=True)
        ]
        width = max(map(len, cells), default=0)
        columns = int(self.graph.shape[1]) if self.graph.shape else 1
        return "\n".join(
            "  ".join(f"{c:<{width}}" for c in cells[k : k + columns]).rstrip()
            for k in range(0, len(cells), columns)
        )

    def __str__(self) -> str:
        return self.to_text()

    def plot(
        self, ax: Any = None, *, title: str | None = None, image: Any = None
    ) -> GridDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Gives way to the panels; by default a figure is made.
        title : str, optional
            By default how many cells are right, where the truth is known.
        image : (h, w) or (h, w, 3) array-like, optional
            What is shown beside the labels, in place of the display's own.

        Returns
        -------
        GridDisplay
            ``self``.
        """
        plt = import_pyplot()
        from matplotlib.colors import ListedColormap
        from matplotlib.patches import Patch

        display = (
            self if image is None else type(self)(self.graph, self.y, self.gold, image)
        )
        shape = tuple(self.graph.shape or ())
        wrong = self.wrong()
        if title is None and self.gold is not None:
            known = sum(not _unknown(c) for c in self.gold)
            title = f"{known - int(wrong.sum())} of {known} cells right"
        order = _order([*self.y, *(self.gold or [])])
        index = {c: k for k, c in enumerate(order)}
        colors = [_shade(look) for look in _label_looks(len(order))]

        def numbers(labels: list[Any]) -> NDArray[np.float64]:
            flat = [np.nan if _unknown(c) else index[c] for c in labels]
            return np.array(flat).reshape(shape)

        panels: list[tuple[str, Any]] = []
        if display.image is not None:
            panels.append(("image", display.image))
        if self.gold is not None:
            panels.append(("truth", numbers(self.gold)))
        panels.append(("prediction", numbers(self.y)))
        if self.gold is not None:
            panels.append(("mistakes", wrong))
        figure, axes = _panels(plt, ax, len(panels), shape)
        for (name, values), own in zip(panels, axes, strict=True):
            style: dict[str, Any] = {"interpolation": "nearest"}
            if name == "mistakes":
                style |= {
                    "cmap": ListedColormap(["#F2F2F2", WRONG]),
                    "vmin": 0,
                    "vmax": 1,
                }
            elif name != "image":
                style |= {
                    "cmap": ListedColormap(colors).with_extremes(bad="white"),
                    "vmin": -0.5,
                    "vmax": len(order) - 0.5,
                }
            elif values.ndim == 2:
                style["cmap"] = "gray"
            own.imshow(values, **style)
            own.set_xticks([])
            own.set_yticks([])
            own.spines[:].set_color("#C9C9C9")
            own.set_title(name, fontsize=9, color=INK, loc="left")
        shown = order[:_LINES]
        handles = [
            Patch(facecolor=colors[index[c]], label=shorten(c, 24)) for c in shown
        ]
        if len(order) > len(shown):
            handles.append(
                Patch(facecolor="none", label=f"and {len(order) - len(shown)} more")
            )
        legend = {"handles": handles, "frameon": False, "fontsize": 8}
        columns = max(1, min(len(handles), 3 * len(panels)))
        if ax is None:
            figure.legend(
                loc="outside lower left", ncols=columns, handlelength=1.2, **legend
            )
            if title:
                figure.suptitle(
                    title, fontsize=10, color=INK, x=0.01, ha="left", parse_math=False
                )
        elif title:
            ax.set_title(title, fontsize=10, color=INK, loc="left", parse_math=False)
        self.figure_, self.axes_ = figure, list(axes)
        return self


def _shade(look: Look) -> tuple[float, float, float]:
    """A colour of its own for each look: patterns are lost on cells of an image."""
    return tint(look.color, 0.9 if not look.hatch else 0.5)


def _panels(plt: Any, ax: Any, n: int, shape: tuple[int, ...]) -> tuple[Any, list[Any]]:
    """A figure and axes side by side; within `ax` where that is given."""
    if ax is not None:
        ax.set_axis_off()
        return ax.figure, [
            ax.inset_axes((k / n + 0.005, 0.0, 1 / n - 0.01, 0.9)) for k in range(n)
        ]
    tall = shape[0] / shape[1]
    width = 2.4 if tall <= 1 else max(0.9, 2.4 / tall)
    height = min(2.4, 2.4 * tall)
    figure, axes = plt.subplots(
        1, n, figsize=(max(3.2, n * (width + 0.15)), max(0.5, height) + 0.95),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    return figure, list(axes[0])


__all__ = ["GraphDisplay", "GridDisplay"]
