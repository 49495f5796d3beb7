from __future__ import annotations

import os
import pickle
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext._core.features import (
    ColumnTable,
    HashedVocabulary,
    Template,
    Vocabulary,
)
from pystruct_ext._core.templates import DEFAULT_TEMPLATE

DATA = Path(
    os.environ.get(
        "PYSTRUCT_EXT_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"
    )
)

Sentences = list[list[list[str]]]

CELL = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters=" \t\r\n\ufeff"),
    min_size=1,
    max_size=8,
)
LITERAL = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n%"), max_size=6
)


@st.composite
def problems(draw):
    width = draw(st.integers(1, 3))
    token = st.lists(CELL, min_size=width, max_size=width)
    sentences = draw(
        st.lists(st.lists(token, min_size=1, max_size=5), min_size=1, max_size=4)
    )
    macro = st.builds("%x[{},{}]".format, st.integers(-7, 7), st.integers(0, width - 1))
    line = st.lists(st.one_of(macro, LITERAL), max_size=5).map("".join)
    lines = draw(st.lists(line.map("U".__add__), min_size=1, max_size=5))
    return sentences, "\n".join(lines)


def expand(line: str, sentence: list[list[str]], t: int) -> str:
    """Readable twin of the expansion of one template line at token t."""

    def cell(match: re.Match[str]) -> str:
        at = t + int(match[1])
        if at < 0:
            return f"_B{at}"
        if at >= len(sentence):
            return f"_B+{at - len(sentence) + 1}"
        return sentence[at][int(match[2])]

    return re.sub(r"%x\[(-?\d+),(\d+)\]", cell, line)


def twin(text: str, sentences: Sentences) -> list[list[str]]:
    lines = [s.rstrip(" \t") for s in text.split("\n")]
    lines = [s for s in lines if s.startswith("U")]
    return [
        [expand(line, sentence, t) for line in lines]
        for sentence in sentences
        for t in range(len(sentence))
    ]


def names_of(result, vocabulary: Vocabulary) -> list[list[str]]:
    _, indptr, indices = result
    names = vocabulary.names()
    return [[names[k] for k in indices[a:b]] for a, b in pairwise(indptr)]


def as_table(sentences: Sentences) -> ColumnTable:
    text = "\n\n".join("\n".join(" ".join(t) for t in s) for s in sentences)
    return ColumnTable(text.encode())


