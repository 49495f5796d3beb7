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


def require_csr(x: Any, what: str, i: int | None) -> None:
    """Check everything but the indices and values of a CSR matrix."""
    if not all(hasattr(x, a) for a in ("indptr", "indices", "data", "shape")) or (
        getattr(x, "format", "csr") != "csr"
    ):
        seen = getattr(x, "format", None) or type(x).__name__
        raise TypeError(f"{what} must be a CSR matrix, got {seen}")
    if len(x.shape) != 2:
        raise ValueError(f"{what} must be 2-D, got shape {x.shape}")
    require_real(x.data.dtype, i)
    indptr = x.indptr
    if (
        len(indptr) != x.shape[0] + 1
        or indptr[0] != 0
        or (np.diff(indptr) < 0).any()
        or indptr[-1] > min(len(x.indices), len(x.data))
    ):
        raise ValueError(f"{what}: indptr does not fit the matrix")


def check_indices(indices: Any, indptr: Any, width: int, i: int | None) -> None:
    if len(indices) == 0 or (indices.min() >= 0 and indices.max() < width):
        return
    at = int(np.flatnonzero((indices < 0) | (indices >= width))[0])
    row = int(np.searchsorted(indptr, at, side="right")) - 1
    where = f"example {row}, row 0" if i is None else f"example {i}, row {row}"
    raise ValueError(
        f"X: {where} has feature index {indices[at]}, expected 0 <= index < {width}"
    )


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
