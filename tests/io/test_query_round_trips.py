"""What the writers of query files write, the readers read; what they refuse has a line."""

from __future__ import annotations

import html
import json
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from pystruct_ext import io as files
from pystruct_ext.outputs.rankings import RankedRows

# Fixtures are only a place to write to.
quick = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=1,
    max_size=12,
).filter(lambda s: s.strip())
words = text.map(lambda s: "_".join(s.split()))
finite = st.floats(allow_nan=False, allow_infinity=False)


def unique_dict(keys, values, **sizes):
    return st.dictionaries(keys, values, min_size=1, max_size=4, **sizes)


@given(data=st.data(), packed=st.booleans())
@quick
def test_letor(tmp_path, data, packed):
    n = data.draw(st.integers(1, 6))
    ids = st.one_of(
        st.lists(st.integers(-3, 12), min_size=n, max_size=n),
        st.lists(
            st.sampled_from(["1", "01", "1.0", "-0", "1e3", "²"]),
            min_size=n,
            max_size=n,
        ),
        st.lists(words.filter(lambda s: "#" not in s), min_size=n, max_size=n),
    )
    qid = data.draw(ids)
    X = np.array(
        [data.draw(st.lists(finite, min_size=3, max_size=3)) for _ in range(n)]
    )
    y = data.draw(st.lists(st.floats(0, 1e6), min_size=n, max_size=n))
    line = st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0")
    )
    comments = data.draw(st.lists(line, min_size=n, max_size=n))
    path = tmp_path / ("a.txt.gz" if packed else "a.txt")
    files.write_letor(path, sparse.csr_array(X) if packed else X, y, qid, comments)
    back = files.read_letor(path, 3)
    np.testing.assert_array_equal(back.X, X)
    assert back.y.tolist() == y
    assert list(map(str, back.qid.tolist())) == list(map(str, qid))
    assert back.comments == [c.strip() for c in comments]
    if all(isinstance(q, int) for q in qid):
        assert back.qid.dtype == np.int64
    order = list(dict.fromkeys(map(str, qid)))
    if list(map(str, qid)) == sorted(map(str, qid), key=order.index):
        parts = list(files.iter_letor(path))
        assert [q for q, _, _ in parts] == order
        assert np.concatenate([grades for _, _, grades in parts]).tolist() == y


@given(
    run=unique_dict(words, unique_dict(words, st.floats(allow_nan=False))), tag=words
)
@quick
def test_runs(tmp_path, run, tag):
    ranked = {
        q: sorted(
            sorted(docs.items(), reverse=True), key=lambda item: item[1], reverse=True
        )
        for q, docs in run.items()
    }
    # Ties in any order are written as they will be read.
    mixed = {
        q: sorted(docs, key=lambda item: (-item[1], item[0]))
        for q, docs in ranked.items()
    }
    files.write_run(tmp_path / "run", mixed, tag)
    assert files.read_run(tmp_path / "run") == ranked


@given(qrels=unique_dict(words, unique_dict(words, st.integers(-3, 9))))
@quick
def test_judgements(tmp_path, qrels):
    files.write_qrels(tmp_path / "q", qrels)
    assert files.read_qrels(tmp_path / "q") == qrels
    diverse = {"7": qrels}
    files.write_diversity_qrels(tmp_path / "d", diverse)
    assert files.read_diversity_qrels(tmp_path / "d", clip=False) == diverse


@st.composite
def queries(draw):
    out, seen = [], set()
    for i in range(draw(st.integers(1, 3))):
        names = draw(st.lists(text, max_size=3, unique=True))
        results = [
            {
                "id": f"{i}-{d}",
                "title": draw(text),
                "snippet": draw(st.just("") | text),
                "grades": {n: draw(st.integers(0, 3)) for n in names},
            }
            for d in range(draw(st.integers(1, 4)))
        ]
        served = [n for n in names if any(r["grades"][n] for r in results)]
        given_p = served and draw(st.booleans())
        intents = [
            {"id": n, "description": draw(st.just("") | text)}
            | ({"probability": (n in served) / len(served)} if given_p else {})
            for n in names
        ]
        query = draw(text)
        record = {
            "query": query,
            "results": results,
            "intents": intents,
            "split": "dev",
        }
        if draw(st.booleans()) or "_".join(query.split()) in seen:
            record["id"] = f"q{i}"
        seen.add("_".join(query.split()))
        out.append(record)
    return out


