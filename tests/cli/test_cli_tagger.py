"""``learn --tagger``: one model file that reads text without tags."""

from __future__ import annotations

import io
import json
import sys

import pytest

from pystruct_ext import TaggedParser, load
from pystruct_ext.cli.main import main
from pystruct_ext.datasets import make_treebank
from pystruct_ext.io import read_brackets, read_clusters, read_conllu, write_brackets
from pystruct_ext.structures import STRUCTURES, structure_of
from pystruct_ext.structures._tagged import plain_sentences

SMALL = {
    "dependency": ["--bits", "12", "--label-bits", "8", "--C", "0.1"],
    "constituency": ["--bits", "10"],
}
KINDS = list(SMALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Training and test files, and models with and without a tagger."""
    folder = tmp_path_factory.mktemp("tagger")
    bank = make_treebank(90)
    for name, some in (("train", slice(0, 60)), ("test", slice(60, 90))):
        pairs = zip(bank.sentences[some], bank.dependencies[some], strict=True)
        for untagged in (False, True):
            lines = []
            for s, d in (
                pairs
                if not untagged
                else zip(bank.sentences[some], bank.dependencies[some], strict=True)
            ):
                rows = zip(s.forms, s.tags, d.heads, d.labels, strict=True)
                lines.append(f"# text = {' '.join(s.forms)}")
                for t, (form, tag, head, label) in enumerate(rows, start=1):
                    tags = f"{tag}\tx{tag}" if not untagged else "_\t_"
                    lines.append(
                        f"{t}\t{form}\t_\t{tags}\t_\t"
                        + (f"{head}\t{label}\t_\t_" if not untagged else "_\t_\t_\t_")
                    )
                lines.append("")
            end = ".bare" if untagged else ".dependency"
            (folder / (name + end)).write_text("\n".join(lines))
        write_brackets(folder / (name + ".constituency"), bank.trees[some])
        texts = [" ".join(s.forms) for s in bank.sentences[some]]
        (folder / (name + ".txt")).write_text("\n".join(texts) + "\n")
    for kind in KINDS:
        args = ["learn", kind, str(folder / f"train.{kind}"), "--quiet", *SMALL[kind]]
        assert main([*args, "-o", str(folder / f"{kind}.gold")]) == 0
        more = ["--tagger", "--tag-folds", "3"]
        assert main([*args, *more, "-o", str(folder / f"{kind}.psx")]) == 0
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_learn_says_what_the_taggers_reached(kind, folder, tmp_path, capsys):
    args = ["learn", kind, str(folder / f"train.{kind}"), *SMALL[kind], "--tagger"]
    assert main([*args, "--tag-folds", "2", "-o", str(tmp_path / "m")]) == 0
    err = capsys.readouterr().err
    assert "TaggedParser" in err
    assert err.count("(certificate: exact)") == (3 if kind == "dependency" else 2)
    assert "jackknifed accuracy" in err
    assert main(["inspect", str(tmp_path / "m"), "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert "jackknifed accuracy" in out
    assert "largest transitions" in out


@pytest.mark.parametrize("kind", KINDS)
def test_evaluate(kind, folder, capsys):
    model, data = str(folder / f"{kind}.psx"), str(folder / f"test.{kind}")
    assert main(["evaluate", model, data, "--json", "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["accuracy of tags"] > 0.95
    fitted = load(model)
    assert isinstance(fitted, TaggedParser)
    assert structure_of(fitted).name == kind
    assert structure_of(fitted) is STRUCTURES[kind].wrapped.structure
    if kind == "dependency":
        assert report["accuracy of fine tags"] > 0.95
        bank = read_conllu(data)
        score = fitted.score([s.forms for s in bank.sentences], bank.dependencies)
        assert report["all words"]["las"] == pytest.approx(score)
        assert report["without punctuation"]["n_words"] < bank.n_words
    else:
        trees = read_brackets(data)
        score = fitted.score([t.words() for t in trees], trees)
        assert report["brackets"]["f1"] == pytest.approx(score)
        assert "accuracy of fine tags" not in report
    assert main(["evaluate", model, str(folder / "test.txt"), "--quiet"]) == 2
    assert "has no truth to compare with" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["txt", "bare", "own"])
def test_predict(kind, source, folder, tmp_path, capsys):
    model, out = str(folder / f"{kind}.psx"), tmp_path / "out"
    data = folder / ("test." + (kind if source == "own" else source))
    assert main(["predict", model, str(data), "-o", str(out), "--quiet"]) == 0
    fitted = load(model)
    texts = (folder / "test.txt").read_text().splitlines()
    trees = fitted.predict(texts)
    if kind == "constituency":
        assert read_brackets(out) == trees
    else:
        bank = read_conllu(out)
        assert bank.dependencies == trees
        tagged = fitted.tag(texts)
        assert [s[:3] for s in bank.sentences] == [s[:3] for s in tagged]
        assert bank.lines[0][0] == f"# text = {texts[0]}"
    assert main(["predict", model, str(data), "--quiet", "--n-jobs", "2"]) == 0
    assert capsys.readouterr().out == out.read_text()
    # What is written is read again.
    again = tmp_path / "again"
    assert main(["predict", model, str(out), "-o", str(again), "--quiet"]) == 0
    assert again.read_text() == out.read_text()


def predicted(folder, kind, text, capsys, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(text.encode())

    monkeypatch.setattr(sys, "stdin", Stdin())
    code = main(["predict", str(folder / f"{kind}.psx"), "-", "--quiet"])
    seen = capsys.readouterr()
    return code, seen.out, seen.err


def test_text_is_cut_into_words(folder, capsys, monkeypatch):
    text = "\ufeffAda can't eat Grace's caf\u00e9.\r\n\n#win (it)!\n"
    code, out, _ = predicted(folder, "dependency", text, capsys, monkeypatch)
    assert code == 0
    blocks = [b.splitlines() for b in out.strip().split("\n\n")]
    assert [b[0] for b in blocks] == [
        "# text = Ada can't eat Grace's caf\u00e9.",
        "# text = #win (it)!",
    ]
    cells = [line.split("\t") for line in blocks[0][1:]]
    assert [(c[1], c[9]) for c in cells] == [
        *(("Ada", "_"), ("ca", "SpaceAfter=No"), ("n't", "_"), ("eat", "_")),
        *(("Grace", "SpaceAfter=No"), ("'s", "_"), ("caf\u00e9", "SpaceAfter=No")),
        (".", "_"),
    ]
    assert [c.split("\t")[1] for c in blocks[1][1:]] == ["#win", "(", "it", ")", "!"]
    code, out, _ = predicted(folder, "constituency", text, capsys, monkeypatch)
    assert code == 0
    assert [t.words()[1:4] for t in read_lines_as_trees(out)] == [
        *(("ca", "n't", "eat"), ("(", "it", ")"))
    ]


def read_lines_as_trees(out):
    from pystruct_ext.outputs.phrase_trees import parse_brackets

    return list(parse_brackets(out))


@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_words(kind, folder, capsys, monkeypatch):
    text = "Ada\nate\n.\n\nGrace\nslept\n.\n"
    code, out, _ = predicted(folder, kind, text, capsys, monkeypatch)
    assert code == 0
    want = load(folder / f"{kind}.psx").predict([["Ada", "ate", "."], "Grace slept ."])
    if kind == "constituency":
        assert read_lines_as_trees(out) == want
    else:
        assert out.count("\n\n") == 2
        assert "# text = Ada ate ." in out


def test_the_tokenizer_is_chosen_at_learn(folder, tmp_path, capsys):
    model = str(tmp_path / "m")
    args = ["learn", "dependency", str(folder / "train.dependency"), "--quiet"]
    args += [*SMALL["dependency"], "--tagger", "--tokenizer", "whitespace"]
    assert main([*args, "--tagger-C", "0.3", "--tag-folds", "0", "-o", model]) == 0
    fitted = load(model)
    assert fitted.tokenizer == "whitespace"
    assert fitted.tagger_.C == 0.3
    assert fitted.tag_accuracy_ is None
    (tmp_path / "in").write_text("Ada can't, really\n")
    assert main(["predict", model, str(tmp_path / "in"), "--quiet"]) == 0
    assert "2\tcan't,\t_\t" in capsys.readouterr().out


def test_clusters(folder, tmp_path, capsys):
    path = tmp_path / "paths"
    path.write_text("0110\tAda\t12\n0111\tate\t3\n\n1 Grace\n")
    assert read_clusters(path) == {"Ada": "0110", "ate": "0111", "Grace": "1"}
    args = ["learn", "dependency", str(folder / "train.dependency"), "--quiet"]
    args += [*SMALL["dependency"], "--tagger", "--tag-folds", "2"]
    model = str(tmp_path / "m")
    assert main([*args, "--clusters", str(path), "-o", model]) == 0
    assert load(model).clusters_ == read_clusters(path)
    for text, what in (
        ("x\tAda\n", "the cluster is 'x', expected bits"),
        ("0110\n", "has 1 cell, expected bits, word"),
        ("\n", "holds no clusters"),
    ):
        path.write_text(text)
        assert main([*args, "--clusters", str(path), "-o", model]) == 2
        assert what in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_models_without_a_tagger_say_what_is_missing(kind, folder, tmp_path, capsys):
    model = str(folder / f"{kind}.gold")
    (tmp_path / "words").write_text("Ada\nate\n\nGrace\nslept\n")
    for data in (folder / "test.bare", folder / "test.txt", tmp_path / "words"):
        assert main(["predict", model, str(data), "--quiet"]) == 2
        err = capsys.readouterr().err
        assert "--tagger" in err, err
        assert str(data) in err
        assert len(err.splitlines()) == 1
    assert main(["predict", model, str(folder / f"test.{kind}"), "--quiet"]) == 0


def test_flags_that_need_the_tagger(folder, tmp_path, capsys):
    args = ["learn", "dependency", str(folder / "train.dependency")]
    for flags in (["--tag-folds", "3"], ["--tokenizer", "whitespace"]):
        assert main([*args, *flags, "-o", str(tmp_path / "m")]) == 2
        assert f"{flags[0]} needs --tagger" in capsys.readouterr().err
    assert main([*args, "--tagger", "--tag-folds", "1", "-o", str(tmp_path / "m")]) == 2
    assert "must be 0 or an integer >= 2, got 1" in capsys.readouterr().err
    bare = str(folder / "train.bare")
    assert (
        main(["learn", "dependency", bare, "--tagger", "-o", str(tmp_path / "m")]) == 2
    )
    assert "has no heads" in capsys.readouterr().err
    text = (folder / "train.dependency").read_text().splitlines()
    for i, line in enumerate(text):
        cells = line.split("\t")
        if len(cells) == 10:
            text[i] = "\t".join([*cells[:3], "_", "_", *cells[5:]])
    (tmp_path / "heads").write_text("\n".join(text))
    args = ["learn", "dependency", str(tmp_path / "heads"), "--tagger"]
    assert main([*args, "-o", str(tmp_path / "m")]) == 2
    assert "has no tags but '_'" in capsys.readouterr().err


def test_bad_records_are_left_out(folder, tmp_path, capsys):
    text = (folder / "test.txt").read_text().splitlines()[:2]
    text.insert(1, "word " * 500)
    (tmp_path / "in").write_text("\n".join(text))
    args = ["predict", str(folder / "dependency.psx"), str(tmp_path / "in")]
    assert main([*args, "--quiet"]) == 2
    assert f"{tmp_path / 'in'}:2: X: example 1 has 500 words" in capsys.readouterr().err
    assert main([*args, "--skip-bad"]) == 0
    seen = capsys.readouterr()
    assert "1 of 3 records left out" in seen.err
    assert seen.out.count("# text") == 2


def test_bad_training_records_are_left_out(folder, tmp_path, capsys):
    text = (folder / "train.dependency").read_text().strip()
    rows = [f"{t}\tw\t_\tN\tN\t_\t{t - 1}\tx\t_\t_" for t in range(1, 31)]
    (tmp_path / "in").write_text("\n".join([text, "", *rows, ""]))
    args = ["learn", "dependency", str(tmp_path / "in"), *SMALL["dependency"]]
    args += ["--max-length", "25", "--tagger", "--tag-folds", "2"]
    model = tmp_path / "m"
    assert main([*args, "-o", str(model)]) == 2
    assert "X: example 60 has 30 words" in capsys.readouterr().err
    assert main([*args, "--skip-bad", "-o", str(model)]) == 0
    assert "1 of 61 records left out" in capsys.readouterr().err
    assert load(model).parser_.max_length == 25


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Dogs bark\n", ["Dogs bark"]),
        ("Dogs bark .\nCats sleep .\n", ["Dogs bark .", "Cats sleep ."]),
        ("a\nb\n", ["a", "b"]),
        ("a\n\nb\n", ["a", "b"]),
        ("a\nb\n\nc\n", [["a", "b"], ["c"]]),
        ("#a b\nc\n", ["#a b", "c"]),
        ("Dial room 5\n", ["Dial room 5"]),
        ("Dogs N 2\nbark V 0\n", None),
        ("Dogs\tN\n", None),
        ("# x\n1\tDogs\t_\t_\t_\t_\t_\t_\t_\t_\n", None),
        ("1 Dogs _ _ _ _ _ _ _ _\n", None),
        ("# only\n", None),
        ("", None),
    ],
)
def test_what_is_plain_text(text, want):
    made = plain_sentences(list(enumerate(text.split("\n")[:-1], 1)))
    assert (None if made is None else [x for x, _ in made]) == want


def test_text_in_brackets_is_no_tree(folder, capsys, monkeypatch):
    text = "(Ada ate the pizza.)\n"
    code, out, _ = predicted(folder, "constituency", text, capsys, monkeypatch)
    assert code == 0
    assert read_lines_as_trees(out)[0].words()[:2] == ("(", "Ada")
