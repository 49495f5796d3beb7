"""TREC runs, judgements, diversity judgements and web-track topics."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.outputs.rankings import RankedRows
from pystruct_ext.utils.messages import shorten

Path = str | os.PathLike[str]


def _fields(path: Path, n: int, what: str) -> Iterator[tuple[str, list[str]]]:
    for number, line in read_lines(path):
        words = line.split()
        if not words:
            continue
        if len(words) != n:
            raise ValueError(
                f"{path}:{number}: {len(words)} columns, expected {n}: {what}"
            )
        yield f"{path}:{number}", words


def _whole(text: str, where: str) -> int:
    try:
        if "_" in text:
            raise ValueError(text)
        return int(text)
    except ValueError:
        raise ValueError(
            f"{where}: the grade {shorten(text)!r} is not a whole number"
        ) from None


def _word(value: Any, what: str) -> str:
    """An id as a file of columns can hold it.

    Raises
    ------
    ValueError
        For ids that are empty or hold blanks: readers would see more columns.
    """
    text = value.decode() if isinstance(value, bytes) else str(value)
    if "\0" in text:
        raise ValueError(
            f"{what} {shorten(text)!r} has a NUL, which no text file may hold"
        )
    if len(text.split()) != 1 or text.strip() != text:
        raise ValueError(
            f"{what} {shorten(text)!r} "
            + ("is empty" if not text else "has blanks")
            + ", and the columns of this format are separated by blanks; replace them, as "
            "with '_'.join(name.split())"
        )
    return text


def _named(values: Mapping[Any, Any], what: str) -> Iterator[tuple[str, Any]]:
    """The items of a mapping, none of them empty; see `_judged`."""
    for name, value in _judged(values, what):
        if not len(value):
            raise ValueError(
                f"{what} {shorten(name)!r} has no documents, which this format cannot say; "
                "leave it out"
            )
        yield name, value


def read_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    """A run, ``qid Q0 document rank score tag`` lines, as trec_eval sees it.

    Returns
    -------
    dict of qid to list of (document, score)
        By decreasing score, ties by decreasing document id; the rank column is ignored.
    """
    run: dict[str, dict[str, float]] = {}
    for where, (qid, _, doc, _, score, _) in _fields(
        path, 6, "qid Q0 document rank score tag"
    ):
        docs = run.setdefault(qid, {})
        if doc in docs:
            raise ValueError(
                f"{where}: document {shorten(doc)} occurs twice for query {shorten(qid)}"
            )
        try:
            if "_" in score:
                raise ValueError(score)
            docs[doc] = float(score)
        except ValueError:
            raise ValueError(
                f"{where}: the score {shorten(score)!r} is not a number"
            ) from None
        if docs[doc] != docs[doc]:
            raise ValueError(f"{where}: the score is NaN")
    return {
        qid: sorted(
            sorted(docs.items(), reverse=True), key=lambda item: item[1], reverse=True
        )
        for qid, docs in run.items()
    }


def write_run(
    path: Path,
    run: Mapping[Any, Sequence[tuple[Any, float]]] | Sequence[Any],
    tag: str = "pystruct_ext",
    *,
    qid: ArrayLike | None = None,
    doc_ids: Sequence[Any] | None = None,
) -> None:
    """Write rankings, best first, as a run.

    Parameters
    ----------
    path : path
        gzip if it ends in ".gz"; "-" is standard output.
    run : dict of qid to list of (document, score), or what `RankingSVM.rank` returns
        Scores of a dict must not increase. Documents of one score are written in the order
        in which trec_eval (and `read_run`) will see them: by decreasing id.
    tag : str, default="pystruct_ext"
        Name of the run.
    qid : (n_documents,) array-like, optional
        With rows in place of a dict: the query of each document. What `rank` returns knows
        it; a list of arrays of rows that was made otherwise does not.
    doc_ids : sequence of n_documents ids, optional
        With rows in place of a dict: the document of each row; "row1", "row2" and so on by
        default.

    Raises
    ------
    ValueError
        For an id with blanks, a document twice for a query, a score that is NaN or above the
        one before it, a query without documents.

    Examples
    --------
    >>> write_run("-", {"q1": [("doc3", 2.5), ("doc1", 0.5)]}, tag="mine")
    q1 Q0 doc3 1 2.5 mine
    q1 Q0 doc1 2 0.5 mine
    """
    _word(tag, "the tag")
    if isinstance(run, Mapping):
        if qid is not None or doc_ids is not None:
            raise ValueError(
                "qid and doc_ids are for rows, as RankingSVM.rank returns them; the run is a "
                "dict, which names queries and documents itself"
            )
        table: Mapping[Any, Any] = run
    else:
        table = _of_rows(run, qid, doc_ids)

    def lines() -> Iterator[str]:
        for name, docs in _named(table, "query"):
            for rank, (doc, score) in enumerate(_as_read(name, docs), 1):
                yield f"{name} Q0 {doc} {rank} {score!r} {tag}"

    write_lines(path, lines())


def _as_read(query: str, docs: Sequence[tuple[Any, float]]) -> list[tuple[str, float]]:
    """Documents and scores, checked, those of one score by decreasing id."""
    out: list[tuple[str, float]] = []
    seen: set[str] = set()
    for rank, (doc, score) in enumerate(docs, 1):
        name = _word(doc, f"query {shorten(query)}: the document")
        number = float(score)
        if number != number:
            raise ValueError(
                f"query {shorten(query)}: the score of {shorten(name)} is NaN"
            )
        if out and number > out[-1][1]:
            raise ValueError(
                f"query {shorten(query)}: the score {number:g} at rank {rank} is above the "
                "one before; trec_eval would reorder the run"
            )
        if name in seen:
            raise ValueError(
                f"query {shorten(query)}: the document {shorten(name)} occurs twice"
            )
        seen.add(name)
        out.append((name, number))
    out.sort(key=lambda item: item[0], reverse=True)
    out.sort(key=lambda item: item[1], reverse=True)
    return out


def _of_rows(
    ranked: Sequence[Any], qid: ArrayLike | None, doc_ids: Sequence[Any] | None
) -> dict[Any, list[tuple[Any, float]]]:
    """The run of arrays of rows, best first, one per query."""
    rows = [np.asarray(r) for r in ranked]
    if not all(r.ndim == 1 and (r.dtype.kind in "iu" or not r.size) for r in rows):
        raise TypeError(
            "run must be a dict of query to (document, score) pairs, or a list of arrays of "
            "rows as RankingSVM.rank returns it"
        )
    names: Any
    if qid is not None:
        ids = np.asarray(qid)
        names = [ids[r[0]] if r.size else None for r in rows]
        for name, r in zip(names, rows, strict=True):
            if (ids[r] != name).any():
                raise ValueError(
                    f"run: the rows ranked for query {shorten(str(name))} belong to other "
                    "queries of qid, too"
                )
    elif isinstance(ranked, RankedRows) and len(ranked.query_ids) == len(rows):
        names = ranked.query_ids
    else:
        raise ValueError(
            "run holds rows but not whose; pass qid=, the query of each document"
        )
    n = max((int(r.max()) + 1 for r in rows if r.size), default=0)
    if doc_ids is not None and len(doc_ids) < n:
        raise ValueError(f"doc_ids: {len(doc_ids)} ids for {n} documents")
    if doc_ids is None:
        doc_ids = [f"row{r + 1}" for r in range(n)]
    out: dict[Any, list[tuple[Any, float]]] = {}
    scores = getattr(ranked, "scores", None) if qid is None else None
    for i, (name, r) in enumerate(zip(names, rows, strict=True)):
        if name in out:
            raise ValueError(f"run: query {shorten(str(name))} is ranked twice")
        own = np.arange(len(r), 0, -1) if scores is None else scores[i]
        pairs = zip(r.tolist(), own.tolist(), strict=True)
        out[name] = [(doc_ids[d], float(s)) for d, s in pairs]
    return out


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Judgements, ``qid 0 document grade`` lines; negative grades are kept."""
    out: dict[str, dict[str, int]] = {}
    for where, (qid, _, doc, text) in _fields(path, 4, "qid 0 document grade"):
        grade = _whole(text, where)
        if out.setdefault(qid, {}).setdefault(doc, grade) != grade:
            raise ValueError(
                f"{where}: document {shorten(doc)} has two grades for query {shorten(qid)}"
            )
    return out


