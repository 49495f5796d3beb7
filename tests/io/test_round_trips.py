"""What is written is read back, whatever it is, in every format; or it is refused in words."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pystruct_ext import DependencyTree, Sentence, Tree
from pystruct_ext.io import (
    Treebank,
    read_alignments,
    read_brackets,
    read_conll,
    read_conllu,
    read_folds,
    sentence_lines,
    write_alignments,
    write_brackets,
    write_conll,
    write_conllu,
    write_folds,
)
from pystruct_ext.outputs.dot_bracket import pairs_of
from pystruct_ext.outputs.segments import segments_from_bio, segments_to_bio
from pystruct_ext.structures import _columns, segments

few = settings(max_examples=25)
text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
# Characters that have bitten: brackets, quotes, marks of comments, names and gaps, spaces.
HOSTILE = "ab(),;\"'#>-._/\\|%\u00a0\u2028\ufeff\x85 \t\n\r\0é"
hostile = st.text(
    st.sampled_from("ab(),;\"'#>-._/\\|%\u00a0\u2028\ufeff\x85 \t\n\r\0é"), max_size=5
)
cells = st.one_of(text, hostile)


def refusal(work, *args):
    """What a call is refused with, or None."""
    try:
        work(*args)
    except ValueError as error:
        return str(error)
    return None


def in_file(suffix):
    folder = tempfile.TemporaryDirectory()
    return folder, Path(folder.name) / f"a{suffix}"


@given(st.data(), st.sampled_from(["", ".gz"]))
@few
def test_conll_columns(data, suffix):
    words = st.text(st.sampled_from('ab(#">-é\u2028\ufeff\\'), min_size=1, max_size=3)
    rows = data.draw(
        st.lists(st.lists(st.tuples(words, words), min_size=1), min_size=1)
    )
    assume(
        not rows[0][0][0].startswith("\ufeff")
    )  # the mark of UTF-8, at the very start
    raw = "\n\n".join("\n".join(" ".join(r) for r in s) for s in rows)
    table = read_conll(io.BytesIO(raw.encode()))
    labels = [[data.draw(cells) for _ in s] for s in rows]
    folder, path = in_file(suffix)
    with folder:
        error = refusal(write_conll, path, table, labels)
        if error is not None:
            assert "labels: example" in error
            assert not path.exists()
            return
        again = read_conll(path)
        assert again.column(-1) == labels
        assert [again.column(k) for k in (0, 1)] == [table.column(k) for k in (0, 1)]


@given(st.data())
@few
def test_segments(data):
    labels = st.text(st.sampled_from("AB-OI"), min_size=1, max_size=2)
    X, Y = [], []
    for lengths in data.draw(
        st.lists(st.lists(st.integers(1, 3), min_size=1), min_size=1)
    ):
        ends = [sum(lengths[:k]) for k in range(len(lengths) + 1)]
        chosen = [data.draw(labels.filter(lambda t: t != "O")) for _ in lengths]
        Y.append(list(zip(ends[:-1], ends[1:], chosen, strict=True)))
        X.append([["w", "t"]] * ends[-1])
    assert [segments_from_bio(segments_to_bio(y)) for y in Y] == Y
    folder, path = in_file("")
    with folder:
        segments.write(str(path), X, Y)
        examples = segments.read(str(path))
        assert examples.y == Y
        assert [[list(t) for t in x] for x in _columns.rows_of(examples.X)] == [
            [[*t, tag] for t, tag in zip(x, segments_to_bio(y), strict=True)]
            for x, y in zip(X, Y, strict=True)
        ]


@st.composite
def dependency_trees(draw):
    n = draw(st.integers(1, 5))
    order = draw(st.permutations(range(1, n + 1)))
    heads = [0] * n
    for k, word in enumerate(order[1:], start=1):
        heads[word - 1] = order[draw(st.integers(0, k - 1))]
    labels = st.text(st.sampled_from("ab:_ #é"), min_size=1, max_size=3)
    drawn = tuple(draw(labels) for _ in range(n))
    if all(label == "_" for label in drawn):
        drawn = ()
    return DependencyTree(tuple(heads), drawn)


@given(st.data(), st.sampled_from(["", ".gz"]))
@few
def test_conllu(data, suffix):
    trees = data.draw(st.lists(dependency_trees(), min_size=1, max_size=3))
    sentences = []
    for tree in trees:
        columns = [tuple(data.draw(cells) for _ in tree.heads) for _ in range(4)]
        sentences.append(
            Sentence(*columns[:2]) if data.draw(st.booleans()) else Sentence(*columns)
        )
    folder, path = in_file(suffix)
    with folder:
        errors = [refusal(sentence_lines, s, "X") for s in sentences]
        if any(errors):
            assert "expected text without tabs and line breaks" in str(errors)
            return
        lines = [sentence_lines(s, "X") for s in sentences]
        lines[0] = ["# newdoc = a\tb\tc", "", "# sent_id = 1", *lines[0]]
        write_conllu(path, Treebank(sentences, None, lines), trees)
        again = read_conllu(path)
        assert again.dependencies == trees
        for a, b in zip(again.sentences, sentences, strict=True):
            blank = ("_",) * len(b.forms)
            assert (a.forms, a.tags) == (b.forms, b.tags)
            assert (a.lemmas or blank) == (b.lemmas or blank)
            assert (a.fine_tags or blank) == (b.fine_tags or blank)
        assert again.lines[0][:3] == lines[0][:3]
        write_conllu(path, again, trees)
        assert read_conllu(path) == again


@given(st.lists(dependency_trees(), min_size=1, max_size=3), st.booleans(), st.data())
@few
def test_columns_of_words_and_tags(trees, with_labels, data):
    separator = data.draw(st.sampled_from(["\t", " ", "  "]))
    words = st.text(
        st.sampled_from('ab("#é' if separator == "\t" else 'ab("é'), min_size=1
    )
    if not with_labels:
        trees = [DependencyTree(t.heads) for t in trees]
    rows = [[(data.draw(words), data.draw(words)) for _ in t.heads] for t in trees]
    rows[0][0] = ("first", "word")  # says how wide the file is
    folder, path = in_file(".dep")
    with folder:
        path.write_text(
            "\n\n".join("\n".join(separator.join(r) for r in s) for s in rows)
        )
        bank = read_conllu(path)
        assert bank.dependencies is None
        assert [list(zip(s.forms, s.tags, strict=True)) for s in bank.sentences] == rows
        write_conllu(path, bank, trees)
        again = read_conllu(path)
        assert again.sentences == bank.sentences
        assert again.dependencies == trees


phrase_trees = st.recursive(
    st.builds(lambda tag, word: Tree(tag, (word,)), cells, cells),
    lambda below: st.builds(
        lambda label, children: Tree(label, tuple(children)),
        cells,
        st.lists(below, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


@given(st.lists(phrase_trees, min_size=1, max_size=3))
@few
def test_brackets(trees):
    folder, path = in_file(".mrg")
    with folder:
        error = refusal(write_brackets, path, trees)
        if error is not None:
            assert "trees: example" in error
            assert not path.exists()
            return
        again = read_brackets(path, functions=False, traces=False, roots=False)
        # Brackets in labels are written as the Penn Treebank does, and stay so.
        assert list(map(str, again)) == list(map(str, trees))
        assert [t.words() for t in again] == [t.words() for t in trees]
        write_brackets(path, again)
        assert read_brackets(path, functions=False, traces=False, roots=False) == again


@st.composite
def folds(draw):
    n = draw(st.integers(1, 12))
    sequence = draw(st.text(st.sampled_from("ACGUTNacgunRY"), min_size=n, max_size=n))
    order = draw(st.permutations(range(n)))
    pairs = [
        tuple(sorted(order[2 * k : 2 * k + 2]))
        for k in range(draw(st.integers(0, n // 2)))
    ]
    marks = [".", *"()[]{}<>"]
    text = ["."] * n
    for k, (i, j) in enumerate(pairs):
        pair = (
            (marks[1:3], marks[3:5], marks[5:7], marks[7:9])[k]
            if k < 4
            else ["Aa", "Bb"][k - 4]
        )
        text[i], text[j] = pair[0], pair[1]
    return sequence, "".join(text)


names = st.one_of(
    st.sampled_from(["", "x", "a b", ">y", "5 z", "#c", 'q"1"', "1,2"]), hostile
)


@given(st.lists(st.tuples(names, folds()), min_size=1, max_size=3), st.data())
@settings(max_examples=40)
def test_folds(records, data):
    suffix = data.draw(
        st.sampled_from([".db", ".ct", ".bpseq", ".csv", ".tsv", ".db.gz", ".CSV"])
    )
    if suffix == ".bpseq":
        records = records[:1]
    ids = [name for name, _ in records]
    X, Y = (list(column) for column in zip(*(r for _, r in records), strict=True))
    folder, path = in_file(suffix)
    with folder:
        error = refusal(write_folds, path, ids, X, Y, {"note": ids})
        if error is not None:
            assert "a name must not have line breaks" in error
            assert not path.exists()
            return
        again = read_folds(path)
        assert again.names == ids
        assert again.sequences == X
        assert [pairs_of(y, "") for y in again.folds] == [pairs_of(y, "") for y in Y]
        if "v" in suffix.lower():
            assert again.columns == {"note": ids}


@st.composite
def alignments(draw):
    letters = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
    plain = st.text("ACDE>", min_size=1, max_size=6)
    a, b = (draw(st.one_of(plain, letters)) for _ in range(2))
    y, at = [], 0
    for _ in a:
        j = draw(st.integers(at, len(b)))
        aligned = j < len(b) and draw(st.booleans())
        y.append(j if aligned else -1)
        at = j + 1 if aligned else at
    return (a, b), tuple(y)


@given(
    st.lists(st.tuples(names, names, alignments()), min_size=1, max_size=3), st.data()
)
@settings(max_examples=40)
def test_alignments(records, data):
    ids = [(m, n) for m, n, _ in records]
    X, Y = (list(column) for column in zip(*(r for _, _, r in records), strict=True))
    folder, path = in_file(
        data.draw(st.sampled_from([".fa", ".csv", ".tsv", ".fa.gz"]))
    )
    with folder:
        error = refusal(write_alignments, path, ids, X, Y)
        if error is not None:
            known = ("a name must not", "has the letter", "with '>'")
            assert any(words in error for words in known)
            assert not path.exists()
            return
        again = read_alignments(path)
        assert again.names == ids
        assert again.pairs == X
        assert again.aligned
        assert again.alignments == Y


def test_minus_lrb_minus():
    tree = Tree(
        "S", (Tree("-LRB-", ("(",)), Tree("UH", (":-)",)), Tree("-RRB-", (")",)))
    )
    assert str(tree) == "(S (-LRB- -LRB-) (UH :--RRB-) (-RRB- -RRB-))"
    assert Tree.parse(str(tree)) == tree
    with pytest.raises(
        ValueError, match="trees: example 1 has 'New York', expected labels"
    ):
        write_brackets("-", [tree, Tree("S", (Tree("N", ("New York",)),))])


@pytest.mark.parametrize("cell", ["z\rz", "z\nz", 'a"b', " x ", "x,y\r\n"])
def test_cells_of_tables_with_ends_of_lines(tmp_path, cell):
    import csv

    from pystruct_ext.io import _tables

    lines = list(_tables.table_lines(["a", "b"], [[cell, "1"]], ","))
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n", newline="")
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], [cell, "1"]]
