"""Shapes and ranges of a kernel's fields: the text of ``kernel.h``, parsed.

Parsed once per kernel; `binder` evaluates them with the numbers and sizes of each bind.
"""

from __future__ import annotations

from typing import NamedTuple


class Sum(NamedTuple):
    """A sum of products of names and integers.

    Attributes
    ----------
    text : str
    terms : tuple of (factor, names)
    names : frozenset of str
        All names in it.
    """

    text: str
    terms: tuple[tuple[int, tuple[str, ...]], ...]
    names: frozenset[str]


class Range(NamedTuple):
    """What the values of a field must be.

    Attributes
    ----------
    text : str
    kind : {"any", "finite", "finite or -inf", "positive", ".."}
    low, high : Sum or None
        Bounds of "..", both included.
    by : int
        Values are multiples of it, unless it is 0.
    rising : bool
        From low to high, never falling.
    per : bool
        Whether the bounds differ from block to block.
    needed : (bool, str) or None
        An optional array is needed with (True) or without (False) another field.
    """

    text: str
    kind: str
    low: Sum | None
    high: Sum | None
    by: int
    rising: bool
    per: bool
    needed: tuple[bool, str] | None


class Rule(NamedTuple):
    """What is known of a field; a shape has alternatives, None for any length."""

    name: str
    shape: tuple[tuple[Sum, ...] | None, ...]
    range: Range


def parsed_sum(text: str) -> Sum:
    """A dimension or bound such as "2*stride+1"."""
    terms = []
    for piece in text.replace("-", "+-").split("+"):
        if not piece:
            continue
        factor, body = (-1, piece[1:]) if piece[0] == "-" else (1, piece)
        names = []
        for part in body.split("*"):
            if part.isdigit():
                factor *= int(part)
            else:
                names.append(part)
        terms.append((factor, tuple(names)))
    return Sum(text, tuple(terms), frozenset(n for _, names in terms for n in names))


def parsed_shape(text: str) -> tuple[tuple[Sum, ...] | None, ...]:
    """Alternatives of a shape such as "nnz|n_rows*n_features"."""
    return tuple(
        None if alternative == "*" else tuple(map(parsed_sum, alternative.split(",")))
        for alternative in text.split("|")
    )


def parsed_range(text: str) -> Range:
    """A range such as "0..n_labels-1; with labels".

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> parsed_range("0..#offsets-1; with heads").needed
    (True, 'heads')
    """
    body, _, condition = text.partition(";")
    body, needed = body.strip(), None
    if condition:
        word, name = condition.split()
        if word not in ("with", "without"):
            raise ValueError(f"the range {text!r} has the unknown condition {word!r}")
        needed = (word == "with", name)
    if body in ("", "any", "finite", "finite or -inf", "positive"):
        return Range(text, body or "any", None, None, 0, False, False, needed)
    bounds, *options = body.split()
    first, dots, last = bounds.partition("..")
    by = int(options[1]) if len(options) == 2 and options[0] == "by" else 0
    if not dots or (options and not by and options != ["rising"]):
        raise ValueError(f"the range {text!r} is none that this version knows")
    low, high = (parsed_sum(side) if side else None for side in (first, last))
    names = [n for side in (low, high) if side is not None for n in side.names]
    per = any(n.startswith("#") or n.endswith("[]") for n in names)
    return Range(text, "..", low, high, by, options == ["rising"], per, needed)


__all__ = ["Range", "Rule", "Sum", "parsed_range", "parsed_shape", "parsed_sum"]
