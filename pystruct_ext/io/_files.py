"""Reading plain or gzip text line by line, and writing files whole or not at all."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pystruct_ext.io._text import decoded
from pystruct_ext.utils.files import atomic_file


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """``(line number, text)`` of a file, gzip or plain by content; "-" is stdin.

    Raises
    ------
    ValueError
        If a line is not UTF-8, or the file is binary.
    """
    with ExitStack() as stack:
        raw: Any = sys.stdin.buffer
        if str(path) != "-":
            raw = stack.enter_context(open(path, "rb"))
        head = raw.peek(2)[:2] if hasattr(raw, "peek") else b""
        stream = raw
        if head == b"\x1f\x8b":
            stream = stack.enter_context(gzip.open(raw, "rb"))
        number = 0
        while True:
            try:
                line = stream.readline()
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise ValueError(f"{path}: damaged gzip data: {error}") from error
            if not line:
                return
            number += 1
            yield number, decoded(line, path, number)


def write_lines(path: str | os.PathLike[str], lines: Iterable[str]) -> None:
    """Write lines to a temporary file beside `path`, then rename; gzip if it ends in .gz.

    "-" is stdout.
    """
    if str(path) == "-":
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        return
    target = Path(path)
    with atomic_file(target) as raw, ExitStack() as stack:
        file: Any = raw
        if target.suffix == ".gz":
            file = stack.enter_context(
                gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="")
            )
        for line in lines:
            file.write(line.encode() + b"\n")
