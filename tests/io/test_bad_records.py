"""Readers of batches: one rule for bad records, and for files that are no text."""

from __future__ import annotations

import gzip
import random
import re
import warnings

import numpy as np
import pytest

from pystruct_ext import FoldingSVM
from pystruct_ext.io import (
    SkippedRecordsWarning,
    read_alignments,
    read_brackets,
    read_conll,
    read_conllu,
    read_folds,
)
from pystruct_ext.spaces import FoldingSpace

WORD = "1\t{}\t_\tN\t_\t_\t0\troot\t_\t_\n"
# Name, reader, a good file, a bad record of it, what the error says.
BAD = {
    "conll": (read_conll, "a", "a X\nb Y\n\nc Z\n", "\nbad\n", "line 6 has 1 column"),
    "conllu": (
        read_conllu,
        "a.conllu",
        "# sent_id = s1\n" + WORD.format("dogs"),
        "\n# sent_id = s2\n" + WORD.format("cats").replace("\t0\t", "\t2.9\t"),
        r"a.conllu:5: head is '2.9', expected a number",
    ),
    "columns": (
        read_conllu,
        "a.dep",
        "dogs NNS 2\nbark VB 0\n",
        "\ncats NNS 0\nmew VB 0\n",
        r"a.dep:5: words 1 and 2 both have head 0",
    ),
    "brackets": (
        read_brackets,
        "a.mrg",
        "(S (N a))\n(S (N b))\n",
        "(S (N c)\n(S (N d))\n",
        r"a.mrg:3: '\(' is never closed",
    ),
    "fasta": (
        read_folds,
        "a.fa",
        ">x\nGGGAAACCC\n(((...)))\n>y\nACGU\n....\n",
        ">empty\n>z\nACGU\n....\n",
        r"a.fa:7 \(empty\): has no sequence",
    ),
    "letters": (
        read_folds,
        "a.fa",
        ">x\nACGN\n",
        ">bad one\nAC!GU\n",
        r"a.fa:3 \(bad one\): the sequence has '!' at position 3, expected A, C, G, U",
    ),
    "ct": (
        read_folds,
        "a.ct",
        "2 x\n1 A 0 2 0 1\n2 C 1 0 0 2\n",
        "2 y\n1 GG 0 2 0 1\n2 C 1 0 0 2\n",
        r"a.ct:5 \(y\): base 1 is 'GG', expected one letter",
    ),
    "csv": (
        read_folds,
        "a.csv",
        "id,sequence,structure\nx,GAAAC,(...)\n",
        "y,GAAAC\n",
        r"a.csv:3: has 2 cells, expected 3 as in the header",
    ),
    "alignment": (
        read_alignments,
        "a.fa",
        ">a\nAC-G\n>b\nACTG\n",
        ">c\nAC\n>d\nACG\n",
        r"a.fa:5 \(c, d\): the rows differ in length, 2 and 3, but the file has gaps",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_records_are_named_or_left_out(case, tmp_path):
    read, name, good, bad, message = BAD[case]
    path = tmp_path / name
    path.write_text(good)
    n = len(read(path))
    path.write_text(good + bad)
    with pytest.raises(ValueError, match=message):
        read(path)
    with pytest.warns(SkippedRecordsWarning) as caught:
        kept = read(path, on_error="skip")
    assert len(kept) == n + (case in ("brackets", "fasta"))
    assert len(caught) == 1
    assert f": 1 of {len(kept) + 1} " in str(caught[0].message)
    if case != "conll":  # there, what most lines have is right
        assert re.search(message, str(caught[0].message))
    assert caught[0].filename == __file__
    with pytest.raises(
        ValueError, match="on_error must be 'raise' or 'skip', got 'ignore'"
    ):
        read(path, on_error="ignore")
    path.write_text(good)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(path, on_error="skip")) == n


READERS = {
    "a": read_conll,
    "a.conllu": read_conllu,
    "a.mrg": read_brackets,
    "a.db": read_folds,
    "a.ct": read_folds,
    "a.bpseq": read_folds,
    "a.csv": read_folds,
    "a.fa": read_alignments,
    "b.csv": read_alignments,
}
GOOD = {
    "a": "a X\nb Y\n",
    "a.conllu": WORD.format("dogs"),
    "a.mrg": "(S (N dogs))\n",
    "a.db": ">x\nGAAAC\n(...)\n",
    "a.ct": "1 x\n1 A 0 0 0 1\n",
    "a.bpseq": "# x\n1 A 0\n2 C 0\n",
    "a.csv": "id,sequence,structure\nx,GAAAC,(...)\n",
    "a.fa": ">a\nAC-G\n>b\nACTG\n",
    "b.csv": "id_a,a,b\nx,AC-G,ACTG\n",
}


def value(name, read, path):
    found = read(path)
    if name == "a":
        return [found.column(k) for k in range(found.n_columns)]
    if isinstance(found, list):
        return found
    return {k: v for k, v in vars(found).items() if k != "records"}


@pytest.mark.parametrize("name", READERS)
def test_encodings_and_line_ends(name, tmp_path):
    read, path, raw = READERS[name], tmp_path / name, GOOD[name].encode()
    path.write_bytes(raw)
    plain = value(name, read, path)
    lines = raw.split(b"\n")
    mixed = b"".join(
        line + (b"\r\n" if k % 2 else b"\n") for k, line in enumerate(lines[:-1])
    )
    for same in (
        b"\xef\xbb\xbf" + raw,
        raw.replace(b"\n", b"\r\n"),
        mixed,
        gzip.compress(raw),
    ):
        path.write_bytes(same)
        assert value(name, read, path) == plain
    for bad, message in (
        (raw.decode().encode("utf-16"), "is UTF-16 text, expected UTF-8"),
        (raw.decode().encode("utf-32-be"), "has a NUL byte: the file is binary, or"),
        (raw.decode().encode("utf-16-le"), "has a NUL byte: the file is binary, or"),
        (raw + b"\x89PNG\xff\0", "not UTF-8|not valid UTF-8|NUL byte"),
        (gzip.compress(raw)[:-9], "damaged gzip data"),
        (b"", "holds no|no tokens|no column|has 0 records"),
        (b"\n\n \n", "holds no|no tokens|no column|has 0 records"),
    ):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)


