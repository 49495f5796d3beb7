"""``learn -C auto``: what it says, what it is told, and how it is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from pystruct_ext import load
from pystruct_ext.cli.main import main


def corpus(path, n, length=6, noise=0.2, names=4):
    """Words that tell their labels, most of the time."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        for _ in range(n):
            for _ in range(length):
                label = "AB"[rng.integers(2)]
                seen = label if rng.random() > noise else "AB"[rng.integers(2)]
                file.write(f"{seen}{rng.integers(names)} {label}\n")
            file.write("\n")
    return str(path)


@pytest.fixture
def train(tmp_path):
    return corpus(tmp_path / "train.txt", 40)


@pytest.mark.parametrize("flag", ["-C", "--C"])
def test_the_path_is_said_saved_and_inspected(train, tmp_path, capsys, flag):
    groups, output = tmp_path / "groups.txt", str(tmp_path / "m.model")
    groups.write_text("".join(f"g{i // 4}\n" for i in range(40)))
    args = ["learn", "sequence", train, "-o", output, "--groups", str(groups)]
    assert main([*args, flag, "auto"]) == 0
    said = capsys.readouterr().err
    model = load(output)
    assert "certificate   seconds" in said
    assert said.count(" exact ") >= len(model.C_path_)
    assert f"C = {model.C_:g}, held-out score" in said
    assert main(["inspect", output]) == 0
    shown = capsys.readouterr().out
    assert "path of C, by what was held out" in shown
    assert all(line in shown for line in model.C_path_.lines())


def test_quiet_is_quiet(train, tmp_path, capsys):
    args = [
        "learn",
        "sequence",
        train,
        "-o",
        str(tmp_path / "m"),
        "-C",
        "auto",
        "--quiet",
    ]
    assert main(args) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (["-C", "best"], "--C must be a number, or auto, got best"),
        (["--scoring", "accuracy"], "--auto and --scoring are for -C auto"),
        (
            ["-C", "auto", "--scoring", "nothing"],
            "'nothing' is not a valid scoring value",
        ),
        (
            ["-C", "auto", "--auto", "hash_bits"],
            "expected a number > 0 to try multiples of",
        ),
        (
            ["-C", "auto", "--auto", "nothing"],
            "auto has 'nothing', which SequenceSVM has not",
        ),
        (["--groups", "{three}"], "has 3 lines, expected 40: one for each example"),
        (["--groups", "{forty}"], "(C='auto'); C is 0.1 here"),
        (["--groups", "{three}", "--skip-bad"], "so no --skip-bad"),
        (["--groups", "{absent}", "-C", "auto"], "No such file"),
    ],
)
def test_errors(train, tmp_path, capsys, more, error):
    names = {k: str(tmp_path / k) for k in ("three", "forty", "absent")}
    (tmp_path / "three").write_text("a\nb\nc\n")
    (tmp_path / "forty").write_text("a\nb\n" * 20)
    more = [word.format(**names) for word in more]
    try:
        code = main(["learn", "sequence", train, "-o", str(tmp_path / "m"), *more])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert error in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_keeps_the_best_model(tmp_path, number):
    big = corpus(tmp_path / "big.txt", 1500, 15, 0.4, 300)
    output = str(tmp_path / "m.model")
    command = [sys.executable, "-m", "pystruct_ext", "learn", "sequence", big]
    process = subprocess.Popen(
        [*command, "-o", output, "-C", "auto"], stderr=subprocess.PIPE, text=True
    )
    rows = 0
    for line in process.stderr:
        rows += " exact " in line
        if rows == 3:
            break
    process.send_signal(number)
    said = process.stderr.read()
    assert process.wait() == 128 + number
    assert "the best model so far is in" in said
    model = load(output)
    assert model.status_ == "interrupted"
    assert len(model.C_path_) >= 3
