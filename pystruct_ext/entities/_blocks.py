"""Training pairs as many small problems."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from pystruct_ext.entities._tables import Pairs
from pystruct_ext.outputs import MatchingProblem


def components(n: int, pairs: Pairs) -> NDArray[np.int64]:
    """Connected component of each of n records."""
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = sparse.coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def matching_blocks(
    pairs: Pairs, n_left: int, most: int
) -> Iterator[NDArray[np.int64]]:
    """Rows of pairs, one array a block.

    Blocks are connected components of the candidates; one of more than `most` pairs is cut
    into groups of left records that are near each other, each with all of its candidates.
    """
    if not len(pairs):
        return
    n_right = int(pairs[:, 1].max()) + 1
    joint = np.stack([pairs[:, 0], pairs[:, 1] + n_left], axis=1)
    part = components(n_left + n_right, joint)[pairs[:, 0]]
    order = np.argsort(part, kind="stable")
    for block in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
        if len(block) <= most:
            yield block
        else:
            yield from _cut(pairs, block, most)


def cluster_blocks(
    pairs: Pairs, clusters: NDArray[np.int64], most: int
) -> list[NDArray[np.int64]]:
    """Groups of records, each in one, of whole clusters that candidates connect.

    Clusters are taken breadth first, up to `most` records a group; one of more is cut into
    pieces, each a group of its own.
    """
    order = np.argsort(clusters, kind="stable")
    ids, starts = np.unique(clusters[order], return_index=True)
    members = np.split(order, starts[1:])
    code = np.searchsorted(ids, clusters)
    joined = np.unique(np.sort(code[pairs], axis=1), axis=0)
    near: dict[int, list[int]] = {}
    for a, b in joined.tolist():
        if a != b:
            near.setdefault(a, []).append(b)
            near.setdefault(b, []).append(a)
    out: list[NDArray[np.int64]] = []
    seen: set[int] = set()
    for start in range(len(ids)):
        if start in seen:
            continue
        seen.add(start)
        queue = deque([start])
        group: list[NDArray[np.int64]] = []
        size = 0
        while queue:
            k = queue.popleft()
            if len(members[k]) > most:
                pieces = -(-len(members[k]) // most)
                out += np.array_split(members[k], pieces)
            else:
                if size + len(members[k]) > most:
                    out.append(np.sort(np.concatenate(group)))
                    group, size = [], 0
                group.append(members[k])
                size += len(members[k])
            for other in near.get(k, ()):
                if other not in seen:
                    seen.add(other)
                    queue.append(other)
        if group:
            out.append(np.sort(np.concatenate(group)))
    return out


def dealt(n: int, parts: int, seed: int) -> list[NDArray[np.int64]]:
    """Rows 0 .. n - 1 at random in so many parts, each rising."""
    part = np.random.default_rng(seed).permutation(np.arange(n) % parts)
    return [np.flatnonzero(part == k) for k in range(parts)]


def _cut(
    pairs: Pairs, block: NDArray[np.int64], most: int
) -> Iterator[NDArray[np.int64]]:
    """Groups of left records in breadth-first order, each of at most `most` pairs."""
    of_left: dict[int, list[int]] = {}
    of_right: dict[int, list[int]] = {}
    for e in block.tolist():
        i, j = pairs[e].tolist()
        of_left.setdefault(i, []).append(e)
        of_right.setdefault(j, []).append(i)
    seen: set[int] = set()
    group: list[int] = []
    for start in of_left:
        if start in seen:
            continue
        seen.add(start)
        queue = deque([start])
        while queue:
            i = queue.popleft()
            if group and len(group) + len(of_left[i]) > most:
                yield np.array(group, dtype=np.int64)
                group = []
            group += of_left[i]
            for e in of_left[i]:
                for k in of_right[int(pairs[e, 1])]:
                    if k not in seen:
                        seen.add(k)
                        queue.append(k)
    if group:
        yield np.array(group, dtype=np.int64)


Own = dict[tuple[int, int], int]


def problems_of(
    pairs: Pairs, X: NDArray[np.float32], m: int, most: int
) -> tuple[list[MatchingProblem], list[Own]]:
    """Blocks of pairs as problems, and the rows of their links in `pairs`."""
    problems, own = [], []
    for rows in matching_blocks(pairs, m, most):
        i, at_left = np.unique(pairs[rows, 0], return_inverse=True)
        j, at_right = np.unique(pairs[rows, 1], return_inverse=True)
        here = np.stack([at_left, at_right], axis=1)
        problems.append(MatchingProblem(X[rows], (len(i), len(j)), here))
        own.append(dict(zip(map(tuple, here.tolist()), rows.tolist(), strict=True)))
    return problems, own


__all__ = ["cluster_blocks", "components", "dealt", "matching_blocks", "problems_of"]
