"""The greedy slate kernel against a readable twin and enumeration."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from pystruct_ext import metrics
from pystruct_ext.spaces.slate import (
    DiverseQuery,
    PackedSlates,
    SlateSpace,
    bind_steps,
    slate_metric,
)


def problem(seed, k=6, soft=True):
    rng = np.random.default_rng(seed)
    relevance = rng.integers(0, 3, (k, 3)) * (rng.random((k, 3)) < 0.5)
    relevance[:3] = np.maximum(relevance[:3], np.eye(3))
    cover = (rng.random((k, 8)) < 0.4) * (rng.random((k, 8)) if soft else 1.0)
    cover[:, 0] = 1.0  # an element all share
    return DiverseQuery(
        rng.integers(-1, 2, (k, 2)) * 0.5,
        relevance,
        rng.dirichlet(np.ones(3)),
        relations=rng.random((k, k, 2)).round(1),
        coverage=cover,
        element_features=rng.random((8, 3)),
        query_id=str(seed),
    )


def psi_twin(space, q, order):
    """Word for word the formula of the class."""
    out = np.zeros(space.size_psi_)
    f, c = space.n_features_, space.n_channels_
    cover = q.coverage.toarray()
    for p, d in enumerate(order):
        above = list(order[:p])
        part = [q.features[d]]
        if c:
            r = q.relations[d, above] if above else np.zeros((1, c))
            part.append(np.stack([r.max(0), r.mean(0), r.min(0)], axis=1).ravel())
        left = cover[d] * np.prod(1 - cover[above], axis=0)
        if space.novelty_:
            part.append([left.sum() / cover[d].sum()])
        if space.n_element_features_:
            part.append(left @ q.element_features)
        out += space.places(space.top)[p] * np.concatenate(part)
    assert f + 3 * c <= len(out)
    return out


VARIANTS = [
    ("alpha_ndcg", ("relations", "novelty"), True),
    ("err_ia", ("relations",), True),
    ("ndcg_ia", ("relations", "novelty", "elements"), True),
    ("intents", ("elements",), False),
]


@pytest.mark.parametrize(("loss", "parts", "discounted"), VARIANTS)
@pytest.mark.parametrize("seed", range(4))
def test_kernel_equals_the_twin(loss, parts, discounted, seed):
    q = problem(seed)
    space = SlateSpace(loss, 4, 0.5, parts, discounted)
    metric = slate_metric(q, loss, 4)
    truth = max(permutations(range(6), 4), key=metric.value)
    packed = space.fit_pack(PackedSlates([q], [list(truth)]))
    oracle = space.bind(packed)
    assert oracle.exactness == "bounded"
    rng = np.random.default_rng(seed)
    w = rng.normal(size=space.size_psi_)
    best_value, best_loss_value = -np.inf, -np.inf
    for order in permutations(range(6), 4):
        code = np.array(order, dtype=np.int32)
        twin = psi_twin(space, q, order)
        np.testing.assert_allclose(oracle.psi(0, code), twin, atol=1e-12)
        expected = max(0.0, 1 - metric.value(order) / metric.value(truth))
        assert oracle.loss(0, code) == pytest.approx(expected, abs=1e-12)
        best_value = max(best_value, twin @ w)
        best_loss_value = max(best_loss_value, twin @ w + expected)
    for scale, best in ((0.0, best_value), (1.0, best_loss_value)):
        code = oracle.argmax(w, 0, scale)
        assert len(set(code.tolist())) == 4
        got = oracle.psi(0, code) @ w + scale * oracle.loss(0, code)
        assert got <= best + 1e-9
        # The first place is the best single document under the augmented score.
        firsts = [
            space.places(4)[0] * psi_first(space, q, d) @ w
            - scale * metric.rank[0] * metric.steps([])[d] / metric.value(truth)
            for d in range(6)
        ]
        assert firsts[code[0]] == pytest.approx(max(firsts), abs=1e-9)


def psi_first(space, q, d):
    return psi_twin(space, q, [d]) / space.places(space.top)[0]


@pytest.mark.parametrize("soft", [False, True])
def test_lazy_greedy_equals_plain_greedy_and_its_guarantee(soft):
    for seed in range(30):
        q = problem(seed, 7, soft)
        space = SlateSpace("intents", 3, parts=("elements",), discounted=False)
        packed = space.fit_pack(PackedSlates([q]))
        oracle = space.bind(packed)
        w = np.abs(np.random.default_rng(seed).normal(size=space.size_psi_))
        w[: space.n_features_] = 0
        code = oracle.argmax(w, 0, 0.0)
        plain: list[int] = []
        for _ in range(3):
            gains = [
                -np.inf if d in plain else psi_twin(space, q, [*plain, d]) @ w
                for d in range(7)
            ]
            plain.append(int(np.argmax(np.round(gains, 12))))
        got = oracle.psi(0, code) @ w
        assert got == pytest.approx(psi_twin(space, q, plain) @ w)
        best = max(psi_twin(space, q, o) @ w for o in permutations(range(7), 3))
        assert (1 - 1 / np.e) * best - 1e-9 <= got <= best + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_slate_metrics_equal_the_published_ones(seed):
    q = problem(seed, 12)
    order = np.random.default_rng(seed).permutation(12)[:5]
    p = q.probabilities
    ideal = slate_metric(q, "alpha_ndcg", 5).greedy(5)
    ours = slate_metric(q, "alpha_ndcg", 5)
    expected = metrics.alpha_ndcg(q.relevance, order, 5, 0.5, p)
    best = metrics.alpha_ndcg(q.relevance, ideal, 5, 0.5, p)
    assert ours.value(order) / ours.value(ideal) == pytest.approx(expected / best)
    assert slate_metric(q, "err_ia", 5).value(order) == pytest.approx(
        metrics.err_ia(q.relevance, order, 5, p, normalise=None)
    )
    assert slate_metric(q, "ndcg_ia", 5).value(order) == pytest.approx(
        metrics.ndcg_ia(q.relevance, order, 5, p)
    )
    assert slate_metric(q, "intents", 5).value(order) == pytest.approx(
        metrics.intent_satisfaction(q.relevance, order, 5, p)
    )


def test_candidates_reach_the_maximum():
    rng = np.random.default_rng(0)
    lengths = np.array([3, 1, 7])
    x, loss = rng.normal(size=(11, 4)), rng.random(11)
    starts = np.array([0, 3, 4])
    labels = np.array([1, 0, 6], dtype=np.int32)
    loss[starts + labels] = 0
    oracle = bind_steps(x, lengths, labels, loss)
    assert oracle.exactness == "exact"
    w = rng.normal(size=4)
    for i, (b, k) in enumerate(zip(starts, lengths, strict=True)):
        for scale in (0.0, 1.0):
            (code,) = oracle.argmax(w, i, scale)
            values = x[b : b + k] @ w + scale * loss[b : b + k]
            assert values[code] == pytest.approx(values.max())
        d = x[b + labels[i]] - x[b]
        zero = np.zeros(1, dtype=np.int32)
        got = oracle.psi_diff(i, labels[i : i + 1], zero)
        np.testing.assert_allclose(got, d, atol=1e-12)
        assert oracle.psi_diff_sqnorm(i, labels[i : i + 1], zero) == pytest.approx(
            d @ d
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": [0.5, 0.5, 0.5]}, "sum to 1"),
        ({"relevance": -np.ones((6, 3))}, "grade >= 0"),
        ({"doc_ids": ["a"] * 6}, "'a' occurs twice"),
        ({"features": np.full((6, 2), np.nan)}, "NaN or infinity"),
        ({"relations": np.zeros((5, 6, 1))}, "relations has shape"),
        ({"coverage": np.full((6, 8), 2.0)}, r"degrees in \[0, 1\]"),
    ],
)
def test_bad_queries(change, message):
    q = problem(0)
    fields = {
        "features": q.features,
        "relevance": q.relevance,
        "probabilities": q.probabilities,
        "relations": q.relations,
        "coverage": q.coverage,
        "query_id": "jordan",
    }
    with pytest.raises(ValueError, match=f"query 'jordan'.*{message}"):
        DiverseQuery(**{**fields, **change})


def test_probability_of_an_intent_without_documents():
    with pytest.raises(ValueError, match=r"'b' has probability 0\.4 but no relevant"):
        DiverseQuery(
            np.eye(2), [[1, 0], [1, 0]], [0.6, 0.4], query_id="x", intents=["a", "b"]
        )
