"""Readers and writers of treebanks, structures and alignments."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext import DependencyTree, Tree
from pystruct_ext.datasets import make_alignments, make_folds, make_treebank
from pystruct_ext.io import (
    alignment_rows,
    read_alignments,
    read_brackets,
    read_conllu,
    read_folds,
    without_pseudoknots,
    write_alignments,
    write_brackets,
    write_conllu,
    write_folds,
)
from pystruct_ext.outputs.dot_bracket import pairs_of
from pystruct_ext.outputs.sentences import check_heads

CONLLU = """\
# sent_id = 1
# text = don't go
1-2	don't	_	_	_	_	_	_	_	_
1	do	do	AUX	VBP	_	3	aux	3:aux	_
2	n't	not	PART	RB	_	3	advmod	3:advmod	_
3	go	go	VERB	VB	_	0	root	0:root	_
3.1	now	now	ADV	RB	_	_	_	3:advmod	_

1	Stop	stop	VERB	VB	_	0	root	0:root	_
"""


def test_conllu_round_trip(tmp_path):
    path, out = tmp_path / "a.conllu", tmp_path / "b.conllu.gz"
    path.write_text(CONLLU)
    bank = read_conllu(path)
    assert bank.sentences[0].forms == ("do", "n't", "go")
    assert bank.sentences[0].lemmas == ("do", "not", "go")
    assert bank.dependencies[0] == DependencyTree((3, 3, 0), ("aux", "advmod", "root"))
    new = [DependencyTree((2, 0, 2), ("x", "root", "y")), bank.dependencies[1]]
    write_conllu(out, bank, new)
    again = read_conllu(out)
    assert again.dependencies == new
    kept = [
        line for line in again.lines[0] if line[0] in "#" or "-" in line.split("\t")[0]
    ]
    assert kept == bank.lines[0][:3]
    assert any(line.startswith("3.1\tnow") for line in again.lines[0])
    with pytest.raises(ValueError, match="trees: example 1 has 3 heads"):
        write_conllu(out, bank, [new[0], new[0]])


def test_three_columns(tmp_path):
    path = tmp_path / "a.dp"
    path.write_text("Dogs\tNNS\t2\nbark\tVBP\t0\n")
    bank = read_conllu(path)
    assert bank.dependencies == [DependencyTree((2, 0))]
    assert bank.sentences[0].tags == ("NNS", "VBP")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\t3\taux", "\t9\taux", r"a.conllu:4: word 1 has head 9"),
        (
            "\t0\troot\t0:root\t_\n3.1",
            "\t1\troot\t0:root\t_\n3.1",
            "no word has head 0",
        ),
        ("\t3\taux", "\t0\taux", "words 1 and 3 both have head 0"),
        ("\t3\taux", "\tx\taux", r"a.conllu:4: head is 'x'"),
        ("2\tn't", "7\tn't", r"a.conllu:5: word id is '7', expected 2"),
        ("\tdo\tAUX", " do AUX", r"a.conllu:4: has 8 columns"),
        ("\t3\taux", "\t_\taux", "a.conllu:4: word 1 has no head, but others"),
    ],
)
def test_conllu_errors(tmp_path, old, new, message):
    path = tmp_path / "a.conllu"
    path.write_text(CONLLU.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        read_conllu(path)


def test_brackets(tmp_path):
    path = tmp_path / "a.mrg"
    path.write_text(
        "( (S (NP-SBJ-1 (NN dog)) (VP (VBZ barks)\n   (S (NP-SBJ (-NONE- *-1))))) )\n"
        "(TOP (FRAG (-LRB- -LRB-) (NP=2 (NN cat))))\n( (UH yes) )"
    )
    trees = read_brackets(path)
    assert list(map(str, trees)) == [
        "(S (NP (NN dog)) (VP (VBZ barks)))",
        "(FRAG (-LRB- -LRB-) (NP (NN cat)))",
        "(X (UH yes))",
    ]
    raw = read_brackets(path, functions=False, traces=False)
    assert "NP-SBJ-1" in str(raw[0])
    write_brackets(tmp_path / "b.mrg", trees)
    assert read_brackets([tmp_path / "b.mrg"]) == trees
    path.write_text("(S (NN a)\n\n  b)")
    with pytest.raises(ValueError, match=r"a.mrg:1: node 'S' mixes the word 'b'"):
        read_brackets(path)


def test_trees_convert():
    pytest.importorskip("networkx")
    tree = Tree.parse("(S (NP (NN dog)) (VP (VBZ barks)))")
    graph = tree.to_networkx()
    assert graph.number_of_nodes() == 7
    assert graph.nodes[0]["label"] == "S"
    nltk = pytest.importorskip("nltk")
    assert Tree.from_nltk(tree.to_nltk()) == tree
    assert isinstance(tree.to_nltk(), nltk.Tree)


@pytest.mark.parametrize("suffix", [".db", ".ct", ".bpseq", ".db.gz"])
def test_structures_round_trip(tmp_path, suffix):
    names, X, Y = ["one"], ["GGGAAACCCAGGG"], ["(([...)).]..."]
    if suffix != ".bpseq":
        names, X, Y = [*names, "two"], [*X, "GAAAAC"], [*Y, "(....)"]
    path = tmp_path / f"a{suffix}"
    write_folds(path, names, X, Y)
    data = read_folds(path)
    assert data.names == names
    assert data.sequences == X
    assert [set(pairs_of(y, "")) for y in data.folds] == [
        set(pairs_of(y, "")) for y in Y
    ]


def test_structures_of_other_kinds(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(">x\nGGAAACC\n((...)) (-1.2)\n>y\nACGU\nACGU\n....\n....\n")
    data = read_folds(path)
    assert data.folds == ["((...))", "........"]
    path.write_text(">x\nGGAAACC\n>y\nAC\n")
    assert read_folds(path).folds is None
    table = tmp_path / "a.csv"
    table.write_text("id,sequence,structure,family\nm,GAAAC,(...),f\n")
    assert read_folds(table).columns == {"family": ["f"]}
    assert without_pseudoknots("((<<))>>") == "((..)).."


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.db", ">x\nACGU\n(..\n", r"a.db:1 \(x\): the fold has 3 characters"),
        ("a.db", ">x\nACGU\n(...\n", "position 1 is never closed"),
        ("a.db", "(...)\n", "a fold without a sequence"),
        ("a.ct", "3 x\n1 A 0 2 3 1\n2 C 1 3 0 2\n3 G 2 0 2 3\n", "base 1 pairs with 3"),
        ("a.ct", "3 x\n1 A 0 2 3 1\n", "says 3 bases, but 1 lines follow"),
        ("a.bpseq", "1 A 0\n3 C 0\n", "expected base 2"),
        ("a.csv", "id,seq\nx,AC\n", "no column 'sequence'"),
    ],
)
def test_structure_errors(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_folds(path)


def test_alignments(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">a\nAC-G\nT\n>b\nA-CG\nT\n")
    data = read_alignments(path)
    assert data.pairs == [("ACGT", "ACGT")]
    assert data.alignments == [(0, -1, 2, 3)]
    write_alignments(tmp_path / "b.fa", data.names, data.pairs, data.alignments)
    assert read_alignments(tmp_path / "b.fa").alignments == data.alignments
    path.write_text(">a\nAC\n>b\nA\n")
    assert not read_alignments(path).aligned
    path.write_text(">a\nAC\n")
    with pytest.raises(ValueError, match="has 1 records, expected pairs"):
        read_alignments(path)


@given(st.integers(0, 1000))
def test_generated_data_is_well_formed(seed):
    bank = make_treebank(3, seed)
    for sentence, tree, phrase in zip(
        bank.sentences, bank.dependencies, bank.trees, strict=True
    ):
        check_heads(tree.heads, "")
        assert phrase.sentence() == sentence
    for x, y in zip(*make_folds(2, seed), strict=True):
        assert len(x) == len(y)
        for i, j in pairs_of(y, ""):
            assert x[i] + x[j] in ("GC", "CG", "AU", "UA", "GU", "UG")
            assert j - i > 3
    for (a, b), y in zip(*make_alignments(2, seed), strict=True):
        top, bottom = alignment_rows(a, b, y)
        assert len(top) == len(bottom)
        assert top.replace("-", "") == a
        assert bottom.replace("-", "") == b


DATA = Path(os.environ.get("PYSTRUCT_EXT_DATA", "../shared/data"))


@pytest.mark.data
@pytest.mark.skipif(
    not (DATA / "ud-english-ewt").is_dir(),
    reason="PYSTRUCT_EXT_DATA: no ud-english-ewt",
)
def test_real_files():
    bank = read_conllu(DATA / "ud-english-ewt" / "en_ewt-ud-test.conllu.gz")
    assert (len(bank), bank.n_words) == (2077, 25094)
    folder = DATA / "treebank-constituency" / "mrg"
    trees = read_brackets(folder)
    assert len(trees) == 3914
    assert sum(len(t.words()) for t in trees) == 81793 + 6327 + 5964
    data = read_folds(DATA / "rna-archiveii" / "structures.csv.gz")
    assert len(data) == 3367


def test_old_names_warn(tmp_path):
    from pystruct_ext import datasets, io

    for module in (io, datasets):
        for old, new in (
            ("read_structures", io.read_folds),
            ("write_structures", io.write_folds),
            ("RnaStructures", io.RnaFolds),
        ):
            with pytest.warns(
                FutureWarning, match=rf"{old} is now pystruct_ext.io."
            ) as w:
                assert getattr(module, old) is new
            assert w[0].filename == __file__
    with pytest.raises(AttributeError, match="no attribute 'read_nothing'"):
        io.read_nothing  # noqa: B018
    folds = io.RnaFolds(["a"], ["GAAAC"], ["(...)"])
    with pytest.warns(FutureWarning, match="is now RnaFolds.folds"):
        assert folds.structures is folds.folds
    path = tmp_path / "a.conllu"
    path.write_text("a\tN\t2\nb\tV\t0\n")
    bank = read_conllu(path)
    with pytest.warns(FutureWarning, match="is now Treebank.dependencies"):
        assert bank.trees is bank.dependencies
