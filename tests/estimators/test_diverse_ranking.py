"""DiverseRankingSVM and the classical diversifiers."""

from __future__ import annotations

import warnings
from dataclasses import replace
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
    bare = [replace(q, topics=None, topic_features=None) for q in train]
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


# Own queries, short lists, queries that nobody has judged.


CITY = ["Jaguar cars: the new electric saloon", "Used Jaguar cars near you"]
CATS = ["Jaguar cats of the Amazon", "Amazon wildlife and the jaguar cats"]
MACS = ["Mac OS X Jaguar: system and desktop", "Old Mac system and desktop software"]
SEVENTH = "The largest cats: jaguar of the Amazon"


def jaguar(titles):
    return {"query": "jaguar", "results": titles}


def test_a_list_of_seven_has_topics_with_names():
    mixed = [t for three in zip(CITY, CATS, MACS, strict=True) for t in three]
    text = QueryTextFeatures().fit(load_ambiguous_queries("train"))
    (q,) = text.transform([jaguar([*mixed, SEVENTH])])
    assert q.topics.shape == (7, 3)
    kinds = q.topics.argmax(axis=1)
    assert kinds[3:].tolist() == [*kinds[:3].tolist(), kinds[1]]
    assert len({kinds[0], kinds[1], kinds[2]}) == 3
    assert len(set(q.topic_names)) == 3
    for d, word in ((0, "cars"), (1, "amazon"), (2, "mac")):
        assert word in q.topic_names[kinds[d]].split()


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 12, 31])
def test_lists_of_any_length_have_topics(k):
    words = ("river", "bank", "money", "loan", "shore", "water", "account")
    titles = [f"{words[d % 7]} {words[d * d % 7]} page {d}" for d in range(k)]
    (q,) = QueryTextFeatures().fit_transform([jaguar(titles)])
    assert q.topics.shape[1] == min(8, max(int(np.ceil(np.sqrt(k))), k // 4))
    assert (q.topics.max(axis=0) > 0).all()
    assert len(set(q.topic_names)) == q.topics.shape[1]


def test_long_lists_have_the_topics_they_had(queries):
    for q in queries[0]:
        assert q.topics.shape[1] == min(8, len(q) // 4)


@pytest.mark.parametrize("model", ["mixture", "sequential", "coverage"])
def test_an_unjudged_query_is_explained_by_its_topics(queries, model):
    train, test = queries
    ranker = DiverseRankingSVM(model=model, C=0.003).fit(train)
    q = replace(test[0], relevance=None, probabilities=None, intents=None)
    table = ranker.explain(q)
    assert table.estimated
    assert sum(table.intents.values()) == pytest.approx(1)
    assert list(table.intents) == q.topic_names
    masses = np.array([row["satisfied"] for row in table.rows])
    assert (np.diff(masses) >= 0).all()
    assert 0 < masses[0] < masses[-1] < 1
    assert any(row["intents"] for row in table.rows)
    for row in table.rows:
        assert set(row["new"]) <= set(row["intents"]) <= set(q.topic_names)
    # By hand, from what the model says of each topic.
    slate = ranker.predict([q])[0]
    degree, value = q.topics, q.topics.sum(axis=0)
    if model == "mixture":
        ready = ranker.topics_.transform(q)
        degree = ready.coverage.toarray()
        value = np.maximum(ready.element_features @ ranker.coef_[13:], 0)
    for place in range(10):
        left = np.prod([1 - degree[d] for d in slate[: place + 1]], axis=0)
        assert masses[place] == pytest.approx(1 - value @ left / value.sum())
    shown = str(table)
    for words in ("not judged", "~mass", q.topic_names[0], "estimates"):
        assert words in shown


def test_a_query_without_topics_says_so(queries):
    model = DiverseRankingSVM(C=0.1, model="sequential").fit(queries[0])
    q = replace(
        queries[1][0],
        **dict.fromkeys(
            ("relevance", "probabilities", "intents", "topics", "topic_features")
        ),
        topic_names=None,
    )
    table = model.explain(q)
    assert not table.estimated
    assert "whom documents serve is not known" in str(table)
    assert "nan" not in str(table)


def test_text_features_take_dicts_and_tables(queries):
    pd = pytest.importorskip("pandas")
    train = load_ambiguous_queries("train")[:4]
    rows, records = [], []
    for q in train:
        results = []
        for d, title in enumerate(q.titles):
            grades = {
                n: int(g) for n, g in zip(q.intents, q.relevance[d], strict=True) if g
            }
            results.append({"title": title, "snippet": q.snippets[d], "grades": grades})
            rows.append((q.query, title, q.snippets[d], grades))
        p = dict(zip(q.intents, q.probabilities.tolist(), strict=True))
        records.append({"query": q.query, "intents": p, "results": results})
    table = pd.DataFrame(rows, columns=["query", "title", "snippet", "intent"])
    text = QueryTextFeatures().fit(train)
    for given, known in ((records, True), (table, False)):
        for a, b in zip(text.transform(train), text.transform(given), strict=True):
            np.testing.assert_array_equal(a.features, b.features)
            np.testing.assert_array_equal(a.relevance.sum(1), b.relevance.sum(1))
            if known:
                np.testing.assert_array_equal(a.probabilities, b.probabilities)
            else:
                np.testing.assert_allclose(b.probabilities, 1 / len(b.probabilities))
        other = QueryTextFeatures().fit(given)
        np.testing.assert_array_equal(other.mean_, text.mean_)
    with pytest.raises(TypeError, match="got dict; from titles and snippets"):
        DiverseRankingSVM().fit(records)
    with pytest.raises(ValueError, match="holds no queries"):
        QueryTextFeatures().fit([])


def test_judged_queries_to_which_nothing_is_relevant():
    text = QueryTextFeatures().fit(load_ambiguous_queries("train"))
    titles = [{"title": t, "grades": {"car": 0}} for t in CITY]
    (q,) = text.transform([{"query": "jaguar", "results": titles}])
    assert q.relevance.tolist() == [[0], [0]]
    with pytest.raises(ValueError, match="nothing to learn"):
        DiverseRankingSVM().fit([q])


def all_relevant(queries):
    return [
        replace(q, relevance=np.ones((len(q), 1)), probabilities=None, intents=["all"])
        for q in queries
    ]


@pytest.mark.parametrize("ranker", [RelevanceRanker, MMR, XQuAD, PM2, IASelect])
@pytest.mark.parametrize("C", [1.0, (0.1, 1.0)], ids=["fixed", "tuned"])
def test_baselines_keep_the_order_where_relevance_teaches_nothing(queries, ranker, C):
    train = all_relevant(queries[0][:6])
    with pytest.warns(UserWarning, match="relevance has nothing to teach") as caught:
        model = ranker(C=C).fit(train)
    assert caught[0].filename == __file__
    assert model.ranker_ is None
    assert model.use_given_
    slates = model.predict(queries[1])
    assert all(len(set(s.tolist())) == 10 for s in slates)
    if not model.trade_offs or (ranker in (MMR, XQuAD) and model.trade_off_ == 0):
        assert slates[0].tolist() == list(range(10))
    # One query that teaches is enough, also where a fold has none.
    ranker(C=C).fit([*train, queries[0][0]]).predict(queries[1][:1])
    with pytest.raises(ValueError, match="has no relevance, needed to fit"):
        ranker().fit([replace(train[0], relevance=None, intents=None)])


def test_fields_that_were_set_since(queries):
    """A query is checked where it is made, and again where it is used."""
    q = replace(queries[0][0])
    q.element_features = 3
    with pytest.raises(ValueError, match="element_features must be 2-D"):
        DiverseRankingSVM(model="sequential").fit([q, *queries[0][1:3]])


def test_topics_of_a_foreign_class_are_refused(queries, tmp_path):
    model = DiverseRankingSVM(max_iter=2, rounds=1).fit(queries[0][:6])
    assert model.model_ == "mixture"
    model.topics_ = model.space_
    model.save(tmp_path / "m")
    with pytest.raises(pystruct_ext.ModelFileError, match=r"topics_ is a SlateSpace"):
        pystruct_ext.load(tmp_path / "m")
