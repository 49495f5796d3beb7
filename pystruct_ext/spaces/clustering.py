"""Clusterings of items by candidate pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pystruct_ext._core import Oracle
from pystruct_ext.outputs.pair_graphs import Clusters, PairGraph, cluster_ids
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._kernels import clustering as _clustering
from pystruct_ext.spaces.base import SpaceTags
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.utils.fitted import INT32_MAX, Fitted
from pystruct_ext.utils.numbers import check_number

CLUSTERING_LOSSES = ("items", "pairs")
INFERENCES = ("auto", "greedy", "exact")
MOST_EXACT: int = _clustering.MOST_EXACT


@dataclass
class PackedClusters:
    """Pair graphs and their clusters as arrays.

    Attributes
    ----------
    offsets, pair_offsets : (n + 1,) int64
        Items and candidate pairs of the examples.
    pairs : (n_pairs, 2) int32
        Items within their example.
    indptr, indices : arrays or None
        Of sparse features; None if they are dense.
    values : array of floats
    codes : (n_items,) int32 or None
        Cluster ids in the order of first items.
    costs : (n_pairs,) float64 or None
        What a wrong pair costs.
    """

    offsets: NDArray[np.int64]
    pair_offsets: NDArray[np.int64]
    pairs: NDArray[np.int32]
    indptr: NDArray[np.int64] | None
    indices: NDArray[np.int32] | None
    values: NDArray[Any]
    codes: NDArray[np.int32] | None = None
    costs: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1


@storable
class ClusteringSpace(CompiledSpace):
    """Clusterings of the items of a `PairGraph`: correlation clustering with learned scores.

    The score of a clustering is the sum of ``<u, x_e> + intercept`` over the candidate pairs
    e whose items are in one cluster, so that the number of clusters follows from the signs.
    ``Delta(y, y_hat)`` is the sum over wrong pairs of ``cost_e``, times `false_cost` where a
    pair is joined falsely, `miss_cost` where it is missed.

    Parameters
    ----------
    task_loss : {"items", "pairs"}, default="items"
        "items": with C(i) the true cluster of item i, ``cost_e = (1 / |C(i)| + 1 / |C(j)|)
        / n`` for the pair (i, j), so that every item counts the same: missed pairs add up to
        one minus the recall of B-cubed (of complete graphs). "pairs": ``cost_e = 1 / E``,
        the share of wrong pairs, in which a cluster counts by the square of its size.
    false_cost, miss_cost : float, default=1.0, 1.0
        Factors of pairs that are joined falsely, and of missed pairs.
    fit_intercept : bool, default=True
        A constant feature of every pair, regularised like the others.
    intercept_scaling : float, default=5.0
        Value of that feature: the larger, the less the intercept is regularised. Most pairs
        are of two clusters, so that scores need a negative one.
    inference : {"auto", "greedy", "exact"}, default="auto"
        "greedy": greedy additive edge contraction and Kernighan-Lin moves, with the bound of
        cycle packing. "auto": groups of items with a gap left are searched exactly, to 12
        items always, to 64 within a limit of work. "exact": until the maximum is found; at
        most 64 items of an example may be connected by candidate pairs, and hard scores can
        take long.
    dtype : {"float32", "float64"}, default="float32"
        Type of weights and features.

    Attributes
    ----------
    n_features_ : int
    size_psi_ : int
        One entry per feature, then the intercept.

    Notes
    -----
    Outputs are `Clusters`, tuples of ids. Clusters are connected by candidate pairs: true
    ones that are not fall apart (nothing is lost by it, as no pair between the pieces is a
    candidate), and decoders return clusters that are connected. There is no oracle for
    B-cubed F1 itself, which does not add up over pairs; "items" is the loss next to it.

    References
    ----------
    Finley and Joachims 2005; Keuper et al. 2015; Lange, Karrenbauer and Andres 2018.

    Examples
    --------
    >>> from pystruct_ext.outputs import PairGraph
    >>> x = PairGraph(3, [(0, 1), (1, 2), (0, 2)], [[0.9], [0.2], [0.1]])
    >>> space = ClusteringSpace().fit_domain([x], ["aab"])
    >>> space.size_psi_, space.decode([1.0, -0.1], x)
    (2, (0, 0, 1))
    """

    def __init__(
        self,
        task_loss: str = "items",
        false_cost: float = 1.0,
        miss_cost: float = 1.0,
        fit_intercept: bool = True,
        intercept_scaling: float = 5.0,
        inference: str = "auto",
        dtype: str = "float32",
    ) -> None:
        self.task_loss = task_loss
        self.false_cost = false_cost
        self.miss_cost = miss_cost
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.inference = inference
        self.dtype = dtype

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> ClusteringSpace:
        """Learn the number of features."""
        self._check_parameters()
        self.__dict__.pop("n_features_", None)  # of another fit
        self.validate(X, Y)
        self.n_features_ = int(X[0].features.shape[1])
        self.size_psi_ = self.n_features_ + bool(self.fit_intercept)
        if self.size_psi_ == 0:
            raise ValueError(
                "X: example 0 has no features, and fit_intercept is False: expected at "
                "least 1"
            )
        return self

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any]) -> PackedClusters:
        """Learn the number of features, and pack the examples."""
        if Y is None:
            raise ValueError(
                "y is needed to learn from, got None: clusters of each graph"
            )
        return self.fit_domain(X, Y).pack(X, Y)

    def _check_parameters(self) -> None:
        for name, allowed in (
            ("task_loss", CLUSTERING_LOSSES),
            ("inference", INFERENCES),
            ("dtype", ("float32", "float64")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got "
                    f"{getattr(self, name)!r}"
                )
        for name, low in (
            ("false_cost", 0.0),
            ("miss_cost", 0.0),
            ("intercept_scaling", -np.inf),
        ):
            check_number(name, getattr(self, name), low)

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        self._check_parameters()
        if not hasattr(self, "size_psi_"):
            return
        fitted = Fitted(self)
        d = fitted.integer("n_features_", 0, INT32_MAX)
        fitted.equal("size_psi_", d + bool(self.fit_intercept))

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Raise unless X is a list of `PairGraph`, and Y as long."""
        if isinstance(X, (str, bytes, PairGraph)) or not hasattr(X, "__getitem__"):
            raise TypeError(
                f"X must be a list of PairGraph, got {type(X).__name__}"
                + ("; for a single one pass [X]" if isinstance(X, PairGraph) else "")
            )
        super().validate(X, Y)
        for i, x in enumerate(X):
            if not isinstance(x, PairGraph):
                raise TypeError(
                    f"X: example {i} must be a PairGraph, got {type(x).__name__}"
                )
            x.check()
            width = getattr(self, "n_features_", x.features.shape[1])
            if x.features.shape[1] != width:
                raise ValueError(
                    f"X: example {i} has {x.features.shape[1]} features, expected {width}"
                )

    def pack(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> PackedClusters:
        """Pack graphs, and clusters if given."""
        self.validate(X, Y)
        for i, x in enumerate(X):
            if self.inference == "exact":
                self._check_size(x, i)
        offsets = np.cumsum([0, *(x.n for x in X)], dtype=np.int64)
        pair_offsets = np.cumsum([0, *(len(x.pairs) for x in X)], dtype=np.int64)
        pairs = np.concatenate([x.pairs for x in X])
        dtype = np.dtype(self.dtype)
        indptr = indices = None
        if any(sparse.issparse(x.features) for x in X):
            rows = sparse.vstack(
                [sparse.csr_array(x.features, dtype=dtype) for x in X], format="csr"
            )
            indptr = rows.indptr.astype(np.int64)
            indices, values = rows.indices.astype(np.int32), rows.data
        else:
            values = np.concatenate([x.features.ravel() for x in X], dtype=dtype)
        if not np.isfinite(values).all():
            raise ValueError(
                f"X has features beyond the range of {self.dtype}; use dtype='float64', or "
                "scale them"
            )
        packed = PackedClusters(offsets, pair_offsets, pairs, indptr, indices, values)
        if Y is not None:
            self._pack_truth(packed, X, Y)
        return packed

    def _pack_truth(
        self, packed: PackedClusters, X: Sequence[Any], Y: Sequence[Any]
    ) -> None:
        codes = np.empty(int(packed.offsets[-1]), dtype=np.int32)
        costs = np.empty(int(packed.pair_offsets[-1]))
        items, pairs = pairwise(packed.offsets), pairwise(packed.pair_offsets)
        for i, (x, y, (a, b), (c, d)) in enumerate(
            zip(X, Y, items, pairs, strict=True)
        ):
            ids = cluster_ids(y, f"y: example {i}", x.n)
            codes[a:b] = x.components(ids)
            costs[c:d] = self._costs(x.pairs, ids)
        packed.codes, packed.costs = codes, costs

    def _costs(
        self, pairs: NDArray[Any], ids: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        if self.task_loss == "pairs":
            return np.full(len(pairs), 1 / max(1, len(pairs)))
        share = 1 / np.bincount(ids)[ids]
        out: NDArray[np.float64] = share[pairs].sum(axis=1) / len(ids)
        return out

    def _check_size(self, x: PairGraph, i: int) -> None:
        most = int(np.bincount(x.components()).max())
        if most > MOST_EXACT:
            raise ValueError(
                f"X: example {i} has {most} items that candidate pairs connect, but "
                f"inference='exact' takes at most {MOST_EXACT}: it searches among up to "
                f"2^{most * (most - 1) // 2} choices of pairs; use inference='auto', which "
                "has a bound"
            )

    def bind(self, packed: PackedClusters) -> Oracle:
        """The oracle over packed graphs."""
        exact = self.inference == "exact"
        kernel = _clustering.EXACT_CLUSTERING if exact else _clustering.CLUSTERING
        return kernel.bind(
            {
                "offsets": packed.offsets,
                "pair_offsets": packed.pair_offsets,
                "pairs": packed.pairs,
                "indptr": packed.indptr,
                "indices": packed.indices,
                "values": packed.values,
                "n_features": self.n_features_,
                "codes": packed.codes,
                "costs": packed.costs,
                "has_intercept": bool(self.fit_intercept),
                "intercept": float(self.intercept_scaling),
                "false_cost": float(self.false_cost),
                "miss_cost": float(self.miss_cost),
                "search": INFERENCES.index(self.inference),
            },
            np.dtype(self.dtype),
        )

    def output_of(
        self, code: Sequence[int], packed: PackedClusters, i: int
    ) -> Clusters:
        """The output that a code of packed example i stands for."""
        at = packed.pair_offsets
        return Clusters(code, packed.pairs[at[i] : at[i + 1]])

    def input_feature(self, j: int) -> int | None:
        """The feature behind entry j of psi; None for the intercept."""
        return j if j < self.n_features_ else None

    def __space_tags__(self) -> SpaceTags:
        """Compiled; exact if `inference` is "exact", else with a bound."""
        exact = self.inference == "exact"
        return SpaceTags(exactness="exact" if exact else "none", compiled=True)

    # One example in domain language.

    def loss(self, y: Any, y_hat: Any) -> float:
        """Costs of wrong candidate pairs; where neither is `Clusters`, all are candidates."""
        true, found = cluster_ids(y, "y"), cluster_ids(y_hat, "y_hat", len(y))
        pairs = getattr(y_hat, "pairs", getattr(y, "pairs", None))
        if pairs is None:
            pairs = np.stack(np.triu_indices(len(true), 1), axis=1)
        a, b = pairs.T
        right, here = true[a] == true[b], found[a] == found[b]
        cost = self._costs(pairs, true)
        missed, falsely = cost[right & ~here].sum(), cost[~right & here].sum()
        return float(self.false_cost * falsely + self.miss_cost * missed)

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """Candidate pairs that are joined, as an index into (E,).

        Raises
        ------
        TypeError
            If y is not `Clusters`, which know the candidate pairs.
        """
        if not isinstance(y, Clusters):
            raise TypeError(
                f"the parts of clusters are candidate pairs, which a {type(y).__name__} of "
                "ids does not know; use Clusters(ids, graph.pairs)"
            )
        return (np.flatnonzero(y.joined),)

    def enumerate(self, x: Any) -> Iterable[Clusters]:
        """All clusterings of x whose clusters are connected by candidate pairs."""

        def extend(code: list[int], k: int) -> Iterator[Clusters]:
            if len(code) == x.n:
                ids = np.array(code)
                if np.array_equal(x.components(ids), ids):
                    yield Clusters(code, x.pairs)
                return
            for v in range(k + 1):
                yield from extend([*code, v], max(k, v + 1))

        return extend([], 0)


__all__ = [
    "CLUSTERING_LOSSES",
    "INFERENCES",
    "MOST_EXACT",
    "ClusteringSpace",
    "PackedClusters",
]
