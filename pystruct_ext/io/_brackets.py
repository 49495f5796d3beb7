"""Constituency treebanks in Penn brackets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords, files_of
from pystruct_ext.outputs.phrase_trees import (
    Tree,
    as_phrase_tree,
    located_trees,
    strip_tree,
)
from pystruct_ext.utils.messages import shorten

SUFFIXES = (
    ".mrg", ".psd", ".ptb", ".penn", ".bracket", ".brackets", ".parse", ".tree", ".trees",
    ".txt",
)  # fmt: skip
_ROOTS = ("TOP", "ROOT", "S1")


def read_brackets(
    path: str | os.PathLike[str] | Sequence[Any],
    functions: bool = True,
    traces: bool = True,
    *,
    roots: bool = True,
    on_error: str = "raise",
) -> list[Tree]:
    """Read trees in Penn brackets.

    Words -LRB- and -RRB- are read as the brackets that they stand for; labels stay.

    Parameters
    ----------
    path : path-like or binary file, or list of them
        Files, gzip or plain; "-" is stdin. Of a folder, and of those below it, the files
        whose names end in .mrg, .psd, .ptb, .penn, .bracket(s), .parse, .tree(s) or .txt,
        ".gz" or not.
    functions : bool, default=True
        Take function tags off: "NP-SBJ=2" becomes "NP".
    traces : bool, default=True
        Remove empty elements ("-NONE-") and constituents that become empty; trees of which
        nothing is left are left out with a warning.
    roots : bool, default=True
        Take an outer bracket labelled TOP, ROOT or S1 off, and put "X" above a tag that has
        nothing above it.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a bad tree: raise, or leave it out, with a warning that counts and
        names. To find the next one, no line within a tree may begin with a bracket.

    Returns
    -------
    list of Tree
        An unlabelled outer bracket is taken off.

    Raises
    ------
    ValueError
        With file and line, for brackets that do not balance or malformed nodes.
    """
    bad = BadRecords(on_error, "trees")
    found: list[Tree] = []
    for file in files_of(path, SUFFIXES):
        trees = _trees(read_lines(file), file, bad, functions, traces, roots)
        found += [tree for _, tree in trees]
    bad.finish(path, len(found))
    return found


def trees_of_lines(
    lines: Iterable[tuple[int, str]], path: Any, on_error: str
) -> tuple[list[str], list[Tree]]:
    """Where trees of lines begin, and the trees, as `read_brackets` reads them."""
    bad = BadRecords(on_error, "trees")
    found = _trees(lines, path, bad, True, True, True)
    bad.finish(path, len(found))
    return [f"{path}:{line}" for line, _ in found], [tree for _, tree in found]


def _trees(
    lines: Iterable[tuple[int, str]],
    path: Any,
    bad: BadRecords,
    functions: bool,
    traces: bool,
    roots: bool,
) -> list[tuple[int, Tree]]:
    text = [line for _, line in lines]
    found: list[tuple[int, Tree]] = []
    try:
        trees = list(located_trees("\n".join(text), str(path)))
    except ValueError:
        if not bad.skip:
            raise
        trees = list(_good_trees(text, path, bad))
    for line, tree in trees:
        kept = strip_tree(tree, functions, traces)
        if kept is None:
            # Nothing is lost silently, but it is no error either: traces are to go.
            bad.messages.append(f"{path}:{line}: nothing but traces")
            continue
        while (
            roots
            and kept.label in _ROOTS
            and len(kept.children) == 1
            and isinstance(kept.children[0], Tree)
        ):
            kept = kept.children[0]
        if roots and kept.is_preterminal:
            kept = Tree("X", (kept,))
        found.append((line, kept))
    return found


def _good_trees(
    text: Sequence[str], path: Any, bad: BadRecords
) -> Iterator[tuple[int, Tree]]:
    """Trees of the parts between lines that begin with a bracket; bad parts are noted."""
    starts = [k for k, line in enumerate(text) if line.startswith("(")]
    if not starts or starts[0] > 0:
        starts.insert(0, 0)
    for a, b in zip(starts, [*starts[1:], len(text)], strict=True):
        try:
            yield from list(located_trees("\n".join(text[a:b]), str(path), a + 1))
        except ValueError as error:
            bad.add(error)


def write_brackets(path: str | os.PathLike[str], trees: Iterable[Any]) -> None:
    """Write trees in Penn brackets, one per line.

    `read_brackets` with ``functions=False, traces=False, roots=False`` gives the same trees
    back; brackets in labels become -LRB- and -RRB-.

    Parameters
    ----------
    path : path-like
        Written beside it under a temporary name, then renamed; "-" is stdout.
    trees : iterable of Tree or nltk.Tree

    Raises
    ------
    ValueError, TypeError
        Naming the example, for labels and words with white space, and for what is no tree.
        Nothing is written then.
    """
    lines = []
    for i, given in enumerate(trees):
        tree = as_phrase_tree(given, f"trees: example {i}")
        stack: list[Any] = [tree]
        while stack:
            node = stack.pop()
            text = node if isinstance(node, str) else node.label
            if text.split() != [text] or "\0" in text:
                raise ValueError(
                    f"trees: example {i} has {shorten(text)!r}, expected labels and words "
                    "without white space"
                )
            if not isinstance(node, str):
                stack.extend(node.children)
        lines.append(str(tree))
    write_lines(path, lines)


__all__ = ["SUFFIXES", "read_brackets", "trees_of_lines", "write_brackets"]