def same(a, b):
    assert set(vars(a)) == set(vars(b))
    for name, value in vars(a).items():
        np.testing.assert_array_equal(value, getattr(b, name), err_msg=name)


@given(records=queries(), packed=st.booleans())
@quick
def test_ambiguous_queries(tmp_path, records, packed):
    path = tmp_path / ("q.jsonl.gz" if packed else "q.jsonl")
    asked = files.ambiguous_queries(records)
    files.write_ambiguous_queries(path, asked)
    for a, b in zip(asked, files.read_ambiguous_queries(path), strict=True):
        same(a, b)
    if not packed:
        path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
        for a, b in zip(asked, files.read_ambiguous_queries(path), strict=True):
            same(a, b)
    for q, record in zip(asked, records, strict=True):
        assert q.query == record["query"]
        for d, result in enumerate(record["results"]):
            assert (
                dict(zip(q.intents, q.relevance[d].tolist(), strict=True))
                == (result["grades"])
            )
        if len(q.intents):
            assert q.probabilities.sum() == pytest.approx(1)


@given(records=queries())
@quick
def test_tables_are_the_same_queries(records):
    pd = pytest.importorskip("pandas")
    rows = []
    for i, record in enumerate(records):
        for r in record["results"]:
            # A row per intent, as judgements are kept; a result without keeps its row.
            for name, grade in r["grades"].items() or [(None, None)]:
                p = {n["id"]: n.get("probability") for n in record["intents"]}.get(name)
                rows.append(
                    {
                        "query_id": f"id{i}",
                        "query": record["query"],
                        "id": r["id"],
                        "title": r["title"],
                        "snippet": r["snippet"],
                        "intent": name,
                        "grade": grade,
                        "probability": p,
                    }
                )
    tables = files.ambiguous_queries(pd.DataFrame(rows))
    dicts = files.ambiguous_queries(
        [{**r, "id": f"id{i}", "split": "train"} for i, r in enumerate(records)]
    )
    for a, b in zip(tables, dicts, strict=True):
        assert (a.query, a.query_id, a.doc_ids) == (b.query, b.query_id, b.doc_ids)
        assert (a.titles, a.snippets, a.intents) == (b.titles, b.snippets, b.intents)
        np.testing.assert_array_equal(a.relevance, b.relevance)
        np.testing.assert_allclose(a.probabilities, b.probabilities)


def escaped(value):
    """As AMBIENT has it: entities, some escaped twice."""
    return " ".join(html.escape(html.escape(value)).split()) or "x"


