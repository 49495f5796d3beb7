"""Validation shared by all scores: two ragged lists of labels become two flat lists."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np


def _as_lists(y: Any, name: str) -> list[list[Any]]:
    """Return `y` as a list of lists; NumPy arrays become lists of Python scalars."""
    if isinstance(y, str | bytes | dict | set) or not hasattr(y, "__iter__"):
        raise TypeError(
            f"{name} must be a list with one sequence of labels per example, "
            f"got {type(y).__name__}"
        )
    if isinstance(y, np.ndarray) and y.ndim == 0:
        raise TypeError(f"{name} must hold one sequence per example, got a 0-d array")
    rows: list[list[Any]] = []
    for i, row in enumerate(y):
        if isinstance(row, list):
            rows.append(row)
        elif isinstance(row, np.ndarray) and row.ndim == 1:
            rows.append(row.tolist())
        elif isinstance(row, Sequence) and not isinstance(row, str | bytes):
            rows.append(list(row))
        else:
            seen = (
                f"an array of shape {row.shape}"
                if isinstance(row, np.ndarray)
                else f"{type(row).__name__} {row!r:.60}"
            )
            raise TypeError(f"{name}[{i}] must be a 1-D sequence of labels, got {seen}")
    return rows


def flatten_pair(
    y_true: Any, y_pred: Any, *, names: tuple[str, str] = ("y_true", "y_pred")
) -> tuple[list[Any], list[Any], list[int]]:
    """Check that two lists of sequences have the same shape, and flatten them.

    Parameters
    ----------
    y_true, y_pred : list of sequences
        One sequence of labels per example: lists, tuples, 1-D arrays, or one 2-D array.
    names : pair of str
        What error messages call the two arguments.

    Returns
    -------
    flat_true, flat_pred : list
        All labels in order.
    lengths : list of int
        Number of labels of each example.

    Raises
    ------
    TypeError
        If an argument or one of its items is not a sequence of labels.
    ValueError
        If the number of examples, or the length of one example, differs.
    """
    true, pred = _as_lists(y_true, names[0]), _as_lists(y_pred, names[1])
    if len(true) != len(pred):
        raise ValueError(
            f"{names[0]} holds {len(true)} examples but {names[1]} holds {len(pred)}"
        )
    lengths = list(map(len, true))
    if lengths != list(map(len, pred)):
        i = next(i for i, p in enumerate(pred) if len(p) != lengths[i])
        raise ValueError(
            f"example {i}: {names[0]} has {lengths[i]} labels but {names[1]} "
            f"has {len(pred[i])}"
        )
    return list(chain.from_iterable(true)), list(chain.from_iterable(pred)), lengths


def locate(position: int, lengths: list[int]) -> tuple[int, int]:
    """Turn a position in the flat list into (example, token), for error messages."""
    ends = list(accumulate(lengths))
    i = bisect_right(ends, position)
    return i, position - (ends[i] - lengths[i])
