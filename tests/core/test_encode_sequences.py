from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext._core.features import (
    ColumnTable,
    HashedVocabulary,
    Template,
    Vocabulary,
    encode_sequences,
    hash_string,
)

# pycrfsuite hands names over as C strings, so NUL would end them there.
NAME = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=24
)
NUMBER = st.one_of(
    st.booleans(),
    st.integers(-100, 100),
    st.floats(-100, 100, width=32),
    st.just(np.float32(0.5)),
    st.just(np.int64(3)),
)
LEAF = st.one_of(NUMBER, NAME, st.lists(NAME, max_size=3), st.sets(NAME, max_size=3))
FEATURES = st.dictionaries(
    NAME,
    st.recursive(LEAF, lambda inner: st.dictionaries(NAME, inner, max_size=3)),
    max_size=4,
)
TOKEN = st.one_of(
    st.lists(NAME, max_size=6),
    st.lists(NAME, max_size=6).map(tuple),
    st.sets(NAME, max_size=6),
    FEATURES,
)


def features(mapping: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Readable twin of the dict conventions."""
    out = []
    for key, value in mapping.items():
        name = prefix + key
        if isinstance(value, str):
            out.append((f"{name}:{value}", 1.0))
        elif isinstance(value, dict):
            out += features(value, name + ":")
        elif isinstance(value, (list, tuple)):
            out += [(f"{name}:{v}", 1.0) for v in value]
        elif isinstance(value, (set, frozenset)):
            out += [(f"{name}:{v}", 1.0) for v in sorted(value)]
        else:
            out.append((name, float(value)))
    return out


def token_features(token: Any) -> list[tuple[str, float]]:
    if isinstance(token, dict):
        return features(token)
    if isinstance(token, (set, frozenset)):
        token = sorted(token)
    return [(name, 1.0) for name in token]


def decode(result: Any, vocabulary: Vocabulary) -> list[list[list[tuple[str, float]]]]:
    offsets, indptr, indices, values = result
    names = vocabulary.names()
    values = np.ones(len(indices)) if values is None else values
    rows = [
        [(names[k], v) for k, v in zip(indices[a:b], values[a:b].tolist(), strict=True)]
        for a, b in pairwise(indptr)
    ]
    return [rows[a:b] for a, b in pairwise(offsets)]


@given(st.lists(st.lists(TOKEN, min_size=1, max_size=5), max_size=5))
def test_equals_the_twin_and_keeps_order_and_duplicates(X):
    vocabulary = Vocabulary()
    result = encode_sequences(X, vocabulary, grow=True, dtype=np.float64)
    expected = [[token_features(t) for t in sequence] for sequence in X]
    assert decode(result, vocabulary) == expected
    names = [n for s in expected for t in s for n, _ in t]
    assert vocabulary.names() == list(dict.fromkeys(names))
    assert vocabulary.counts().tolist() == [names.count(n) for n in vocabulary.names()]
    if all(v == 1 for s in expected for t in s for _, v in t):
        assert result[3] is None
    again = encode_sequences(X, vocabulary, grow=False, dtype=np.float64)
    for a, b in zip(result, again, strict=True):
        np.testing.assert_array_equal(a, b)


@given(st.lists(TOKEN, min_size=1, max_size=5))
def test_means_what_pycrfsuite_means(sequence):
    pycrfsuite = pytest.importorskip("pycrfsuite")
    vocabulary = Vocabulary()
    result = encode_sequences([sequence], vocabulary, grow=True, dtype=np.float64)
    ours = decode(result, vocabulary)[0]
    # items() returns dicts: of a feature that occurs twice only the last is seen.
    assert [dict(t) for t in ours] == pycrfsuite.ItemSequence(sequence).items()


def test_unknown_features_are_dropped():
    vocabulary = Vocabulary(["a", "c"])
    X = [[["a", "b", "c"], ["b"]], [[], {"c": 2.0, "d": 3.0}]]
    offsets, indptr, indices, values = encode_sequences(X, vocabulary, grow=False)
    assert offsets.tolist() == [0, 2, 4]
    assert indptr.tolist() == [0, 2, 2, 2, 3]
    assert indices.tolist() == [0, 1, 1]
    assert values.tolist() == [1.0, 1.0, 2.0]
    assert len(vocabulary) == 2
    assert vocabulary.counts().tolist() == [1, 1]
    assert (offsets.dtype, indptr.dtype) == (np.int64, np.int64)
    assert (indices.dtype, values.dtype) == (np.int32, np.float32)


def test_values_none_when_the_weighted_features_are_dropped_or_one():
    vocabulary = Vocabulary(["a", "b"])
    assert encode_sequences([[{"a": 1, "z": 5}]], vocabulary, grow=False)[3] is None
    assert (
        encode_sequences([[{"a": True, "b": 1.0}]], vocabulary, grow=False)[3] is None
    )


def test_many_tokens_cross_every_batch_boundary():
    rng = np.random.default_rng(3)
    X, expected = [], []
    for i in range(60):
        sequence = []
        for _ in range(rng.integers(1, 12)):
            names = [
                f"é{k}" if k % 7 == 0 else f"f{k}" for k in rng.integers(0, 500, 40)
            ]
            kind = rng.integers(4) if i % 2 else 0
            sequence.append(
                [names, tuple(names), set(names), dict.fromkeys(names, 0.5)][kind]
            )
        X.append(tuple(sequence) if i % 5 == 0 else sequence)
        expected.append([token_features(t) for t in sequence])
    vocabulary = Vocabulary()
    result = encode_sequences(tuple(X), vocabulary, grow=True)
    assert decode(result, vocabulary) == expected


def test_hashed():
    X = [[["a", "b"], {"c": 2.0}]]
    for grow in (False, True):
        _, indptr, indices, values = encode_sequences(X, HashedVocabulary(8), grow=grow)
        assert indices.tolist() == [hash_string(s) % 256 for s in "abc"]
        assert indptr.tolist() == [0, 2, 3]
        assert values.tolist() == [1.0, 1.0, 2.0]


def test_no_sequences():
    offsets, indptr, indices, values = encode_sequences([], Vocabulary(), grow=True)
    assert (offsets.tolist(), indptr.tolist(), len(indices), values) == (
        [0],
        [0],
        0,
        None,
    )


def test_str_subclasses_and_object_arrays():
    vocabulary = Vocabulary()
    tokens = np.empty(2, dtype=object)
    tokens[:] = [["a"], [np.str_("é")]]
    result = encode_sequences([tokens], vocabulary, grow=True)
    assert decode(result, vocabulary) == [[[("a", 1.0)], [("é", 1.0)]]]


@pytest.mark.parametrize(
    ("token", "error", "message"),
    [
        (
            "abc",
            TypeError,
            "a token must be a list, tuple or set of str or a dict, got str",
        ),
        (None, TypeError, "a token must be a list, tuple or set of str or a dict"),
        (["a", 1], TypeError, "a feature must be a str, got int (1)"),
        (("a", b"x"), TypeError, "a feature must be a str, got bytes"),
        ({"a", 1}, TypeError, "a feature must be a str, got int (1)"),
        ([["a"]], TypeError, "a feature must be a str, got list"),
        ({1: 2}, TypeError, "a feature name must be a str, got int (1)"),
        ({"a": None}, TypeError, "feature 'a' must have a number"),
        ({"a": b"x"}, TypeError, "feature 'a' must have a number"),
        ({"a": 1j}, TypeError, "feature 'a' must have a number"),
        ({"a": [1]}, TypeError, "a member of feature 'a' must be a str, got int (1)"),
        ({"a": {"b": {1}}}, TypeError, "a feature must be a str, got int (1)"),
        ({"a": float("nan")}, ValueError, "feature 'a' has the value nan"),
        ({"b": {"a": -np.inf}}, ValueError, "feature 'a' has the value -inf"),
        ({"a": 10**400}, ValueError, "too large"),
        ({"a": 1e300}, ValueError, "a value is too large for float32"),
        (["\ud800"], ValueError, "surrogates not allowed"),
        ({"\ud800": 1}, ValueError, "surrogates not allowed"),
    ],
)
def test_errors_name_example_and_token(token, error, message):
    X = [[["ok"]], [["ok"], ["ok"], token, ["ok"]]]
    with pytest.raises(error, match=re.escape("X: example 1, token 2: ")) as info:
        encode_sequences(X, Vocabulary(), grow=True)
    assert message in str(info.value)


def test_errors_of_sequences():
    vocabulary = Vocabulary()
    with pytest.raises(ValueError, match="X: example 1: the sequence is empty"):
        encode_sequences([[["a"]], []], vocabulary, grow=True)
    with pytest.raises(ValueError, match="X: example 0: the sequence is empty"):
        encode_sequences([()], vocabulary, grow=True)
    for bad in ("abc", {"a": 1}, 5, None, {"a"}):
        with pytest.raises(TypeError, match="X: example 0: a sequence must be a list"):
            encode_sequences([bad], vocabulary, grow=True)
        with pytest.raises(TypeError, match="X must be a list of sequences"):
            encode_sequences(bad, vocabulary, grow=True)
    with pytest.raises(ValueError, match="dtype must be float32 or float64, got int32"):
        encode_sequences([[["a"]]], vocabulary, grow=True, dtype=np.int32)


def test_numbers_of_any_kind():
    token = {"f": Fraction(1, 2), "n": np.float64(2), "b": np.bool_(False)}
    values = encode_sequences([[token]], Vocabulary(), grow=True)[3]
    assert values.tolist() == [0.5, 2.0, 0.0]


def test_code_that_runs_in_between_may_change_the_input():
    class Meddler:
        def __init__(self, action):
            self.action = action

        def __float__(self):
            self.action()
            return 2.0

    # Strings made here have no other owner than the list that is emptied.
    first = [str(k) * 3 for k in range(100, 150)]
    vocabulary = Vocabulary()
    X = [[first, {"m": Meddler(first.clear)}, ["end"]]]
    result = encode_sequences(X, vocabulary, grow=True)
    assert vocabulary.names() == [str(k) * 3 for k in range(100, 150)] + ["m", "end"]
    assert result[3].tolist() == [1.0] * 50 + [2.0, 1.0]

    sequence: list[Any] = [["a"], ["b"]]
    sequence.insert(1, {"m": Meddler(sequence.clear)})
    with pytest.raises(ValueError, match="changed its length"):
        encode_sequences([sequence], Vocabulary(), grow=True)
    outer: list[Any] = [[["b"]]]
    outer.insert(0, [{"m": Meddler(outer.clear)}])
    with pytest.raises(ValueError, match="changed its length"):
        encode_sequences(outer, Vocabulary(), grow=True)


def test_code_that_runs_in_between_may_use_the_vocabulary_but_not_prune_it():
    table = ColumnTable(b"a\nz\n")
    template = Template("U:%x[0,0]")

    class Reader:
        def __float__(self):
            seen.append(template.extract(table, vocabulary, False)[2].tolist())
            vocabulary.add("extra")
            return 1.0

    class Pruner:
        def __float__(self):
            vocabulary.prune(5)
            return 1.0

    seen: list[list[int]] = []
    vocabulary = Vocabulary(["U:a"])
    X = [[["b"], {"c": Reader()}]]
    indices = encode_sequences(X, vocabulary, grow=True)[2]
    assert seen == [[0]]
    assert vocabulary.names() == ["U:a", "b", "extra", "c"]
    assert indices.tolist() == [1, 3]
    with pytest.raises(RuntimeError, match="being written by another call"):
        encode_sequences([[["b"], {"c": Pruner()}]], vocabulary, grow=True)
    assert len(vocabulary.prune(5)) == 4


def test_input_is_not_modified():
    token = {"b": {"y", "x"}, "a": 1}
    X = [[token, ["z", "y"]]]
    encode_sequences(X, Vocabulary(), grow=True)
    assert [[{"b": {"y", "x"}, "a": 1}, ["z", "y"]]] == X
