"""The AMBIENT collection of ambiguous queries (Carpineto and Romano 2008)."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.io._files import read_lines
from pystruct_ext.utils.messages import shorten

_ID = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True)
class AmbientTopic:
    """A topic: its results in rank order, and the subtopics they are relevant to.

    Attributes
    ----------
    topic_id, query : str
    intents : list of str
        Descriptions of subtopics.
    urls, titles, snippets : lists of str
    relevance : (n_results, n_intents) int8
    doc_ids : list of str
        Topic and rank, such as "3.12".
    """

    topic_id: str
    query: str
    intents: list[str]
    urls: list[str]
    titles: list[str]
    snippets: list[str]
    relevance: NDArray[np.int8]
    doc_ids: list[str]

    @property
    def query_id(self) -> str:
        """The number of the topic."""
        return self.topic_id


def _table(path: Path, n: int) -> Iterator[tuple[str, list[str]]]:
    """``(where, cells)`` of every line below the header; the first cell is an id."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        cells = line.split("\t")
        if number == 1 and not _ID.fullmatch(cells[0]):
            continue
        if n < len(cells) or len(cells) < min(n, 2):
            raise ValueError(
                f"{path}:{number}: {len(cells)} columns, expected {n} separated by tabs"
            )
        yield f"{path}:{number}", cells + [""] * (n - len(cells))


def _split(key: str, where: str, what: str) -> tuple[str, int]:
    """Topic and number of an id such as 3.12."""
    if not _ID.fullmatch(key) or "." not in key:
        raise ValueError(
            f"{where}: the {what} is {shorten(key)!r}, expected TOPIC.NUMBER such as 3.12"
        )
    topic, number = key.split(".")
    return topic, int(number)


def _clean(text: str) -> str:
    """Entities, some of them escaped twice, and tags removed."""
    plain = html.unescape(html.unescape(text))
    return " ".join(re.sub(r"<[^>]*>", " ", plain).split())


def read_ambient(
    folder: str | os.PathLike[str], all_subtopics: bool = False
) -> list[AmbientTopic]:
    """Read ``topics.txt``, ``subTopics.txt``, ``results.txt`` and ``STRel.txt``.

    Parameters
    ----------
    folder : path
    all_subtopics : bool, default=False
        Keep subtopics without a relevant result.

    Returns
    -------
    list of AmbientTopic

    Raises
    ------
    ValueError
        With file and line, for an id that is misshapen, unknown or there twice, and for a
        topic without results.
    """
    root = Path(folder)
    topics: dict[str, tuple[str, str]] = {}
    for where, (topic, query) in _table(root / "topics.txt", 2):
        if "." in topic or not _ID.fullmatch(topic):
            raise ValueError(
                f"{where}: the topic is {shorten(topic)!r}, expected a number"
            )
        if topic in topics:
            raise ValueError(f"{where}: the topic {topic} occurs twice")
        if not query.strip():
            raise ValueError(f"{where}: the topic {topic} has no text")
        topics[topic] = (where, query)
    if not topics:
        raise ValueError(f"{root / 'topics.txt'}: holds no topics")

    def known(key: str, where: str, what: str, taken: Any) -> tuple[str, int]:
        topic, number = _split(key, where, what)
        if topic not in topics:
            raise ValueError(f"{where}: {what} {key} is of an unknown topic")
        if number in taken[topic]:
            raise ValueError(f"{where}: the {what} {key} occurs twice")
        return topic, number

    subtopics: dict[str, dict[int, str]] = {topic: {} for topic in topics}
    for where, (key, text) in _table(root / "subTopics.txt", 2):
        topic, number = known(key, where, "subtopic", subtopics)
        subtopics[topic][number] = _clean(text)
    results: dict[str, dict[int, tuple[str, str, str]]] = {t: {} for t in topics}
    for where, (key, url, title, snippet) in _table(root / "results.txt", 4):
        topic, number = known(key, where, "result", results)
        results[topic][number] = (url, _clean(title), _clean(snippet))
    place = {t: {n: i for i, n in enumerate(sorted(r))} for t, r in results.items()}
    column = {t: {n: i for i, n in enumerate(s)} for t, s in subtopics.items()}
    table = {
        t: np.zeros((len(place[t]), len(column[t])), dtype=np.int8) for t in topics
    }
    for where, (sub, result) in _table(root / "STRel.txt", 2):
        topic, n = _split(sub, where, "subtopic")
        other, rank = _split(result, where, "result")
        if n not in column.get(topic, ()) or rank not in place.get(other, ()):
            raise ValueError(
                f"{where}: {sub} {result} names an unknown subtopic or result"
            )
        if other != topic:
            raise ValueError(
                f"{where}: the subtopic {sub} and the result {result} are of two topics"
            )
        table[topic][place[topic][rank], column[topic][n]] = 1
    out = []
    for topic, (where, query) in topics.items():
        if not results[topic]:
            raise ValueError(f"{where}: the topic {topic} has no results")
        keep = [bool(all_subtopics or c.any()) for c in table[topic].T]
        names = subtopics[topic].values()
        rows = [results[topic][n] for n in place[topic]]
        out.append(
            AmbientTopic(
                topic,
                query,
                [text for text, k in zip(names, keep, strict=True) if k],
                [r[0] for r in rows],
                [r[1] for r in rows],
                [r[2] for r in rows],
                table[topic][:, keep],
                [f"{topic}.{n}" for n in place[topic]],
            )
        )
    return out
