"""Checks and small array helpers of `ragged`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

INT32_MAX = 2**31 - 1
# Elements per piece when scanning large arrays: temporaries stay in the cache.
_CHUNK = 1 << 16


def float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    result = np.dtype(dtype)
    if result not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {result}")
    return result


def example(i: int | None) -> str:
    return "X" if i is None else f"X: example {i}"


def require_real(dtype: np.dtype[Any], i: int | None) -> None:
    if dtype.kind not in "biuf":
        raise TypeError(f"{example(i)} must hold real numbers, got dtype {dtype}")


def require_rows(n: int, i: int | None) -> None:
    if n == 0:
        raise ValueError(f"{example(i)} is empty: at least one row is needed")


def same_width(expected: int, seen: int, i: int) -> int:
    if expected >= 0 and seen != expected:
        raise ValueError(f"X: example {i} has {seen} features, expected {expected}")
    if seen > INT32_MAX:
        raise ValueError(f"X: example {i} has {seen} features, at most {INT32_MAX}")
    return seen


def check_sparse(x: Any, where: str = "X") -> None:
    """Raise unless the arrays of a sparse matrix make a matrix.

    SciPy trusts them, and so do kernels: an index beyond the width is read and written
    outside of an array. So this comes before anything else looks at a matrix of a user.
    What is dense, or of a format without index arrays, passes. Costs a pass over the
    index arrays, and no memory that depends on the width.

    Parameters
    ----------
    x : object
    where : str
        What errors call it.

    Raises
    ------
    TypeError
        If index arrays are not of whole numbers.
    ValueError
        If their lengths, order or entries contradict the shape.
    """
    form = getattr(x, "format", None)
    if form == "coo":
        for side, length in zip(("row", "col"), x.shape, strict=False):
            array = _index_array(x, side, where)
            if len(array) != len(x.data):
                raise ValueError(
                    f"{where}: {side} has {len(array)} entries, data has {len(x.data)}"
                )
            _check_entries(array, length, f"{where}: {side}")
    elif hasattr(x, "indptr") and form != "bsr":
        _check_compressed(x, where, transposed=form == "csc")
    elif form == "bsr":
        x.check_format(full_check=True)


def _index_array(x: Any, name: str, where: str) -> NDArray[Any]:
    array: Any = getattr(x, name)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        seen = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{where}: {name} must be an array of integers, got {seen}")
    if array.ndim != 1:
        raise ValueError(f"{where}: {name} must be 1-D, got shape {array.shape}")
    return array


def _check_entries(array: NDArray[Any], length: int, what: str) -> None:
    if len(array) and not (array.min() >= 0 and array.max() < length):
        at = int(np.flatnonzero((array < 0) | (array >= length))[0])
        raise ValueError(f"{what}[{at}] is {array[at]}, expected 0 <= index < {length}")


def _check_compressed(x: Any, where: str, transposed: bool) -> None:
    """Check a CSR matrix, or a CSC one transposed."""
    indptr = _index_array(x, "indptr", where)
    indices = _index_array(x, "indices", where)
    if len(x.shape) != 2:
        raise ValueError(f"{where} must be 2-D, got shape {x.shape}")
    rows, width = x.shape[::-1] if transposed else x.shape
    data = x.data
    if not isinstance(data, np.ndarray) or data.ndim != 1:
        raise ValueError(f"{where}: data must be a 1-D array")
    if len(data) != len(indices):
        raise ValueError(
            f"{where}: data has {len(data)} entries, indices has {len(indices)}"
        )
    if len(indptr) != rows + 1:
        raise ValueError(
            f"{where}: indptr does not fit the matrix: {len(indptr)} entries, expected "
            f"{rows + 1}"
        )
    # Compared, not subtracted: unsigned entries and those near 2^63 would wrap.
    falls = indptr[1:] < indptr[:-1]
    if indptr[0] != 0 or falls.any() or indptr[-1] > len(indices):
        raise ValueError(
            f"{where}: indptr does not fit the matrix: it must start at 0, never fall and "
            f"end at {len(indices)} or before"
        )
    indices = indices[: int(indptr[-1])]
    if len(indices) == 0 or (indices.min() >= 0 and indices.max() < width):
        return
    at = int(np.flatnonzero((indices < 0) | (indices >= width))[0])
    row = int(np.searchsorted(indptr, at, side="right")) - 1
    name = f"{where}: {'column' if transposed else 'row'} {row}"
    if not transposed and where == "X":
        name = f"X: example {row}, row 0"  # every row is an example
    raise ValueError(
        f"{name} has {'row' if transposed else 'feature'} index {indices[at]}, expected "
        f"0 <= index < {width}"
    )


def require_csr(x: Any, what: str, i: int | None) -> None:
    """Check everything but the values of a CSR matrix."""
    if not all(hasattr(x, a) for a in ("indptr", "indices", "data", "shape")) or (
        getattr(x, "format", "csr") != "csr"
    ):
        seen = getattr(x, "format", None) or type(x).__name__
        raise TypeError(f"{what} must be a CSR matrix, got {seen}")
    _check_compressed(x, what, transposed=False)
    require_real(x.data.dtype, i)


def chunks(n: int) -> Iterator[slice]:
    return (slice(k, min(n, k + _CHUNK)) for k in range(0, n, _CHUNK))


def first_not_finite(values: NDArray[Any]) -> int | None:
    for part in chunks(len(values)):
        finite = np.isfinite(values[part])
        if not finite.all():
            return int(part.start) + int(np.argmin(finite))
    return None


def check_increasing(array: NDArray[np.int64], name: str, *, strictly: bool) -> None:
    for part in chunks(len(array) - 1):
        a, b = array[part], array[part.start + 1 : part.stop + 1]
        bad = a >= b if strictly else a > b
        if bad.any():
            k = part.start + int(np.argmax(bad))
            if strictly and array[k] == array[k + 1]:
                raise ValueError(f"X: example {k} is empty: at least one row is needed")
            raise ValueError(
                f"{name} must not decrease: {array[k]}, {array[k + 1]} at {k}"
            )


def ends(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    out = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=out[1:])
    return out


def gather(
    array: NDArray[Any], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[Any]:
    """Concatenate ``array[first[k]:last[k]]`` over k."""
    out = np.empty(int((last - first).sum()), dtype=array.dtype)
    at = 0
    for a, b in zip(first.tolist(), last.tolist(), strict=True):
        out[at : at + b - a] = array[a:b]
        at += b - a
    return out
