"""Sequences with missing labels: what `SequenceSpace` does for `LatentStructuralSVM`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.spaces._encoding import FeatureEncoder
from pystruct_ext.spaces._labels import as_lists, check_lengths
from pystruct_ext.spaces._partial import (
    KnownLabels,
    all_known,
    best_agreeing,
    runs,
)
from pystruct_ext.spaces._sequences import CodedLabels, PackedSequences, cut
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.spaces.constraints import Allowed
from pystruct_ext.utils.examples import as_sequence


class PartlyLabelled(CompiledSpace):
    """The part of `SequenceSpace` that is about outputs with missing labels."""

    constraints: Any
    classes_: list[Any]
    encoder_: FeatureEncoder
    allowed_: Allowed

    def encode(self, X: Sequence[Any]) -> PackedSequences:
        """Packed features, which ``pack`` and ``impute_batch`` take as they are."""
        return PackedSequences(self._rows_of(X))

    def _rows_of(self, X: Any) -> PackedRows:
        return X.rows if isinstance(X, PackedSequences) else self.encoder_.transform(X)

    # Outputs with missing labels.

    def is_complete(self, y: Any) -> bool:
        """Whether no label is missing (None) or a set."""
        return all_known(as_sequence(y))

    def impute(self, w: NDArray[np.float64], x: Any, y: Any) -> list[Any]:
        """The best labels of x among those that agree with y."""
        found: list[Any] = self.impute_batch(w, [x], [y])[0]
        return found

    def impute_batch(
        self,
        w: NDArray[np.floating],
        X: Sequence[Any],
        Y: Sequence[Any],
        n_threads: int = 1,
    ) -> list[list[Any]]:
        """The best labels of every x among those that agree with y: Viterbi with a mask.

        Raises
        ------
        ValueError
            If the constraints forbid all label sequences that agree.
        """
        rows = self._rows_of(X)
        known = self._known(rows, Y)
        packed = PackedSequences(rows, known.some(), None, known)
        # What y rules out costs 1.
        oracle = self._bound(packed, (~known.allowed).astype(np.float64))
        codes = best_agreeing(oracle, self._own(w), None, n_threads, self._nothing)
        flat = np.concatenate(codes)
        self._check_agreement(flat, known, rows.offsets)
        return self.labels_of(flat, rows.offsets)

    def complete_part(
        self, X: Sequence[Any], Y: Sequence[Any]
    ) -> tuple[PackedSequences, CodedLabels, NDArray[np.int64]] | None:
        """Runs of tokens whose labels are known, as sequences of their own."""
        rows = self._rows_of(X)
        known = self._known(rows, Y)
        pieces = runs(known.is_label(), rows.offsets)
        if not self.allowed_.unrestricted:
            # A piece is no whole sequence: its ends must be ones that the constraints allow.
            start, end = self.allowed_.start, self.allowed_.end
            a, b = known.kinds[pieces[:, 0]], known.kinds[pieces[:, 1] - 1]
            pieces = pieces[start[a] & end[b]]
            same = known.kinds
            legal = self.allowed_.transition[
                same[:-1].clip(max=len(start) - 1), same[1:].clip(max=len(start) - 1)
            ]
            broken = np.concatenate([[0], np.cumsum(~legal)])
            pieces = pieces[broken[pieces[:, 1] - 1] == broken[pieces[:, 0]]]
        if not len(pieces):
            return None
        kept, at = cut(rows, pieces)
        coded = CodedLabels(known.kinds[at], self.classes_)
        parents = np.searchsorted(rows.offsets, pieces[:, 0], side="right") - 1
        return PackedSequences(kept), coded, parents

    def _known(self, rows: PackedRows, Y: Sequence[Any]) -> KnownLabels:
        labels = as_lists(Y)
        check_lengths(rows.lengths, labels)
        return KnownLabels.of(labels, self.classes_)

    def _check_agreement(
        self,
        labels: NDArray[np.int32],
        known: KnownLabels,
        offsets: NDArray[np.int64],
    ) -> None:
        """Labels must agree with what is known of them, and with the constraints."""
        odd = np.flatnonzero(~known.agree(labels))
        if len(odd):
            i = int(np.searchsorted(offsets, odd[0], side="right")) - 1
            raise ValueError(
                f"{self._nothing(i)}; see token {int(odd[0] - offsets[i])}"
            )
        self._check_legal(labels, offsets)

    def _nothing(self, i: int) -> str:
        return (
            f"y: example {i} has no labels that agree with those given and that "
            f"constraints={self.constraints!r} allows"
        )

    def loss_augmented_decode(self, w: NDArray[np.floating], x: Any, y: Any) -> Any:
        """Most violating output of (x, y); labels of y may be missing."""
        if self.is_complete(y):
            return super().loss_augmented_decode(w, x, y)
        packed = self.pack([x], observed=[y])
        if packed.known is not None:
            packed.labels = packed.known.some()
        return self._best(w, packed, 1.0)

    # Of the space itself.

    def pack(
        self,
        X: Sequence[Any],
        Y: Sequence[Any] | None = None,
        token_weight: Sequence[Any] | None = None,
        observed: Sequence[Any] | None = None,
    ) -> PackedSequences:
        """See `SequenceSpace`."""
        raise NotImplementedError

    def labels_of(
        self, codes: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> list[list[Any]]:
        """See `SequenceSpace`."""
        raise NotImplementedError

    def _bound(self, packed: PackedSequences, costs: NDArray[np.floating]) -> Oracle:
        raise NotImplementedError

    def _check_legal(
        self, labels: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> None:
        raise NotImplementedError


__all__ = ["PartlyLabelled"]
