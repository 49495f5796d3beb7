"""Sets of labels: each example has some of K."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, hstack

from pystruct_ext._core import Oracle
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._in_pieces import decode_in_pieces
from pystruct_ext.spaces._kernels import multilabel as _multilabel
from pystruct_ext.spaces._label_graph import label_edges, rooted
from pystruct_ext.spaces._label_set_checks import (
    LABEL_SET_LOSSES,
    check_parameters,
    weights_of_labels,
)
from pystruct_ext.spaces._labels import UnseenLabelError, padded
from pystruct_ext.spaces._matrix_rows import MatrixRows, as_row
from pystruct_ext.spaces.base import SpaceTags
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.spaces.wide import as_csr, occurring
from pystruct_ext.utils.fitted import INT32_MAX, Fitted
from pystruct_ext.utils.label_sets import (
    LabelSets,
    UnknownLabelError,
    as_collections,
    label_sets,
)

_SEARCH = {"independent": 0, "forest": 1, "all": 2, "listed": 3, "graph": 4}
# Up to this many labels with pairs in a cycle all sets are gone through.
MOST_EXACT = 14


@dataclass
class PackedLabelSets:
    """Rows of features with their labels, 0 or 1 for each."""

    rows: PackedRows
    codes: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return self.rows.n_examples


@storable
class MultilabelSpace(MatrixRows, CompiledSpace):
    """Sets of labels, with weights of labels and of pairs of labels.

    ``<w, psi(x, y)> = sum_{k in y} <w_k, x> + sum_{(j, k)} v_jk [j in y and k in y]``.

    Parameters
    ----------
    task_loss : {"hamming", "subset", "f1"}, default="hamming"
        "hamming": the number (the sum of the weights) of wrong labels; "subset": 1 unless the
        set is right; "f1": ``1 - 2 |y & z| / (|y| + |z|)``, example-based.
    label_weight : (K,) array-like or mapping of label to weight, optional
        Weights >= 0 of the labels in the Hamming loss; 1 by default.
    miss_cost : float, default=1.0
        How many times a missed label costs what a false one does, in the Hamming loss.
    interactions : {"auto", "none", "tree", "full"} or list of pairs, default="auto"
        The pairs of labels that have a weight. "tree": the maximum spanning tree of mutual
        information. "auto": all pairs of up to 10 labels; of more the tree, and none for the
        loss "f1".
    label_sets : {"any", "seen"}, default="any"
        Which sets are outputs: any, or those of the examples of the fit.
    never_empty : bool or "auto", default="auto"
        Whether the empty set is no output; "auto": if no example of the fit has it.
    max_labels : int, optional
        Most labels of an output.
    attractive : bool, default=False
        Weights of pairs are kept at 0 or above, by solvers that can; the best set is then found
        exactly with any pairs and any number of labels, as a minimum cut.
    inference : {"auto", "graph"}, default="auto"
        "graph": pairs in cycles are left to the graph decoder also where all sets of few labels
        could be gone through.
    fit_intercept, intercept_scaling, dtype
        See `MulticlassSpace`.
    pair_scaling : float or "auto", default="auto"
        Value of the feature of a pair: the larger, the less its weight is regularised.
        "auto": the root mean square of the norms of the rows of the fit, so that a pair counts
        as much as the features of an example together, whatever their scale.
    set_scaling : float, default=0.0
        Value of one more feature for each set of the fit, of ``label_sets="seen"``: a constant
        of its own beside those of its labels; 0: none.
    squared_slack : float, default=0.0
        Value of one more column for each example of `fit_pack`: each of its labels then has a
        slack of its own, whose square costs ``1 / (2 squared_slack^2)``. Solvers find weights
        of these columns, too; `without_slacks` leaves them out.

    Attributes
    ----------
    classes_ : list of K labels
    form_ : {"indicator", "sparse", "labels", "classes"}
        What outputs are: arrays of K entries 0 or 1 for the first two, tuples of labels, or
        single labels, of which every example then has exactly one.
    edges_ : (m, 2) int32 array
        Pairs that have a weight, as indices of classes.
    search_ : {"independent", "forest", "all", "listed", "graph"}
        How the best set is found: exactly, but for "graph" (pairs in cycles among more than 14
        labels), which finds a good set and a bound unless all pairs are attractive.
    never_empty_ : bool
    pair_scaling_ : float
    nonnegative_ : (int, int) or None
        Range of the weights that are kept at 0 or above.
    n_features_, columns_, size_psi_
        See `MulticlassSpace`.

    Notes
    -----
    Parts: ``[k, 0]`` for a label that is not in the set, ``[k, 1]`` for one that is, (K, 2).

    Examples
    --------
    >>> import numpy as np
    >>> X, Y = np.eye(3), [("sea",), ("sea", "sky"), ("sky",)]
    >>> space = MultilabelSpace().fit_domain(X, Y)
    >>> space.decode(space.joint_feature(np.ones(3), ("sky",)), np.ones(3))
    ('sky',)
    """

    _one_part_along: ClassVar[int | None] = 1

    def __init__(
        self,
        task_loss: str = "hamming",
        label_weight: Any = None,
        miss_cost: float = 1.0,
        interactions: Any = "auto",
        label_sets: str = "any",
        never_empty: bool | str = "auto",
        max_labels: int | None = None,
        attractive: bool = False,
        inference: str = "auto",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        pair_scaling: float | str = "auto",
        set_scaling: float = 0.0,
        squared_slack: float = 0.0,
        dtype: str = "float64",
    ) -> None:
        self.task_loss = task_loss
        self.label_weight = label_weight
        self.miss_cost = miss_cost
        self.interactions = interactions
        self.label_sets = label_sets
        self.never_empty = never_empty
        self.max_labels = max_labels
        self.attractive = attractive
        self.inference = inference
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.pair_scaling = pair_scaling
        self.set_scaling = set_scaling
        self.squared_slack = squared_slack
        self.dtype = dtype

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> MultilabelSpace:
        """Learn labels, pairs and sizes."""
        self.fit_pack(X, Y)
        return self

    def fit_pack(
        self, X: Any, Y: Any, sample_weight: NDArray[np.floating] | None = None
    ) -> PackedLabelSets:
        """Learn labels, pairs and sizes, and pack the examples.

        Weights of examples count in the mutual information and the scale of pairs.
        """
        check_parameters(self)
        if Y is None:
            raise ValueError("y is needed to learn the labels, got None")
        sets = label_sets(Y)
        codes = sets.codes
        if len(codes) == 0:
            raise ValueError("y holds no examples, expected at least 1")
        self.classes_, self.form_ = sets.classes, sets.form
        k = len(sets.classes)
        self.label_weight_ = weights_of_labels(self.classes_, self.label_weight)
        size = codes.sum(axis=1)
        empty = np.flatnonzero(size == 0)
        if self.never_empty is True and len(empty):
            raise ValueError(
                f"y: example {empty[0]} has no labels, expected at least one "
                "(never_empty=True)"
            )
        self.never_empty_ = self.never_empty is True or (
            self.never_empty == "auto" and len(empty) == 0
        )
        self.max_labels_ = (
            k if self.max_labels is None else min(int(self.max_labels), k)
        )
        if sets.form == "classes":
            if k < 2:
                raise ValueError(
                    f"y has 1 class, {sets.classes[0]!r}, expected at least 2"
                )
            self.never_empty_, self.max_labels_ = True, 1
        many = np.flatnonzero(size > self.max_labels_)
        if len(many):
            raise ValueError(
                f"y: example {many[0]} has {size[many[0]]} labels, expected at most "
                f"{self.max_labels_} (max_labels)"
            )
        self.edges_ = label_edges(
            "none" if sets.form == "classes" else self.interactions,
            codes,
            sets.classes,
            self.task_loss,
            sample_weight,
        )
        self.seen_ = (
            np.unique(codes, axis=0).astype(np.uint8)
            if self.label_sets == "seen"
            else np.zeros((0, k), dtype=np.uint8)
        )
        self.search_ = self._search(k)
        rows = self._rows(X)
        last = rows.n_features - 1 if self.fit_intercept else None
        self.n_features_ = rows.n_features - bool(self.fit_intercept)
        self.columns_ = occurring(rows, always=last)
        _check_equal(rows.n_examples, len(codes))
        self.stride_ = padded(k)
        rows = self._kept(rows)
        self.pair_scaling_ = self._value_of_pairs(rows, sample_weight)
        self.size_psi_ = rows.n_features * self.stride_ + self._n_others()
        return PackedLabelSets(self._with_slacks(rows), codes)

    def _with_slacks(self, rows: PackedRows) -> PackedRows:
        if not self.squared_slack:
            return rows
        n = rows.n_rows
        slacks = diags_array(np.full(n, float(self.squared_slack)), format="csr")
        both = hstack([csr_array(as_csr(rows)), slacks], format="csr")
        return PackedRows.from_matrix(both, np.dtype(self.dtype))

    def _n_others(self) -> int:
        """Weights beside those of features: of pairs, then of sets."""
        return len(self.edges_) + (len(self.seen_) if self.set_scaling else 0)

    def without_slacks(self, w: NDArray[np.floating]) -> NDArray[np.floating]:
        """Weights without those of the columns of `squared_slack`."""
        m = self._n_others()
        if len(w) == self.size_psi_:
            return w
        return np.concatenate([w[: self.size_psi_ - m], w[len(w) - m :]])

    def _value_of_pairs(
        self, rows: PackedRows, weight: NDArray[np.floating] | None
    ) -> float:
        if self.pair_scaling != "auto":
            return float(self.pair_scaling)
        table = as_csr(rows)
        both = table.multiply(table) if hasattr(table, "multiply") else table * table
        squares = np.asarray(both.sum(axis=1), dtype=np.float64)
        if self.fit_intercept:
            squares = squares - float(self.intercept_scaling) ** 2
        mean = float(np.average(np.maximum(squares.ravel(), 0), weights=weight))
        return float(np.sqrt(mean)) if mean > 0 and np.isfinite(mean) else 1.0

    def _search(self, k: int) -> str:
        if self.label_sets == "seen":
            return "listed"
        if not len(self.edges_):
            return "independent"
        if rooted(k, self.edges_) is not None:
            return "forest"
        if k <= MOST_EXACT and self.inference == "auto":
            return "all"
        if self.task_loss == "f1" or self.max_labels_ < k:
            what = "the loss 'f1'" if self.task_loss == "f1" else "max_labels"
            raise ValueError(
                f"{what} with interactions that have a cycle among {k} labels needs "
                f"label_sets='seen', or at most {MOST_EXACT} labels and inference='auto': all "
                "sets are then gone through"
            )
        return "graph"

    @property
    def nonnegative_(self) -> tuple[int, int] | None:  # type: ignore[override]
        """The weights of attractive pairs."""
        if not self.attractive or not hasattr(self, "size_psi_"):
            return None
        begin = self.size_psi_ - self._n_others()
        return begin, begin + len(self.edges_)

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        fitted = Fitted(self)
        fitted.one_of("dtype", ("float32", "float64"))
        fitted.one_of("task_loss", LABEL_SET_LOSSES)
        fitted.number("intercept_scaling")
        if not hasattr(self, "size_psi_"):
            return
        k = fitted.labels("classes_", at_least=1)
        d = fitted.integer("n_features_", 0, INT32_MAX)
        fitted.one_of("form_", ("indicator", "sparse", "labels", "classes"))
        fitted.one_of("search_", tuple(_SEARCH))
        stride = fitted.equal("stride_", padded(k))
        fitted.array("label_weight_", (k,), "float64", low=0)
        fitted.instance("never_empty_", bool)
        fitted.integer("max_labels_", 1, k)
        fitted.number("pair_scaling_")
        edges = fitted.array("edges_", (None, 2), "int32", low=0, high=k - 1)
        if self.search_ == "forest" and rooted(k, edges) is None:
            raise ValueError("MultilabelSpace.edges_ have a cycle, expected a forest")
        if self.search_ == "all" and k > MOST_EXACT:
            raise ValueError(f"MultilabelSpace.classes_ are {k}, too many for all sets")
        fitted.array("seen_", (None, k), "uint8", high=1)
        kept = fitted.columns("columns_", d + bool(self.fit_intercept))
        fitted.number("miss_cost", low=0)
        fitted.number("set_scaling")
        fitted.equal("size_psi_", kept * stride + self._n_others())

    def pack(self, X: Any, Y: Any = None) -> PackedLabelSets:
        """Pack rows, and their labels if given."""
        rows = self._rows(X)
        n_features = rows.n_features - bool(self.fit_intercept)
        if n_features != self.n_features_:
            raise ValueError(
                f"X has {n_features} features, but the space was fitted with "
                f"{self.n_features_}"
            )
        rows = self._kept(rows)
        if Y is None:
            return PackedLabelSets(rows)
        codes = self.codes_of(Y)
        _check_equal(rows.n_examples, len(codes))
        self._check_outputs(codes)
        return PackedLabelSets(rows, codes)

    def codes_of(self, Y: Any) -> NDArray[np.int32]:
        """Label sets in any form as 0 and 1, (n, K)."""
        form = "indicator" if self.form_ == "sparse" else self.form_
        try:
            sets: LabelSets = label_sets(Y, self.classes_, form)
        except UnknownLabelError as error:
            raise UnseenLabelError(str(error)) from None
        return sets.codes

    def _check_outputs(self, codes: NDArray[np.int32]) -> None:
        size = codes.sum(axis=1)
        bad = np.flatnonzero((size > self.max_labels_) | (size < self.never_empty_))
        if len(bad):
            raise UnseenLabelError(
                f"y: example {bad[0]} has {size[bad[0]]} labels, which no output has: "
                f"expected {int(self.never_empty_)} to {self.max_labels_}"
            )
        if self.search_ != "listed":
            return
        seen = {row.tobytes() for row in self.seen_}
        for i, row in enumerate(codes.astype(np.uint8)):
            if row.tobytes() not in seen:
                labels = as_collections(row[None], self.classes_)[0]
                raise UnseenLabelError(
                    f"y: example {i} has the labels {labels!r:.200}, a set not seen at fit "
                    "(label_sets='seen')"
                )

    def bind(self, packed: PackedLabelSets) -> Oracle:
        """The oracle over packed rows."""
        k, rows, edges = len(self.classes_), packed.rows, self.edges_
        none = np.full(k, -1, dtype=np.int32)
        order, parent, via = np.arange(k, dtype=np.int32), none, none
        edge_at = None
        if self.search_ in ("all", "listed", "graph"):
            edge_at = np.full((k, k), -1, dtype=np.int32)
            a, b = edges.T
            edge_at[a, b] = edge_at[b, a] = np.arange(len(edges), dtype=np.int32)
        elif self.search_ == "forest":
            forest = rooted(k, edges)
            if forest is None:
                raise ValueError("edges_ have a cycle, expected a forest")
            order, parent, via = forest
        at, labels = np.nonzero(self.seen_)
        offsets = np.searchsorted(at, np.arange(len(self.seen_) + 1))
        graph = self.search_ == "graph"
        kernel = _multilabel.MULTILABEL_GRAPH if graph else _multilabel.MULTILABEL
        return kernel.bind(
            {
                "indptr": rows.indptr,
                "indices": rows.indices,
                "values": rows.values,
                "n_features": rows.n_features,
                "n": rows.n_examples,
                "labels": packed.codes,
                "n_labels": k,
                "stride": self.stride_,
                "n_edges": len(edges),
                "edges": np.ascontiguousarray(edges),
                "pair_value": self.pair_scaling_,
                "set_value": float(self.set_scaling),
                "attractive": bool(self.attractive),
                "loss_kind": LABEL_SET_LOSSES.index(self.task_loss),
                "label_weight": self.label_weight_,
                "miss_cost": float(self.miss_cost),
                "search": _SEARCH[self.search_],
                "min_labels": int(self.never_empty_),
                "max_labels": int(self.max_labels_),
                "order": order,
                "parent": parent,
                "parent_edge": via,
                "edge_at": edge_at,
                "set_offsets": offsets.astype(np.int64),
                "set_labels": labels.astype(np.int32),
            },
            np.dtype(self.dtype),
        )

    def output_of(self, code: Sequence[int], packed: PackedLabelSets, i: int) -> Any:
        """The output that a code of packed example i stands for."""
        if self.form_ == "classes":
            return self.classes_[int(np.argmax(code))]
        if self.form_ == "labels":
            return tuple(c for c, b in zip(self.classes_, code, strict=True) if b)
        return np.array(code, dtype=np.int64)

    def outputs_of(
        self, codes: NDArray[np.int32], offsets: NDArray[np.int64], packed: Any
    ) -> list[Any]:
        """Codes of all packed examples, end to end, as outputs."""
        table = codes.reshape(-1, len(self.classes_))
        if self.form_ == "labels":
            return as_collections(table, self.classes_)
        if self.form_ == "classes":
            return [self.classes_[k] for k in table.argmax(axis=1).tolist()]
        return list(table.astype(np.int64))

    def decode_codes(
        self, w: NDArray[np.floating], packed: PackedLabelSets, n_threads: int = 1
    ) -> NDArray[np.int32]:
        """Best output of every packed example as 0 and 1, (n, K)."""
        codes, _ = decode_in_pieces(self.bind(packed), self._own(w), n_threads)
        return np.reshape(codes, (-1, len(self.classes_)))

    def marginals_as_dicts(self, marginals: NDArray[np.float64]) -> dict[Any, float]:
        """Label -> probability."""
        return dict(zip(self.classes_, marginals[:, 1].tolist(), strict=True))

    def __space_tags__(self) -> SpaceTags:
        """Exact, but for pairs in cycles among many labels, which have a bound.

        They are exact, too, if they are attractive.
        """
        graph = getattr(self, "search_", "") == "graph" and not self.attractive
        return SpaceTags(exactness="none" if graph else "exact", compiled=True)

    def _one(self, x: Any) -> Any:
        return as_row(x)

    def loss(self, y: Any, y_hat: Any) -> float:
        """Delta; labels unknown at fit are as wrong as others."""
        a, b = self._as_set(y), self._as_set(y_hat)
        if self.task_loss == "subset":
            return float(a != b)
        if self.task_loss == "f1":
            return 1 - 2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0
        weight = dict(zip(self.classes_, self.label_weight_.tolist(), strict=True))
        missed, false = (
            sum(weight.get(label, 1.0) for label in c) for c in (a - b, b - a)
        )
        return float(self.miss_cost * missed + false)

    def _as_set(self, y: Any) -> set[Any]:
        if self.form_ == "classes":
            return {y}
        if self.form_ == "labels":
            return set(y)
        row = np.asarray(y).ravel()
        if row.shape != (len(self.classes_),):
            raise ValueError(
                f"an output has {row.size} entries, expected {len(self.classes_)}"
            )
        return {c for c, b in zip(self.classes_, row.tolist(), strict=True) if b}

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """Index into (K, 2): every label, and whether it is in the set."""
        inside = self._as_set(y)
        state = np.array([c in inside for c in self.classes_], dtype=np.int64)
        return np.arange(len(state)), state

    def enumerate(self, x: Any) -> Iterable[Any]:
        """All sets that are outputs, of at most 16 labels; or those that were seen."""
        if self.search_ == "listed":
            return [self.output_of(row.tolist(), None, 0) for row in self.seen_]  # type: ignore[arg-type]
        k = len(self.classes_)
        if k > 16:
            raise NotImplementedError(f"{k} labels have too many sets to enumerate")
        low, high = int(self.never_empty_), self.max_labels_
        return [
            self.output_of(code, None, 0)  # type: ignore[arg-type]
            for code in product((0, 1), repeat=k)
            if low <= sum(code) <= high
        ]

    def input_feature(self, j: int) -> int | None:
        """The column of X behind entry j of psi; None for the intercept and pairs."""
        column = j // self.stride_
        if j >= self.size_psi_ - self._n_others():
            return None
        columns = getattr(self, "columns_", None)
        if columns is not None:
            column = int(columns[column])
        return column if column < self.n_features_ else None

    def split(self, w: NDArray[np.floating]) -> tuple[NDArray, NDArray, NDArray]:
        """``coef`` (K, columns that have weights), ``intercept`` (K,), ``pairs`` (m,)."""
        k, begin = len(self.classes_), len(w) - self._n_others()
        table = w[:begin].reshape(-1, self.stride_)[:, :k].T
        pairs = w[begin : begin + len(self.edges_)] * self.pair_scaling_
        if not self.fit_intercept:
            return table, np.zeros(k, dtype=w.dtype), pairs
        return table[:, :-1], table[:, -1] * self.intercept_scaling, pairs


def _check_equal(n_rows: int, n_outputs: int) -> None:
    if n_rows != n_outputs:
        raise ValueError(
            f"X and y must have the same number of examples, got {n_rows} and {n_outputs}"
        )


__all__ = ["LABEL_SET_LOSSES", "MOST_EXACT", "MultilabelSpace", "PackedLabelSets"]
