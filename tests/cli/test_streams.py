"""Pipes for every verb, outputs checked before the work, one short line for every error."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

import pystruct_ext
from pystruct_ext.cli import _report
from pystruct_ext.cli.main import main
from pystruct_ext.io import read_run, write_letor, write_run
from pystruct_ext.structures import STRUCTURES

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
KINDS = ["multiclass", "ranking", "sequence", "constituency"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Data and a model of several kinds."""
    found = {}
    for kind in KINDS:
        structure = STRUCTURES[kind]
        folder = tmp_path_factory.mktemp(kind)
        X, y, *rest = structure.sample(np.random.default_rng(0))
        structure.write(str(folder / "data"), X, y, **(rest[0] if rest else {}))
        model = str(folder / "model")
        flags = [
            f"--{name.replace('_', '-')}={value}"
            for name, value in structure.small.items()
        ]
        data = str(folder / "data")
        assert main(["learn", kind, data, "-o", model, "--quiet", *flags]) == 0
        assert main(["predict", model, data, "-o", model + ".out", "--quiet"]) == 0
        found[kind] = folder, flags
    return found


class Pipes:
    """Named pipes, each fed the content of a file once."""

    def __init__(self, folder):
        self.folder = folder
        self.threads = []

    def of(self, path):
        pipe = self.folder / f"pipe{len(self.threads)}"
        os.mkfifo(pipe)
        content = path.read_bytes()
        feeder = threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True)
        feeder.start()
        self.threads.append(feeder)
        return str(pipe)

    def all_read(self):
        for thread in self.threads:
            thread.join(20)
        return not any(thread.is_alive() for thread in self.threads)


@posix
@pytest.mark.parametrize("kind", KINDS)
def test_every_verb_reads_pipes(kind, trained, tmp_path, capsys):
    folder, flags = trained[kind]
    data, model = folder / "data", folder / "model"
    pipes = Pipes(tmp_path)
    out, again = str(tmp_path / "out"), str(tmp_path / "again")
    learn = ["learn", kind, pipes.of(data), "-o", again, "--quiet", *flags]
    assert main(learn) == 0
    np.testing.assert_array_equal(
        pystruct_ext.load(again)._w, pystruct_ext.load(model)._w
    )
    predict = ["predict", pipes.of(model), pipes.of(data), "-o", out, "--quiet"]
    assert main(predict) == 0
    assert (tmp_path / "out").read_text() == (folder / "model.out").read_text()
    assert main(["evaluate", pipes.of(model), pipes.of(data), "--quiet"]) == 0
    assert main(["inspect", pipes.of(model)]) == 0
    assert "certificate" in capsys.readouterr().out
    assert pipes.all_read()


