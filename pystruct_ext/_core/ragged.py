"""Packed rows: the features of ragged examples in a handful of flat arrays.

An example is a run of rows (the tokens of a sentence, the documents of a query, the
one row of a multiclass example). Every compiled kernel reads rows through these arrays
only, dense or sparse.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from pystruct_ext._core._ragged_checks import (
    INT32_MAX,
    check_increasing,
    check_sparse,
    ends,
    first_not_finite,
    float_dtype,
    gather,
    require_csr,
    require_real,
    require_rows,
    same_width,
)
from pystruct_ext._core._ragged_file import read_rows, write_rows

__all__ = ["PackedRows", "check_sparse"]


@dataclass(frozen=True, eq=False, repr=False)
class PackedRows:
    """Feature rows of many examples, packed.

    Parameters
    ----------
    offsets : ndarray of shape (n_examples + 1,), int64
        Rows of example i are ``offsets[i]:offsets[i + 1]``; never empty.
    indptr : ndarray of shape (n_rows + 1,), int64, or None
        Stored entries of row r are ``indptr[r]:indptr[r + 1]``; None if dense.
    indices : ndarray of shape (nnz,), int32, or None
        Feature of each stored entry, in any order, possibly repeated within a row
        (repeated entries add up); None if dense.
    values : ndarray of float32 or float64, or None
        Shape (nnz,) if sparse, (n_rows * n_features,) in C order if dense; None means
        that every stored entry is 1 (sparse only).
    n_features : int
        Number of columns.

    Raises
    ------
    ValueError
        If the arrays contradict one another, an index is out of range or a value is
        NaN or infinite.
    TypeError
        If an array has the wrong dtype.

    Examples
    --------
    >>> import numpy as np
    >>> rows = PackedRows.from_dense([np.eye(2), np.ones((1, 2))], np.float32)
    >>> rows.n_examples, rows.n_rows, rows.n_features
    (2, 3, 2)
    >>> rows.take([1]).values
    array([1., 1.], dtype=float32)
    """

    offsets: NDArray[np.int64]
    indptr: NDArray[np.int64] | None
    indices: NDArray[np.int32] | None
    values: NDArray[Any] | None
    n_features: int

    def __post_init__(self) -> None:
        for name, dtypes in (
            ("offsets", (np.int64,)),
            ("indptr", (np.int64,)),
            ("indices", (np.int32,)),
            ("values", (np.float32, np.float64)),
        ):
            array = getattr(self, name)
            if array is None:
                continue
            wanted = " or ".join(np.dtype(d).name for d in dtypes)
            if not isinstance(array, np.ndarray) or array.dtype not in dtypes:
                seen = getattr(array, "dtype", type(array).__name__)
                raise TypeError(f"{name} must be an array of {wanted}, got {seen}")
            if array.ndim != 1:
                raise ValueError(f"{name} must be 1-D, got shape {array.shape}")
            # Kernels read through plain pointers.
            if not (array.flags.c_contiguous and array.flags.aligned):
                object.__setattr__(self, name, array.copy())
        if self.offsets is None:
            raise TypeError("offsets must be an array of int64, got NoneType")
        object.__setattr__(self, "n_features", int(self.n_features))
        if not 0 <= self.n_features <= INT32_MAX:
            raise ValueError(
                f"n_features must be between 0 and {INT32_MAX}, got {self.n_features}"
            )
        if len(self.offsets) == 0 or self.offsets[0] != 0:
            raise ValueError("offsets must start with 0")
        check_increasing(self.offsets, "offsets", strictly=True)
        if self.is_dense:
            self._check_dense()
        else:
            self._check_sparse()

    def _check_dense(self) -> None:
        if self.indices is not None:
            raise ValueError("indices must be None when indptr is None (dense rows)")
        if self.values is None:
            raise ValueError("values must not be None when indptr is None (dense rows)")
        expected = self.n_rows * self.n_features
        if len(self.values) != expected:
            raise ValueError(
                f"values must have n_rows * n_features = {expected} entries, "
                f"got {len(self.values)}"
            )
        at = first_not_finite(self.values)
        if at is not None:
            raise ValueError(
                self._where(at // self.n_features) + " has NaN or infinity"
            )

    def _check_sparse(self) -> None:
        indptr, indices, values = self.indptr, self.indices, self.values
        if indptr is None or indices is None:
            raise ValueError("indices must not be None when indptr is given")
        if len(indptr) != self.n_rows + 1:
            raise ValueError(
                f"indptr must have n_rows + 1 = {self.n_rows + 1} entries, "
                f"got {len(indptr)}"
            )
        if indptr[0] != 0 or indptr[-1] != len(indices):
            raise ValueError(
                f"indptr must go from 0 to nnz = {len(indices)}, "
                f"got {indptr[0]} to {indptr[-1]}"
            )
        check_increasing(indptr, "indptr", strictly=False)
        if len(indices) and not (
            indices.min() >= 0 and indices.max() < self.n_features
        ):
            at = int(np.flatnonzero((indices < 0) | (indices >= self.n_features))[0])
            raise ValueError(
                f"{self._where(self._row_of(at))} has feature index {indices[at]}, "
                f"expected 0 <= index < {self.n_features}"
            )
        if values is None:
            return
        if len(values) != len(indices):
            raise ValueError(
                f"values must have nnz = {len(indices)} entries, got {len(values)}"
            )
        at_bad = first_not_finite(values)
        if at_bad is not None:
            raise ValueError(self._where(self._row_of(at_bad)) + " has NaN or infinity")

    def _row_of(self, entry: int) -> int:
        indptr: NDArray[np.int64] = self.indptr  # type: ignore[assignment]
        return int(np.searchsorted(indptr, entry, side="right")) - 1

    def _where(self, row: int) -> str:
        i = int(np.searchsorted(self.offsets, row, side="right")) - 1
        return f"X: example {i}, row {row - int(self.offsets[i])}"

    def __repr__(self) -> str:
        kind = "dense" if self.is_dense else "sparse"
        return (
            f"<PackedRows: {self.n_examples} examples, {self.n_rows} {kind} rows of "
            f"{self.n_features} features, {self.nbytes} bytes>"
        )

    def __len__(self) -> int:
        return self.n_examples

    @property
    def n_examples(self) -> int:
        """Number of examples."""
        return len(self.offsets) - 1

    @property
    def n_rows(self) -> int:
        """Number of rows of all examples together."""
        return int(self.offsets[-1])

    @property
    def nnz(self) -> int:
        """Number of stored entries (``n_rows * n_features`` if dense)."""
        if self.indices is not None:
            return len(self.indices)
        return self.n_rows * self.n_features

    @property
    def is_dense(self) -> bool:
        """Whether every entry of a row is stored."""
        return self.indptr is None

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Type of the values; None if all of them are an implied 1."""
        return None if self.values is None else self.values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays together."""
        arrays = (self.offsets, self.indptr, self.indices, self.values)
        return sum(a.nbytes for a in arrays if a is not None)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of rows of each example, shape (n_examples,), int64."""
        return np.diff(self.offsets)

    @classmethod
    def from_dense(
        cls, X: Sequence[ArrayLike], dtype: DTypeLike = np.float64
    ) -> PackedRows:
        """Pack a list of dense examples.

        Parameters
        ----------
        X : list of array-like of shape (T_i, d)
            Numbers; T_i >= 1 rows each, the same d everywhere.
        dtype : float32 or float64
            Type the values are stored in.

        Returns
        -------
        PackedRows
            Dense; a copy.

        Raises
        ------
        ValueError
            For an empty list, an empty example, differing widths, a wrong number of
            dimensions, NaN or infinity (also after rounding to `dtype`).
        TypeError
            For entries that are not real numbers.

        Examples
        --------
        >>> PackedRows.from_dense([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]]).lengths
        array([1, 2])
        """
        dtype = float_dtype(dtype)
        if len(X) == 0:
            raise ValueError("X is empty: at least one example is needed")
        width = -1
        offsets = np.zeros(len(X) + 1, dtype=np.int64)
        arrays = []
        for i, x in enumerate(X):
            try:
                array = np.asarray(x)
            except ValueError as error:
                raise ValueError(
                    f"X: example {i} must be a 2-D array of numbers: {error}"
                ) from error
            if array.ndim != 2:
                raise ValueError(
                    f"X: example {i} must be a 2-D array (rows, features), "
                    f"got shape {array.shape}"
                )
            require_real(array.dtype, i)
            width = same_width(width, array.shape[1], i)
            require_rows(array.shape[0], i)
            offsets[i + 1] = offsets[i] + array.shape[0]
            arrays.append(array)
        values = np.empty(int(offsets[-1]) * width, dtype=dtype)
        block = values.reshape(-1, width) if width else np.empty((int(offsets[-1]), 0))
        with np.errstate(over="ignore", invalid="ignore"):
            for i, array in enumerate(arrays):
                block[offsets[i] : offsets[i + 1]] = array
        return cls(offsets, None, None, values, width)

    @classmethod
    def from_csr(cls, X: Sequence[Any], dtype: DTypeLike = np.float64) -> PackedRows:
        """Pack a list of sparse examples.

        Parameters
        ----------
        X : list of CSR matrices or arrays of shape (T_i, d)
            Anything with SciPy's ``indptr``, ``indices``, ``data`` and ``shape``.
            Entries keep their order; repeated ones are kept and add up.
        dtype : float32 or float64
            Type the values are stored in.

        Returns
        -------
        PackedRows
            Sparse; a copy. ``values`` is None if every stored entry is 1.

        Raises
        ------
        ValueError
            As `from_dense`, and for an index out of range or an inconsistent indptr.
        TypeError
            For an example that is not in CSR format or not of real numbers.

        Examples
        --------
        >>> import numpy as np, scipy.sparse as sp
        >>> rows = PackedRows.from_csr([sp.csr_array(np.eye(3))], np.float32)
        >>> rows.indices, rows.values
        (array([0, 1, 2], dtype=int32), None)
        """
        dtype = float_dtype(dtype)
        if len(X) == 0:
            raise ValueError("X is empty: at least one example is needed")
        width = -1
        offsets = np.zeros(len(X) + 1, dtype=np.int64)
        starts = np.zeros(len(X) + 1, dtype=np.int64)
        for i, x in enumerate(X):
            require_csr(x, f"X: example {i}", i)
            width = same_width(width, int(x.shape[1]), i)
            require_rows(int(x.shape[0]), i)
            offsets[i + 1] = offsets[i] + int(x.shape[0])
            starts[i + 1] = starts[i] + int(x.indptr[-1])
        nnz = int(starts[-1])
        indptr = np.zeros(int(offsets[-1]) + 1, dtype=np.int64)
        indices = np.empty(nnz, dtype=np.int32)
        values = np.empty(nnz, dtype=dtype)
        ones = True
        for i, x in enumerate(X):
            a, b = int(starts[i]), int(starts[i + 1])
            n = b - a
            indptr[offsets[i] + 1 : offsets[i + 1] + 1] = a + x.indptr[1:].astype(
                np.int64
            )
            indices[a:b] = x.indices[:n]
            with np.errstate(over="ignore", invalid="ignore"):
                values[a:b] = x.data[:n]
            ones = ones and bool((values[a:b] == 1).all())
        return cls(offsets, indptr, indices, None if ones else values, width)

    @classmethod
    def from_matrix(cls, X: Any, dtype: DTypeLike = np.float64) -> PackedRows:
        """Pack a matrix, every row an example of its own.

        Parameters
        ----------
        X : array-like of shape (n, d) or CSR matrix or array
            Numbers.
        dtype : float32 or float64
            Type the values are stored in.

        Returns
        -------
        PackedRows
            n examples of one row; a copy.

        Raises
        ------
        ValueError, TypeError
            As `from_dense` and `from_csr`; examples are named by row.

        Examples
        --------
        >>> PackedRows.from_matrix([[1.0, 2.0], [3.0, 4.0]]).n_examples
        2
        """
        if hasattr(X, "indptr") or getattr(X, "format", None) is not None:
            require_csr(X, "X", None)
            dtype = float_dtype(dtype)
            require_rows(int(X.shape[0]), None)
            same_width(-1, int(X.shape[1]), 0)
            nnz = int(X.indptr[-1])
            indptr = X.indptr.astype(np.int64)
            with np.errstate(over="ignore", invalid="ignore"):
                values = X.data[:nnz].astype(dtype)
            return cls(
                np.arange(int(X.shape[0]) + 1, dtype=np.int64),
                indptr,
                X.indices[:nnz].astype(np.int32),
                None if (values == 1).all() else values,
                int(X.shape[1]),
            )
        array = np.asarray(X)
        if array.ndim != 2:
            raise ValueError(
                f"X must be a 2-D array (examples, features), got shape {array.shape}"
            )
        require_real(array.dtype, None)
        require_rows(array.shape[0], None)
        same_width(-1, array.shape[1], 0)
        dtype = float_dtype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            values = array.astype(dtype, order="C").reshape(-1)
        offsets = np.arange(len(array) + 1, dtype=np.int64)
        return cls(offsets, None, None, values, array.shape[1])

    def take(self, ids: ArrayLike) -> PackedRows:
        """Copy some examples, in the order given; an example may be taken repeatedly.

        Parameters
        ----------
        ids : array-like of int of shape (m,)
            ``0 <= id < n_examples``; negative ids are refused, not wrapped.

        Returns
        -------
        PackedRows
            m examples.

        Raises
        ------
        ValueError
            If an id is out of range or `ids` is not a 1-D array of integers.

        Examples
        --------
        >>> rows = PackedRows.from_matrix([[1.0], [2.0], [3.0]])
        >>> rows.take([2, 0]).values
        array([3., 1.])
        """
        chosen = np.asarray(ids)
        if chosen.ndim != 1 or (len(chosen) and chosen.dtype.kind not in "iu"):
            raise ValueError(
                f"ids must be a 1-D array of integers, got shape {chosen.shape} of "
                f"{chosen.dtype}"
            )
        chosen = chosen.astype(np.int64)
        if len(chosen) and not (chosen.min() >= 0 and chosen.max() < self.n_examples):
            at = int(np.flatnonzero((chosen < 0) | (chosen >= self.n_examples))[0])
            raise ValueError(
                f"ids[{at}] is {chosen[at]}, expected 0 <= id < {self.n_examples}"
            )
        first, last = self.offsets[chosen], self.offsets[chosen + 1]
        offsets = ends(last - first)
        if self.indptr is None or self.indices is None:
            width = self.n_features
            dense: NDArray[Any] = self.values  # type: ignore[assignment]
            return PackedRows(
                offsets, None, None, gather(dense, first * width, last * width), width
            )
        a, b = self.indptr[first], self.indptr[last]
        row_sizes = gather(np.diff(self.indptr), first, last)
        values = None if self.values is None else gather(self.values, a, b)
        return PackedRows(
            offsets,
            ends(row_sizes),
            gather(self.indices, a, b),
            values,
            self.n_features,
        )

    def rows(self, i: int) -> list[tuple[NDArray[np.int32], NDArray[Any]]]:
        """Rows of one example, for readable reference implementations.

        Parameters
        ----------
        i : int
            Example, ``0 <= i < n_examples``.

        Returns
        -------
        list of (indices, values)
            One pair of arrays of equal length per row, int32 and float.

        Raises
        ------
        IndexError
            If there is no such example.

        Examples
        --------
        >>> PackedRows.from_matrix([[0.0, 2.0]]).rows(0)
        [(array([0, 1], dtype=int32), array([0., 2.]))]
        """
        if not 0 <= i < self.n_examples:
            raise IndexError(f"example {i} of {self.n_examples}")
        span = range(int(self.offsets[i]), int(self.offsets[i + 1]))
        d = self.n_features
        if self.indptr is None or self.indices is None:
            every = np.arange(d, dtype=np.int32)
            dense: NDArray[Any] = self.values  # type: ignore[assignment]
            return [(every, dense[r * d : (r + 1) * d]) for r in span]
        result = []
        for r in span:
            part = slice(int(self.indptr[r]), int(self.indptr[r + 1]))
            ones = np.ones(part.stop - part.start)
            result.append(
                (self.indices[part], ones if self.values is None else self.values[part])
            )
        return result

    def to_csr_arrays(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]:
        """Rows as the three arrays of a CSR matrix of shape (n_rows, n_features).

        Returns
        -------
        indptr : ndarray of shape (n_rows + 1,), int64
        indices : ndarray of shape (nnz,), int32
        values : ndarray of shape (nnz,)
            float64 ones if `values` is None. Views where nothing had to be made.

        Examples
        --------
        >>> PackedRows.from_matrix([[5.0, 6.0]]).to_csr_arrays()[0]
        array([0, 2])
        """
        if self.indptr is not None and self.indices is not None:
            values = np.ones(self.nnz) if self.values is None else self.values
            return self.indptr, self.indices, values
        indptr = np.arange(self.n_rows + 1, dtype=np.int64) * self.n_features
        indices = np.tile(np.arange(self.n_features, dtype=np.int32), self.n_rows)
        return indptr, indices, self.values  # type: ignore[return-value]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file that `load` can map into memory.

        The file appears complete or not at all: it is written beside its place under a
        temporary name, then moved. The format is described in
        ``_ragged_file.py``.

        Parameters
        ----------
        path : path-like
            Replaced if it exists.

        Raises
        ------
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "rows.psx")
        ...     PackedRows.from_matrix([[1.0]]).save(path)
        ...     PackedRows.load(path, mmap=False).n_rows
        1
        """
        arrays = (self.offsets, self.indptr, self.indices, self.values)
        shape = (self.n_examples, self.n_rows, self.nnz, self.n_features)
        write_rows(Path(path), shape, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], mmap: bool = True) -> PackedRows:
        """Read a file written by `save`.

        Parameters
        ----------
        path : path-like
            The file.
        mmap : bool, default True
            Map the file instead of reading it; the arrays are then read-only and
            processes that map the same file share its memory.

        Returns
        -------
        PackedRows
            Checked like any other: a damaged file cannot lead a kernel astray.

        Raises
        ------
        ValueError
            If the file is not one, is truncated or damaged.
        OSError
            If the file cannot be read.

        Examples
        --------
        See `save`.
        """
        (n_rows, nnz, n_features), arrays = read_rows(path, mmap)
        try:
            rows = cls(*arrays, n_features)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if rows.n_rows != n_rows or rows.nnz != nnz:
            raise ValueError(f"{path}: the header contradicts the arrays")
        return rows
