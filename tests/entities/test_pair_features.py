"""Features of pairs of records against slow, plain twins."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from pystruct_ext.entities import PairFeatures, RecordPairs
from pystruct_ext.entities._values import day_number, first_number, type_of

LEFT = [
    {
        "name": "Sony DVP-NS57 DVD player",
        "price": 89.0,
        "made": "2007-05-18",
        "kind": "dvd",
    },
    {"name": "LG 24' dishwasher lds4821ww", "price": None, "made": "", "kind": "home"},
    {
        "name": "canon eos 40d camera body",
        "price": "1,099.99",
        "made": "18-May-07",
        "kind": None,
    },
    {"name": "", "price": 5, "made": None, "kind": "dvd"},
    {
        "name": "Sony Bravia  kdl32 tv tv",
        "price": "$ 700",
        "made": "June 1, 2008",
        "kind": "tv",
    },
]
RIGHT = [
    {
        "name": "sony dvd player dvpns57",
        "price": 85.5,
        "made": "5/18/2007",
        "kind": "dvd",
    },
    {
        "name": "LG semi integrated dishwasher LDS4821WW",
        "price": 600,
        "made": "2006-01-01",
        "kind": "home",
    },
    {
        "name": "Canon 40D digital camera 10.1",
        "price": 1099.99,
        "made": "2007",
        "kind": "photo",
    },
    {"name": None, "price": float("nan"), "made": pd.NaT, "kind": float("nan")},
    {"name": "kdl32 sony bravia", "price": 701, "made": "1 June 2008", "kind": "tv"},
]
PAIRS = np.array([(i, j) for i in range(5) for j in range(5)])
TYPES = {"name": "text", "price": "number", "made": "date", "kind": "category"}


def words(text):
    return re.findall(r"[^\W_]+(?:\.\d+)?", text)


def pieces(text):
    padded = [f" {w} " for w in text.split()]
    return [p[k : k + 3] for p in padded for k in range(len(p) - 2)]


def clean(value):
    if value is None or value is pd.NaT or value != value:
        return ""
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return " ".join(str(value).lower().split())


def lcs(a, b):
    """Longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        old = row[:]
        for k, y in enumerate(b):
            row[k + 1] = old[k] + 1 if x == y else max(old[k + 1], row[k])
    return row[-1]


def ratio(a, b):
    return 2 * lcs(a, b) / (len(a) + len(b)) if a or b else 1.0


def partial_ratio(a, b):
    """The best ratio of the shorter text with a window of the longer one, or its ends."""

    def one_way(short, long):
        n, m = len(short), len(long)
        spans = {(max(k, 0), min(k + n, m)) for k in range(1 - n, m)}
        return max(ratio(short, long[s:e]) for s, e in spans)

    if len(a) == len(b):
        return max(one_way(a, b), one_way(b, a))
    return one_way(*sorted((a, b), key=len))


def sort_ratio(a, b):
    return ratio(" ".join(sorted(a.split())), " ".join(sorted(b.split())))


def set_ratio(a, b):
    """Shared words, and shared words with the rest of either side, the best ratio of them."""
    A, B = set(a.split()), set(b.split())
    both = " ".join(sorted(A & B))
    if both and (not A - B or not B - A):
        return 1.0
    one = " ".join([both, *sorted(A - B)]).strip() if both else " ".join(sorted(A - B))
    two = " ".join([both, *sorted(B - A)]).strip() if both else " ".join(sorted(B - A))
    found = [ratio(one, two)]
    if both:
        found += [ratio(both, one), ratio(both, two)]
    return max(found)


