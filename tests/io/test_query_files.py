"""LETOR, TREC and AMBIENT files."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_svmlight_file

from pystruct_ext import io as files

DATA = Path(
    os.environ.get("PYSTRUCT_EXT_DATA", Path(__file__).parents[3] / "shared" / "data")
)


def folder(name):
    if not (DATA / name).is_dir():
        pytest.skip(
            f"benchmark data {name!r} not found in {DATA}: set PYSTRUCT_EXT_DATA"
        )
    return DATA / name


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.integers(1, 9),
            st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
        ),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_letor_round_trip(tmp_path_factory, rows, packed):
    path = tmp_path_factory.mktemp("letor") / ("a.txt.gz" if packed else "a.txt")
    X = np.array([r[2] for r in rows])
    files.write_letor(
        path, X, [r[0] for r in rows], [r[1] for r in rows], ["docid = d"] * len(rows)
    )
    data = files.read_letor(path, 3)
    np.testing.assert_array_equal(data.X, X)
    assert data.y.tolist() == [r[0] for r in rows]
    assert data.qid.tolist() == [r[1] for r in rows]
    assert data.comments == ["docid = d"] * len(rows)
    with pytest.warns(UserWarning, match="query ids occur in two files"):
        wide = files.read_letor([path, path], 3, sparse_output=True)
    assert sparse.issparse(wide.X)
    assert wide.X.shape == (2 * len(rows), 3)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 1:0.5", "expected qid:ID"),
        ("x qid:1 1:0.5", "grade 'x' is not a number"),
        ("-1 qid:1 1:0.5", "grade is -1, expected a number >= 0"),
        ("1 qid:1 0:0.5", "indices must start at 1"),
        ("1 qid:1 2:0.5 2:1", "indices must start at 1 and increase"),
        ("1 qid:1 1:nan", "NaN or infinite"),
        ("1 qid:1 1:a", "INDEX:VALUE"),
        ("1 qid:1 1", "INDEX:VALUE"),
        ("1 qid:1 1:2:3 4", "INDEX:VALUE"),
    ],
)
def test_letor_errors_name_the_line(tmp_path, line, message):
    path = tmp_path / "bad.txt"
    path.write_text(f"0 qid:1 1:1 # fine\n\n{line}\n")
    with pytest.raises(ValueError, match=rf"bad\.txt:3: .*{message}"):
        files.read_letor(path)


def test_letor_streams_by_query(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("0 qid:a 1:1\n2 qid:a 3:1\n1 qid:b 1:2\n")
    parts = list(files.iter_letor(path))
    assert [(q, X.shape, y.tolist()) for q, X, y in parts] == [
        ("a", (2, 3), [0, 2]),
        ("b", (1, 1), [1]),
    ]
    path.write_text("0 qid:a 1:1\n1 qid:b 1:2\n0 qid:a 1:1\n")
    with pytest.raises(ValueError, match="query a appears again"):
        list(files.iter_letor(path))
    with pytest.raises(ValueError, match="no documents"):
        path.write_text("\n")
        files.read_letor(path)


@pytest.mark.data
def test_mq2008_equals_scikit_learns_reader():
    path = folder("letor-mq2008") / "S1.txt.gz"
    ours = files.read_letor(path, 46)
    with gzip.open(path) as file:
        X, y, qid = load_svmlight_file(file, n_features=46, query_id=True)
    np.testing.assert_array_equal(ours.X, X.toarray())
    np.testing.assert_array_equal(ours.y, y)
    np.testing.assert_array_equal(ours.qid, qid)
    assert len(np.unique(qid)) == 157


def test_runs_and_judgements_round_trip(tmp_path):
    run = {"1": [("b", 2.5), ("a", 2.5), ("c", -1.0)], "2": [("a", 0.1)]}
    files.write_run(tmp_path / "run", run)
    assert files.read_run(tmp_path / "run") == run
    qrels = {"1": {"a": 1, "b": -2}, "2": {"c": 0}}
    files.write_qrels(tmp_path / "qrels", qrels)
    assert files.read_qrels(tmp_path / "qrels") == qrels
    diverse = {"1": {"1": {"a": 2, "b": -2}, "2": {"a": 0}}}
    files.write_diversity_qrels(tmp_path / "d.gz", diverse)
    assert files.read_diversity_qrels(tmp_path / "d.gz", clip=False) == diverse
    assert files.read_diversity_qrels(tmp_path / "d.gz")["1"]["1"]["b"] == 0


def test_trec_errors_name_the_line(tmp_path):
    path = tmp_path / "f"
    path.write_text("1 Q0 a 1 2.0 t\n1 Q0 a 2 1.0 t\n")
    with pytest.raises(ValueError, match="f:2: document a occurs twice"):
        files.read_run(path)
    path.write_text("1 Q0 a 1\n")
    with pytest.raises(ValueError, match="f:1: 4 columns, expected 6"):
        files.read_run(path)
    path.write_text("1 0 a 1\n1 0 a 2\n")
    with pytest.raises(ValueError, match="f:2: document a has two grades"):
        files.read_qrels(path)
    path.write_text("1 0 a x\n")
    with pytest.raises(ValueError, match="grade 'x'"):
        files.read_qrels(path)
    with pytest.raises(ValueError, match="trec_eval would reorder"):
        files.write_run(path, {"1": [("a", 1.0), ("b", 2.0)]})
    assert path.read_text() == "1 0 a x\n", "a failed write leaves the file alone"
    path.write_text("<a>")
    with pytest.raises(ValueError, match="not well-formed"):
        files.read_topics(path)


@pytest.mark.data
def test_trec_web_counts():
    root = folder("trec-web-diversity")
    counts = {"2009": (50, 50, 243), "2012": (50, 50, 195)}
    for year, (topics, judged, subtopics) in counts.items():
        found = files.read_topics(root / f"{year}.topics.xml")
        assert len(found) == topics
        assert sum(len(t.subtopics) for t in found) == subtopics
        assert (
            len(files.read_diversity_qrels(root / f"{year}.diversity-qrels.txt.gz"))
            == judged
        )
    run = files.read_run(root / "2012.run-indri-ql-cata-filtered.txt.gz")
    assert sum(map(len, run.values())) == 8060


def test_ambient_format(tmp_path):
    (tmp_path / "topics.txt").write_text("ID\tdescription\n1\tjordan\n")
    (tmp_path / "subTopics.txt").write_text("ID\td\n1.1\tplayer\n1.2\triver\n")
    (tmp_path / "results.txt").write_text(
        "ID\turl\ttitle\tsnippet\n1.2\tu2\tB &amp;amp; C\tx <b>y</b>\n1.1\tu1\tA\t\n"
    )
    rel = tmp_path / "STRel.txt"
    rel.write_text("sub\tres\n1.1\t1.2\n")
    (topic,) = files.read_ambient(tmp_path)
    assert topic.titles == ["A", "B & C"]
    assert topic.snippets == ["", "x y"]
    assert topic.intents == ["player"]
    assert topic.relevance.tolist() == [[0], [1]]
    (whole,) = files.read_ambient(tmp_path, all_subtopics=True)
    assert whole.relevance.shape == (2, 2)
    rel.write_text("sub\tres\n1.9\t1.2\n")
    with pytest.raises(ValueError, match="unknown subtopic"):
        files.read_ambient(tmp_path)


@pytest.mark.data
def test_ambient_counts():
    topics = files.read_ambient(folder("ambient"))
    assert len(topics) == 44
    assert sum(len(t.titles) for t in topics) == 4400
    assert sum(len(t.intents) for t in topics) == 349
    assert sum(int(t.relevance.sum()) for t in topics) == 2257


def test_damaged_or_treacherous_files(tmp_path):
    path = tmp_path / "a.txt.gz"
    with pytest.raises(ValueError, match="document 0 has a line break"):
        files.write_letor(path, [[1.0]], [1], [1], ["a\n9 qid:9 1:9"])
    files.write_letor(path, np.ones((50, 3)), np.ones(50), np.arange(50))
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ValueError, match="damaged gzip data"):
        files.read_letor(path)
    path.write_text("1 Q0 a 1 nan t\n")
    with pytest.raises(ValueError, match=r"a\.txt\.gz:1: the score is NaN"):
        files.read_run(path)
