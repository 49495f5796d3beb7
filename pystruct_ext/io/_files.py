"""Reading plain or compressed text line by line, and writing files whole or not at all."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from pystruct_ext.io._text import decoded
from pystruct_ext.utils.files import atomic_file
from pystruct_ext.utils.inputs import name_of, open_input


def read_lines(
    path: str | os.PathLike[str] | BinaryIO,
) -> Iterator[tuple[int, str]]:
    """``(line number, text)`` of a file, read once from its beginning to its end.

    Parameters
    ----------
    path : path-like or binary file
        Plain, gzip or bzip2 by content; "-" is stdin. A byte-order mark is left out.

    Raises
    ------
    ValueError
        If a line is not UTF-8, the file is binary, or a line is beyond the limits; see
        `pystruct_ext.io.input_limits`.
    """
    name = path if isinstance(path, (str, os.PathLike)) else name_of(path)
    with open_input(path) as file:
        for number, line in enumerate(file, 1):
            yield number, decoded(line, name, number)


def write_lines(path: str | os.PathLike[str], lines: Iterable[str]) -> None:
    """Write lines to a file, whole or not at all; gzip if it ends in .gz.

    See `pystruct_ext.utils.files.atomic_file`; "-" is stdout.
    """
    if str(path) == "-":
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        return
    with atomic_file(path) as raw, ExitStack() as stack:
        file: Any = raw
        if Path(path).suffix == ".gz":
            file = stack.enter_context(
                gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="")
            )
        for line in lines:
            file.write(line.encode() + b"\n")