def write_ambient(folder, topics):
    tables = {n: ["header\tline"] for n in ("topics", "subTopics", "results", "STRel")}
    for t, (query, subtopics, results, relevant) in enumerate(topics, 1):
        tables["topics"].append(f"{t}\t{query}")
        for s, name in enumerate(subtopics, 1):
            tables["subTopics"].append(f"{t}.{s}\t{escaped(name)}")
        for r, (title, snippet) in enumerate(results, 1):
            tables["results"].append(
                f"{t}.{r}\thttp://a\t{escaped(title)}\t{escaped(snippet)}"
            )
        for s, r in sorted(relevant):
            if s <= len(subtopics) and r <= len(results):
                tables["STRel"].append(f"{t}.{s}\t{t}.{r}")
    for name, lines in tables.items():
        (folder / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")


plain = st.text("abc<&>;# é", min_size=1, max_size=8).filter(lambda s: s.strip())


@given(
    topics=st.lists(
        st.tuples(
            st.text("ab ", min_size=1).filter(lambda s: s.strip()),
            st.lists(plain, max_size=3),
            st.lists(st.tuples(plain, plain), min_size=1, max_size=4),
            st.sets(st.tuples(st.integers(1, 3), st.integers(1, 4))),
        ),
        min_size=1,
        max_size=3,
    )
)
@quick
def test_ambient(tmp_path, topics):
    write_ambient(tmp_path, topics)
    found = files.read_ambient(tmp_path, all_subtopics=True)
    for t, (topic, (query, subtopics, results, relevant)) in enumerate(
        zip(found, topics, strict=True), 1
    ):
        assert (topic.topic_id, topic.query) == (str(t), query)
        assert topic.doc_ids == [f"{t}.{r + 1}" for r in range(len(results))]
        assert len(topic.intents) == len(subtopics)
        for title, (own, _) in zip(topic.titles, results, strict=True):
            # Tags are taken out, nothing else is lost.
            assert title == " ".join(
                re.sub(
                    r"<[^>]*>", " ", html.unescape(html.unescape(escaped(own)))
                ).split()
            )
        truth = np.zeros((len(results), len(subtopics)), dtype=int)
        for s, r in relevant:
            if s <= len(subtopics) and r <= len(results):
                truth[r - 1, s - 1] = 1
        np.testing.assert_array_equal(topic.relevance, truth)


# Mutated files: read, or refused in one message that begins with the file.

JSONL = (
    '{"query": "a b", "intents": [{"id": "x", "probability": 0.25}, {"id": "y", '
    '"probability": 0.75}], "results": [{"id": "d1", "title": "t", "grades": {"x": 3}}, '
    '{"id": "d2", "title": "u", "snippet": "s", "grades": {"y": 1}}]}\n'
    '{"query": "c", "results": ["t", {"text": "u", "grades": ["z"]}]}\n'
)
TOPICS = (
    '<?xml version="1.0"?>\n<w>\n<topic number="1" type="faceted"><query>a b</query>\n'
    '<description>d</description><subtopic number="1" type="nav">s</subtopic>\n'
    "</topic>\n</w>\n"
)
READERS = {
    "letor": (
        files.read_letor,
        "2 qid:10 1:0.5 3:-1e-2 # docid = a\n0 qid:11 2:7 # b\n",
    ),
    "iter": (lambda p: list(files.iter_letor(p)), "1 qid:1 1:0.5\n0 qid:2 2:7 # b\n"),
    "run": (files.read_run, "1 Q0 a 1 2.5 t\n1 Q0 b 2 1.5 t\n2 Q0 a 1 0.5 t\n"),
    "qrels": (files.read_qrels, "1 0 a 1\n1 0 b 0\n2 0 a -2\n"),
    "diversity": (files.read_diversity_qrels, "1 1 a 1\n1 2 b 0\n2 1 a -2\n"),
    "topics": (files.read_topics, TOPICS),
    "jsonl": (files.read_ambiguous_queries, JSONL),
}
TOKENS = [
    *(
        "",
        " ",
        "\t",
        "\n",
        "\r",
        "\x00",
        "\u2028",
        "nan",
        "inf",
        "-1",
        "1e999",
        "1_0",
        "qid:",
    ),
    *(
        "9" * 30,
        "9" * 5000,
        "#",
        ":",
        '"',
        "{",
        "}",
        "[",
        "]",
        "null",
        "true",
        "é",
        "²",
    ),
    *(
        "0",
        "01",
        "1.5",
        "<",
        ">",
        "&",
        "[" * 100_000,
        '"query":',
        '"\\ud800"',
        "\ufffe",
    ),
]


@st.composite
def mutations(draw):
    """Where to cut, how much to take out, and what to put there; several times."""
    one = st.tuples(st.floats(0, 1), st.integers(0, 6), st.sampled_from(TOKENS))
    return draw(st.lists(one, min_size=1, max_size=4)), draw(st.binary(max_size=2))


def mutated(whole, change):
    steps, raw = change
    for at, out, token in steps:
        cut = int(at * len(whole))
        whole = whole[:cut] + token + whole[cut + out :]
    data = whole.encode()
    return data[: len(data) // 2] + raw + data[len(data) // 2 :]


def refusal(read, path):
    """The message of the error with which a file is refused, or None."""
    try:
        read(path)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", READERS)
@given(change=mutations())
@settings(quick, max_examples=60)
def test_mutated_files_are_read_or_refused(tmp_path, name, change):
    read, whole = READERS[name]
    path = tmp_path / "file"
    path.write_bytes(mutated(whole, change))
    message = refusal(read, path)
    if message is not None:
        assert re.match(re.escape(str(path)) + r"(:\d+)?: ", message)
        assert len(message) < 1000


@given(
    change=mutations(),
    name=st.sampled_from(["topics", "subTopics", "results", "STRel"]),
)
@settings(quick, max_examples=60)
def test_mutated_ambient_folders_are_read_or_refused(tmp_path, name, change):
    topics = [("a", ["s", "t"], [("x", "y"), ("z", "")], {(1, 1), (2, 2)})]
    write_ambient(tmp_path, topics)
    path = tmp_path / f"{name}.txt"
    path.write_bytes(mutated(path.read_text(), change))
    message = refusal(files.read_ambient, tmp_path)
    if message is not None:
        assert re.match(re.escape(str(tmp_path)) + r"/\w+\.txt(:\d+)?: ", message)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: files.write_run(p, {"a b": [("d", 1)]}), "query 'a b' has blanks"),
        (
            lambda p: files.write_run(p, {"a": [("d 1", 1)]}),
            "document 'd 1' has blanks",
        ),
        (lambda p: files.write_run(p, {"a": [("", 1)]}), "document '' is empty"),
        (lambda p: files.write_run(p, {"a": [("d", 1)]}, "my run"), "the tag 'my run'"),
        (lambda p: files.write_run(p, {"a": [("d", np.nan)]}), "score of d is NaN"),
        (lambda p: files.write_run(p, {"a": [("d", 2), ("d", 1)]}), "d occurs twice"),
        (lambda p: files.write_run(p, {"a": []}), "'a' has no documents"),
        (
            lambda p: files.write_run(p, {1: [("d", 1)], "1": [("d", 1)]}),
            "'1' is there",
        ),
        (
            lambda p: files.write_run(
                p, RankedRows([np.array([0])] * 2, ["q", "q"], [np.ones(1)] * 2)
            ),
            "query q is ranked twice",
        ),
        (
            lambda p: files.write_run(p, [np.array([0, 1])], qid=["q", "r"]),
            "belong to other queries",
        ),
        (
            lambda p: files.write_run(p, {"q": [("d", 1)]}, qid=[1]),
            "qid and doc_ids are",
        ),
        (
            lambda p: files.write_qrels(p, {"a": {"d d": 1}}),
            "document 'd d' has blanks",
        ),
        (lambda p: files.write_qrels(p, {"a": {"d": 1.5}}), "grade 1.5 is not a whole"),
        (lambda p: files.write_diversity_qrels(p, {"1": {"i j": {"d": 1}}}), "'i j'"),
        (lambda p: files.write_diversity_qrels(p, {"1": {"i": {}}}), "no documents"),
        (lambda p: files.write_letor(p, [[1.0]], [1], ["a b"]), "qid: .* 'a b'"),
        (lambda p: files.write_letor(p, [[1.0]], [1], ["a#"]), "qid: .* 'a#'"),
        (lambda p: files.write_letor(p, [[1.0]], [-1], [1]), "relevance of document 0"),
        (
            lambda p: files.write_letor(p, [[np.nan]], [1], [1]),
            "feature 0 of document 0",
        ),
        (lambda p: files.write_letor(p, [[1j]], [1], [1]), "real numbers"),
        (lambda p: files.write_letor(p, [[1.0]], [1], [1], ["a\n"]), "line break"),
        (lambda p: files.write_letor(p, [[1.0]], [1], [1], []), "0 for 1 documents"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, write, message):
    path = tmp_path / "out"
    path.write_text("as it was")
    with pytest.raises(ValueError, match=message):
        write(path)
    assert path.read_text() == "as it was"


def test_a_writer_changes_no_matrix(tmp_path):
    X = sparse.csr_array(
        (np.array([1.0, 2.0, 3.0]), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 3)
    )
    files.write_letor(tmp_path / "a", X, [1], [1])
    assert X.indices.tolist() == [2, 0, 2]
    assert files.read_letor(tmp_path / "a").X.tolist() == [[2.0, 0.0, 4.0]]


def test_zeros_before_an_id_are_part_of_it(tmp_path):
    path = tmp_path / "a"
    path.write_text("1 qid:01 1:1\n0 qid:1 1:2\n")
    assert files.read_letor(path).qid.tolist() == ["01", "1"]
    path.write_text("1 qid:10 1:1\n0 qid:9 1:2\n")
    assert files.read_letor(path).qid.tolist() == [10, 9]


def test_byte_order_marks_are_left_out(tmp_path):
    for name, (read, whole) in READERS.items():
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + whole.encode())
        read(tmp_path / name)


