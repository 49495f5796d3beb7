from __future__ import annotations

import os
import re
import struct

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext._core.ragged import PackedRows

DTYPES = [np.float32, np.float64]


def random_examples(seed: int, n: int = 5, d: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        np.round(rng.normal(size=(rng.integers(1, 5), d)), 2)
        * (rng.random((1, d)) < 0.6)
        for _ in range(n)
    ]


def dense_of(rows: PackedRows) -> list[np.ndarray]:
    """Examples again, through the readable door."""
    out = []
    for i in range(rows.n_examples):
        block = np.zeros((int(rows.lengths[i]), rows.n_features))
        for r, (indices, values) in enumerate(rows.rows(i)):
            np.add.at(block[r], indices, values)
        out.append(block)
    return out


def assert_same(a: PackedRows, b: PackedRows) -> None:
    assert a.n_features == b.n_features
    for name in ("offsets", "indptr", "indices", "values"):
        x, y = getattr(a, name), getattr(b, name)
        assert (x is None) == (y is None)
        if x is not None:
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=st.integers(0, 2**31))
def test_dense_and_csr_hold_the_examples(dtype, seed):
    X = random_examples(seed)
    expected = [x.astype(dtype) for x in X]
    dense = PackedRows.from_dense(X, dtype)
    sparse = PackedRows.from_csr([sp.csr_matrix(x) for x in X], dtype)
    for rows in (dense, sparse):
        assert rows.n_examples == len(rows) == len(X)
        assert rows.n_rows == sum(map(len, X))
        assert rows.lengths.tolist() == [len(x) for x in X]
        assert rows.dtype == dtype
        for a, b in zip(dense_of(rows), expected, strict=True):
            np.testing.assert_array_equal(a, b)
        indptr, indices, values = rows.to_csr_arrays()
        matrix = sp.csr_array((values, indices, indptr), shape=(rows.n_rows, 4))
        np.testing.assert_array_equal(matrix.toarray(), np.vstack(expected))
    assert dense.is_dense
    assert dense.nnz == dense.n_rows * 4
    assert not sparse.is_dense
    assert sparse.nnz == sum(np.count_nonzero(x) for x in X)
    assert dense.nbytes == dense.offsets.nbytes + dense.nnz * np.dtype(dtype).itemsize


def test_arrays_are_what_kernels_expect():
    X = random_examples(0)
    sparse = PackedRows.from_csr([sp.csr_array(x) for x in X], np.float32)
    assert sparse.offsets.dtype == sparse.indptr.dtype == np.int64
    assert sparse.indices.dtype == np.int32
    strided = PackedRows(
        np.arange(6, dtype=np.int64)[::2].copy() * 0 + np.array([0, 1, 2]),
        None,
        None,
        np.arange(8.0)[::2],
        2,
    )
    assert strided.values.flags.c_contiguous
    assert strided.values.tolist() == [0, 2, 4, 6]
    raw = np.zeros(33, np.uint8)[1:].view(np.float64)
    assert PackedRows(np.array([0, 1]), None, None, raw, 4).values.flags.aligned
    fortran = PackedRows.from_dense([np.asfortranarray(X[0])], np.float64)
    assert fortran.values.tolist() == X[0].ravel().tolist()


def test_all_ones_need_no_values():
    eye = sp.csr_array(np.eye(3, dtype=int))
    rows = PackedRows.from_csr([eye, eye], np.float32)
    assert rows.values is None
    assert rows.dtype is None
    assert rows.to_csr_arrays()[2].tolist() == [1.0] * 6
    assert rows.rows(1)[2][0].tolist() == [2]
    assert rows.rows(1)[2][1].tolist() == [1.0]
    assert PackedRows.from_matrix(eye, np.float32).values is None
    assert (
        PackedRows.from_csr([eye, eye * 2], np.float32).values.tolist()
        == [1] * 3 + [2] * 3
    )


def test_csr_keeps_order_and_repeated_entries():
    x = sp.csr_array((np.array([1.0, 2.0, 3.0]), np.array([1, 0, 1]), np.array([0, 3])))
    rows = PackedRows.from_csr([x], np.float64)
    assert rows.indices.tolist() == [1, 0, 1]
    assert rows.values.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array, np.asfortranarray])
def test_matrix_rows_are_examples(convert):
    X = random_examples(1, n=1, d=6)[0]
    rows = PackedRows.from_matrix(convert(X), np.float64)
    assert rows.lengths.tolist() == [1] * len(X)
    np.testing.assert_array_equal(np.vstack(dense_of(rows)), X)