def refusal(read, path, mode):
    """What a file is refused with, or None."""
    try:
        read(path, on_error=mode)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", READERS)
def test_mutated_files(name, tmp_path):
    """Whatever a file holds, it is read, or refused with its name in a short message."""
    read, path, rng = READERS[name], tmp_path / name, random.Random(0)
    tokens = [bytes([c]) for c in b'\t \n()>-",#\0\xff0_.|']
    tokens += [b"9" * 30, b"\xc2\xb2", b"-1", b"2.9", b"x" * 3000]
    # Records without a mark of their own are kept apart by blank lines, or stand alone.
    times = 1 if name == "a.bpseq" else 3
    base = "\n".join(
        [GOOD[name]] * times if "\n>" not in GOOD[name] else [GOOD[name] * 3]
    )
    base = base.encode()
    n_read = 0
    for _ in range(150):
        data = bytearray(base)
        for _ in range(rng.randint(1, 4)):
            a = rng.randrange(len(data) + 1)
            b = min(len(data), a + rng.randint(0, 3))
            data[a:b] = rng.choice(tokens) * rng.randint(0, 2)
        path.write_bytes(bytes(data))
        for mode in ("raise", "skip"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SkippedRecordsWarning)
                error = refusal(read, path, mode)
            n_read += error is None
            if error is not None:
                assert error.startswith(str(path)), data
                assert len(error) < 1000 + 11 * len(str(path)), data
    assert 10 < n_read < 300


