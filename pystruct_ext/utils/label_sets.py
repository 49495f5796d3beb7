"""Sets of labels in the forms that people have: indicator arrays, sparse ones, collections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.utils.examples import (
    is_frame,
    is_missing,
    is_series,
    plain,
    refuse_iterator,
)


class UnknownLabelError(ValueError):
    """A set has a label that is not among the known ones."""


@dataclass
class LabelSets:
    """Sets of labels as 0 and 1.

    Attributes
    ----------
    codes : (n, K) int32 array
    classes : list of K labels
    form : {"indicator", "sparse", "labels", "classes"}
        How they were given: as rows of 0 and 1, those as a sparse matrix, as one collection
        of labels for each example, or as one label for each.
    """

    codes: NDArray[np.int32]
    classes: list[Any]
    form: str


def label_sets(
    Y: Any,
    classes: Sequence[Any] | None = None,
    form: str | None = None,
    name: str = "y",
) -> LabelSets:
    """Read label sets in any form.

    Parameters
    ----------
    Y : (n, K) array, sparse matrix or data frame of 0 and 1, n collections of labels, n labels
        Lists of equal length greater than 1 that hold only 0 and 1 are rows of an indicator
        array, unless `form` says otherwise; sets and tuples are always collections of labels.
    classes : sequence of K labels, optional
        The known ones, in order. By default the columns of an indicator array are 0 .. K - 1
        (of a data frame: the names of its columns), and the labels of collections are sorted.
    form : {"indicator", "labels"}, optional
        What lists are.
    name : str, default="y"
        The argument, for errors.

    Returns
    -------
    LabelSets

    Raises
    ------
    ValueError, TypeError
        Naming the example, what was seen and what was expected.

    Examples
    --------
    >>> label_sets([("sea", "sky"), ("sky",), ()]).codes.tolist()
    [[1, 1], [0, 1], [0, 0]]
    """
    refuse_iterator(Y, name)
    if hasattr(Y, "toarray") and hasattr(Y, "nnz"):
        given = np.asarray(Y.toarray())
        return LabelSets(
            _indicator(given, classes, name), _columns(given, classes), "sparse"
        )
    if is_frame(Y):
        names = classes if classes is not None else [plain(c) for c in Y.columns]
        codes = _indicator(np.asarray(Y.to_numpy()), names, name)
        return LabelSets(codes, list(names), "indicator")
    if is_series(Y):
        Y = Y.to_list()
    if not isinstance(Y, np.ndarray) and hasattr(Y, "__array__"):
        Y = np.asarray(Y)
    if isinstance(Y, np.ndarray) and Y.ndim == 1:
        _check_finite(Y, name)
        Y = Y.tolist()
    if isinstance(Y, (str, bytes)) or not hasattr(Y, "__len__"):
        raise TypeError(f"{name} must be an (n, K) array of 0 and 1 or a list of "
                        f"collections of labels, got {Y!r:.60}")  # fmt: skip
    if (
        not isinstance(Y, np.ndarray)
        and len(Y)
        and form != "labels"
        and _is_label(Y[0])
    ):
        return _from_classes(Y, classes, name)
    if isinstance(Y, np.ndarray) or _are_rows(Y, form):
        given = _stacked(Y, name)
        return LabelSets(
            _indicator(given, classes, name), _columns(given, classes), "indicator"
        )
    return _from_collections(Y, classes, name)


def _are_rows(Y: Sequence[Any], form: str | None) -> bool:
    """Whether a list of examples is an indicator array."""
    if len(Y) == 0:
        return form != "labels"
    if all(isinstance(y, np.ndarray) for y in Y):
        return form != "labels" and all(y.dtype.kind != "O" for y in Y)
    if not all(type(y) is list for y in Y):
        return False
    if form is not None:
        return form != "labels"
    width = len(Y[0])
    return width > 1 and all(len(y) == width and all(_is_bit(v) for v in y) for y in Y)


def _is_label(value: Any) -> bool:
    return isinstance(value, (str, bytes, bool, int, float, np.generic))


def _from_classes(
    Y: Sequence[Any], classes: Sequence[Any] | None, name: str
) -> LabelSets:
    for i, y in enumerate(Y):
        if not _is_label(y) and not is_missing(y):
            raise TypeError(
                f"{name}: example {i} is {y!r:.60}, but example 0 the single label "
                f"{Y[0]!r:.60}"
            )
    sets = _from_collections([(y,) for y in Y], classes, name)
    return LabelSets(sets.codes, sets.classes, "classes")


def _check_finite(given: NDArray[Any], name: str) -> None:
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        bad = "NaN" if np.isnan(given).any() else "infinity"
        i = int(np.argwhere(~np.isfinite(given))[0][0])
        raise ValueError(f"Input {name} contains {bad}: in example {i}")


def _is_bit(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.generic)) and value in (0, 1)


def _stacked(Y: Any, name: str) -> NDArray[Any]:
    if isinstance(Y, np.ndarray):
        return Y
    widths = {len(y) for y in Y}
    if len(widths) > 1:
        first = len(Y[0])
        i = next(i for i, y in enumerate(Y) if len(y) != first)
        raise ValueError(
            f"{name}: example {i} has {len(Y[i])} entries, example 0 has {first}"
        )
    return np.asarray(Y)


def _columns(given: NDArray[Any], classes: Sequence[Any] | None) -> list[Any]:
    return list(range(given.shape[1])) if classes is None else list(classes)


def _indicator(
    given: NDArray[Any], classes: Sequence[Any] | None, name: str
) -> NDArray[np.int32]:
    """Rows of 0 and 1, checked."""
    if given.ndim != 2:
        raise ValueError(
            f"{name} must be an (n, K) array of 0 and 1 or a list of collections of labels, "
            f"got an array of shape {given.shape}"
        )
    if given.shape[1] == 0:
        raise ValueError(f"{name} has no columns, expected one for each label")
    if classes is not None and given.shape[1] != len(classes):
        raise ValueError(
            f"{name} has {given.shape[1]} columns, expected {len(classes)}, one for each "
            "label seen at fit"
        )
    if given.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must hold numbers 0 and 1, got an array of dtype {given.dtype}: "
            "Unknown label type"
        )
    _check_finite(given, name)
    wrong = (given != 0) & (given != 1)
    if wrong.any():
        i, k = map(int, np.argwhere(wrong)[0])
        raise ValueError(
            f"{name}: example {i} has {given[i, k]} in column {k}, expected 0 or 1 "
            "(Unknown label type)"
        )
    return np.ascontiguousarray(given, dtype=np.int32)


def _from_collections(
    Y: Sequence[Any], classes: Sequence[Any] | None, name: str
) -> LabelSets:
    sets: list[list[Any]] = []
    for i, y in enumerate(Y):
        if isinstance(y, (str, bytes)) or not isinstance(y, (Iterable, np.ndarray)):
            raise TypeError(
                f"{name}: example {i} is {y!r:.60}, expected a collection of labels such as "
                f"{[y]!r:.60}"
            )
        sets.append([plain(v) for v in y])
    _check_labels(sets, name)
    if classes is None:
        try:
            classes = sorted({v for y in sets for v in y})
        except TypeError as error:
            raise TypeError(f"{name}: labels cannot be sorted: {error}") from None
        if not classes:
            raise ValueError(f"{name} has no label in any example")
    index = {label: k for k, label in enumerate(classes)}
    codes = np.zeros((len(sets), len(classes)), dtype=np.int32)
    for i, y in enumerate(sets):
        for v in y:
            if v not in index:
                raise UnknownLabelError(
                    f"{name}: example {i} has the label {v!r:.80}, which was not seen at "
                    f"fit; known are {list(classes)!r:.300}"
                )
            codes[i, index[v]] = 1
    return LabelSets(codes, list(classes), "labels")


def _check_labels(sets: list[list[Any]], name: str) -> None:
    kind: type | None = None
    for i, y in enumerate(sets):
        for v in y:
            if is_missing(v):
                raise ValueError(f"{name}: example {i} has a missing label ({v!r})")
            if isinstance(v, (list, dict, Set)) or type(v).__hash__ is None:
                raise TypeError(
                    f"{name}: example {i} has the label {v!r:.60} of type "
                    f"{type(v).__name__}, expected a string or a number"
                )
            if kind is None:
                kind = type(v)
            if isinstance(v, str) != issubclass(kind, str):
                raise TypeError(
                    f"{name}: labels must be all strings or all numbers, but example {i} "
                    f"has the label {v!r:.60} of type {type(v).__name__}"
                )


def as_collections(
    codes: NDArray[Any], classes: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """Rows of 0 and 1 as tuples of labels, in the order of the classes."""
    rows, columns = np.nonzero(codes)
    names = [classes[k] for k in columns.tolist()]
    ends = np.searchsorted(rows, np.arange(len(codes) + 1)).tolist()
    return [tuple(names[a:b]) for a, b in pairwise(ends)]


__all__ = ["LabelSets", "UnknownLabelError", "as_collections", "label_sets"]