def jaro_winkler(a, b):
    if a == b:
        return 1.0
    reach = max(max(len(a), len(b)) // 2 - 1, 0)
    used, left = [False] * len(b), []
    for i, x in enumerate(a):
        for j in range(max(0, i - reach), min(len(b), i + reach + 1)):
            if not used[j] and b[j] == x:
                used[j] = True
                left.append(x)
                break
    m = len(left)
    if not m:
        return 0.0
    right = [y for y, u in zip(b, used, strict=True) if u]
    swaps = sum(x != y for x, y in zip(left, right, strict=True)) // 2
    jaro = (m / len(a) + m / len(b) + (m - swaps) / m) / 3
    same = 0
    while same < min(4, len(a), len(b)) and a[same] == b[same]:
        same += 1
    return jaro + 0.1 * same * (1 - jaro) if jaro > 0.7 else jaro


def idf_of(texts, terms):
    n, count = len(texts), Counter(t for x in texts for t in set(terms(x)))
    return lambda t: math.log((3 + n) / (1 + max(count[t], 2))) + 1


def cosine(a, b, terms, idf):
    def vector(x):
        return {t: (1 + math.log(c)) * idf(t) for t, c in Counter(terms(x)).items()}

    u, v = vector(a), vector(b)
    size = math.sqrt(sum(x * x for x in u.values()) * sum(x * x for x in v.values()))
    return sum(u[t] * v.get(t, 0) for t in u) / size if size else 0.0


def digits(tokens):
    return {t for t in tokens if re.search(r"\d", t)}


def number(text):
    found = re.search(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?", text)
    if not found:
        return None
    value = float(found[0].replace(",", ""))
    # A minus is one at the start or behind a blank.
    before = text[: found.start()].rstrip()
    minus = before.endswith("-") and (before == "-" or before[-2] == " ")
    return -value if minus else value


def twin(a, b, corpus):
    """All features of two texts; None where there is nothing to compare."""
    A, B = set(words(a)), set(words(b))
    idf, gram_idf = idf_of(corpus, words), idf_of(corpus, pieces)
    top = max([idf(t) for x in corpus for t in words(x)] + [idf("unseen!")])
    out = {
        "both_missing": not a and not b,
        "one_missing": (not a) != (not b),
    }
    lacks = not a or not b
    out["number_missing"] = lacks or number(a) is None or number(b) is None
    da, db = digits(A), digits(B)
    out["codes_missing"] = lacks or not da or not db
    if lacks:
        return out
    weight = lambda s: sum(map(idf, s))  # noqa: E731
    rarest = lambda s: max(map(idf, s), default=0) / top  # noqa: E731
    out.update(
        ratio=ratio(a, b),
        partial_ratio=partial_ratio(a, b),
        token_sort_ratio=sort_ratio(a, b),
        token_set_ratio=set_ratio(a, b),
        jaro_winkler=jaro_winkler(a, b),
        jaccard=len(A & B) / max(len(A | B), 1),
        overlap=len(A & B) / max(min(len(A), len(B)), 1),
        length_difference=abs(len(a) - len(b)) / max(len(a), len(b)),
        equal=a == b,
        first_token=(words(a) or [a])[0] == (words(b) or [b])[0],
        word_cosine=cosine(a, b, words, idf),
        char_cosine=cosine(a, b, pieces, gram_idf),
        rarest_common=rarest(A & B),
        rarest_left=rarest(A - B),
        rarest_right=rarest(B - A),
        common_weight=weight(A & B) / max(weight(A | B), 1e-12),
        codes_common=len(da & db),
        codes_left=len(da - db),
        codes_right=len(db - da),
    )
    if da or db:
        out["codes_jaccard"] = len(da & db) / len(da | db)
    if da and db:
        out["codes_overlap"] = len(da & db) / min(len(da), len(db))
        longest = [
            max((t for t in words(x) if re.search(r"\d", t)), key=len) for x in (a, b)
        ]
        out["codes_ratio"] = ratio(*longest)
    if not out["number_missing"]:
        x, y = number(a), number(b)
        out["number_difference"] = abs(x - y)
        out["number_relative"] = abs(x - y) / max(abs(x), abs(y), 1e-9)
        out["number_equal"] = x == y
    return out


def test_text_features_equal_their_twins():
    features = PairFeatures(["name"], rivals=False).fit((LEFT, RIGHT, PAIRS))
    assert features.types_ == ["text", "text"]
    found = features.similarities((LEFT, RIGHT, PAIRS))
    left = [clean(r["name"]) for r in LEFT]
    right = [clean(r["name"]) for r in RIGHT]
    corpus = list(dict.fromkeys(filter(None, left + right)))
    names = [n.split("__") for n in features.get_feature_names_out()]
    for e, (i, j) in enumerate(PAIRS.tolist()):
        expected = twin(left[i], right[j], corpus)
        for k, (_, name) in enumerate(names):
            value = expected.get(name)
            value = np.nan if value is None else float(value)
            np.testing.assert_allclose(
                found[e, k],
                value,
                atol=2e-6,
                err_msg=f"{name} {left[i]!r} {right[j]!r}",
            )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("ab1 .-é", max_size=9), min_size=2, max_size=5))
