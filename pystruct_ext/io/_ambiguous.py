"""Ambiguous queries with judged results: one JSON object per line."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.io._files import read_lines


@dataclass(frozen=True)
class AmbiguousQuery:
    """A query, the results of a search engine for it, and what they are relevant to.

    Attributes
    ----------
    query : str
    split : {"train", "test"}
    intents, descriptions : tuple of str
        Names of the intents, most popular first, and what each is about.
    probabilities : (n_intents,) float64
        Sum to 1.
    doc_ids, titles, snippets : tuple of str
        Results in the order of the search engine.
    relevance : (n_results, n_intents) int8
        3 the page one hopes for, 2 good, 1 touches the intent, 0 not relevant.
    """

    query: str
    split: str
    intents: tuple[str, ...]
    descriptions: tuple[str, ...]
    probabilities: NDArray[np.float64]
    doc_ids: tuple[str, ...]
    titles: tuple[str, ...]
    snippets: tuple[str, ...]
    relevance: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.titles)

    def __repr__(self) -> str:
        return (
            f"<AmbiguousQuery {self.query!r}: {len(self)} results, intents "
            f"{', '.join(self.intents)}>"
        )


def read_ambiguous_queries(path: str | os.PathLike[str]) -> list[AmbiguousQuery]:
    """Read queries in the format of `load_ambiguous_queries`: one JSON object per line.

    ``intents`` and ``grades`` may be missing where nothing is judged: relevance then has no
    columns.

    Parameters
    ----------
    path : path
        Plain or gzip; "-" is standard input.

    Raises
    ------
    ValueError
        With file and line, for malformed JSON, a missing field, a grade of an unknown intent.
    """
    queries = []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            queries.append(_parse(json.loads(line), where))
        except json.JSONDecodeError as error:
            raise ValueError(f"{where}: not a JSON object: {error}") from None
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{where}: missing or misshapen field {error}; expected query, results (id, "
                "title, snippet, grades) and intents (id, probability)"
            ) from None
    if not queries:
        raise ValueError(f"{path}: holds no queries")
    return queries


def _parse(record: dict[str, Any], where: str) -> AmbiguousQuery:
    intents = record.get("intents", [])
    names = [intent["id"] for intent in intents]
    results = record["results"]
    relevance = np.zeros((len(results), len(names)), dtype=np.int8)
    for d, result in enumerate(results):
        for name, grade in result.get("grades", {}).items():
            if name not in names:
                raise ValueError(
                    f"{where}: result {d} has a grade for the unknown intent {name!r}"
                )
            if not isinstance(grade, int) or not 0 <= grade <= 100:
                raise ValueError(
                    f"{where}: result {d} has the grade {grade!r}, expected 0 to 100"
                )
            relevance[d, names.index(name)] = grade
    return AmbiguousQuery(
        str(record["query"]),
        record.get("split", "train"),
        tuple(names),
        tuple(i.get("description", "") for i in intents),
        np.array([i["probability"] for i in intents], dtype=np.float64),
        tuple(str(r.get("id", d)) for d, r in enumerate(results)),
        tuple(str(r["title"]) for r in results),
        tuple(str(r.get("snippet", "")) for r in results),
        relevance,
    )
