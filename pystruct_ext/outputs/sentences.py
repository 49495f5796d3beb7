"""Sentences and their dependency trees: plain immutable values."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any, NamedTuple

from pystruct_ext.utils.examples import as_sequence, is_missing
from pystruct_ext.utils.extras import require
from pystruct_ext.utils.messages import shorten


class Sentence(NamedTuple):
    """Words with what is known about them; the input of a parser.

    Attributes
    ----------
    forms : tuple of n str
        Words as written.
    tags : tuple of n str
        Coarse parts of speech (UPOS in Universal Dependencies).
    fine_tags : tuple of n str, default=()
        Fine parts of speech (XPOS); empty if there are none.
    lemmas : tuple of n str, default=()
        Empty if there are none.

    Examples
    --------
    >>> Sentence(("dogs", "bark"), ("NOUN", "VERB")).forms
    ('dogs', 'bark')
    """

    forms: tuple[str, ...]
    tags: tuple[str, ...]
    fine_tags: tuple[str, ...] = ()
    lemmas: tuple[str, ...] = ()

    @classmethod
    def from_networkx(cls, graph: Any) -> Sentence:
        """The words of a graph that `DependencyTree.to_networkx` made.

        Raises
        ------
        ValueError
            If a node has no form or tag.
        """
        n = _n_words(graph)

        def column(name: str, needed: bool) -> tuple[str, ...]:
            cells = [graph.nodes[t].get(name) for t in range(1, n + 1)]
            if not needed and not any(cells):
                return ()
            if None in cells:
                raise ValueError(
                    f"graph: node {cells.index(None) + 1} has no attribute {name!r}"
                )
            return tuple(map(str, cells))

        return cls(
            column("form", True),
            column("tag", True),
            column("fine_tag", False),
            column("lemma", False),
        )


class DependencyTree(NamedTuple):
    """A dependency tree; the output of a dependency parser.

    Attributes
    ----------
    heads : tuple of n int
        Position of each word's head, counted from 1; 0 is the root.
    labels : tuple of n str, default=()
        Relation of each word to its head; empty if unlabelled.

    Examples
    --------
    >>> tree = DependencyTree((2, 0), ("nsubj", "root"))
    >>> tree.heads
    (2, 0)
    """

    heads: tuple[int, ...]
    labels: tuple[str, ...] = ()

    def to_networkx(self, sentence: Any = None) -> Any:
        """The tree as a ``networkx.DiGraph`` from heads to modifiers.

        Parameters
        ----------
        sentence : Sentence, or pair (forms, tags), optional
            Its words become attributes of the nodes.

        Returns
        -------
        networkx.DiGraph
            Nodes 0 (the root) .. n, with ``form`` and ``tag`` where there is a sentence, and
            ``lemma`` and ``fine_tag`` where it has them; edges with ``label``, "" of
            unlabelled trees.

        Examples
        --------
        >>> tree = DependencyTree((2, 0), ("nsubj", "root"))
        >>> graph = tree.to_networkx((["dogs", "bark"], ["NOUN", "VERB"]))
        >>> list(graph.edges(data="label"))
        [(0, 2, 'root'), (2, 1, 'nsubj')]
        >>> DependencyTree.from_networkx(graph) == tree
        True
        """
        networkx = require("networkx", "graph", "DependencyTree.to_networkx")
        graph = networkx.DiGraph()
        n = len(self.heads)
        graph.add_nodes_from(range(n + 1))
        if sentence is not None:
            words = as_sentence(sentence, "sentence")
            if len(words.forms) != n:
                raise ValueError(
                    f"sentence has {len(words.forms)} words, but the tree has {n} heads"
                )
            graph.add_node(0, form="", tag="ROOT")
            columns = ("form", "tag", "fine_tag", "lemma")
            for name, column in zip(columns, words, strict=True):
                for t, cell in enumerate(column, start=1):
                    graph.nodes[t][name] = cell
        for t, head in enumerate(self.heads, start=1):
            graph.add_edge(head, t, label=self.labels[t - 1] if self.labels else "")
        return graph

    @classmethod
    def from_networkx(cls, graph: Any) -> DependencyTree:
        """The tree of a graph with edges from heads to modifiers; see `to_networkx`.

        Parameters
        ----------
        graph : networkx.DiGraph
            Nodes 0 (the root) .. n.

        Raises
        ------
        ValueError
            If the nodes are others, a word has no head or two, or it is no tree.
        """
        n = _n_words(graph)
        heads, labels = [], []
        for t in range(1, n + 1):
            above = list(graph.predecessors(t))
            if len(above) != 1:
                raise ValueError(
                    f"graph: node {t} has {len(above)} heads, expected exactly one"
                )
            heads.append(int(above[0]))
            labels.append(graph.edges[above[0], t].get("label") or "")
        check_heads(heads, "graph")
        return cls(tuple(heads), tuple(map(str, labels)) if any(labels) else ())


def _n_words(graph: Any) -> int:
    n = int(graph.number_of_nodes()) - 1
    if n < 1 or set(graph.nodes) != set(range(n + 1)):
        raise ValueError(
            "graph must have the nodes 0 (the root), 1 .. n, one for each word"
        )
    return n


def as_sentence(x: Any, where: str) -> Sentence:
    """A `Sentence` from itself, a pair (forms, tags) or a list of (form, tag) pairs.

    Raises
    ------
    ValueError, TypeError
        Beginning with `where`: for an empty sentence or columns of different lengths.
    """
    if isinstance(x, tuple) and len(x) == 2:  # columns may be arrays or Series
        x = tuple(map(as_sequence, x))
    if isinstance(x, Sentence):
        sentence = x
    elif (
        isinstance(x, tuple)
        and len(x) == 2
        and all(isinstance(c, (list, tuple)) for c in x)
        and all(isinstance(f, str) for c in x for f in c)
        and len(x[0]) == len(x[1])
    ):
        sentence = Sentence(tuple(x[0]), tuple(x[1]))
    elif isinstance(x, (list, tuple)) and all(
        isinstance(t, (list, tuple))
        and len(t) == 2
        and all(isinstance(part, str) for part in t)
        for t in x
    ):
        sentence = Sentence(tuple(t[0] for t in x), tuple(t[1] for t in x))
    else:
        bare = isinstance(x, str) or (
            isinstance(x, (list, tuple)) and all(isinstance(t, str) for t in x)
        )
        raise TypeError(
            f"{where} must be a Sentence, a pair of lists (forms, tags) or a list of "
            f"(form, tag) pairs, got {type(x).__name__}"
            + ("; words without tags are for TaggedParser" if bare else "")
        )
    n = len(sentence.forms)
    if n == 0:
        raise ValueError(f"{where} is an empty sentence, expected at least one word")
    for name in ("tags", "fine_tags", "lemmas"):
        column = getattr(sentence, name)
        if len(column) != n and (name == "tags" or len(column)):
            raise ValueError(
                f"{where} has {n} words but {len(column)} {name.replace('_', ' ')}"
            )
    for name in ("forms", "tags", "fine_tags", "lemmas"):
        column = getattr(sentence, name)
        try:
            if set(map(type, column)) <= {str}:
                continue
        except (KeyError, IndexError) as error:
            raise TypeError(
                f"{where}: {name.replace('_', ' ')} are a {type(column).__name__} without "
                f"entries ({type(error).__name__})"
            ) from error
        for t, word in enumerate(column):
            if not isinstance(word, str):
                raise TypeError(
                    f"{where}: {name.replace('_', ' ')} hold {shorten(repr(word))} of type "
                    f"{type(word).__name__} for word {t + 1}, expected a str"
                )
    return sentence


def as_tree(y: Any, n: int, labelled: bool, where: str) -> DependencyTree:
    """A `DependencyTree` from itself, heads, or a pair (heads, labels), checked.

    Parameters
    ----------
    y : DependencyTree, sequence of int, or pair (heads, labels)
    n : int
        Number of words.
    labelled : bool
        Whether labels are needed; else they are dropped.
    where : str
        What to call y in errors.

    Raises
    ------
    ValueError, TypeError
        For a wrong length, a head out of range, several roots or none, or a cycle.
    """
    if isinstance(y, DependencyTree):
        heads, labels = y.heads, y.labels
    elif (
        isinstance(y, (tuple, list))
        and len(y) == 2
        and all(hasattr(part, "__len__") for part in y)
    ):
        heads, labels = tuple(y[0]), tuple(y[1])
    else:
        try:
            heads, labels = tuple(y), ()
        except Exception as error:  # whatever reading a foreign object brings about
            raise TypeError(
                f"{where} must be a DependencyTree, heads, or a pair (heads, labels), got "
                f"{type(y).__name__} ({type(error).__name__} at reading it)"
            ) from error
    heads = _whole(heads, where)
    if len(heads) != n:
        raise ValueError(
            f"{where} has {len(heads)} heads, but the sentence has {n} words"
        )
    if labelled and len(labels) != n:
        raise ValueError(
            f"{where} has {len(labels)} labels, expected {n}; use labelled=False for "
            "trees without labels"
        )
    check_heads(heads, where)
    if not labelled:
        return DependencyTree(heads)
    for t, label in enumerate(labels):
        if isinstance(label, str):
            continue
        if is_missing(label):
            raise ValueError(
                f"{where}: the label of word {t + 1} is missing ({label!r})"
            )
        raise TypeError(
            f"{where}, word {t + 1} has the label {shorten(repr(label))} of type "
            f"{type(label).__name__}, expected a str"
        )
    return DependencyTree(heads, tuple(map(str, labels)))


def _whole(heads: Sequence[Any], where: str) -> tuple[int, ...]:
    """Heads as ints; numbers like 2.0 are whole, 2.9, strings and booleans are not."""
    if set(map(type, heads)) <= {int}:
        return tuple(heads)
    found = []
    for t, h in enumerate(heads):
        whole = isinstance(h, (Integral, Real)) and not isinstance(h, bool)
        if not whole or not isfinite(h) or int(h) != h:
            raise TypeError(
                f"{where} must hold integer heads, got {shorten(repr(h))} for word {t + 1}"
            )
        found.append(int(h))
    return tuple(found)


def check_heads(heads: Sequence[int], where: str) -> None:
    """Raise ValueError unless heads form a tree with a single root.

    Parameters
    ----------
    heads : sequence of n int
        From 1, 0 for the root.
    where : str
        What to call them in errors.
    """
    fault = head_fault(heads)
    if fault is not None:
        raise ValueError(f"{where}: {fault[1]}")


def head_fault(heads: Sequence[int]) -> tuple[int, str] | None:
    """What keeps heads from forming a tree with a single root, and at which word.

    Returns
    -------
    (int, str) or None
        Position of a word, from 0, and a sentence about it; None of a tree.
    """
    n = len(heads)
    for t, h in enumerate(heads):
        if not 0 <= h <= n:
            return t, f"word {t + 1} has head {h}, expected 0 .. {n} (0 is the root)"
    roots = [t + 1 for t, h in enumerate(heads) if h == 0]
    if not roots:
        return 0, "no word has head 0, expected exactly one root"
    if len(roots) > 1:
        return roots[1] - 1, (
            f"words {roots[0]} and {roots[1]} both have head 0, expected exactly one root"
        )
    state = [0] * (n + 1)  # 0 unseen, 1 on the path, 2 known to reach the root
    state[0] = 2
    for t in range(1, n + 1):
        path = []
        v = t
        while state[v] == 0:
            state[v] = 1
            path.append(v)
            v = heads[v - 1]
        if state[v] == 1:
            cycle = shorten(", ".join(map(str, path[path.index(v) :])))
            return v - 1, f"words {cycle} form a cycle, expected a tree"
        for u in path:
            state[u] = 2
    return None


def is_projective(heads: Sequence[int]) -> bool:
    """Whether no two arcs cross (the root stands before the first word).

    Examples
    --------
    >>> is_projective((2, 0, 2)), is_projective((3, 0, 2, 1))
    (True, False)
    """
    # By their left ends, longer ones first: those still open are nested in each other.
    arcs = sorted((min(t, h), -max(t, h)) for t, h in enumerate(heads, start=1))
    open_ends: list[int] = []
    for left, right in arcs:
        while open_ends and open_ends[-1] <= left:
            open_ends.pop()
        if open_ends and open_ends[-1] < -right:
            return False
        open_ends.append(-right)
    return True


__all__ = [
    "DependencyTree",
    "Sentence",
    "as_sentence",
    "as_tree",
    "check_heads",
    "head_fault",
    "is_projective",
]
