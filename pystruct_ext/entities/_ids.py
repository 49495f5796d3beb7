"""Records by the ids that people give them, links and labels in the forms they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.entities._tables import Pairs, Table, is_missing
from pystruct_ext.utils.messages import shorten


class Ids:
    """The ids of the records of a table: a column, or their positions.

    Parameters
    ----------
    table : Table
    column : str or None
    which : str
        What errors call the table.
    """

    def __init__(self, table: Table, column: str | None, which: str) -> None:
        self.which, self.n = which, len(table)
        self.values: list[Any] | None = None
        if column is None:
            return
        self.values = table.column(column, which)
        self._at: dict[Any, int] = {}
        for k, value in enumerate(self.values):
            if is_missing(value):
                raise ValueError(f"{which}[{k}] has no id in the column {column!r}")
            if value in self._at:
                raise ValueError(
                    f"{which}[{k}] has the id {shorten(value, 60)!r} of record "
                    f"{self._at[value]}, expected distinct ids in the column {column!r}"
                )
            self._at[value] = k

    def positions(self, ids: list[Any], name: str, side: int) -> NDArray[np.int64]:
        """Positions of the records of some ids; errors name the row of a list of pairs."""
        out = np.empty(len(ids), dtype=np.int64)
        for k, value in enumerate(ids):
            at = self._position(value)
            if at is None:
                known = "its ids" if self.values is not None else f"0 .. {self.n - 1}"
                raise ValueError(
                    f"{name}[{k}] mentions record {shorten(value, 60)!r}, which the "
                    f"{self.which} table lacks (entry {side} of the pair, expected one of "
                    f"{known})"
                )
            out[k] = at
        return out

    def _position(self, value: Any) -> int | None:
        if self.values is not None:
            try:
                return self._at.get(value)
            except TypeError:
                return None
        try:
            whole = float(value) == int(value)
        except (TypeError, ValueError):
            return None
        return int(value) if whole and 0 <= int(value) < self.n else None

    def take(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Ids of some records."""
        if self.values is None:
            return positions
        values = self.values
        return _plain_array([values[k] for k in positions.tolist()])


def _plain_array(values: list[Any]) -> NDArray[Any]:
    """Numbers stay numbers; anything else is an object."""
    kinds = {type(v) for v in values}
    if kinds and kinds <= {int, np.int64}:
        return np.array(values, dtype=np.int64)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def as_rows(data: Any, name: str) -> list[tuple[Any, ...]]:
    """Rows of a DataFrame, an array or a list of tuples."""
    if hasattr(data, "itertuples"):
        return [tuple(row) for row in data.itertuples(index=False, name=None)]
    if hasattr(data, "rows") and callable(data.rows):  # polars
        return [tuple(row) for row in data.rows()]
    if isinstance(data, np.ndarray):
        if data.dtype.names is not None:
            return [tuple(row) for row in data.tolist()]
        if data.ndim != 2 and data.size:
            raise ValueError(
                f"{name} has the shape {data.shape}, expected pairs of ids (L, 2), or "
                "(L, 3) with a label"
            )
        return [tuple(row) for row in data.tolist()] if data.size else []
    if isinstance(data, (str, bytes)) or not hasattr(data, "__iter__"):
        raise TypeError(
            f"{name} is {shorten(data, 80)}, expected pairs of ids (L, 2), or (L, 3) with "
            "a label"
        )
    out = []
    for k, row in enumerate(data):
        if isinstance(row, (str, bytes)) or not hasattr(row, "__iter__"):
            raise ValueError(
                f"{name}[{k}] is {shorten(row, 60)}, expected a pair of ids"
            )
        out.append(tuple(row))
    return out


def read_links(
    data: Any, left: Ids, right: Ids, name: str
) -> tuple[Pairs, NDArray[np.bool_] | None]:
    """Positions of pairs, and their labels where there is a third column."""
    rows = as_rows(data, name)
    widths = {len(row) for row in rows}
    if not widths <= {2} and not widths <= {3}:
        k = next(
            i
            for i, row in enumerate(rows)
            if len(row) not in (2, 3) or len(row) != len(rows[0])
        )
        raise ValueError(
            f"{name}[{k}] has {len(rows[k])} entries, expected a pair of ids, or a pair and "
            "a label, the same in all rows"
        )
    i = left.positions([row[0] for row in rows], name, 0)
    j = right.positions([row[1] for row in rows], name, 1)
    pairs = np.stack([i, j], axis=1)
    if widths != {3}:
        return pairs, None
    labels = np.zeros(len(rows), dtype=bool)
    for k, row in enumerate(rows):
        if is_missing(row[2]) or row[2] not in (0, 1):
            raise ValueError(
                f"{name}[{k}] has the label {shorten(row[2], 40)}, expected 0 or 1"
            )
        labels[k] = bool(row[2])
    return pairs, labels


def distinct(pairs: Pairs, name: str, one_table: bool = False) -> Pairs:
    """Pairs, each once, and of two records; the smaller first in one table."""
    if one_table:
        pairs = np.sort(pairs, axis=1)
        alone = np.flatnonzero(pairs[:, 0] == pairs[:, 1])
        if len(alone):
            raise ValueError(f"{name}[{alone[0]}] is a record with itself")
    _, first, count = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    if (count > 1).any():
        pair = tuple(pairs[int(first[count > 1].min())].tolist())
        raise ValueError(f"{name} has the pair of records {pair} twice, expected once")
    return pairs


def cluster_codes(ids: Any, n: int) -> NDArray[np.int64]:
    """Numbers of cluster ids; a missing one is a cluster of its own."""
    values = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    if len(values) != n:
        raise ValueError(
            f"ids has {len(values)} clusters, expected one per record: {n}"
        )
    code: dict[Any, int] = {}
    out = np.empty(n, dtype=np.int64)
    for k, value in enumerate(values):
        if is_missing(value):
            raise ValueError(
                f"ids[{k}] is {shorten(repr(value), 40)}, expected a cluster; a record alone "
                "needs one of its own"
            )
        try:
            out[k] = code.setdefault(value, len(code))
        except TypeError:
            raise TypeError(
                f"ids[{k}] is {shorten(repr(value), 60)}, expected a number or text"
            ) from None
    return out


__all__ = ["Ids", "as_rows", "cluster_codes", "distinct", "read_links"]
