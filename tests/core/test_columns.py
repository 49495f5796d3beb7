from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext._core.features import ColumnTable

CELL = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters=" \t\r\n\ufeff"),
    min_size=1,
    max_size=12,
)


@st.composite
def tables(draw):
    width = draw(st.integers(1, 4))
    token = st.lists(CELL, min_size=width, max_size=width)
    return draw(
        st.lists(st.lists(token, min_size=1, max_size=4), min_size=1, max_size=5)
    )


def columns_of(table: ColumnTable) -> list[list[list[str]]]:
    columns = [table.column(j) for j in range(table.n_columns)]
    return [
        [list(cells) for cells in zip(*(c[i] for c in columns), strict=True)]
        for i in range(table.n_sentences)
    ]


@given(
    tables(),
    st.sampled_from([" ", "\t", "  ", " \t "]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", " ", "\t "]),
    st.booleans(),
)
def test_round_trip(sentences, sep, newline, blank, final_newline):
    lines = []
    for k, sentence in enumerate(sentences):
        lines += [blank] * (1 + k % 3) if k else []
        lines += [sep.join(token) for token in sentence]
    text = newline.join(lines) + (newline * 2 if final_newline else "")
    table = ColumnTable(text.encode())
    assert columns_of(table) == sentences
    assert table.n_tokens == sum(map(len, sentences))
    assert table.n_columns == len(sentences[0][0])
    assert len(table) == len(sentences)
    assert table.offsets.dtype == np.int64
    assert np.diff(table.offsets).tolist() == [len(s) for s in sentences]


def test_column_ids():
    table = ColumnTable(b"a X\nb Y\n\na X\n")
    for j in (-1, 1, np.int64(1)):
        ids, distinct = table.column_ids(j)
        assert ids.dtype == np.int32
        assert ids.tolist() == [0, 1, 0]
        assert distinct == ["X", "Y"]
    assert table.column(-2) == [["a", "b"], ["a"]]
    for j in (2, -3, 10**30):
        with pytest.raises(ValueError, match=f"column {j} does not exist: there are 2"):
            table.column(j)
    with pytest.raises(TypeError, match="j must be an int, got str"):
        table.column_ids("0")


def test_leading_and_trailing_spaces_do_not_count():
    assert columns_of(ColumnTable(b"  a\tb  \n\tc  d")) == [[["a", "b"], ["c", "d"]]]


def test_tab_separated_cells_may_be_empty_or_hold_spaces():
    table = ColumnTable(b"New York\t\tX\r\n \tb\t\n\n\t \t\nc\td\te", sep="\t")
    assert columns_of(table) == [
        [["New York", "", "X"], [" ", "b", ""]],
        [["c", "d", "e"]],
    ]
    assert ColumnTable(b"a,b c,d", sep=",").column(1) == [["b c"]]


def test_comments():
    data = b"# one\na X\n# two\nb Y\n\n#\n\n# three\nc Z"
    table = ColumnTable(data, comment="#")
    assert table.column(0) == [["a", "b"], ["c"]]
    assert ColumnTable(b"## x\n#1 X\n", comment="##").column(0) == [["#1"]]
    with pytest.raises(
        ValueError, match="line 4 has 3 columns, the lines before have 2"
    ):
        ColumnTable(b"# one\na X\n\nb Y Z\n", comment="#")


def test_byte_order_mark():
    assert ColumnTable(b"\xef\xbb\xbfa X\n").column(0) == [["a"]]
    assert ColumnTable(b"a \xef\xbb\xbfX\n").column(1) == [["\ufeffX"]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a b c\n" * 16 + b"a b\n", "line 17 has 2 columns, the lines before have 3"),
        (b"a b\n\n\na\n", "line 4 has 1 column, the lines before have 2"),
        (b"", "the file has no tokens"),
        (b"\n \n\t\r\n", "the file has no tokens"),
        (b"\xef\xbb\xbf", "the file has no tokens"),
        (b"a b\nc \xff\n", "line 2 is not valid UTF-8"),
        (b"a b\n\nc \xc3", "line 3 is not valid UTF-8"),
    ],
)
def test_errors_name_the_line(data, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ColumnTable(data)


@given(st.binary(max_size=40))
def test_accepts_exactly_the_utf8_that_python_accepts(data):
    data = b"x" + bytes(b for b in data if b not in b" \t\r\n")
    check_utf8(data)


@given(
    st.text(st.characters(min_codepoint=128), min_size=1, max_size=10),
    st.integers(0, 30),
    st.integers(128, 255),
    st.integers(0, 9),
)
def test_utf8_with_one_byte_replaced(text, at, byte, shift):
    data = bytearray(b"x" * shift + text.encode("utf-8", "surrogatepass"))
    check_utf8(bytes(data))
    data[at % len(data)] = byte
    check_utf8(bytes(data))
    check_utf8(bytes(data[: at % len(data) + 1]))


@pytest.mark.parametrize(
    "data",
    [
        *(b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xe0\xa0\x80"),
        *(b"\xed\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xef\xbf\xbf"),
        *(b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf"),
        *(b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xf0\x90\x80"),
    ],
)
def test_utf8_at_the_borders(data):
    check_utf8(data)
    check_utf8(b"abcdefg" + data)


def check_utf8(data: bytes) -> None:
    try:
        expected = data.decode()
    except UnicodeDecodeError:
        with pytest.raises(ValueError, match="line 1 is not valid UTF-8"):
            ColumnTable(data)
    else:
        table = ColumnTable(data, sep="\t")
        assert table.column(0) == [[expected.removeprefix("\ufeff")]]


def test_arguments():
    for bad in ("a b", None, bytearray(b"a")):
        with pytest.raises(TypeError, match="data must be bytes"):
            ColumnTable(bad)
    for bad in ("", 5, b"#"):
        with pytest.raises(ValueError, match="comment must be a non-empty str or None"):
            ColumnTable(b"a", comment=bad)
    for bad in ("", "  ", "\n", "é", 9):
        with pytest.raises(ValueError, match="sep must be one ASCII character or None"):
            ColumnTable(b"a", sep=bad)


def test_pickle_keeps_options():
    table = pickle.loads(pickle.dumps(ColumnTable(b"# x\na\tb c", "#", "\t")))
    assert (table.comment, table.sep) == ("#", "\t")
    assert table.column(1) == [["b c"]]
