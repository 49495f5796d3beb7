"""Lines of bytes as text, or a refusal that says what they look like."""

from __future__ import annotations

from typing import Any

NUL = "has a NUL byte: the file is binary, or text in UTF-16; expected UTF-8"


def decoded(line: bytes, path: Any, number: int) -> str:
    """A line without its end.

    Raises
    ------
    ValueError
        With path and number, for other encodings and for binary data.
    """
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}:{number}: not UTF-8: {error}") from None
    if "\0" in text:
        raise ValueError(f"{path}:{number}: {NUL}")
    return text


__all__ = ["NUL", "decoded"]
