"""The best clustering for given weights of pairs: the door to the decoders."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse.csgraph import connected_components, dijkstra

from pystruct_ext.outputs.pair_graphs import check_pairs, first_occurrence
from pystruct_ext.spaces._kernels import clustering as _clustering

METHODS = ("auto", "greedy", "branch", "milp")
_MOST_MILP = 20_000


class BestClustering(NamedTuple):
    """A clustering of items.

    Attributes
    ----------
    clusters : (n,) int32
        Ids in the order of first items.
    value : float
        Sum of the weights of pairs within clusters.
    bound : float
        No clustering has more.
    """

    clusters: NDArray[np.int32]
    value: float
    bound: float


def best_clustering(
    weights: ArrayLike,
    pairs: ArrayLike | None = None,
    n: int | None = None,
    *,
    inference: str = "auto",
) -> BestClustering:
    """The clustering with the largest sum of weights within clusters (correlation clustering).

    Parameters
    ----------
    weights : (E,) or (n, n) array-like
        Of the pairs: positive ones attract. Without `pairs` a symmetric matrix, of which the
        part above the diagonal is read.
    pairs : (E, 2) array-like of int, optional
    n : int, optional
        How many items there are; by default the largest one that a pair mentions says so.
    inference : {"auto", "greedy", "exact", "branch", "milp"}, default="auto"
        "greedy" and "auto" as in `ClusteringSpace`: not always the best, but with a bound.
        "exact": "branch" for groups of at most 64 items that positive weights connect, else
        "milp". "branch": compiled branch and bound with cycle packing. "milp": cycle
        inequalities as cutting planes of SciPy's HiGHS, for at most 20,000 pairs.

    Returns
    -------
    BestClustering
        Named tuple of clusters, value and bound; their gap is 0 where it is known to be best.

    Raises
    ------
    ValueError
        For weights that are not finite, pairs that are wrong, and problems too large for
        `inference`, with the size they have.

    References
    ----------
    Bansal, Blum and Chawla 2004; Keuper et al. 2015; Lange, Karrenbauer and Andres 2018;
    Kappes et al. 2011 (cutting planes).

    Examples
    --------
    >>> best = best_clustering([2.0, 1.0, -2.0], [(0, 1), (1, 2), (0, 2)])
    >>> best.clusters, best.value, best.bound
    (array([0, 0, 1], dtype=int32), 2.0, 2.0)
    """
    if inference not in (*METHODS, "exact"):
        raise ValueError(
            f"inference must be one of {', '.join((*METHODS, 'exact'))}, got {inference!r}"
        )
    w, ends, size = _problem(weights, pairs, n)
    if inference == "exact":
        inference = (
            "branch" if _largest(w, ends, size) <= _clustering.MOST_EXACT else "milp"
        )
    if inference == "milp":
        return _milp(w, ends, size)
    if (
        inference == "branch"
        and (most := _largest(w, ends, size)) > _clustering.MOST_EXACT
    ):
        raise ValueError(
            f"inference='branch' takes groups of at most {_clustering.MOST_EXACT} items "
            f"that positive weights connect, got one of {most}, with up to "
            f"2^{most * (most - 1) // 2} choices of pairs"
        )
    search = {"auto": 0, "greedy": 1, "branch": 2}[inference]
    return BestClustering(*_clustering.clusters(size, ends, w, search))


def _problem(
    weights: ArrayLike, pairs: Any, n: int | None
) -> tuple[NDArray[np.float64], NDArray[np.int32], int]:
    w = np.asarray(weights, dtype=np.float64)
    if n is not None and (not isinstance(n, (int, np.integer)) or n < 1):
        raise ValueError(f"n must be an integer >= 1, got {n!r}")
    if pairs is None:
        if w.ndim != 2 or w.shape[0] != w.shape[1] or w.shape[0] < 1:
            raise ValueError(
                f"weights has shape {w.shape}, expected (n, n), or pairs beside them"
            )
        size = len(w)
        if n is not None and n != size:
            raise ValueError(f"n is {n}, but weights has {size} rows")
        a, b = np.triu_indices(size, 1)
        ends, w = np.stack([a, b], axis=1).astype(np.int32), w[a, b]
    else:
        array = np.asarray(pairs)
        largest = (
            int(array.max()) + 1 if array.size and array.dtype.kind in "iuf" else 1
        )
        size = max(1, largest) if n is None else int(n)
        ends = check_pairs(array, size, "best_clustering")
        if w.shape != (len(ends),):
            raise ValueError(
                f"weights has shape {w.shape}, expected one per pair: ({len(ends)},)"
            )
    bad = np.flatnonzero(~np.isfinite(w))
    if bad.size:
        e = int(bad[0])
        raise ValueError(
            f"weights: that of pair {e}, {tuple(ends[e].tolist())}, is {w[e]}, expected a "
            "finite number"
        )
    return np.ascontiguousarray(w), np.ascontiguousarray(ends), size


def _components(pairs: NDArray[Any], n: int) -> NDArray[np.int64]:
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = sparse.coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, False)[1].astype(np.int64)


def _largest(w: NDArray[np.float64], pairs: NDArray[np.int32], n: int) -> int:
    return int(np.bincount(_components(pairs[w > 0], n)).max())


def _milp(w: NDArray[np.float64], pairs: NDArray[np.int32], n: int) -> BestClustering:
    """Cutting planes.

    x_e is 1 where a pair is apart; <w, x> is minimised; cycles demand that x_e is at most
    the sum of x over a path between the ends of e.
    """
    groups = _components(pairs[w > 0], n)
    inside = groups[pairs[:, 0]] == groups[pairs[:, 1]]
    kept, cost = pairs[inside], w[inside]
    if len(kept) > _MOST_MILP:
        raise ValueError(
            f"inference='milp' takes at most {_MOST_MILP} pairs within groups that positive "
            f"weights connect, got {len(kept)}: as many binary variables, and up to "
            f"{len(kept)} new rows in each round; use inference='auto', which has a bound"
        )
    ids: Any = np.arange(n)
    value = bound = 0.0
    if len(kept):
        x, bound = _cut(cost, kept, n)
        ids = _components(kept[x < 0.5], n)
        value = float(cost[ids[kept[:, 0]] == ids[kept[:, 1]]].sum())
    return BestClustering(
        first_occurrence(ids).astype(np.int32), value, max(value, bound)
    )


def _cut(
    cost: NDArray[np.float64], pairs: NDArray[np.int32], n: int
) -> tuple[NDArray[np.float64], float]:
    rows: list[tuple[int, list[int]]] = []
    number = {(a, b): e for e, (a, b) in enumerate(pairs.tolist())}
    number |= {(b, a): e for (a, b), e in number.items()}
    matrix: Any = None
    found: Any
    whole = False
    while True:
        if rows:
            columns = [c for e, path in rows for c in (e, *path)]
            values = [v for _, path in rows for v in (1.0, *[-1.0] * len(path))]
            ends = np.cumsum([0, *(1 + len(path) for _, path in rows)])
            matrix = sparse.csr_array(
                (values, columns, ends), shape=(len(rows), len(cost))
            )
        if whole:
            limits = (
                [LinearConstraint(matrix, ub=np.zeros(len(rows)))] if rows else None
            )
            found = milp(
                cost, integrality=np.ones(len(cost), dtype=np.int64), bounds=Bounds(0, 1),
                constraints=limits, options={"mip_rel_gap": 0.0},
            )  # fmt: skip
            lower = found.mip_dual_bound
        else:
            found = linprog(
                cost,
                A_ub=matrix,
                b_ub=np.zeros(len(rows)) if rows else None,
                bounds=(0, 1),
            )
            lower = found.fun
        if found.x is None:
            raise RuntimeError(f"HiGHS found no optimum: {found.message}")
        x = np.clip(found.x, 0.0, 1.0)
        more = _violated(x, pairs, n, number)
        if not more:
            if whole or np.abs(x - np.round(x)).max() < 1e-6:
                return np.round(x), float(cost.sum() - lower)
            whole = True
            continue
        rows += more


def _violated(
    x: NDArray[np.float64], pairs: NDArray[np.int32], n: int, number: dict[Any, int]
) -> list[tuple[int, list[int]]]:
    """For each pair that is too far apart, a shortest path between its ends."""
    far = np.flatnonzero(x > 1e-6)
    # A zero would be no edge at all.
    graph = sparse.coo_array(
        (x + 1e-9, (pairs[:, 0], pairs[:, 1])), shape=(n, n)
    ).tocsr()
    out = []
    for a in np.unique(pairs[far, 0]):
        distance, before = dijkstra(graph, False, indices=a, return_predecessors=True)
        for e in far[pairs[far, 0] == a]:
            b = int(pairs[e, 1])
            if x[e] <= distance[b] + 1e-5:
                continue
            path = [b]
            while path[-1] != a:
                path.append(int(before[path[-1]]))
            out.append((int(e), [number[p] for p in pairwise(path)]))
    return out


__all__ = ["BestClustering", "best_clustering"]
