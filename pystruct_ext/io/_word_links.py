"""Word alignments: Pharaoh's lines of links, and JSON lines of sentence pairs with links."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pystruct_ext.io._ambiguous import _parse
from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords
from pystruct_ext.outputs.matchings import Links, sure_and_possible
from pystruct_ext.utils.messages import shorten

_LINK = re.compile(r"([0-9]{1,9})(-|p|\?)([0-9]{1,9})")


@dataclass
class WordAlignments:
    """Sentence pairs and the links between their words.

    Attributes
    ----------
    pairs : list of n (list of str, list of str)
        Words of the source and of the target sentence.
    links : list of n Links, or None where there are none
    records : list of n str
        File and line of each pair: for messages.
    """

    pairs: list[tuple[list[str], list[str]]]
    links: list[Links] | None
    records: list[str] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.pairs)

    def take(self, index: Sequence[int]) -> WordAlignments:
        """Some of the pairs, in this order."""
        return WordAlignments(
            [self.pairs[i] for i in index],
            None if self.links is None else [self.links[i] for i in index],
            [self.records[i] for i in index] if self.records else [],
        )


def parse_pharaoh(line: str, where: str = "line") -> Links:
    """Links of a line in Pharaoh's format.

    "i-j" links source word i with target word j, counted from 0; "ipj" and "i?j" are possible
    links.

    Raises
    ------
    ValueError
        For anything else, and for links given twice.

    Examples
    --------
    >>> parse_pharaoh("0-0 2-1 1p1")
    Links(sure=((0, 0), (2, 1)), possible=((1, 1),))
    """
    sure: list[tuple[int, int]] = []
    possible: list[tuple[int, int]] = []
    for item in line.split():
        found = _LINK.fullmatch(item)
        if found is None:
            raise ValueError(
                f"{where}: has {shorten(repr(item))}, expected links such as 0-1 (sure) or "
                "0p1 (possible)"
            )
        link = int(found[1]), int(found[3])
        (sure if found[2] == "-" else possible).append(link)
    try:
        return Links(tuple(sure), tuple(possible))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def format_pharaoh(links: Any) -> str:
    """Links as a line in Pharaoh's format; possible ones as "ipj".

    Examples
    --------
    >>> format_pharaoh([(0, 0), (2, 1)])
    '0-0 2-1'
    """
    sure, possible = sure_and_possible(links, "links")
    both = sorted([(a, "-") for a in sure] + [(a, "p") for a in possible])
    return " ".join(f"{i}{mark}{j}" for (i, j), mark in both)


def read_pharaoh(path: str | os.PathLike[str], on_error: str = "raise") -> list[Links]:
    """Read links in Pharaoh's format, one line for each sentence pair.

    Parameters
    ----------
    path : path-like
        Gzip or plain; "-" is stdin. An empty line is a pair without links.
    on_error : {"raise", "skip"}, default="raise"
        "skip" reads a bad line as one without links, so that the lines still fit the
        sentences, and counts and names it in a warning.

    Returns
    -------
    list of Links

    Raises
    ------
    ValueError
        With file and line.
    """
    bad = BadRecords(on_error, "lines of links")
    out, good = [], 0
    for number, line in read_lines(path):
        try:
            out.append(parse_pharaoh(line, f"{path}:{number}"))
            good += 1
        except ValueError as error:
            bad.add(error)
            out.append(Links(()))
    bad.finish(path, good)
    return out


def write_pharaoh(path: str | os.PathLike[str], links: Iterable[Any]) -> None:
    """Write links in Pharaoh's format, one line for each sentence pair.

    Parameters
    ----------
    path : path-like
        Gzip if it ends in ".gz"; "-" is stdout.
    links : iterable of lists of (row, column), or of Links
    """
    write_lines(path, [format_pharaoh(y) for y in links])


def read_word_alignments(
    path: str | os.PathLike[str], on_error: str = "raise"
) -> WordAlignments:
    """Read sentence pairs with links, one JSON object per line.

    An object has "src_words" and "tgt_words", lists of words, and may have "alignment", a list
    of [source, target] counted from 0, and "possible".

    Parameters
    ----------
    path : path-like
        Gzip or plain; "-" is stdin.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a bad pair: raise, or leave it out, with a warning that counts and
        names.

    Returns
    -------
    WordAlignments
        Without links unless all pairs have them.

    Raises
    ------
    ValueError
        With file and line.
    """
    bad = BadRecords(on_error, "sentence pairs")
    out = WordAlignments([], [])
    links: list[Links] = []
    complete = True
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            pair, own = _pair(_parse(line, where), where)
        except (ValueError, TypeError) as error:
            text = str(error)
            bad.add(ValueError(text if text.startswith(where) else f"{where}: {text}"))
            continue
        complete = complete and own is not None
        links.append(Links(()) if own is None else own)
        out.pairs.append(pair)
        out.records.append(where)
    bad.finish(path, len(out))
    out.links = links if complete else None
    return out


def _pair(record: Any, where: str) -> tuple[tuple[list[str], list[str]], Links | None]:
    if not isinstance(record, dict):
        raise ValueError(
            f"{where}: expected a JSON object, got {type(record).__name__}"
        )
    sides = []
    for name in ("src_words", "tgt_words"):
        words = record.get(name)
        if not isinstance(words, list) or not all(isinstance(v, str) for v in words):
            raise ValueError(
                f"{where}: {name} must be a list of words, got {shorten(repr(words))}"
            )
        sides.append(words)
    if "alignment" not in record:
        return (sides[0], sides[1]), None
    links = Links(record["alignment"], record.get("possible", ()))
    for i, j in (*links.sure, *links.possible):
        if i >= len(sides[0]) or j >= len(sides[1]):
            raise ValueError(
                f"{where}: links word {i} with word {j}, but the sentences have "
                f"{len(sides[0])} and {len(sides[1])} words"
            )
    return (sides[0], sides[1]), links


__all__ = [
    "WordAlignments",
    "format_pharaoh",
    "parse_pharaoh",
    "read_pharaoh",
    "read_word_alignments",
    "write_pharaoh",
]
