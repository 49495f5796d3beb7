"""First-order chains: one label per token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise, product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.losses import cost_matrix
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._encoding import FeatureEncoder
from pystruct_ext.spaces._kernels import chain as _chain
from pystruct_ext.spaces._labels import (
    as_lists,
    check_lengths,
    encode_labels,
    label_classes,
    padded,
)
from pystruct_ext.spaces._partial import (
    KnownLabels,
    all_known,
    is_open,
    known_classes,
    refuse_open,
)
from pystruct_ext.spaces._partly_labelled import PartlyLabelled
from pystruct_ext.spaces._sequences import (
    CodedLabels,
    PackedSequences,
    mask,
    seen_pairs,
    token_weights,
)
from pystruct_ext.spaces.constraints import Allowed, allowed_transitions
from pystruct_ext.utils.examples import n_rows_of
from pystruct_ext.utils.fitted import INT32_MAX, Fitted
from pystruct_ext.utils.renamed import renamed_parameters


@storable(renamed={"label_loss": "task_loss"})
class SequenceSpace(PartlyLabelled):
    """Label sequences scored by a first-order chain.

    ``<w, psi(x, y)> = sum_t <w_{y_t}, x_t> + sum_t trans(y_{t-1}, y_t) + start(y_0) +
    end(y_{T-1})``, and ``Delta(y, y_hat) = sum_t weight_t cost(y_t, y_hat_t)``.

    Parameters
    ----------
    task_loss : "hamming", (K, K) array or mapping, default="hamming"
        Cost of a wrong label; see `pystruct_ext.losses.cost_matrix`.
    constraints : None, "BIO", "BILOU", (K, K) array or mapping, default=None
        Transitions that decoding may use; see
        `pystruct_ext.spaces.allowed_transitions`.
    template : str or None, default=None
        Text of a CRF++ template; sequences are then lists of columns.
    features : {"all", "seen"}, default="all"
        "all" learns a weight for every pair of feature and label. "seen" keeps only
        the pairs that occur in the training data, as CRFsuite does: less memory, another
        (smaller) model.
    min_count : int, default=1
        Feature names that occur less often are dropped at fit.
    hash_bits : int or None, default=None
        Hash feature names to ``2 ** hash_bits`` columns.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights. float32 certifies gaps down to about 1e-5.

    Attributes
    ----------
    classes_ : list of K labels, sorted
    n_features_ : int
    size_psi_ : int
    encoder_ : FeatureEncoder

    Notes
    -----
    Layout of w: feature-major, the K labels of a feature contiguous and padded to
    ``stride_`` entries; then transitions (K, stride_) [previous][next], start, end.

    For `LatentStructuralSVM` a label may be missing, None, or a set of the labels that it may
    be: a token costs the least cost over those, nothing where it is None. With
    ``features="seen"`` a missing label adds no pairs.

    References
    ----------
    Taskar, Guestrin and Koller 2003; Altun, Tsochantaridis and Hofmann 2003.

    Examples
    --------
    >>> import numpy as np
    >>> space = SequenceSpace()
    >>> X, Y = [np.eye(2), np.eye(2)[::-1]], [["a", "b"], ["b", "a"]]
    >>> oracle = space.bind(space.fit_pack(X, Y))
    >>> oracle.n_blocks, space.classes_
    (2, ['a', 'b'])
    """

    _one_part_along: ClassVar[int | None] = 1
    _empty_means_no_length: ClassVar[bool] = True

    @renamed_parameters(label_loss="task_loss")
    def __init__(
        self,
        task_loss: Any = "hamming",
        constraints: Any = None,
        template: str | None = None,
        features: str = "all",
        min_count: int = 1,
        hash_bits: int | None = None,
        dtype: str = "float32",
    ) -> None:
        self.task_loss = task_loss
        self.constraints = constraints
        self.template = template
        self.features = features
        self.min_count = min_count
        self.hash_bits = hash_bits
        self.dtype = dtype

    # Domain.

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> SequenceSpace:
        """Learn labels, features and sizes; labels may be missing."""
        self._fit(X, Y)
        return self

    def fit_pack(
        self,
        X: Sequence[Any],
        Y: Sequence[Any] | None,
        token_weight: Sequence[Any] | None = None,
    ) -> PackedSequences:
        """Learn labels, features and sizes, and pack the examples."""
        if Y is not None and not isinstance(Y, CodedLabels):
            Y = as_lists(Y)
            refuse_open(Y)
        return self._fit(X, Y, token_weight)

    def _fit(
        self,
        X: Sequence[Any],
        Y: Sequence[Any] | None,
        token_weight: Sequence[Any] | None = None,
    ) -> PackedSequences:
        self._check_parameters()
        if Y is None:
            raise ValueError("y is needed to learn the labels, got None")
        coded = Y if isinstance(Y, CodedLabels) else None
        labels = None if coded is not None else as_lists(Y)
        encoder = FeatureEncoder(
            self.template, self.min_count, self.hash_bits, np.dtype(self.dtype)
        )
        rows, partly = encoder.fit(X), False
        if coded is not None:
            self.classes_ = list(coded.classes)
        else:
            if labels is None:
                raise AssertionError
            check_lengths(rows.lengths, labels)
            partly = not all(map(all_known, labels))
            self.classes_ = known_classes(labels) if partly else label_classes(labels)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has the single class {self.classes_[0]!r}, expected at least 2 labels"
            )
        self.encoder_ = encoder
        self.n_features_ = rows.n_features
        k = len(self.classes_)
        self.stride_ = padded(k)
        self.cost_ = cost_matrix(self.task_loss, self.classes_)
        self.allowed_ = allowed_transitions(self.constraints, self.classes_)
        if partly and labels is not None:
            packed = PackedSequences(rows, known=KnownLabels.of(labels, self.classes_))
        else:
            packed = self._packed(
                rows, Y if coded is not None else labels, token_weight
            )
        self.state_ptr_, self.state_label_ = None, None
        self.n_state_ = self.n_features_ * self.stride_
        if self.features == "seen":
            known = packed.known
            if known is None:
                if packed.labels is None:
                    raise AssertionError
                known = KnownLabels(packed.labels, np.eye(k, dtype=bool))
            self.state_ptr_, self.state_label_ = seen_pairs(rows, known)
            self.n_state_ = len(self.state_label_)
            self._freeze()
        self.size_psi_ = self.n_state_ + (k + 2) * self.stride_
        return packed

    def pack(
        self,
        X: Sequence[Any],
        Y: Sequence[Any] | None = None,
        token_weight: Sequence[Any] | None = None,
        observed: Sequence[Any] | None = None,
    ) -> PackedSequences:
        """Pack examples with what was learnt at fit; unknown feature names are dropped.

        With `observed`, label sequences with missing labels, the loss is measured against
        that, and Y, complete, is the truth of ``psi``.
        """
        rows = self._rows_of(X)
        known = None
        if observed is not None:
            known = self._known(rows, observed)
        if Y is None or isinstance(Y, CodedLabels):
            packed = self._packed(rows, Y, token_weight)
        else:
            labels = as_lists(Y)
            check_lengths(rows.lengths, labels)
            refuse_open(labels)
            packed = self._packed(rows, labels, token_weight)
        packed.known = known
        if known is not None and packed.labels is not None:
            self._check_agreement(packed.labels, known, rows.offsets)
        return packed

    def _packed(
        self, rows: PackedRows, Y: Any, token_weight: Sequence[Any] | None
    ) -> PackedSequences:
        if Y is None:
            return PackedSequences(rows)
        if isinstance(Y, CodedLabels):
            if len(Y.codes) != rows.n_rows:
                raise ValueError(
                    f"y has {len(Y.codes)} labels, but X has {rows.n_rows} tokens"
                )
            labels = Y.codes_for(self.classes_)
        else:
            labels = encode_labels(Y, self.classes_)
        self._check_legal(labels, rows.offsets)
        weight = None
        if token_weight is not None:
            weight = token_weights(token_weight, rows.lengths, np.dtype(self.dtype))
        return PackedSequences(rows, labels, weight)

    def _check_parameters(self) -> None:
        if self.features not in ("all", "seen"):
            raise ValueError(f"features must be 'all' or 'seen', got {self.features!r}")
        if self.dtype not in ("float32", "float64"):
            raise ValueError(
                f"dtype must be 'float32' or 'float64', got {self.dtype!r}"
            )
        if not (isinstance(self.min_count, (int, np.integer)) and self.min_count >= 1):
            raise ValueError(
                f"min_count must be an integer >= 1, got {self.min_count!r}"
            )
        if self.hash_bits is not None and not (
            isinstance(self.hash_bits, (int, np.integer)) and 1 <= self.hash_bits <= 30
        ):
            raise ValueError(
                f"hash_bits must be None or an integer in 1 .. 30, got {self.hash_bits!r}"
            )

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        self._check_parameters()
        if not hasattr(self, "size_psi_"):
            return
        fitted = Fitted(self)
        k = fitted.labels("classes_", at_least=2)
        d = fitted.integer("n_features_", 0, INT32_MAX)
        stride = fitted.equal("stride_", padded(k))
        encoder = fitted.instance("encoder_", FeatureEncoder)
        encoder.check_width(d)
        fitted.array("cost_", (k, k), "float64", low=0)
        allowed = fitted.instance("allowed_", Allowed)
        allowed.check_size(k)
        pairs = d * stride
        if self.features == "seen":
            pairs = fitted.integer("n_state_", 0)
            fitted.array(
                "state_ptr_", (d + 1,), "int64", low=0, high=pairs, rising=True
            )
            fitted.array("state_label_", (pairs,), "int32", low=0, high=k - 1)
            self._freeze()
        else:
            for name in ("state_ptr_", "state_label_"):
                fitted.one_of(name, (None,))
        fitted.equal("n_state_", pairs)
        fitted.equal("size_psi_", pairs + (k + 2) * stride)

    def _freeze(self) -> None:
        """Tables that cannot change are checked once, not whenever they are bound."""
        for table in (self.state_ptr_, self.state_label_):
            if table is not None and table.base is None:
                table.setflags(write=False)

    def _check_legal(
        self, labels: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> None:
        """The truth must be among the outputs, or its hinge would be negative."""
        a = self.allowed_
        if a.unrestricted:
            return
        first = np.zeros(len(labels), dtype=bool)
        first[offsets[:-1]] = True
        bad = np.zeros(len(labels), dtype=bool)
        bad[1:] = ~a.transition[labels[:-1], labels[1:]] & ~first[1:]
        bad |= first & ~a.start[labels]
        ends = offsets[1:] - 1
        bad[ends] |= ~a.end[labels[ends]]
        if not bad.any():
            return
        r = int(np.flatnonzero(bad)[0])
        i = int(np.searchsorted(offsets, r, side="right")) - 1
        t = r - int(offsets[i])
        before = "the start" if t == 0 else repr(self.classes_[labels[r - 1]])
        raise ValueError(
            f"y: example {i} has {self.classes_[labels[r]]!r} after {before} at token {t} "
            f"of {int(offsets[i + 1] - offsets[i])}, which constraints={self.constraints!r} "
            "forbids"
        )

    # The way to the oracle.

    def bind(self, packed: PackedSequences) -> Oracle:
        """The oracle over packed sequences."""
        cost, known = self.cost_, packed.known
        return self._bound(packed, cost if known is None else known.cost(cost))

    def _bound(self, packed: PackedSequences, costs: NDArray[np.floating]) -> Oracle:
        dtype = np.dtype(self.dtype)
        k, stride = len(self.classes_), self.stride_
        rows, a, known = packed.rows, self.allowed_, packed.known
        cost = np.zeros((len(costs), stride), dtype=dtype)
        cost[:, :k] = costs
        return _chain.CHAIN.bind(
            {
                "indptr": rows.indptr,
                "indices": rows.indices,
                "values": rows.values,
                "n_features": rows.n_features,
                "offsets": rows.offsets,
                "labels": packed.labels,
                "cost_row": None if known is None else known.kinds,
                "token_weight": packed.token_weight,
                "n_labels": k,
                "stride": stride,
                "n_costs": len(cost),
                "cost": cost,
                "transition_mask": mask(a.transition, stride, dtype),
                "start_mask": mask(a.start, stride, dtype),
                "end_mask": mask(a.end, stride, dtype),
                "state_ptr": self.state_ptr_,
                "state_label": self.state_label_,
                "n_state": self.n_state_,
            },
            dtype,
        )

    def output_of(
        self, code: Sequence[int], packed: PackedSequences, i: int
    ) -> list[Any]:
        """The output that a code of packed example i stands for."""
        return [self.classes_[c] for c in code]

    def empty_output(self, x: Any) -> list[Any] | None:
        """No labels for a sequence of no tokens."""
        return [] if n_rows_of(x) == 0 else None

    def empty_shape(self, x: Any) -> tuple[int, ...]:
        """(0, K)."""
        return 0, len(self.classes_)

    def marginals_as_dicts(
        self, marginals: NDArray[np.float64]
    ) -> list[dict[Any, float]]:
        """Label -> probability, for every token."""
        names = self.classes_
        return [dict(zip(names, row, strict=True)) for row in marginals.tolist()]

    def outputs_of(
        self,
        codes: NDArray[np.int32],
        offsets: NDArray[np.int64],
        packed: PackedSequences,
    ) -> list[list[Any]]:
        """Codes of all packed examples, end to end, as lists of labels."""
        return self.labels_of(codes, offsets)

    def labels_of(
        self, codes: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> list[list[Any]]:
        """Codes end to end as lists of labels."""
        table = self.classes_
        flat = [table[c] for c in codes.tolist()]
        ends = offsets.tolist()
        return [flat[a:b] for a, b in pairwise(ends)]

    # One example in domain language.

    def loss(self, y: Any, y_hat: Any) -> float:
        """Sum of costs over tokens; a label unknown at fit costs 1 unless right.

        Labels of y may be missing (None: no cost) or sets (the least cost over their labels).
        """
        index = {label: k for k, label in enumerate(self.classes_)}
        (y,), (y_hat,) = as_lists([y]), as_lists([y_hat], "y_hat")
        if len(y) != len(y_hat):
            raise ValueError(
                f"y has {len(y)} labels and y_hat {len(y_hat)}, expected the same length"
            )
        total = 0.0

        def cost(a: Any, b: Any) -> float:
            if a in index and b in index:
                return float(self.cost_[index[a], index[b]])
            return float(a != b)

        for a, b in zip(y, y_hat, strict=True):
            if not is_open(a):
                total += cost(a, b)
            elif a is not None:
                total += min(cost(v, b) for v in a)
        return total

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """Tokens and their labels, as an index into (T, K); no unknown labels."""
        index = {label: k for k, label in enumerate(self.classes_)}
        (y,) = as_lists([y])
        known = [(t, index[label]) for t, label in enumerate(y) if label in index]
        t, k = np.array(known, dtype=np.int64).reshape(-1, 2).T
        return t, k

    def enumerate(self, x: Any) -> Iterable[list[Any]]:
        """All label sequences that the constraints allow."""
        length = int(self.encoder_.transform([x]).lengths[0])
        a = self.allowed_
        for code in product(range(len(self.classes_)), repeat=length):
            if (
                a.start[code[0]]
                and a.end[code[-1]]
                and all(a.transition[p, q] for p, q in pairwise(code))
            ):
                yield [self.classes_[c] for c in code]

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Examples are checked while they are packed."""

    # Views into w.

    def state_scores(
        self, w: NDArray[np.floating], packed: PackedSequences
    ) -> list[NDArray[np.floating]]:
        """Scores of the labels of every token, without transitions: n (T, K) arrays."""
        from scipy.sparse import csr_array

        rows, state = packed.rows, self.split(w)["state"]
        if rows.indptr is None or rows.indices is None:
            X: Any = rows.values.reshape(-1, rows.n_features)  # type: ignore[union-attr]
        else:
            values = rows.values
            if values is None:
                values = np.ones(len(rows.indices), dtype=w.dtype)
            X = csr_array(
                (values, rows.indices, rows.indptr),
                shape=(rows.n_rows, rows.n_features),
            )
        scores = X @ state.T
        if hasattr(scores, "toarray"):
            scores = scores.toarray()
        return [scores[a:b] for a, b in pairwise(rows.offsets)]

    def input_feature(self, j: int) -> int | None:
        """The feature of tokens behind entry j of psi; None for transitions."""
        if j >= self.n_state_:
            return None
        if self.state_ptr_ is None:
            return j // self.stride_
        return int(np.searchsorted(self.state_ptr_, j, side="right")) - 1

    def split(self, w: NDArray[np.floating]) -> dict[str, Any]:
        """Parts of a weight vector.

        Returns
        -------
        dict
            "state": (K, n_features) view, or CSR matrix with ``features="seen"``;
            "transitions": (K, K) [previous, next]; "start", "end": (K,). Views.
        """
        k, stride = len(self.classes_), self.stride_
        tail = w[self.n_state_ :]
        if self.state_ptr_ is None:
            state: Any = w[: self.n_state_].reshape(self.n_features_, stride)[:, :k].T
        else:
            from scipy.sparse import csr_array

            entries: Any = (w[: self.n_state_], self.state_label_, self.state_ptr_)
            state = csr_array(
                entries,
                shape=(self.n_features_, k),
            ).T.tocsr()
        return {
            "state": state,
            "transitions": tail[: k * stride].reshape(k, stride)[:, :k],
            "start": tail[k * stride : k * stride + k],
            "end": tail[(k + 1) * stride : (k + 1) * stride + k],
        }


__all__ = ["Allowed", "CodedLabels", "PackedSequences", "SequenceSpace"]
