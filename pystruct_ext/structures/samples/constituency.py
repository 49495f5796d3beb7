"""Small random constituency trees."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from pystruct_ext.outputs import Sentence, Tree
from pystruct_ext.structures.base import Variant


def random_tree(
    rng: np.random.Generator, a: int, b: int, labels: Sequence[str], top: bool = True
) -> Tree:
    """A random tree over the words from a to b."""
    if b == a + 1:
        leaf = Tree(str(rng.choice(["N", "V"])), (str(rng.choice(list("abc"))),))
        chain = top or rng.random() < 0.3
        return Tree(str(rng.choice(labels)), (leaf,)) if chain else leaf
    m = int(rng.integers(2, b - a + 1))
    cuts = sorted(rng.choice(np.arange(a + 1, b), size=m - 1, replace=False).tolist())
    ends = [a, *cuts, b]
    parts = (random_tree(rng, p, q, labels, False) for p, q in itertools.pairwise(ends))
    tree = Tree(str(rng.choice(labels)), tuple(parts))
    # Unary chains over more than a word.
    return Tree(str(rng.choice(labels)), (tree,)) if rng.random() < 0.2 else tree


def constituency(lengths: Sequence[int], labels: Sequence[str]) -> Any:
    """A maker of random trees with words and tags."""

    def make(rng: np.random.Generator) -> tuple[list[Sentence], list[Tree]]:
        trees = [random_tree(rng, 0, n, labels) for n in lengths]
        return [t.sentence() for t in trees], trees

    return make


sample = constituency((3, 4, 4, 3, 2, 4), ["A", "B"])

_SMALL = {"bits": 6, "split_bits": 6}

VARIANTS = (
    Variant("spans", _SMALL, constituency((1, 2, 3), ["A", "B"])),
    Variant(
        "spans-basic",
        {"features": "basic", **_SMALL},
        constituency((1, 2, 3), ["A", "B"]),
    ),
    Variant(
        "spans-no-splits", {"splits": False, **_SMALL}, constituency((4, 3), ["A"])
    ),
    Variant(
        "grammar",
        {"model": "grammar", **_SMALL},
        constituency((1, 3, 5, 6, 4), ["A", "B"]),
    ),
    Variant(
        "grammar-basic",
        {"model": "grammar", "features": "basic", **_SMALL},
        constituency((1, 3, 5, 6, 4), ["A", "B"]),
    ),
    Variant(
        "grammar-parents",
        {"model": "grammar", "vertical": 2, "horizontal": 2, "span_features": False},
        constituency((1, 3, 5, 6, 4), ["A", "B"]),
    ),
)