def test_wide_features_are_meant_or_refused(tmp_path):
    path = tmp_path / "a"
    path.write_text("1 qid:1 1:1\n0 qid:1 400000000:1\n")
    with pytest.raises(
        ValueError, match="a:2: feature index 400000000 is beyond 16777216"
    ):
        files.read_letor(path, sparse_output=True)
    wide = files.read_letor(path, 400_000_000, sparse_output=True)
    assert wide.X.shape == (2, 400_000_000)
    with pytest.raises(ValueError, match=r"need 6\.4 GB as a dense array; pass sparse"):
        files.read_letor(path, 400_000_000)
    with pytest.raises(ValueError, match="n_features must be"):
        files.read_letor(path, 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"query": "a", "results": []}', "has no results"),
        ('{"query": 1.5, "results": ["t"]}', "query is 1.5, expected text"),
        ('{"query": " ", "results": ["t"]}', "query is ' ', expected text"),
        ('{"results": ["t"]}', "has no field 'query'"),
        ('{"query": "a", "results": "t"}', "results must be a list, got str"),
        ('{"query": "a", "results": [1]}', "result 0 is a int, expected a title"),
        ('{"query": "a", "results": [{"snippet": "s"}]}', "result 0 has no title"),
        ('{"query": "a", "query": "b", "results": ["t"]}', "'query' occurs twice"),
        ('{"query": "a b", "results": ["t"]}', "name 'a_b' of .*:1; .* id each"),
        ('{"query": "a_b", "results": ["t"]}', "name 'a_b' of .*:1"),
        (
            '{"query": "a", "results": [{"id": 1, "title": "t"}, {"id": "1", "title": "u"}]}',
            "results 0 and 1 have one id, '1'",
        ),
        (
            '{"query": "a", "intents": ["x", "x"], "results": ["t"]}',
            "intent 'x' occurs twice",
        ),
        (
            '{"query": "a", "intents": {"x": 0.5, "y": 0.2}, "results": ["t"]}',
            "sum to 0.7, expected 1",
        ),
        (
            '{"query": "a", "intents": [{"id": "x", "probability": NaN}], "results": ["t"]}',
            "intent 0: the probability is nan",
        ),
        (
            '{"query": "a", "intents": [{"id": "x", "probability": 1}, "y"], '
            '"results": ["t"]}',
            "'y' has no probability but others have",
        ),
        (
            '{"query": "a", "intents": {"x": 0.5, "y": 0.5}, '
            '"results": [{"title": "t", "grades": ["x"]}]}',
            "'y' has probability 0.5 but no relevant result",
        ),
        (
            '{"query": "a", "results": [{"title": "t", "grades": {"x": true}}]}',
            "grade for 'x' is True, expected a whole number",
        ),
        ('{"query": "\\ud800", "results": ["t"]}', "not valid text"),
        ("[" * 50_000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "integer"),
    ],
)
def test_errors_of_queries_name_the_line(tmp_path, line, message):
    path = tmp_path / "q.jsonl"
    path.write_text(f'{{"query": "a b", "results": ["t"]}}\n\n{line}\n')
    with pytest.raises(ValueError, match=rf"q\.jsonl:3: .*{message}"):
        files.read_ambiguous_queries(path)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({"query": "a"}, TypeError, "pass \\[query\\]"),
        ("q.jsonl", TypeError, "read_ambiguous_queries"),
        (iter([]), TypeError, "can be read only once"),
        ([3], TypeError, "X: element 0 must be a dict"),
        ([{"query": "a"}], ValueError, "X: element 0: has no field 'results'"),
        (
            [{"query": "a", "results": ["t"]}] * 2,
            ValueError,
            "X: element 1: the query 'a' has the name 'a' of X: element 0",
        ),
    ],
)
def test_errors_of_dicts_name_the_element(data, error, message):
    with pytest.raises(error, match=message):
        files.ambiguous_queries(data)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"query": ["a"]}, "must have the columns query and title"),
        ({"query": ["a", None], "title": ["t", "u"]}, "row 1 has no query"),
        (
            {"query": ["a", "b", "a"], "title": ["t", "u", "v"]},
            "rows 0 and 2 are both of the query 'a'",
        ),
        (
            {"query": ["a"], "title": [None]},
            "query 'a', rows 0 to 0: result 0 has no title",
        ),
        (
            {"query": ["a"], "title": ["t"], "grade": [1]},
            "'grade' needs a column 'intent'",
        ),
        (
            {"query": ["a"], "title": ["t"], "intent": ["x"], "grade": [1.5]},
            "grade for 'x' is 1.5",
        ),
        (
            {"query": "aa", "title": "tt", "id": "11", "intent": "xx", "grade": [1, 2]},
            "row 1 gives its result a second grade for 'x': 2, was 1",
        ),
        (
            {"query": "aa", "title": "tt", "intent": "xx", "probability": [1.0, 0.5]},
            "row 1 gives the intent 'x' the probability 0.5, was 1",
        ),
        (
            {"query": "aa", "title": "tu", "id": "11"},
            "rows 0 and 1 are of one result but differ in 'title'",
        ),
        (
            {"query": "ab", "title": "tu", "query_id": "11"},
            "rows 0 and 1 are of one query but differ in 'query'",
        ),
        ({"query": [], "title": []}, "holds no rows"),
    ],
)
def test_errors_of_tables_name_the_rows(columns, message):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({k: list(v) for k, v in columns.items()})
    with pytest.raises(ValueError, match=message):
        files.ambiguous_queries(frame)