def test_twins_on_any_text(texts):
    rows = [{"t": t} for t in texts]
    pairs = [(i, j) for i in range(len(texts)) for j in range(len(texts))]
    features = PairFeatures(types={"t": "text"}, whole_record=False, rivals=False)
    found = features.fit((rows, pairs)).similarities((rows, pairs))
    cleaned = [clean(t) for t in texts]
    corpus = list(dict.fromkeys(filter(None, cleaned)))
    names = [n.split("__")[1] for n in features.get_feature_names_out()]
    for e, (i, j) in enumerate(pairs):
        expected = twin(cleaned[i], cleaned[j], corpus)
        for k, name in enumerate(names):
            value = expected.get(name)
            value = np.nan if value is None else float(value)
            np.testing.assert_allclose(found[e, k], value, atol=3e-6, err_msg=name)


def test_numbers_dates_and_categories():
    features = PairFeatures(types=TYPES, whole_record=False, rivals=False, fill=np.nan)
    found = features.fit_transform((LEFT, RIGHT, PAIRS))
    names = features.get_feature_names_out().tolist()

    def value(i, j, name):
        return found[5 * i + j, names.index(name)]

    assert value(0, 0, "price__number_difference") == 3.5
    assert value(0, 0, "price__number_relative") == pytest.approx(3.5 / 89)
    assert value(2, 2, "price__number_equal") == 1
    assert value(4, 4, "price__number_difference") == 1
    assert np.isnan(value(1, 0, "price__number_difference"))
    assert value(1, 0, "price__number_missing") == 1
    assert value(1, 0, "price__one_missing") == 1
    assert value(1, 3, "price__both_missing") == 1
    assert value(0, 0, "made__days") == 0
    assert value(2, 0, "made__same_day") == 1
    assert value(4, 4, "made__days") == 0
    assert value(0, 1, "made__days") == 502
    assert [value(0, 1, f"made__same_{k}") for k in ("year", "month", "day")] == [
        0,
        0,
        0,
    ]
    assert value(0, 2, "made__date_missing") == 1  # a year alone is no date
    assert value(0, 0, "kind__equal") == 1
    assert value(0, 1, "kind__equal") == 0
    assert np.isnan(value(2, 0, "kind__equal"))


def test_rivals_equal_their_twin():
    features = PairFeatures(["name"], whole_record=False)
    found = features.fit((LEFT, RIGHT, PAIRS)).similarities((LEFT, RIGHT, PAIRS))
    left = [clean(r["name"]) for r in LEFT]
    right = [clean(r["name"]) for r in RIGHT]
    idf = idf_of(list(dict.fromkeys(filter(None, left + right))), pieces)
    S = np.array([[cosine(a, b, pieces, idf) for b in right] for a in left])
    for e, (i, j) in enumerate(PAIRS.tolist()):
        lead_left = S[i, j] - np.delete(S[i], j).max()
        lead_right = S[i, j] - np.delete(S[:, j], i).max()
        rank_left = 1 / (1 + (S[i] > S[i, j] + 1e-9).sum())
        rank_right = 1 / (1 + (S[:, j] > S[i, j] + 1e-9).sum())
        np.testing.assert_allclose(
            found[e, -4:], [lead_left, lead_right, rank_left, rank_right], atol=1e-6
        )


def test_a_record_is_no_rival_of_itself():
    rows = [{"t": "one two"}, {"t": "one three"}, {"t": "four"}]
    features = PairFeatures(whole_record=False)
    found = features.fit((rows, [(0, 1)])).similarities((rows, [(0, 1), (1, 2)]))
    assert found[0, -2:].tolist() == [1, 1]
    assert (found[0, -4:-2] > 0).all()
    assert found[1, -1] == 1  # all others of "four" are as far away


def test_what_tables_may_be():
    expected = PairFeatures().fit_transform((LEFT, RIGHT, PAIRS))
    frames = pd.DataFrame(LEFT), pd.DataFrame(RIGHT)
    columns = [{k: [r[k] for r in rows] for k in TYPES} for rows in (LEFT, RIGHT)]
    for left, right in (frames, columns):
        found = PairFeatures().fit_transform((left, right, PAIRS))
        np.testing.assert_array_equal(found, expected)


def test_one_table():
    features = PairFeatures(rivals=False, fill=-1)
    pairs = [(0, 4), (4, 0)]
    found = features.fit_transform((LEFT, pairs))
    names = [n.split("__")[1] for n in features.get_feature_names_out()]
    swapped = {"rarest_left": "rarest_right", "codes_left": "codes_right"}
    for k, name in enumerate(names):
        twin_name = swapped.get(
            name, {v: u for u, v in swapped.items()}.get(name, name)
        )
        where = k + names[k:].index(twin_name) if twin_name in names[k:] else None
        if where is not None and name == twin_name:
            assert found[0, k] == pytest.approx(found[1, k]), name


