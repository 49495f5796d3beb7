"""Constituency trees: plain immutable values, and the Penn bracket notation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pystruct_ext.outputs.sentences import Sentence
from pystruct_ext.utils.extras import require
from pystruct_ext.utils.messages import shorten

# Levels that `Tree.pretty` gives lines of their own.
_PRETTY_LEVELS = 200


class Tree(NamedTuple):
    """A constituency tree; the output of a constituency parser.

    Attributes
    ----------
    label : str
        Category; for a node above a single word, its part of speech.
    children : tuple of Tree, or tuple of one str
        Sub-trees, or the word.

    Notes
    -----
    Trees may be of any depth: nothing here is recursive, and neither are equality, hash,
    ``repr``, ``copy`` and ``pickle``. A tree is equal to trees only, not to plain tuples.

    The notation has no brackets within words: ``(`` and ``)`` are written -LRB- and -RRB-,
    as in the Penn Treebank, and are read back as brackets.

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
        return constituents(self, lambda node: (node.label, node))

    def __eq__(self, other: object) -> bool:
        """Whether labels, words and shape are the same."""
        if not isinstance(other, Tree):
            return False
        stack: list[tuple[Any, Any]] = [(self, other)]
        while stack:
            a, b = stack.pop()
            if a is b:
                continue
            if not (isinstance(a, Tree) and isinstance(b, Tree)):
                if isinstance(a, Tree) or isinstance(b, Tree) or a != b:
                    return False
            elif a.label != b.label or len(a.children) != len(b.children):
                return False
            else:
                stack.extend(zip(a.children, b.children, strict=True))
        return True

    # A tuple has a comparison of its own.
    def __ne__(self, other: object) -> bool:
        """The contrary of ``==``."""
        return not self == other

    def __hash__(self) -> int:
        """Of labels, words and shape."""
        return hash(_flat(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """As flat lists: pickle is recursive."""
        return _unflat, _flat(self)

    def __copy__(self) -> Tree:
        """The tree itself, which nothing can change."""
        return self

    def __deepcopy__(self, memo: Any) -> Tree:
        """The tree itself, which nothing can change."""
        return self

    def __repr__(self) -> str:
        """As of a named tuple."""
        parts: list[str] = []
        stack: list[tuple[bool, Any]] = [(False, self)]
        while stack:
            is_text, node = stack.pop()
            if is_text:
                parts.append(node)
            elif not isinstance(node, Tree):
                parts.append(repr(node))
            else:
                parts.append(f"Tree(label={node.label!r}, children=(")
                stack.append((True, ",))" if len(node.children) == 1 else "))"))
                for k in range(len(node.children) - 1, -1, -1):
                    stack.append((False, node.children[k]))
                    if k:
                        stack.append((True, ", "))
        return "".join(parts)

    def __str__(self) -> str:
        """Penn brackets on one line."""
        parts: list[str] = []
        stack: list[Any] = [self]
        while stack:
            node = stack.pop()
            if isinstance(node, str):
                parts.append(node)
            elif node.is_preterminal:
                parts.append(f"({_escaped(node.label)} {_escaped(node.children[0])})")
            else:
                parts.append(f"({_escaped(node.label)}")
                stack.append(")")
                for child in reversed(node.children):
                    stack += [child, " "]
        return "".join(parts)

    def pretty(self, indent: int = 0) -> str:
        """Penn brackets over several lines; what is deeper than 200 levels on one line.

        Examples
        --------
        >>> print(Tree.parse("(S (NP (NNS dogs)) (VP (VBP bark)))").pretty())
        (S
          (NP (NNS dogs))
          (VP (VBP bark)))
        """
        lines: list[str] = []
        stack = [(self, 0, "")]
        while stack:
            node, level, closing = stack.pop()
            margin = " " * (indent + 2 * level)
            if (
                node.is_preterminal
                or level == _PRETTY_LEVELS
                or all(c.is_preterminal for c in node.children)
            ):
                lines.append(f"{margin}{node}{closing}")
                continue
            lines.append(f"{margin}({_escaped(node.label)}")
            ends = [""] * (len(node.children) - 1) + [closing + ")"]
            below = zip(node.children, ends, strict=True)
            stack += [(c, level + 1, end) for c, end in below][::-1]
        return "\n".join(lines)

    def to_networkx(self) -> Any:
        """The tree as a ``networkx.DiGraph``.

        Nodes are numbered in preorder from 0, the root; each has the attribute
        ``label``, and a word ``word=True``.
        """
        networkx = require("networkx", "graph", "Tree.to_networkx")
        graph = networkx.DiGraph()
        stack: list[tuple[Any, int]] = [(self, -1)]
        while stack:
            node, parent = stack.pop()
            k = int(graph.number_of_nodes())
            is_word = not isinstance(node, Tree)
            graph.add_node(k, label=node if is_word else node.label, word=is_word)
            if parent >= 0:
                graph.add_edge(parent, k)
            if not is_word:
                stack += [(c, k) for c in reversed(node.children)]
        return graph

    def to_nltk(self) -> Any:
        """The tree as an ``nltk.Tree``; needs nltk."""
        try:
            from nltk import Tree as NltkTree  # type: ignore[import-untyped]
        except ImportError as error:
            raise ImportError("Tree.to_nltk needs nltk: pip install nltk") from error
        return built(
            self,
            lambda node: node.children if isinstance(node, Tree) else (),
            lambda node, children: (
                NltkTree(node.label, children) if isinstance(node, Tree) else node
            ),
        )

    @classmethod
    def from_nltk(cls, tree: Any, where: str = "tree") -> Tree:
        """From an ``nltk.Tree``, or what has its interface; nltk need not be installed.

        Parameters
        ----------
        tree : nltk.Tree
            A list of children with a method ``label()``. Leaves are words, or the pairs
            (word, tag) that nltk's chunkers make.
        where : str, default="tree"
            What to call it in errors.

        Raises
        ------
        TypeError, ValueError
            For leaves of another kind, or nodes that a tree cannot have.
        """

        def make(node: Any, children: list[Any]) -> Any:
            if _is_nltk(node):
                return cls(str(node.label()), tuple(children))
            if isinstance(node, str):
                return str(node)
            if (
                isinstance(node, tuple)
                and len(node) == 2
                and all(isinstance(part, str) for part in node)
            ):
                return cls(str(node[1]), (str(node[0]),))
            raise TypeError(
                f"{where} has the leaf {shorten(repr(node))}, expected a word or (word, tag)"
            )

        made = built(tree, lambda node: node if _is_nltk(node) else (), make)
        if not isinstance(made, Tree):
            raise TypeError(f"{where} must be an nltk.Tree, got {type(tree).__name__}")
        return as_phrase_tree(made, where)


def _is_nltk(node: Any) -> bool:
    return callable(getattr(node, "label", None)) and hasattr(node, "__iter__")


def constituents(
    tree: Tree, named: Callable[[Tree], tuple[str, Tree]]
) -> list[tuple[int, int, str]]:
    """Constituents (start, end, label) in preorder, without recursion.

    Parameters
    ----------
    tree : Tree
    named : callable
        ``named(node) -> (label, low)``: what a node is called, and whose children are its own.
    """
    found: list[tuple[int, int, str]] = []
    end = 0
    # A number stands for the end of that constituent.
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, int):
            found[node] = (found[node][0], end, found[node][2])
        elif node.is_preterminal:
            end += 1
        else:
            label, low = named(node)
            stack.append(len(found))
            found.append((end, end, label))
            stack.extend(reversed(low.children))
    return found


def _flat(tree: Tree) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """Labels and words in preorder, and how many children each has, -1 for words."""
    values: list[Any] = []
    counts: list[int] = []
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Tree):
            values.append(node.label)
            counts.append(len(node.children))
            stack.extend(reversed(node.children))
        else:
            values.append(node)
            counts.append(-1)
    return tuple(values), tuple(counts)