def test_queries_of_one_text_with_ids_stay_two():
    records = [{"query": "a", "id": f"q{i}", "results": ["t"]} for i in range(2)]
    assert [q.query_id for q in files.ambiguous_queries(records)] == ["q0", "q1"]
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {"query": ["a"] * 4, "title": list("tutu"), "query_id": [1, 2, 1, 2]}
    )
    assert [q.titles for q in files.ambiguous_queries(frame)] == [
        ("t", "t"),
        ("u", "u"),
    ]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        (
            "results",
            "1.1\tu\tt\ts\n1.1\tu\tt\ts",
            r"results\.txt:3: the result 1.1 occurs",
        ),
        (
            "results",
            "1.x\tu\tt\ts",
            r"results\.txt:2: the result is '1.x', expected TOPIC",
        ),
        (
            "results",
            "9.1\tu\tt\ts",
            r"results\.txt:2: result 9.1 is of an unknown topic",
        ),
        ("results", "1.1\tu\tt\ts\tmore", r"results\.txt:2: 5 columns, expected 4"),
        ("topics", "1\ta\n1\tb", r"topics\.txt:3: the topic 1 occurs twice"),
        ("topics", "one\ta", r"topics\.txt:2: the topic is 'one', expected a number"),
        ("topics", "", r"topics\.txt: holds no topics"),
        ("STRel", "1.1\t1.9", r"STRel\.txt:2: 1.1 1.9 names an unknown"),
        ("STRel", "1.1", r"STRel\.txt:2: 1 columns, expected 2"),
    ],
)
def test_ambient_errors_name_the_line(tmp_path, name, lines, message):
    write_ambient(tmp_path, [("a", ["s"], [("x", "y")], {(1, 1)})])
    (tmp_path / f"{name}.txt").write_text(f"header\tline\n{lines}\n")
    with pytest.raises(ValueError, match=message):
        files.read_ambient(tmp_path)


