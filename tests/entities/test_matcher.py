"""Links of two tables and clusters of one, from data to report."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import pystruct_ext
from pystruct_ext.entities import Blocking, EntityMatcher, PairFeatures
from pystruct_ext.entities._blocks import cluster_blocks, dealt, matching_blocks

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def shops():
    sys.path.insert(0, str(EXAMPLES))
    try:
        from entity_matching import one_list, two_shops
    finally:
        sys.path.pop(0)
    return {
        "train": two_shops(60, 0),
        "test": two_shops(60, 1),
        "list": one_list(40, 2),
        "new list": one_list(40, 3),
    }


def small(**params):
    features = PairFeatures(
        columns=["name", "price"], rivals=params.pop("rivals", True)
    )
    return EntityMatcher(features, Blocking(["name"], neighbours=4), id="id", **params)


@pytest.fixture(scope="module")
def linked(shops):
    return small().fit(*shops["train"])


@pytest.fixture(scope="module")
def clustered(shops):
    features = PairFeatures(columns=["name", "price"])
    return EntityMatcher(features, Blocking(["name"])).fit(*shops["list"])


def test_links_are_one_to_one_and_good(linked, shops):
    left, right, links = shops["test"]
    found = linked.predict(left, right)
    assert len(set(found["left"])) == len(set(found["right"])) == len(found)
    assert (found["score"] > 0).all()
    assert linked.certificate_ == "exact"
    assert linked.relative_gap_ <= 0.01
    report = linked.report(left, right, links)
    pairs = {(a, b) for a, b, _ in found.tolist()}
    right_ones = len(pairs & set(links))
    assert report.precision == pytest.approx(right_ones / len(pairs))
    assert report.recall == pytest.approx(right_ones / len(links))
    assert report.f1 == linked.score(left, right, links)
    assert report.n_candidates == len(linked.candidates(left, right))
    assert "F1" in str(report)
    assert report.to_dict()["n_true"] == len(links)


def test_links_have_the_largest_sum_of_scores(linked, shops):
    left, right, _ = shops["test"]
    pairs = linked.candidates(left, right)
    scores = linked.decision_function(left, right)
    table = np.zeros((len(left), len(right)))
    table[pairs[:, 0], pairs[:, 1]] = np.maximum(scores, 0)
    i, j = linear_sum_assignment(-table)
    found = linked.predict(left, right)
    assert found["score"].sum() == pytest.approx(table[i, j].sum(), rel=1e-5)


def test_tables_and_ids_in_all_forms(linked, shops):
    left, right, links = shops["test"]
    expected = linked.predict(left, right)
    frames = pd.DataFrame(left), pd.DataFrame(right)
    found = linked.predict(*frames)
    assert isinstance(found, pd.DataFrame)
    assert found.columns.tolist() == ["left", "right", "score"]
    assert found["left"].tolist() == expected["left"].tolist()
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5)
    known = pd.DataFrame(links, columns=["a", "b"])
    assert linked.score(*frames, known) == linked.score(left, right, np.array(links))
    # By position, and without the column of ids, the same.
    bare = [
        [{k: v for k, v in r.items() if k != "id"} for r in t] for t in (left, right)
    ]
    by_id = {r["id"]: k for t in (left, right) for k, r in enumerate(t)}
    at = clone(linked).set_params(id=None)
    train = shops["train"]
    own = {r["id"]: k for t in train[:2] for k, r in enumerate(t)}
    at.fit(train[0], train[1], [(own[a], own[b]) for a, b in train[2]])
    again = at.predict(*bare)
    assert again["left"].tolist() == [by_id[x] for x in expected["left"]]


def test_labelled_pairs_are_all_the_candidates(shops):
    left, right, links = shops["train"]
    pairs = Blocking(["name"], neighbours=2).pairs(left, right)
    known = set(links)
    labelled = [
        (left[i]["id"], right[j]["id"], int((left[i]["id"], right[j]["id"]) in known))
        for i, j in pairs.tolist()
    ]
    matcher = small().fit(left, right, labelled)
    assert matcher.n_pairs_ == len(labelled)
    report = matcher.report(left, right, labelled)
    assert report.n_candidates == len(labelled)
    assert report.n_true == sum(y for *_, y in labelled)
    frame = pd.DataFrame(labelled, columns=["a", "b", "label"])
    assert small().fit(left, right, frame).score(left, right, frame) == report.f1
    chosen = [row[:2] for row in labelled[:9]]
    found = matcher.predict(left, right, chosen)
    assert {(a, b) for a, b, _ in found.tolist()} <= set(chosen)
    assert len(matcher.decision_function(left, right, chosen)) == 9
    assert len(matcher.predict(left, right, [])) == 0


def test_capacity_and_fertility(shops):
    left, right, links = shops["train"]
    twice = [dict(r, id=f"{r['id']}-{k}") for r in right for k in range(2)]
    more = [(a, f"{b}-{k}") for a, b in links for k in range(2)]
    one = small().fit(left, twice, more).predict(left, twice)
    two = (
        small(capacity=(2, 1), fertility=1).fit(left, twice, more).predict(left, twice)
    )
    assert np.unique(one["left"], return_counts=True)[1].max() == 1
    assert np.unique(two["left"], return_counts=True)[1].max() == 2
    assert np.unique(two["right"], return_counts=True)[1].max() == 1
    assert len(set(two[["left", "right"]].tolist()) & set(more)) > 1.5 * len(
        set(one[["left", "right"]].tolist()) & set(more)
    )


def test_missed_links_can_cost_more(shops):
    left, right, links = shops["train"]
    n = [
        len(small(miss_cost=c).fit(left, right, links).predict(*shops["test"][:2]))
        for c in (0.2, 5.0)
    ]
    assert n[0] < n[1]


def test_stacked_classifiers(shops):
    left, right, links = shops["train"]
    stack = [
        DecisionTreeClassifier(min_samples_leaf=5),
        LogisticRegression(max_iter=9000),
    ]
    matcher = small(stack=stack, stack_folds=3).fit(left, right, links)
    assert matcher.svm_.space_.n_features_ == 3
    assert matcher.score(*shops["test"]) > 0.6
    both = small(stack=stack[0], passthrough=True).fit(left, right, links)
    width = len(both.features_.get_feature_names_out())
    assert both.svm_.space_.n_features_ == width + 2
    # Out of fold, no training pair is judged by a tree that knows it: less sure than in fold.
    from pystruct_ext.entities._stacking import Stack

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), rng.random(300) < 0.3
    made = Stack([DecisionTreeClassifier(random_state=0)], 5, 0)
    out = made.fit_transform(X, y)[:, 0]
    inside = made.transform(X)[:, 0]
    assert ((inside > 0) == y).mean() == 1
    assert 0.4 < ((out > 0) == y).mean() < 0.75


def test_clusters_of_one_table(clustered, shops):
    rows, ids = shops["new list"]
    found = clustered.predict(rows)
    assert found.shape == (len(rows),)
    assert found[0] == 0
    report = clustered.report(rows, ids)
    same = lambda c: {  # noqa: E731
        (i, j) for i in range(len(c)) for j in range(i) if c[i] == c[j]
    }
    truth, joined = same(ids), same(found.tolist())
    assert report.f1 == pytest.approx(
        2 * len(truth & joined) / (len(truth) + len(joined))
    )
    assert report.n_true == len(truth)
    assert report.f1 > 0.6
    assert clustered.certificate_ in ("bounded", "exact")
    assert clustered.relative_gap_ <= 0.01
    pairs = clustered.candidates(rows)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    linked = {tuple(p) for p in np.sort(pairs, axis=1).tolist()}
    for i, j in linked:  # clusters follow candidates only
        assert 0 <= i < j < len(rows)
    frame = pd.DataFrame(rows)
    np.testing.assert_array_equal(clustered.predict(frame), found)


def test_duplicates_as_links(shops):
    rows, ids = shops["list"]
    links = [(i, j) for i in range(len(ids)) for j in range(i) if ids[i] == ids[j]]
    features = PairFeatures(columns=["name", "price"])
    make = lambda: EntityMatcher(features, Blocking(["name"]))  # noqa: E731
    by_links = make().fit(rows, None, links)
    assert by_links.one_table_
    assert by_links.report(rows, None, links).f1 > 0.6
    assert by_links.n_pairs_ >= make().fit(rows, ids).n_pairs_


def test_fit_predict_clone_and_pickle(linked, shops):
    left, right, links = shops["train"]
    found = clone(linked).fit_predict(left, right, links)
    again = pickle.loads(pickle.dumps(linked)).predict(left, right)
    np.testing.assert_array_equal(found, again)


def test_model_files(linked, clustered, shops, tmp_path):
    left, right, _ = shops["test"]
    linked.save(tmp_path / "links.psx")
    again = pystruct_ext.load(tmp_path / "links.psx")
    np.testing.assert_array_equal(
        again.predict(left, right), linked.predict(left, right)
    )
    clustered.save(tmp_path / "clusters.psx")
    rows = shops["new list"][0]
    again = pystruct_ext.load(tmp_path / "clusters.psx")
    np.testing.assert_array_equal(again.predict(rows), clustered.predict(rows))
    stacked = clone(linked).set_params(stack=LogisticRegression(max_iter=9000))
    stacked.fit(*shops["train"])
    bad(lambda: stacked.save(tmp_path / "x.psx"), TypeError, "stack", "pickle")
    keys = clone(linked).set_params(blocking__exact=[lambda r: r["name"][:2]])
    keys.fit(*shops["train"])
    with pytest.raises((TypeError, ValueError), match=r"Blocking .* holds a function"):
        keys.save(tmp_path / "x.psx")
    wrong = pickle.loads(pickle.dumps(linked))
    wrong.one_table_ = True
    bad(wrong.check_loaded, ValueError, "svm_", "ClusteringSVM")


def test_empty_tables(linked, clustered):
    assert len(linked.predict([], [])) == 0
    assert clustered.predict([]).shape == (0,)
    alone = [{"id": 1, "name": "x", "price": 2}]
    assert clustered.predict(alone).tolist() == [0]


@pytest.mark.parametrize("most", [1, 4, 1000])
def test_training_blocks_hold_every_pair_once(most):
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(0, 30, (60, 2)), axis=0)
    blocks = list(matching_blocks(pairs, 30, most))
    assert sorted(np.concatenate(blocks).tolist()) == list(range(len(pairs)))
    for block in blocks:
        lefts = set(pairs[block, 0].tolist())
        assert len(block) <= most or len(lefts) == 1
        # All candidates of a left record are in one block.
        assert sum(p[0] in lefts for p in pairs.tolist()) == len(block)
    if most == 1000:
        rights = [set(pairs[b, 1].tolist()) for b in blocks]
        assert sum(map(len, rights)) == len(set.union(*rights))
    parts = dealt(len(pairs), 3, 0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(pairs)))


def test_cluster_blocks_keep_clusters_whole():
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 20, 80)
    pairs = np.unique(np.sort(rng.integers(0, 80, (150, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    blocks = cluster_blocks(pairs, clusters, 12)
    assert sorted(np.concatenate(blocks).tolist()) == list(range(80))
    assert max(map(len, blocks)) <= 12
    for c in np.unique(clusters):
        assert sum((clusters[b] == c).any() for b in blocks) == 1
    for piece in cluster_blocks(pairs, np.zeros(80, dtype=int), 12):
        assert len(piece) <= 12


def bad(make, error, *said):
    with pytest.raises(error) as caught:
        make()
    for part in said:
        assert part in str(caught.value)


def test_bad_input(linked, clustered, shops):
    left, right, links = shops["train"]
    fit = lambda *x, **k: small(**k).fit(*x)  # noqa: E731
    twice = [*left, left[0]]
    bad(
        lambda: fit(twice, right, links),
        ValueError,
        f"left[{len(left)}]",
        "'a0'",
        "distinct",
    )
    none = [dict(left[0], id=None), *left[1:]]
    bad(lambda: fit(none, right, links), ValueError, "left[0]", "no id", "'id'")
    unknown = [*links, ("a0", "b999")]
    said = (f"links[{len(links)}]", "'b999'", "right")
    bad(lambda: fit(left, right, unknown), ValueError, *said)
    bad(
        lambda: linked.predict(left, right, [("zz", "b0")]),
        ValueError,
        "pairs[0]",
        "'zz'",
    )
    twins = [(*links[0], 1), (*links[1], 0), (*links[0], 0)]
    bad(lambda: fit(left, right, twins), ValueError, "twice")
    labels = [(*links[0], 2), (*links[1], 0)]
    bad(lambda: fit(left, right, labels), ValueError, "links[0]", "label 2", "0 or 1")
    bad(lambda: fit(left, right, [links[0], (*links[1], 1)]), ValueError, "links[")
    bad(lambda: fit(left, right, [(*links[0], 1)]), ValueError, "1 of 1 candidates")
    bad(lambda: fit(left, right, []), ValueError, "0 of", "matches")
    bad(lambda: fit(left, right, "links"), TypeError, "links", "pairs of ids")
    short = [{"id": r["id"], "name": r["name"]} for r in right]
    bad(lambda: fit(left, short, links), ValueError, "right", "'price'")
    bad(lambda: linked.predict(left, short), ValueError, "right", "'price'")
    bad(lambda: linked.predict(left), ValueError, "right is missing")
    rows, ids = shops["list"]
    bad(
        lambda: clustered.predict(rows, rows), ValueError, "right is given", "one table"
    )
    one = EntityMatcher()
    bad(lambda: one.fit(rows, ids[:-1]), ValueError, "ids", str(len(rows)))
    bad(lambda: one.fit(rows, [None, *ids[1:]]), ValueError, "ids[0]", "None")
    bad(lambda: fit(left, right, links, capacity=0), ValueError, "capacity", "0")
    bad(lambda: fit(left, right, links, block_size=0), ValueError, "block_size")
    bad(lambda: fit(left, right, links, parts=1.5), ValueError, "parts", "1.5")
    wrong = EntityMatcher(features=Blocking())
    bad(lambda: wrong.fit(left, right, links), TypeError, "features", "PairFeatures")
