"""Candidate pairs against slow, plain twins."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystruct_ext.entities import Blocking

LEFT = [
    {"name": "sony dvd player", "maker": "sony", "year": 2001},
    {"name": "lg tv", "maker": "LG", "year": 2003},
    {"name": "canon camera", "maker": None, "year": 2002},
    {"name": "canon camera body", "maker": "canon", "year": None},
]
RIGHT = [
    {"name": "LG TV 32", "maker": "lg", "year": 2004},
    {"name": "DVD player, Sony", "maker": "sony", "year": 2001},
    {"name": "camera canon", "maker": "canon", "year": 2009},
]


def cosines(left, right, terms):
    texts = [*left, *right]
    n, count = len(texts), Counter(t for x in texts for t in set(terms(x)))

    def vector(text):
        found = Counter(terms(text))
        v = {
            t: (1 + math.log(c)) * (math.log((3 + n) / (1 + max(count[t], 2))) + 1)
            for t, c in found.items()
        }
        size = math.sqrt(sum(x * x for x in v.values())) or 1
        return {t: x / size for t, x in v.items()}

    a, b = [vector(x) for x in left], [vector(x) for x in right]
    return np.array([[sum(u[t] * v.get(t, 0) for t in u) for v in b] for u in a])


def nearest(S, k):
    """Pairs of rows with at least the k-th largest value of their row that is above 0."""
    must, may = set(), set()
    for i, row in enumerate(S):
        values = sorted((v for v in row if v > 1e-12), reverse=True)[:k]
        if not values:
            continue
        must |= {(i, j) for j, v in enumerate(row) if v > values[-1] + 1e-9}
        may |= {(i, j) for j, v in enumerate(row) if v > values[-1] - 1e-9}
    return must, may


WORDS = st.lists(st.sampled_from(["red", "blue", "x1", "x2", "y"]), max_size=4).map(
    " ".join
)
TEXTS = st.lists(WORDS, min_size=1, max_size=6)


@settings(max_examples=50, deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 3), st.booleans())
def test_neighbours_equal_their_twin(left, right, k, both_ways):
    blocking = Blocking(neighbours=k, analyzer="word", both_ways=both_ways)
    found = blocking.pairs([{"t": t} for t in left], [{"t": t} for t in right])
    pairs = set(map(tuple, found.tolist()))
    assert len(pairs) == len(found)
    S = cosines(left, right, str.split)
    must, may = nearest(S, k)
    if both_ways:
        more, most = nearest(S.T, k)
        must |= {(i, j) for j, i in more}
        may |= {(i, j) for j, i in most}
    if k >= len(right) or (both_ways and k >= len(left)):
        assert pairs == set(product(range(len(left)), range(len(right))))
    else:
        assert must <= pairs <= may
        rows = Counter(i for i, _ in pairs)
        assert both_ways or max(rows.values(), default=0) <= k


@settings(max_examples=30, deadline=None)
@given(TEXTS, st.integers(1, 3))
def test_neighbours_in_one_table(texts, k):
    rows = [{"t": t} for t in texts]
    found = Blocking(neighbours=k, analyzer="word").pairs(rows)
    pairs = set(map(tuple, found.tolist()))
    assert all(i < j for i, j in pairs)
    S = cosines(texts, [], str.split) if len(texts) == 0 else _square(texts)
    must, may = (set(map(_rising, x)) for x in nearest(S, k))
    if k >= len(texts) - 1:
        assert len(pairs) == len(texts) * (len(texts) - 1) // 2
    else:
        assert must <= pairs <= may


def _rising(pair):
    return tuple(sorted(pair))


def _square(texts):
    # The weights count every text once.
    n, count = len(texts), Counter(t for x in texts for t in set(x.split()))
    S = np.zeros((n, n))
    vectors = []
    for text in texts:
        v = {
            t: (1 + math.log(c)) * (math.log((3 + n) / (1 + max(count[t], 2))) + 1)
            for t, c in Counter(text.split()).items()
        }
        size = math.sqrt(sum(x * x for x in v.values())) or 1
        vectors.append({t: x / size for t, x in v.items()})
    for i, j in product(range(n), repeat=2):
        if i != j:
            S[i, j] = sum(x * vectors[j].get(t, 0) for t, x in vectors[i].items())
    return S


@settings(max_examples=40, deadline=None)
@given(TEXTS, TEXTS, st.data())
def test_all_neighbours_are_complete(left, right, data):
    a, b = [{"t": t} for t in left], [{"t": t} for t in right]
    links = data.draw(
        st.lists(
            st.tuples(st.integers(0, len(a) - 1), st.integers(0, len(b) - 1)),
            min_size=1,
        )
    )
    k = max(len(a), len(b))
    report = Blocking(neighbours=k).report(a, b, links)
    assert report["pair_completeness"] == 1
    assert report["reduction_ratio"] == 0
    assert report["n_pairs"] == len(a) * len(b)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 4), max_size=7),
    st.lists(st.integers(0, 4), max_size=7),
    st.integers(2, 4),
)
def test_keys_equal_their_twins(left, right, window):
    a, b = [{"k": k} for k in left], [{"k": k} for k in right]
    exact = Blocking(neighbours=0, exact=["k"]).pairs(a, b)
    assert set(map(tuple, exact.tolist())) == {
        (i, j) for i, j in product(range(len(a)), range(len(b))) if left[i] == right[j]
    }
    near = Blocking(neighbours=0, sorted_by=["k"], window=window).pairs(a, b)
    entries = sorted(
        [(str(k), 0, i) for i, k in enumerate(left)]
        + [(str(k), 1, j) for j, k in enumerate(right)]
    )
    expected = set()
    for x, y in product(range(len(entries)), repeat=2):
        if 0 < y - x < window and entries[x][1] != entries[y][1]:
            i, j = entries[x], entries[y]
            expected.add((i[2], j[2]) if i[1] == 0 else (j[2], i[2]))
    assert set(map(tuple, near.tolist())) == expected
    one = Blocking(neighbours=0, sorted_by=["k"], window=window).pairs(a)
    order = sorted(range(len(a)), key=lambda i: (str(left[i]), i))
    assert set(map(tuple, one.tolist())) == {
        tuple(sorted((order[x], order[y])))
        for x in range(len(a))
        for y in range(x + 1, min(x + window, len(a)))
    }


def test_union_of_rules():
    rules = {
        "exact": Blocking(neighbours=0, exact=["maker"]),
        "sorted": Blocking(neighbours=0, sorted_by=["year"], window=2),
        "near": Blocking(neighbours=1),
    }
    every = Blocking(neighbours=1, exact=["maker"], sorted_by=["year"], window=2)
    alone = {
        n: set(map(tuple, r.pairs(LEFT, RIGHT).tolist())) for n, r in rules.items()
    }
    assert alone["exact"] == {(0, 1), (1, 0), (3, 2)}
    pairs = every.pairs(LEFT, RIGHT)
    assert set(map(tuple, pairs.tolist())) == set.union(*alone.values())
    assert pairs.tolist() == sorted(pairs.tolist())


def test_report():
    blocking = Blocking(neighbours=0, exact=["maker"])
    links = [(0, 1), (1, 0), (2, 2)]
    report = blocking.report(LEFT, RIGHT, links)
    assert report["n_pairs"] == 3
    assert report["pair_completeness"] == pytest.approx(2 / 3)
    assert report["reduction_ratio"] == pytest.approx(1 - 3 / 12)
    assert report["pair_quality"] == pytest.approx(2 / 3)
    assert report["missed"].tolist() == [[2, 2]]
    assert report["rules"]["same maker"]["n_pairs"] == 3
    given_pairs = blocking.report(LEFT, RIGHT, links, pairs=[(2, 2), (0, 0)])
    assert given_pairs["pair_completeness"] == pytest.approx(1 / 3)
    assert "rules" not in given_pairs
    assert math.isnan(blocking.report(LEFT, RIGHT)["pair_completeness"])
    one = Blocking(neighbours=3).report(LEFT, links=[(3, 2)])
    assert one["pair_completeness"] == 1
    assert one["n_pairs"] == 6
    assert one["reduction_ratio"] == 0


def test_keys_by_function():
    def words(record):
        return set(record["name"].lower().split())

    blocking = Blocking(neighbours=0, exact=[words])
    found = set(map(tuple, blocking.pairs(LEFT, RIGHT).tolist()))
    expected = {
        (i, j)
        for i, j in product(range(4), range(3))
        if words(LEFT[i]) & words(RIGHT[j])
    }
    assert found == expected
    assert "same words" in blocking.report(LEFT, RIGHT)["rules"]
    none = Blocking(neighbours=0, exact=[lambda record: None])
    assert none.pairs(LEFT, RIGHT).shape == (0, 2)
    two = Blocking(neighbours=0, exact=[("maker", "year")])
    assert two.pairs(LEFT, RIGHT).tolist() == [[0, 1]]


def test_chunks_and_tables_change_nothing(monkeypatch):
    expected = Blocking(neighbours=2).pairs(LEFT, RIGHT)
    frames = pd.DataFrame(LEFT), pd.DataFrame(RIGHT)
    np.testing.assert_array_equal(Blocking(neighbours=2).pairs(*frames), expected)
    monkeypatch.setattr("pystruct_ext.entities.blocking._CELLS", 3)
    np.testing.assert_array_equal(Blocking(neighbours=2).pairs(LEFT, RIGHT), expected)


def test_empty_tables():
    blocking = Blocking(columns=[], exact=[], sorted_by=[])
    assert blocking.pairs([], []).shape == (0, 2)
    assert Blocking(columns=["name"]).pairs(LEFT, {"name": []}).shape == (0, 2)


def bad(make, error, *said):
    with pytest.raises(error) as caught:
        make()
    for part in said:
        assert part in str(caught.value)


def test_bad_input():
    run = lambda **k: Blocking(**k).pairs(LEFT, RIGHT)  # noqa: E731
    bad(lambda: run(neighbours=0), ValueError, "no rule")
    bad(lambda: run(neighbours=-1), ValueError, "neighbours is -1")
    bad(lambda: run(neighbours=1.5), TypeError, "neighbours is 1.5")
    bad(lambda: run(window=1), ValueError, "window is 1")
    bad(lambda: run(analyzer="x"), ValueError, "analyzer", "'x'", "char")
    bad(lambda: run(exact="maker"), TypeError, "exact", "'maker'", "list of keys")
    bad(lambda: run(exact=["make"]), ValueError, "left", "'make'", "maker")
    bad(lambda: run(columns=["title"]), ValueError, "left", "'title'")
    bad(lambda: run(exact=["maker"], max_pairs=2), ValueError, "max_pairs=2")
    bad(lambda: run(exact=[lambda r: {"a": 1}]), TypeError, "left[0]", "key")
    bad(lambda: Blocking().pairs(LEFT, [{"t": 1}]), ValueError, "no column in common")
    bad(lambda: Blocking().report(LEFT, RIGHT, [(9, 0)]), ValueError, "links[0]", "9")
