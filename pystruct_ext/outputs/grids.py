"""Images as graphs: cells are nodes, neighbours are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pystruct_ext.outputs.graphs import Graph, is_sparse

# Name, and the step from the first cell to the second, of each direction.
_STEPS = (
    ("horizontal", (0, 1)),
    ("vertical", (1, 0)),
    ("falling", (1, 1)),
    ("rising", (-1, 1)),
)


def grid_graph(
    image: Any,
    neighbours: int = 4,
    *,
    shape: tuple[int, int] | None = None,
    directions: str | None = "types",
    ends: bool = False,
    contrast: float | Sequence[float] | None = None,
    colours: ArrayLike | None = None,
    node_weights: ArrayLike | None = None,
) -> Graph:
    """The cells of an image as a graph.

    Parameters
    ----------
    image : (h, w) or (h, w, d) array-like, or (h * w, d) sparse matrix with `shape`
        Features of the cells.
    neighbours : {4, 8}, default=4
        Which cells are joined; 8 joins diagonal neighbours, too.
    shape : (h, w), optional
        Needed where `image` is a sparse matrix.
    directions : {"types", "one-hot"} or None, default="types"
        How horizontal, vertical, falling and rising edges are told apart: as types, which
        have pair scores of their own, or by one edge feature each.
    ends : bool, default=False
        Edge features are the features of both ends, the first end's first: pair scores that
        depend on what is seen at either end.
    contrast : float or sequence of floats, optional
        Scales s > 0: edge features are a constant 1 and ``exp(-|c_a - c_b|^2 / (2 s^2))`` of
        the colours of both ends, for every scale.
    colours : (h, w) or (h, w, c) array-like, optional
        For `contrast`; the features by default.
    node_weights : (h, w) array-like, optional
        Costs of a wrong label.

    Returns
    -------
    Graph
        Its nodes are the cells row by row; edges go right and down (rising ones right and
        up).

    Raises
    ------
    ValueError
        Naming the argument, what was seen and what was expected.

    Examples
    --------
    >>> import numpy as np
    >>> grid_graph(np.zeros((3, 4)))
    <Graph: 12 nodes (3 x 4) of 1 features, 17 edges>
    >>> grid_graph(np.zeros((3, 4, 2)), 8, contrast=0.1)
    <Graph: 12 nodes (3 x 4) of 2 features, 29 edges of 2 features>
    """
    if neighbours not in (4, 8):
        raise ValueError(f"neighbours must be 4 or 8, got {neighbours!r}")
    if directions not in ("types", "one-hot", None):
        raise ValueError(
            f"directions must be 'types', 'one-hot' or None, got {directions!r}"
        )
    features, (h, w) = _cells(image, shape)
    cells = np.arange(h * w, dtype=np.int32).reshape(h, w)
    parts = [_joined(cells, step) for _, step in _STEPS[: neighbours // 2]]
    edges = np.concatenate(parts)
    which = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    columns: list[Any] = []
    if contrast is not None:
        columns.append(_contrasts(features, colours, contrast, edges, (h, w)))
    elif colours is not None:
        raise ValueError("colours are for contrast, which is None")
    if ends:
        columns += [features[edges[:, 0]], features[edges[:, 1]]]
    if directions == "one-hot":
        columns.append(np.eye(len(parts))[which])
    stacked: Any = None
    if columns:
        some_sparse = any(is_sparse(c) for c in columns)
        stacked = (
            sparse.hstack([sparse.csr_array(c) for c in columns], format="csr")
            if some_sparse
            else np.concatenate(columns, axis=1)
        )
    weights = None
    if node_weights is not None:
        weights = np.asarray(node_weights, dtype=np.float64)
        if weights.shape != (h, w):
            raise ValueError(
                f"node_weights has shape {weights.shape}, expected {(h, w)}"
            )
        weights = weights.ravel()
    return Graph(
        features,
        edges,
        stacked,
        edge_types=[_STEPS[k][0] for k in which] if directions == "types" else None,
        node_weights=weights,
        shape=(h, w),
    )


def _cells(image: Any, shape: tuple[int, int] | None) -> tuple[Any, tuple[int, int]]:
    if is_sparse(image):
        if shape is None or int(np.prod(shape)) != image.shape[0]:
            raise ValueError(
                f"shape is {shape}, expected (h, w) of {image.shape[0]} cells, the rows of "
                "the matrix"
            )
        return sparse.csr_array(image), (int(shape[0]), int(shape[1]))
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or 0 in array.shape[:2]:
        raise ValueError(f"image has shape {np.shape(image)}, expected (h, w, d)")
    if shape is not None and tuple(shape) != array.shape[:2]:
        raise ValueError(f"shape is {shape}, but the image has {array.shape[:2]}")
    h, w, d = array.shape
    return array.reshape(h * w, d), (h, w)


def _joined(cells: NDArray[np.int32], step: tuple[int, int]) -> NDArray[np.int32]:
    down, right = step
    h, w = cells.shape
    rows = slice(max(0, -down), h - max(0, down))
    to = slice(max(0, down), h - max(0, -down))
    pairs = cells[rows, : w - right], cells[to, right:]
    return np.stack([p.ravel() for p in pairs], axis=1)


def _contrasts(
    features: Any,
    colours: ArrayLike | None,
    contrast: float | Sequence[float],
    edges: NDArray[np.int32],
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    scales = np.atleast_1d(np.asarray(contrast, dtype=np.float64))
    if scales.ndim != 1 or not (np.isfinite(scales) & (scales > 0)).all():
        raise ValueError(f"contrast must be numbers > 0, got {contrast!r}")
    if colours is None:
        if is_sparse(features):
            raise ValueError("contrast needs colours where the features are sparse")
        seen = np.asarray(features, dtype=np.float64)
    else:
        seen = np.asarray(colours, dtype=np.float64)
        if seen.shape[:2] != shape:
            raise ValueError(
                f"colours has shape {seen.shape}, expected {shape} or {(*shape, 'c')}"
            )
        seen = seen.reshape(shape[0] * shape[1], -1)
    apart = ((seen[edges[:, 0]] - seen[edges[:, 1]]) ** 2).sum(axis=1)
    return np.column_stack(
        [np.ones(len(edges)), *(np.exp(-apart / (2 * s * s)) for s in scales)]
    )


__all__ = ["grid_graph"]
