"""Tables with a header, separated by commas or tabs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pystruct_ext.io._files import read_lines
from pystruct_ext.io._records import BadRecords
from pystruct_ext.utils.messages import shorten

_LONGEST_CELL = 1 << 24


def suffix_of(path: Any) -> str:
    """What a name ends in, in small letters, ".gz" left off."""
    parts = [s.lower() for s in Path(str(path)).suffixes]
    if parts and parts[-1] == ".gz":
        parts.pop()
    return parts[-1] if parts else ""


def read_rows(
    path: Any, separator: str, needed: Sequence[str], bad: BadRecords
) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells, by column, of every row.

    Raises
    ------
    ValueError
        With file and line: columns that are missing or there twice, quotes that are never
        closed, and rows of another number of cells where `bad` raises.
    """
    before = csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(
        (line + "\n" for _, line in read_lines(path)), delimiter=separator, strict=True
    )
    rows: list[tuple[int, dict[str, str]]] = []
    header: list[str] | None = None
    try:
        while True:
            number = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                break
            if not cells:
                continue
            if header is None:
                header = [c.strip() for c in cells]
                _check_header(header, needed, f"{path}:{number}")
            elif len(cells) != len(header):
                bad.add(
                    ValueError(
                        f"{path}:{number}: has {len(cells)} cells, expected "
                        f"{len(header)} as in the header"
                    )
                )
            else:
                rows.append((number, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise ValueError(f"{path}:{reader.line_num}: {error}") from None
    finally:
        csv.field_size_limit(before)
    return rows


def _check_header(header: Sequence[str], needed: Sequence[str], where: str) -> None:
    shown = shorten(repr(list(header)))
    for name in needed:
        if name not in header:
            raise ValueError(f"{where}: has no column {name!r}, but {shown}")
    if len(set(header)) < len(header):
        raise ValueError(f"{where}: has a column twice: {shown}")


def table_lines(
    header: Sequence[str], rows: Iterable[Sequence[str]], separator: str
) -> Iterator[str]:
    """Lines of a table that `read_rows` reads."""
    for row in (header, *rows):
        text = io.StringIO()
        # Only cells with a character of the line's end are quoted for it.
        csv.writer(text, delimiter=separator, lineterminator="\r\n").writerow(row)
        yield text.getvalue().removesuffix("\r\n")


__all__ = ["read_rows", "suffix_of", "table_lines"]
