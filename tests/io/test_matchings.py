"""Files of matching problems and of word alignments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from pystruct_ext.io import (
    SkippedRecordsWarning,
    format_pharaoh,
    parse_pharaoh,
    read_matchings,
    read_pharaoh,
    read_word_alignments,
    write_matchings,
    write_pharaoh,
)
from pystruct_ext.outputs import Links, MatchingProblem


def test_problems_come_back(tmp_path):
    path = tmp_path / "m.jsonl.gz"
    X = [
        MatchingProblem(np.arange(12.0).reshape(2, 3, 2), row_names=["a", "b"]),
        MatchingProblem(
            [[0.1, 1e-17], [2.0, 3.0]], (4, 9), [(3, 8), (0, 2)],
            row_capacity=2, column_capacity=[1] * 9,
        ),
    ]  # fmt: skip
    Y = [Links([(0, 1)], [(1, 1)]), [(3, 8)]]
    write_matchings(path, X, Y, ["x", "y"])
    data = read_matchings(path)
    assert data.ids == ["x", "y"]
    assert data.links == [Y[0], Links([(3, 8)])]
    for a, b in zip(X, data.problems, strict=True):
        assert a.shape == b.shape
        np.testing.assert_array_equal(a.pairs, b.pairs)
        np.testing.assert_array_equal(a.features, b.features)
    np.testing.assert_array_equal(data.problems[1].row_capacity, [2, 2, 2, 2])
    assert data.problems[0].row_names == ["a", "b"]
    matrix = sparse.csr_array([[0.0, 2.0]])
    write_matchings(path, [MatchingProblem(matrix, (1, 1), [(0, 0)])])
    assert read_matchings(path).problems[0].features == [{"1": 2.0}]
    assert read_matchings(path).links is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", "expected a JSON object"),
        ('{"features": [[[1]]], "feature": 1}', "has the field 'feature'"),
        ('{"links": []}', "has no field 'features'"),
        ('{"features": [[[1], [2, 3]]]}', "vectors of the same number"),
        ('{"features": [[[1]]], "links": [[0, 1]]}', "links row 0 with column 1"),
        ('{"features": [[[1]]], "links": [[0]]}', "has the link"),
        ('{"features": [[1]], "pairs": [[0, 0]]}', "shape must be"),
        ('{"features": [[1]], "pairs": [[0, 5]], "shape": [1, 2]}', "pairs has"),
        (
            '{"features": [[1]], "pairs": [[0, 0]], "shape": [1, 99999999999]}',
            "shape must",
        ),
        ('{"features": [[[NaN]]]}', "NaN"),
        ('{"features": [[[1]]], "row_capacity": "a"}', "row_capacity"),
        ("{", "not a JSON object"),
    ],
)
def test_bad_problems_are_named_or_left_out(tmp_path, line, message):
    path = tmp_path / "m.jsonl"
    path.write_text('{"features": [[[1]]], "links": []}\n' + line + "\n")
    with pytest.raises(ValueError, match=rf"m.jsonl:2: .*{message}"):
        read_matchings(path)
    with pytest.warns(SkippedRecordsWarning, match="1 of 2 matching problems left out"):
        assert len(read_matchings(path, "skip")) == 1


def test_pharaoh(tmp_path):
    path = tmp_path / "a.align"
    links = [Links([(0, 0), (10, 2)], [(1, 1)]), Links([]), Links([(3, 4)])]
    write_pharaoh(path, links)
    assert path.read_text() == "0-0 1p1 10-2\n\n3-4\n"
    assert read_pharaoh(path) == links
    assert parse_pharaoh("1?2 0-0") == Links([(0, 0)], [(1, 2)])
    assert format_pharaoh([]) == ""
    path.write_text("0-0\n0-0 0-0\n1:2\n")
    with pytest.raises(
        ValueError, match=r"a.align:2: sure has the link \(0, 0\) twice"
    ):
        read_pharaoh(path)
    with pytest.warns(SkippedRecordsWarning, match="2 of 3 lines of links"):
        assert read_pharaoh(path, "skip") == [Links([(0, 0)]), Links([]), Links([])]


def test_word_alignments(tmp_path):
    path = tmp_path / "w.jsonl"
    path.write_text(
        '{"src_words": ["a", "b"], "tgt_words": ["c"], "alignment": [[1, 0]], "id": 3}\n\n'
    )
    data = read_word_alignments(path)
    assert data.pairs == [(["a", "b"], ["c"])]
    assert data.links == [Links([(1, 0)])]
    path.write_text('{"src_words": ["a"], "tgt_words": ["c"], "alignment": [[1, 0]]}\n')
    with pytest.raises(
        ValueError, match=r"w.jsonl:1: links word 1 with word 0, but the sent"
    ):
        read_word_alignments(path)
    path.write_text('{"src_words": "a", "tgt_words": []}\n')
    with pytest.raises(ValueError, match="src_words must be a list of words"):
        read_word_alignments(path)