def _unflat(values: Sequence[Any], counts: Sequence[int]) -> Tree:
    """The inverse of `_flat`."""
    done: list[Any] = []
    for value, count in zip(reversed(values), reversed(counts), strict=True):
        if count < 0:
            done.append(value)
        else:
            done.append(Tree(value, tuple(done.pop() for _ in range(count))))
    tree: Tree = done.pop()
    return tree


def built(
    root: Any,
    children: Callable[[Any], Iterable[Any]],
    make: Callable[[Any, list[Any]], Any],
) -> Any:
    """What `make` makes of a tree, from the leaves up, without recursion.

    Parameters
    ----------
    root : object
    children : callable
        ``children(node)``: the nodes below.
    make : callable
        ``make(node, made)`` of a node and what was made of those below.
    """
    stack: list[tuple[Any, Iterator[Any], list[Any]]] = []
    node = root
    while True:
        stack.append((node, iter(children(node)), []))
        while True:
            above, rest, done = stack[-1]
            node = next(rest, stack)
            if node is not stack:
                break
            stack.pop()
            value = make(above, done)
            if not stack:
                return value
            stack[-1][2].append(value)


def as_phrase_tree(y: Any, where: str) -> Tree:
    """A checked `Tree` from itself, or from an ``nltk.Tree``.

    Raises
    ------
    TypeError, ValueError
        Beginning with `where`: for other types, nodes without children, words beside other
        children, and labels or words that are no text.
    """
    if not isinstance(y, Tree):
        if _is_nltk(y):
            return Tree.from_nltk(y, where)
        raise TypeError(f"{where} must be a Tree, got {type(y).__name__}")
    stack: list[Tree] = [y]
    while stack:
        label, children = stack.pop()
        if not (isinstance(label, str) and label):
            raise ValueError(
                f"{where} has a node with the label {shorten(repr(label))}, expected text"
            )
        if not (isinstance(children, tuple) and children):
            raise ValueError(f"{where}: node {shorten(label)!r} has no children")
        if len(children) == 1 and isinstance(children[0], str):
            if not children[0]:
                raise ValueError(f"{where}: node {shorten(label)!r} has an empty word")
            continue
        for child in children:
            if not isinstance(child, Tree):
                raise ValueError(
                    f"{where}: node {shorten(label)!r} mixes {shorten(repr(child))} with other "
                    "children, expected one word or trees"
                )
        stack.extend(children)
    return y


