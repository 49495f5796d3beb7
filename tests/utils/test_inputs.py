"""Inputs are read once, whatever they come from, and up to a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext.io import input_limits, read_conll, read_lines
from pystruct_ext.utils import inputs
from pystruct_ext.utils.inputs import (
    HeldInput,
    InputError,
    limits_in_force,
    open_input,
    parse_size,
    read_input,
    seekable,
)

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
BOM = b"\xef\xbb\xbf"


def lines(data):
    return list(read_lines(io.BytesIO(data)))


class Endless(io.RawIOBase):
    """As much as anybody reads of one piece."""

    def __init__(self, piece):
        self.pieces = itertools.cycle(piece)

    def readable(self):
        return True

    def readinto(self, buffer):
        n = min(len(buffer), 997)
        buffer[:n] = bytes(itertools.islice(self.pieces, n))
        return n


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"))))
def test_lines_come_back_from_every_packing(text):
    data = "".join(f"{line}\n" for line in text).encode()
    if data[:2] in (b"\x1f\x8b", b"BZ") or data.startswith(BOM):
        data = b"x" + data
    expected = list(enumerate(data.decode().split("\n")[:-1], 1))
    for packed in (data, gzip.compress(data), bz2.compress(data), BOM + data):
        assert lines(packed) == expected
    assert lines(gzip.compress(BOM + data[:5]) + gzip.compress(data[5:])) == expected


def test_other_encodings_are_refused():
    for name in ("utf-16-le", "utf-16-be"):
        data = "\ufeffa b\n".encode(name)
        for packed in (data, gzip.compress(data)):
            with pytest.raises(InputError, match="is UTF-16 text, expected UTF-8"):
                lines(packed)


def test_columns_have_no_mark_either():
    assert read_conll(io.BytesIO(BOM + b"the DT\n")).column(0) == [["the"]]


@posix
def test_pipes_are_read_once(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for data in (b"a\nb\n", gzip.compress(b"a\nb\n")):

        def feed(data=data):
            # One byte at a time: the first bytes that tell gzip come in two reads.
            with open(path, "wb", buffering=0) as pipe:
                for k in range(len(data)):
                    pipe.write(data[k : k + 1])

        feeder = threading.Thread(target=feed)
        feeder.start()
        assert list(read_lines(path)) == [(1, "a"), (2, "b")]
        feeder.join(20)
    feeder = threading.Thread(target=path.write_bytes, args=(b"zip",))
    feeder.start()
    with seekable(path) as file:
        assert file.read() == b"zip"
    feeder.join(20)
    regular = tmp_path / "regular"
    regular.write_bytes(b"zip")
    with seekable(regular) as file:
        assert file.name == str(regular) or file.name == regular


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_bombs(pack):
    bomb = pack(b"\n" * 20_000_000)
    with pytest.raises(InputError, match=r"<file>: .* above 100 to 1: a .*bomb"):
        read_input(io.BytesIO(bomb))
    with (
        input_limits(max_bytes=10_000),
        pytest.raises(InputError, match=r"more than 9.766 KiB when decompressed"),
    ):
        read_input(io.BytesIO(bomb))
    with input_limits(max_ratio=None):
        assert len(read_input(io.BytesIO(bomb))) == 20_000_000


def test_endless_input():
    with (
        input_limits(max_bytes=100_000),
        pytest.raises(InputError, match=r"more than 97\.66 KiB from what is no plain"),
    ):
        read_input(io.BufferedReader(Endless(b"a b\n")))
    with (
        input_limits(max_line=50_000),
        pytest.raises(InputError, match=r"<file>:1: the line is longer than 48.83 KiB"),
    ):
        read_input(io.BufferedReader(Endless(b"a")))


@given(
    st.lists(st.integers(0, 12), max_size=8),
    st.integers(1, 10),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
)
def test_the_longest_line(lengths, most, end, packed):
    data = end.join(b"x" * n for n in lengths)
    expected = [(k, "x" * n) for k, n in enumerate(lengths, 1)]
    if expected and not lengths[-1]:
        expected.pop()
    bad = next((k for k, n in enumerate(lengths, 1) if n > most), None)
    with input_limits(max_line=most):
        source = io.BytesIO(gzip.compress(data) if packed else data)
        if bad is None:
            assert list(read_lines(source)) == expected
        else:
            with pytest.raises(InputError, match=f"^<file>:{bad}: the line is longer"):
                list(read_lines(source))


def test_a_long_line_over_many_pieces():
    data = b"ab\n" + b"x" * 600_000 + b"\n"
    with (
        input_limits(max_line=500_000),
        pytest.raises(InputError, match=r"^<file>:2: "),
    ):
        list(read_lines(io.BytesIO(data)))
    with input_limits(max_line=600_000):
        assert len(list(read_lines(io.BytesIO(data)))) == 2


def test_limits_from_the_environment(monkeypatch):
    assert limits_in_force() == (4 * 2**30, 100, 64 * 2**20)
    monkeypatch.setenv("PYSTRUCT_EXT_MAX_INPUT", "2G")
    monkeypatch.setenv("PYSTRUCT_EXT_MAX_LINE", "none")
    assert limits_in_force() == (2 * 2**30, None, None)
    with input_limits(max_bytes=5):
        assert limits_in_force().max_bytes == 5
    monkeypatch.setenv("PYSTRUCT_EXT_MAX_INPUT", "a lot")
    with pytest.raises(
        ValueError, match=r"^PYSTRUCT_EXT_MAX_INPUT must be a size such"
    ):
        limits_in_force()


def test_sizes():
    assert [
        parse_size(t) for t in ("5", "2K", "3 M".replace(" ", ""), "1GiB", "none")
    ] == [
        5,
        2048,
        3 * 2**20,
        2**30,
        None,
    ]
    for text in ("", "0", "-1", "1.5G", "G", "5 X"):
        with pytest.raises(ValueError, match="a size such as"):
            parse_size(text)


def test_damage_and_text_mode():
    with pytest.raises(InputError, match="damaged gzip data"):
        read_input(io.BytesIO(gzip.compress(b"abc" * 100)[:20]))
    with pytest.raises(InputError, match="damaged bzip2 data"):
        read_input(io.BytesIO(b"BZh9" + b"junk" * 10))
    with pytest.raises(TypeError, match="binary mode"):
        read_input(io.StringIO("a"))


def test_a_held_input_is_read_twice(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"a\n"))
    held = HeldInput(path)
    assert list(read_lines(held)) == [(1, "a")]
    held.seek(0)
    assert list(read_lines(held)) == [(1, "a")]
    assert str(held) == str(path)


def test_the_file_of_the_caller_stays_open():
    file = io.BytesIO(b"a\nb\n")
    with open_input(file) as opened:
        assert opened.readline() == b"a\n"
    assert not file.closed
    assert inputs.name_of(file) == "<file>"
