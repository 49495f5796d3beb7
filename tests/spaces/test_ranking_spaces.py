"""The public battery on rankings and slates, and their values in domain language."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pystruct_ext.outputs import Ranking, RankingQuery, SwappedPairs
from pystruct_ext.spaces import RankingSpace
from pystruct_ext.testing import yield_space_checks

sys.path.insert(0, str(Path(__file__).parent))
from ranking_problems import rankings

sys.path.pop(0)

CASES = {
    **{
        name: (RankingSpace(name, 3), rankings())
        for name in ("pairs", "roc", "map", "ndcg", "precision", "mrr")
    },
    "pairs-levels": (RankingSpace("pairs"), rankings(4, (2, 4, 4))),
    "pairs-weighted": (RankingSpace("pairs"), rankings(3, weighted=True)),
    "roc-weighted": (RankingSpace("roc"), rankings(2, weighted=True)),
    "ndcg-whole-linear": (RankingSpace("ndcg", None, "linear"), rankings(4)),
    "ndcg-float32": (RankingSpace("ndcg", dtype="float32"), rankings()),
    "pairs-sparse": (RankingSpace("pairs"), rankings(as_sparse=True)),
    "map-long": (RankingSpace("map"), rankings(2, (30, 12))),
}

CHECKS = [
    pytest.param(check, id=f"{case}-{name}")
    for case, (space, make) in CASES.items()
    for name, check in yield_space_checks(space, make, n_problems=1)
]


@pytest.mark.parametrize("check", CHECKS)
def test_battery(check):
    check()
