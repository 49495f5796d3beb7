"""Small random matching problems."""

from __future__ import annotations

from typing import Any

import numpy as np

from pystruct_ext.outputs import Links, MatchingProblem
from pystruct_ext.structures.base import Variant

_SHAPES = ((1, 1), (2, 3), (3, 3), (3, 2))


def matchings(
    shapes: tuple[tuple[int, int], ...] = _SHAPES,
    *,
    density: float = 1.0,
    capacity: int = 1,
    possible: bool = False,
    must_match: str | None = None,
) -> Any:
    """A maker of random problems, with links that keep to the capacities."""

    def make(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
        X: list[Any] = []
        Y: list[Any] = []
        for m, n in shapes:
            if must_match is not None and (m > n) == (must_match == "rows"):
                m, n = n, m
            links = _links(rng, m, n, capacity, must_match)
            pairs = [
                (i, j)
                for i in range(m)
                for j in range(n)
                if (i, j) in links or rng.random() < density
            ]
            if not pairs:
                pairs = [(0, 0)]
            X.append(
                MatchingProblem(
                    rng.normal(size=(len(pairs), 3)).round(3), (m, n), pairs
                )
            )
            rest = [p for p in pairs if p not in links and rng.random() < 0.3]
            Y.append(Links(tuple(links), tuple(rest)) if possible else sorted(links))
        return X, Y

    return make


def _links(
    rng: np.random.Generator, m: int, n: int, capacity: int, must_match: str | None
) -> list[tuple[int, int]]:
    """Random links; one for each row or column that needs one."""
    if must_match == "rows":
        return list(enumerate(rng.permutation(n)[:m].tolist()))
    if must_match == "columns":
        return [(int(i), j) for j, i in enumerate(rng.permutation(m)[:n])]
    found: list[tuple[int, int]] = []
    for k in rng.permutation(m * n):
        link = (int(k) // n, int(k) % n)
        free = all(
            sum(other[side] == link[side] for other in found) < capacity
            for side in (0, 1)
        )
        if free and rng.random() < 0.6:
            found.append(link)
    return found


def sample(rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Pairs whose true score is hidden behind little noise."""
    w = np.array([1.5, -1.0, 0.5])
    X, Y = [], []
    for m, n in ((2, 2), (3, 2), (2, 3), (3, 3), (2, 2), (3, 3)):
        x = rng.normal(size=(m, n, 3)).round(3)
        worth = x @ w + 0.1 * rng.normal(size=(m, n))
        links = []
        while worth.max() > 0:
            i, j = np.unravel_index(int(worth.argmax()), worth.shape)
            links.append((int(i), int(j)))
            worth[i], worth[:, j] = -1.0, -1.0
        X.append(MatchingProblem(x))
        Y.append(tuple(sorted(links)))
    return X, Y


VARIANTS = (
    Variant("matching", {}, matchings()),
    Variant(
        "matching-fertility",
        {
            "row_capacity": 2,
            "column_capacity": None,
            "fertility": 2,
            "false_cost": 2.0,
            "miss_cost": 0.5,
        },
        matchings(density=0.6, capacity=2, possible=True),
    ),
    Variant(
        "matching-columns",
        {"must_match": "columns", "task_loss": "fraction", "fit_intercept": False},
        matchings(must_match="columns"),
    ),
    Variant(
        "matching-adjacency",
        {"row_capacity": 2, "column_capacity": 2, "adjacency": True, "fertility": 1},
        matchings(((1, 1), (2, 2), (2, 3)), capacity=2, possible=True),
        2,
    ),
)
