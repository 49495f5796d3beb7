"""Labels of nodes as numbers: what is learnt at fit, what is missing, and what errors cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.outputs.graphs import FractionalLabels, Graph
from pystruct_ext.spaces import _graph_packing as packing
from pystruct_ext.spaces._graph_packing import PackedGraphs
from pystruct_ext.spaces._labels import UnseenLabelError
from pystruct_ext.utils.examples import as_sequence, plain


class LabelCoder:
    """Labels of nodes as numbers that count within the type of the node.

    Parameters
    ----------
    node_types : list
    type_classes : list of lists
        Labels of each type.
    weights : mapping from label to float
        What the cost of an error is multiplied with.
    missing : label or None
        A label that stands for none.
    """

    def __init__(
        self,
        node_types: Sequence[Any],
        type_classes: Sequence[Sequence[Any]],
        weights: Mapping[Any, float],
        missing: Any,
    ) -> None:
        self.node_types = node_types
        self.type_classes = type_classes
        self.index = [{c: k for k, c in enumerate(own)} for own in type_classes]
        self.weights = weights
        self.missing = missing

    def pack(
        self,
        packed: PackedGraphs,
        graphs: Sequence[Graph],
        Y: Sequence[Any],
        observed: Sequence[Any] | None,
    ) -> None:
        """Put labels and costs into packed graphs; see `GraphSpace.pack`."""
        types, n = packed.types.tolist(), packed.rows.n_rows
        truths, cost = np.empty(n, dtype=np.int32), np.empty(n)
        allowed = None
        if observed is not None:
            if len(observed) != len(Y):
                raise ValueError(
                    f"observed has {len(observed)} examples, but y has {len(Y)}"
                )
            allowed = np.zeros((n, max(map(len, self.index))), dtype=np.uint8)
        at = 0
        for i, (g, y) in enumerate(zip(graphs, Y, strict=True)):
            labels = packing.labels_of(y, g, i)
            seen = labels if observed is None else packing.labels_of(observed[i], g, i)
            costs = packing.cost_of(y if observed is None else observed[i], g, i)
            for v, label in enumerate(labels):
                t = types[at + v]
                truths[at + v] = self.number(label, t, i, v)
                known = seen[v]
                if allowed is None or not packing.is_unknown(known, self.missing):
                    k = self.number(known, t, i, v)
                    cost[at + v] = costs[v] * self.weights[self.type_classes[t][k]]
                    if allowed is not None:
                        allowed[at + v, k] = 1
                else:
                    cost[at + v] = costs[v] if isinstance(known, Set) else 0.0
                    for k in self.possible(known, t, i, v):
                        allowed[at + v, k] = 1
                if allowed is not None and not allowed[at + v, truths[at + v]]:
                    raise ValueError(
                        f"y: node {v} of example {i} has the label {label!r:.60}, but "
                        f"{known!r:.60} was observed there"
                    )
            at += len(g)
        packed.truths, packed.cost, packed.allowed = truths, cost, allowed

    def number(self, label: Any, t: int, i: int, v: int) -> int:
        """Number of the label of node v, of type t, in example i."""
        index = self.index[t]
        if packing.is_unknown(label, self.missing):
            raise ValueError(
                f"y: the label of node {v} of example {i} is missing ({label!r:.60}); "
                "LatentStructuralSVM learns from graphs with missing labels"
            )
        try:
            k = index.get(plain(label))
        except TypeError:
            raise TypeError(
                f"y: node {v} of example {i} has the label {label!r:.80} of type "
                f"{type(label).__name__}, expected a string or a number"
            ) from None
        if k is None:
            own = self.node_types[t]
            of = "" if own is None else f" for a node of the type {own!r}"
            raise UnseenLabelError(
                f"y: node {v} of example {i} has the label {label!r:.80}, expected one of "
                f"{list(index)}{of}"
            )
        return k

    def possible(self, label: Any, t: int, i: int, v: int) -> Iterable[int]:
        """Numbers of the labels that a node may have."""
        if not packing.is_unknown(label, self.missing):
            return [self.number(label, t, i, v)]
        if isinstance(label, Set):
            if not label:
                raise ValueError(
                    f"y: node {v} of example {i} has an empty set of labels, expected at "
                    "least 1"
                )
            return sorted(self.number(one, t, i, v) for one in label)
        return range(len(self.index[t]))


def learnt_labels(
    given: Any,
    lists: Sequence[Sequence[Any]],
    types: NDArray[np.int32],
    offsets: Sequence[int],
    node_types: Sequence[Any],
    missing: Any,
) -> list[set[Any]]:
    """Labels of each type: those given, which must hold those seen; else those seen.

    `types` are numbers of the types of all nodes, end to end; example i begins at offsets[i].
    """
    seen: list[set[Any]] = [set() for _ in node_types]
    for i, v, label in packing.each_label(lists, missing):
        try:
            seen[types[offsets[i] + v]].add(label)
        except TypeError:
            raise TypeError(
                f"y: node {v} of example {i} has the label {label!r:.80} of type "
                f"{type(label).__name__}, expected a string or a number"
            ) from None
    if given is not None:
        for k, t in enumerate(node_types):
            allowed = given.get(t, ()) if isinstance(given, Mapping) else given
            own = {plain(v) for v in allowed}
            for i, v, label in packing.each_label(lists, missing):
                if types[offsets[i] + v] == k and label not in own:
                    raise UnseenLabelError(
                        f"y: node {v} of example {i} has the label {label!r:.80}, expected "
                        f"one of {sorted(own, key=str)}, the labels of its type"
                    )
            seen[k] = own
    for t, own in zip(node_types, seen, strict=True):
        if not own:
            of = "" if len(seen) == 1 else f" for nodes of the type {t!r:.60}"
            raise ValueError(
                f"y holds no label{of}, expected at least 1; name them with labels=..."
            )
    return seen


def label_weights(
    given: Any, classes: Sequence[Any], lists: Sequence[Sequence[Any]], missing: Any
) -> NDArray[np.float64]:
    """What the cost of an error is multiplied with, for each class."""
    weights = np.ones(len(classes))
    if given is None:
        return weights
    index = {c: j for j, c in enumerate(classes)}
    if isinstance(given, Mapping):
        for label, value in given.items():
            if plain(label) not in index:
                raise ValueError(
                    f"label_weight names {label!r:.60}, which is none of {list(classes)}"
                )
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(
                    f"label_weight[{label!r:.60}] is {value!r}, expected a finite number "
                    ">= 0"
                )
            weights[index[plain(label)]] = float(value)
        return weights
    counts = np.zeros(len(classes))
    for y in lists:
        for label in y:
            if not packing.is_unknown(label, missing):
                counts[index[plain(label)]] += 1
    share = counts.sum() / (len(classes) * np.maximum(counts, 1))
    return np.where(counts > 0, share, 1.0)


def labels_loss(
    a: Sequence[Any],
    y_hat: Any,
    costs: Any,
    weight: Mapping[Any, float],
    missing: Any,
) -> float:
    """Costs of the nodes whose label differs from that in `a`, where that is known.

    Of `FractionalLabels`, the share of wrong labels counts.
    """
    b = y_hat.shares if isinstance(y_hat, FractionalLabels) else flat_labels(y_hat)
    if len(a) != len(b):
        raise ValueError(
            f"y has {len(a)} labels and y_hat {len(b)}, expected the same number"
        )
    total = 0.0
    for v, (p, q) in enumerate(zip(a, b, strict=True)):
        cost = 1.0 if costs is None else float(costs[v])
        if not isinstance(p, Set):
            if packing.is_unknown(p, missing):
                continue
            cost *= weight.get(plain(p), 1.0)
        known = p if isinstance(p, Set) else {plain(p)}
        if isinstance(y_hat, FractionalLabels):
            total += cost * sum(s for c, s in q.items() if c not in known)
        elif q not in known:
            total += cost
    return total


def flat_labels(y: Any) -> list[Any]:
    """Labels, an array's row by row, as a list."""
    if isinstance(y, np.ndarray):
        return list(y.ravel().tolist())
    return list(as_sequence(y))


__all__ = [
    "LabelCoder",
    "flat_labels",
    "label_weights",
    "labels_loss",
    "learnt_labels",
]
