"""Columns that a tagger reads of each word, for templates: made once per distinct word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from pystruct_ext._core.features import ColumnTable

#: How many columns there are without clusters, and with them.
N_COLUMNS = (12, 15)
# What stands in a cell for which a word is too short, or has no cluster.
_NONE = "-"
# Cells are separated by tabs and lines; a word may hold anything else.
_CELL = str.maketrans(dict.fromkeys("\t\n\r\x00", "�"))

#: Features of a word and its neighbours over the columns of `word_columns`.
TAGGER_TEMPLATE = """\
# the word and its neighbours
U00:%x[0,0]
U01:%x[-2,1]
U02:%x[-1,1]
U03:%x[0,1]
U04:%x[1,1]
U05:%x[2,1]
U06:%x[-1,1]/%x[0,1]
U07:%x[0,1]/%x[1,1]
U08:%x[-1,1]/%x[1,1]
# beginnings and ends of the word
U10:%x[0,2]
U11:%x[0,3]
U12:%x[0,4]
U13:%x[0,5]
U14:%x[0,6]
U15:%x[0,7]
U16:%x[0,8]
U17:%x[0,9]
# ends of its neighbours
U20:%x[-1,7]
U21:%x[-1,8]
U22:%x[1,7]
U23:%x[1,8]
U24:%x[-1,8]/%x[0,8]
U25:%x[0,8]/%x[1,8]
# shapes and marks
U30:%x[0,10]
U31:%x[-1,10]
U32:%x[1,10]
U33:%x[-1,10]/%x[0,10]
U34:%x[0,10]/%x[1,10]
U35:%x[0,11]
U36:%x[-1,11]/%x[0,11]
U37:%x[0,10]/%x[0,8]
# pairs of neighbouring labels
B
"""

#: More of them where words have clusters.
CLUSTER_TEMPLATE = """\
U40:%x[0,12]
U41:%x[0,13]
U42:%x[0,14]
U43:%x[-1,13]
U44:%x[1,13]
U45:%x[-1,14]
U46:%x[1,14]
U47:%x[-1,13]/%x[0,13]
U48:%x[0,13]/%x[1,13]
"""


def shape(word: str) -> str:
    """Upper, lower case letters, digits and others as X, x, d and themselves; runs as one.

    Examples
    --------
    >>> shape("McDonald's"), shape("2,500"), shape("U.S.")
    ("XxXx'x", 'd,d', 'X.X.')
    """
    kinds = (
        "X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else c
        for c in word
    )
    return "".join(kind for kind, _ in groupby(kinds))


def _marks(word: str) -> str:
    """Which kinds of characters a word has, one letter each."""
    marks = [
        "a" if word.isalpha() else "",
        "d" if any(map(str.isdigit, word)) else "",
        "n" if word.isdigit() else "",
        "h" if "-" in word else "",
        "p" if not any(map(str.isalnum, word)) else "",
        "u" if word.isupper() else "",
        "i" if word[:1].isupper() else "",
        "l" if word.islower() else "",
    ]
    return "".join(marks) or _NONE


class WordColumns:
    """Cells of words, kept for those seen before.

    Parameters
    ----------
    clusters : mapping of str to str
        Bits of a hierarchical clustering for each word; empty for none.

    Notes
    -----
    Columns: 0 the word, 1 in lower case; 2 .. 5 its first one to four letters, 6 .. 9 its last
    in lower case, 10 its shape, 11 marks (all letters, a digit, all digits, a hyphen,
    punctuation, upper case, initial capital, lower case). With `clusters`: 12 the bits, 13 and
    14 the first six and four of them.
    """

    def __init__(self, clusters: Mapping[str, str]) -> None:
        self.clusters = clusters
        self._lines: dict[str, str] = {}

    @property
    def template(self) -> str:
        """The template for these columns."""
        return TAGGER_TEMPLATE + (CLUSTER_TEMPLATE if self.clusters else "")

    def table(self, sentences: Sequence[Sequence[str]]) -> ColumnTable:
        """Sentences, none of them empty, as a table of columns."""
        lines = self._lines
        text: list[str] = []
        for words in sentences:
            for word in words:
                line = lines.get(word)
                if line is None:
                    line = lines[word] = self._line(word)
                text.append(line)
            text.append("")
        text.append("")
        return ColumnTable("\n".join(text).encode("utf-8", "replace"), None, "\t")

    def _line(self, word: str) -> str:
        word = word.translate(_CELL)
        if not word.strip(" "):
            word = "\ufffd"
        lower = word.lower()
        cells = [word, lower]
        cells += [word[:k] if len(word) > k else _NONE for k in range(1, 5)]
        cells += [lower[-k:] if len(word) > k else _NONE for k in range(1, 5)]
        cells += [shape(word), _marks(word)]
        if self.clusters:
            bits = self.clusters.get(word) or self.clusters.get(lower) or ""
            cells += [bits or _NONE, bits[:6] or _NONE, bits[:4] or _NONE]
        return "\t".join(cells)


__all__ = ["CLUSTER_TEMPLATE", "N_COLUMNS", "TAGGER_TEMPLATE", "WordColumns", "shape"]
