"""Pairs of labels: which there are, and the forest that they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Edges = NDArray[np.int32]

FORMS = ("auto", "none", "tree", "full")
# Up to this many labels "auto" takes all pairs.
FEW = 10


def label_edges(
    interactions: Any,
    codes: NDArray[np.int32],
    classes: Sequence[Any],
    loss: str = "hamming",
    sample_weight: NDArray[np.floating] | None = None,
) -> Edges:
    """Pairs of labels that have a weight, (m, 2), the smaller index first.

    Raises
    ------
    ValueError
        For another word, unknown labels, loops and pairs given twice.
    """
    k = codes.shape[1]
    if isinstance(interactions, str):
        if interactions not in FORMS:
            raise ValueError(
                f"interactions must be one of {FORMS} or a list of pairs of labels, got "
                f"{interactions!r}"
            )
        if interactions == "auto":
            beyond = "none" if loss == "f1" else "tree"
            interactions = "full" if k <= FEW else beyond
        if interactions == "none":
            return np.zeros((0, 2), dtype=np.int32)
        if interactions == "full":
            return np.argwhere(np.triu(np.ones((k, k)), 1)).astype(np.int32)
        return information_tree(codes, sample_weight)
    index = {label: j for j, label in enumerate(classes)}
    edges: list[tuple[int, int]] = []
    for e, pair in enumerate(_pairs(interactions)):
        for label in pair:
            if label not in index:
                raise ValueError(
                    f"interactions: pair {e} has the label {label!r}, expected one of "
                    f"{list(classes)!r:.300}"
                )
        a, b = sorted(index[label] for label in pair)
        if a == b:
            raise ValueError(
                f"interactions: pair {e} joins the label {pair[0]!r} with itself"
            )
        if (a, b) in edges:
            raise ValueError(
                f"interactions: pair {e} {tuple(pair)} is there twice, first as pair "
                f"{edges.index((a, b))}"
            )
        edges.append((a, b))
    return np.array(edges, dtype=np.int32).reshape(-1, 2)


def _pairs(interactions: Any) -> list[list[Any]]:
    out = []
    try:
        given = [
            p.tolist() if isinstance(p, np.ndarray) else p for p in list(interactions)
        ]
    except TypeError:
        raise TypeError(
            f"interactions must be one of {FORMS} or a list of pairs of labels, got "
            f"{interactions!r:.60}"
        ) from None
    for e, pair in enumerate(given):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(
                f"interactions: pair {e} is {pair!r:.60}, expected two labels"
            )
        out.append(list(pair))
    return out


def mutual_information(
    codes: NDArray[np.int32], sample_weight: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Mutual information of every pair of labels in nats, (K, K)."""
    y = np.asarray(codes, dtype=np.float64)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
    weight = weight / max(float(weight.sum()), 1e-300)
    both, one = (y * weight[:, None]).T @ y, weight @ y
    total = np.zeros_like(both)
    for joint, row, column in (
        (both, one, one),
        (one[:, None] - both, one, 1 - one),
        (one[None, :] - both, 1 - one, one),
        (1 - one[:, None] - one[None, :] + both, 1 - one, 1 - one),
    ):
        expected = np.outer(row, column)
        there = (joint > 1e-15) & (expected > 0)
        total[there] += joint[there] * np.log(joint[there] / expected[there])
    np.fill_diagonal(total, 0)
    return np.maximum(total, 0)


def information_tree(
    codes: NDArray[np.int32], sample_weight: NDArray[np.floating] | None = None
) -> Edges:
    """The spanning forest of largest mutual information (Chow and Liu 1968)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    information = mutual_information(codes, sample_weight)
    # Rounding must not decide between equals.
    information = np.round(information, 12)
    information[information < 1e-12] = 0  # unrelated, or always the same
    tree = minimum_spanning_tree(csr_array(-information)).tocoo()
    edges = np.sort(np.stack([tree.row, tree.col], axis=1), axis=1)
    return edges[np.lexsort(edges.T[::-1])].astype(np.int32).reshape(-1, 2)


def rooted(n: int, edges: Edges) -> tuple[NDArray, NDArray, NDArray] | None:
    """Order, parents and edges to the parents of a forest; None where there is a cycle.

    Parents come before their children in the order; roots have parent and edge -1.
    """
    around: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for e, (a, b) in enumerate(edges.tolist()):
        around[a].append((b, e))
        around[b].append((a, e))
    parent, via = np.full((2, n), -1, dtype=np.int32)
    order: list[int] = []
    seen = [False] * n
    for root in range(n):
        if seen[root]:
            continue
        seen[root] = True
        level = [root]
        for v in level:
            for u, e in around[v]:
                if e == via[v]:
                    continue
                if seen[u]:
                    return None
                seen[u] = True
                parent[u], via[u] = v, e
                level.append(u)
        order += level
    return np.array(order, dtype=np.int32), parent, via


__all__ = [
    "FORMS",
    "information_tree",
    "label_edges",
    "mutual_information",
    "rooted",
]
