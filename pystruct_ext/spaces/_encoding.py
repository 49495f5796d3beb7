"""Feature sequences of any accepted kind, packed."""

from __future__ import annotations

from typing import Any

import numpy as np

from pystruct_ext._core.features import (
    ColumnTable,
    HashedVocabulary,
    Template,
    Vocabulary,
    encode_sequences,
)
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces.wide import occurring, renumbered
from pystruct_ext.utils.examples import (
    check_unmasked,
    frame_is_numeric,
    frame_rows,
    is_frame,
)
from pystruct_ext.utils.fitted import INT32_MAX, Fitted

KINDS = ("packed", "columns", "dense", "csr", "names")
_STATE = (
    *("template", "min_count", "hash_bits", "dtype", "kind", "n_features"),
    *("width", "columns", "column_names"),
)
# Dense rows with fewer nonzeros than this are faster, and smaller, as sparse rows.
_SPARSE_BELOW = 0.4


def kind_of(X: Any, template: str | None) -> str:
    """Which of the accepted kinds X is.

    Returns
    -------
    {"packed", "columns", "dense", "csr", "names"}

    Raises
    ------
    TypeError
        If it is none of them.
    """
    if isinstance(X, PackedRows):
        return "packed"
    if isinstance(X, ColumnTable) or template is not None:
        if template is None:
            raise TypeError(
                "X is a table of columns, which needs a template: SequenceSVM(template=...)"
            )
        return "columns"
    if isinstance(X, (str, bytes)) or not hasattr(X, "__getitem__"):
        raise TypeError(
            "X must be a list of sequences (arrays, CSR matrices or lists of feature "
            f"collections), got {type(X).__name__}"
        )
    if len(X) == 0:
        raise ValueError("X holds no examples, expected at least 1")
    first = X[0]
    if hasattr(first, "indptr"):
        return "csr"
    if is_frame(first):
        return "dense" if all(map(_is_numeric_frame, X)) else "names"
    if isinstance(first, np.ndarray):
        return "dense" if first.dtype.kind not in "OUS" else "names"
    if isinstance(first, (list, tuple)):
        if len(first) and isinstance(first[0], (list, tuple, np.ndarray)):
            token = first[0]
            if len(token) and isinstance(token[0], (int, float, np.number)):
                return "dense"
        return "names"
    raise TypeError(
        "X: example 0 must be a (T, d) array, a CSR matrix, a data frame or a list of T "
        f"feature collections, got {type(first).__name__}"
    )


def _is_numeric_frame(x: Any) -> bool:
    return not is_frame(x) or frame_is_numeric(x)


def _as_tokens(X: Any) -> Any:
    """Sequences of names as lists: arrays of strings, and frames with strings, too."""
    if type(X) is list and set(map(type, X)) <= {list, tuple}:
        return X
    return [
        frame_rows(x)
        if is_frame(x)
        else (x.tolist() if isinstance(x, np.ndarray) else x)
        for x in X
    ]


