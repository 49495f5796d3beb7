"""Examples in whatever container people have them: one place that all methods read through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray


class OutputList(list[Any]):
    """A list of outputs whose array has one entry per output.

    NumPy would take a list of lists apart: outputs of the same length become a matrix, and
    others an error. So that `sklearn.model_selection.cross_val_predict` can put the
    predictions of several folds together, ``np.asarray`` of this list is 1-D: of the outputs
    themselves where they are numbers or strings, else of objects.

    Examples
    --------
    >>> import numpy as np
    >>> np.asarray(OutputList([["a", "b"], ["c", "d"]])).shape
    (2,)
    """

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """One entry per output."""
        if all(isinstance(v, (str, bytes, Number, np.generic)) for v in self):
            return np.array(list(self), dtype=dtype)
        out = np.empty(len(self), dtype=object)
        for i, value in enumerate(self):
            out[i] = value
        return out if dtype is None else out.astype(dtype)


def is_frame(value: Any) -> bool:
    """Whether a value is a data frame (of pandas, polars or the like)."""
    return (
        hasattr(value, "columns")
        and hasattr(value, "dtypes")
        and hasattr(value, "to_numpy")
    )


def is_series(value: Any) -> bool:
    """Whether a value is a column of a data frame, or an index."""
    return (
        hasattr(value, "to_list")
        and hasattr(value, "to_numpy")
        and not hasattr(value, "columns")
    )


def as_examples(values: Any, name: str = "X") -> Any:
    """Examples that can be looked up by position, whatever container they came in.

    Parameters
    ----------
    values : list, tuple, array, Series, sparse matrix, packed examples, or None
    name : str, default="X"
        The argument, for errors.

    Returns
    -------
    list, numeric array, sparse matrix, or what was given
        Lists, numeric arrays and matrices as they are; a Series by position, not by its
        index; arrays of strings and objects as (nested) lists; packed examples untouched.

    Raises
    ------
    TypeError
        For iterators, sets, mappings, single strings and data frames.
    ValueError
        For an array with masked entries, or of no dimension.

    Examples
    --------
    >>> import numpy as np
    >>> as_examples(np.array(["GGG", "ACGU"]))
    ['GGG', 'ACGU']
    >>> as_examples(iter([1]))
    Traceback (most recent call last):
    TypeError: X is a list_iterator, which can be read only once; pass list(X)
    """
    if type(values) is list or values is None:
        return values
    if isinstance(values, np.ndarray):
        return _from_array(values, name)
    if isinstance(values, (list, tuple)):
        return list(values)
    if isinstance(values, (str, bytes)):
        raise TypeError(
            f"{name} must be a list of examples, got the {type(values).__name__} "
            f"{values[:40]!r}; for a single one pass [{name}]"
        )
    if is_frame(values):
        columns = ", ".join(map(repr, list(values.columns)[:4]))
        raise TypeError(
            f"{name} must be a list of examples, got a {type(values).__name__} with the "
            f"columns {columns}; pass one of its columns ({name}[column]), or a list of one "
            "frame per example, such as [frame for _, frame in data.groupby(column)]"
        )
    if is_series(values):
        return list(values.to_list())
    refuse_iterator(values, name)
    if isinstance(values, Set):
        raise TypeError(
            f"{name} is a {type(values).__name__}, which has no order; pass a list"
        )
    if hasattr(values, "keys") and hasattr(values, "values"):
        raise TypeError(
            f"{name} is a {type(values).__name__}, whose keys are no examples; pass "
            f"list({name}.values())"
        )
    try:
        n = len(values)
    except TypeError:  # sparse matrices
        return values
    if n and hasattr(values, "__getitem__"):
        try:
            values[0]
        except (KeyError, IndexError) as error:
            raise TypeError(
                f"{name} is a {type(values).__name__}, which has the length {n} but "
                f"no entry 0 ({type(error).__name__}); pass a list"
            ) from error
    return values


def refuse_iterator(values: Any, name: str) -> None:
    """Raise TypeError for what can be read only once, such as a generator."""
    if isinstance(values, Iterator):
        raise TypeError(
            f"{name} is a {type(values).__name__}, which can be read only once; pass "
            f"list({name})"
        )


def _from_array(values: NDArray[Any], name: str) -> Any:
    check_unmasked(values, name)
    if values.ndim == 0:
        raise ValueError(f"{name} must be a list of examples, got an array of shape ()")
    if values.dtype.kind in "OUS" and type(values).__module__.startswith("numpy"):
        return values.tolist()
    return values


def check_unmasked(values: Any, name: str) -> None:
    """Raise ValueError for masked arrays with masked entries: NumPy would unmask them."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        at = tuple(int(k[0]) for k in np.nonzero(np.ma.getmaskarray(values)))
        where = at[0] if len(at) == 1 else at
        raise ValueError(
            f"{name} has a masked entry at {where}; fill it or leave the example out"
        )


def as_sequence(value: Any) -> Any:
    """One ragged thing (labels of an example, say) as a list where it is no array.

    Returns
    -------
    list, or what was given
        A list for a list, tuple, Series or array of one dimension.
    """
    if type(value) is list:
        return value
    if isinstance(value, np.ndarray):
        return value.tolist() if value.ndim == 1 else value
    if isinstance(value, (list, tuple)):
        return list(value)
    return list(value.to_list()) if is_series(value) else value


def frame_is_numeric(frame: Any) -> bool:
    """Whether all columns of a data frame hold numbers or booleans."""

    def numeric(dtype: Any) -> bool:
        if hasattr(dtype, "is_numeric"):  # polars
            return bool(dtype.is_numeric()) or str(dtype) == "Boolean"
        return getattr(dtype, "kind", "O") in "biuf"

    return all(map(numeric, list(frame.dtypes)))


def frame_rows(frame: Any) -> list[dict[str, Any]]:
    """Rows of a data frame as dicts from column to value."""
    if hasattr(frame, "to_dicts"):  # polars
        return list(frame.to_dicts())
    names = [str(c) for c in frame.columns]
    columns = [frame.iloc[:, j].to_list() for j in range(len(names))]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, NaT or pandas' NA.

    Examples
    --------
    >>> is_missing(float("nan")), is_missing("nan")
    (True, False)
    """
    if value is None:
        return True
    if isinstance(value, (str, bytes, int)):
        return False
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # NA cannot be told from anything
        return type(value).__name__ == "NAType"


def plain(value: Any) -> Any:
    """A NumPy scalar as the Python object of its value; other objects as they are."""
    return value.item() if isinstance(value, np.generic) else value


def n_rows_of(x: Any) -> int:
    """Number of positions of one example."""
    shape = getattr(x, "shape", None)
    return int(shape[0]) if shape else len(x)


def pick(values: Any, index: Sequence[int]) -> Any:
    """Some of the examples, by position: of a list, or rows of an array or matrix."""
    if isinstance(values, np.ndarray) or hasattr(values, "indptr"):
        return values[list(index)]
    return [values[i] for i in index]


__all__ = [
    "OutputList",
    "as_examples",
    "as_sequence",
    "check_unmasked",
    "frame_is_numeric",
    "frame_rows",
    "is_frame",
    "is_missing",
    "is_series",
    "n_rows_of",
    "pick",
    "plain",
    "refuse_iterator",
]