@given(seed=st.integers(0, 2**31), ids=st.lists(st.integers(0, 4), max_size=8))
def test_take(seed, ids):
    X = random_examples(seed)
    csr = [sp.csr_array(x) for x in X]
    ones = [sp.csr_array((x != 0).astype(float)) for x in X]
    for rows in (
        PackedRows.from_dense(X, np.float32),
        PackedRows.from_csr(csr, np.float32),
        PackedRows.from_csr(ones, np.float32),
    ):
        taken = rows.take(ids)
        every = dense_of(rows)
        assert taken.n_features == rows.n_features
        assert taken.lengths.tolist() == [len(X[k]) for k in ids]
        for a, k in zip(dense_of(taken), ids, strict=True):
            np.testing.assert_array_equal(a, every[k])
        if rows.values is None:
            assert taken.values is None


def test_take_refuses_bad_ids():
    rows = PackedRows.from_matrix(np.eye(3))
    for ids, message in [
        ([0, 3], "ids[1] is 3, expected 0 <= id < 3"),
        ([-1], "ids[0] is -1"),
        ([0.5], "ids must be a 1-D array of integers"),
        ([[0]], "ids must be a 1-D array of integers, got shape (1, 1)"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            rows.take(ids)
    with pytest.raises(IndexError, match="example 3 of 3"):
        rows.rows(3)


def problems_of_examples():
    good = np.ones((2, 3))
    nan = good.copy()
    nan[1, 2] = np.nan
    inf = good.copy()
    inf[0, 0] = -np.inf
    big = good.copy()
    big[1, 0] = 1e300
    return [
        ([good, nan], "X: example 1, row 1 has NaN or infinity"),
        ([good, good, inf], "X: example 2, row 0 has NaN or infinity"),
        ([good, big], "X: example 1, row 1 has NaN or infinity"),
        ([good, np.ones((2, 4))], "X: example 1 has 4 features, expected 3"),
        ([good, np.ones((0, 3))], "X: example 1 is empty: at least one row is needed"),
        ([], "X is empty: at least one example is needed"),
    ]


@pytest.mark.parametrize(("X", "message"), problems_of_examples())
def test_bad_examples(X, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PackedRows.from_dense(X, np.float32)
    with pytest.raises(ValueError, match=re.escape(message)):
        PackedRows.from_csr([sp.csr_matrix(x) for x in X], np.float32)


def test_bad_dense_examples():
    for x, message in [
        (
            np.ones(3),
            "X: example 0 must be a 2-D array (rows, features), got shape (3,)",
        ),
        ([[1, 2], [3]], "X: example 0 must be a 2-D array of numbers"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            PackedRows.from_dense([x])
    for x in ([["a"]], [[None]], [[1j]]):
        with pytest.raises(TypeError, match="X: example 0 must hold real numbers"):
            PackedRows.from_dense([x])
    with pytest.raises(ValueError, match="dtype must be float32 or float64, got int64"):
        PackedRows.from_dense([[[1]]], np.int64)


def fake_csr(indptr, indices, data, shape, kind="csr"):
    class Fake:
        format = kind

    x = Fake()
    x.indptr, x.indices, x.data = (np.asarray(a) for a in (indptr, indices, data))
    x.shape = shape
    return x


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            fake_csr([0, 1, 2], [0, 3], [1.0, 1.0], (2, 3)),
            ValueError,
            "feature index 3",
        ),
        (fake_csr([0, 1, 2], [0, -1], [1.0, 1.0], (2, 3)), ValueError, "index -1"),
        (fake_csr([0, 1, 2], [0, 2**32], [1.0, 1.0], (2, 3)), ValueError, "4294967296"),
        (
            fake_csr([0, 2, 1], [0, 1], [1.0, 1.0], (2, 3)),
            ValueError,
            "indptr does not",
        ),
        (
            fake_csr([1, 1, 2], [0, 1], [1.0, 1.0], (2, 3)),
            ValueError,
            "indptr does not",
        ),
        (
            fake_csr([0, 1, 3], [0, 1], [1.0, 1.0], (2, 3)),
            ValueError,
            "indptr does not",
        ),
        (fake_csr([0, 2], [0, 1], [1.0, 1.0], (2, 3)), ValueError, "indptr does not"),
        (fake_csr([0, 1], [0], [1.0], (1, 3), "csc"), TypeError, "CSR matrix, got csc"),
        (fake_csr([0, 1], [0], [1j], (1, 3)), TypeError, "must hold real numbers"),
        (np.eye(2), TypeError, "must be a CSR matrix, got ndarray"),
        (sp.coo_array(np.eye(2)), TypeError, "must be a CSR matrix, got coo"),
    ],
)
def test_bad_csr(x, error, message):
    good = sp.csr_array(np.eye(3)[:2])
    with pytest.raises(error, match=message) as info:
        PackedRows.from_csr([good, x] if x.shape[1] == 3 else [x])
    assert str(info.value).startswith("X: example 1" if x.shape[1] == 3 else "X: ")
    if not isinstance(x, np.ndarray):
        with pytest.raises(error, match=message):
            PackedRows.from_matrix(x)


def test_rows_of_a_bad_matrix_are_named():
    X = np.ones((3, 2))
    X[2, 0] = np.nan
    for matrix in (X, sp.csr_array(X)):
        with pytest.raises(ValueError, match="X: example 2, row 0 has NaN or infinity"):
            PackedRows.from_matrix(matrix)
    csr = fake_csr([0, 1, 2], [0, 9], [1.0, 1.0], (2, 3))
    with pytest.raises(ValueError, match="X: example 1, row 0 has feature index 9"):
        PackedRows.from_matrix(csr)
    with pytest.raises(ValueError, match="X must be a 2-D array"):
        PackedRows.from_matrix(np.ones(3))
    with pytest.raises(ValueError, match="X is empty"):
        PackedRows.from_matrix(np.ones((0, 3)))
    with pytest.raises(TypeError, match="X must hold real numbers"):
        PackedRows.from_matrix(np.array([["a"]]))


def i64(*x: int) -> np.ndarray:
    return np.array(x, np.int64)


def i32(*x: int) -> np.ndarray:
    return np.array(x, np.int32)


F = np.ones


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, None, None, F(1), 1), TypeError, "offsets must be an array of int64"),
        (([0, 1], None, None, F(1), 1), TypeError, "offsets must be an array of int64"),
        (
            (i32(0, 1), None, None, F(1), 1),
            TypeError,
            "offsets must be an array of int64",
        ),
        ((i64(), None, None, F(1), 1), ValueError, "offsets must start with 0"),
        ((i64(1, 2), None, None, F(1), 1), ValueError, "offsets must start with 0"),
        ((i64(0, 1, 1), None, None, F(1), 1), ValueError, "X: example 1 is empty"),
        ((i64(0, 2, 1), None, None, F(1), 1), ValueError, "offsets must not decrease"),
        ((i64(0, 1), None, None, None, 1), ValueError, "values must not be None"),
        ((i64(0, 1), None, i32(0), F(1), 1), ValueError, "indices must be None"),
        ((i64(0, 1), None, None, F(3), 2), ValueError, "n_rows * n_features = 2"),
        ((i64(0, 1), None, None, F((1, 2)), 2), ValueError, "values must be 1-D"),
        ((i64(0, 1), None, None, F(1, int), 1), TypeError, "float32 or float64"),
        ((i64(0, 1), None, None, F(0), -1), ValueError, "n_features must be between"),
        ((i64(0, 1), i64(0, 1), None, None, 1), ValueError, "indices must not be None"),
        ((i64(0, 1), i64(0), i32(), None, 1), ValueError, "n_rows + 1 = 2 entries"),
        ((i64(0, 1), i64(0, 2), i32(0), None, 1), ValueError, "indptr must go from 0"),
        (
            (i64(0, 2), i64(0, 2, 1), i32(0), None, 1),
            ValueError,
            "indptr must not decrease: 2, 1 at 1",
        ),
        (
            (i64(0, 1, 2), i64(0, 0, 1), i32(1), None, 1),
            ValueError,
            "X: example 1, row 0 has feature index 1, expected 0 <= index < 1",
        ),
        (
            (i64(0, 1), i64(0, 1), i32(0), F(2), 1),
            ValueError,
            "values must have nnz = 1",
        ),
    ],
)
def test_contradicting_arrays(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        PackedRows(*arguments)


def test_frozen():
    with pytest.raises(AttributeError):
        PackedRows.from_matrix(np.eye(2)).n_features = 3


def all_kinds() -> list[PackedRows]:
    X = random_examples(5)
    csr = [sp.csr_array(x) for x in X]
    eye = sp.csr_array(np.eye(3))
    return [
        *(PackedRows.from_dense(X, d) for d in DTYPES),
        *(PackedRows.from_csr(csr, d) for d in DTYPES),
        PackedRows.from_csr([eye, eye], np.float32),
        PackedRows.from_csr([sp.csr_array((2, 3))], np.float32),
        PackedRows.from_dense(X, np.float32).take([]),
        PackedRows.from_csr(csr, np.float32).take([]),
        PackedRows.from_dense([np.ones((2, 0))], np.float32),
    ]


@pytest.mark.parametrize("rows", all_kinds(), ids=repr)
@pytest.mark.parametrize("mmap", [True, False])
def test_save_and_load(tmp_path, rows, mmap):
    path = tmp_path / "rows.psx"
    rows.save(path)
    back = PackedRows.load(path, mmap=mmap)
    assert_same(back, rows)
    assert os.listdir(tmp_path) == ["rows.psx"]
    for array in (back.offsets, back.indptr, back.indices, back.values):
        if array is not None:
            assert type(array) is np.ndarray
            assert array.flags.c_contiguous
            assert array.flags.aligned
            assert array.flags.writeable != mmap


def test_file_format(tmp_path):
    # Written out by hand from the table in _ragged_file.py.
    rows = PackedRows(
        i64(0, 1, 3), i64(0, 1, 1, 3), i32(4, 0, 2), np.float32([1, 2, 3]), 5
    )
    rows.save(tmp_path / "f")
    data = (tmp_path / "f").read_bytes()
    assert data[:8] == b"PSXROWS\n"
    assert struct.unpack("<QQQqqqq", data[8:64]) == (1, 1, 4, 2, 3, 3, 5)
    assert struct.unpack("<3q", data[64:88]) == (0, 1, 3)
    assert struct.unpack("<4q", data[128:160]) == (0, 1, 1, 3)
    assert struct.unpack("<3i", data[192:204]) == (4, 0, 2)
    assert struct.unpack("<3f", data[256:268]) == (1, 2, 3)
    assert len(data) == 268


def test_save_replaces_or_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f"
    first, second = PackedRows.from_matrix(np.eye(2)), PackedRows.from_matrix(np.eye(3))
    first.save(path)
    mapped = PackedRows.load(path)

    def fail(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail)
        with pytest.raises(OSError, match="disk full"):
            second.save(path)
    assert os.listdir(tmp_path) == ["f"]
    assert_same(PackedRows.load(path), first)
    second.save(path)
    assert_same(PackedRows.load(path), second)
    assert_same(mapped, first)


def test_damaged_files(tmp_path):
    path = tmp_path / "f"
    rows = PackedRows.from_csr(
        [sp.csr_array(x) for x in random_examples(2)], np.float64
    )
    rows.save(path)
    good = path.read_bytes()

    def refused(data, message):
        path.write_bytes(data)
        for mmap in (True, False):
            with pytest.raises(ValueError, match=re.escape(f"{path}: ") + message):
                PackedRows.load(path, mmap=mmap)

    def patched(at, fmt, value):
        data = bytearray(good)
        struct.pack_into(fmt, data, at, value)
        return bytes(data)

    refused(b"", "not a file of packed rows")
    refused(b"x" * 200, "not a file of packed rows")
    refused(good[:-1], ".*bytes, expected")
    refused(good + b"\0", ".*bytes, expected")
    refused(good[:64], "64 bytes, expected")
    refused(patched(8, "<Q", 2), "format version 2, expected 1")
    refused(patched(16, "<Q", 2), "the header is damaged")
    refused(patched(24, "<Q", 2), "the header is damaged")
    for at in (32, 40, 48):
        refused(patched(at, "<q", -1), "the header is damaged or the file truncated")
        refused(patched(at, "<q", 2**62), ".*(truncated|bytes, expected)")
    refused(patched(56, "<q", 1), "X: example .* has feature index")
    refused(patched(64, "<q", 1), "offsets must start with 0")
    refused(patched(len(good) - 8, "<d", np.nan), "X: example 4, row .* has NaN")


@pytest.mark.parametrize("sparse", [True, False])
def test_any_flipped_byte_is_refused_or_harmless(tmp_path, sparse):
    path = tmp_path / "f"
    X = random_examples(4, n=2)
    rows = (
        PackedRows.from_csr([sp.csr_array(x) for x in X], np.float32)
        if sparse
        else PackedRows.from_dense(X, np.float32)
    )
    rows.save(path)
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0xA5]) + good[at + 1 :])
        try:
            back = PackedRows.load(path, mmap=False)
        except ValueError:
            continue
        indptr, indices, values = back.to_csr_arrays()
        assert indptr[-1] == len(indices) == len(values)
        assert back.n_rows == len(indptr) - 1
        assert len(indices) == 0 or indices.max() < back.n_features
