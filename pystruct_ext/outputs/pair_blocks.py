"""Many small training examples out of large pair graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from pystruct_ext.outputs.pair_graphs import (
    PairGraph,
    cluster_ids,
    first_occurrence,
)


def split_into_blocks(
    X: Sequence[PairGraph],
    y: Sequence[Any],
    n_items: int = 10,
    n_repeats: int = 5,
    random_state: Any = None,
) -> tuple[list[PairGraph], list[NDArray[np.int64]]]:
    """Many small training examples out of a few large ones.

    One large graph is a single example for a structural SVM: a single hinge, whose maximum
    is hard to find and to bound. Blocks of some clusters each are easy, and the rest of the
    graph says little more: what is learnt is the scores of pairs.

    The clusters of a graph are put in random order, those of more than ``n_items / 2`` items
    cut into random pieces first, and cut into blocks of about `n_items`. This is repeated
    with other orders, so that other clusters meet. Connected components of the candidate
    pairs that are no larger than `n_items` are kept whole and packed together.

    Parameters
    ----------
    X : list of n PairGraph
    y : list of n clusterings
        An id for every item.
    n_items : int, default=10
        Size of a block, at least 2. To 12, every maximum is found exactly.
    n_repeats : int, default=5
        How many times; graphs of at most `n_items` items are taken once, as they are.
    random_state : int, RandomState or None, default=None
        An int gives the same blocks again.

    Returns
    -------
    X, y : lists of PairGraph and of (n_items,) arrays
        The blocks and their clusters. Blocks without candidate pairs are left out.

    Examples
    --------
    >>> import numpy as np
    >>> ids = np.arange(100) // 4
    >>> pairs = np.stack(np.triu_indices(100, 1), axis=1)
    >>> same = ids[pairs[:, 0]] == ids[pairs[:, 1]]
    >>> graph = PairGraph(100, pairs, same[:, None])
    >>> blocks, clusters = split_into_blocks([graph], [ids], 20, 2, random_state=0)
    >>> len(blocks), len(blocks[0])
    (10, 20)
    """
    _check(X, y, n_items, n_repeats)
    rng = check_random_state(random_state)
    graphs: list[PairGraph] = []
    clusters: list[NDArray[np.int64]] = []

    for i, (graph, given) in enumerate(zip(X, y, strict=True)):
        ids = cluster_ids(given, f"y: example {i}", graph.n)
        if graph.n <= n_items:
            _add(graphs, clusters, graph, ids, np.arange(graph.n))
            continue
        parts = graph.components()
        sizes = np.bincount(parts)
        small = sizes[parts] <= n_items
        for items in _packed_in(
            [np.flatnonzero(parts == c) for c in np.flatnonzero(sizes <= n_items)],
            n_items,
        ):
            _add(graphs, clusters, graph, ids, items)
        for _ in range(n_repeats if not small.all() else 0):
            pieces = []
            for c in np.unique(ids[~small]):
                members = rng.permutation(np.flatnonzero((ids == c) & ~small))
                n_pieces = -(-len(members) // max(1, n_items // 2))
                pieces += np.array_split(members, n_pieces)
            order = rng.permutation(len(pieces))
            for items in _packed_in([pieces[k] for k in order], n_items):
                _add(graphs, clusters, graph, ids, items)
    return graphs, clusters


def hard_blocks(
    X: Sequence[PairGraph],
    y: Sequence[Any],
    scores: Sequence[Any],
    n_items: int = 20,
    n_repeats: int = 1,
    random_state: Any = None,
) -> tuple[list[PairGraph], list[NDArray[np.int64]]]:
    """Blocks of clusters that are easily confused: what a second fit should see, too.

    There is one block for each cluster: up to ``n_items / 2`` of its items, drawn at random,
    and as many of the clusters with the pair of highest score to it, until it is full. Random
    blocks hardly ever have such clusters together.

    Parameters
    ----------
    X : list of n PairGraph
    y : list of n clusterings
        An id for every item.
    scores : list of n (E,) arrays
        Of the candidate pairs, such as `pair_scores` of a model fitted on random blocks.
    n_items : int, default=20
        Size of a block, at least 2.
    n_repeats : int, default=1
        How many blocks for each cluster; they differ in the items drawn.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    X, y : lists of PairGraph and of (n_items,) arrays

    Examples
    --------
    >>> x = PairGraph(4, [(0, 1), (1, 2), (2, 3)], [[1.0], [2.0], [3.0]])
    >>> blocks, clusters = hard_blocks([x], ["aabc"], [[5.0, 1.0, 2.0]], 4)
    >>> [len(block) for block in blocks], [ids.tolist() for ids in clusters]
    ([3, 4, 2], [[0, 0, 1], [0, 0, 1, 2], [0, 1]])
    """
    _check(X, y, n_items, n_repeats)
    if len(scores) != len(X):
        raise ValueError(f"scores has {len(scores)} entries, expected one per graph")
    rng = check_random_state(random_state)
    graphs: list[PairGraph] = []
    clusters: list[NDArray[np.int64]] = []
    half = max(1, n_items // 2)
    for i, (graph, given, s) in enumerate(zip(X, y, scores, strict=True)):
        ids = cluster_ids(given, f"y: example {i}", graph.n)
        values = np.asarray(s, dtype=np.float64)
        if values.shape != (len(graph.pairs),):
            raise ValueError(
                f"scores: example {i} has shape {values.shape}, expected one score per "
                f"pair: ({len(graph.pairs)},)"
            )
        members = [np.flatnonzero(ids == c) for c in range(ids.max() + 1)]
        near = _nearest(ids[graph.pairs], values)
        for c, order in enumerate(near):
            for _ in range(n_repeats):
                items = rng.permutation(members[c])[:half]
                for d in order:
                    if len(items) >= n_items:
                        break
                    room = min(half, n_items - len(items))
                    items = np.append(items, rng.permutation(members[d])[:room])
                _add(graphs, clusters, graph, ids, np.sort(items))
    return graphs, clusters


def _nearest(
    ends: NDArray[np.int64], scores: NDArray[np.float64]
) -> list[NDArray[np.int64]]:
    """For each cluster, those that candidate pairs link with it, the highest score first."""
    k = int(ends.max(initial=-1)) + 1
    between = ends[:, 0] != ends[:, 1]
    a, b = ends[between].T
    first, second = np.concatenate([a, b]), np.concatenate([b, a])
    order = np.argsort(-np.tile(scores[between], 2), kind="stable")
    key = first[order] * k + second[order]
    _, once = np.unique(key, return_index=True)
    once.sort()  # the best pair of two clusters, best pairs first
    first, second = first[order][once], second[order][once]
    return [second[first == c] for c in range(k)]


def _check(X: Any, y: Any, n_items: Any, n_repeats: Any) -> None:
    for name, value, low in (("n_items", n_items, 2), ("n_repeats", n_repeats, 1)):
        if not isinstance(value, (int, np.integer)) or value < low:
            raise ValueError(f"{name} must be an integer >= {low}, got {value!r}")
    if len(X) != len(y):
        raise ValueError(
            f"X and y must have the same number of examples, got {len(X)} and {len(y)}"
        )


def _add(
    graphs: list[PairGraph],
    clusters: list[NDArray[np.int64]],
    graph: PairGraph,
    ids: NDArray[np.int64],
    items: NDArray[np.int64],
) -> None:
    """Appends a block, unless it has no candidate pairs."""
    block = graph if len(items) == graph.n else graph.subset(items)
    if len(block.pairs):
        graphs.append(block)
        clusters.append(first_occurrence(ids[items]))


def _packed_in(
    pieces: Sequence[NDArray[np.int64]], n_items: int
) -> list[NDArray[np.int64]]:
    """Consecutive pieces together, as long as they have no more items than that."""
    out: list[NDArray[np.int64]] = []
    block: list[NDArray[np.int64]] = []
    size = 0
    for piece in pieces:
        if block and size + len(piece) > n_items:
            out.append(np.sort(np.concatenate(block)))
            block, size = [], 0
        block.append(piece)
        size += len(piece)
    if block:
        out.append(np.sort(np.concatenate(block)))
    return out


__all__ = ["hard_blocks", "split_into_blocks"]