def write_qrels(path: Path, qrels: Mapping[Any, Mapping[Any, int]]) -> None:
    """Write judgements as `read_qrels` reads them.

    Raises
    ------
    ValueError
        For an id with blanks, a grade that is no whole number, a query without documents.
    """
    write_lines(
        path,
        (
            f"{q} 0 {d} {_grade(g, f'query {q}, document {d}')}"
            for q, docs in _named(qrels, "query")
            for d, g in _judged(docs, f"query {q}: the document")
        ),
    )


def _judged(docs: Mapping[Any, Any], what: str) -> Iterator[tuple[str, Any]]:
    """Documents and grades under ids that a file can hold, no two of them alike."""
    seen: set[str] = set()
    for key, value in docs.items():
        name = _word(key, what)
        if name in seen:
            raise ValueError(
                f"{what} {shorten(name)!r} is there twice, as text and not"
            )
        seen.add(name)
        yield name, value


def _grade(grade: Any, where: str) -> int:
    try:
        whole = float(grade).is_integer()
    except OverflowError:
        whole = False
    if not whole:
        raise ValueError(f"{where}: the grade {shorten(grade)} is not a whole number")
    return int(grade)


def read_diversity_qrels(
    path: Path, clip: bool = True
) -> dict[str, dict[str, dict[str, int]]]:
    """Judgements by intent, ndeval's ``topic subtopic document grade`` lines.

    Parameters
    ----------
    path : path
    clip : bool, default=True
        Negative grades (spam) become 0.

    Returns
    -------
    dict of topic to dict of intent to dict of document to grade
        Subtopic 0 with grade 0 (judged, relevant to nothing) stands under intent "0".
    """
    out: dict[str, dict[str, dict[str, int]]] = {}
    for where, (topic, intent, doc, text) in _fields(
        path, 4, "topic subtopic document grade"
    ):
        grade = _whole(text, where)
        grade = max(0, grade) if clip else grade
        docs = out.setdefault(topic, {}).setdefault(intent, {})
        if docs.setdefault(doc, grade) != grade:
            raise ValueError(
                f"{where}: document {shorten(doc)} has two grades for intent "
                f"{shorten(intent)} of {shorten(topic)}"
            )
    return out


