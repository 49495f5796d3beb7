"""The AMBIENT collection of ambiguous queries (Carpineto and Romano 2008)."""

from __future__ import annotations

import html
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.io._files import read_lines


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
    """

    topic_id: str
    query: str
    intents: list[str]
    urls: list[str]
    titles: list[str]
    snippets: list[str]
    relevance: NDArray[np.int8]


def _table(path: Path, n: int) -> list[list[str]]:
    rows = []
    for number, line in read_lines(path):
        if number == 1 or not line.strip():
            continue
        cells = line.split("\t")
        cells += [""] * (n - len(cells))
        if len(cells) != n:
            raise ValueError(f"{path}:{number}: {len(cells)} columns, expected {n}")
        rows.append(cells)
    return rows


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
        For a relevance line that names an unknown subtopic or result.
    """
    root = Path(folder)
    subtopics: dict[str, list[tuple[str, str]]] = {}
    for key, text in _table(root / "subTopics.txt", 2):
        subtopics.setdefault(key.split(".")[0], []).append((key, _clean(text)))
    results: dict[str, list[tuple[int, str, str, str]]] = {}
    for key, url, title, snippet in _table(root / "results.txt", 4):
        topic, rank = key.split(".")
        results.setdefault(topic, []).append(
            (int(rank), url, _clean(title), _clean(snippet))
        )
    relevant: dict[str, list[tuple[str, int]]] = {}
    for sub, result in _table(root / "STRel.txt", 2):
        topic, rank = result.split(".")
        relevant.setdefault(topic, []).append((sub, int(rank)))
    out = []
    for topic, query in _table(root / "topics.txt", 2):
        rows = sorted(results.get(topic, []))
        place = {r[0]: i for i, r in enumerate(rows)}
        names = {key: i for i, (key, _) in enumerate(subtopics.get(topic, []))}
        table = np.zeros((len(rows), len(names)), dtype=np.int8)
        for sub, at in relevant.get(topic, []):
            if sub not in names or at not in place:
                raise ValueError(
                    f"{root / 'STRel.txt'}: {sub} {topic}.{at} names an unknown subtopic "
                    "or result"
                )
            table[place[at], names[sub]] = 1
        keep: list[bool] = [bool(all_subtopics or c.any()) for c in table.T]
        out.append(
            AmbientTopic(
                topic,
                query,
                [
                    t
                    for (_, t), k in zip(subtopics.get(topic, []), keep, strict=True)
                    if k
                ],
                [r[1] for r in rows],
                [r[2] for r in rows],
                [r[3] for r in rows],
                table[:, keep],
            )
        )
    return out