def test_a_topic_without_results_is_named(tmp_path):
    write_ambient(tmp_path, [("a", [], [("x", "y")], set()), ("b", [], [], set())])
    with pytest.raises(ValueError, match=r"topics\.txt:3: the topic 2 has no results"):
        files.read_ambient(tmp_path)


def test_ambient_without_headers_loses_no_line(tmp_path):
    write_ambient(tmp_path, [("a", ["s"], [("x", "y")], {(1, 1)})])
    for path in tmp_path.iterdir():
        path.write_text(path.read_text().split("\n", 1)[1])
    (topic,) = files.read_ambient(tmp_path)
    assert topic.relevance.tolist() == [[1]]


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<a>\n<b>\n</a>", r"t:3: not well-formed"),
        ("<a></a>", "t: holds no topics"),
        ("<a><topic><query>q</query></topic></a>", "topic 1 of the file has no number"),
        ("<a><topic number='1'/></a>", "has no query"),
        (
            "<a>" + 2 * "<topic number='1'><query>q</query></topic>" + "</a>",
            "two topics have the number 1",
        ),
    ],
)
def test_topic_errors(tmp_path, xml, message):
    (tmp_path / "t").write_text(xml)
    with pytest.raises(ValueError, match=message):
        files.read_topics(tmp_path / "t")
