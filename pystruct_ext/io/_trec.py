"""TREC runs, judgements, diversity judgements and web-track topics."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pystruct_ext.io._files import read_lines, write_lines

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
        return int(text)
    except ValueError:
        raise ValueError(f"{where}: the grade {text!r} is not a whole number") from None


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
            raise ValueError(f"{where}: document {doc} occurs twice for query {qid}")
        try:
            docs[doc] = float(score)
        except ValueError:
            raise ValueError(f"{where}: the score {score!r} is not a number") from None
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
    run: Mapping[str, Sequence[tuple[str, float]]],
    tag: str = "pystruct_ext",
) -> None:
    """Write rankings, best first, as a run; scores must not increase."""

    def lines() -> Iterator[str]:
        for qid, docs in run.items():
            last = float("inf")
            for rank, (doc, score) in enumerate(docs, 1):
                if score != score:
                    raise ValueError(f"query {qid}: the score of {doc} is NaN")
                if not score <= last:
                    raise ValueError(
                        f"query {qid}: the score {score:g} at rank {rank} is above the one "
                        "before; trec_eval would reorder the run"
                    )
                last = score
                yield f"{qid} Q0 {doc} {rank} {float(score)!r} {tag}"

    write_lines(path, lines())


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Judgements, ``qid 0 document grade`` lines; negative grades are kept."""
    out: dict[str, dict[str, int]] = {}
    for where, (qid, _, doc, text) in _fields(path, 4, "qid 0 document grade"):
        grade = _whole(text, where)
        if out.setdefault(qid, {}).setdefault(doc, grade) != grade:
            raise ValueError(f"{where}: document {doc} has two grades for query {qid}")
    return out


def write_qrels(path: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Write judgements as `read_qrels` reads them."""
    write_lines(
        path,
        (f"{q} 0 {d} {g}" for q, docs in qrels.items() for d, g in docs.items()),
    )


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
                f"{where}: document {doc} has two grades for intent {intent} of {topic}"
            )
    return out


def write_diversity_qrels(
    path: Path, qrels: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> None:
    """Write judgements as `read_diversity_qrels` reads them."""
    write_lines(
        path,
        (
            f"{t} {i} {d} {g}"
            for t, intents in qrels.items()
            for i, docs in intents.items()
            for d, g in docs.items()
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
    """Topics of the TREC web track (XML)."""
    text = "\n".join(line for _, line in read_lines(path))
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: not well-formed XML: {error}") from None
    out = []
    for node in root.iter("topic"):
        subs = tuple(
            (s.get("number", ""), s.get("type", ""), " ".join((s.text or "").split()))
            for s in node.iter("subtopic")
        )
        out.append(
            Topic(
                node.get("number", ""),
                node.get("type", ""),
                " ".join((node.findtext("query") or "").split()),
                " ".join((node.findtext("description") or "").split()),
                subs,
            )
        )
    return out
