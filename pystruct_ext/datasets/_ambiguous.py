"""Ambiguous queries written for this package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray


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


def load_ambiguous_queries(split: str | None = None) -> list[AmbiguousQuery]:
    """Ambiguous web queries with judged results; "michael jordan" is the first.

    Titles and snippets were written for this package; they copy no page, and names of
    sites and of private persons are invented. The order of results imitates an engine that
    ranks by popularity. Lists contain near-duplicates, off-topic results, and documents that
    serve two intents.

    Parameters
    ----------
    split : {"train", "test"}, optional
        None loads all. Every third query, the first included, is in "test".

    Returns
    -------
    list of AmbiguousQuery

    Notes
    -----
    The file ``ambiguous_queries.jsonl`` holds one JSON object per query: ``query``, ``split``,
    ``intents`` (list of ``id``, ``probability``, ``description``) and ``results`` (list of
    ``id``, ``title``, ``snippet``, ``grades``: intent id to grade 1 to 3, the others 0).

    Examples
    --------
    >>> load_ambiguous_queries()[0].query
    'michael jordan'
    """
    if split not in (None, "train", "test"):
        raise ValueError(f"split must be None, 'train' or 'test', got {split!r}")
    path = resources.files("pystruct_ext.datasets") / "ambiguous_queries.jsonl"
    queries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if split is not None and record["split"] != split:
            continue
        names = [intent["id"] for intent in record["intents"]]
        results = record["results"]
        relevance = np.zeros((len(results), len(names)), dtype=np.int8)
        for d, result in enumerate(results):
            for name, grade in result["grades"].items():
                relevance[d, names.index(name)] = grade
        queries.append(
            AmbiguousQuery(
                record["query"],
                record["split"],
                tuple(names),
                tuple(i["description"] for i in record["intents"]),
                np.array([i["probability"] for i in record["intents"]]),
                tuple(r["id"] for r in results),
                tuple(r["title"] for r in results),
                tuple(r["snippet"] for r in results),
                relevance,
            )
        )
    return queries
