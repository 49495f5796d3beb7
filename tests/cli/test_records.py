"""The command line and bad records, constraints, tables, words without heads, other labels."""

from __future__ import annotations

import csv
import inspect
import json

import pytest

from pystruct_ext import load
from pystruct_ext.cli.main import main
from pystruct_ext.datasets import make_folds, make_treebank
from pystruct_ext.io import (
    read_alignments,
    read_brackets,
    read_conllu,
    read_folds,
    write_brackets,
    write_folds,
)
from pystruct_ext.structures import STRUCTURES

SMALL = ["--bits", "8", "--max-iter", "3", "--quiet"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    X, y = make_folds(8)
    write_folds(folder / "folds", [f"m{k}" for k in range(8)], X, y)
    bank = make_treebank(10)
    write_brackets(folder / "trees.mrg", bank.trees)
    lines = []
    for s, d in zip(bank.sentences, bank.dependencies, strict=True):
        rows = zip(s.forms, s.tags, d.heads, d.labels, strict=True)
        lines += [
            f"{t}\t{form}\t{form}\t{tag}\t_\t_\t{head}\t{label}\t_\t_"
            for t, (form, tag, head, label) in enumerate(rows, start=1)
        ]
        lines.append("")
    (folder / "bank.conllu").write_text("\n".join(lines))
    (folder / "pairs.fa").write_text(">a\nAC-GT\n>b\nACTGT\n>c\nCCT\n>d\nC-T\n")
    for kind, data, flags in (
        ("folding", "folds", ["--max-iter", "2", "--quiet"]),
        ("constituency", "trees.mrg", [*SMALL, "--split-bits", "8"]),
        ("dependency", "bank.conllu", [*SMALL, "--label-bits", "6"]),
        ("alignment", "pairs.fa", ["--quiet"]),
    ):
        assert (
            main(["learn", kind, str(folder / data), "-o", str(folder / kind), *flags])
            == 0
        )
    return folder


def test_bad_records_are_named_or_skipped(models, tmp_path, capsys):
    model, path, out = str(models / "folding"), tmp_path / "a.fa", tmp_path / "out.fa"
    path.write_text(">ok\nGGGAAACCN\n>odd\nGGZ\n>empty\n>last\nACGU\n")
    args = ["predict", model, str(path), "-o", str(out)]
    assert main([*args, "--quiet"]) == 2
    assert "a.fa:3 (odd): the sequence has 'Z' at position 3" in capsys.readouterr().err
    assert not out.exists()
    assert main([*args, "--skip-bad"]) == 0
    err = capsys.readouterr().err
    assert "2 of 4 sequences left out" in err
    assert "a.fa:3 (odd)" in err
    assert "a.fa:5 (empty): has no sequence" in err
    assert read_folds(out).names == ["ok", "last"]
    # What only the model can tell.
    path.write_text(f">ok\nGGGAAACCC\n>long\n{'A' * 2001}\n>last\nACGU\n")
    assert main([*args, "--quiet"]) == 2
    assert (
        "a.fa:3 (long): X: example 1 has 2001 bases, more than"
        in capsys.readouterr().err
    )
    assert main([*args, "--skip-bad"]) == 0
    assert "1 of 3 records left out" in (err := capsys.readouterr().err)
    assert "a.fa:3 (long): has 2001 bases" in err
    assert read_folds(out).names == ["ok", "last"]
    path.write_text(f">long\n{'A' * 2001}\n")
    assert main([*args, "--skip-bad"]) == 2
    assert "all 1 records are bad" in capsys.readouterr().err


def test_learning_skips_too(models, tmp_path, capsys):
    bad = tmp_path / "bad.conllu"
    text = (models / "bank.conllu").read_text()
    bad.write_text(text + "\n\n# sent_id = cycle\n1\ta\ta\tN\t_\t_\t1\tx\t_\t_\n")
    args = ["learn", "dependency", str(bad), "-o", str(tmp_path / "m"), *SMALL[:-1]]
    assert main(args) == 2
    assert "no word has head 0" in capsys.readouterr().err
    assert main([*args, "--skip-bad"]) == 0
    assert "1 of 11 sentences left out" in capsys.readouterr().err
    longest = max(len(s.forms) for s in read_conllu(models / "bank.conllu").sentences)
    short = ["--max-length", str(longest - 1), "--skip-bad"]
    assert main([*args, *short[:2], "--skip-bad"]) == 0
    assert "records left out" in (err := capsys.readouterr().err)
    assert f": has {longest} words, more than max_length" in err


def test_every_structure_can_leave_bad_records_out():
    for structure in STRUCTURES.values():
        assert "on_error" in inspect.signature(structure.read).parameters, structure


@pytest.mark.parametrize(
    ("kind", "good", "bad", "said"),
    [
        ("multiclass", ["1 1:2", "2 1:3", "1 1:1.5 # x"], "2 1:x", "rows"),
        ("multiclass", ["1 1:2", "2 1:3", ""], "2 0:1", "rows"),
        (
            "ranking",
            ["1 qid:a 1:2", "0 qid:a 1:1", "2 qid:b 1:3", "0 qid:b 1:0"],
            "1 qid:a 2:1 1:2",
            "documents",
        ),
        (
            "diverse-ranking",
            [
                json.dumps(
                    {
                        "query": f"jaguar {k}",
                        "results": [
                            {"title": "cars and more", "grades": {"car": 1}},
                            {"title": "cats and more", "grades": {"cat": 1}},
                            {"title": "something else", "grades": {}},
                        ],
                    }
                )
                for k in range(4)
            ],
            '{"query": "jaguar"',
            "queries",
        ),
    ],
)
def test_lines_that_are_left_out(kind, good, bad, said, tmp_path, capsys):
    path, model = tmp_path / "data", str(tmp_path / "m")
    path.write_text("\n".join([*good[:2], bad, *good[2:]]) + "\n")
    args = ["learn", kind, str(path), "-o", model, "--max-iter", "3"]
    assert main(args) == 2
    assert "data:3: " in capsys.readouterr().err
    n = len([line for line in good if line])
    for verb in (args, ["evaluate", model, str(path)]):
        assert main([*verb, "--skip-bad"]) == 0
        err = capsys.readouterr().err
        assert f"1 of {n + 1} {said} left out" in err
        assert "data:3: " in err
    path.write_text(bad + "\n")
    assert main([*args, "--skip-bad"]) == 2
    assert f"holds no {said}; all 1 are bad" in capsys.readouterr().err


def test_constraints(models, tmp_path, capsys):
    model, path = str(models / "folding"), tmp_path / "a.fa"
    path.write_text(">one\nGGGAAAACCC\nx<......>x\n>two\nGGGAAAACCC\nxxxxxxxxxx\n")
    args = ["predict", model, str(path), "--quiet"]
    assert main(args) == 2
    assert "a.fa:1 (one): " in (err := capsys.readouterr().err)
    assert "--constraints" in err
    assert main([*args, "--constraints"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[::3] == [">one", ">two"]
    assert lines[2].startswith(".(") and lines[2].endswith(").")  # noqa: PT018
    assert lines[5] == "." * 10
    path.write_text(">one\nGGGAAAACCC\n..........\n>two\nAAAAAAAAAA\n|.........\n")
    assert main([*args, "--constraints"]) == 2
    err = capsys.readouterr().err
    assert "a.fa:4 (two): constraints: example 1 cannot be satisfied" in err
    assert main([*args, "--constraints", "--skip-bad"]) == 0
    assert capsys.readouterr().out.splitlines()[::3] == [">one"]
    assert main(["predict", str(models / "alignment"), str(path), "--constraints"]) == 2
    assert "--constraints: the reader of alignment files" in capsys.readouterr().err


def test_tables(models, tmp_path, capsys):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('\ufeffid,family,sequence\n"a, b",x,GGGAAAACCC\nc,y,ACGU\n')
    assert main(["predict", str(models / "folding"), str(source), "-o", str(out)]) == 0
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "sequence", "structure", "family", "score"]
    assert [r["id"] for r in rows] == ["a, b", "c"]
    model, data = load(models / "folding"), read_folds(out)
    best = model.predict_k_best(data.sequences, 1)
    assert [float(r["score"]) for r in rows] == pytest.approx(
        [b[0][0] for b in best], abs=1e-3
    )
    assert data.folds == [b[0][1] for b in best]
    assert main(["evaluate", str(models / "folding"), str(out), "--quiet"]) == 0
    pairs, table = models / "pairs.fa", tmp_path / "pairs.csv"
    args = ["predict", str(models / "alignment"), str(pairs), "-o", str(table)]
    assert main(args) == 0
    with open(table, newline="") as file:
        assert list(next(csv.DictReader(file))) == ["id_a", "id_b", "a", "b", "score"]
    assert read_alignments(table).pairs == read_alignments(pairs).pairs
    capsys.readouterr()


def test_words_and_tags_are_parsed(models, tmp_path, capsys):
    bank = read_conllu(models / "bank.conllu")
    expected = load(models / "dependency").predict(bank.sentences)
    for separator in ("\t", "   "):
        path, out = tmp_path / "words", tmp_path / "out.conllu"
        path.write_text(
            "\n\n".join(
                "\n".join(map(separator.join, zip(s.forms, s.tags, strict=True)))
                for s in bank.sentences
            )
        )
        assert (
            main(["predict", str(models / "dependency"), str(path), "-o", str(out)])
            == 0
        )
        # Words only: the model had lemmas.
        assert (
            "have no lemmas, which the model was fitted with" in capsys.readouterr().err
        )
        again = read_conllu(out)
        assert [s.forms for s in again.sentences] == [s.forms for s in bank.sentences]
        assert all(len(t.labels) == len(t.heads) for t in again.dependencies)
    path.write_text((models / "bank.conllu").read_text())
    assert main(["predict", str(models / "dependency"), str(path), "-o", str(out)]) == 0
    assert read_conllu(out).dependencies == expected
    capsys.readouterr()


def test_words_and_tags_for_constituents(models, tmp_path, capsys):
    tree = read_brackets(models / "trees.mrg")[0]
    pairs = list(zip(tree.words(), tree.tags(), strict=True))
    path = tmp_path / "in"
    printed = []
    for text in (
        " ".join(f"{w}/{t}" for w, t in pairs) + "\n",
        "".join(f"{w} {t}\n" for w, t in pairs),
        "".join(
            f"{k}\t{w}\t_\t{t}\t_\t_\t_\t_\t_\t_\n" for k, (w, t) in enumerate(pairs, 1)
        ),
        str(tree),
    ):
        path.write_text(text)
        assert (
            main(["predict", str(models / "constituency"), str(path), "--quiet"]) == 0
        )
        printed.append(capsys.readouterr().out)
    assert len(set(printed)) == 1
    path.write_text("(/-LRB- yes/UH )/-RRB-\n")
    out = tmp_path / "out.mrg"
    args = [
        "predict",
        str(models / "constituency"),
        str(path),
        "--quiet",
        "-o",
        str(out),
    ]
    assert main(args) == 0
    assert read_brackets(out)[0].words() == ("(", "yes", ")")
    path.write_text("yes/UH\nno\n")
    assert main(args) == 2
    assert "in:2: 'no' is not word/TAG" in capsys.readouterr().err


def test_labels_that_are_no_chunks(tmp_path, capsys):
    data, model = tmp_path / "stress", str(tmp_path / "m.psx")
    data.write_text("a 00\nb 03\n\nb 03\na 00\na 00\n")
    args = ["learn", "sequence", str(data), "-o", model]
    assert main([*args, "--dev", str(data), "--max-iter", "5"]) == 0
    err = capsys.readouterr().err
    assert "the labels are no chunks" in err
    assert "held out   best token accuracy 100.00" in err
    assert main(["evaluate", model, str(data), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "the labels are no chunks ('00' is not a chunk label" in out
    assert "token accuracy 100.00 %, sentence accuracy 100.00 %" in out
    assert main(["evaluate", model, str(data), "--quiet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "chunks": None,
        "token_accuracy": 1.0,
        "sentence_accuracy": 1.0,
    }
    data.write_text("a\nb\n")
    assert main(["evaluate", model, str(data), "--quiet"]) == 2
    assert "expected at least 2" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["sequence", "segments"])
def test_a_file_without_truth_is_not_evaluated(kind, tmp_path, capsys):
    data, model = tmp_path / "data", str(tmp_path / "m.psx")
    data.write_text("a N B-x\nb V O\n\n" * 3)
    assert main(["learn", kind, str(data), "-o", model, "--quiet"]) == 0
    data.write_text("a B-y\nb O\n\n" * 3)
    assert main(["evaluate", model, str(data), "--quiet"]) == 2
    assert "has 2 columns, all of which are features" in capsys.readouterr().err
    assert main(["predict", model, str(data), "--quiet"]) == 0
    data.write_text("a N x\nb V O\n")
    if kind == "segments":
        assert main(["evaluate", model, str(data), "--quiet"]) == 2
        assert "sentence 1: token 0 has the tag 'x'" in capsys.readouterr().err
