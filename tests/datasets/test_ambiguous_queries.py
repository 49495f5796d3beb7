"""The embedded queries keep what their documentation promises."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from pystruct_ext.datasets import load_ambiguous_queries
from pystruct_ext.io import read_ambiguous_queries

QUERIES = load_ambiguous_queries()


def test_the_set():
    assert len(QUERIES) >= 30
    assert QUERIES[0].query == "michael jordan"
    assert QUERIES[0].split == "test"
    assert len({q.query for q in QUERIES}) == len(QUERIES)
    train, test = load_ambiguous_queries("train"), load_ambiguous_queries("test")
    assert len(train) + len(test) == len(QUERIES)
    assert len(test) >= 10
    ids = [d for q in QUERIES for d in q.doc_ids]
    assert len(set(ids)) == len(ids)
    with pytest.raises(ValueError, match="split must be"):
        load_ambiguous_queries("dev")


@pytest.mark.parametrize("q", QUERIES, ids=lambda q: q.query)
def test_each_query(q):
    assert 3 <= len(q.intents) <= 8
    assert len(q) >= 30
    assert q.probabilities.sum() == pytest.approx(1)
    assert (np.diff(q.probabilities) <= 1e-12).all()
    grades = q.relevance
    assert grades.max() == 3
    assert ((grades >= 2).sum(axis=0) >= 2).all(), "an intent without two good pages"
    assert (grades.sum(axis=1) == 0).sum() >= 4, "off-topic results"
    assert ((grades > 0).sum(axis=1) >= 2).sum() >= 3, "documents of two intents"
    assert (grades[:10, 0] > 0).sum() >= 5, "the popular intent leads the page"
    texts = [f"{t} {s}" for t, s in zip(q.titles, q.snippets, strict=True)]
    assert len(set(texts)) == len(texts)
    assert all(
        t.isascii() and not re.search(r"lorem|TODO|example\.com", t) for t in texts
    )


def test_words_alone_do_not_give_the_intent():
    """1-nearest neighbour by word overlap errs often: the set is not solved by overlap."""
    wrong = total = 0
    for q in QUERIES:
        words = [
            set(re.findall(r"[a-z]{4,}", f"{t} {s}".lower()))
            for t, s in zip(q.titles, q.snippets, strict=True)
        ]
        for d in range(len(q)):
            if not q.relevance[d].any():
                continue
            overlap = [len(words[d] & w) if e != d else -1 for e, w in enumerate(words)]
            near = int(np.argmax(overlap))
            wrong += not ((q.relevance[d] > 0) & (q.relevance[near] > 0)).any()
            total += 1
    assert 0.2 < wrong / total < 0.7


def test_reading_own_files(tmp_path):
    record = {
        "query": "x",
        "results": [{"title": "a", "snippet": "b"}, {"title": "c"}],
    }
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(record) + "\n\n")
    (q,) = read_ambiguous_queries(path)
    assert q.relevance.shape == (2, 0)
    for change, message in (
        ("not json", "q.jsonl:1: not a JSON object"),
        (json.dumps({"query": "x"}), "q.jsonl:1: has no field 'results'"),
        (
            json.dumps(
                {
                    **record,
                    "intents": ["y"],
                    "results": [{"title": "a", "grades": {"z": 1}}],
                }
            ),
            "unknown intent 'z'",
        ),
        (
            json.dumps(
                {
                    **record,
                    "intents": [{"id": "z", "probability": 1}],
                    "results": [{"title": "a", "grades": {"z": -1}}],
                }
            ),
            "is -1, expected a whole number from 0 to 100",
        ),
        ("", "holds no queries"),
    ):
        path.write_text(change)
        with pytest.raises(ValueError, match=re.escape(message)):
            read_ambiguous_queries(path)
