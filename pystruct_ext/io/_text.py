"""Bytes of a text file as text, or a refusal that says what they look like."""

from __future__ import annotations

from typing import Any

_MARK = b"\xef\xbb\xbf"
_OTHER = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def decoded(line: bytes, path: Any, number: int) -> str:
    """A line without its end; the mark of UTF-8 before the first is taken off.

    Raises
    ------
    ValueError
        With path and number, for other encodings and for binary data.
    """
    if number == 1 and line.startswith(_MARK):
        line = line[3:]
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        what = other_encoding(line) if number == 1 else None
        raise ValueError(f"{path}:{number}: {what or f'not UTF-8: {error}'}") from None
    if "\0" in text:
        what = other_encoding(line) if number == 1 else None
        raise ValueError(f"{path}:{number}: {what or NUL}")
    return text


NUL = "has a NUL byte: the file is binary, or text in UTF-16; expected UTF-8"


def other_encoding(data: bytes) -> str | None:
    """What to say of a file that begins with the mark of another encoding."""
    for mark, name in _OTHER:
        if data.startswith(mark):
            return f"the file is {name}, expected UTF-8"
    return None


__all__ = ["NUL", "decoded", "other_encoding"]
