"""Dependency treebanks: CoNLL-U (and CoNLL-X), and the three columns word, tag, head."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pystruct_ext._moved import warn_moved
from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.outputs.sentences import DependencyTree, Sentence, check_heads


@dataclass
class Treebank:
    """Sentences of a treebank file, and its lines for writing them back.

    Attributes
    ----------
    sentences : list of n Sentence
    dependencies : list of n DependencyTree, or None
        None where the file has no heads.
    lines : list of n lists of str
        All lines of each sentence: comments, multiword tokens and empty nodes included.
    """

    sentences: list[Sentence]
    dependencies: list[DependencyTree] | None
    lines: list[list[str]] = field(repr=False)

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


def read_conllu(path: str | os.PathLike[str]) -> Treebank:
    """Read a dependency treebank.

    Multiword tokens ("1-2") and empty nodes ("1.1") are kept for writing, but are not
    words of the tree. Files of three tab-separated columns (word, tag, head) are read,
    too, as unlabelled trees.

    Parameters
    ----------
    path : path-like
        CoNLL-U, gzip or plain; "-" is stdin.

    Returns
    -------
    Treebank
        ``dependencies`` is None if no word has a head ("_").

    Raises
    ------
    ValueError
        With file and line: a wrong number of columns, ids out of order, a head that is
        not a number or out of range, several roots or none, or a cycle.
    """
    sentences: list[Sentence] = []
    trees: list[DependencyTree | None] = []
    lines: list[list[str]] = []
    for number, block in _blocks(path):
        sentence, tree = _parse(block, number, path)
        if sentence is None:
            continue
        sentences.append(sentence)
        trees.append(tree)
        lines.append(block)
    if not sentences:
        raise ValueError(f"{path}: holds no sentences")
    known = [tree for tree in trees if tree is not None]
    if known and len(known) != len(trees):
        at = next(k for k, tree in enumerate(trees) if tree is None)
        raise ValueError(f"{path}: sentence {at + 1} has no heads, but others have")
    return Treebank(sentences, known or None, lines)


def _blocks(path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines between blank ones, each with the number of its first line."""
    block: list[str] = []
    first = 1
    for number, line in read_lines(path):
        if line.strip():
            if not block:
                first = number
            block.append(line)
        elif block:
            yield first, block
            block = []
    if block:
        yield first, block


def _parse(
    block: Sequence[str], first: int, path: Any
) -> tuple[Sentence | None, DependencyTree | None]:
    forms: list[str] = []
    lemmas: list[str] = []
    tags: list[str] = []
    fine: list[str] = []
    heads: list[int] = []
    labels: list[str] = []
    for number, line in enumerate(block, start=first):
        if line.startswith("#") and line.count("\t") < 2:
            continue
        cells = line.split("\t")
        where = f"{path}:{number}"
        if len(cells) == 3:
            cells = [
                str(len(forms) + 1), cells[0], "_", cells[1], "_", "_", cells[2], "_",
                "_", "_",
            ]  # fmt: skip
        if len(cells) != 10:
            raise ValueError(
                f"{where}: has {len(cells)} columns, expected 10 separated by tabs "
                "(CoNLL-U), or word, tag and head"
            )
        if "-" in cells[0] or "." in cells[0]:
            continue
        if cells[0] != str(len(forms) + 1):
            raise ValueError(
                f"{where}: word id is {cells[0]!r}, expected {len(forms) + 1}"
            )
        forms.append(cells[1])
        lemmas.append(cells[2])
        tags.append(cells[3])
        fine.append(cells[4])
        labels.append(cells[7])
        if cells[6] == "_":
            heads.append(-1)
        else:
            try:
                heads.append(int(cells[6]))
            except ValueError:
                raise ValueError(
                    f"{where}: head is {cells[6]!r}, expected a number"
                ) from None
    if not forms:
        return None, None
    sentence = Sentence(
        tuple(forms),
        tuple(tags),
        () if all(f == "_" for f in fine) else tuple(fine),
        () if all(lemma == "_" for lemma in lemmas) else tuple(lemmas),
    )
    if all(h == -1 for h in heads):
        return sentence, None
    check_heads(heads, f"{path}:{first}: sentence")
    unlabelled = all(label == "_" for label in labels)
    return sentence, DependencyTree(tuple(heads), () if unlabelled else tuple(labels))


def write_conllu(
    path: str | os.PathLike[str],
    treebank: Treebank,
    trees: Sequence[DependencyTree],
) -> None:
    """Write a treebank with other trees.

    Comments, multiword tokens and empty nodes are written as they were read; heads and
    relations come from `trees`; the column of enhanced dependencies, which would
    contradict them, becomes "_".

    Parameters
    ----------
    path : path-like
        Written beside it under a temporary name, then renamed; "-" is stdout.
    treebank : Treebank
        What `read_conllu` returned.
    trees : sequence of n DependencyTree

    Raises
    ------
    ValueError
        If there are not as many trees as sentences, or one has a wrong length.
    """
    if len(trees) != len(treebank):
        raise ValueError(
            f"trees has {len(trees)} trees, but the treebank has {len(treebank)} sentences"
        )
    for i, (tree, sentence) in enumerate(zip(trees, treebank.sentences, strict=True)):
        if len(tree.heads) != len(sentence.forms):
            raise ValueError(
                f"trees: example {i} has {len(tree.heads)} heads, but the sentence has "
                f"{len(sentence.forms)} words"
            )
    write_lines(path, _with_trees(treebank, trees))


def _with_trees(treebank: Treebank, trees: Sequence[DependencyTree]) -> Iterator[str]:
    for block, tree in zip(treebank.lines, trees, strict=True):
        t = 0
        for line in block:
            cells = line.split("\t")
            if len(cells) == 3:
                cells[2] = str(tree.heads[t])
                t += 1
            elif len(cells) == 10 and "-" not in cells[0] and "." not in cells[0]:
                cells[6] = str(tree.heads[t])
                if tree.labels:
                    cells[7] = tree.labels[t]
                cells[8] = "_"
                t += 1
            elif len(cells) == 10 and "." in cells[0]:
                cells[8] = "_"
            yield "\t".join(cells)
        yield ""


__all__ = ["Treebank", "read_conllu", "write_conllu"]
