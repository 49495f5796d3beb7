"""Labels of tokens as integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.utils.examples import as_sequence, is_missing, plain

# Floats of one 256-bit register; the kernels read whole registers of labels.
_MULTIPLE = 8


def padded(n_labels: int) -> int:
    """Length of a row of one weight per label, as the kernels want it: a multiple of 8.

    Examples
    --------
    >>> padded(1), padded(8), padded(9)
    (8, 8, 16)
    """
    return -(-n_labels // _MULTIPLE) * _MULTIPLE


class UnseenLabelError(ValueError):
    """An output has a label that no output of the fit had."""


def as_lists(Y: Sequence[Any], name: str = "y") -> list[list[Any]]:
    """Label sequences as lists of Python objects.

    Raises
    ------
    TypeError
        If an element is not a sequence of labels.
    """
    out = []
    for i, y in enumerate(Y):
        labels = as_sequence(y)
        if isinstance(labels, np.ndarray):
            raise ValueError(
                f"{name}: example {i} has shape {labels.shape}, expected (T,)"
            )
        if type(labels) is not list:
            raise TypeError(
                f"{name}: example {i} must be a list of labels, one per token, got "
                f"{type(y).__name__}"
            )
        out.append(labels)
    return out


def label_classes(
    Y: Sequence[Sequence[Any]], name: str = "y", unit: str = "token"
) -> list[Any]:
    """The distinct labels as Python objects, sorted; `unit` is what has a label.

    Raises
    ------
    ValueError
        If a label is missing: None, NaN, NaT or NA.
    TypeError
        If strings are mixed with labels of another type, or labels cannot be sorted.
    """
    try:
        labels = {plain(v) for v in set(chain.from_iterable(Y))}
    except TypeError:
        i, t, v = _first(Y, lambda v: getattr(type(v), "__hash__", None) is None)
        raise TypeError(
            f"{name}: {unit} {t} of example {i} has the label {v!r:.80} of type "
            f"{type(v).__name__}, expected a string or a number"
        ) from None
    if any(map(is_missing, labels)):
        i, t, v = _first(Y, is_missing)
        raise ValueError(
            f"{name}: the label of {unit} {t} of example {i} is missing ({v!r})"
        )
    if len({isinstance(v, str) for v in labels}) == 2:
        i, t, v = _first(Y, lambda v: not isinstance(v, str))
        raise TypeError(
            f"{name}: labels must be all strings or all numbers, but {unit} {t} "
            f"of example {i} has the label {v!r} of type {type(v).__name__}"
        )
    try:
        return sorted(labels)
    except TypeError as error:
        raise TypeError(f"{name}: labels cannot be sorted: {error}") from None


def _first(
    Y: Sequence[Sequence[Any]], wanted: Callable[[Any], bool]
) -> tuple[int, int, Any]:
    """Example, token and value of the first label that a function is true of."""
    return next(
        (i, t, v) for i, y in enumerate(Y) for t, v in enumerate(y) if wanted(v)
    )


def encode_labels(
    Y: list[list[Any]], classes: list[Any], name: str = "y"
) -> NDArray[np.int32]:
    """Label index of every token, end to end.

    Raises
    ------
    UnseenLabelError
        For a label that is not among the classes.
    """
    index = {label: k for k, label in enumerate(classes)}
    count = sum(map(len, Y))
    try:
        return np.fromiter(
            map(index.__getitem__, chain.from_iterable(Y)), dtype=np.int32, count=count
        )
    except (KeyError, TypeError):
        i, t, label = _first(Y, lambda v: not _known(v, index))
        if is_missing(label):
            raise ValueError(
                f"{name}: the label of token {t} of example {i} is missing ({label!r})"
            ) from None
        raise UnseenLabelError(
            f"{name}: example {i} has the label {label!r:.80}, which was not seen at fit; "
            f"known are {classes}"
        ) from None


def _known(label: Any, index: Mapping[Any, int]) -> bool:
    try:
        return label in index
    except TypeError:
        return False


def check_lengths(
    lengths: NDArray[np.int64], Y: list[list[Any]], name: str = "y"
) -> None:
    """Raise ValueError where X and Y disagree in the number of examples or tokens."""
    if len(lengths) != len(Y):
        raise ValueError(
            f"X and {name} must have the same number of examples, got {len(lengths)} and "
            f"{len(Y)}"
        )
    for i, y in enumerate(Y):
        if len(y) != lengths[i]:
            raise ValueError(
                f"{name}: example {i} has {len(y)} labels, but X has {lengths[i]} tokens there"
            )
