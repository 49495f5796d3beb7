"""``learn``, ``predict``, ``evaluate``, ``inspect`` of trees, folds, segments, alignments."""

from __future__ import annotations

import io
import json
import sys

import pytest

from pystruct_ext import load
from pystruct_ext.cli.main import main
from pystruct_ext.datasets import make_alignments, make_folds, make_treebank
from pystruct_ext.io import (
    read_alignments,
    read_brackets,
    read_conllu,
    read_folds,
    write_alignments,
    write_brackets,
    write_folds,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("structures")
    bank = make_treebank(60)
    lines = []
    for s, d in zip(bank.sentences, bank.dependencies, strict=True):
        rows = zip(s.forms, s.tags, d.heads, d.labels, strict=True)
        for t, (form, tag, head, label) in enumerate(rows, start=1):
            lines.append(f"{t}\t{form}\t_\t{tag}\t_\t_\t{head}\t{label}\t_\t_")
        lines.append("")
    (folder / "dependency").write_text("\n".join(lines))
    write_brackets(folder / "constituency", bank.trees)
    X, y = make_folds(30)
    write_folds(folder / "folding", [f"m{k}" for k in range(30)], X, y)
    X, y = make_alignments(30)
    write_alignments(
        folder / "alignment", [(f"a{k}", f"b{k}") for k in range(30)], X, y
    )
    sentence = "the DT B-NP\ndog NN I-NP\nbarks VB B-VP\nloud RB O\n\n"
    (folder / "segments").write_text(sentence * 3)
    return folder


SCORES = {
    "dependency": ("all words", "las", 0.9),
    "constituency": ("brackets", "f1", 0.95),
    "folding": ("base pairs", "f1", 0.5),
    "segments": ("segments", "f1", 0.99),
    "alignment": ("alignment", "f1", 0.85),
}
READERS = {
    "dependency": lambda p: read_conllu(p).dependencies,
    "constituency": read_brackets,
    "folding": lambda p: read_folds(p).folds,
    "alignment": lambda p: read_alignments(p).alignments,
}
SMALL = {
    "dependency": ["--bits", "12", "--label-bits", "8", "--C", "0.1"],
    "constituency": ["--bits", "10"],
}


@pytest.mark.parametrize("kind", SCORES)
def test_learn_evaluate_predict(kind, files, tmp_path, capsys):
    model, out, data = str(tmp_path / "m.psx"), tmp_path / "out", str(files / kind)
    assert main(["learn", kind, data, "-o", model, *SMALL.get(kind, [])]) == 0
    err = capsys.readouterr().err
    assert "certificate: exact" in err
    assert main(["evaluate", model, data, "--json"]) == 0
    group, name, least = SCORES[kind]
    assert json.loads(capsys.readouterr().out)[group][name] > least
    assert main(["evaluate", model, data, "--quiet"]) == 0
    assert "%" in capsys.readouterr().out
    assert (
        main(["predict", model, data, "-o", str(out), "--quiet", "--n-jobs", "2"]) == 0
    )
    if kind in READERS:
        predicted = READERS[kind](out)
        assert len(predicted) == len(READERS[kind](data))
        if kind == "folding":
            assert predicted == load(model).predict(read_folds(data).sequences)
    else:
        assert out.read_text().startswith("the DT B-NP B-NP\n")
    assert main(["inspect", model]) == 0
    assert "certificate: exact" in capsys.readouterr().out


def test_other_settings(files, tmp_path, capsys):
    model = str(tmp_path / "m.psx")
    dependency, trees = str(files / "dependency"), str(files / "constituency")
    small = ["-o", model, "--quiet", "--bits", "10"]
    for args in (
        ["dependency", dependency, "--unlabelled", "--nonprojective"],
        ["dependency", dependency, "--siblings", "--label-bits", "6", "--loss", "uas"],
        ["constituency", trees, "--model", "grammar", "--vertical", "2"],
    ):
        assert main(["learn", *args, *small]) == 0
    tagged = tmp_path / "tagged"
    tagged.write_text("Ada/NNP opened/VBD the/DT box/NN ./.\n")
    assert main(["predict", model, str(tagged), "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("(S (NP (NNP Ada))")
    assert main(["evaluate", model, str(tagged), "--quiet"]) == 2
    assert "has no truth to compare with" in capsys.readouterr().err


def test_several_files_folders_and_stdin(files, tmp_path, capsys, monkeypatch):
    folder, model = tmp_path / "trees", str(tmp_path / "m.psx")
    folder.mkdir()
    trees = str(files / "constituency")
    for name in ("one", "two"):
        write_brackets(folder / name, read_brackets(trees)[:5])
    small = ["-o", model, "--bits", "8"]
    assert main(["learn", "constituency", str(folder), trees, *small]) == 0
    assert "70 trees" in capsys.readouterr().err
    assert main(["evaluate", model, str(folder), "--quiet"]) == 0
    assert "10 trees" in capsys.readouterr().out
    assert main(["learn", "constituency", trees, *small, "--max-length", "7"]) == 0
    assert "trees of more than 7 words left out" in capsys.readouterr().err

    for text in (b"Ada/NNP slept/VBD\n", b"(S (NNP Eve))\n"):

        class Stdin:
            buffer = io.BytesIO(text)

        monkeypatch.setattr(sys, "stdin", Stdin)
        assert main(["predict", model, "-", "--quiet"]) == 0
    seen = capsys.readouterr()
    assert "(NNP Ada)" in seen.out
    assert "(NNP Eve)" in seen.out
    tagged = tmp_path / "tagged"
    tagged.write_text("Ada/NNP slept/VBD\n")
    assert main(["learn", "constituency", str(tagged), *small]) == 2
    assert "expected bracketed trees to learn from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("dependency", "a\tN\t_\n", "no heads"),
        ("constituency", "(S (N a)", "never closed"),
        ("folding", ">x\nACGU\n", "no structures"),
        (
            "folding",
            ">x\nACGX\n....\n",
            "bad:1 (x): the sequence has 'X' at position 4",
        ),
        ("segments", "only\n", "has 1 column"),
        ("alignment", ">a\nAC\n>b\nA\n", "differ in length"),
    ],
)
def test_bad_files(kind, text, message, tmp_path, capsys):
    path = tmp_path / "bad"
    path.write_text(text)
    assert main(["learn", kind, str(path), "-o", str(tmp_path / "m"), "--quiet"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "m").exists()