@pytest.mark.parametrize("expand", [None, "hinges", "bins"])
def test_expansions(expand):
    rng = np.random.default_rng(0)
    rows = [{"t": " ".join(rng.choice(list("abcdefgh"), 4))} for _ in range(40)]
    pairs = np.array([(i, j) for i in range(40) for j in range(i)])
    y = rng.random(len(pairs)) < 0.1
    features = PairFeatures(expand=expand, n_knots=3)
    found = features.fit_transform((rows, pairs), y)
    names = features.get_feature_names_out()
    assert found.shape == (len(pairs), len(names))
    assert len(set(names)) == len(names)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    constant = found.std(axis=0) < 1e-6
    np.testing.assert_allclose(found[:, ~constant].std(axis=0), 1, atol=1e-3)
    np.testing.assert_array_equal(found, features.transform((rows, pairs)))
    raw = features.similarities((rows, pairs))
    k = features._names().index("t__char_cosine")
    ends = features.expansion_.knot_ends_
    knots = features.expansion_.knots_[ends[k] : ends[k + 1]]
    mine = [c for c, n in enumerate(names) if n.split(">")[0] == "t__char_cosine"]
    x = np.clip(raw[:, k].astype(float), *knots[[0, -1]]) if expand else raw[:, k]
    expected = {
        None: lambda: [x],
        "hinges": lambda: [x, *(np.maximum(x - t, 0) for t in knots[1:-1])],
        "bins": lambda: [(raw[:, k] > t).astype(float) for t in knots[:-1]],
    }[expand]()
    assert len(mine) == len(expected)
    for column, values in zip(mine, expected, strict=True):
        scaled = (values - values.mean()) / values.std()
        np.testing.assert_allclose(found[:, column], scaled, atol=1e-3)


def test_labels_place_knots_among_matches():
    x = np.r_[np.linspace(0, 0.1, 95), np.linspace(0.8, 1, 5)]
    y = np.r_[np.zeros(95), np.ones(5)]
    from pystruct_ext.entities._expansion import Expansion

    plain = Expansion("hinges", n_knots=4).fit(x[:, None])
    balanced = Expansion("hinges", n_knots=4).fit(x[:, None], y=y)
    assert (plain.knots_ >= 0.8).sum() <= 1
    assert (balanced.knots_ >= 0.8).sum() == 3


def test_missing_values_get_the_mean_or_what_is_asked():
    pairs = (LEFT, RIGHT, PAIRS)
    k = PairFeatures().fit(pairs).get_feature_names_out().tolist().index("name__ratio")
    missing = [e for e, (i, j) in enumerate(PAIRS) if i == 3 or j == 3]
    assert (PairFeatures().fit_transform(pairs)[missing, k] == 0).all()
    assert (PairFeatures(fill=-1).fit_transform(pairs)[missing, k] == -1).all()
    assert np.isnan(PairFeatures(fill=np.nan).fit_transform(pairs)[missing, k]).all()


def test_scikit_learn_splits_the_pairs():
    rng = np.random.default_rng(1)
    rows = [{"t": f"thing {k // 2}", "n": int(rng.integers(9))} for k in range(40)]
    pairs = np.array([(i, j) for i in range(40) for j in range(i)])
    y = pairs[:, 0] // 2 == pairs[:, 1] // 2
    model = make_pipeline(PairFeatures(rivals=False), LogisticRegression(C=10))
    found = cross_val_predict(model, RecordPairs(rows, None, pairs), y, cv=3)
    assert (found == y).mean() > 0.98
    assert clone(model).get_params()["pairfeatures__rivals"] is False


def test_threads_and_chunks_change_nothing(monkeypatch):
    expected = PairFeatures().fit_transform((LEFT, RIGHT, PAIRS))
    found = PairFeatures(n_jobs=2).fit_transform((LEFT, RIGHT, PAIRS))
    np.testing.assert_array_equal(found, expected)
    monkeypatch.setattr("pystruct_ext.entities.pair_features._CHUNK", 3)
    monkeypatch.setattr("pystruct_ext.entities._rivals._CELLS", 6)
    found = PairFeatures().fit_transform((LEFT, RIGHT, PAIRS))
    np.testing.assert_array_equal(found, expected)


