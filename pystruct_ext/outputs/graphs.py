"""Graphs whose nodes get labels: nodes, edges, and what is known of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pystruct_ext.utils.examples import as_sequence, is_frame, plain


class NodeLabels(list[Any]):
    """Labels of the nodes of a graph, and what an error at each of them costs.

    Parameters
    ----------
    labels : sequence of n labels
        None, or a set of the labels that are possible, where the label is not known.
    weights : (n,) array-like, optional
        Costs >= 0 of a wrong label, such as the areas of superpixels; 1 by default.

    Examples
    --------
    >>> NodeLabels(["sky", "tree"], [120, 35]).weights
    array([120.,  35.])
    """

    def __init__(
        self, labels: Iterable[Any] = (), weights: ArrayLike | None = None
    ) -> None:
        super().__init__(labels)
        self.weights = None if weights is None else node_weights(weights, len(self))


class FractionalLabels:
    """Shares of the labels of each node: what an LP relaxation makes of a labelling.

    ``GraphSpace(inference="lp")`` trains with these; predictions are labels.

    Parameters
    ----------
    shares : list of n mappings from label to float
        Of each node, adding up to 1.
    code : sequence of int
        Marginals of nodes and edges in units of 2^-30, as the kernel has them.
    """

    def __init__(self, shares: Sequence[Mapping[Any, float]], code: ArrayLike) -> None:
        self.shares = [dict(one) for one in shares]
        self.code = np.array(code, dtype=np.int32)

    def __len__(self) -> int:
        return len(self.shares)

    def __repr__(self) -> str:
        shown = [
            "/".join(f"{label}:{share:.3g}" for label, share in one.items())
            for one in self.shares[:8]
        ]
        return f"<FractionalLabels: {', '.join(shown)}{', ...' * (len(self) > 8)}>"


def node_weights(weights: ArrayLike, n: int, where: str = "weights") -> NDArray:
    """Weights of n nodes, checked.

    Raises
    ------
    ValueError
        Unless they are n finite numbers >= 0.
    """
    array = np.array(weights, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"{where} has shape {array.shape}, expected ({n},)")
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if bad.size:
        raise ValueError(
            f"{where}: node {bad[0]} has {array[bad[0]]}, expected a finite number >= 0"
        )
    return array


@dataclass(eq=False, repr=False)
class Graph:
    """A graph whose nodes are to be labelled.

    Parameters
    ----------
    features : (n, d) array-like or sparse matrix
        Of the nodes.
    edges : (m, 2) array-like of int
        Pairs of nodes, counted from 0; no loops, and no pair twice in either direction. An
        edge goes from its first node to its second, which matters where pair scores are not
        symmetric.
    edge_features : (m, f) array-like or sparse matrix, optional
        What pair scores are multiplied with; no constant is added.
    node_types : sequence of n, optional
        Strings or numbers: nodes of a type have weights and labels of their own.
    edge_types : sequence of m, optional
        Strings or numbers: edges of a type have pair scores of their own, such as horizontal
        and vertical ones.
    node_weights : (n,) array-like, optional
        Costs >= 0 of a wrong label at each node, such as the areas of superpixels.
    shape : tuple of int, optional
        Of a grid: its nodes are the cells, row by row.
    names : sequence of n, optional
        What the nodes are called elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> Graph(np.eye(3), [(0, 1), (1, 2)])
    <Graph: 3 nodes of 3 features, 2 edges>
    """

    features: Any
    edges: Any
    edge_features: Any = None
    node_types: Any = None
    edge_types: Any = None
    node_weights: Any = None
    shape: tuple[int, ...] | None = None
    names: Any = None

    def __post_init__(self) -> None:
        self.check()

    def __len__(self) -> int:
        return int(self.features.shape[0])

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edges)

    def __repr__(self) -> str:
        shape = "" if self.shape is None else f" ({' x '.join(map(str, self.shape))})"
        more = (
            ""
            if self.edge_features is None
            else f" of {self.edge_features.shape[1]} features"
        )
        return (
            f"<Graph: {len(self)} nodes{shape} of {self.features.shape[1]} features, "
            f"{self.n_edges} edges{more}>"
        )

    def check(self) -> None:
        """Raise ValueError unless the fields fit together; they may have been set since."""
        self.features = matrix(self.features, "features")
        n = len(self)
        self.edges = checked_edges(self.edges, n)
        m = len(self.edges)
        if self.edge_features is not None:
            self.edge_features = matrix(self.edge_features, "edge_features", m)
        self.node_types = _types(self.node_types, "node_types", n)
        self.edge_types = _types(self.edge_types, "edge_types", m)
        if self.node_weights is not None:
            self.node_weights = node_weights(self.node_weights, n, "node_weights")
        if self.shape is not None:
            self.shape = tuple(int(k) for k in _listed(self.shape, "shape"))
            if int(np.prod(self.shape)) != n:
                raise ValueError(f"shape is {self.shape}, expected one of {n} cells")
        if self.names is not None:
            self.names = _listed(self.names, "names")
            if len(self.names) != n:
                raise ValueError(
                    f"names has {len(self.names)} entries, expected {n}, one per node"
                )

    def image(self, labels: Sequence[Any]) -> NDArray[Any]:
        """Labels of a grid as an array of its shape."""
        if self.shape is None:
            raise ValueError("the graph is no grid: it has no shape")
        if len(labels) != len(self):
            raise ValueError(
                f"labels has {len(labels)} entries, expected {len(self)}, one per node"
            )
        return np.asarray(labels).reshape(self.shape)


@dataclass(eq=False)
class LabelledGraph:
    """A graph with the labels of its nodes, as files have it.

    Parameters
    ----------
    graph : Graph
    labels : NodeLabels or None
    """

    graph: Graph
    labels: NodeLabels | None = None


def is_sparse(values: Any) -> bool:
    """Whether a matrix is one of SciPy's sparse ones."""
    return bool(sparse.issparse(values))


