"""Containers of examples, and numbers that are weights."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pystruct_ext.utils.examples import (
    OutputList,
    as_examples,
    as_sequence,
    frame_is_numeric,
    frame_rows,
    is_frame,
    is_missing,
    is_series,
    plain,
)
from pystruct_ext.utils.weights import real_numbers

ragged = st.lists(st.lists(st.text(max_size=3), max_size=4), max_size=5)


@given(ragged)
def test_every_container_holds_the_same(values):
    objects = np.empty(len(values), dtype=object)
    objects[:] = values if len({len(v) for v in values}) > 1 else [None] * len(values)
    for i, v in enumerate(values):
        objects[i] = v
    for given_ in (values, tuple(values), objects, OutputList(values)):
        assert list(as_examples(given_)) == values
    assert as_examples(values) is values


@given(ragged)
def test_outputs_in_an_array_are_objects(values):
    out = OutputList(values)
    assert out == values
    assert repr(out) == repr(values)
    array = np.asarray(out)
    assert array.shape == (len(values),)
    assert array.tolist() == values
    both = np.concatenate([OutputList(values), OutputList([["x"]])])
    assert both.tolist() == [*values, ["x"]]
    assert pickle.loads(pickle.dumps(out)) == values


def test_outputs_that_are_scalars_have_their_own_type():
    assert np.asarray(OutputList(["a", "b"])).dtype.kind == "U"
    assert np.asarray(OutputList([1, 2])).dtype.kind == "i"
    assert np.asarray(OutputList([1, 2]), dtype=object).dtype == object
    assert np.asarray(OutputList([np.arange(2), np.arange(2)])).shape == (2,)


def test_numbers_stay_as_they_are():
    cube, matrix = np.zeros((2, 3, 1)), csr_matrix(np.eye(2))
    assert as_examples(cube) is cube
    assert as_examples(matrix) is matrix
    assert as_examples(np.ma.array([1, 2], mask=False)).tolist() == [1, 2]
    with pytest.raises(ValueError, match="shape"):
        as_examples(np.array("x"))


class Column:
    """A Series of another library, such as polars."""

    name = "tag"

    def __init__(self, values):
        self.values = values

    def to_list(self):
        return self.values

    def to_numpy(self):
        return np.array(self.values)

    def __len__(self):
        return len(self.values)


class Dtype:
    def __init__(self, numeric):
        self.numeric = numeric

    def is_numeric(self):
        return self.numeric


class Table:
    """A frame as polars has it."""

    def __init__(self, data, numeric):
        self.columns = list(data)
        self.dtypes = [Dtype(n) for n in numeric]
        self.data = data

    def to_numpy(self):
        return np.array(list(self.data.values())).T

    def to_dicts(self):
        rows = zip(*self.data.values(), strict=True)
        return [dict(zip(self.columns, row, strict=True)) for row in rows]


def test_columns_and_frames_of_other_libraries():
    column = Column([["a"], ["b", "c"]])
    assert is_series(column)
    assert as_examples(column) == [["a"], ["b", "c"]]
    assert as_sequence(Column(["a"])) == ["a"]
    table = Table({"w": ["a", "b"], "n": [1, 2]}, [False, True])
    assert is_frame(table)
    assert not frame_is_numeric(table)
    assert frame_is_numeric(Table({"n": [1]}, [True]))
    assert frame_rows(table) == [{"w": "a", "n": 1}, {"w": "b", "n": 2}]
    with pytest.raises(
        TypeError, match="Table with the columns 'w', 'n'; pass one of its"
    ):
        as_examples(table)


def test_frames_of_pandas():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"n": [1, 2], "b": [True, False]})
    assert frame_is_numeric(frame)
    rows = frame_rows(frame.assign(w=["x", "y"]))
    assert rows == [{"n": 1, "b": True, "w": "x"}, {"n": 2, "b": False, "w": "y"}]
    twice = pd.DataFrame([[1, "a"]], columns=[0, 1])
    assert frame_rows(twice) == [{"0": 1, "1": "a"}]
    assert as_examples(pd.Series(["GG", "A"], index=[4, 2])) == ["GG", "A"]
    assert as_examples(pd.Index(["GG", "A"])) == ["GG", "A"]
    assert all(map(is_missing, (pd.NA, pd.NaT, None, np.nan, np.float32("nan"))))
    assert not any(map(is_missing, ("nan", "", 0, False, b"", (), np.str_("a"))))


def test_scalars():
    assert type(plain(np.str_("a"))) is str
    assert type(plain(np.bool_(True))) is bool
    assert plain("a") == "a"
    assert as_sequence(np.array([np.int64(1)])) == [1]
    assert as_sequence("ab") == "ab"


@given(st.lists(st.floats(0, 10), min_size=1, max_size=5))
def test_real_numbers(values):
    assert real_numbers(values, "w").tolist() == values
    for bad in (np.array(values) * 1j, [str(v) for v in values], [object()] * 2):
        with pytest.raises(ValueError, match="w must hold real numbers"):
            real_numbers(bad, "w")


class NoEntries:
    """Has a length, but nothing at any index."""

    def __len__(self):
        return 3

    def __getitem__(self, i):
        raise KeyError(i)


def test_containers_without_entries_are_refused():
    with pytest.raises(
        TypeError, match=r"X is a NoEntries, .* no entry 0 \(KeyError\)"
    ):
        as_examples(NoEntries())
    matrix = csr_matrix(np.eye(2))
    assert as_examples(matrix) is matrix
