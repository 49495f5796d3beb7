"""Arrays over the parts of outputs: masks and costs, for pairs of outputs, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FORBIDDEN = -1e30


class Pair(NamedTuple):
    """What holds for the two halves of a pair of outputs: shapes, indices, arrays, axes."""

    first: Any
    second: Any


Leaf = Callable[[NDArray[Any], str, Any], NDArray[np.float64]]


def size_of(shape: Any) -> int:
    """Number of parts in arrays of a shape."""
    if isinstance(shape, Pair):
        return size_of(shape.first) + size_of(shape.second)
    return prod(shape)


def halves_of(given: Any, where: str) -> Pair:
    """A pair of arrays as the user gave it, or None for both.

    Raises
    ------
    TypeError
        For anything else.
    """
    if given is None:
        return Pair(None, None)
    if not (isinstance(given, (tuple, list)) and len(given) == 2):
        raise TypeError(
            f"{where} must be a pair, one for each of the two outputs (None for none), got "
            f"{type(given).__name__}"
        )
    return Pair(*given)


def flat_array(
    given: Any, shape: Any, where: str, leaf: Leaf, axis: Any = None
) -> NDArray[np.float64]:
    """What a user gave for an example, broadcast to its parts, end to end.

    Parameters
    ----------
    given : array_like, None for zeros, or a pair where `shape` is one
    shape : tuple of int, or Pair
        Of the array of parts.
    where : str
        Begins error messages.
    leaf : callable
        ``leaf(array, where, axis)`` checks the values and makes numbers of them.
    axis : int, None or Pair
        Axes along which an output has exactly one part.

    Raises
    ------
    ValueError, TypeError
        For arrays that do not fit the shape.
    """
    if isinstance(shape, Pair):
        axes = axis if isinstance(axis, Pair) else Pair(None, None)
        halves = zip(halves_of(given, where), shape, axes, strict=True)
        names = ("first output", "second output")
        return np.concatenate(
            [
                flat_array(half, s, f"{where}, {name}", leaf, a)
                for name, (half, s, a) in zip(names, halves, strict=True)
            ]
        )
    if given is None:
        return np.zeros(prod(shape))
    array = numbers(given, where)
    try:
        full = np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"{where} must have the shape of its parts, {tuple(shape)}, or one that "
            f"broadcasts to it, got {array.shape}"
        ) from None
    return leaf(full, where, axis).ravel()


def numbers(given: Any, where: str) -> NDArray[Any]:
    """An array of booleans or numbers.

    Raises
    ------
    TypeError
        For anything else.
    """
    try:
        array = np.asarray(given)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{where} must be an array of numbers, got {type(given).__name__}"
        )
    return array


def unflatten(flat: NDArray[Any], shape: Any) -> Any:
    """The inverse of laying end to end: an array of that shape, or a Pair of them."""
    if isinstance(shape, Pair):
        n = size_of(shape.first)
        return Pair(unflatten(flat[:n], shape.first), unflatten(flat[n:], shape.second))
    return flat.reshape(shape)


def flat_index(index: Any, shape: Any) -> NDArray[np.int64]:
    """What ``space.parts(y)`` gives, as indices into the flat array of parts."""
    if isinstance(shape, Pair):
        first = flat_index(index[0], shape.first)
        second = flat_index(index[1], shape.second) + size_of(shape.first)
        return np.concatenate([first, second])
    arrays = tuple(np.asarray(k, dtype=np.int64) for k in index)
    return np.asarray(np.ravel_multi_index(arrays, shape), dtype=np.int64).reshape(-1)


def part_name(p: int, shape: Any) -> str:
    """Part p of the flat array as people count it: ``part (1, 2)``."""
    if isinstance(shape, Pair):
        n = size_of(shape.first)
        if p < n:
            return f"{part_name(p, shape.first)} of the first output"
        return f"{part_name(p - n, shape.second)} of the second output"
    return f"part {tuple(int(k) for k in np.unravel_index(p, shape))}"


def added(a: Any, b: Any) -> Any:
    """Sum of arrays of parts; None is zero."""
    if a is None or b is None:
        return a if b is None else b
    if isinstance(a, Pair):
        return Pair(added(a.first, b.first), added(a.second, b.second))
    return a + b


# Masks.


class CannotForceError(ValueError):
    """A mask forces parts of a space that has no axis with exactly one."""


def forbidden(mask: NDArray[Any], where: str, axis: int | None) -> NDArray[np.float64]:
    """0 or FORBIDDEN for each part, from -1 (forbidden), 0 (free) and 1 (forced).

    Raises
    ------
    ValueError
        For other values, and where parts cannot be forced.
    """
    if mask.dtype.kind == "b":
        return np.where(mask, 0.0, FORBIDDEN)
    odd = ~np.isin(mask, (-1, 0, 1))
    if odd.any():
        p = int(np.flatnonzero(odd.ravel())[0])
        raise ValueError(
            f"{where} has {mask.ravel()[p]!s} at {part_name(p, mask.shape)}, expected -1 "
            "(forbidden), 0 (free) or 1 (forced)"
        )
    forced = mask == 1
    if not forced.any():
        return np.where(mask < 0, FORBIDDEN, 0.0)
    p = int(np.flatnonzero(forced.ravel())[0])
    if axis is None:
        raise CannotForceError(
            f"{where} forces {part_name(p, mask.shape)}, but parts of this space cannot be "
            "forced: they have no axis along which an output has exactly one"
        )
    count = forced.sum(axis=axis, keepdims=True)
    if count.max() > 1:
        p = int(np.flatnonzero((forced & (count > 1)).ravel())[0])
        raise ValueError(
            f"{where} forces {part_name(p, mask.shape)} and another along axis {axis}, of "
            "which an output has exactly one"
        )
    return np.where((mask < 0) | ((count > 0) & ~forced), FORBIDDEN, 0.0)


# Costs.


def costs(cost: NDArray[Any], where: str, axis: Any = None) -> NDArray[np.float64]:
    """Costs as they are; a ValueError for one that is negative or not finite."""
    out = np.array(cost, dtype=np.float64)
    bad = ~(np.isfinite(out) & (out >= 0))
    if bad.any():
        p = int(np.flatnonzero(bad.ravel())[0])
        raise ValueError(
            f"{where} has {out.ravel()[p]} at {part_name(p, out.shape)}, expected a finite "
            "number >= 0"
        )
    return out


def cost_of_new(cost: Any, old: Any, new: Any, where: str) -> float:
    """Sum of the costs of the parts of one output that are not parts of another.

    Parameters
    ----------
    cost : array_like, None, or a pair
        May be smaller than the array of parts, if it broadcasts to it: its shape is not
        needed.
    old, new : tuples of index arrays, or Pairs of them
        What ``space.parts`` gives.
    """
    if isinstance(new, Pair):
        parts = zip(halves_of(cost, where), old, new, strict=True)
        return sum(cost_of_new(c, a, b, where) for c, a, b in parts)
    if cost is None:
        return 0.0
    table = costs(numbers(cost, where), where)
    known = set(_tuples(old))
    extra = [p for p in _tuples(new) if p not in known]
    if not extra:
        return 0.0
    at = np.array(extra, dtype=np.int64).T
    if table.ndim > len(at):
        raise ValueError(
            f"{where} must have at most {len(at)} dimensions, got the shape {table.shape}"
        )
    table = table.reshape((1,) * (len(at) - table.ndim) + table.shape)
    index = tuple(k if n > 1 else 0 * k for k, n in zip(at, table.shape, strict=True))
    try:
        return float(table[index].sum())
    except IndexError:
        raise ValueError(
            f"{where} of shape {table.shape} has no entry for all parts of y_hat"
        ) from None


def _tuples(index: Sequence[Any]) -> list[tuple[int, ...]]:
    return list(zip(*(np.asarray(k).tolist() for k in index), strict=True))


__all__ = [
    "FORBIDDEN",
    "CannotForceError",
    "Pair",
    "added",
    "cost_of_new",
    "costs",
    "flat_array",
    "flat_index",
    "forbidden",
    "halves_of",
    "part_name",
    "size_of",
    "unflatten",
]