def matrix(values: Any, name: str, n_rows: int | None = None) -> Any:
    """A matrix of finite numbers, dense or CSR.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was seen and what was expected.
    """
    if is_sparse(values):
        out: Any = sparse.csr_array(values)
        numbers = out.data
    else:
        out = numbers = np.asarray(values.to_numpy() if is_frame(values) else values)
        if out.ndim == 1 and out.size == 0:
            out = numbers = np.zeros((0, 0))
    if len(out.shape) != 2:
        raise ValueError(f"{name} has shape {out.shape}, expected (rows, features)")
    if numbers.dtype.kind not in "biuf":
        raise TypeError(f"{name} holds {numbers.dtype}, expected numbers")
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds NaN or infinity, expected finite numbers")
    if n_rows is not None and out.shape[0] != n_rows:
        raise ValueError(f"{name} has {out.shape[0]} rows, expected {n_rows}")
    return out


def checked_edges(edges: Any, n: int) -> NDArray[np.int32]:
    """Edges between n nodes, (m, 2).

    Raises
    ------
    TypeError, ValueError
        For nodes that there are not, loops, and pairs that are there twice.
    """
    array = np.asarray(edges)
    if array.size == 0:
        return np.zeros((0, 2), dtype=np.int32)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"edges has shape {array.shape}, expected (m, 2)")
    if array.dtype.kind not in "iu":
        raise TypeError(f"edges holds {array.dtype}, expected whole numbers")
    out = np.flatnonzero((array < 0).any(axis=1) | (array >= n).any(axis=1))
    if out.size:
        raise ValueError(
            f"edge {out[0]} joins the nodes {tuple(array[out[0]].tolist())}, expected nodes "
            f"0 .. {n - 1}"
        )
    array = array.astype(np.int32)
    loops = np.flatnonzero(array[:, 0] == array[:, 1])
    if loops.size:
        raise ValueError(
            f"edge {loops[0]} joins node {array[loops[0], 0]} to itself, expected two nodes"
        )
    ends = np.sort(array, axis=1).astype(np.int64)
    keys = ends[:, 0] * n + ends[:, 1]
    order = np.argsort(keys, kind="stable")
    twice = np.flatnonzero(np.diff(keys[order]) == 0)
    if twice.size:
        a, b = order[twice[0]], order[twice[0] + 1]
        raise ValueError(
            f"edges {a} and {b} both join the nodes {tuple(ends[a].tolist())}, expected one "
            "edge for a pair of nodes"
        )
    return array


def _listed(values: Any, name: str) -> list[Any]:
    out = as_sequence(values)
    if not isinstance(out, list):
        raise TypeError(f"{name} must be a list, got {type(values).__name__}")
    return out


def _types(values: Any, name: str, n: int) -> list[Any] | None:
    if values is None:
        return None
    out = [plain(v) for v in _listed(values, name)]
    if len(out) != n:
        raise ValueError(f"{name} has {len(out)} entries, expected {n}")
    for k, v in enumerate(out):
        if not isinstance(v, (str, int, float)):
            raise TypeError(
                f"{name}: entry {k} is {v!r:.60}, expected a string or a number"
            )
    return out


def as_graph(x: Any) -> Graph:
    """A graph, or a tuple (features, edges) or (features, edges, edge_features) as one.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(x, Graph):
        return replace(x)  # checked once more: fields may have been set since
    if isinstance(x, tuple) and len(x) in (2, 3):
        return Graph(*x)
    raise TypeError(
        "must be a Graph or a tuple (features, edges) or (features, edges, edge_features), "
        f"got {type(x).__name__}"
    )


__all__ = [
    "Graph",
    "LabelledGraph",
    "NodeLabels",
    "as_graph",
    "checked_edges",
    "is_sparse",
    "matrix",
    "node_weights",
]