@storable(old_tag="encoder")
class FeatureEncoder:
    """Turns feature sequences into `PackedRows`; remembers the names it has seen.

    Parameters
    ----------
    template : str or None
        CRF++ template, for columns.
    min_count : int
        Names seen less often are dropped at fit.
    hash_bits : int or None
        Hash names to ``2 ** hash_bits`` columns instead of remembering them.
    dtype : numpy.dtype
        Type of the values.
    """

    def __init__(
        self,
        template: str | None,
        min_count: int,
        hash_bits: int | None,
        dtype: np.dtype[Any],
    ) -> None:
        self.template = template
        self.min_count = min_count
        self.hash_bits = hash_bits
        self.dtype = dtype
        self.kind = ""
        self.n_features = 0
        # Names of the columns, where the examples are data frames of numbers.
        self.column_names: list[str] | None = None
        self.width = 0
        self.columns: np.ndarray | None = None
        self.vocabulary: Vocabulary | HashedVocabulary | None = None

    def fit(self, X: Any) -> PackedRows:
        """Learn names and widths from X, and pack it."""
        self.kind = kind_of(X, self.template)
        self.column_names = None
        if self.kind == "dense" and is_frame(X[0]):
            self.column_names = [str(c) for c in X[0].columns]
        if self.kind in ("names", "columns"):
            self.vocabulary = (
                Vocabulary()
                if self.hash_bits is None
                else HashedVocabulary(self.hash_bits)
            )
        packed = self._pack(X, grow=True)
        self.width, self.columns = packed.n_features, None
        numbered = self.vocabulary is not None
        if not numbered:
            self.columns = occurring(packed)
            if self.columns is not None:
                packed = renumbered(packed, self.columns)
        self.n_features = packed.n_features
        return packed

    def transform(self, X: Any) -> PackedRows:
        """Pack X; names not seen at fit are dropped.

        Raises
        ------
        ValueError
            If X has another width or is of another kind than at fit.
        """
        kind = self._kind_of(X)
        matrix = ("dense", "csr", "packed")
        same = kind == self.kind or (kind in matrix and self.kind in matrix)
        # Packed features may have come from names, with the vocabulary outside.
        if not same and kind != "packed":
            raise ValueError(
                f"X holds sequences of kind {kind!r}, but the model was fitted on "
                f"{self.kind!r}"
            )
        packed = self._pack(X, grow=False)
        width = self.n_features if self.columns is None else self.width
        if packed.n_features != width:
            raise ValueError(
                f"X has {packed.n_features} features, but the model was fitted on {width}"
            )
        return packed if self.columns is None else renumbered(packed, self.columns)

    def _kind_of(self, X: Any) -> str:
        kind = kind_of(X, self.template)
        # Frames of numbers where those of the fit had strings, too.
        if kind == "dense" and self.kind == "names" and is_frame(X[0]):
            return "names"
        return kind

    def _pack(self, X: Any, grow: bool) -> PackedRows:
        kind = self._kind_of(X)
        if kind == "packed":
            return _cast(X, self.dtype)
        if kind == "dense":
            arrays = [self._numbers(x, i) for i, x in enumerate(X)]
            return sparsified(PackedRows.from_dense(arrays, self.dtype))
        if kind == "csr":
            return PackedRows.from_csr(X, self.dtype)
        vocabulary = self.vocabulary
        if vocabulary is None:
            raise ValueError("this model was fitted on arrays, X holds feature names")
        if kind == "columns":
            made = Template(self.template or "")
            count = self.min_count if grow and self.hash_bits is None else 1
            extract = (
                made.extract if isinstance(X, ColumnTable) else made.extract_tokens
            )
            offsets, indptr, indices = extract(X, vocabulary, grow, count)
            values = None
        else:
            offsets, indptr, indices, values = encode_sequences(
                _as_tokens(X), vocabulary, grow=grow, dtype=self.dtype
            )
            if grow and self.min_count > 1 and isinstance(vocabulary, Vocabulary):
                indptr, indices, values = _prune(
                    vocabulary, self.min_count, indptr, indices, values
                )
        if len(vocabulary) == 0:
            raise ValueError("X holds no feature names at all, expected at least 1")
        return PackedRows(offsets, indptr, indices, values, len(vocabulary))

    def _numbers(self, x: Any, i: int) -> Any:
        """A sequence of numbers as an array; the columns of a data frame by their names."""
        if not is_frame(x):
            check_unmasked(x, f"X: example {i}")
            return x
        columns = [str(c) for c in x.columns]
        try:
            array = np.asarray(x.to_numpy(), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"X: example {i} must hold numbers: {error}") from None
        if self.column_names is None or columns == self.column_names:
            return array
        if sorted(columns) != sorted(self.column_names):
            raise ValueError(
                f"X: example {i} has the columns {columns}, expected those of the first "
                f"example of the fit: {self.column_names}"
            )
        return array[:, [columns.index(c) for c in self.column_names]]

    def __getstate__(self) -> dict[str, Any]:
        """Plain values and arrays only: what a model file can hold."""
        state = self.__dict__.copy()
        vocabulary = state.pop("vocabulary")
        if isinstance(vocabulary, Vocabulary):
            state["names_blob"], state["names_offsets"] = vocabulary.to_arrays()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuild the vocabulary."""
        state = dict(state)
        blob, offsets = state.pop("names_blob", None), state.pop("names_offsets", None)
        unknown = sorted(set(state) - set(_STATE))
        if unknown:
            raise ValueError(f"FeatureEncoder has no attribute {unknown[0]!r}")
        self.__dict__.update(state)
        # Format version 1 of model files has the name of the type.
        self.dtype = np.dtype(self.dtype)
        # These are younger than format version 2.
        self.width = state.get("width", self.n_features)
        self.columns = state.get("columns")
        self.column_names = state.get("column_names")
        self.vocabulary = None
        if blob is not None:
            self.vocabulary = Vocabulary.from_arrays(blob, offsets)
        elif self.kind in ("names", "columns") and self.hash_bits is not None:
            self.vocabulary = HashedVocabulary(self.hash_bits)

    def check_loaded(self) -> None:
        """Raise unless the attributes are what fitting makes; see `Fitted`."""
        fitted = Fitted(self)
        kind = fitted.one_of("kind", KINDS)
        fitted.one_of("dtype", (np.dtype("float32"), np.dtype("float64")))
        fitted.integer("min_count", 1)
        if self.hash_bits is not None:
            fitted.integer("hash_bits", 1, 30)
        if self.template is not None:
            Template(fitted.instance("template", str))
        d = fitted.integer("n_features", 0, INT32_MAX)
        if kind in ("names", "columns"):
            known = fitted.instance("vocabulary", Vocabulary, HashedVocabulary)
            fitted.equal("n_features", len(known))
        if kind == "columns" and self.template is None:
            raise ValueError(
                "FeatureEncoder.template is None, expected text for columns"
            )
        if self.columns is not None:
            fitted.equal(
                "n_features", fitted.columns("columns", fitted.integer("width", 0))
            )
        if self.column_names is not None:
            fitted.labels("column_names", d, str, d)
        self.check_width(d)

    def check_width(self, n_features: int) -> None:
        """Raise ValueError unless it makes rows of this width."""
        Fitted(self).equal("n_features", n_features)

    def names(self) -> list[str] | None:
        """Feature names in column order, or None where there are none."""
        if isinstance(self.vocabulary, Vocabulary):
            return self.vocabulary.names()
        return self.column_names


def _prune(
    vocabulary: Vocabulary,
    min_count: int,
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Drop rare names from the vocabulary and from the packed entries."""
    new = vocabulary.prune(min_count)[indices]
    keep = new >= 0
    before = np.concatenate([[0], np.cumsum(keep)])
    return (
        before[indptr].astype(np.int64),
        np.ascontiguousarray(new[keep], dtype=np.int32),
        None if values is None else values[keep],
    )


def _cast(packed: PackedRows, dtype: np.dtype[Any]) -> PackedRows:
    if packed.values is None or packed.values.dtype == dtype:
        return packed
    return PackedRows(
        packed.offsets,
        packed.indptr,
        packed.indices,
        packed.values.astype(dtype),
        packed.n_features,
    )


def sparsified(packed: PackedRows) -> PackedRows:
    """The same rows as sparse ones where most entries are zero."""
    values = packed.values
    if not packed.is_dense or values is None or values.size == 0:
        return packed
    nonzero = np.count_nonzero(values)
    if nonzero >= _SPARSE_BELOW * values.size:
        return packed
    flat = np.flatnonzero(values)
    rows = flat // packed.n_features
    indptr = np.concatenate(
        [[0], np.cumsum(np.bincount(rows, minlength=packed.n_rows))]
    )
    kept = values[flat]
    return PackedRows(
        packed.offsets,
        indptr.astype(np.int64),
        (flat % packed.n_features).astype(np.int32),
        None if np.all(kept == 1) else kept,
        packed.n_features,
    )
