"""What errors quote, kept short enough to read."""

from __future__ import annotations

from typing import Any

LIMIT = 200


def shorten(value: Any, limit: int = LIMIT) -> str:
    """Text of a value for a message, at most `limit` characters.

    What is too long keeps its beginning and its end, and says how long it was.

    Parameters
    ----------
    value : object
        A str is taken as it is (put ``!r`` behind the call to quote it); of anything else
        the ``repr``.
    limit : int, default=200
        Characters of the result, at least 40.

    Returns
    -------
    str

    Examples
    --------
    >>> shorten("a word"), shorten([1, 2])
    ('a word', '[1, 2]')
    >>> shorten("ACGU" * 1000, 50)
    'ACGUACGUACGUACGUAC ... (4000 characters) ... UACGU'
    """
    if isinstance(value, (bytes, bytearray, memoryview)) and len(value) > 4 * limit:
        # The repr of a gigabyte is four of them.
        value = f"{bytes(value[: 4 * limit])!r}..."
    text = value if isinstance(value, str) else repr(value)
    if len(text) <= limit:
        return text
    middle = f" ... ({len(text)} characters) ... "
    room = max(limit - len(middle), 8)
    tail = room // 4
    return text[: room - tail] + middle + text[-tail:]


__all__ = ["LIMIT", "shorten"]
