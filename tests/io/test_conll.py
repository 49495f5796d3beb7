from __future__ import annotations

import gzip
import io
import re
from types import SimpleNamespace

import pytest

from pystruct_ext.io._conll import read_conll, write_conll

TEXT = b"the DT B-NP\ndog NN I-NP\n\nruns VBZ B-VP\n"
WORDS = [["the", "dog"], ["runs"]]


def test_reads_paths_files_and_stdin(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    assert read_conll(path).column(0) == WORDS
    assert read_conll(str(path)).column(0) == WORDS
    with open(path, "rb") as file:
        assert read_conll(file).column(0) == WORDS
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(TEXT)))
    assert read_conll("-").column(0) == WORDS


def test_reads_gzip_whatever_its_name(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(gzip.compress(TEXT))
    assert read_conll(path).column(0) == WORDS
    assert read_conll(io.BytesIO(gzip.compress(TEXT))).column(0) == WORDS


def test_options():
    table = read_conll(io.BytesIO(b"# x\na b\tc\n"), comment="#", sep="\t")
    assert table.column(0) == [["a b"]]


def test_errors_name_the_file(tmp_path, monkeypatch):
    path = tmp_path / "bad.txt"
    path.write_bytes(TEXT + b"oops\n")
    message = f"{path}: line 5 has 1 column, the lines before have 3"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_conll(path)
    with (
        open(path, "rb") as file,
        pytest.raises(ValueError, match=f"^{re.escape(message)}$"),
    ):
        read_conll(file)
    with pytest.raises(ValueError, match=r"^<file>: the file has no tokens$"):
        read_conll(io.BytesIO())
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"\xff")))
    with pytest.raises(ValueError, match=r"^<stdin>: line 1 is not valid UTF-8$"):
        read_conll("-")
    with pytest.raises(FileNotFoundError):
        read_conll(tmp_path / "missing.txt")
    with pytest.raises(TypeError, match="must be opened in binary mode"):
        read_conll(io.StringIO("a b"))


@pytest.mark.parametrize("cut", [3, 15, -3])
def test_damaged_gzip(cut):
    data = gzip.compress(TEXT)[:cut]
    with pytest.raises(ValueError, match=r"^<file>: damaged gzip data"):
        read_conll(io.BytesIO(data))


def test_gzip_with_a_flipped_byte():
    data = bytearray(gzip.compress(TEXT))
    data[-6] ^= 1
    with pytest.raises(ValueError, match="damaged gzip data"):
        read_conll(io.BytesIO(bytes(data)))


def test_write_appends_a_column(tmp_path, monkeypatch):
    table = read_conll(io.BytesIO(TEXT))
    labels = [["B-NP", "O"], ["é"]]
    expected = "the DT B-NP B-NP\ndog NN I-NP O\n\nruns VBZ B-VP é\n\n".encode()
    file = io.BytesIO()
    write_conll(file, table, labels)
    assert file.getvalue() == expected
    write_conll(tmp_path / "out", table, labels)
    assert (tmp_path / "out").read_bytes() == expected
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=out))
    write_conll("-", table, labels)
    assert out.getvalue() == expected
    back = read_conll(tmp_path / "out")
    assert back.column(-1) == labels
    assert [back.column(j) for j in range(3)] == [table.column(j) for j in range(3)]


def test_write_keeps_the_separator_of_the_table():
    table = read_conll(io.BytesIO(b"New York\tX\n"), sep="\t")
    file = io.BytesIO()
    write_conll(file, table, [["Y"]])
    assert file.getvalue() == b"New York\tX\tY\n\n"
    file = io.BytesIO()
    write_conll(file, read_conll(io.BytesIO(b"a  b\n")), [["Y"]], sep="\t")
    assert file.getvalue() == b"a\tb\tY\n\n"


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([["O", "O"]], ValueError, "labels: 1 sequences for 2 sentences"),
        ([["O"], ["O"]], ValueError, "labels: example 0 has 1 labels for 2 tokens"),
        ([["O", "O"], [""]], ValueError, "labels: example 1, token 0 is ''"),
        ([["O", "a b"], ["O"]], ValueError, "labels: example 0, token 1 is 'a b'"),
        ([["O", "O\n"], ["O"]], ValueError, "labels: example 0, token 1 is 'O\\n'"),
        ([["O", 5], ["O"]], TypeError, "example 0, token 1 must be a str, got int"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, labels, error, message):
    table = read_conll(io.BytesIO(TEXT))
    with pytest.raises(error, match=re.escape(message)):
        write_conll(tmp_path / "out", table, labels)
    assert not (tmp_path / "out").exists()
