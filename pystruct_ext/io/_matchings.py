"""Matching problems: one JSON object per line."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from pystruct_ext.io._ambiguous import _parse
from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords
from pystruct_ext.outputs.matchings import Links, MatchingProblem, sure_and_possible
from pystruct_ext.utils.messages import shorten

_FIELDS = (
    *("id", "shape", "pairs", "features", "links", "possible"),
    *("row_capacity", "column_capacity", "rows", "columns"),
)
_MOST = 10_000_000


@dataclass
class Matchings:
    """Matching problems and, where the file has them, their links.

    Attributes
    ----------
    problems : list of n MatchingProblem
    links : list of n Links, or None where no problem has any
    ids : list of n str
        Line numbers where there are none.
    records : list of n str
        File and line of each problem: for messages.
    unlinked : str
        The first problem that has no links.
    """

    problems: list[MatchingProblem]
    links: list[Links] | None
    ids: list[str]
    records: list[str] = field(default_factory=list, repr=False)
    unlinked: str = ""

    def __len__(self) -> int:
        return len(self.problems)

    def take(self, index: Sequence[int]) -> Matchings:
        """Some of the problems, in this order."""
        return Matchings(
            [self.problems[i] for i in index],
            None if self.links is None else [self.links[i] for i in index],
            [self.ids[i] for i in index],
            [self.records[i] for i in index] if self.records else [],
            self.unlinked,
        )


def read_matchings(path: str | os.PathLike[str], on_error: str = "raise") -> Matchings:
    """Read matching problems, one JSON object per line.

    An object has "features", m lists of n vectors; or "shape" [m, n], "pairs", a list of [row,
    column], and "features", as many vectors, lists of feature names or objects {name: value}.
    To learn from, it has "links", a list of [row, column]; it may have "possible" ones,
    "row_capacity" and "column_capacity" (a number or a list), names "rows" and "columns", and
    an "id".

    Parameters
    ----------
    path : path-like
        Gzip or plain; "-" is stdin.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a bad problem: raise, or leave it out, with a warning that counts and
        names.

    Returns
    -------
    Matchings

    Raises
    ------
    ValueError
        With file and line.
    """
    bad = BadRecords(on_error, "matching problems")
    out = Matchings([], [], [])
    links: list[Links] = []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            record = _checked(_parse(line, where), where)
            problem, own = _problem(record, where)
        except (ValueError, TypeError, OverflowError) as error:
            text = str(error)
            text = text if text.startswith(where) else f"{where}: {text}"
            bad.add(ValueError(text))
            continue
        if own is None:
            out.unlinked = out.unlinked or f"{where} has no links"
        links.append(Links(()) if own is None else own)
        out.problems.append(problem)
        out.ids.append(str(record.get("id", number)))
        out.records.append(where)
    bad.finish(path, len(out))
    out.links = None if out.unlinked else links
    return out


def _checked(record: Any, where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise ValueError(
            f"{where}: expected a JSON object, got {type(record).__name__}"
        )
    for name in record:
        if name not in _FIELDS:
            raise ValueError(
                f"{where}: has the field {shorten(repr(name))}, expected some of "
                f"{', '.join(_FIELDS)}"
            )
    if "features" not in record:
        raise ValueError(f"{where}: has no field 'features'")
    for name in ("features", "pairs", "shape", "links", "possible", "rows", "columns"):
        if name in record and not isinstance(record[name], list):
            raise ValueError(
                f"{where}: {name} must be a list, got {shorten(repr(record[name]))}"
            )
    shape = record.get("shape")
    if shape is not None and not (
        len(shape) == 2 and all(type(k) is int and 0 <= k <= _MOST for k in shape)
    ):
        raise ValueError(
            f"{where}: shape must be two whole numbers from 0 to {_MOST}, got "
            f"{shorten(repr(shape))}"
        )
    return record


def _problem(
    record: dict[str, Any], where: str
) -> tuple[MatchingProblem, Links | None]:
    features: Any = record["features"]
    named = any(isinstance(v, (list, dict)) and _has_names(v) for v in features)
    if "pairs" not in record or not named:
        features = _numbers(features, where)
    problem = MatchingProblem(
        features,
        record.get("shape"),
        record.get("pairs"),
        record.get("row_capacity"),
        record.get("column_capacity"),
        record.get("rows"),
        record.get("columns"),
    )
    if "links" not in record:
        return problem, None
    links = Links(record["links"], record.get("possible", ()))
    m, n = problem.shape
    for i, j in (*links.sure, *links.possible):
        if i >= m or j >= n:
            raise ValueError(
                f"{where}: links row {i} with column {j}, but there are {m} rows and {n} "
                "columns"
            )
    return problem, links


def _has_names(vector: Any) -> bool:
    return isinstance(vector, dict) or any(isinstance(v, str) for v in vector)


def _numbers(features: Any, where: str) -> Any:
    try:
        array = np.array(features, dtype=np.float64)
    except (ValueError, TypeError):
        raise ValueError(
            f"{where}: features must be vectors of the same number of numbers, or lists of "
            "names"
        ) from None
    if not np.isfinite(array).all():
        raise ValueError(f"{where}: features hold NaN or infinity")
    return array


def write_matchings(
    path: str | os.PathLike[str],
    problems: Sequence[Any],
    links: Sequence[Any] | None = None,
    ids: Sequence[str] | None = None,
) -> None:
    """Write matching problems as `read_matchings` reads them.

    Parameters
    ----------
    path : path-like
        Written beside it under a temporary name, then renamed; gzip if it ends in ".gz"; "-" is
        stdout.
    problems : list of n MatchingProblem, or (m, n, d) arrays
    links : list of n, optional
        Lists of (row, column), or `Links`.
    ids : list of n str, optional
    """
    lines = []
    for i, x in enumerate(problems):
        x = x if isinstance(x, MatchingProblem) else MatchingProblem(x)
        record: dict[str, Any] = {} if ids is None else {"id": str(ids[i])}
        record.update(_record(x, f"problems: example {i}"))
        if links is not None:
            sure, possible = sure_and_possible(links[i], f"links: example {i}")
            record["links"] = sure
            if possible:
                record["possible"] = possible
        lines.append(json.dumps(record))
    write_lines(path, lines)


def _record(x: MatchingProblem, where: str) -> dict[str, Any]:
    m, n = x.shape
    out: dict[str, Any] = {}
    vectors: Any = x.features
    if sparse.issparse(vectors):
        given: Any = vectors
        rows = sparse.csr_array(given)
        vectors = [
            {
                str(k): float(v)
                for k, v in zip(
                    rows.indices[a:b].tolist(), rows.data[a:b].tolist(), strict=True
                )
            }
            for a, b in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
        ]
    elif isinstance(vectors, np.ndarray):
        if not np.isfinite(vectors.astype(np.float64)).all():
            raise ValueError(f"{where} has features that are NaN or infinite")
        vectors = vectors.tolist()
    if isinstance(x.features, np.ndarray) and len(x) == m * n and len(x):
        out["features"] = [vectors[k * n : (k + 1) * n] for k in range(m)]
    else:
        out.update(shape=[m, n], pairs=x.pairs.tolist(), features=vectors)
    for name, value in (
        ("row_capacity", x.row_capacity),
        ("column_capacity", x.column_capacity),
    ):
        if value is not None:
            out[name] = value.tolist()
    for name, names in (("rows", x.row_names), ("columns", x.column_names)):
        if names is not None:
            out[name] = [str(v) for v in names]
    return out


__all__ = ["Matchings", "read_matchings", "write_matchings"]