def write_diversity_qrels(
    path: Path, qrels: Mapping[Any, Mapping[Any, Mapping[Any, int]]]
) -> None:
    """Write judgements as `read_diversity_qrels` reads them.

    Raises
    ------
    ValueError
        As `write_qrels`.
    """
    write_lines(
        path,
        (
            f"{t} {i} {d} {_grade(g, f'topic {t}, intent {i}, document {d}')}"
            for t, intents in _named(qrels, "topic")
            for i, docs in _named(intents, f"topic {t}: the intent")
            for d, g in _judged(docs, f"topic {t}: the document")
        ),
    )


@dataclass(frozen=True)
class Topic:
    """A topic of the TREC web track; subtopics are (number, type, text)."""

    number: str
    type: str
    query: str
    description: str
    subtopics: tuple[tuple[str, str, str], ...]


def read_topics(path: Path) -> list[Topic]:
    """Topics of the TREC web track (XML).

    Raises
    ------
    ValueError
        With file and line for what is not well-formed; for a file without topics, a topic
        without a number or query, and for two topics of one number.
    """
    lines = [line for _, line in read_lines(path)]
    try:
        root = ElementTree.fromstring("\n".join(lines))
    except ElementTree.ParseError as error:
        raise ValueError(
            f"{path}:{min(error.position[0], max(1, len(lines)))}: not well-formed XML: "
            f"{shorten(str(error))}"
        ) from None
    except (ValueError, LookupError) as error:
        raise ValueError(f"{path}:1: not XML that can be read: {error}") from None
    out: list[Topic] = []
    seen: set[str] = set()
    for node in root.iter("topic"):
        subs = tuple(
            (s.get("number", ""), s.get("type", ""), " ".join((s.text or "").split()))
            for s in node.iter("subtopic")
        )
        topic = Topic(
            node.get("number", ""),
            node.get("type", ""),
            " ".join((node.findtext("query") or "").split()),
            " ".join((node.findtext("description") or "").split()),
            subs,
        )
        for name, value in (("number", topic.number), ("query", topic.query)):
            if not value:
                raise ValueError(
                    f"{path}: topic {len(out) + 1} of the file has no {name}"
                )
        if topic.number in seen:
            raise ValueError(f"{path}: two topics have the number {topic.number}")
        seen.add(topic.number)
        out.append(topic)
    if not out:
        raise ValueError(f"{path}: holds no topics")
    return out
