"""Small random dependency trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pystruct_ext.outputs.sentences import (
    DependencyTree,
    Sentence,
    check_heads,
    is_projective,
)
from pystruct_ext.structures.base import Variant


def random_heads(
    rng: np.random.Generator, n: int, projective: bool = True
) -> tuple[int, ...]:
    """Heads of a random tree of n words."""
    while True:
        heads = tuple(rng.integers(0, n + 1, size=n).tolist())
        try:
            check_heads(heads, "")
        except ValueError:
            continue
        if not projective or is_projective(heads):
            return heads


def sentence(rng: np.random.Generator, n: int) -> Sentence:
    """N random words with tags."""
    return Sentence(
        tuple(rng.choice(list("abcd"), size=n).tolist()),
        tuple(rng.choice(list("NVD"), size=n).tolist()),
    )


def dependency(
    lengths: Sequence[int],
    own: bool = False,
    projective: bool = True,
    labels: Sequence[str] = ("x", "y", "z"),
) -> Any:
    """A maker of random trees; `own` features of arcs take the place of sentences."""

    def make(rng: np.random.Generator) -> tuple[list[Any], list[DependencyTree]]:
        X: list[Any] = []
        Y = []
        for n in lengths:
            X.append(rng.normal(size=(n + 1, n, 3)) if own else sentence(rng, n))
            drawn = tuple(rng.choice(labels, size=n).tolist())
            Y.append(DependencyTree(random_heads(rng, n, projective), drawn))
        return X, Y

    return make


sample = dependency((3, 4, 4, 2, 3, 4), labels=("x", "y"))

_ARCS = {"bits": 8, "label_bits": 4}
_BASIC = {"features": "basic", **_ARCS}

VARIANTS = (
    Variant("projective", {"labelled": False, **_BASIC}, dependency((1, 3, 6))),
    Variant("projective-labelled", _ARCS, dependency((1, 3, 4), labels=("x", "y"))),
    Variant(
        "siblings",
        {"labelled": False, "siblings": True, **_ARCS},
        dependency((2, 4, 6)),
    ),
    Variant(
        "siblings-labelled",
        {"siblings": True, "task_loss": "uas", **_BASIC},
        dependency((1, 2, 3)),
    ),
    Variant(
        "grandparents",
        {"labelled": False, "grandparents": True, **_ARCS},
        dependency((2, 4, 6)),
    ),
    Variant(
        "siblings-grandparents",
        {
            "labelled": False,
            "siblings": True,
            "grandparents": True,
            **_ARCS,
        },
        dependency((1, 4, 6)),
    ),
    Variant(
        "siblings-grandparents-labelled",
        {"siblings": True, "grandparents": True, **_ARCS},
        dependency((1, 2, 3)),
    ),
    Variant(
        "arborescence-labelled-all",
        {"projective": False, **_ARCS},
        dependency((1, 2, 3), projective=False),
    ),
    Variant(
        "arborescence",
        {"labelled": False, "projective": False, **_BASIC},
        dependency((1, 3, 5), projective=False),
    ),
    Variant(
        "arborescence-labelled",
        {"projective": False, "ignore_labels": ("z",), **_ARCS},
        dependency((1, 2, 3), projective=False),
    ),
    Variant(
        "own-arcs",
        {"projective": False},
        dependency((1, 2, 3), own=True, projective=False),
    ),
)
