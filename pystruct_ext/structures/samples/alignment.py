"""Small random alignments."""

from __future__ import annotations

from typing import Any

import numpy as np

from pystruct_ext.structures.base import Variant

_SHAPES = ((1, 1), (3, 4), (5, 5), (4, 2))


def alignments(channels: int = 1) -> Any:
    """A maker of random pairs of sequences of A, B, C, with an alignment each."""

    def make(rng: np.random.Generator) -> tuple[list[Any], list[tuple[int, ...]]]:
        X: list[Any] = []
        Y = []
        for n, m in _SHAPES:
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


def sample(rng: np.random.Generator) -> tuple[list[Any], list[tuple[int, ...]]]:
    """Sequences that have lost a letter, or one changed."""
    X, Y = [], []
    for n in (4, 5, 4, 5, 4, 5):
        a = rng.choice(list("ABC"), size=n).tolist()
        b, y = list(a), list(range(n))
        at = int(rng.integers(n))
        if n == 5:
            del b[at]
            y = [*range(at), -1, *range(at, n - 1)]
        else:
            b[at] = "D"
        X.append(("".join(a), "".join(b)))
        Y.append(tuple(y))
    return X, Y


VARIANTS = (
    Variant("alignment", {}, alignments()),
    Variant(
        "alignment-local",
        {"mode": "local", "window": 1, "false_cost": 2.0, "miss_cost": 0.5},
        alignments(2),
    ),
    Variant("alignment-directed", {"window": 1, "symmetric": False}, alignments()),
)
