"""Packed label sequences, and their tables for the kernel of chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.spaces._partial import KnownLabels
from pystruct_ext.utils.examples import as_examples, as_sequence
from pystruct_ext.utils.weights import real_numbers


@dataclass
class PackedSequences:
    """Sequences as arrays.

    Attributes
    ----------
    rows : PackedRows
        One row of features per token.
    labels : (n_tokens,) int32 or None
        Index of the true label of every token.
    token_weight : (n_tokens,) or None
        Weight of every token in the loss.
    known : KnownLabels or None
        What the loss is measured against, where that is not all of `labels`.
    """

    rows: PackedRows
    labels: NDArray[np.int32] | None = None
    token_weight: NDArray[np.floating] | None = None
    known: KnownLabels | None = None

    def __len__(self) -> int:
        return self.rows.n_examples


class CodedLabels:
    """Labels of all tokens as indices into a list of labels: what file readers give.

    Parameters
    ----------
    codes : (n_tokens,) int32
    classes : list of labels
    """

    def __init__(self, codes: NDArray[np.int32], classes: Sequence[Any]) -> None:
        order = np.argsort(np.array(classes, dtype=object), kind="stable")
        rank = np.empty(len(classes), dtype=np.int32)
        rank[order] = np.arange(len(classes), dtype=np.int32)
        self.codes = rank[codes]
        self.classes = [classes[k] for k in order]

    def __len__(self) -> int:
        return len(self.codes)

    def codes_for(self, classes: list[Any]) -> NDArray[np.int32]:
        """The codes with respect to another list of classes."""
        if classes == self.classes:
            return self.codes
        index = {label: k for k, label in enumerate(classes)}
        unknown = [label for label in self.classes if label not in index]
        if unknown:
            raise ValueError(
                f"y has the label {unknown[0]!r}, which was not seen at fit; known are "
                f"{classes}"
            )
        table = np.array([index[label] for label in self.classes], dtype=np.int32)
        return table[self.codes]


def mask(allowed: NDArray[np.bool_], stride: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """0 where allowed, -inf where not and in the padding."""
    out = np.full((*allowed.shape[:-1], stride), -np.inf, dtype=dtype)
    out[..., : allowed.shape[-1]][allowed] = 0.0
    return out


def token_weights(
    weights: Sequence[Any], lengths: NDArray[np.int64], dtype: np.dtype[Any]
) -> NDArray[np.floating]:
    weights = as_examples(weights, "token_weight")
    if not hasattr(weights, "__len__"):
        raise TypeError(
            "token_weight must be a list of weights, one array per example, got "
            f"{type(weights).__name__}"
        )
    if len(weights) != len(lengths):
        raise ValueError(
            f"token_weight has {len(weights)} examples, but X has {len(lengths)}"
        )
    arrays = []
    for i, v in enumerate(weights):
        where = f"token_weight: example {i}"
        a = real_numbers(v if isinstance(v, np.ndarray) else as_sequence(v), where)
        if a.shape != (lengths[i],):
            raise ValueError(f"{where} has shape {a.shape}, expected ({lengths[i]},)")
        if not np.all(np.isfinite(a)) or np.any(a < 0):
            raise ValueError(f"{where} has a weight that is negative or not finite")
        arrays.append(a)
    return np.concatenate(arrays).astype(dtype)


def seen_pairs(
    rows: PackedRows, known: KnownLabels
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Pairs (feature, label) that occur in the data, as a CSR pattern."""
    k = known.allowed.shape[1]
    keys = np.empty(0, dtype=np.int64)
    missing: NDArray[np.bool_] = np.asarray(known.allowed.all(axis=1))
    missing[:k] = False
    for count in range(1, k + 1):
        # Kinds that allow `count` labels; labels are kinds that allow one.
        of_kind = np.flatnonzero((known.allowed.sum(axis=1) == count) & ~missing)
        tokens = np.flatnonzero(np.isin(known.kinds, of_kind))
        if not len(tokens):
            continue
        kinds = known.kinds[tokens]
        table = np.zeros((len(known.allowed), count), dtype=np.int64)
        table[of_kind] = np.nonzero(known.allowed[of_kind])[1].reshape(-1, count)
        if rows.is_dense or rows.indptr is None or rows.indices is None:
            features = np.arange(rows.n_features, dtype=np.int64)
            new = features[:, None] * k + np.unique(table[kinds])[None, :]
        else:
            lengths = np.diff(rows.indptr)
            entry = _entries(rows.indptr, tokens)
            labels = np.repeat(table[kinds], lengths[tokens], axis=0)
            new = rows.indices[entry].astype(np.int64)[:, None] * k + labels
        keys = np.union1d(keys, new.ravel())
    feature = keys // k
    ptr = np.concatenate(
        [[0], np.cumsum(np.bincount(feature, minlength=rows.n_features))]
    )
    return ptr.astype(np.int64), (keys % k).astype(np.int32)


def _entries(indptr: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the stored entries of some rows, in order."""
    lengths = indptr[rows + 1] - indptr[rows]
    begin = np.repeat(indptr[rows] - np.cumsum(lengths) + lengths, lengths)
    return begin + np.arange(len(begin))


def cut(
    rows: PackedRows, pieces: NDArray[np.int64]
) -> tuple[PackedRows, NDArray[np.int64]]:
    """Stretches of rows as examples of their own, and which rows those are."""
    lengths = pieces[:, 1] - pieces[:, 0]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    at = np.repeat(pieces[:, 0] - offsets[:-1], lengths) + np.arange(offsets[-1])
    if rows.indptr is None or rows.indices is None:
        table: Any = rows.values
        values = table.reshape(-1, rows.n_features)[at].ravel()
        return PackedRows(offsets, None, None, values, rows.n_features), at
    entry = _entries(rows.indptr, at)
    ptr = np.concatenate([[0], np.cumsum(np.diff(rows.indptr)[at])]).astype(np.int64)
    kept = None if rows.values is None else rows.values[entry]
    return PackedRows(offsets, ptr, rows.indices[entry], kept, rows.n_features), at


__all__ = [
    "CodedLabels",
    "PackedSequences",
    "cut",
    "mask",
    "seen_pairs",
    "token_weights",
]
