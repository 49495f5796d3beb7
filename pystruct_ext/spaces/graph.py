"""Graphs: a label for every node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.outputs.graphs import FractionalLabels, Graph, NodeLabels
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces import _graph_packing as packing
from pystruct_ext.spaces._encoding import FeatureEncoder
from pystruct_ext.spaces._graph_labels import (
    LabelCoder,
    flat_labels,
    label_weights,
    labels_loss,
    learnt_labels,
)
from pystruct_ext.spaces._graph_packing import PackedGraphs
from pystruct_ext.spaces._graph_relaxed import code_fields
from pystruct_ext.spaces._graph_relaxed import output_of as relaxed_output
from pystruct_ext.spaces._kernels import graph as _graph
from pystruct_ext.spaces._labels import label_classes, padded
from pystruct_ext.spaces.base import SpaceTags
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.utils.examples import plain
from pystruct_ext.utils.fitted import INT32_MAX, Fitted

PAIRWISE = ("full", "symmetric", "potts")
# In the order of the decoder's own list.
INFERENCE = ("auto", "forest", "cut", "expansion", "dual", "lp", "exact")
FORBIDDEN = -1e30
# log10 of the entries of a table up to which elimination is sure to solve a graph, and beyond
# which branching has little hope.
_SURELY, _TOO_LARGE = 4.5, 15


@storable
class GraphSpace(CompiledSpace):
    """Labels of the nodes of graphs, scored by node and by edge.

    ``<w, psi(x, y)> = sum over nodes v of <u_{y_v}, x_v> + sum over edges (a, b) of
    sum_f f_ab T_f[y_a, y_b]``, f the edge's features (a single 1 where it has none). Nodes of
    a type, and edges of a kind (types of both ends, and its own type), have weights of their
    own.

    Parameters
    ----------
    task_loss : {"hamming"}, default="hamming"
        Sum of the costs of the nodes with a wrong label.
    pairwise : {"full", "symmetric", "potts"}, default="full"
        Pair scores: a table for every edge feature; the same, where [k, l] and [l, k] share a
        weight; or one number for every edge feature, for equal labels.
    attractive : bool, default=False
        Only with "potts": weights of pair scores are >= 0, and so must edge features be. Two
        labels are then decoded exactly, by a cut.
    inference : {"auto", "forest", "cut", "expansion", "dual", "lp", "exact"}, default="auto"
        How graphs with cycles are decoded; see the notes.
    labels : tuple of str, other labels, mapping from node type to labels, or None, default=None
        Labels of the nodes; None: those seen at fit.
    label_weight : {"balanced"}, mapping from label to float, or None, default=None
        What the cost of an error is multiplied with, by the true label; "balanced": inversely
        proportional to how often the labels occur.
    missing_label : label or None, default=None
        A label that means that none is known, such as -1; None, NaN always do.
    bias : bool, default=True
        A constant feature of every node.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights.

    Attributes
    ----------
    classes_ : list of K labels, sorted
    node_types_ : list
        Types of nodes; [None] where they have none.
    type_classes_ : list of lists
        Labels of each type of nodes.
    kinds_ : list of (int, int, type)
        Positions in `node_types_` of both ends, and the type of the edge or None.
    n_features_, n_edge_features_, size_psi_ : int
    exact_ : bool
        Whether the graphs of the fit are decoded to the maximum.

    Notes
    -----
    x is a `pystruct_ext.outputs.Graph`, or a tuple (features, edges) or (features, edges,
    edge_features); y a list of labels, one per node, or an array of the shape of a grid.
    `pystruct_ext.outputs.NodeLabels` are labels with costs; else costs are those of the graph.

    Inference. "auto": forests by dynamic programming, two labels that attract each other by a
    cut, Potts terms by expansion moves with a dual bound, all else by ascent on the dual; the
    latter two say how far off they may be (certificate "bounded"). "exact" eliminates nodes and
    branches on the bound, for small graphs. "lp" trains on the linear relaxation: the most
    violating output is the maximum over the local polytope, marginals of nodes and edges
    (`pystruct_ext.outputs.FractionalLabels`), and the certificate is "relaxed"; what is
    predicted are labels, rounded from the same program. Its oracle has no verbs of parts.

    Labels may be missing (None, or a set of possible labels) for `impute` and
    `LatentStructuralSVM`; they have no part in the loss.

    Examples
    --------
    >>> import numpy as np
    >>> space = GraphSpace().fit_domain([(np.eye(3), [(0, 1), (1, 2)])], [["a", "b", "a"]])
    >>> space.classes_, space.exact_
    (['a', 'b'], True)
    """

    _empty_means_no_length: ClassVar[bool] = False
    _one_part_along: ClassVar[int | None] = 1

    def __init__(
        self,
        task_loss: str = "hamming",
        pairwise: str = "full",
        attractive: bool = False,
        inference: str = "auto",
        labels: Any = None,
        label_weight: Any = None,
        missing_label: Any = None,
        bias: bool = True,
        dtype: str = "float32",
    ) -> None:
        self.task_loss = task_loss
        self.pairwise = pairwise
        self.attractive = attractive
        self.inference = inference
        self.labels = labels
        self.label_weight = label_weight
        self.missing_label = missing_label
        self.bias = bias
        self.dtype = dtype

    # Fitting.

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> GraphSpace:
        """Learn labels, types and sizes; labels may be missing."""
        self._check_parameters()
        self.validate(X, Y)
        if Y is None:
            raise ValueError("y is needed to learn the labels, got None")
        graphs = packing.graphs_of(X)
        lists = [
            packing.labels_of(y, g, i)
            for i, (y, g) in enumerate(zip(Y, graphs, strict=True))
        ]
        encoder = FeatureEncoder(None, 1, None, np.dtype(self.dtype))
        self.encoder_ = encoder
        self.n_features_ = encoder.fit(packing.node_features(graphs)).n_features
        self.n_edge_features_ = packing.edge_width(graphs)
        self._learn_types(graphs)
        self._learn_labels(graphs, lists)
        self.stride_ = padded(max(map(len, self.type_classes_)))
        self.size_psi_ = self._size()
        self._check_kinds()
        self.exact_ = self._is_exact(graphs, packing.is_forest(graphs))
        self.nonnegative_ = self._nonnegative()
        return self

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any] | None) -> PackedGraphs:
        """Learn labels, types and sizes, and pack the examples, whose labels are complete."""
        return self.fit_domain(X, Y).pack(X, Y)

    def _learn_types(self, graphs: Sequence[Graph]) -> None:
        seen: set[Any] = set()
        for g in graphs:
            seen.update([None] if g.node_types is None else g.node_types)
        if None in seen and len(seen) > 1:
            i = next(i for i, g in enumerate(graphs) if g.node_types is None)
            raise ValueError(
                f"X: example {i} has no node_types, but other examples have some"
            )
        self.node_types_ = (
            [None] if None in seen else sorted(seen, key=packing.type_order)
        )
        types = packing.type_numbers(graphs, self.node_types_)
        kinds: set[tuple[int, int, Any]] = set()
        at = 0
        for g in graphs:
            kinds.update(packing.kinds_of(g, types[at : at + len(g)]))
            at += len(g)
        self.kinds_ = sorted(kinds, key=packing.kind_order)

    def _learn_labels(
        self, graphs: Sequence[Graph], lists: Sequence[Sequence[Any]]
    ) -> None:
        types = packing.type_numbers(graphs, self.node_types_)
        first = np.cumsum([0, *map(len, graphs)]).tolist()
        seen = learnt_labels(
            self.labels, lists, types, first, self.node_types_, self.missing_label
        )
        self.classes_ = label_classes([list(own) for own in seen], unit="node")
        self.type_classes_ = [[c for c in self.classes_ if c in own] for own in seen]
        self.label_weights_ = label_weights(
            self.label_weight, self.classes_, lists, self.missing_label
        )

    def _coder(self) -> LabelCoder:
        return LabelCoder(
            self.node_types_,
            self.type_classes_,
            dict(zip(self.classes_, self.label_weights_.tolist(), strict=True)),
            self.missing_label,
        )

    def _size(self) -> int:
        unary = len(self.node_types_) * (self.n_features_ + bool(self.bias))
        table = 1 if self.pairwise == "potts" else self._most() * self.stride_
        pairs = len(self.kinds_) * max(1, self.n_edge_features_) * table
        return unary * self.stride_ + pairs

    def _nonnegative(self) -> tuple[int, int] | None:
        """The weights that are to be >= 0: all pair scores, if they are to attract."""
        first = (
            len(self.node_types_) * (self.n_features_ + bool(self.bias)) * self.stride_
        )
        return (first, self.size_psi_) if self.attractive else None

    def _most(self) -> int:
        return max(map(len, self.type_classes_))

    def _check_parameters(self) -> None:
        for name, allowed in (
            ("task_loss", ("hamming",)),
            ("pairwise", PAIRWISE),
            ("inference", INFERENCE),
            ("dtype", ("float32", "float64")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got "
                    f"{getattr(self, name)!r}"
                )
        if self.attractive and self.pairwise != "potts":
            raise ValueError(
                f"attractive=True is for pairwise='potts', got {self.pairwise!r}"
            )
        given = self.label_weight
        if not (given is None or given == "balanced" or isinstance(given, Mapping)):
            raise ValueError(
                f"label_weight must be None, 'balanced' or a mapping, got {given!r:.60}"
            )

    def _check_kinds(self) -> None:
        for a, b, own in self.kinds_ if self.pairwise == "potts" else ():
            if a != b:
                what = "" if own is None else f" of the type {own!r}"
                raise ValueError(
                    f"pairwise='potts' compares labels of nodes of one type, but an edge{what} "
                    f"joins nodes of the types {self.node_types_[a]!r} and "
                    f"{self.node_types_[b]!r}"
                )

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        self._check_parameters()
        if not hasattr(self, "size_psi_"):
            return
        fitted = Fitted(self)
        k = fitted.labels("classes_", at_least=1)
        types = fitted.value("node_types_")
        if types != [None]:
            fitted.labels("node_types_", at_least=1)
        own = fitted.value("type_classes_")
        if not isinstance(own, list) or len(own) != len(types):
            raise ValueError("GraphSpace.type_classes_ must be a list, one per type")
        for labels in own:
            if not isinstance(labels, list) or not labels:
                raise ValueError("GraphSpace.type_classes_ must hold lists of labels")
            if labels != [c for c in self.classes_ if c in labels]:
                raise ValueError("GraphSpace.type_classes_ must hold some of classes_")
        kinds = fitted.value("kinds_")
        if not isinstance(kinds, list) or len(kinds) > 1 << 20:
            raise ValueError("GraphSpace.kinds_ must be a list")
        for kind in kinds:
            if not isinstance(kind, tuple) or len(kind) != 3:
                raise ValueError("GraphSpace.kinds_ must hold (type, type, edge type)")
            for t in kind[:2]:
                if not isinstance(t, int) or not 0 <= t < len(types):
                    raise ValueError("GraphSpace.kinds_ names a type that is not there")
        if len(set(kinds)) != len(kinds):
            raise ValueError("GraphSpace.kinds_ names a kind twice")
        d = fitted.integer("n_features_", 0, INT32_MAX)
        fitted.integer("n_edge_features_", 0, INT32_MAX)
        fitted.instance("encoder_", FeatureEncoder).check_width(d)
        fitted.equal("stride_", padded(self._most()))
        fitted.array("label_weights_", (k,), "float64", low=0)
        fitted.boolean("exact_")
        fitted.equal("size_psi_", self._size())
        if getattr(self, "nonnegative_", None) != self._nonnegative():
            raise ValueError("GraphSpace.nonnegative_ must be the range of pair scores")
        self._check_kinds()

    # Packing.

    def pack(
        self,
        X: Sequence[Any],
        Y: Sequence[Any] | None = None,
        observed: Sequence[Any] | None = None,
    ) -> PackedGraphs:
        """Pack examples with what was learnt at fit.

        Y is complete. With `observed`, whose labels may be missing, the loss is measured
        against that.
        """
        self.validate(X, Y)
        graphs = packing.graphs_of(X)
        rows = self.encoder_.transform(packing.node_features(graphs))
        width = self.n_edge_features_
        packing.edge_width(graphs, width if self.kinds_ else None)
        features = packing.edge_rows(graphs, width, np.dtype(self.dtype))
        if self.attractive and packing.smallest_entry(features) < 0:
            packing.refuse_negative(graphs)
        counts = np.array([g.n_edges for g in graphs], dtype=np.int64)
        types = packing.type_numbers(graphs, self.node_types_)
        packed = PackedGraphs(
            rows,
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.concatenate([g.edges for g in graphs]).reshape(-1, 2),
            features,
            types,
            self._kind_numbers(graphs, types),
            packing.is_forest(graphs),
        )
        self._check_inference(graphs, packed.forest)
        packed.exact = self._is_exact(graphs, packed.forest)
        if Y is not None:
            self._coder().pack(packed, graphs, Y, observed)
        return packed

    def _kind_numbers(
        self, graphs: Sequence[Graph], types: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        index = {kind: k for k, kind in enumerate(self.kinds_)}
        found: list[int] = []
        at = 0
        for i, g in enumerate(graphs):
            for e, kind in enumerate(packing.kinds_of(g, types[at : at + len(g)])):
                if kind not in index:
                    names = [self.node_types_[t] for t in kind[:2]]
                    of = "" if names == [None, None] else f" between types {names}"
                    own = "" if kind[2] is None else f" of the type {kind[2]!r:.60}"
                    raise ValueError(
                        f"X: example {i}, edge {e} is one{own}{of}; none such was seen at "
                        f"fit, which had {len(index)} kinds of edges"
                    )
                found.append(index[kind])
            at += len(g)
        return np.array(found, dtype=np.int32)

    def _check_inference(self, graphs: Sequence[Graph], forest: bool) -> None:
        if self.inference == "forest" and not forest:
            raise ValueError(
                f"X: example {packing.with_cycle(graphs)} has a cycle, expected a forest for "
                "inference='forest'"
            )
        if self.inference == "cut" and self._most() > 2:
            raise ValueError(
                f"inference='cut' is for two labels, but there are {self._most()}"
            )

    def _is_exact(self, graphs: Sequence[Graph], forest: bool) -> bool:
        """Whether these graphs are decoded to the maximum."""
        if self.inference in ("auto", "cut") and self.attractive and self._most() <= 2:
            return True
        if self.inference == "exact":
            return self._largest_table(graphs) <= _SURELY
        return forest and self.inference in ("auto", "forest")

    def _largest_table(self, graphs: Sequence[Graph]) -> float:
        """log10 of the entries that elimination would need; an error if there are too many."""
        types = packing.type_numbers(graphs, self.node_types_)
        sizes = np.array([len(own) for own in self.type_classes_])[types]
        at, most = 0, 0.0
        for i, g in enumerate(graphs):
            size = packing.elimination_size(g, sizes[at : at + len(g)])
            at += len(g)
            if size > _TOO_LARGE:
                raise ValueError(
                    f"X: example {i} has {len(g)} nodes and {g.n_edges} edges, too many for "
                    f"inference='exact': it would need tables of 1e{size:.0f} entries, and "
                    f"the limit is 1e{_TOO_LARGE}; inference='dual' gives a bound"
                )
            most = max(most, size)
        return most

    def bind(self, packed: PackedGraphs) -> Oracle:
        """The oracle over packed graphs; of "lp", with truths, that of the relaxation."""
        return self._bind(packed, self._is_relaxed(packed))

    def _is_relaxed(self, packed: PackedGraphs) -> bool:
        """Whether codes are marginals."""
        return self.inference == "lp" and packed.truths is not None

    def _bind(self, packed: PackedGraphs, relaxed: bool) -> Oracle:
        inference, kernel = self.inference, _graph.GRAPH
        if packed.forest and inference in ("auto", "forest"):
            kernel = _graph.FOREST
        rows, (indptr, indices, values) = packed.rows, packed.edge_rows
        sizes = [len(own) for own in self.type_classes_]
        more: dict[str, Any] = {}
        if relaxed:
            kernel = _graph.RELAXED
            more = code_fields(packed, sizes, self.pairwise == "potts")
        return kernel.bind(
            {
                **more,
                "offsets": rows.offsets,
                "indptr": rows.indptr,
                "indices": rows.indices,
                "values": rows.values,
                "n_features": rows.n_features,
                "edge_offsets": packed.edge_offsets,
                "edges": packed.edges,
                "edge_indptr": indptr,
                "edge_indices": indices,
                "edge_values": values,
                "n_edge_features": int(self.n_edge_features_),
                "n_types": len(self.node_types_),
                "n_kinds": len(self.kinds_),
                "n_labels": self._most(),
                "stride": self.stride_,
                "types": packed.types,
                "kinds": packed.kinds,
                "type_labels": np.array(sizes, dtype=np.int32),
                "kind_ends": np.array(
                    [kind[:2] for kind in self.kinds_], dtype=np.int32
                ).reshape(-1, 2),
                "truths": packed.truths,
                "cost": packed.cost,
                "allowed": packed.allowed,
                "terms": PAIRWISE.index(self.pairwise),
                "inference": INFERENCE.index(inference),
                "bias": bool(self.bias),
                "attractive": bool(self.attractive),
                "exact": packed.exact,
            },
            np.dtype(self.dtype),
        )

    def __space_tags__(self) -> SpaceTags:
        """Exact where the graphs of the fit are decoded to the maximum."""
        exact = getattr(self, "exact_", self.inference in ("forest", "exact"))
        if self.inference == "lp":
            return SpaceTags(exactness="relaxed", compiled=True)
        return SpaceTags(exactness="exact" if exact else "none", compiled=True)

    def empty_output(self, x: Any) -> list[Any] | None:
        """No labels for a graph of no nodes."""
        return [] if isinstance(x, Graph) and len(x) == 0 else None

    def empty_shape(self, x: Any) -> tuple[int, ...]:
        """(0, K)."""
        return 0, self._most()

    def output_of(self, code: Sequence[int], packed: PackedGraphs, i: int) -> Any:
        """The output that a code of packed example i stands for.

        Labels, or `pystruct_ext.outputs.FractionalLabels` of training with "lp".
        """
        first, last = packed.rows.offsets[i : i + 2].tolist()
        if self._is_relaxed(packed):
            types = packed.types[first:last].tolist()
            return relaxed_output(code, [self.type_classes_[t] for t in types])
        if len(self.type_classes_) == 1:
            own = self.type_classes_[0]
            return [own[k] for k in code]
        types = packed.types[first:last].tolist()
        return [self.type_classes_[t][k] for t, k in zip(types, code, strict=True)]

    # One example in domain language.

    def loss(self, y: Any, y_hat: Any) -> float:
        """Costs of the nodes with a wrong label; what is missing in y costs nothing."""
        costs = getattr(y, "weights", None)
        weight = dict(zip(self.classes_, self.label_weights_.tolist(), strict=True))
        return labels_loss(flat_labels(y), y_hat, costs, weight, self.missing_label)

    def joint_feature(self, x: Any, y: Any) -> NDArray[np.float64]:
        """``psi(x, y)``, (size_psi_,)."""
        if not isinstance(y, FractionalLabels):
            return super().joint_feature(x, y)
        oracle = self._bind(self.pack([x]), True)
        return np.asarray(oracle.psi(0, y.code), dtype=np.float64)

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """Nodes and their labels, as an index into (nodes, K): for nodes of one type."""
        index = {c: k for k, c in enumerate(self._only_type())}
        labels = [index[plain(c)] for c in flat_labels(y)]
        return np.arange(len(labels)), np.array(labels, dtype=np.int64)

    def _only_type(self) -> list[Any]:
        if len(self.type_classes_) > 1:
            raise NotImplementedError(
                "nodes of several types have labels of their own: their parts need the graph"
            )
        return self.type_classes_[0]

    def marginals_as_dicts(
        self, marginals: NDArray[np.float64]
    ) -> list[dict[Any, float]]:
        """Label -> probability, for every node."""
        names = self._only_type()
        return [dict(zip(names, row, strict=True)) for row in marginals.tolist()]

    def enumerate(self, x: Any) -> Iterable[list[Any]]:
        """All labellings of x."""
        (graph,) = packing.graphs_of([x])
        types = packing.type_numbers([graph], self.node_types_).tolist()
        return map(list, product(*(self.type_classes_[t] for t in types)))

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Raise unless X is a list of graphs, and Y as long."""
        if isinstance(X, (str, bytes, Graph)) or not hasattr(X, "__getitem__"):
            raise TypeError(f"X must be a list of graphs, got {type(X).__name__}")
        if Y is not None and (isinstance(Y, (str, bytes)) or not hasattr(Y, "__len__")):
            raise TypeError(
                f"y must be a list of lists of labels, got {type(Y).__name__}"
            )
        super().validate(X, Y)

    # Views into w.

    def node_scores(
        self, w: NDArray[np.floating], node_type: int = 0
    ) -> NDArray[np.float64]:
        """Weights of the features (and, last, of the constant) of nodes of a type, (d, K)."""
        rows = self.n_features_ + bool(self.bias)
        at = node_type * rows * self.stride_
        table = np.asarray(w[at : at + rows * self.stride_], dtype=np.float64)
        return table.reshape(rows, self.stride_)[
            :, : len(self.type_classes_[node_type])
        ]

    def pair_scores(
        self, w: NDArray[np.floating], kind: int = 0
    ) -> NDArray[np.float64]:
        """Pair scores of a kind of edges for each edge feature: (f, K, K), or (f,) of Potts."""
        a, b, _ = self.kinds_[kind]
        width = max(1, self.n_edge_features_)
        first = (
            len(self.node_types_) * (self.n_features_ + bool(self.bias)) * self.stride_
        )
        size = width * (1 if self.pairwise == "potts" else self._most() * self.stride_)
        own = np.asarray(w[first + kind * size : first + (kind + 1) * size], np.float64)
        if self.pairwise == "potts":
            return own
        sizes = [len(self.type_classes_[t]) for t in (a, b)]
        tables = own.reshape(width, self._most(), self.stride_)
        tables = tables[:, : sizes[0], : sizes[1]]
        if self.pairwise == "symmetric" and a == b:
            tables = np.triu(tables) + np.triu(tables, 1).transpose(0, 2, 1)
        return tables

    # Labels that are missing.

    def is_complete(self, y: Any) -> bool:
        """Whether every node has a label."""
        return not any(
            packing.is_unknown(c, self.missing_label) for c in flat_labels(y)
        )

    def impute(self, w: NDArray[np.floating], x: Any, y: Any) -> list[Any]:
        """The best labels of all nodes among those that agree with what is known of y."""
        (graph,) = packing.graphs_of([x])
        packed = self.pack([graph])
        labels = packing.labels_of(y, graph, 0)
        coder = self._coder()
        scores = np.full((len(graph), self._most()), FORBIDDEN)
        for v, label in enumerate(labels):
            t = int(packed.types[v])
            scores[v, list(coder.possible(label, t, 0, v))] = 0.0
        oracle = self.bind(packed)
        own = scores.astype(np.dtype(self.dtype))
        code = oracle.argmax(self._own(w), 0, 0.0, scores=own)
        found = self.output_of(code.tolist(), packed, 0)
        costs = getattr(y, "weights", None)
        return found if costs is None else NodeLabels(found, costs)

    def loss_augmented_decode(self, w: NDArray[np.floating], x: Any, y: Any) -> Any:
        """Most violating output of (x, y); what is missing in y costs nothing."""
        if self.is_complete(y):
            return super().loss_augmented_decode(w, x, y)
        (graph,) = packing.graphs_of([x])
        filled = self.impute(np.zeros(self.size_psi_), graph, y)
        packed = self.pack([graph], [filled], observed=[y])
        return self._best(w, packed, 1.0)


__all__ = ["GraphSpace", "PackedGraphs"]
