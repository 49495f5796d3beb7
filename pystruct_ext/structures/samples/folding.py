"""Small random folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pystruct_ext.spaces import FoldingSpace
from pystruct_ext.structures.base import Variant


def folds(lengths: Sequence[int], canonical: bool = True, letters: str = "GCAU") -> Any:
    """A maker of random sequences of these lengths, with a fold each."""

    def make(rng: np.random.Generator) -> tuple[list[str], list[str]]:
        space = FoldingSpace(canonical=canonical).fit_domain([])
        X = ["".join(rng.choice(list(letters), size=n)) for n in lengths]
        Y = []
        for x in X:
            outputs = list(space.enumerate(x))
            Y.append(outputs[int(rng.integers(len(outputs)))])
        return X, Y

    return make


def sample(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Hairpins of two or three pairs, with a free base or two at the ends."""
    X, Y = [], []
    for stem, left, right in ((3, 0, 1), (2, 1, 1), (3, 1, 0), (2, 2, 0), (3, 0, 0)):
        half = "".join(rng.choice(list("GC"), size=stem))
        other = half[::-1].translate(str.maketrans("GC", "CG"))
        free = ["".join(rng.choice(list("AU"), size=n)) for n in (left, 4, right)]
        X.append(free[0] + half + free[1] + other + free[2])
        Y.append("." * left + "(" * stem + "...." + ")" * stem + "." * right)
    return X, Y


VARIANTS = (
    Variant("folds", {}, folds((1, 7, 12))),
    Variant(
        "folds-any-pair",
        {"canonical": False, "prior": None, "false_cost": 0.5, "miss_cost": 2.0},
        folds((5, 10), canonical=False),
    ),
    Variant("folds-unknown-bases", {}, folds((7, 13), letters="GGCCAUN")),
)
