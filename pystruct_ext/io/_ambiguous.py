"""Ambiguous queries with judged results: one JSON object per line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._records import BadRecords
from pystruct_ext.outputs.ambiguous import AmbiguousQuery, distinct, query_of
from pystruct_ext.utils.messages import shorten


def read_ambiguous_queries(
    path: str | os.PathLike[str], on_error: str = "raise"
) -> list[AmbiguousQuery]:
    """Read queries in the format of `load_ambiguous_queries`: one JSON object per line.

    ``intents`` and ``grades`` may be missing where nothing is judged: relevance then has no
    columns. Probabilities may be missing: they are then uniform over the intents that some
    result serves. All that `ambiguous_queries` says of dicts holds for the objects.

    Parameters
    ----------
    path : path
        Plain or gzip; "-" is standard input.
    on_error : {"raise", "skip"}, default="raise"
        "skip" leaves bad queries out, counted and named in a warning.

    Raises
    ------
    ValueError
        With file and line, for malformed JSON, a missing field, a grade of an unknown intent,
        a field given twice, and for two queries of one text without an id each.
    """

    def found() -> Iterator[tuple[str, AmbiguousQuery]]:
        for number, line in read_lines(path):
            if line.strip():
                where = f"{path}:{number}"
                try:
                    query = query_of(_parse(line, where), where)
                except ValueError as error:
                    bad.add(error)
                else:
                    yield where, query

    bad = BadRecords(on_error, "queries")
    queries = distinct(found())
    bad.finish(path, len(queries))
    return queries


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"the field {shorten(twice)!r} occurs twice in one object")
    return out


def _parse(line: str, where: str) -> Any:
    try:
        return json.loads(line, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError(f"{where}: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not a JSON object: {error}") from None
    except ValueError as error:
        raise ValueError(f"{where}: {shorten(str(error))}") from None


def write_ambiguous_queries(
    path: str | os.PathLike[str], queries: Iterable[Any]
) -> None:
    """Write queries as `read_ambiguous_queries` reads them.

    Parameters
    ----------
    path : path
        gzip if it ends in ".gz"; "-" is standard output.
    queries : iterable of AmbiguousQuery or DiverseQuery
        Of a DiverseQuery what is text: features and relations are left out.
    """
    write_lines(path, (json.dumps(_record(q)) for q in queries))


def _record(q: Any) -> dict[str, Any]:
    text = getattr(q, "query", None) or q.query_id
    if not q.titles:
        raise ValueError(f"query {shorten(text)!r} has no titles to write")
    relevance = np.zeros((len(q.titles), 0)) if q.relevance is None else q.relevance
    names = [str(i) for i in range(relevance.shape[1])]
    names = list(q.intents or names)
    p = q.probabilities
    if p is None and relevance.shape[1]:
        p = q.intent_probabilities()
    about = getattr(q, "descriptions", ())
    intents: list[dict[str, Any]] = [{"id": name} for name in names]
    for i, intent in enumerate(intents):
        if (relevance > 0).any():
            intent["probability"] = float(p[i])
        if i < len(about) and about[i]:
            intent["description"] = about[i]
    snippets = getattr(q, "snippets", None) or [""] * len(q.titles)
    out: dict[str, Any] = {"query": text}
    if q.query_id not in (text, "_".join(text.split())):
        out["id"] = q.query_id
    if hasattr(q, "split"):
        out["split"] = q.split
    out["intents"] = intents
    out["results"] = [
        {
            "id": q.doc_ids[d],
            "title": title,
            **({"snippet": snippets[d]} if snippets[d] else {}),
            "grades": {
                name: _whole(g, text)
                for name, g in zip(names, relevance[d], strict=True)
                if g > 0
            },
        }
        for d, title in enumerate(q.titles)
    ]
    return out


def _whole(grade: Any, text: str) -> int:
    if int(grade) != grade:
        raise ValueError(
            f"query {shorten(text)!r}: the grade {grade:g} is not a whole number, which this "
            "format needs"
        )
    return int(grade)
