"""Labels of tokens as integers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def as_lists(Y: Sequence[Any], name: str = "y") -> list[list[Any]]:
    """Label sequences as lists of Python objects.

    Raises
    ------
    TypeError
        If an element is not a sequence of labels.
    """
    out = []
    for i, y in enumerate(Y):
        if isinstance(y, np.ndarray):
            if y.ndim != 1:
                raise ValueError(f"{name}[{i}] has shape {y.shape}, expected (T,)")
            y = y.tolist()
        elif isinstance(y, (str, bytes)) or not isinstance(y, (list, tuple)):
            raise TypeError(
                f"{name}[{i}] must be a list of labels, one per token, got "
                f"{type(y).__name__}"
            )
        out.append(y)
    return out


def label_classes(Y: list[list[Any]], name: str = "y") -> list[Any]:
    """The distinct labels, sorted.

    Raises
    ------
    TypeError
        If strings are mixed with labels of another type, or labels cannot be sorted.
    """
    labels = set(chain.from_iterable(Y))
    kinds = {"str" if isinstance(v, str) else "other" for v in labels}
    if len(kinds) == 2:
        for i, y in enumerate(Y):
            for t, v in enumerate(y):
                if not isinstance(v, str):
                    raise TypeError(
                        f"{name}: labels must be all strings or all numbers, but token {t} "
                        f"of example {i} has the label {v!r} of type {type(v).__name__}"
                    )
    if any(v is None or (isinstance(v, float) and v != v) for v in labels):
        raise ValueError(f"{name}: a label is missing (None or NaN)")
    try:
        return sorted(labels)
    except TypeError as error:
        raise TypeError(f"{name}: labels cannot be sorted: {error}") from None


def encode_labels(
    Y: list[list[Any]], classes: list[Any], name: str = "y"
) -> NDArray[np.int32]:
    """Label index of every token, end to end.

    Raises
    ------
    ValueError
        For a label that is not among the classes.
    """
    index = {label: k for k, label in enumerate(classes)}
    count = sum(map(len, Y))
    try:
        return np.fromiter(
            map(index.__getitem__, chain.from_iterable(Y)), dtype=np.int32, count=count
        )
    except KeyError as error:
        label = error.args[0]
        i = next(i for i, y in enumerate(Y) if label in y)
        raise ValueError(
            f"{name}: example {i} has the label {label!r}, which was not seen at fit; "
            f"known are {classes}"
        ) from None


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
