"""Small random problems of trees, folds, segments and alignments; no tests in here."""

from __future__ import annotations

import itertools

import numpy as np

from pystruct_ext.outputs.phrase_trees import Tree
from pystruct_ext.outputs.sentences import (
    DependencyTree,
    Sentence,
    check_heads,
    is_projective,
)
from pystruct_ext.spaces import FoldingSpace


def random_heads(rng, n, projective=True):
    while True:
        heads = tuple(rng.integers(0, n + 1, size=n).tolist())
        try:
            check_heads(heads, "")
        except ValueError:
            continue
        if not projective or is_projective(heads):
            return heads


def sentence(rng, n):
    return Sentence(
        tuple(rng.choice(list("abcd"), size=n).tolist()),
        tuple(rng.choice(list("NVD"), size=n).tolist()),
    )


def dependency(lengths, own=False, projective=True, labels=("x", "y", "z")):
    def make(rng):
        X, Y = [], []
        for n in lengths:
            X.append(rng.normal(size=(n + 1, n, 3)) if own else sentence(rng, n))
            drawn = tuple(rng.choice(labels, size=n).tolist())
            Y.append(DependencyTree(random_heads(rng, n, projective), drawn))
        return X, Y

    return make


def random_tree(rng, a, b, labels, top=True):
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


def constituency(lengths, labels):
    def make(rng):
        trees = [random_tree(rng, 0, n, labels) for n in lengths]
        return [t.sentence() for t in trees], trees

    return make


def folds(lengths, canonical=True):
    def make(rng):
        space = FoldingSpace(canonical=canonical).fit_domain([])
        X = ["".join(rng.choice(list("GCAU"), size=n)) for n in lengths]
        Y = []
        for x in X:
            outputs = list(space.enumerate(x))
            Y.append(outputs[int(rng.integers(len(outputs)))])
        return X, Y

    return make


def segments(rng):
    X, Y = [], []
    for n in (1, 4, 5, 3):
        X.append(rng.normal(size=(n, 3)))
        y, a = [], 0
        while a < n:
            b = min(n, a + int(rng.integers(1, 4)))
            y.append((a, b, str(rng.choice(["O", "p", "q"]))))
            a = b
        Y.append(y)
    Y[1] = [(0, 1, "O"), (1, 3, "p"), (3, 4, "q")]
    return X, Y


def alignments(channels=1):
    def make(rng):
        X, Y = [], []
        for n, m in ((1, 1), (3, 4), (5, 5), (4, 2)):
            a, b = (rng.choice(list("ABC"), size=k).tolist() for k in (n, m))
            k = int(rng.integers(0, min(n, m) + 1))
            y = [-1] * n
            rows = sorted(rng.choice(n, size=k, replace=False).tolist())
            columns = sorted(rng.choice(m, size=k, replace=False).tolist())
            for i, j in zip(rows, columns, strict=True):
                y[i] = j
            if channels == 1:
                X.append(("".join(a), "".join(b)))
            else:
                X.append(tuple([(c, "uv"[ord(c) % 2]) for c in s] for s in (a, b)))
            Y.append(tuple(y))
        return X, Y

    return make
