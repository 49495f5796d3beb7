"""Labels of the nodes of a graph for given scores, with bounds and proofs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.spaces._kernels import graphs as _graphs

_INFERENCE = {  # as Inference in graphs/decoder.hpp
    "auto": 0,
    "forest": 1,
    "cut": 2,
    "expansion": 3,
    "dual": 4,
    "lp": 5,
    "exact": 6,
}
_LARGEST = 1e80  # of a score, as in graphs/decoder.hpp
_RANGE, _LOOP, _TOO_LARGE = 1, 2, 4  # as EdgeFault in graphs/door.hpp


class GraphLabels(NamedTuple):
    """Labels of the nodes of a graph, and what is known about them.

    Attributes
    ----------
    labels : (n,) int32
    value : float
        Their score.
    bound : float
        No labels score more; the value itself where `exact`.
    exact : bool
        Whether the labels are proven to be the best, up to rounding.
    """

    labels: NDArray[np.int32]
    value: float
    bound: float
    exact: bool


class GraphMarginals(NamedTuple):
    """A maximiser over the local polytope.

    Attributes
    ----------
    nodes : (n, L) float64
        Marginals of the nodes.
    edges : (m, L, L) float64
        Marginals of the edges, [label of a, label of b]; they agree with those of the nodes
        to 1e-6.
    value : float
        Their score.
    bound : float
        No marginals, hence no labels, score more.
    """

    nodes: NDArray[np.float64]
    edges: NDArray[np.float64]
    value: float
    bound: float


def decode_graph(
    unary: ArrayLike,
    edges: ArrayLike,
    pairwise: ArrayLike,
    inference: str = "auto",
    n_labels: ArrayLike | None = None,
    max_branches: int = 2000,
) -> GraphLabels:
    """The labels y that maximise ``sum_v unary[v, y_v] + sum_e pair_e(y_a, y_b)``.

    Parameters
    ----------
    unary : (n, L) array-like
        Scores of the labels of each node.
    edges : (m, 2) array-like of int
        Edge e joins a, b = edges[e]; no loops, no pair twice.
    pairwise : (m,), (L, L) or (m, L, L) array-like
        A score per edge for equal labels (Potts), one table [label of a, label of b] for all
        edges, or a table per edge. Contiguous arrays of one of float32 and float64, as
        `unary` is, are not copied.
    inference : str, default="auto"
        - "auto": "forest" where there is no cycle, "cut" where binary labels attract, else a
          short "dual", with expansion moves where Potts scores are not negative;
        - "forest": dynamic programming, exact;
        - "cut": a minimum cut, exact for at most two labels a node and no edge that prefers
          unlike ones (tables: ``t[0, 0] + t[1, 1] >= t[0, 1] + t[1, 0]``), else as "dual";
        - "expansion": expansion moves, for Potts scores that are not negative, then the dual;
        - "dual": reweighted messages until they stall, for a bound; labels are rounded;
        - "lp": on to the optimum of the local polytope, which is then the bound;
        - "exact": branches, with a proof, or an error.
    n_labels : (n,) array-like of int, optional
        Labels of each node where they differ, 1 .. L; what is beyond is not looked at.
    max_branches : int, default=2000
        Subproblems that "exact" may try.

    Returns
    -------
    GraphLabels
        (labels, value, bound, exact).

    Raises
    ------
    ValueError
        For wrong shapes, edges out of range, loops, repeated edges, scores that are not
        finite, "forest" with a cycle, and where "exact" finds no proof.

    References
    ----------
    Boykov and Kolmogorov 2004; Boykov, Veksler and Zabih 2001; Kolmogorov 2006.

    Examples
    --------
    >>> unary = [[1.0, 0.0], [0.0, 0.2], [0.0, 0.2]]
    >>> decode_graph(unary, [[0, 1], [1, 2], [2, 0]], [0.5, 0.5, 0.5]).labels
    array([0, 0, 0], dtype=int32)
    """
    how = _INFERENCE.get(inference)
    if how is None:
        raise ValueError(f"inference={inference!r}, expected one of {list(_INFERENCE)}")
    got: Any = None
    if (
        n_labels is None
        and type(unary) is np.ndarray
        and type(edges) is np.ndarray
        and type(pairwise) is np.ndarray
    ):
        got = _graphs.decode(unary, edges, pairwise, how, None, max_branches)
    if got is None or got[1] != got[1] or got[5]:
        arrays = _arrays(unary, edges, pairwise, n_labels)
        u, e, p, counts = arrays
        got = _graphs.decode(u, e, p, how, counts, max_branches)
        _check(got, arrays)
    if how == 1 and not got[4]:
        raise ValueError("inference='forest' needs edges without a cycle")
    if how == 6 and not got[3]:
        raise ValueError(
            f"inference='exact' found no proof for {len(got[0])} nodes and "
            f"{len(np.asarray(edges))} edges (score {got[1]:.6g}, bound {got[2]:.6g}): "
            f"elimination would need tables of {got[7]:.2g} entries; use inference='dual' "
            "for labels with a bound"
        )
    return GraphLabels(got[0], got[1], got[2], got[3])


def relax_graph(
    unary: ArrayLike,
    edges: ArrayLike,
    pairwise: ArrayLike,
    n_labels: ArrayLike | None = None,
) -> GraphMarginals:
    r"""Marginals that maximise the scores over the local polytope.

    They are 0 or 1 where the relaxation is tight, fractional elsewhere. Value and bound meet
    to 4e-9 (1 + \|value\|) unless rounding prevents it, and both are returned.

    Parameters
    ----------
    unary, edges, pairwise, n_labels
        As in `decode_graph`.

    Returns
    -------
    GraphMarginals
        (nodes, edges, value, bound).

    Raises
    ------
    ValueError
        As `decode_graph`.

    References
    ----------
    Wainwright and Jordan 2008; Mehrotra 1992.

    Examples
    --------
    >>> frustrated = [[0, 1], [1, 2], [2, 0]]
    >>> got = relax_graph([[0.0, 0.0]] * 3, frustrated, [-1.0, -1.0, -1.0])
    >>> got.nodes.round(3).tolist()
    [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """
    arrays = _arrays(unary, edges, pairwise, n_labels)
    n, width = arrays[0].shape
    m = len(arrays[1])
    nodes, both = np.zeros((n, width)), np.zeros((m, width, width))
    u, e, p, counts = arrays
    got = _graphs.decode(u, e, p, _INFERENCE["lp"], counts, 1, (nodes, both))
    _check(got, arrays)
    assert got is not None  # else _check has raised
    return GraphMarginals(nodes, both, got[1], got[2])


def _arrays(unary: Any, edges: Any, pairwise: Any, n_labels: Any) -> Any:
    """Arrays as the kernel takes them, or an error that says what does not fit."""
    u, p, e = np.asarray(unary), np.asarray(pairwise), np.asarray(edges)
    for name, x in (("unary", u), ("pairwise", p)):
        if x.dtype.kind not in "fiub":
            raise ValueError(f"{name} has dtype {x.dtype}, expected real numbers")
    real = np.float32 if u.dtype == p.dtype == np.float32 else np.float64
    u, p = (np.require(x, real, ["C", "A"]) for x in (u, p))
    if u.ndim != 2 or 0 in u.shape:
        raise ValueError(
            f"unary has shape {u.shape}, expected (nodes, labels), one or more of each"
        )
    if e.size == 0:
        e = e.reshape(0, 2).astype(np.int64)
    if e.ndim != 2 or e.shape[1] != 2 or e.dtype.kind not in "iu":
        raise ValueError(
            f"edges has shape {e.shape} and dtype {e.dtype}, expected (edges, 2) integers"
        )
    m, width = len(e), u.shape[1]
    if p.size == 0 and m == 0:
        p = np.zeros(0, real)
    if p.shape not in ((m,), (width, width), (m, width, width)):
        raise ValueError(
            f"pairwise has shape {p.shape}, expected ({m},), ({width}, {width}) or "
            f"({m}, {width}, {width}) for {m} edges and {width} labels"
        )
    counts = None
    if n_labels is not None:
        given = np.asarray(n_labels)
        if given.shape != (len(u),) or given.dtype.kind not in "iu":
            raise ValueError(
                f"n_labels has shape {given.shape} and dtype {given.dtype}, expected "
                f"({len(u)},) integers"
            )
        bad = np.flatnonzero((given < 1) | (given > width))
        if len(bad):
            raise ValueError(
                f"n_labels[{bad[0]}] is {given[bad[0]]}, expected 1 .. {width}"
            )
        counts = np.ascontiguousarray(given, dtype=np.int32)
    return u, np.require(e, np.int64, ["C", "A"]), p, counts


def _check(got: Any, arrays: Any) -> None:
    """An error for what the kernel has found wrong with arrays that fit."""
    u, e, p, counts = arrays
    if got is None:
        raise ValueError(f"a graph of {len(u)} nodes and {len(e)} edges is too large")
    fault, where = got[5], got[6]
    if fault == _TOO_LARGE:
        raise ValueError(
            f"the local polytope of {len(u)} nodes, {len(e)} edges and {u.shape[1]} labels "
            f"is too large; the bound of inference='dual' is {got[2]:.6g}"
        )
    if fault:
        a, b = e[where].tolist()
        if fault == _RANGE:
            said = f"expected nodes 0 .. {len(u) - 1}"
        elif fault == _LOOP:
            said = "expected two different nodes"
        else:
            first = np.flatnonzero((e == (a, b)).all(1) | (e == (b, a)).all(1))[0]
            said = f"the pair that edges[{first}] joins already"
        raise ValueError(f"edges[{where}] is [{a}, {b}], {said}")
    if got[1] == got[1]:
        return
    width = u.shape[1]
    n_labels = np.full(len(u), width) if counts is None else counts
    known = np.arange(width) < n_labels[:, None]
    bad = np.argwhere(~(np.abs(u) <= _LARGEST) & known)
    name, x = "unary", u
    if not len(bad):
        name, x = "pairwise", p
        wrong = ~(np.abs(p) <= _LARGEST)
        if p.ndim == 3:
            wrong &= known[e[:, 0], :, None] & known[e[:, 1], None, :]
        bad = np.argwhere(wrong)
    at = tuple(bad[0].tolist())
    raise ValueError(
        f"{name}[{', '.join(map(str, at))}] is {x[at]}, expected a finite number up to 1e80"
    )


__all__ = ["GraphLabels", "GraphMarginals", "decode_graph", "relax_graph"]
