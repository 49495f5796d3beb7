"""What the fitted attributes of a loaded object must be, checked with one error for all.

A class that model files can hold says in ``check_loaded`` what its attributes must satisfy;
`pystruct_ext.load` calls it on every object that it has built, so that a file with hostile
values fails there, naming the attribute, and nothing later has to doubt them.
"""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral, Real
from typing import Any

import numpy as np

INT32_MAX = 2**31 - 1
# Labels, features and bytes beyond these are no model but an attempt on memory.
_MOST = 1 << 62


class Fitted:
    """Checks attributes of one object.

    Parameters
    ----------
    owner : object
        Whose attributes are checked; errors name its class.

    Examples
    --------
    >>> class Space:
    ...     classes_ = ["a", "b"]
    ...     cost_ = np.array([[0.0, 1.0], [1.0, np.nan]])
    >>> fitted = Fitted(Space())
    >>> k = fitted.labels("classes_", at_least=2)
    >>> fitted.array("cost_", (k, k), "float64", low=0)
    Traceback (most recent call last):
    ValueError: Space.cost_ holds nan at (1, 1), expected finite numbers from 0
    """

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def _error(self, name: str, seen: str, expected: str) -> ValueError:
        where = f"{type(self.owner).__name__}.{name}"
        return ValueError(f"{where} {seen}, expected {expected}")

    def value(self, name: str) -> Any:
        """An attribute that must be there."""
        try:
            return getattr(self.owner, name)
        except AttributeError:
            raise self._error(name, "is missing", "a fitted attribute") from None

    def integer(self, name: str, low: int, high: int = _MOST) -> int:
        """A whole number from low to high."""
        value = self.value(name)
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
            raise self._error(name, f"is {_short(value)}", "a whole number")
        if not low <= int(value) <= high:
            raise self._error(name, f"is {_short(value)}", f"{low} .. {high}")
        return int(value)

    def number(self, name: str, low: float = -np.inf, high: float = np.inf) -> float:
        """A finite number from low to high."""
        value = self.value(name)
        if not isinstance(value, Real) or not np.isfinite(float(value)):
            raise self._error(name, f"is {_short(value)}", "a finite number")
        if not low <= float(value) <= high:
            raise self._error(name, f"is {_short(value)}", f"{low} .. {high}")
        return float(value)

    def boolean(self, name: str) -> bool:
        """True or False."""
        value = self.value(name)
        if not isinstance(value, (bool, np.bool_)):
            raise self._error(name, f"is {_short(value)}", "True or False")
        return bool(value)

    def one_of(self, name: str, allowed: tuple[Any, ...]) -> Any:
        """One of some plain values."""
        value = self.value(name)
        if not isinstance(value, Hashable) or value not in allowed:
            expected = f"one of {', '.join(map(repr, allowed))}"
            raise self._error(name, f"is {_short(value)}", expected)
        return value

    def equal(self, name: str, expected: int) -> int:
        """A whole number that follows from others."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise self._error(name, f"is {_short(value)}", str(expected))
        if value != expected:
            raise self._error(name, f"is {_short(value)}", str(expected))
        return expected

    def labels(
        self, name: str, at_least: int = 0, kind: type = object, at_most: int = 1 << 20
    ) -> int:
        """The number of labels in a list of distinct ones, all of one kind."""
        value = self.value(name)
        if not isinstance(value, list):
            raise self._error(name, f"is a {type(value).__name__}", "a list")
        if not at_least <= len(value) <= at_most:
            expected = f"{at_least} .. {at_most}"
            raise self._error(name, f"has {len(value)} entries", expected)
        for k, label in enumerate(value):
            if not isinstance(label, kind) or not _plain(label):
                expected = "text" if kind is str else "a label"
                raise self._error(f"{name}[{k}]", f"is {_short(label)}", expected)
        if len(set(value)) != len(value):
            raise self._error(name, "names a label twice", "distinct labels")
        return len(value)

    def instance(self, name: str, *kinds: type) -> Any:
        """An object of one of some classes."""
        value = self.value(name)
        if not isinstance(value, kinds):
            expected = " or ".join(k.__name__ for k in kinds)
            raise self._error(name, f"is a {type(value).__name__}", expected)
        return value

    def array(
        self,
        name: str,
        shape: tuple[int | None, ...],
        dtype: str | tuple[str, ...],
        *,
        low: float | None = None,
        high: float | None = None,
        rising: bool = False,
    ) -> np.ndarray:
        """An array; its numbers are finite, and from low to high.

        Parameters
        ----------
        name : str
        shape : tuple of int or None
            None is any length.
        dtype : str or tuple of str
            Names of the types allowed, in native byte order.
        low, high : number, optional
            Both included.
        rising : bool, default=False
            The first is `low`, the last `high`, and none is below the one before.
        """
        value = self.value(name)
        allowed = (dtype,) if isinstance(dtype, str) else dtype
        if not isinstance(value, np.ndarray):
            raise self._error(name, f"is a {type(value).__name__}", "an array")
        if value.dtype not in map(np.dtype, allowed):
            raise self._error(name, f"is of {value.dtype}", " or ".join(allowed))
        if value.ndim != len(shape) or any(
            n is not None and n != m for n, m in zip(shape, value.shape, strict=True)
        ):
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise self._error(name, f"has the shape {value.shape}", f"({wanted})")
        bad = np.zeros(value.shape, dtype=bool)
        if value.dtype.kind == "f":
            bad |= ~np.isfinite(value)
        with np.errstate(invalid="ignore"):
            if low is not None:
                bad |= value < low
            if high is not None:
                bad |= value > high
        if bad.any():
            at = tuple(map(int, np.unravel_index(int(np.argmax(bad)), bad.shape)))
            kind = "whole numbers" if value.dtype.kind in "iu" else "finite numbers"
            ends = ("" if low is None else f" from {low:g}") + (
                "" if high is None else f" to {high:g}"
            )
            where = at if len(at) > 1 else at[0]
            raise self._error(name, f"holds {value[at]} at {where}", kind + ends)
        if rising and (
            value.size == 0
            or value[0] != low
            or value[-1] != high
            or (np.diff(value) < 0).any()
        ):
            raise self._error(name, "is no such list", f"to rise from {low} to {high}")
        return value

    def columns(self, name: str, width: int) -> int:
        """How many columns of a width are kept: in an int32 array that rises, or all."""
        if getattr(self.owner, name, None) is None:  # older files have none
            return width
        value = self.array(name, (None,), "int32", low=0, high=width - 1)
        if (np.diff(value) <= 0).any():
            raise self._error(name, "does not rise", "distinct columns in their order")
        return len(value)


def _plain(label: Any) -> bool:
    if isinstance(label, tuple):
        return all(map(_plain, label))
    return label is None or isinstance(label, (str, int, float))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


__all__ = ["INT32_MAX", "Fitted"]
