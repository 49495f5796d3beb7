"""The command line: files in, files out, exit codes, one line per error."""

from __future__ import annotations

import gzip
import io
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import pystruct_ext
from pystruct_ext.cli.main import main


def sentences(n, seed=0):
    """Noisy chunks over made-up words."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        lines, inside = [], False
        for _ in range(int(rng.integers(3, 9))):
            tag = str(rng.choice(["DT", "NN", "VB"]))
            if tag == "VB":
                label, inside = "O", False
            elif tag == "DT" or not inside:
                label, inside = "B-NP", True
            else:
                label = "I-NP"
            lines.append(f"{tag.lower()}{rng.integers(40)} {tag} {label}")
        out.append("\n".join(lines))
    return "\n\n".join(out) + "\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "train.txt").write_text(sentences(60))
    (folder / "test.txt").write_text(sentences(20, 1))
    assert (
        main(
            [
                "learn",
                "sequence",
                str(folder / "train.txt"),
                "-o",
                str(folder / "m.psx"),
            ]
        )
        == 0
    )
    return folder


def test_learn_reports_stages(files, capsys):
    out = files / "again.psx"
    assert main(["learn", "sequence", str(files / "train.txt"), "-o", str(out)]) == 0
    seen = capsys.readouterr()
    assert seen.out == ""
    for word in ("read", "train", "save", "relative gap", "converged", "60 sentences"):
        assert word in seen.err
    assert pystruct_ext.load(out).relative_gap_ <= 0.01


def test_quiet(files, capsys):
    args = [
        "learn",
        "sequence",
        str(files / "train.txt"),
        "-o",
        str(files / "q"),
        "--quiet",
    ]
    assert main(args) == 0
    assert capsys.readouterr() == ("", "")


def test_evaluate(files, capsys):
    assert main(["evaluate", str(files / "m.psx"), str(files / "test.txt")]) == 0
    seen = capsys.readouterr()
    assert "FB1" in seen.out
    assert "tokens/s" in seen.err
    assert (
        main(["evaluate", "--json", str(files / "m.psx"), str(files / "test.txt")]) == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["token_accuracy"] > 0.95


def test_predict_appends_a_column(files, capsysbinary, monkeypatch, tmp_path):
    text = (files / "test.txt").read_bytes()
    assert main(["predict", str(files / "m.psx"), str(files / "test.txt")]) == 0
    out = capsysbinary.readouterr().out
    lines = [line.split() for line in out.decode().splitlines() if line]
    assert all(len(cells) == 4 for cells in lines)
    assert [c[:3] for c in lines] == [
        line.split() for line in text.decode().splitlines() if line
    ]

    class Stdin:
        buffer = io.BytesIO(gzip.compress(text))

    monkeypatch.setattr(sys, "stdin", Stdin)
    target = tmp_path / "out.txt"
    assert main(["predict", str(files / "m.psx"), "-", "-o", str(target)]) == 0
    assert target.read_bytes() == out


def test_unlabelled_columns(files, tmp_path, capsys):
    path = tmp_path / "plain.txt"
    path.write_text("dt1 DT\nnn2 NN\n")
    assert main(["predict", str(files / "m.psx"), str(path)]) == 0
    assert capsys.readouterr().out.split() == ["dt1", "DT", "B-NP", "nn2", "NN", "I-NP"]


def test_inspect(files, capsys):
    assert main(["inspect", str(files / "m.psx"), "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert "B-NP -> I-NP" in out
    assert "relative gap" in out


def test_options(files, tmp_path, capsys):
    template = tmp_path / "t.txt"
    template.write_text("U0:%x[0,1]\nB\n")
    args = ["learn", "sequence", str(files / "train.txt"), "-o", str(tmp_path / "m")]
    more = [
        "--template",
        str(template),
        "--dev",
        str(files / "test.txt"),
        "--constraints",
    ]
    more += ["BIO", "--solver", "one_slack", "--features", "seen", "--patience", "3"]
    assert main([*args, *more]) == 0
    assert "best chunk F1" in capsys.readouterr().err
    model = pystruct_ext.load(tmp_path / "m")
    assert model.n_features_in_ == 3
    assert model.template == template.read_text()


@pytest.mark.parametrize(
    ("content", "args", "message"),
    [
        ("a X B\nb Y\n", [], "line 2 has 2 columns, the lines before have 3"),
        ("a\nb\n", [], "has 1 column"),
        ("", [], "(?i)no tokens|empty|holds no"),
        ("a X B\nb X B\n", [], "single class 'B'"),
        ("a X B\nb Y O\n", ["--C", "-1"], "C must be a finite number > 0"),
        ("a X B\nb Y O\n", ["--template", "MISSING"], "MISSING: No such file"),
        ("a X B\nb Y O\n", ["--template", "BAD"], r"column 7|%x\[0,7\]"),
        ("a X B\nb Y O\n", ["--dev", "MISSING"], "MISSING"),
        (
            "a X B-N\nb Y I-M\n",
            ["--constraints", "BIO"],
            "example 0 has 'I-M' after 'B-N'",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path, capsys, content, args, message):
    import re

    path = tmp_path / "train.txt"
    path.write_text(content)
    bad = tmp_path / "bad.tpl"
    bad.write_text("U0:%x[0,7]\n")
    missing = str(tmp_path / "MISSING")
    args = [{"MISSING": missing, "BAD": str(bad)}.get(a, a) for a in args]
    out = tmp_path / "m.psx"
    assert main(["learn", "sequence", str(path), "-o", str(out), "--quiet", *args]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("pystruct-ext: error: ")
    assert re.search(message, err), err
    assert not out.exists()


def test_bad_models(files, tmp_path, capsys):
    bad = tmp_path / "bad.psx"
    bad.write_bytes(b"not a model")
    for command in ("predict", "evaluate"):
        assert main([command, str(bad), str(files / "test.txt")]) == 2
        assert "not a model file" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path / "none.psx")]) == 2
    assert "no such model file" in capsys.readouterr().err
    other = tmp_path / "other.psx"
    pystruct_ext.SequenceSVM().fit([np.eye(2)], [["a", "b"]]).save(other)
    assert main(["inspect", str(other)]) == 2
    assert "not trained from columns" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_learning_leaves_a_usable_model(tmp_path, number):
    train, model = tmp_path / "train.txt", tmp_path / "m.psx"
    train.write_text(sentences(400))
    command = [sys.executable, "-m", "pystruct_ext", "learn", "sequence", str(train)]
    command += ["-o", str(model), "--tol", "0", "--max-iter", "100000000", "--C", "100"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    # The line about the data comes just before training starts.
    line = ""
    while not line.startswith("data"):
        line = process.stderr.readline()
        assert line, "learn ended early"
    time.sleep(1.0)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "interrupted; the best model so far is in" in err
    assert "Traceback" not in err
    loaded = pystruct_ext.load(model)
    assert loaded.status_ == "interrupted"
    assert loaded.predict([[("dt1", "DT", "?"), ("nn1", "NN", "?")]]) == [
        ["B-NP", "I-NP"]
    ]


def test_demo(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    import matplotlib.pyplot as plt

    assert main(["demo", "--output", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    plt.close("all")
    assert "dates right" in out
    assert "fork belongs to 'ate'" in out
    assert "cheese belongs to 'pizza'" in out
    for name in (
        "michael_jordan",
        "intent_coverage",
        "convergence",
        "transitions",
        "tagging",
        "parse",
        "fold",
    ):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 5000
    alone, whole = [
        float(line.split("%")[1].split()[-1])
        for line in out.splitlines()
        if "SVM)" in line and "%" in line
    ]
    assert whole > alone + 5
    page = out[out.index("relevance only") :].splitlines()[1:11]
    served = [line[3:].count("basketbal") for line in page]
    assert served[:4].count(0) == 0
    left = sum(line[3:12] == "basketbal" for line in page)
    right = sum("basketbal" in line[40:60] for line in page)
    assert left >= 7 > right


def test_help_and_version(capsys):
    for args in (["--help"], ["learn", "sequence", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as stop:
            main(args)
        assert stop.value.code == 0
    assert pystruct_ext.__version__ in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["learn", "sequence"])
    assert stop.value.code == 2
