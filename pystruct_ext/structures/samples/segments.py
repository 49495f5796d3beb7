"""Small random segmentations."""

from __future__ import annotations

from typing import Any

import numpy as np

from pystruct_ext.structures.base import Variant


def cut(rng: np.random.Generator, n: int) -> list[tuple[int, int, str]]:
    """A random segmentation of n tokens."""
    y, a = [], 0
    while a < n:
        b = min(n, a + int(rng.integers(1, 4)))
        y.append((a, b, str(rng.choice(["O", "p", "q"]))))
        a = b
    return y


def segments(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Dense features, with every label."""
    X: list[Any] = []
    Y = []
    for n in (1, 4, 5, 3):
        X.append(rng.normal(size=(n, 3)))
        Y.append(cut(rng, n))
    Y[1] = [(0, 1, "O"), (1, 3, "p"), (3, 4, "q")]
    return X, Y


def sample(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Two words a token; every label in each half, and no O longer than a token."""
    X, Y = [], []
    for n in (5, 4, 4, 5, 3, 4):
        X.append([[str(rng.choice(list("abc"))) for _ in "12"] for _ in range(n)])
        # BIO tags cannot tell a long O from several.
        y: list[tuple[int, int, str]] = []
        for a, b, label in cut(rng, n):
            ends = range(a, b) if label == "O" else [a]
            y += [(t, t + 1 if label == "O" else b, label) for t in ends]
        Y.append(y)
    Y[0] = [(0, 1, "O"), (1, 3, "p"), (3, 5, "q")]
    Y[1] = [(0, 1, "q"), (1, 2, "O"), (2, 4, "p")]
    return X, Y


VARIANTS = (
    Variant("segments", {}, segments),
    Variant(
        "segments-loss",
        {"task_loss": "segments", "outside": "O", "boundary": False},
        segments,
    ),
    Variant(
        "segments-longer",
        {"max_length": {"p": 4}, "n_lengths": 2, "task_loss": "segments"},
        segments,
    ),
)
