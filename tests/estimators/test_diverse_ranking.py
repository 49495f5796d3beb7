"""DiverseRankingSVM and the classical diversifiers."""

from __future__ import annotations

import dataclasses
import warnings
from itertools import combinations

import numpy as np
import pytest

import pystruct_ext
from pystruct_ext import DiverseQuery, DiverseRankingSVM
from pystruct_ext.datasets import load_ambiguous_queries
from pystruct_ext.diversify import (
    MMR,
    PM2,
    IASelect,
    QueryTextFeatures,
    RelevanceRanker,
    XQuAD,
)
from pystruct_ext.estimators._slate_tools import step_features
from pystruct_ext.metrics import alpha_ndcg, subtopic_recall


@pytest.fixture(scope="module")
def queries():
    train, test = load_ambiguous_queries("train"), load_ambiguous_queries("test")
    text = QueryTextFeatures().fit(train)
    return text.transform(train), text.transform(test)


def synthetic(seed, k=8):
    rng = np.random.default_rng(seed)
    cover = (rng.random((k, 10)) < 0.35).astype(float)
    return DiverseQuery(
        rng.random((k, 2)),
        np.vstack([np.eye(3), rng.integers(0, 2, (k - 3, 3))]),
        coverage=cover,
        element_features=rng.random((10, 2)),
        query_id=str(seed),
    )


@pytest.mark.parametrize("model", ["sequential", "coverage", "mixture"])
def test_learned_rankers_beat_relevance_on_held_out_queries(queries, model):
    train, test = queries
    ranker = DiverseRankingSVM(
        model=model, C=0.1 if model != "coverage" else 0.003
    ).fit(train)
    base = RelevanceRanker(given=False).fit(train)
    assert ranker.score(test) > base.score(test) + 0.05
    for q, slate, scores in zip(
        test, ranker.predict(test), ranker.predict_scores(test), strict=True
    ):
        assert len(set(slate.tolist())) == len(slate) == len(scores) == 10
        assert slate.max() < len(q)


def test_steps_carry_an_exact_certificate(queries):
    model = DiverseRankingSVM(training="steps", C=0.1).fit(queries[0])
    assert model.certificate_ == "exact"
    assert 0 <= model.relative_gap_ <= 0.011
    assert DiverseRankingSVM().fit(queries[0][:3]).certificate_ == "bounded"


@pytest.mark.parametrize("loss", ["alpha_ndcg", "err_ia", "ndcg_ia", "intents"])
def test_every_loss_trains(queries, loss):
    model = DiverseRankingSVM(loss=loss, C=0.1, top=5).fit(queries[0])
    assert 0.2 < model.score(queries[1]) <= 1


@pytest.mark.parametrize("ranker", [RelevanceRanker, MMR, XQuAD, PM2, IASelect])
def test_baselines(queries, ranker):
    train, test = queries
    model = ranker(C=(0.1, 1.0)).fit(train)
    slates = model.predict(test)
    assert all(len(set(s.tolist())) == 10 for s in slates)
    assert model.score(test) > 0.55
    if model.trade_offs:
        assert model.trade_off_ in model.trade_offs


def test_greedy_exact_and_bound():
    for seed in range(12):
        q = synthetic(seed)
        model = DiverseRankingSVM(
            model="coverage", loss="intents", top=3, rounds=1
        ).fit([q])
        model._w = np.abs(np.random.default_rng(seed).normal(size=4))
        w = model._w

        def value(order, q=q, model=model, w=w):
            return sum(
                (step_features(model.space_, q, order[:p]) @ w)[d]
                for p, d in enumerate(order)
            )

        greedy = model.predict([q])[0].tolist()
        bound = model.bound([q])[0]
        best = max(value(list(s)) for s in combinations(range(8), 3))
        exact = model.set_params(decode="exact").predict([q])[0].tolist()
        assert value(exact) == pytest.approx(best)
        assert value(greedy) <= best + 1e-9
        assert value(greedy) >= bound * best - 1e-9
        assert bound >= 1 - 1 / np.e - 1e-9


def test_exact_decoding_with_negative_values():
    rng = np.random.default_rng(0)
    for seed in range(6):
        q = synthetic(seed)
        model = DiverseRankingSVM(
            model="coverage", top=3, rounds=1, decode="exact"
        ).fit([q])
        model._w = rng.normal(size=4)

        def value(order, q=q, model=model):
            return sum(
                (step_features(model.space_, q, order[:p]) @ model._w)[d]
                for p, d in enumerate(order)
            )

        best = max(value(list(s)) for s in combinations(range(8), 3))
        assert value(model.predict([q])[0].tolist()) == pytest.approx(best)