@given(problems())
def test_equals_the_twin(problem):
    sentences, text = problem
    template = Template(text)
    vocabulary = Vocabulary()
    table = as_table(sentences)
    result = template.extract(table, vocabulary, True)
    expected = twin(text, sentences)
    assert names_of(result, vocabulary) == expected
    flat = [name for row in expected for name in row]
    assert vocabulary.names() == list(dict.fromkeys(flat))
    assert np.diff(result[0]).tolist() == [len(s) for s in sentences]
    assert [a.dtype for a in result] == [np.int64, np.int64, np.int32]
    from_lists = template.extract_tokens(sentences, Vocabulary(), True)
    again = template.extract(table, vocabulary, False)
    for a, b, c in zip(result, from_lists, again, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@given(problems(), st.integers(2, 4))
def test_min_count_and_unknown_features(problem, min_count):
    sentences, text = problem
    vocabulary = Vocabulary()
    table = as_table(sentences)
    result = Template(text).extract(table, vocabulary, True, min_count)
    rows = twin(text, sentences)
    flat = [name for row in rows for name in row]
    kept = [[n for n in row if flat.count(n) >= min_count] for row in rows]
    assert names_of(result, vocabulary) == kept
    again = Template(text).extract(table, vocabulary, False)
    np.testing.assert_array_equal(result[1], again[1])
    np.testing.assert_array_equal(result[2], again[2])


def test_example_of_the_crfpp_manual():
    sentence = [
        ["He", "PRP"],
        ["reckons", "VBZ"],
        ["the", "DT"],
        ["current", "JJ"],
        ["account", "NN"],
    ]
    lines = {
        "U01:%x[0,0]": "U01:the",
        "U02:%x[0,1]": "U02:DT",
        "U03:%x[-1,0]": "U03:reckons",
        "U04:%x[-2,1]": "U04:PRP",
        "U05:%x[0,0]/%x[0,1]": "U05:the/DT",
        "U06:ABC%x[0,1]123": "U06:ABCDT123",
        "U07:%x[-3,0]%x[-4,1]|%x[3,0] %x[4,1]": "U07:_B-1_B-2|_B+1 _B+2",
        "U08": "U08",
        "U09:100%%x[0,0]%": "U09:100%the%",
    }
    vocabulary = Vocabulary()
    template = Template("\r\n".join(lines) + "  \t\r\n")
    result = template.extract(as_table([sentence]), vocabulary, True)
    assert names_of(result, vocabulary)[2] == list(lines.values())
    assert template.n_unigrams == len(lines)
    assert template.max_column == 1
    assert not template.has_bigram


def test_properties():
    template = Template("# words\n\nU:%x[0,3]\n  \t\nB\n")
    assert (template.n_unigrams, template.has_bigram, template.max_column) == (
        1,
        True,
        3,
    )
    assert Template("B").n_unigrams == 0
    assert Template("B01").has_bigram
    assert Template("B").max_column == -1
    copy = pickle.loads(pickle.dumps(template))
    assert copy.text == template.text
    assert copy.max_column == 3


def test_only_label_bigrams_gives_empty_rows():
    offsets, indptr, indices = Template("B").extract(
        ColumnTable(b"a\nb\n"), Vocabulary(), True
    )
    assert (offsets.tolist(), indptr.tolist(), len(indices)) == ([0, 2], [0, 0, 0], 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the template is empty"),
        ("# only\n\n", "the template is empty"),
        ("U1\nX1:%x[0,0]", "template line 2: must start with U (feature), B"),
        (" U1", "template line 1: must start with U"),
        ("U1\n\n#\nB:%x[0,0]", "template line 4: 'B:%x[0,0]' is not supported"),
        ("U:%x[0,]", "template line 1: malformed macro at '%x[0,]'"),
        ("U:%x[0,-1]", "malformed macro at '%x[0,-1]'"),
        ("U:a%x", "malformed macro at '%x'"),
        ("U:%x[0,0", "malformed macro at '%x[0,0'"),
        ("U:%x[0;0]", "malformed macro"),
        ("U:%x [0,0]", "malformed macro"),
        ("U:%x[1000,0]", "malformed macro"),
        ("U:%x[0,10000]", "malformed macro"),
        ("U:%x[99999999999,0]", "malformed macro"),
        ("U:%X[0,0]", "malformed macro at '%X[0,0]'"),
        ("U:é%t[0,0]", "malformed macro at '%t[0,0]'"),
    ],
)
def test_malformed_templates(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Template(text)


def test_missing_column():
    template = Template("# c\nU1:%x[0,0]\nU2:%x[0,0]/%x[-1,2]\n")
    expected = (
        "template line 3: %x[-1,2] needs column 2 (counting from 0), "
        "but there are 2 columns"
    )
    vocabulary = Vocabulary()
    with pytest.raises(ValueError, match=re.escape(expected)):
        template.extract(ColumnTable(b"a b\n"), vocabulary, True)
    with pytest.raises(ValueError, match=re.escape("but there is 1 column")):
        template.extract_tokens([[["a"]]], vocabulary, True)
    assert len(vocabulary) == 0


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ("abc", TypeError, "rows must be a list"),
        (["ab"], TypeError, "rows: example 0 must be a list of tokens, got str"),
        ([[["a"]], []], ValueError, "rows: example 1 is empty"),
        ([[["a"], "b"]], TypeError, "example 0, token 1 must be a list or tuple"),
        ([[["a"]], [["a", "b"]]], ValueError, "example 1, token 0 has 2 columns"),
        ([[[]]], ValueError, "token 0 has 0 columns, expected at least 1"),
        ([[["a"], [5]]], TypeError, "token 1: a column must be a str, got int (5)"),
        ([[["a"], ["\ud800"]]], ValueError, "token 1: 'utf-8' codec can't encode"),
    ],
)
def test_rows_that_are_not_a_table(rows, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Template("U:%x[0,0]").extract_tokens(rows, Vocabulary(), True)


def test_cells_may_be_empty_or_hold_spaces_in_lists():
    vocabulary = Vocabulary()
    Template("U:%x[0,0]|%x[0,1]").extract_tokens([[("", "New York")]], vocabulary, True)
    assert vocabulary.names() == ["U:|New York"]


def test_no_rows():
    offsets, indptr, indices = Template("U:%x[0,0]").extract_tokens(
        [], Vocabulary(), True
    )
    assert (offsets.tolist(), indptr.tolist(), len(indices)) == ([0], [0], 0)


def test_long_cells_and_many_lines():
    sentences = [[["x" * (300 + 20_000 * (k == 3)) + str(k)] for k in range(5)]]
    text = "\n".join(f"U{k}:%x[{k % 3},0]%x[0,0]" for k in range(600))
    vocabulary = Vocabulary()
    result = Template(text).extract(as_table(sentences), vocabulary, True)
    assert names_of(result, vocabulary) == twin(text, sentences)


def test_hashed_and_bad_arguments():
    table = ColumnTable(b"a\nb\n")
    template = Template("U:%x[0,0]")
    hashed = HashedVocabulary(12)
    for grow in (True, False):
        ids = template.extract(table, hashed, grow)[2]
        assert ids.tolist() == [hashed.get("U:a"), hashed.get("U:b")]
    with pytest.raises(TypeError, match="vocabulary must be a Vocabulary"):
        template.extract(table, None, True)
    with pytest.raises(ValueError, match="min_count must be at least 1, got 0"):
        template.extract(table, Vocabulary(), True, 0)
    with pytest.raises(TypeError, match="text must be a str"):
        Template(b"U")
    with pytest.raises(UnicodeEncodeError):
        Template("U:\ud800")


@pytest.mark.data
def test_conll2000_has_the_attributes_of_the_reference():
    path = DATA / "conll2000" / "train.txt"
    if not path.exists():
        pytest.skip(f"{path} is missing: set PYSTRUCT_EXT_DATA to the data folder")
    table = ColumnTable(path.read_bytes())
    vocabulary = Vocabulary()
    template = Template(DEFAULT_TEMPLATE)
    _, indptr, indices = template.extract(table, vocabulary, True)
    assert (table.n_sentences, table.n_tokens) == (8936, 211_727)
    assert len(indices) == 211_727 * template.n_unigrams
    assert len(indptr) == 211_728
    names = vocabulary.names()
    # The reference has no features of positions outside the sentence, but two that
    # mark its first and last token: 335,674 together.
    inside = [n for n in names if "_B-" not in n and "_B+" not in n]
    assert len(inside) + 2 == 335_674
    assert len(names) == 338_551
