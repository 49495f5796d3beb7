"""Bytes of files, pipes and standard input, plain or compressed, up to a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, BinaryIO, NamedTuple

GIB, MIB = 2**30, 2**20
_UNITS = {"": 1, "K": 2**10, "M": MIB, "G": GIB, "T": 2**40}
_GZIP, _BZIP2, _BOM = b"\x1f\x8b", b"BZh", b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class InputLimits(NamedTuple):
    """How much is read before an input is refused.

    Attributes
    ----------
    max_bytes : int or None
        Of what is compressed (counted after decompression), of pipes, devices and standard
        input. A plain file is as long as it is. None is no limit.
    max_ratio : int or None
        Decompressed over compressed size, counted beyond the first 16 MiB.
    max_line : int or None
        Bytes of a line.
    """

    max_bytes: int | None = 4 * GIB
    max_ratio: int | None = 100
    max_line: int | None = 64 * MIB


_FREE_OF_RATIO = 16 * MIB
_limits: ContextVar[InputLimits | None] = ContextVar("limits", default=None)


def parse_size(text: str) -> int | None:
    """Bytes of a size such as "500M" or "16G"; None of "none".

    Raises
    ------
    ValueError
        For other text.
    """
    if text.strip().lower() == "none":
        return None
    found = re.fullmatch(r"(\d+)([KMGT]?)(?:i?B)?", text.strip(), flags=re.I)
    if found is None or not int(found.group(1)):
        raise ValueError(f"a size such as 500M, 16G or none, got {text!r}")
    return int(found.group(1)) * _UNITS[found.group(2).upper()]


def limits_in_force() -> InputLimits:
    """Those of `input_limits`, else those of the environment, else the default."""
    chosen = _limits.get()
    if chosen is not None:
        return chosen
    limits = InputLimits()
    for variable, name in (
        ("PYSTRUCT_EXT_MAX_INPUT", "max_bytes"),
        ("PYSTRUCT_EXT_MAX_LINE", "max_line"),
    ):
        text = os.environ.get(variable)
        if text:
            try:
                limits = limits._replace(**{name: parse_size(text)})
            except ValueError as error:
                raise ValueError(f"{variable} must be {error}") from None
            if name == "max_bytes":
                # Who says how much says how much.
                limits = limits._replace(max_ratio=None)
    return limits


@contextmanager
def input_limits(
    max_bytes: int | None = InputLimits().max_bytes,
    max_ratio: int | None = InputLimits().max_ratio,
    max_line: int | None = InputLimits().max_line,
) -> Iterator[None]:
    """Read with other limits inside; see `InputLimits`.

    Without it ``PYSTRUCT_EXT_MAX_INPUT`` and ``PYSTRUCT_EXT_MAX_LINE`` of the environment
    say how many bytes, such as "16G" or "none".
    """
    token = _limits.set(InputLimits(max_bytes, max_ratio, max_line))
    try:
        yield
    finally:
        _limits.reset(token)


class InputError(ValueError):
    """An input that has no text: beyond a limit, damaged, in another encoding."""


class _Counted(io.RawIOBase):
    """What another stream holds, with its first bytes given back, up to a limit."""

    def __init__(self, stream: Any, head: bytes, limit: int | None, name: str) -> None:
        self.stream = stream
        self.head = head
        self.limit = limit
        self.name = name
        self.count = 0
        # Of what is compressed only the content has lines.
        self.has_lines = False
        self.max_line = limits_in_force().max_line
        self.lines = 0
        # Bytes of the line so far, and how many of them are returns at its end.
        self.line = self.returns = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.head:
            data, self.head = self.head[: len(buffer)], self.head[len(buffer) :]
        else:
            data = self.read_some(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        self.check()
        if self.has_lines:
            self.check_line(data)
        return len(data)

    def check_line(self, data: bytes) -> None:
        """Refuse a line beyond the limit; here, so that no reader collects it first."""
        if self.max_line is None:
            return
        # Only a limit below the size of a piece is a matter of the lines within.
        within = len(data) > self.max_line
        pieces = data.split(b"\n") if within else [data[: data.find(b"\n")]]
        if b"\n" not in data:
            pieces = [data]
        for k, piece in enumerate(pieces):
            length = len(piece.rstrip(b"\r"))
            if k == 0:
                length += self.line - (0 if length else self.returns)
            if length > self.max_line:
                raise InputError(
                    f"{self.name}:{self.lines + k + 1}: the line is longer than "
                    f"{size_text(self.max_line)}; if it is meant to be, raise the limit "
                    "with PYSTRUCT_EXT_MAX_LINE, such as 1G"
                )
        end = data.rfind(b"\n")
        tail = data[end + 1 :]
        bare = len(tail.rstrip(b"\r"))
        if end >= 0:
            self.line = self.returns = 0
        self.returns = len(tail) - bare + (0 if bare else self.returns)
        self.line += len(tail)
        self.lines += data.count(b"\n")

    def read_some(self, n: int) -> bytes:
        return bytes(self.stream.read1(n))

    def check(self) -> None:
        if self.limit is not None and self.count > self.limit:
            raise InputError(
                f"{self.name}: more than {size_text(self.limit)} from what is no plain file; "
                "raise the limit with PYSTRUCT_EXT_MAX_INPUT or --max-input, such as 16G"
            )


class _Expanded(_Counted):
    """What a compressed stream holds, up to the limits."""

    def __init__(
        self, stream: Any, kind: str, source: _Counted, limits: InputLimits
    ) -> None:
        super().__init__(stream, b"", None, source.name)
        self.kind = kind
        self.source = source
        self.limits = limits

    def read_some(self, n: int) -> bytes:
        try:
            return bytes(self.stream.read1(min(n, MIB)))
        except (EOFError, OSError, zlib.error) as error:
            raise InputError(
                f"{self.name}: damaged {self.kind} data: {error}"
            ) from error

    def check(self) -> None:
        most, ratio, _ = self.limits
        how = "raise the limit with PYSTRUCT_EXT_MAX_INPUT or --max-input, such as 16G"
        if most is not None and self.count > most:
            raise InputError(
                f"{self.name}: holds more than {size_text(most)} when decompressed; {how}"
            )
        over = self.count - _FREE_OF_RATIO
        if ratio is not None and over > ratio * max(self.source.count, 1):
            raise InputError(
                f"{self.name}: {size_text(self.source.count)} of compressed data hold more "
                f"than {size_text(self.count)}, above {ratio} to 1: a decompression bomb? "
                f"If not, {how}"
            )


def size_text(n: int) -> str:
    """A number of bytes to read."""
    for unit, size in (("GiB", GIB), ("MiB", MIB), ("KiB", 2**10)):
        if n >= size:
            return f"{n / size:.4g} {unit}"
    return f"{n} bytes"


@contextmanager
def open_input(path: str | os.PathLike[str] | BinaryIO) -> Iterator[BinaryIO]:
    """Bytes of a file, decompressed where its first bytes say gzip or bzip2.

    Read once, from the beginning to the end, so that pipes and process substitution do.
    A byte-order mark of UTF-8 is left out.

    Parameters
    ----------
    path : path-like, "-" or binary file
        "-" is the standard input.

    Yields
    ------
    buffered binary file

    Raises
    ------
    OSError
        If it cannot be opened.
    InputError
        While it is read: beyond the `InputLimits`, for damaged compression, UTF-16.
    """
    limits = limits_in_force()
    with ExitStack() as stack:
        raw: Any = path
        name, regular = name_of(path), False
        named = isinstance(path, (str, os.PathLike))
        if named and str(path) == "-":
            raw = sys.stdin.buffer
        elif named:
            raw = stack.enter_context(open(raw, "rb"))
            regular = stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
        if not hasattr(raw, "read1"):
            raw = io.BytesIO(_bytes_of(raw, name))
        head = _first(raw, 3)
        # What is in memory, or as long as it is on the disk, has its end.
        most = None if regular or isinstance(raw, io.BytesIO) else limits.max_bytes
        counted = _Counted(raw, head, most, name)
        stream = counted
        if head.startswith((_GZIP, _BZIP2)):
            source: Any = io.BufferedReader(counted)
            kind = "gzip" if head.startswith(_GZIP) else "bzip2"
            inner: Any = (gzip.open if kind == "gzip" else bz2.open)(source, mode="rb")
            stream = _Expanded(stack.enter_context(inner), kind, counted, limits)
            head = _first(stream, 3)
            stream.head = head
        if head[:2] in _UTF16:
            raise InputError(f"{name}: is UTF-16 text, expected UTF-8")
        stream.head = head.removeprefix(_BOM)
        stream.has_lines = True
        yield io.BufferedReader(stream, 2**18)  # type: ignore[misc]


def _first(raw: Any, n: int) -> bytes:
    """The first n bytes, fewer where there are no more."""
    head = b""
    while len(head) < n:
        more = raw.read(n - len(head))
        if not more:
            break
        head += more
    return head


def _bytes_of(raw: Any, name: str) -> bytes:
    data = raw.read()
    if not isinstance(data, bytes):
        raise TypeError(
            f"{name}: must be opened in binary mode, read() returned "
            f"{type(data).__name__}"
        )
    return data


def name_of(file: Any) -> str:
    """The name of a path or of an open file for messages."""
    if isinstance(file, (str, os.PathLike)):
        return "<stdin>" if str(file) == "-" else os.fspath(file)
    label = getattr(file, "name", None)
    return label if isinstance(label, str) else "<file>"


def read_input(path: str | os.PathLike[str] | BinaryIO) -> bytes:
    """All that `open_input` gives."""
    with open_input(path) as file:
        return file.read()


class HeldInput(io.BytesIO):
    """All of an input, to be read more than once; its text is its name.

    Parameters
    ----------
    path : path-like or "-"
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(read_input(path))
        self.name: str = name_of(path)

    def __str__(self) -> str:
        return self.name


def seekable(path: str | os.PathLike[str]) -> BinaryIO:
    """A regular file, opened; of a pipe or device the content, in memory.

    For what must be read in another order than it is written in.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    binary file
        A context manager that closes it.

    Raises
    ------
    OSError
        If there is nothing, or a folder.
    ValueError
        For more than ``max_bytes`` of `InputLimits`.
    """
    if stat.S_ISREG(os.stat(path).st_mode):
        return open(path, "rb")
    with open(path, "rb") as raw:
        counted: Any = _Counted(raw, b"", limits_in_force().max_bytes, os.fspath(path))
        return io.BytesIO(io.BufferedReader(counted).read())


__all__ = [
    "HeldInput",
    "InputError",
    "InputLimits",
    "input_limits",
    "limits_in_force",
    "name_of",
    "open_input",
    "parse_size",
    "read_input",
    "seekable",
    "size_text",
]
