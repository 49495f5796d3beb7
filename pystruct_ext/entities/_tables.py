"""Tables of records as people have them, and pairs of their records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.utils.messages import shorten

Pairs = NDArray[np.int64]


class Table:
    """The columns of some records.

    Parameters
    ----------
    columns : dict of str to list
        Values per record, all lists of one length.
    n : int
        Records.
    """

    def __init__(self, columns: dict[str, list[Any]], n: int) -> None:
        self.columns = columns
        self.n = n

    def __len__(self) -> int:
        return self.n

    def column(self, name: str, which: str) -> list[Any]:
        """Values of a column that must be there."""
        if name not in self.columns:
            if not self.n and not self.columns:
                return []
            raise ValueError(
                f"{which} lacks the column {name!r} (it has "
                f"{shorten(', '.join(self.columns))}); expected the columns of the "
                "tables that were fitted, with None where a value is missing"
            )
        return self.columns[name]

    def take(self, rows: Any) -> Table:
        """The records of some rows."""
        index = np.arange(self.n)[rows].tolist()
        return Table(
            {k: [v[i] for i in index] for k, v in self.columns.items()}, len(index)
        )


def as_table(data: Any, which: str) -> Table:
    """A table of a DataFrame, a list of dicts or a dict of columns.

    Parameters
    ----------
    data : DataFrame, list of dicts, or dict of sequences
        In dicts a missing key is a missing value.
    which : str
        What errors call it.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, Mapping):
        return _of_columns({_name(k, which): list(v) for k, v in data.items()}, which)
    if hasattr(data, "columns") and hasattr(data, "shape"):
        columns = {}
        for k in data.columns:
            series = data[k]
            if getattr(series, "ndim", 1) != 1:
                raise ValueError(
                    f"{which} has two columns {k!r}, expected distinct names"
                )
            make = getattr(series, "tolist", None) or series.to_list
            columns[_name(k, which)] = list(make())
        return Table(columns, int(data.shape[0]))
    if isinstance(data, (str, bytes)) or not isinstance(data, Sequence):
        if not hasattr(data, "__iter__") or isinstance(data, (str, bytes)):
            raise TypeError(
                f"{which} is {shorten(data, 80)}, expected a DataFrame, a list of dicts "
                "or a dict of columns"
            )
        data = list(data)
    for i, record in enumerate(data):
        if not isinstance(record, Mapping):
            raise TypeError(
                f"{which}[{i}] is {shorten(repr(record), 80)}, expected a dict of "
                "column and value"
            )
    names = dict.fromkeys(_name(k, which) for record in data for k in record)
    return Table({k: [r.get(k) for r in data] for k in names}, len(data))


def _name(name: Any, which: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{which} has a column {name!r}, expected names that are str")
    return name


def _of_columns(columns: dict[str, list[Any]], which: str) -> Table:
    lengths = {k: len(v) for k, v in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{which} has columns of different lengths: {shorten(lengths, 120)}"
        )
    return Table(columns, next(iter(lengths.values()), 0))


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, NaT, NA or blank text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, (np.floating, np.datetime64, np.timedelta64)):
        return bool(value != value)
    return False


def text_of(value: Any, lowercase: bool) -> str:
    """A value as text: "" if it is missing, whole numbers without a point, dates as ISO."""
    if is_missing(value):
        return ""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if hasattr(value, "isoformat"):
        text = str(value.isoformat())
        return text.removesuffix("T00:00:00")
    text = " ".join(str(value).split())
    return text.lower() if lowercase else text


def texts_of(table: Table, name: str, which: str, lowercase: bool) -> list[str]:
    """Texts of a column."""
    return [text_of(v, lowercase) for v in table.column(name, which)]


def check_pairs(pairs: Any, n_left: int, n_right: int, name: str = "pairs") -> Pairs:
    """Positions of records, (E, 2), all within the tables."""
    array = np.asarray(pairs)
    if array.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(
            f"{name} has the shape {array.shape}, expected (E, 2): a record of the left "
            "table and one of the right"
        )
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} is of {array.dtype}, expected positions of records")
    for column, n in ((0, n_left), (1, n_right)):
        bad = (array[:, column] < 0) | (array[:, column] >= n)
        if bad.any():
            at = int(np.argmax(bad))
            side = "left" if column == 0 else "right"
            raise ValueError(
                f"{name}[{at}] mentions record {array[at, column]} of the {side} table, "
                f"which has {n} records (0 .. {n - 1})"
            )
    return np.ascontiguousarray(array, dtype=np.int64)


class RecordPairs:
    """Pairs of records of two tables, or of one: what `PairFeatures` takes.

    Parameters
    ----------
    left : DataFrame, list of dicts, or dict of columns
    right : the same, or None
        None: both records of a pair are of the left table (de-duplication).
    pairs : (E, 2) array-like of int
        Positions of the records in the tables.

    Notes
    -----
    ``pairs[rows]`` are some of the pairs of the same tables, so that scikit-learn can split
    them: ``cross_val_predict(make_pipeline(PairFeatures(), ...), pairs, y)``.

    Examples
    --------
    >>> left = [{"name": "lg dishwasher"}, {"name": "dvd player"}]
    >>> right = [{"name": "DVD Player 3800"}]
    >>> pairs = RecordPairs(left, right, [(0, 0), (1, 0)])
    >>> len(pairs), pairs[1:].pairs.tolist()
    (2, [[1, 0]])
    """

    def __init__(self, left: Any, right: Any = None, pairs: Any = ()) -> None:
        self.left = as_table(left, "left")
        self.right = self.left if right is None else as_table(right, "right")
        self.pairs = check_pairs(pairs, len(self.left), len(self.right))

    @property
    def one_table(self) -> bool:
        """Whether both records of a pair are of one table."""
        return self.left is self.right

    @property
    def shape(self) -> tuple[int]:
        """(E,)."""
        return (len(self.pairs),)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, rows: Any) -> RecordPairs:
        if isinstance(rows, tuple):  # scikit-learn indexes rows, then all the rest
            rows = rows[0]
        if isinstance(rows, (int, np.integer)):
            rows = [rows]
        right = None if self.one_table else self.right
        return RecordPairs(self.left, right, self.pairs[rows])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(map(tuple, self.pairs.tolist()))


def as_pairs(X: Any) -> RecordPairs:
    """`RecordPairs`, or a tuple (left, right, pairs) or (table, pairs)."""
    if isinstance(X, RecordPairs):
        return X
    if isinstance(X, tuple) and len(X) in (2, 3):
        return RecordPairs(X[0], *(X[1:] if len(X) == 3 else (None, X[1])))
    raise TypeError(
        f"X is a {type(X).__name__}, expected RecordPairs, (left, right, pairs) or "
        "(table, pairs)"
    )


__all__ = ["Pairs", "RecordPairs", "Table", "as_pairs", "as_table", "check_pairs"]
