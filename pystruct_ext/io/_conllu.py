"""Dependency treebanks: CoNLL-U (and CoNLL-X), and columns word, tag and perhaps head."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pystruct_ext._moved import warn_moved
from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords, files_of
from pystruct_ext.outputs.sentences import DependencyTree, Sentence, head_fault
from pystruct_ext.utils.messages import shorten

SUFFIXES = (".conllu", ".conll", ".conllx", ".conll06", ".conll07", ".dep", ".dp")
_RANGE = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY_NODE = re.compile(r"([0-9]{1,9})\.[1-9][0-9]{0,8}")
_HEAD = re.compile(r"[0-9]{1,9}")
_EXPECTED = (
    "expected 10 separated by tabs (CoNLL-U), or word, tag and head, or word and tag"
)


@dataclass
class Treebank:
    """Sentences of a treebank file, and its lines for writing them back.

    Attributes
    ----------
    sentences : list of n Sentence
    dependencies : list of n DependencyTree, or None
        None where the file has no heads.
    lines : list of n lists of str
        All lines of each sentence: comments, multiword tokens and empty nodes included, and
        comments that stand by themselves before it (after it at the end of a file), which
        blank lines keep apart. Cells are separated by tabs.
    records : list of n str
        File, line and, where there is one, ``sent_id`` of each sentence: for messages.
    """

    sentences: list[Sentence]
    dependencies: list[DependencyTree] | None
    lines: list[list[str]] = field(repr=False)
    records: list[str] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def trees(self) -> list[DependencyTree] | None:
        """Deprecated name of `dependencies`."""
        warn_moved("Treebank.trees", "Treebank.dependencies")
        return self.dependencies

    @property
    def n_words(self) -> int:
        """Number of words of all sentences."""
        return sum(len(s.forms) for s in self.sentences)

    def take(self, index: Sequence[int]) -> Treebank:
        """Some of the sentences, in this order."""
        trees = self.dependencies
        return Treebank(
            [self.sentences[i] for i in index],
            None if trees is None else [trees[i] for i in index],
            [self.lines[i] for i in index],
            [self.records[i] for i in index] if self.records else [],
        )


def read_conllu(
    path: str | os.PathLike[str] | Sequence[Any], on_error: str = "raise"
) -> Treebank:
    """Read a dependency treebank.

    Multiword tokens ("1-2") and empty nodes ("1.1") are kept for writing, but are not
    words of the tree. Columns word, tag, head are read, too, as unlabelled trees, and
    columns word, tag as sentences without trees; one file has lines of one kind. Cells are
    separated by tabs; in a line without a tab by spaces.

    Parameters
    ----------
    path : path-like, or list of them
        CoNLL-U, gzip or plain; "-" is stdin. Of a folder, and of those below it, the files
        whose names end in .conllu, .conll, .conllx, .dep or .dp, ".gz" or not.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a bad sentence: raise, or leave it out, with a warning that counts
        and names.

    Returns
    -------
    Treebank
        ``dependencies`` is None if no word has a head ("_").

    Raises
    ------
    ValueError
        With file and line: a wrong number of columns, empty cells, ids out of order, a head
        that is not a number or out of range, several roots or none, or a cycle.
    """
    bad = BadRecords(on_error, "sentences")
    bank = Treebank([], [], [], [])
    for file in files_of(path, SUFFIXES):
        _read_into(bank, read_lines(file), file, bad)
    return _finished(bank, path, bad)


def conllu_of_lines(
    lines: Iterable[tuple[int, str]], path: Any, on_error: str
) -> Treebank:
    """`read_conllu` of lines that were read before."""
    bad = BadRecords(on_error, "sentences")
    bank = Treebank([], [], [], [])
    _read_into(bank, lines, path, bad)
    return _finished(bank, path, bad)


def _finished(bank: Treebank, path: Any, bad: BadRecords) -> Treebank:
    trees: Any = bank.dependencies
    if any(tree is not None for tree in trees):
        for k, tree in enumerate(trees):
            if tree is None:
                bad.add(
                    ValueError(
                        f"{bank.records[k]}: sentence {k + 1} has no heads, but others have"
                    )
                )
        bank = bank.take([k for k, tree in enumerate(trees) if tree is not None])
    else:
        bank.dependencies = None
    bad.finish(path, len(bank))
    return bank


def _read_into(
    bank: Treebank, lines: Iterable[tuple[int, str]], path: Any, bad: BadRecords
) -> None:
    width: int | None = None
    loose: list[str] = []  # comments that stand by themselves
    n_before = len(bank)
    for first, block in _blocks(lines):
        if width is None:
            width = _width(block)
        try:
            made = _parse(block, first, path, width)
        except ValueError as error:
            bad.add(error)
            continue
        if made is None:
            loose += [*block, ""]
            continue
        sentence, tree, kept, name = made
        bank.sentences.append(sentence)
        bank.dependencies.append(tree)  # type: ignore[union-attr, arg-type]
        bank.lines.append([*loose, *kept])
        bank.records.append(
            f"{path}:{first}" + (f" ({shorten(name, 80)})" if name else "")
        )
        loose = []
    if loose and len(bank) > n_before:
        bank.lines[-1] += ["", *loose[:-1]]


def _blocks(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines between blank ones, each with the number of its first line."""
    block: list[str] = []
    first = 1
    for number, line in lines:
        if line.strip():
            if not block:
                first = number
            block.append(line)
        elif block:
            yield first, block
            block = []
    if block:
        yield first, block


