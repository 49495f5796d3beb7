"""Semi-Markov chains: labelled segments of a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._encoding import FeatureEncoder
from pystruct_ext.spaces._kernels import segments as _segments
from pystruct_ext.spaces._labels import (
    UnseenLabelError,
    encode_labels,
    label_classes,
    padded,
)
from pystruct_ext.spaces._partial import best_agreeing
from pystruct_ext.spaces.base import refuse_missing
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.utils.examples import n_rows_of
from pystruct_ext.utils.fitted import INT32_MAX, Fitted
from pystruct_ext.utils.renamed import renamed_parameters

_WHOLE = (int, np.integer)


@dataclass
class PackedSegments:
    """Sequences and their segmentations as arrays.

    Attributes
    ----------
    rows : PackedRows
        One row of features per token.
    codes : (n_tokens,) int32 or None
        2 label + 1 for the first token of a segment, 2 label for others.
    order : pair of arrays, or None
        Offsets (n + 1,), and labels in order of those sequences of which only they are known.
    """

    rows: PackedRows
    codes: NDArray[np.int32] | None = None
    order: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None

    def __len__(self) -> int:
        return self.rows.n_examples

    def take(self, positions: Sequence[int]) -> PackedSegments:
        """Features of some sequences."""
        return PackedSegments(self.rows.take(list(positions)))


@storable(renamed={"segment_loss": "task_loss"})
class SegmentSpace(CompiledSpace):
    """Segmentations scored segment by segment.

    ``<w, psi(x, y)> = sum over segments (sum_t <inside_l, x_t> + <first_l, x_s> + <last_l,
    x_{e-1}> + length(e - s, l)) + transitions``.

    Parameters
    ----------
    task_loss : {"tokens", "segments"}, default="segments"
        Wrong tokens, or segments that are in one of the segmentations only.
    outside : label or None, default=None
        Label whose segments do not count in the loss on segments, such as "O".
    max_length : int, mapping from label to int, or None, default=None
        Longest segment; None: of each label the longest in training.
    boundary : bool, default=True
        Features of the first and last token of a segment get weights of their own.
    n_lengths : int, default=20
        Lengths with a weight of their own; longer segments share the last.
    template, min_count, hash_bits, dtype
        See `SequenceSpace`.

    Attributes
    ----------
    classes_ : list of K labels, sorted
    longest_ : (K,) int32
        Longest segment of each label.
    size_psi_ : int

    Notes
    -----
    x as for `SequenceSpace`; y is a list of (start, end, label), end exclusive, which
    cover the sequence. Two neighbours may have the same label. Training examples must not
    have segments longer than `max_length`.

    For `LatentStructuralSVM` y may be a list of labels, those of the segments in order, while
    nobody knows where they begin. The loss is then on the labels: 1 for each place in the two
    lists where they differ, or where one has ended. Without a `max_length` their segments may
    be as long as the sequences allow, which takes long.

    References
    ----------
    Sarawagi and Cohen 2004.

    Examples
    --------
    >>> import numpy as np
    >>> X, Y = [np.eye(3)], [[(0, 2, "a"), (2, 3, "b")]]
    >>> space = SegmentSpace().fit_domain(X, Y)
    >>> space.classes_, space.longest_.tolist()
    (['a', 'b'], [2, 1])
    """

    _empty_means_no_length: ClassVar[bool] = True

    @renamed_parameters(segment_loss="task_loss")
    def __init__(
        self,
        task_loss: str = "segments",
        outside: Any = None,
        max_length: Any = None,
        boundary: bool = True,
        n_lengths: int = 20,
        template: str | None = None,
        min_count: int = 1,
        hash_bits: int | None = None,
        dtype: str = "float32",
    ) -> None:
        self.task_loss = task_loss
        self.outside = outside
        self.max_length = max_length
        self.boundary = boundary
        self.n_lengths = n_lengths
        self.template = template
        self.min_count = min_count
        self.hash_bits = hash_bits
        self.dtype = dtype

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> SegmentSpace:
        """Learn labels, features and sizes; some y may be lists of labels."""
        self._fit(X, Y)
        return self

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any] | None) -> PackedSegments:
        """Learn labels, features and sizes, and pack the examples."""
        refuse_missing(self, Y, "where segments begin")
        return self._packed(self._fit(X, Y), Y)

    def _fit(self, X: Sequence[Any], Y: Sequence[Any] | None) -> PackedRows:
        self._check_parameters()
        if Y is None:
            raise ValueError("y is needed to learn the labels, got None")
        encoder = FeatureEncoder(
            self.template, self.min_count, self.hash_bits, np.dtype(self.dtype)
        )
        rows = encoder.fit(X)
        self._check_segments(Y, rows.lengths)
        self.encoder_, self.n_features_ = encoder, rows.n_features
        self.classes_ = label_classes([labels_in_order(y) for y in Y], unit="segment")
        longest = dict.fromkeys(self.classes_, 1)
        for y, n in zip(Y, rows.lengths.tolist(), strict=True):
            for segment in y:
                if self.is_complete(y):
                    a, b, label = segment
                    longest[label] = max(longest[label], b - a)
                else:
                    longest[segment] = max(longest[segment], n - len(y) + 1)
        if isinstance(self.max_length, Mapping):
            longest.update({k: int(v) for k, v in self.max_length.items()})
        elif self.max_length is not None:
            longest = dict.fromkeys(self.classes_, int(self.max_length))
        allowed = [longest[c] for c in self.classes_]
        if not 1 <= min(allowed) <= max(allowed) <= INT32_MAX:
            raise ValueError(
                f"max_length must be from 1 to {INT32_MAX}, got {self.max_length!r}"
            )
        self.longest_ = np.array(allowed, dtype=np.int32)
        k = len(self.classes_)
        self.stride_ = padded(k)
        parts = (3 if self.boundary else 1) * self.n_features_
        self.size_psi_ = (parts + self.n_lengths + k + 2) * self.stride_
        return rows

    def _check_parameters(self) -> None:
        for name, allowed in (
            ("task_loss", ("tokens", "segments")),
            ("dtype", ("float32", "float64")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got "
                    f"{getattr(self, name)!r}"
                )
        if not (isinstance(self.n_lengths, (int, np.integer)) and self.n_lengths > 0):
            raise ValueError(
                f"n_lengths must be an integer > 0, got {self.n_lengths!r}"
            )

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        self._check_parameters()
        if not hasattr(self, "size_psi_"):
            return
        fitted = Fitted(self)
        k = fitted.labels("classes_", at_least=1)
        d = fitted.integer("n_features_", 0, INT32_MAX)
        fitted.integer("n_lengths", 1, INT32_MAX)
        stride = fitted.equal("stride_", padded(k))
        fitted.instance("encoder_", FeatureEncoder).check_width(d)
        fitted.array("longest_", (k,), "int32", low=1)
        parts = (3 if fitted.value("boundary") else 1) * d
        fitted.equal("size_psi_", (parts + self.n_lengths + k + 2) * stride)

    def pack(
        self,
        X: Sequence[Any],
        Y: Sequence[Any] | None = None,
        observed: Sequence[Any] | None = None,
    ) -> PackedSegments:
        """Pack examples with what was learnt at fit.

        With `observed`, some of which are lists of labels, the loss is measured against that,
        and Y, segmentations, is the truth of ``psi``.
        """
        refuse_missing(self, Y, "where segments begin")
        packed = self._packed(self._rows_of(X), Y)
        if observed is not None:
            packed.order = self._order(observed, packed.rows.lengths)
            for i, (y, z) in enumerate(zip(observed, Y or (), strict=False)):
                if labels_in_order(y) != labels_in_order(z):
                    raise ValueError(
                        f"y: example {i} has the labels {list(y)!r:.80} in order, but "
                        f"{labels_in_order(z)!r:.80} stand for them"
                    )
        return packed

    # Segments of which only the labels are known.

    def is_complete(self, y: Any) -> bool:
        """Whether y is made of segments (or of anything but labels alone)."""
        if not isinstance(y, (list, tuple)):
            return True  # whatever it is, no list of labels
        return not y or any(isinstance(s, (tuple, list)) for s in y)

    def impute(self, w: NDArray[np.float64], x: Any, y: Any) -> Any:
        """The best segments of x with the labels y, in order."""
        return self.impute_batch(w, [x], [y])[0]

    def impute_batch(
        self,
        w: NDArray[np.floating],
        X: Sequence[Any],
        Y: Sequence[Any],
        n_threads: int = 1,
    ) -> list[Any]:
        """The best segments of every x with the labels y, in order.

        Raises
        ------
        ValueError
            If there are none.
        """
        rows = self._rows_of(X)
        open_ = [i for i, y in enumerate(Y) if not self.is_complete(y)]
        if not open_:
            return list(Y)
        # What differs in a label costs 1.
        order = self._order(Y, rows.lengths)
        packed = PackedSegments(rows, np.ones(rows.n_rows, dtype=np.int32), order)

        def nothing(i: int) -> str:
            return (
                f"y: example {i} has no segments with the labels {list(Y[i])!r:.80} in "
                "this order that max_length allows"
            )

        oracle = self.bind(packed)
        codes = best_agreeing(oracle, self._own(w), open_, n_threads, nothing)
        found = list(Y)
        for i, code in zip(open_, codes, strict=True):
            found[i] = self.segments_of(code.tolist())
            if labels_in_order(found[i]) != list(Y[i]):
                raise ValueError(nothing(i))
        return found

    def guess(
        self, X: Sequence[Any], Y: Sequence[Any], rng: np.random.Generator | None
    ) -> list[Any]:
        """Segments of about equal length, or of random lengths."""
        lengths = self._rows_of(X).lengths.tolist()
        index = {label: k for k, label in enumerate(self.classes_)}
        found = super().guess(X, Y, rng)
        for i, (y, n) in enumerate(zip(Y, lengths, strict=True)):
            if self.is_complete(y):
                continue
            m = len(y)
            if rng is None:
                cuts = np.round(np.linspace(0, n, m + 1)).astype(int)
            else:
                inner = rng.choice(np.arange(1, n), size=m - 1, replace=False)
                cuts = np.concatenate([[0], np.sort(inner), [n]])
            allowed = [self.longest_[index[label]] for label in y]
            if np.all(np.diff(cuts) <= allowed):
                ends = zip(cuts[:-1].tolist(), cuts[1:].tolist(), y, strict=True)
                found[i] = list(ends)
        return found

    def encode(self, X: Sequence[Any]) -> PackedSegments:
        """Packed features, which ``pack`` and ``impute_batch`` take as they are."""
        return PackedSegments(self._rows_of(X))

    def loss_augmented_decode(self, w: NDArray[np.floating], x: Any, y: Any) -> Any:
        """Most violating output of (x, y); y may be a list of labels."""
        if self.is_complete(y):
            return super().loss_augmented_decode(w, x, y)
        packed = self.pack([x], observed=[y])
        packed.codes = np.ones(packed.rows.n_rows, dtype=np.int32)
        return self._best(w, packed, 1.0)

    def _rows_of(self, X: Any) -> PackedRows:
        return X.rows if isinstance(X, PackedSegments) else self.encoder_.transform(X)

    def _order(
        self, Y: Sequence[Any], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        self._check_segments(Y, lengths)
        lists = [[] if self.is_complete(y) else list(y) for y in Y]
        codes = encode_labels(lists, self.classes_)
        ends = np.concatenate([[0], np.cumsum([len(v) for v in lists])])
        return ends.astype(np.int64), codes

    def _check_segments(self, Y: Sequence[Any], lengths: NDArray[np.int64]) -> None:
        known = []
        for i, (y, n) in enumerate(zip(Y, lengths.tolist(), strict=False)):
            partly = not self.is_complete(y)
            if partly and len(y) > n:
                raise ValueError(
                    f"y: example {i} has {len(y)} labels in order, more than the {n} tokens "
                    "of the sequence"
                )
            # A segment of the whole stands for what is not known.
            known.append([(0, n, y[0])] if partly else y)
        check_segmentations([*known, *Y[len(known) :]], lengths)

    def _packed(self, rows: PackedRows, Y: Sequence[Any] | None) -> PackedSegments:
        if Y is None:
            return PackedSegments(rows)
        check_segmentations(Y, rows.lengths)
        index = {label: k for k, label in enumerate(self.classes_)}
        codes = np.empty(rows.n_rows, dtype=np.int32)
        for i, y in enumerate(Y):
            first = int(rows.offsets[i])
            for a, b, label in y:
                if label not in index:
                    raise UnseenLabelError(
                        f"y: example {i} has the label {label!r}, which was not seen at "
                        f"fit; known are {self.classes_}"
                    )
                if b - a > self.longest_[index[label]]:
                    raise ValueError(
                        f"y: example {i} has a segment {label!r} of {b - a} tokens, more "
                        f"than max_length={int(self.longest_[index[label]])}"
                    )
                codes[first + a : first + b] = 2 * index[label]
                codes[first + a] += 1
        return PackedSegments(rows, codes)

    def bind(self, packed: PackedSegments) -> Oracle:
        """The oracle over packed sequences."""
        rows, order = packed.rows, packed.order
        outside = -1
        if self.outside in self.classes_:
            outside = self.classes_.index(self.outside)
        return _segments.SEGMENTS.bind(
            {
                "indptr": rows.indptr,
                "indices": rows.indices,
                "values": rows.values,
                "n_features": rows.n_features,
                "offsets": rows.offsets,
                "codes": packed.codes,
                "n_labels": len(self.classes_),
                "stride": self.stride_,
                "boundary": bool(self.boundary),
                "n_lengths": int(self.n_lengths),
                "longest": self.longest_,
                "token_loss": self.task_loss == "tokens",
                "outside": outside,
                "order_offsets": None if order is None else order[0],
                "order": None if order is None else order[1],
            },
            np.dtype(self.dtype),
        )

    def empty_output(self, x: Any) -> list[Any] | None:
        """No segments for a sequence of no tokens."""
        return [] if n_rows_of(x) == 0 else None

    def empty_shape(self, x: Any) -> tuple[int, ...]:
        """(1, 1, K)."""
        return 1, 1, len(self.classes_)

    def segments_of(self, code: Sequence[int]) -> list[tuple[int, int, Any]]:
        """One code as segments."""
        starts = [t for t, c in enumerate(code) if c % 2]
        return [
            (a, b, self.classes_[code[a] // 2])
            for a, b in zip(starts, [*starts[1:], len(code)], strict=True)
        ]

    def output_of(
        self, code: Sequence[int], packed: PackedSegments, i: int
    ) -> list[tuple[int, int, Any]]:
        """The output that a code of packed example i stands for."""
        return self.segments_of(code)

    # One example in domain language.

    def loss(self, y: Any, y_hat: Any) -> float:
        """Wrong tokens, or segments that are in one of y and y_hat only.

        Where y is a list of labels, the places where the labels in order differ.
        """
        if not self.is_complete(y):
            found = labels_in_order(y_hat)
            wrong = sum(p != q for p, q in zip(y, found, strict=False))
            return float(wrong + abs(len(y) - len(found)))
        if self.task_loss == "segments":
            a = {s for s in map(tuple, y) if s[2] != self.outside}
            b = {s for s in map(tuple, y_hat) if s[2] != self.outside}
            return float(len(a ^ b))
        p = [label for a, b, label in y for _ in range(b - a)]
        q = [label for a, b, label in y_hat for _ in range(b - a)]
        if len(p) != len(q):
            raise ValueError(
                f"y covers {len(p)} tokens and y_hat {len(q)}, expected the same number"
            )
        return float(sum(s != t for s, t in zip(p, q, strict=True)))

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """Starts, ends and labels, as an index into (T + 1, T + 1, K)."""
        index = {label: k for k, label in enumerate(self.classes_)}
        known = [(a, b, index[label]) for a, b, label in y if label in index]
        return tuple(np.array(known, dtype=np.int64).reshape(-1, 3).T)

    def enumerate(self, x: Any) -> Iterable[list[tuple[int, int, Any]]]:
        """All segmentations of x."""
        n = int(self.encoder_.transform([x]).lengths[0])

        def cut(a: int) -> Iterator[list[tuple[int, int, Any]]]:
            if a == n:
                yield []
                return
            for label, longest in zip(self.classes_, self.longest_, strict=True):
                for b in range(a + 1, min(n, a + int(longest)) + 1):
                    for rest in cut(b):
                        yield [(a, b, label), *rest]

        return cut(0)

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Examples are checked while they are packed."""


