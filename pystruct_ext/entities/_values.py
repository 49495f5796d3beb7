"""Numbers, dates and kinds of values, found in their text."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TYPES = ("text", "number", "date", "category")

_TOKEN = re.compile(r"[^\W_]+(?:\.\d+)?")
_FIRST = re.compile(r"\d+(?::\d\d)+|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_ALONE = re.compile(
    r"[^\w.:-]*-?(?:\d[\d,]*(?:\.\d+)?|\.\d+|\d+(?::\d\d)+)\s*[^\w\s]?\s*"
)
_MONTHS = {
    **{"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6},
    **{"jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12},
}
_PART = re.compile(r"\d+|[a-z]+", re.IGNORECASE)


def tokens(text: str) -> list[str]:
    """Words, and numbers with their decimals, in order.

    Examples
    --------
    >>> tokens("dvd-2930ci, 19.99 $")
    ['dvd', '2930ci', '19.99']
    """
    return _TOKEN.findall(text)


def first_number(text: str) -> float:
    """The first number of a text, NaN if there is none; 1:30 is 90, 1,500 is 1500.

    Examples
    --------
    >>> first_number("$ 1.29"), first_number("takes 6:30"), first_number("none")
    (1.29, 390.0, nan)
    """
    found = _FIRST.search(text)
    if found is None:
        return float("nan")
    if ":" in found[0]:
        value = 0.0
        for part in found[0].split(":"):
            value = 60 * value + float(part)
        return value
    value = float(found[0].replace(",", ""))
    before = text[: found.start()]
    return -value if re.search(r"(?:^|[\s($])-\s*\$?\s*$", before) else value


def day_number(text: str) -> float:
    """Days since year 0 of a date in one of the usual spellings, NaN if it is none.

    Year first, month first (5/18/2015), or day first where a month's name or a number above
    12 says so; two-digit years are of 1950 .. 2049.

    Examples
    --------
    >>> [day_number(t) - day_number("2015-05-18") for t in ("18-May-15", "May 19 , 2015")]
    [0.0, 1.0]
    """
    if len(text) > 40:
        return float("nan")
    parts = _PART.findall(text.partition("T")[0] if text[:1].isdigit() else text)
    words = [p[:3].lower() for p in parts if p.isalpha()]
    months = [_MONTHS[w] for w in words if w in _MONTHS]
    numbers = [p for p in parts if p.isdigit()]
    if len(months) > 1 or len(numbers) + len(months) != 3 or len(words) > 2:
        return float("nan")
    if months:
        day, year = numbers if len(numbers[0]) <= 2 else numbers[::-1]
        month = months[0]
    elif len(numbers[0]) == 4:
        year, month, day = numbers[0], int(numbers[1]), numbers[2]
    else:
        first, second, year = int(numbers[0]), int(numbers[1]), numbers[2]
        month, day = (second, str(first)) if first > 12 else (first, str(second))
    full = int(year) + (0 if len(year) > 2 else 1900 if int(year) >= 50 else 2000)
    try:
        return float(datetime.date(full, month, int(day)).toordinal())
    except ValueError:
        return float("nan")


def type_of(texts: Sequence[str]) -> str:
    """The kind of a column, from its texts that are not missing.

    A number or a date where nine in ten values are one; a category where some values repeat
    ten times on average, are short, and at most 50; else text.

    Examples
    --------
    >>> type_of(["$ 1.29", "3"]), type_of(["May 1, 2015"]), type_of(["one", "two"])
    ('number', 'date', 'text')
    """
    if not texts:
        return "text"
    enough = 0.9 * len(texts)
    if sum(_ALONE.fullmatch(t) is not None for t in texts) >= enough:
        return "number"
    if sum(day_number(t) == day_number(t) for t in texts) >= enough:
        return "date"
    kinds = set(texts)
    words = max(len(tokens(t)) for t in kinds)
    if len(kinds) <= min(50, len(texts) / 10) and words <= 4:
        return "category"
    return "text"


def numbers_of(texts: Sequence[str]) -> NDArray[np.float64]:
    """First number of each text."""
    return np.array([first_number(t) for t in texts], dtype=np.float64)


def days_of(texts: Sequence[str]) -> NDArray[np.float64]:
    """Day number of each text."""
    return np.array([day_number(t) for t in texts], dtype=np.float64)


__all__ = [
    "TYPES",
    "day_number",
    "days_of",
    "first_number",
    "numbers_of",
    "tokens",
    "type_of",
]
