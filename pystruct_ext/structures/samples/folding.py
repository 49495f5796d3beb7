"""Small random folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pystruct_ext.spaces import FoldingSpace
from pystruct_ext.structures.base import Variant


def folds(lengths: Sequence[int], canonical: bool = True) -> Any:
    """A maker of random sequences of these lengths, with a fold each."""

    def make(rng: np.random.Generator) -> tuple[list[str], list[str]]:
        space = FoldingSpace(canonical=canonical).fit_domain([])
        X = ["".join(rng.choice(list("GCAU"), size=n)) for n in lengths]
        Y = []
        for x in X:
            outputs = list(space.enumerate(x))
            Y.append(outputs[int(rng.integers(len(outputs)))])
        return X, Y

    return make


sample = folds((9, 12, 7, 10))

VARIANTS = (
    Variant("folds", {}, folds((1, 7, 12))),
    Variant(
        "folds-any-pair",
        {"canonical": False, "prior": None, "false_cost": 0.5, "miss_cost": 2.0},
        folds((5, 10), canonical=False),
    ),
)