@posix
def test_a_model_goes_through_a_pipe(trained, tmp_path):
    folder, _ = trained["sequence"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    seen = []
    reader = threading.Thread(target=lambda: seen.append(pystruct_ext.load(pipe)))
    reader.start()
    model = pystruct_ext.load(folder / "model")
    model.save(pipe)
    reader.join(30)
    np.testing.assert_array_equal(seen[0]._w, model._w)


def test_two_inputs_cannot_both_be_stdin(capsys):
    assert main(["predict", "-", "-"]) == 2
    assert "MODEL and FILE are both -" in capsys.readouterr().err


def never(*_, **__):
    raise AssertionError("the work began before the output was looked at")


def test_outputs_are_checked_before_the_work(trained, tmp_path, capsys, monkeypatch):
    folder, _ = trained["sequence"]
    data, model = str(folder / "data"), str(folder / "model")
    (tmp_path / "file").write_text("x")
    bad = {
        tmp_path: "is a folder, expected a file",
        tmp_path / "missing" / "m": "does not exist",
        tmp_path / "file" / "m": "Not a directory",
    }
    slow = replace(STRUCTURES["sequence"], read=never)
    monkeypatch.setitem(STRUCTURES._all(), "sequence", slow)
    for path, message in bad.items():
        for args in (
            ["learn", "sequence", data, "-o", str(path)],
            ["predict", model, data, "-o", str(path)],
        ):
            assert main(args) == 2
            err = capsys.readouterr().err
            assert err.startswith("pystruct-ext: error: --output: ")
            assert message in err
            assert err.count("\n") == 1


def test_a_file_that_ends_never_is_refused(trained, tmp_path, capsys):
    folder, _ = trained["multiclass"]
    args = ["predict", str(folder / "model"), "-", "--quiet", "--max-input", "1K"]

    class Stdin:
        class buffer(io.RawIOBase):
            def readinto(self, buffer):
                buffer[:6] = b"1 1:1\n"
                return 6

            def readable(self):
                return True

    with pytest.MonkeyPatch.context() as patch:
        Stdin.buffer = io.BufferedReader(Stdin.buffer())
        patch.setattr(sys, "stdin", Stdin)
        assert main(args) == 2
    err = capsys.readouterr().err
    assert err.startswith("pystruct-ext: error: <stdin>: more than 1 KiB from what is")
    assert err.count("\n") == 1


def test_messages_are_cut(tmp_path, capsys):
    path = tmp_path / "train"
    path.write_text("a " + "x" * 100_000 + "\n")
    args = ["learn", "multiclass", str(path), "-o", str(tmp_path / "m"), "--quiet"]
    assert main(args) == 2
    err = capsys.readouterr().err
    assert len(err) < 600
    assert err.count("\n") == 1
    many = ValueError("word " * 1000)
    assert len(_report.one_line(many)) <= 500
    assert len(_report.one_line(OSError(2, "No such file", "n" * 9999))) < 300


def test_json_has_no_nan(trained, capsys, monkeypatch):
    folder, _ = trained["ranking"]

    class Scores:
        def to_dict(self):
            return {
                1: np.float32("inf"),
                "rows": np.array([1.5, np.nan]),
                "n": np.int64(3),
            }

    odd = replace(
        STRUCTURES["ranking"],
        report=lambda *_: {"ndcg": math.nan, "more": Scores(), "text": "nan"},
    )
    monkeypatch.setitem(STRUCTURES._all(), "ranking", odd)
    args = [
        "evaluate",
        str(folder / "model"),
        str(folder / "data"),
        "--json",
        "--quiet",
    ]
    assert main(args) == 0
    seen = json.loads(capsys.readouterr().out, parse_constant=lambda c: pytest.fail(c))
    assert seen == {
        "ndcg": None,
        "more": {"1": None, "rows": [1.5, None], "n": 3},
        "text": "nan",
    }


def test_scores_that_are_nan_are_refused(tmp_path, capsys):
    path, model = tmp_path / "data", tmp_path / "model"
    X = np.array([[1.0, 0.0], [0.0, 1.0], [1e308, 1e308]])
    ranker = pystruct_ext.RankingSVM().fit(np.eye(2), [1, 0], qid=[1, 1])
    ranker._w = np.array([1e10, -1e10])
    ranker.save(model)
    write_letor(path, X, [1, 0, 1], [1, 1, 1])
    for verb in ("predict", "evaluate"):
        assert main([verb, str(model), str(path), "--quiet"]) == 2
        seen = capsys.readouterr()
        assert seen.out == ""
        assert "the score of number 3 of 3 documents is NaN" in seen.err
    with pytest.raises(ValueError, match="query q: the score of d2 is NaN"):
        write_run(tmp_path / "run", {"q": [("d1", 2.0), ("d2", math.nan)]})
    write_run(tmp_path / "run", {"q": [("d1", math.inf), ("d2", 1.0)]})
    assert read_run(tmp_path / "run")["q"][0] == ("d1", math.inf)


def test_a_closed_reader_is_no_error(trained):
    folder, _ = trained["sequence"]
    read, into = os.pipe()
    os.close(read)
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "pystruct_ext", "inspect", str(folder / "model")],
        stdout=into,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(into)
    assert (done.returncode, done.stderr) == (0, "")