def test_progress_is_told(monkeypatch):
    seen = []
    where = "pystruct_ext.entities.pair_features.report_progress"
    monkeypatch.setattr(where, lambda done, total: seen.append((done, total)))
    PairFeatures().fit((LEFT, RIGHT, PAIRS))
    assert seen[-1][0] == seen[-1][1] == 25 * 7
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)


def test_no_pairs_to_transform():
    features = PairFeatures(expand="hinges").fit((LEFT, RIGHT, PAIRS))
    width = len(features.get_feature_names_out())
    assert features.transform((LEFT, RIGHT, [])).shape == (0, width)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("$ 1.29", 1.29), ("6:30", 390), ("1:02:03", 3723), ("1,500 kg", 1500)],
        *[("-4.5", -4.5), ("dvp-57", 57), ("10,5", 10), ("$ -3", -3)],
    ],
)
def test_first_numbers(text, expected):
    assert first_number(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2015-05-18",
        "18-May-15",
        "may 18 , 2015",
        "5/18/2015",
        "18.5.2015",
        "18 may 2015",
        "2015/05/18",
        "2015-05-18T10:30:00",
    ],
)
def test_dates(text):
    assert day_number(text) == 735736


@pytest.mark.parametrize(
    "text", ["2015", "may 2015", "30/30/2015", "a b c", "", "1-2-3-4"]
)
def test_no_dates(text):
    assert math.isnan(day_number(text))


def test_types_are_detected():
    assert type_of(["1", "2.5", "$ 3", "-1", "1,000"]) == "number"
    assert type_of(["2015-05-18", "may 1, 2015"]) == "date"
    assert type_of(["red", "blue"] * 20) == "category"
    assert type_of(["red", "blue"]) == "text"
    assert type_of([]) == "text"


def bad(make, error, *said):
    with pytest.raises(error) as caught:
        make()
    for part in said:
        assert part in str(caught.value)


def test_bad_input():
    fit = lambda *x, **k: PairFeatures(**k).fit(x)  # noqa: E731
    bad(lambda: fit(LEFT, RIGHT, [(0, 5)]), ValueError, "pairs[0]", "record 5", "right")
    bad(
        lambda: fit(LEFT, RIGHT, [(0, 1), (-1, 0)]),
        ValueError,
        "pairs[1]",
        "-1",
        "left",
    )
    bad(lambda: fit(LEFT, RIGHT, [(0, 1, 2)]), ValueError, "(1, 3)", "(E, 2)")
    bad(lambda: fit(LEFT, RIGHT, [(0.5, 1)]), TypeError, "float64")
    bad(lambda: fit(LEFT, RIGHT, []), ValueError, "no pairs")
    bad(
        lambda: fit(LEFT, [{"title": "x"}], [(0, 0)]), ValueError, "no column in common"
    )
    bad(
        lambda: fit(LEFT, RIGHT, PAIRS, columns=["nme"]),
        ValueError,
        "left",
        "'nme'",
        "name",
    )
    bad(
        lambda: fit(LEFT, RIGHT, PAIRS, types={"x": "text"}), ValueError, "types", "'x'"
    )
    bad(
        lambda: fit(LEFT, RIGHT, PAIRS, types={"name": "z"}),
        ValueError,
        "'z'",
        "category",
    )
    bad(lambda: fit(LEFT, RIGHT, PAIRS, expand="no"), ValueError, "expand", "'no'")
    bad(lambda: fit(LEFT, RIGHT, PAIRS, n_knots=0), ValueError, "n_knots")
    bad(lambda: fit(LEFT, RIGHT, PAIRS, fill="median"), ValueError, "fill", "'median'")
    bad(lambda: fit(["x"], RIGHT, PAIRS), TypeError, "left[0]", "'x'", "dict")
    bad(lambda: fit(5, RIGHT, PAIRS), TypeError, "left", "DataFrame")
    bad(lambda: fit({"a": [1], "b": [1, 2]}, [(0, 0)]), ValueError, "different lengths")
    bad(
        lambda: PairFeatures().fit(LEFT),
        TypeError,
        "X is a list",
        "(left, right, pairs)",
    )
    bad(
        lambda: PairFeatures().fit((LEFT, PAIRS[:1]), [1, 0]),
        ValueError,
        "2 labels",
        "1",
    )
    features = PairFeatures().fit((LEFT, RIGHT, PAIRS))
    short = pd.DataFrame(RIGHT).drop(columns="price")
    bad(
        lambda: features.transform((LEFT, short, PAIRS)), ValueError, "right", "'price'"
    )
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    bad(lambda: fit(twice, twice, [(0, 0)]), ValueError, "two columns 'a'")
