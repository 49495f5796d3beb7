"""Sentences and their dependency trees: plain immutable values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pystruct_ext.utils.examples import as_sequence, is_missing
from pystruct_ext.utils.extras import require


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
        raise TypeError(
            f"{where} must be a Sentence, a pair of lists (forms, tags) or a list of "
            f"(form, tag) pairs, got {type(x).__name__}"
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
        heads, labels = tuple(y), ()
    try:
        heads = tuple(int(h) for h in heads)
    except (TypeError, ValueError):
        raise TypeError(f"{where} must hold integer heads, got {heads!r}") from None
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
    for t, label in enumerate(labels if labelled else ()):
        if not isinstance(label, str) and is_missing(label):
            raise ValueError(
                f"{where}: the label of word {t + 1} is missing ({label!r})"
            )
    return DependencyTree(heads, tuple(map(str, labels)) if labelled else ())


def check_heads(heads: Sequence[int], where: str) -> None:
    """Raise ValueError unless heads form a tree with a single root.

    Parameters
    ----------
    heads : sequence of n int
        From 1, 0 for the root.
    where : str
        What to call them in errors.
    """
    n = len(heads)
    for t, h in enumerate(heads):
        if not 0 <= h <= n:
            raise ValueError(
                f"{where}: word {t + 1} has head {h}, expected 0 .. {n} (0 is the root)"
            )
    roots = [t + 1 for t, h in enumerate(heads) if h == 0]
    if not roots:
        raise ValueError(f"{where}: no word has head 0, expected exactly one root")
    if len(roots) > 1:
        raise ValueError(
            f"{where}: words {roots[0]} and {roots[1]} both have head 0, expected "
            "exactly one root"
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
            cycle = path[path.index(v) :]
            raise ValueError(
                f"{where}: words {', '.join(map(str, cycle))} form a cycle, expected a tree"
            )
        for u in path:
            state[u] = 2


def is_projective(heads: Sequence[int]) -> bool:
    """Whether no two arcs cross (the root stands before the first word).

    Examples
    --------
    >>> is_projective((2, 0, 2)), is_projective((3, 0, 2, 1))
    (True, False)
    """
    arcs = [(min(t, h), max(t, h)) for t, h in enumerate(heads, start=1)]
    return not any(
        a < c < b < d
        for k, (a, b) in enumerate(arcs)
        for (c, d) in arcs
        if (c, d) != (a, b)
    )


def tree_to_networkx(x: Any, tree: DependencyTree) -> Any:
    """A tree as a ``networkx.DiGraph`` from heads to modifiers.

    Nodes are 0 (the root) .. n with the attributes ``form`` and ``tag``; edges have the
    attribute ``label``.
    """
    networkx = require("networkx", "graph", "tree_to_networkx")
    sentence = as_sentence(x, "x")
    graph = networkx.DiGraph()
    graph.add_node(0, form="", tag="ROOT")
    for t, (form, tag) in enumerate(
        zip(sentence.forms, sentence.tags, strict=True), start=1
    ):
        graph.add_node(t, form=form, tag=tag)
    for t, head in enumerate(tree.heads, start=1):
        graph.add_edge(head, t, label=tree.labels[t - 1] if tree.labels else "")
    return graph


__all__ = [
    "DependencyTree",
    "Sentence",
    "as_sentence",
    "as_tree",
    "check_heads",
    "is_projective",
    "tree_to_networkx",
]