def test_explanation_names_intents_and_mass(queries):
    train, test = queries
    model = DiverseRankingSVM(model="mixture").fit(train)
    table = model.explain(test[0])
    assert [row["position"] for row in table.rows] == list(range(1, 11))
    assert table.rows[0]["intents"] == ["basketball"]
    masses = [row["satisfied"] for row in table.rows]
    assert masses == sorted(masses)
    assert masses[0] == pytest.approx(0.6)
    assert "basketball" in str(table)
    slate = model.predict([test[0]])[0]
    assert subtopic_recall(test[0].relevance, slate, 10) > 0.5


@pytest.mark.parametrize("model", ["sequential", "coverage", "mixture"])
def test_saved_models_rank_alike(queries, model, tmp_path):
    train, test = queries
    ranker = DiverseRankingSVM(model=model, C=0.01).fit(train)
    ranker.save(tmp_path / "m.psx")
    again = pystruct_ext.load(tmp_path / "m.psx")
    for a, b in zip(ranker.predict(test), again.predict(test), strict=True):
        np.testing.assert_array_equal(a, b)


def test_unjudged_and_short_queries(queries):
    train, test = queries
    model = DiverseRankingSVM(C=0.1, model="sequential").fit(train)
    q = test[0]
    short = DiverseQuery(
        q.features[:3],
        relations=q.relations[:3, :3],
        coverage=q.coverage[:3],
        query_id="short",
    )
    assert sorted(model.predict([short])[0].tolist()) == [0, 1, 2]
    assert "nan" not in str(model.explain(short))
    with pytest.raises(ValueError, match="'short' has no relevance"):
        DiverseRankingSVM().fit([short])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": "bandit"}, "model must be one of"),
        ({"loss": "map"}, "loss must be one of"),
        ({"top": 0}, "top must be an int >= 1"),
        ({"alpha": 2}, r"alpha must be in \[0, 1\]"),
        ({"decode": "exact"}, "decode='exact' is for model='coverage'"),
        ({"model": "coverage", "training": "steps"}, "training='steps' is for"),
    ],
)
def test_bad_parameters(queries, params, message):
    with pytest.raises(ValueError, match=message):
        DiverseRankingSVM(**params).fit(queries[0])


def test_wrong_types(queries):
    with pytest.raises(TypeError, match="pass \\[query\\]"):
        DiverseRankingSVM().fit(queries[0][0])
    with pytest.raises(TypeError, match="element 1 must be a DiverseQuery, got str"):
        DiverseRankingSVM().fit([queries[0][0], "jordan"])
    model = DiverseRankingSVM(model="sequential").fit(queries[0][:4])
    with pytest.raises(ValueError, match="features has 2 columns, expected 13"):
        model.predict([synthetic(0)])


def test_sample_weight_zero_leaves_a_query_out(queries):
    train, test = queries
    weight = np.ones(6)
    weight[4:] = 0
    a = DiverseRankingSVM(C=0.1, rounds=1, max_iter=30).fit(
        train[:6], sample_weight=weight
    )
    assert a.score(test) > 0.5
    with pytest.raises(ValueError, match="sample_weight"):
        DiverseRankingSVM().fit(train[:6], sample_weight=[1.0])


def test_no_warning_reaches_the_user(queries):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = DiverseRankingSVM(max_iter=3).fit(queries[0])
    q = queries[1][0]
    assert (
        alpha_ndcg(q.relevance, model.predict([q])[0], 10, 0.5, q.probabilities) > 0.3
    )


def test_the_model_follows_the_topics(queries):
    """Text has topics, which the mixture needs; a query made by hand need not have any."""
    train, test = queries[0][:6], queries[1][:3]
    model = DiverseRankingSVM(max_iter=3, rounds=1, random_state=0)
    bare = [dataclasses.replace(q, topics=None, topic_features=None) for q in train]
    for data, kind in ((train, "mixture"), (bare, "sequential")):
        model.fit(data)
        assert (model.model, model.model_) == ("auto", kind)
        named = DiverseRankingSVM(model=kind, max_iter=3, rounds=1, random_state=0)
        np.testing.assert_array_equal(model.coef_, named.fit(data).coef_)
        assert set(vars(model)) == set(vars(named))
    for a, b in zip(model.predict(test), named.predict(test), strict=True):
        np.testing.assert_array_equal(a, b)
    steps = DiverseRankingSVM(training="steps", tol=1.0, rounds=1).fit(train)
    assert steps.model_ == "sequential"