def _escaped(text: str) -> str:
    if "(" in text or ")" in text:
        return text.replace("(", "-LRB-").replace(")", "-RRB-")
    return text


def _word(text: str) -> str:
    if "-LRB-" in text or "-RRB-" in text:
        return text.replace("-LRB-", "(").replace("-RRB-", ")")
    return text


_TOKEN = re.compile(r"[()]|[^\s()]+")


def parse_brackets(text: str, where: str = "", first: int = 1) -> Iterator[Tree]:
    """Trees of a text in Penn brackets; an outer bracket without a label is taken off.

    Parameters
    ----------
    text : str
    where : str, default=""
        File name, for errors.
    first : int, default=1
        Number of the first line of the text.

    Raises
    ------
    ValueError
        For unbalanced brackets, a word among sub-trees, or an empty node; with the line.
    """
    return (tree for _, tree in located_trees(text, where, first))


def located_trees(
    text: str, where: str = "", first: int = 1
) -> Iterator[tuple[int, Tree]]:
    """The lines on which trees begin, and the trees, as `parse_brackets` reads them."""
    stack: list[tuple[list[Any], int]] = []
    line, at = first, 0

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
                        raise wrong(
                            f"word {shorten(item)!r} outside of a constituent", began
                        )
                    yield began, item
            elif items:
                yield began, _node(items, began, wrong)
            else:
                raise wrong("empty brackets", began)
        elif not stack:
            raise wrong(f"{shorten(token)!r} stands outside of brackets", line)
        else:
            stack[-1][0].append(token)
    if stack:
        raise wrong("'(' is never closed", stack[-1][1])


def _node(items: list[Any], line: int, wrong: Any) -> Tree:
    if not items or not isinstance(items[0], str):
        raise wrong("a node has no label", line)
    label, rest = items[0], items[1:]
    if not rest:
        raise wrong(f"node {shorten(label)!r} has no children", line)
    words = [c for c in rest if isinstance(c, str)]
    if words and len(rest) > 1:
        raise wrong(
            f"node {shorten(label)!r} mixes the word {shorten(words[0])!r} with other children",
            line,
        )
    return Tree(label, (_word(words[0]),) if words else tuple(rest))


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

    def make(node: Tree, made: list[Tree | None]) -> Tree | None:
        if node.is_preterminal:
            return None if traces and node.label == "-NONE-" else node
        children = tuple(c for c in made if c is not None)
        if not children:
            return None
        label = node.label
        if functions and not label.startswith("-"):
            label = re.split(r"[-=|]", label)[0] or label
        return Tree(label, children)

    kept: Tree | None = built(
        tree, lambda node: () if node.is_preterminal else node.children, make
    )
    return kept


__all__ = [
    "Tree",
    "as_phrase_tree",
    "built",
    "constituents",
    "located_trees",
    "parse_brackets",
    "strip_tree",
]
