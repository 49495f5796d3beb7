"""The public battery on rankings and slates, and their values in domain language."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pystruct_ext.outputs import Ranking, RankingQuery, Slate, SwappedPairs
from pystruct_ext.spaces import RankingSpace, SlateSpace
from pystruct_ext.testing import yield_space_checks

sys.path.insert(0, str(Path(__file__).parent))
from ranking_problems import rankings, slates

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
    **{
        f"slate-{name}": (SlateSpace(name, 3), slates(name))
        for name in ("alpha_ndcg", "err_ia", "ndcg_ia", "intents")
    },
    "slate-coverage": (
        SlateSpace("intents", 3, parts=("elements",), discounted=False),
        slates("intents"),
    ),
    "slate-mixture": (SlateSpace(top=2, parts=("elements",)), slates(top=2)),
    "slate-all": (
        SlateSpace(top=4, parts=("relations", "novelty", "elements")),
        slates(top=4),
    ),
}

CHECKS = [
    pytest.param(check, id=f"{case}-{name}")
    for case, (space, make) in CASES.items()
    for name, check in yield_space_checks(space, make, n_problems=1)
]


@pytest.mark.parametrize("check", CHECKS)
def test_battery(check):
    check()


@pytest.mark.parametrize(
    ("name", "weighted"),
    [
        ("pairs", False),
        ("pairs", True),
        ("roc", False),
        ("roc", True),
        ("map", False),
        ("ndcg", False),
        ("mrr", False),
    ],
)
def test_codes_are_equal_if_and_only_if_the_outputs_are(name, weighted):
    rng = np.random.default_rng(0)
    space = RankingSpace(name, 3)
    X, Y = rankings(3, (4, 5), weighted)(rng)
    packed = space.fit_pack(X, Y)
    oracle = space.bind(packed)
    for i, y in enumerate(Y):
        truth = oracle.truth(i)
        assert truth.min() >= 0
        assert space.loss(y, space.output_of(truth, packed, i)) == 0
        found = {}
        for _ in range(300):
            w = rng.normal(size=3) * 10.0 ** rng.integers(-2, 2)
            code = oracle.argmax(w, i, float(rng.choice([0.0, 1.0, 3.0])))
            assert code.dtype == np.int32
            assert 0 <= code.min() <= code.max() < 256
            found[tuple(code.tolist())] = code
        assert len(found) > 5
        seen = [
            (
                tuple((oracle.psi(i, c) * 1e9).round().tolist()),
                round(oracle.loss(i, c), 9),
            )
            for c in found.values()
        ]
        outputs = {space.output_of(c, packed, i) for c in found.values()}
        if not weighted:
            assert len(outputs) == len(found)
            assert len(set(seen)) == len(found)
        for c in found.values():
            z = space.output_of(c, packed, i)
            assert oracle.loss(i, c) == pytest.approx(space.loss(y, z), abs=1e-12)


def test_large_counts_keep_their_digits():
    """More swapped pairs than fit into 32 bits."""
    from pystruct_ext import PackedRows
    from pystruct_ext.spaces import PackedQueries

    n = 200_000
    relevance = np.repeat([0.0, 1.0], n // 2)
    rows = PackedRows.from_dense([-relevance[:, None]])
    space = RankingSpace("pairs")
    oracle = space.bind(space.fit_pack(PackedQueries(rows, relevance)))
    code = oracle.argmax(np.ones(1), 0, 0.0)
    digits = code[n:]
    assert len(digits) == 8
    assert sum(int(v) << 8 * t for t, v in enumerate(digits)) == (n // 2) ** 2
    assert oracle.loss(0, code) == 1.0


def test_values():
    x = RankingQuery([[3.0], [2.0], [1.0]], [0, 1, 2])
    space = RankingSpace("mrr").fit_domain([x])
    y = x.ideal()
    assert y.order == (2, 1, 0)
    assert space.decode(np.ones(1), x).order == (0, 1, 2)
    assert space.loss(y, space.decode(np.ones(1), x)) == 0.5
    unjudged = RankingQuery([[3.0], [5.0]])
    assert space.decode(np.ones(1), unjudged) == Ranking((1, 0))
    pairs = RankingSpace("pairs").fit_domain([x])
    # 0 below 2, 1 above 2, but 0 above 1: no ranking swaps just these.
    found = {z for z in pairs.enumerate(x) if z.mass == 2}
    assert SwappedPairs((-1.0, 0.0, 1.0), 2.0) in found
    assert pairs.loss(y, SwappedPairs((-1.0, 0.0, 1.0), 2.0)) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        ([[1.0]], None, "example 0 must be a RankingQuery, got list"),
        ([RankingQuery([[1.0], [2.0]])], None, "example 0 has no relevance"),
        (
            [RankingQuery([[1.0], [2.0]], [0, 1])],
            [Ranking((0, 1))],
            "example 0 ranks a document above a more relevant one",
        ),
        (
            [RankingQuery([[1.0], [2.0]], [0, 1])],
            [Ranking((0,))],
            "example 0 ranks 1 documents, expected 2",
        ),
        (
            [RankingQuery([[1.0]], [1]), RankingQuery([[1.0, 2.0]], [1])],
            None,
            "example 1 has 2 features, expected 1",
        ),
    ],
)
def test_bad_examples(X, Y, message):
    space = RankingSpace()
    space.n_features_ = space.size_psi_ = 1
    with pytest.raises((ValueError, TypeError), match=message):
        space.pack(X, Y)


def test_bad_slates():
    (x, *_), _ = slates(sizes=(3,))(np.random.default_rng(0))
    space = SlateSpace(top=2).fit_domain([x])
    for y, message in (
        ((0, 1), "must be a Slate, got tuple"),
        (Slate.of(x, (0, 0)), "expected 2 different documents below 3"),
        (Slate.of(x, (0, 3)), "expected 2 different documents below 3"),
        (Slate.of(x, (0,)), "expected 2 different documents below 3"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            space.pack([x], [y])
    with pytest.raises(ValueError, match="y has no relevance"):
        space.loss(Slate((0, 1)), Slate((1, 0)))