def labels_in_order(y: Any) -> list[Any]:
    """Labels of segments, or what is a list of labels already."""
    return [s[2] if isinstance(s, (tuple, list)) and len(s) == 3 else s for s in y]


def check_segmentations(Y: Sequence[Any], lengths: NDArray[np.int64]) -> None:
    """Raise unless every y covers its sequence with segments, in order and without gaps."""
    if len(Y) != len(lengths):
        raise ValueError(f"y has {len(Y)} segmentations, but X has {len(lengths)}")
    for i, (y, n) in enumerate(zip(Y, lengths.tolist(), strict=True)):
        at = 0
        if not isinstance(y, Iterable) or isinstance(y, (str, bytes)):
            raise TypeError(
                f"y: example {i} must be a list of segments, got {type(y).__name__}"
            )
        for segment in y:
            if not (isinstance(segment, (tuple, list)) and len(segment) == 3):
                raise TypeError(
                    f"y: example {i} has {segment!r}, expected (start, end, label)"
                )
            a, b, _ = segment
            if not (isinstance(a, _WHOLE) and isinstance(b, _WHOLE)):
                raise TypeError(
                    f"y: example {i} has the segment {tuple(segment)!r}, expected whole "
                    "numbers as start and end"
                )
            if a != at or b <= a:
                raise ValueError(
                    f"y: example {i} has the segment {tuple(segment)!r}, expected one that "
                    f"starts at {at} and ends after it"
                )
            at = int(b)
        if at != n:
            raise ValueError(
                f"y: example {i} covers {at} tokens, but the sequence has {n}"
            )


__all__ = ["PackedSegments", "SegmentSpace"]
