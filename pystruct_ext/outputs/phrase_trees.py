"""Constituency trees: plain immutable values, and the Penn bracket notation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pystruct_ext.outputs.sentences import Sentence
from pystruct_ext.utils.extras import require


class Tree(NamedTuple):
    """A constituency tree; the output of a constituency parser.

    Attributes
    ----------
    label : str
        Category; for a node above a single word, its part of speech.
    children : tuple of Tree, or tuple of one str
        Sub-trees, or the word.

    Examples
    --------
    >>> tree = Tree.parse("(S (NP (NNS dogs)) (VP (VBP bark)))")
    >>> tree.words(), tree.tags()
    (('dogs', 'bark'), ('NNS', 'VBP'))
    >>> str(tree)
    '(S (NP (NNS dogs)) (VP (VBP bark)))'
    """

    label: str
    children: tuple[Any, ...]

    @classmethod
    def parse(cls, text: str) -> Tree:
        """The tree of one bracketed string.

        Raises
        ------
        ValueError
            If the brackets do not balance, or there is not exactly one tree.
        """
        trees = list(parse_brackets(text))
        if len(trees) != 1:
            raise ValueError(f"expected one bracketed tree, got {len(trees)}")
        return trees[0]

    @property
    def is_preterminal(self) -> bool:
        """Whether this is a part of speech over a word."""
        return len(self.children) == 1 and isinstance(self.children[0], str)

    def preterminals(self) -> Iterator[Tree]:
        """Nodes above words, from left to right."""
        stack = [self]
        while stack:
            node = stack.pop()
            if node.is_preterminal:
                yield node
            else:
                stack.extend(reversed(node.children))

    def words(self) -> tuple[str, ...]:
        """Words from left to right."""
        return tuple(node.children[0] for node in self.preterminals())

    def tags(self) -> tuple[str, ...]:
        """Parts of speech from left to right."""
        return tuple(node.label for node in self.preterminals())

    def sentence(self) -> Sentence:
        """Words and parts of speech: the input of a parser."""
        return Sentence(self.words(), self.tags())

    def spans(self) -> list[tuple[int, int, str]]:
        """Labelled brackets (start, end, label), parts of speech left out, in preorder.

        Examples
        --------
        >>> Tree.parse("(S (NP (NNS dogs)) (VP (VBP bark)))").spans()
        [(0, 2, 'S'), (0, 1, 'NP'), (1, 2, 'VP')]
        """
        found: list[tuple[int, int, str]] = []

        def walk(node: Tree, start: int) -> int:
            if node.is_preterminal:
                return start + 1
            at = len(found)
            found.append((0, 0, ""))
            end = start
            for child in node.children:
                end = walk(child, end)
            found[at] = (start, end, node.label)
            return end

        walk(self, 0)
        return found

    def __str__(self) -> str:
        """Penn brackets on one line."""
        if self.is_preterminal:
            return f"({self.label} {self.children[0]})"
        return f"({self.label} {' '.join(map(str, self.children))})"

    def pretty(self, indent: int = 0) -> str:
        """Penn brackets over several lines.

        Examples
        --------
        >>> print(Tree.parse("(S (NP (NNS dogs)) (VP (VBP bark)))").pretty())
        (S
          (NP (NNS dogs))
          (VP (VBP bark)))
        """
        flat = " " * indent + str(self)
        if self.is_preterminal or all(c.is_preterminal for c in self.children):
            return flat
        lines = [c.pretty(indent + 2) for c in self.children]
        return " " * indent + f"({self.label}\n" + "\n".join(lines) + ")"

    def to_networkx(self) -> Any:
        """The tree as a ``networkx.DiGraph``.

        Nodes are numbered in preorder from 0, the root; each has the attribute
        ``label``, and a word ``word=True``.
        """
        networkx = require("networkx", "graph", "Tree.to_networkx")
        graph = networkx.DiGraph()

        def add(node: Any) -> int:
            k = int(graph.number_of_nodes())
            if isinstance(node, str):
                graph.add_node(k, label=node, word=True)
                return k
            graph.add_node(k, label=node.label, word=False)
            for child in node.children:
                graph.add_edge(k, add(child))
            return k

        add(self)
        return graph

    def to_nltk(self) -> Any:
        """The tree as an ``nltk.Tree``; needs nltk."""
        try:
            from nltk import Tree as NltkTree  # type: ignore[import-untyped]
        except ImportError as error:
            raise ImportError("Tree.to_nltk needs nltk: pip install nltk") from error

        def convert(node: Any) -> Any:
            if isinstance(node, str):
                return node
            return NltkTree(node.label, [convert(c) for c in node.children])

        return convert(self)

    @classmethod
    def from_nltk(cls, tree: Any) -> Tree:
        """From an ``nltk.Tree``."""
        children = [c if isinstance(c, str) else cls.from_nltk(c) for c in tree]
        return cls(str(tree.label()), tuple(children))


_TOKEN = re.compile(r"[()]|[^\s()]+")


def parse_brackets(text: str, where: str = "") -> Iterator[Tree]:
    """Trees of a text in Penn brackets; an outer bracket without a label is taken off.

    Parameters
    ----------
    text : str
    where : str, default=""
        File name, for errors.

    Raises
    ------
    ValueError
        For unbalanced brackets, a word among sub-trees, or an empty node; with the line.
    """
    stack: list[tuple[list[Any], int]] = []
    line, at = 1, 0

    def wrong(what: str, number: int) -> ValueError:
        return ValueError(f"{where + ':' if where else 'line '}{number}: {what}")

    for match in _TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        token = match.group()
        if token == "(":
            stack.append(([], line))
        elif token == ")":
            if not stack:
                raise wrong("')' closes no bracket", line)
            items, began = stack.pop()
            if stack:
                stack[-1][0].append(_node(items, began, wrong))
            elif items and isinstance(items[0], Tree):
                for item in items:
                    if not isinstance(item, Tree):
                        raise wrong(f"word {item!r} outside of a constituent", began)
                    yield item
            elif items:
                yield _node(items, began, wrong)
            else:
                raise wrong("empty brackets", began)
        elif not stack:
            raise wrong(f"{token!r} stands outside of brackets", line)
        else:
            stack[-1][0].append(token)
    if stack:
        raise wrong("'(' is never closed", stack[-1][1])


def _node(items: list[Any], line: int, wrong: Any) -> Tree:
    if not items or not isinstance(items[0], str):
        raise wrong("a node has no label", line)
    label, rest = items[0], items[1:]
    if not rest:
        raise wrong(f"node {label!r} has no children", line)
    words = [c for c in rest if isinstance(c, str)]
    if words and len(rest) > 1:
        raise wrong(
            f"node {label!r} mixes the word {words[0]!r} with other children", line
        )
    return Tree(label, tuple(rest))


def strip_tree(tree: Tree, functions: bool = True, traces: bool = True) -> Tree | None:
    """The tree without function tags and empty elements, as parsers are scored.

    Parameters
    ----------
    tree : Tree
    functions : bool, default=True
        Cut "NP-SBJ=2" to "NP"; labels that begin with "-" stay.
    traces : bool, default=True
        Remove "-NONE-" leaves and constituents that become empty.

    Returns
    -------
    Tree or None
        None if nothing is left.
    """
    if tree.is_preterminal:
        return None if traces and tree.label == "-NONE-" else tree
    kept = [strip_tree(c, functions, traces) for c in tree.children]
    children = tuple(c for c in kept if c is not None)
    if not children:
        return None
    label = tree.label
    if functions and not label.startswith("-"):
        label = re.split(r"[-=|]", label)[0] or label
    return Tree(label, children)


__all__ = ["Tree", "parse_brackets", "strip_tree"]
