"""Fits that happen whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

# Far below Python's limit of recursion, far above what examples are nested.
DEPTH = 100

Fit = TypeVar("Fit", bound=Callable[..., Any])


def all_or_nothing(fit: Fit) -> Fit:
    """Decorator of ``fit``: one that fails leaves the estimator as it was, fitted or not."""

    @wraps(fit)
    def whole(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return fit(self, *args, **kwargs)
        except BaseException as error:
            vars(self).clear()
            vars(self).update(before)
            if isinstance(error, RecursionError):
                given = {**before, **dict(enumerate(args)), **kwargs}
                for name, value in given.items():
                    if nested_deeply(value):
                        what = f"argument {name + 1}" if isinstance(name, int) else name
                        raise ValueError(
                            f"{what} holds lists nested more than {DEPTH} deep"
                        ) from error
            raise

    return cast(Fit, whole)


def nested_deeply(value: Any) -> bool:
    """Whether lists, tuples and dicts stand in each other beyond `DEPTH` levels."""
    level, seen = [value], set[int]()
    for _ in range(DEPTH):
        inner: list[Any] = []
        for v in level:
            if isinstance(v, (list, tuple, dict)) and id(v) not in seen:
                seen.add(id(v))
                inner += v.values() if isinstance(v, dict) else v
        if not inner:
            return False
        level = inner
    return True


__all__ = ["all_or_nothing"]