def _cells(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else line.split()


def _width(block: Sequence[str]) -> int | None:
    """Number of columns of the first line that is certainly a word."""
    for line in block:
        if not line.startswith("#"):
            n = len(_cells(line))
            return n if n in (2, 3, 10) else None
    return None


def _is_comment(line: str, width: int | None) -> bool:
    """Whether a line is a comment, not the word "#" of a file of two or three columns."""
    if not line.startswith("#"):
        return False
    cells = line.split("\t")
    word = width in (2, 3) and len(cells) == width and not cells[0].startswith("# ")
    return not word


def _parse(
    block: Sequence[str], first: int, path: Any, width: int | None
) -> tuple[Sentence, DependencyTree | None, list[str], str] | None:
    """Sentence, tree, lines and name; None if there are comments only."""
    columns: list[list[str]] = [[] for _ in range(6)]
    forms, lemmas, tags, fine, given, labels = columns
    at: list[int] = []  # line of each word
    kept: list[str] = []
    name = ""
    last = 0  # last word of a multiword token
    for number, line in enumerate(block, start=first):
        where = f"{path}:{number}"
        if _is_comment(line, width):
            if width in (2, 3) and "\t" not in line and len(line.split()) == width:
                raise ValueError(
                    f"{where}: begins with '#' and has {width} cells separated by spaces: "
                    "a comment or a word? Separate the cells by tabs"
                )
            key, _, value = line[1:].partition("=")
            name = value.strip() if key.strip() == "sent_id" else name
            kept.append(line)
            continue
        cells = _cells(line)
        n = len(cells)
        if n not in (2, 3, 10) or (width is not None and n != width):
            more = f"the lines before have {width}" if n in (2, 3, 10) else _EXPECTED
            raise ValueError(f"{where}: has {n} columns, {more}")
        if "" in cells:
            raise ValueError(f"{where}: column {cells.index('') + 1} is empty")
        kept.append("\t".join(cells))
        if n < 10:
            form, tag = cells[:2]
            head = cells[2] if n == 3 else "_"
            word = [form, "_", tag, "_", head, "_"]
        else:
            if _is_aside(cells[0], len(forms), where):
                ends = cells[0].partition("-")[2]
                last = int(ends) if ends else last
                continue
            if cells[0] != str(len(forms) + 1):
                raise ValueError(
                    f"{where}: word id is {shorten(cells[0])!r}, expected {len(forms) + 1}"
                )
            word = [*cells[1:5], *cells[6:8]]
        for column, cell in zip(columns, word, strict=True):
            column.append(cell)
        at.append(number)
    if not forms:
        if len(kept) < len(block) or not all(c.startswith("#") for c in kept):
            raise ValueError(
                f"{path}:{first}: has no words, only multiword or empty nodes"
            )
        return None
    if last > len(forms):
        raise ValueError(
            f"{path}:{first}: a multiword token ends at {last}, but the sentence has "
            f"{len(forms)} words"
        )
    sentence = Sentence(
        tuple(forms),
        tuple(tags),
        () if all(f == "_" for f in fine) else tuple(fine),
        () if all(lemma == "_" for lemma in lemmas) else tuple(lemmas),
    )
    if all(h == "_" for h in given):
        return sentence, None, kept, name
    for t, head in enumerate(given):
        if head == "_":
            raise ValueError(
                f"{path}:{at[t]}: word {t + 1} has no head, but others of its sentence have"
            )
        if not _HEAD.fullmatch(head):
            raise ValueError(
                f"{path}:{at[t]}: head is {shorten(head)!r}, expected a number"
            )
    heads = tuple(map(int, given))
    fault = head_fault(heads)
    if fault is not None:
        raise ValueError(f"{path}:{at[fault[0]]}: {fault[1]}")
    unlabelled = all(label == "_" for label in labels)
    tree = DependencyTree(heads, () if unlabelled else tuple(labels))
    return sentence, tree, kept, name


def _is_aside(cell: str, n_before: int, where: str) -> bool:
    """Whether an id is that of a multiword token or an empty node; raises if misplaced."""
    span, empty = _RANGE.fullmatch(cell), _EMPTY_NODE.fullmatch(cell)
    if span and not (int(span[1]) == n_before + 1 and int(span[2]) > n_before):
        raise ValueError(
            f"{where}: multiword token {cell} does not begin with the next word, "
            f"{n_before + 1}"
        )
    if empty and int(empty[1]) != n_before:
        raise ValueError(f"{where}: empty node {cell} does not follow word {empty[1]}")
    return bool(span or empty)


def write_conllu(
    path: str | os.PathLike[str],
    treebank: Treebank,
    trees: Sequence[DependencyTree],
    sentences: Sequence[Sentence] | None = None,
) -> None:
    """Write a treebank with other trees, and perhaps other tags.

    Comments, multiword tokens and empty nodes are written as they were read; heads and
    relations come from `trees` ("_" of trees without labels); the column of enhanced
    dependencies, which would contradict them, becomes "_". Files of columns word, tag get
    a third one, or become CoNLL-U where the trees have labels.

    Parameters
    ----------
    path : path-like
        Written beside it under a temporary name, then renamed; "-" is stdout.
    treebank : Treebank
        What `read_conllu` returned.
    trees : sequence of n DependencyTree
    sentences : sequence of n Sentence, optional
        The same words with the tags to write, and fine tags where they have them; by default
        those that were read.

    Raises
    ------
    ValueError
        If there are not as many trees or sentences as in the treebank, one has a wrong length,
        or a label is empty or has a tab or line break in it. Nothing is written then.
    """
    if len(trees) != len(treebank):
        raise ValueError(
            f"trees has {len(trees)} trees, but the treebank has {len(treebank)} sentences"
        )
    good: set[str] = set()
    for i, (tree, sentence) in enumerate(zip(trees, treebank.sentences, strict=True)):
        if len(tree.heads) != len(sentence.forms):
            raise ValueError(
                f"trees: example {i} has {len(tree.heads)} heads, but the sentence has "
                f"{len(sentence.forms)} words"
            )
        if tree.labels and len(tree.labels) != len(tree.heads):
            raise ValueError(
                f"trees: example {i} has {len(tree.labels)} labels for "
                f"{len(tree.heads)} words"
            )
        for label in tree.labels:
            if label not in good:
                _check_cell(label, f"trees: example {i} has the label")
                good.add(label)
    if sentences is not None:
        if len(sentences) != len(treebank):
            raise ValueError(
                f"sentences has {len(sentences)} sentences, but the treebank has "
                f"{len(treebank)}"
            )
        for i, (own, other) in enumerate(
            zip(treebank.sentences, sentences, strict=True)
        ):
            if len(other.tags) != len(own.forms):
                raise ValueError(
                    f"sentences: example {i} has {len(other.tags)} tags for "
                    f"{len(own.forms)} words"
                )
            for tag in (*other.tags, *other.fine_tags):
                if tag not in good:
                    _check_cell(tag, f"sentences: example {i} has the tag")
                    good.add(tag)
    labelled = any(tree.labels for tree in trees)
    write_lines(path, _with_trees(treebank, trees, labelled, sentences))


def _check_cell(text: Any, what: str) -> None:
    if not isinstance(text, str) or not text or "\t" in text or "\0" in text:
        fits = False
    else:
        fits = text == text.rstrip("\r\n") and "\n" not in text
    if not fits:
        raise ValueError(
            f"{what} {shorten(repr(text))}, expected text without tabs and line breaks"
        )


def sentence_lines(sentence: Sentence, where: str) -> list[str]:
    """CoNLL-U of a sentence without heads.

    Raises
    ------
    ValueError
        Beginning with `where`: for words or tags that a cell cannot hold.
    """
    n = len(sentence.forms)
    blank = ("_",) * n
    columns = (
        sentence.forms,
        sentence.lemmas or blank,
        sentence.tags,
        sentence.fine_tags or blank,
    )
    for column in columns:
        for cell in column:
            _check_cell(cell, f"{where} has")
    rows = zip(*columns, strict=True)
    return [
        "\t".join([str(t), *row, "_", "_", "_", "_", "_"])
        for t, row in enumerate(rows, 1)
    ]


def _with_trees(
    treebank: Treebank,
    trees: Sequence[DependencyTree],
    labelled: bool,
    sentences: Sequence[Sentence] | None,
) -> Iterator[str]:
    tagged = treebank.sentences if sentences is None else sentences
    for block, tree, words in zip(treebank.lines, trees, tagged, strict=True):
        width = next((len(_cells(x)) for x in block if x and x[0] != "#"), None)
        width = width or next(
            len(c) for x in block if len(c := x.split("\t")) in (2, 3)
        )
        t = 0
        for line in block:
            if not line or _is_comment(line, width):
                yield line
                continue
            cells = line.split("\t")
            if width == 10 and not cells[0].isdigit():
                if "." in cells[0]:
                    cells[8] = "_"
                yield "\t".join(cells)
                continue
            head = str(tree.heads[t])
            if sentences is not None:
                cells[3 if len(cells) == 10 else 1] = words.tags[t]
                if len(cells) == 10 and words.fine_tags:
                    cells[4] = words.fine_tags[t]
            if width != 10 and labelled:
                cells = [
                    str(t + 1), cells[0], "_", cells[1], "_", "_", "_", "_", "_", "_"
                ]  # fmt: skip
            if len(cells) == 10:
                cells[6] = head
                cells[7] = tree.labels[t] if tree.labels else "_"
                cells[8] = "_"
            else:
                cells[2:] = [head]
            t += 1
            yield "\t".join(cells)
        yield ""


__all__ = [
    "SUFFIXES",
    "Treebank",
    "conllu_of_lines",
    "read_conllu",
    "sentence_lines",
    "write_conllu",
]
