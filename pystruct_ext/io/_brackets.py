"""Constituency treebanks in Penn brackets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.outputs.phrase_trees import Tree, parse_brackets, strip_tree


def read_brackets(
    path: str | os.PathLike[str] | Sequence[Any],
    functions: bool = True,
    traces: bool = True,
) -> list[Tree]:
    """Read trees in Penn brackets.

    Parameters
    ----------
    path : path-like or binary file, or list of them
        Files, gzip or plain; of a folder, its files in order of name.
    functions : bool, default=True
        Take function tags off: "NP-SBJ=2" becomes "NP".
    traces : bool, default=True
        Remove empty elements ("-NONE-") and constituents that become empty.

    Returns
    -------
    list of Tree
        An unlabelled outer bracket, and one labelled TOP or ROOT, is taken off; trees of
        which nothing is left, or which are a single tag over a word, get the label "X".

    Raises
    ------
    ValueError
        With file and line, for brackets that do not balance or malformed nodes.
    """
    paths: list[Any] = list(path) if isinstance(path, (list, tuple)) else [path]
    trees: list[Tree] = []
    for one in paths:
        files = [one]
        if isinstance(one, (str, os.PathLike)) and Path(one).is_dir():
            files = sorted(f for f in Path(one).iterdir() if f.is_file())
        for file in files:
            text = "\n".join(line for _, line in read_lines(file))
            for tree in parse_brackets(text, str(file)):
                kept = strip_tree(tree, functions, traces)
                if kept is None:
                    continue
                while (
                    kept.label in ("TOP", "ROOT", "S1")
                    and len(kept.children) == 1
                    and isinstance(kept.children[0], Tree)
                ):
                    kept = kept.children[0]
                if kept.is_preterminal:
                    kept = Tree("X", (kept,))
                trees.append(kept)
    if not trees:
        raise ValueError(f"{', '.join(map(str, paths))}: holds no trees")
    return trees


def write_brackets(path: str | os.PathLike[str], trees: Iterable[Tree]) -> None:
    """Write trees in Penn brackets, one per line.

    Parameters
    ----------
    path : path-like
        Written beside it under a temporary name, then renamed; "-" is stdout.
    trees : iterable of Tree
    """
    write_lines(path, map(str, trees))


__all__ = ["read_brackets", "write_brackets"]
