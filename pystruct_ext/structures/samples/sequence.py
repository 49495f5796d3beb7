"""Small random label sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from pystruct_ext.structures.base import Variant

COST = np.array([[0.0, 1.0, 4.0], [0.5, 0.0, 0.0], [2.0, 1.0, 0.0]])
UPPER = np.triu(np.ones((3, 3), dtype=bool))
MAPPING = {0: [0, 1], 1: [1, 2], 2: [2], "<start>": [0, 1, 2], "<end>": [0, 1, 2]}
LENGTHS = (1, 2, 4, 3, 1)


def labels(
    rng: np.random.Generator, lengths: Sequence[int], names: str = "abc"
) -> list[list[str]]:
    """Random labels, each of them at least once."""
    # Every name occurs, so that the size of the problem does not depend on chance.
    flat = rng.permutation(np.resize(np.arange(len(names)), sum(lengths)))
    cuts = np.cumsum(lengths)[:-1]
    return [[names[k] for k in part.tolist()] for part in np.split(flat, cuts)]


def dense_sequences(rng: np.random.Generator) -> tuple[Any, Any]:
    """Dense sequences."""
    X = [rng.normal(size=(t, 3)) for t in LENGTHS]
    return X, labels(rng, LENGTHS)


def mostly_zero(rng: np.random.Generator) -> tuple[Any, Any]:
    """Mostly zero."""
    X = []
    for t in LENGTHS:
        x = rng.normal(size=(t, 8)).astype(np.float32)
        x[rng.random(x.shape) < 0.8] = 0
        X.append(x)
    return X, labels(rng, LENGTHS)


def csr_sequences(rng: np.random.Generator) -> tuple[Any, Any]:
    """Csr sequences."""
    X, Y = mostly_zero(rng)
    return [csr_matrix(x) for x in X], Y


def string_sequences(rng: np.random.Generator) -> tuple[Any, Any]:
    """String sequences."""

    def token() -> list[str]:
        return [f"f{j}" for j in rng.permutation(6)[: rng.integers(0, 4)]]

    X = [[token() for _ in range(t)] for t in LENGTHS]
    X[0][0] = ["f0"]
    return X, labels(rng, LENGTHS)


def valued_sequences(rng: np.random.Generator) -> tuple[Any, Any]:
    """Valued sequences."""
    X, Y = string_sequences(rng)
    draw = rng.normal
    return [[{name: float(draw()) for name in token} for token in x] for x in X], Y


def long_sequences(rng: np.random.Generator) -> tuple[Any, Any]:
    """Too long to enumerate: what is left are inequalities and sums."""
    lengths = (30, 1, 45)
    X = [rng.normal(size=(t, 12)) for t in lengths]
    return X, labels(rng, lengths, "abcdefghi")


def long_strings(rng: np.random.Generator) -> tuple[Any, Any]:
    """Long strings."""
    lengths = (40, 25)
    X = [
        [[f"f{j}" for j in rng.integers(0, 50, size=6)] for _ in range(t)]
        for t in lengths
    ]
    return X, labels(rng, lengths, "abcdefghijklmnopq")


def bio_sequences(rng: np.random.Generator) -> tuple[Any, Any]:
    """Bio sequences."""
    X = [rng.normal(size=(t, 2)) for t in (1, 3, 4, 2)]
    Y = [["O"], ["B-x", "I-x", "O"], ["B-y", "B-x", "I-x", "B-y"], ["B-y", "I-y"]]
    return X, [Y[k] for k in range(4)]


def bilou_sequences(rng: np.random.Generator) -> tuple[Any, Any]:
    """Bilou sequences."""
    X = [rng.normal(size=(t, 2)) for t in (1, 3, 4, 2)]
    Y = [["U-x"], ["B-x", "I-x", "L-x"], ["O", "B-y", "L-y", "O"], ["U-y", "O"]]
    return X, Y


def upward_sequences(rng: np.random.Generator) -> tuple[Any, Any]:
    """Labels never decrease."""
    X = [rng.normal(size=(t, 2)) for t in LENGTHS]
    Y = [sorted(rng.integers(0, 3, size=t).tolist()) for t in LENGTHS]
    Y[2] = [0, 1, 1, 2]
    return X, Y


def sample(rng: np.random.Generator) -> tuple[list[Any], list[list[str]]]:
    """Two words a token; a label that is in one half only."""
    lengths = (1, 2, 4, 3, 5, 2, 6, 4)
    X = [
        [[str(rng.choice(list("abcd"))) + end for end in "12"] for _ in range(t)]
        for t in lengths
    ]
    Y = [[("O", "B-a")[k] for k in rng.integers(0, 2, size=t)] for t in lengths]
    Y[2][:2] = Y[3][:2] = "O", "B-a"
    Y[4][0] = "B-rare"
    return X, Y


_MANY = (
    Variant("sequence", {}, dense_sequences),
    Variant("sequence-float64", {"dtype": "float64"}, dense_sequences),
    Variant("sequence-cost", {"task_loss": COST}, dense_sequences),
    Variant(
        "sequence-cost-mapping",
        {"task_loss": {("a", "b"): 3.0, ("b", "c"): 0.0}, "dtype": "float64"},
        dense_sequences,
    ),
    Variant("sequence-sparsified", {}, mostly_zero),
    Variant("sequence-csr", {}, csr_sequences),
    Variant("sequence-csr-float64", {"dtype": "float64"}, csr_sequences),
    Variant("sequence-strings", {}, string_sequences),
    Variant("sequence-values", {"dtype": "float64"}, valued_sequences),
    Variant("sequence-seen-dense", {"features": "seen"}, dense_sequences),
    Variant("sequence-seen-csr", {"features": "seen"}, csr_sequences),
    Variant(
        "sequence-seen-strings",
        {"features": "seen", "dtype": "float64"},
        string_sequences,
    ),
    Variant("sequence-hashed", {"hash_bits": 3}, string_sequences),
    Variant("sequence-min-count", {"min_count": 2}, string_sequences),
    Variant("sequence-long", {}, long_sequences),
    Variant("sequence-long-strings", {"features": "seen"}, long_strings),
    Variant("sequence-bio", {"constraints": "BIO"}, bio_sequences),
    Variant(
        "sequence-bilou",
        {"constraints": "BILOU", "dtype": "float64"},
        bilou_sequences,
    ),
    Variant("sequence-matrix", {"constraints": UPPER}, upward_sequences),
    Variant("sequence-mapping", {"constraints": MAPPING}, upward_sequences),
)
# There are many of them: one problem each is enough.
VARIANTS = (_MANY[0], *(v._replace(n_problems=1) for v in _MANY[1:]))