def test_folders(tmp_path):
    for name, text in (
        ("README", "hello ("),
        (".DS_Store", "\0"),
        ("notes.docx", "\0"),
        ("b/two.mrg", "(S (N two))"),
        ("a/one.mrg", "(S (N one))"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.warns(SkippedRecordsWarning) as caught:
        trees = read_brackets(tmp_path)
    assert [t.words() for t in trees] == [("one",), ("two",)]
    message = str(caught[0].message)
    assert (
        "2 files read, 3 of other names left out: .DS_Store; README; notes.docx"
        in message
    )
    with pytest.raises(ValueError, match=r"no file of this folder .* ends in .conllu"):
        read_conllu(tmp_path / "a")
    for k in range(2):
        (tmp_path / "a" / f"{k}.ct").write_text(GOOD["a.ct"].replace("x", f"m{k}"))
    with pytest.warns(
        SkippedRecordsWarning, match="1 of other names left out: one.mrg"
    ):
        assert read_folds(tmp_path / "a").names == ["m0", "m1"]


def test_nothing_of_a_treebank_is_lost(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text("# newdoc\n\n" + WORD.format("a") + "\n# end\tof\tall\n")
    assert read_conllu(path).lines == [
        ["# newdoc", "", WORD.format("a").rstrip("\n"), "", "# end\tof\tall"]
    ]
    path.write_text("a\tN\n#\tSYM\n# a\tcomment\n")
    assert read_conllu(path).sentences[0].forms == ("a", "#")
    path.write_text("a N\n# SYM\n")
    with pytest.raises(
        ValueError, match=r"a.conllu:2: begins with '#' .* Separate the cells"
    ):
        read_conllu(path)
    for text, message in (
        ("# only\n\n# comments\n", "holds no sentences"),
        ("1-2\tx\t_\t_\t_\t_\t_\t_\t_\t_\n", "has no words"),
        ("x-y\tx\t_\t_\t_\t_\t_\t_\t_\t_\n", "word id is 'x-y', expected 1"),
        (
            WORD.format("a") + "3.1\tx\t_\t_\t_\t_\t_\t_\t_\t_\n",
            "empty node 3.1 does not",
        ),
        (WORD.format("a").replace("\t_\tN", "\t\tN"), "column 3 is empty"),
        ("a\tN\t0\n\nb\tN\n", "a.conllu:3: has 2 columns, the lines before have 3"),
        ("a\tN\t0\nb\tN\t1_0\n", "a.conllu:2: head is '1_0', expected a number"),
        (
            "a\tN\t0\n\nb\tN\t_\n",
            "a.conllu:3: sentence 2 has no heads, but others have",
        ),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_conllu(path)


def test_folds_as_people_write_them(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">x\nGGG AAA CCC\n(((... ))) (-1.20)\n")
    assert read_folds(path).sequences == ["GGGAAACCC"]
    assert read_folds(path).folds == ["(((...)))"]
    path.write_text("ACGU\nGGGG\n")
    assert read_folds(path).sequences == ["ACGU", "GGGG"]
    path.write_text(">x\nGGGAAACCC\n<<<x.|>>>\n")
    with pytest.raises(ValueError, match=r"a.fa:1 \(x\): .* are these constraints"):
        read_folds(path)
    data = read_folds(path, constraints=True)
    assert data.folds is None
    assert data.constraints == ["<<<x.|>>>"]
    path.write_text(">x\nGGGAAACCC\n")
    with pytest.raises(ValueError, match="has no line of constraints"):
        read_folds(path, constraints=True)
    path.write_text(">x\nGGGAAACCC\n(((...))) hello\n")
    with pytest.raises(ValueError, match="has 'hello' after the fold"):
        read_folds(path)
    for text, message in (
        ("id,sequence,sequence\nx,A,A\n", "has a column twice"),
        ('id,sequence\nx,"A\n', "a.csv:2: unexpected end of data"),
    ):
        table = tmp_path / "a.csv"
        table.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_folds(table)


@pytest.mark.parametrize(
    "marks", ["<....", "....>", "|...>", "x<..|", "(...)", "....."]
)
def test_constraints_against_enumeration(marks):
    rng = np.random.default_rng(0)
    space = FoldingSpace(dtype="float64").fit_domain([])
    for _ in range(4):
        x = "".join(rng.choice(list("GGCCAUN"), size=11))
        text = "." * 3 + marks + "." * 3
        w = rng.normal(size=space.size_psi_)

        def fits(fold, text=text):
            allowed = {
                "x": ".",
                "|": "()",
                "<": "(",
                ">": ")",
                ".": ".()",
                "(": "(",
                ")": ")",
            }
            ends = [t for t, c in enumerate(text) if c in "()"]
            pairs = {tuple(ends)} if ends else set()
            found = {
                (i, j)
                for i, j in space_pairs(fold)
                if not ends or i in ends or j in ends
            }
            return all(c in allowed[m] for c, m in zip(fold, text, strict=True)) and (
                not ends or found == pairs
            )

        scores = {
            fold: float(w @ space.joint_feature(x, fold))
            for fold in space.enumerate(x)
            if fits(fold)
        }
        packed = (
            space.pack([x], constraints=[text])
            if "N" not in x or "(" not in marks
            else None
        )
        if packed is None or (not scores and "(" in marks):
            continue  # the user's word, also for pairs that are not canonical
        if not scores:
            with pytest.raises(ValueError, match=r"finite|no output"):
                space.bind(packed).argmax(w, 0, 0.0)
            continue
        code = space.bind(packed).argmax(w, 0, 0.0)
        assert space.output_of(code.tolist(), packed, 0) == max(scores, key=scores.get)


def space_pairs(fold):
    stack, found = [], []
    for t, c in enumerate(fold):
        if c == "(":
            stack.append(t)
        elif c == ")":
            found.append((stack.pop(), t))
    return found


def test_unknown_bases_stay_free_and_name_nothing():
    model = FoldingSVM(C=1.0).fit(["GGGAAAACCC"], ["(((....)))"])
    assert model.predict(["GGGANAACCC", "gggrrrrccc"]) == ["(((....)))"] * 2
    assert model.predict(["NNNNNNNNNN"]) == [".........."]
    space = model.space_
    known, unknown = (
        space.joint_feature(x, "(((....)))") for x in ("GGGAAAACCC", "GGGNNNNCCC")
    )
    lost = {
        n for n, a, m in space.feature_groups() if (known - unknown)[a : a + m].any()
    }
    # The lone hairpin and its mismatch; the energy is that of the rest.
    assert lost == {"hairpin_mismatch", "hairpin4", "energy"}
    with pytest.warns(UserWarning, match="1 of their pairs were dropped"):
        FoldingSVM().fit(["GGNAAAACCC"], ["(((....)))"])
    with pytest.raises(
        ValueError, match="positions 3 and 8, one of which is a base of unknown"
    ):
        model.predict(["GGNAAAACCC"], constraints=["..(....).."])
    with pytest.raises(ValueError, match="X: example 1 has 'X' at position 2"):
        model.predict(["ACGU", "AXGU"])
