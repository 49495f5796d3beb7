"""Writing treebanks with other tags."""

from __future__ import annotations

import pytest

from pystruct_ext import DependencyTree, Sentence
from pystruct_ext.io import read_conllu, write_conllu

TEXT = (
    "# text = don't go\n"
    "1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tdo\tdo\t_\t_\tA=b\t_\t_\t_\tx\n"
    "2\tn't\tnot\t_\t_\t_\t_\t_\t_\t_\n"
    "2.1\te\t_\t_\t_\t_\t_\t_\t1:x\t_\n"
    "3\tgo\tgo\t_\t_\t_\t_\t_\t_\t_\n\n"
)
TREE = DependencyTree((3, 3, 0), ("a", "b", "root"))


@pytest.fixture
def bank(tmp_path):
    (tmp_path / "in").write_text(TEXT)
    return read_conllu(tmp_path / "in")


def test_tags_are_written(bank, tmp_path):
    out = tmp_path / "out"
    words = bank.sentences[0].forms
    fine = [Sentence(words, ("AUX", "PART", "VERB"), ("VBP", "RB", "VB"))]
    write_conllu(out, bank, [TREE], fine)
    again = read_conllu(out)
    assert again.sentences[0][:3] == fine[0][:3]
    assert again.sentences[0].lemmas == ("do", "not", "go")
    assert again.dependencies == [TREE]
    assert "1\tdo\tdo\tAUX\tVBP\tA=b\t3\ta\t_\tx\n" in out.read_text()
    assert out.read_text().startswith("# text = don't go\n1-2\tdon't\t_\t_\t_")
    write_conllu(out, bank, [TREE], [fine[0]._replace(fine_tags=())])
    assert read_conllu(out).sentences[0].fine_tags == ()


@pytest.mark.parametrize(
    ("tree", "width"), [(TREE, 10), (DependencyTree((3, 3, 0)), 3)]
)
def test_columns(tree, width, tmp_path):
    (tmp_path / "in").write_text("do\tX\nn't\tX\ngo\tX\n\n")
    bank = read_conllu(tmp_path / "in")
    tagged = [Sentence(bank.sentences[0].forms, ("A", "B", "C"))]
    write_conllu(tmp_path / "out", bank, [tree], tagged)
    again = read_conllu(tmp_path / "out")
    assert again.sentences[0].tags == ("A", "B", "C")
    assert again.dependencies == [tree]
    assert {len(line.split("\t")) for line in again.lines[0]} == {width}


@pytest.mark.parametrize(
    ("sentences", "match"),
    [
        ([], "sentences has 0 sentences, but the treebank has 1"),
        ([Sentence(("a",), ("A",))], "sentences: example 0 has 1 tags for 3 words"),
        (
            [Sentence(("do", "n't", "go"), ("A", "B\tC", "D"))],
            "sentences: example 0 has the tag",
        ),
        ([Sentence(("do", "n't", "go"), ("A", "", "D"))], "has the tag ''"),
    ],
)
def test_wrong_tags(bank, tmp_path, sentences, match):
    with pytest.raises(ValueError, match=match):
        write_conllu(tmp_path / "out", bank, [TREE], sentences)
    assert not (tmp_path / "out").exists()
