"""Ambiguous search queries as people have them: plain dicts, tables, lines of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.utils.messages import shorten

_NEEDS = "a query needs query (text) and results (a list of title, snippet, grades)"


@dataclass(frozen=True)
class AmbiguousQuery:
    """A query, the results of a search engine for it, and what they are relevant to.

    Attributes
    ----------
    query : str
    split : str
        "train" or "test" in the data of this package.
    intents, descriptions : tuple of str
        Names of the intents, and what each is about; empty where nothing is judged.
    probabilities : (n_intents,) float64
        Sum to 1. Where none are given, uniform over the intents that some result serves.
    doc_ids, titles, snippets : tuple of str
        Results in the order of the search engine.
    relevance : (n_results, n_intents) int8
        3 the page one hopes for, 2 good, 1 touches the intent, 0 not relevant.
    query_id : str
        Names the query in a run; the text with "_" for blanks by default.
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
    query_id: str = ""

    def __post_init__(self) -> None:
        if not self.query_id:
            object.__setattr__(self, "query_id", "_".join(self.query.split()))

    def __len__(self) -> int:
        return len(self.titles)

    def __repr__(self) -> str:
        about = f"intents {', '.join(self.intents)}" if self.intents else "not judged"
        return f"<AmbiguousQuery {self.query!r}: {len(self)} results, {about}>"


def ambiguous_queries(data: Any) -> list[Any]:
    """Queries from plain dicts, from a table of one row a result, or ready ones.

    Parameters
    ----------
    data : DataFrame, or sequence of dicts or of queries
        A dict has the fields of a line of JSON (see `pystruct_ext.io.read_ambiguous_queries`):

        - ``query``: the text; ``id`` names it where two queries have one text.
        - ``results``: best first, each a title, or a dict of ``title`` (or ``text``) and
          perhaps ``snippet``, ``id``, and ``grades``: {intent: 1 to 3}, or a list of intents.
        - ``intents``, optional: names, {name: probability}, or dicts of ``id``,
          ``probability`` and ``description``; by default those of the grades.

        A table has a column ``query`` and a column ``title`` or ``text``, rows best first;
        optional are ``snippet``, ``id`` (of the result; a second row of one id adds an intent
        to it), ``intent`` (a name, a list of names or {name: grade}; empty for none),
        ``grade`` (1 where missing), ``probability`` (of the row's intent), ``query_id`` and
        ``split``.

        Objects with ``query``, ``titles`` and ``snippets`` are taken as they are.

    Returns
    -------
    list of AmbiguousQuery, or of the objects given
        Without probabilities the intents of a query that some result serves are taken to be
        equally probable. Queries without grades are not judged: they can be ranked.

    Raises
    ------
    ValueError, TypeError
        Naming the query and the field, what was seen and what was expected; also where two
        queries have one text (or one id).

    Examples
    --------
    >>> from pystruct_ext.io import ambiguous_queries
    >>> ambiguous_queries([{"query": "jaguar", "results": [
    ...     {"title": "Jaguar cars", "grades": ["car"]},
    ...     {"title": "Jaguars of the Amazon", "grades": {"animal": 3}}]}])
    [<AmbiguousQuery 'jaguar': 2 results, intents car, animal>]
    """
    if isinstance(data, Mapping):
        raise TypeError("X must be a list of queries, got a single dict; pass [query]")
    if isinstance(data, (str, bytes)) or hasattr(data, "__fspath__"):
        raise TypeError(
            "X must be a list of queries or a DataFrame, got a path or text; "
            "pystruct_ext.io.read_ambiguous_queries(path) reads a file"
        )
    if hasattr(data, "__next__"):
        raise TypeError(
            f"X must be a list of queries or a DataFrame, got a {type(data).__name__}, which "
            "can be read only once; pass list(X)"
        )
    if hasattr(data, "columns"):
        return distinct(_of_table(data))
    found: list[tuple[str, Any]] = []
    for i, record in enumerate(data):
        where = f"X: element {i}"
        if isinstance(record, Mapping):
            found.append((where, query_of(record, where)))
        elif all(hasattr(record, name) for name in ("query", "titles", "snippets")):
            found.append((where, record))
        else:
            raise TypeError(
                f"{where} must be a dict or an AmbiguousQuery, got {type(record).__name__}"
            )
    return distinct(found)


def distinct(found: Iterable[tuple[str, Any]]) -> list[Any]:
    """The queries of ``(where, query)`` pairs.

    Raises
    ------
    ValueError
        If two queries have one name.
    """
    out: list[Any] = []
    seen: dict[str, str] = {}
    for where, q in found:
        name = getattr(q, "query_id", "")
        if name and name in seen:
            raise ValueError(
                f"{where}: the query {shorten(q.query)!r} has the name {shorten(name)!r} of "
                f"{seen[name]}; two queries of one text need a field id each"
            )
        seen[name] = where
        out.append(q)
    return out


def query_of(record: Any, where: str) -> AmbiguousQuery:
    """A query from a dict.

    Raises
    ------
    ValueError
        Beginning with `where`.
    """
    if not isinstance(record, Mapping):
        raise ValueError(
            f"{where}: expected an object, got {type(record).__name__}; {_NEEDS}"
        )
    for name in ("query", "results"):
        if record.get(name) is None:
            raise ValueError(f"{where}: has no field {name!r}; {_NEEDS}")
    text = _text(record["query"], f"{where}: query")
    results = record["results"]
    if not isinstance(results, (list, tuple)):
        raise ValueError(
            f"{where}: results must be a list, got {type(results).__name__}; {_NEEDS}"
        )
    if not results:
        raise ValueError(f"{where}: the query {shorten(text)!r} has no results")
    parts = [_result(r, d, f"{where}: result {d}") for d, r in enumerate(results)]
    given = record.get("intents")
    if given is None:
        names: dict[str, int] = {}
        for part in parts:
            for name in part[3]:
                names.setdefault(name, len(names))
        intents: list[tuple[str, str, float | None]] = [(n, "", None) for n in names]
    else:
        intents = _intents(given, where)
        names = {name: i for i, (name, _, _) in enumerate(intents)}
        if len(names) < len(intents):
            twice = next(n for i, (n, _, _) in enumerate(intents) if names[n] != i)
            raise ValueError(f"{where}: the intent {shorten(twice)!r} occurs twice")
    relevance = np.zeros((len(parts), len(names)), dtype=np.int8)
    for d, part in enumerate(parts):
        for name, grade in part[3].items():
            if name not in names:
                raise ValueError(
                    f"{where}: result {d} has a grade for the unknown intent "
                    f"{shorten(name)!r}; intents has {shorten(', '.join(names))}"
                )
            relevance[d, names[name]] = grade
    seen: dict[str, int] = {}
    for d, part in enumerate(parts):
        if seen.setdefault(part[0], d) != d:
            raise ValueError(
                f"{where}: results {seen[part[0]]} and {d} have one id, {shorten(part[0])!r}"
            )
    query_id = record.get("id")
    return AmbiguousQuery(
        text,
        _text(record.get("split", "train"), f"{where}: split"),
        tuple(names),
        tuple(description for _, description, _ in intents),
        _probabilities(intents, relevance, where),
        tuple(part[0] for part in parts),
        tuple(part[1] for part in parts),
        tuple(part[2] for part in parts),
        relevance,
        "" if query_id is None else _text(query_id, f"{where}: id"),
    )


def _text(value: Any, where: str, empty: bool = False) -> str:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        value = str(int(value))
    if not isinstance(value, str) or not (empty or value.strip()):
        raise ValueError(f"{where} is {shorten(repr(value))}, expected text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{where} is not valid text: {error.reason}") from None
    return str(value)


def _result(result: Any, d: int, where: str) -> tuple[str, str, str, dict[str, int]]:
    """Id, title, snippet and grades."""
    if isinstance(result, str):
        return str(d), _text(result, f"{where}: title"), "", {}
    if not isinstance(result, Mapping):
        raise ValueError(
            f"{where} is a {type(result).__name__}, expected a title, or an object of title, "
            "snippet, grades"
        )
    title = result.get("title", result.get("text"))
    if title is None:
        raise ValueError(f"{where} has no title (nor text)")
    snippet = result.get("snippet")
    own = result.get("id")
    return (
        str(d) if own is None else _text(own, f"{where}: id"),
        _text(title, f"{where}: title", empty=True),
        "" if snippet is None else _text(snippet, f"{where}: snippet", empty=True),
        _grades(result.get("grades"), where),
    )


def _grades(given: Any, where: str) -> dict[str, int]:
    if given is None:
        return {}
    if isinstance(given, str):
        given = [given]
    if isinstance(given, (list, tuple, set, frozenset, np.ndarray)):
        names = [_text(name, f"{where}: an intent of grades") for name in given]
        return dict.fromkeys(names, 1)
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{where}: grades is a {type(given).__name__}, expected intents with grades"
        )
    out = {}
    for key, grade in given.items():
        name = _text(key, f"{where}: an intent of grades")
        whole = isinstance(grade, (int, np.integer)) or (
            isinstance(grade, (float, np.floating)) and float(grade).is_integer()
        )
        if isinstance(grade, bool) or not whole or not 0 <= grade <= 100:
            raise ValueError(
                f"{where}: the grade for {shorten(name)!r} is {shorten(repr(grade))}, expected "
                "a whole number from 0 to 100"
            )
        out[name] = int(grade)
    return out


def _intents(given: Any, where: str) -> list[tuple[str, str, float | None]]:
    """Names, descriptions, and probabilities where given."""
    if isinstance(given, Mapping):
        given = [{"id": name, "probability": p} for name, p in given.items()]
    if not isinstance(given, (list, tuple)):
        raise ValueError(
            f"{where}: intents is a {type(given).__name__}, expected a list of names, or of "
            "objects of id, probability, description"
        )
    out: list[tuple[str, str, float | None]] = []
    for i, intent in enumerate(given):
        at = f"{where}: intent {i}"
        if not isinstance(intent, Mapping):
            out.append((_text(intent, at), "", None))
            continue
        if intent.get("id") is None:
            raise ValueError(f"{at} has no id")
        about = intent.get("description")
        out.append(
            (
                _text(intent["id"], f"{at}: id"),
                "" if about is None else _text(about, f"{at}: description", empty=True),
                _probability(intent.get("probability"), at),
            )
        )
    return out


def _probability(value: Any, where: str) -> float | None:
    if value is None:
        return None
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(
            f"{where}: the probability is {shorten(repr(value))}, expected a number from 0 to 1"
        )
    return float(value)


def _probabilities(
    intents: list[tuple[str, str, float | None]],
    relevance: NDArray[np.int8],
    where: str,
) -> NDArray[np.float64]:
    served = (relevance > 0).any(axis=0)
    given = [p for _, _, p in intents if p is not None]
    if not given:
        live = served if served.any() else np.ones(len(intents), dtype=bool)
        return np.asarray(live / max(1, live.sum()), dtype=np.float64)
    if len(given) < len(intents):
        name = next(name for name, _, p in intents if p is None)
        raise ValueError(
            f"{where}: the intent {shorten(name)!r} has no probability but others have; "
            "give all, or none for uniform ones"
        )
    p = np.array(given)
    if abs(p.sum() - 1) > 1e-6:
        raise ValueError(
            f"{where}: the probabilities of the intents sum to {p.sum():g}, expected 1 (or "
            "none given, for uniform ones)"
        )
    orphan = np.flatnonzero((p > 0) & ~served)
    if orphan.size and served.any():
        i = int(orphan[0])
        raise ValueError(
            f"{where}: the intent {shorten(intents[i][0])!r} has probability {p[i]:g} but no "
            "relevant result; leave it out and renormalise"
        )
    return p


# Tables of one row a result.


def _missing(cell: Any) -> bool:
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, (float, np.floating)) and bool(np.isnan(cell))


def _column(table: Any, names: list[str], *known: str) -> list[Any] | None:
    """The cells of the first of the known columns that the table has; None for missing."""
    name = next((k for k in known if k in names), None)
    if name is None:
        return None
    cells = table[name]
    if hasattr(cells, "columns"):
        raise ValueError(f"X has two columns {name!r}")
    return [None if _missing(cell) else cell for cell in cells]


def _of_table(table: Any) -> Iterator[tuple[str, AmbiguousQuery]]:
    names = [str(c) for c in table.columns]
    text = _column(table, names, "query")
    title = _column(table, names, "title", "text")
    if text is None or title is None:
        raise ValueError(
            "X must have the columns query and title (or text), one row a result, got "
            f"{shorten(', '.join(names)) or 'none'}"
        )
    if not text:
        raise ValueError("X holds no rows")
    key = _column(table, names, "query_id")
    by_id = key is not None
    rows: dict[Any, list[int]] = {}
    for r, name in enumerate(text if key is None else key):
        if name is None:
            raise ValueError(f"X: row {r} has no {'query_id' if by_id else 'query'}")
        mine = rows.setdefault(str(name), [])
        if mine and mine[-1] != r - 1 and not by_id:
            raise ValueError(
                f"X: rows {mine[-1]} and {r} are both of the query {shorten(str(name))!r}, "
                "with others between them; put the rows of a query together, or name two "
                "queries of one text in a column query_id"
            )
        mine.append(r)
    columns = {
        name: _column(table, names, *known)
        for name, known in (
            ("snippet", ("snippet",)),
            ("id", ("id", "doc_id")),
            ("intent", ("intent", "intents")),
            ("grade", ("grade",)),
            ("probability", ("probability",)),
            ("split", ("split",)),
        )
    }
    for name in ("grade", "probability"):
        if columns[name] is not None and columns["intent"] is None:
            raise ValueError(f"X: the column {name!r} needs a column 'intent'")
    columns.update(query=text, title=title)
    for name, own in rows.items():
        where = f"X: query {shorten(name)!r}, rows {own[0]} to {own[-1]}"
        yield where, query_of(_record(columns, own, name if by_id else None), where)


def _record(
    columns: dict[str, list[Any] | None], rows: list[int], query_id: str | None
) -> dict[str, Any]:
    """The rows of one query as a dict."""

    def cell(name: str, r: int) -> Any:
        values = columns[name]
        return None if values is None else values[r]

    def same(name: str, of: list[int], what: str) -> Any:
        first = cell(name, of[0])
        for r in of[1:]:
            if cell(name, r) != first:
                raise ValueError(
                    f"X: rows {of[0]} and {r} are of one {what} but differ in {name!r}: "
                    f"{shorten(first)!r} and {shorten(cell(name, r))!r}"
                )
        return first

    results: dict[Any, list[int]] = {}
    for r in rows:
        own = cell("id", r)
        results.setdefault(("row", r) if own is None else str(own), []).append(r)
    probability: dict[str, float] = {}
    found: list[dict[str, Any]] = []
    judged: dict[str, None] = {}
    for of in results.values():
        grades: dict[str, Any] = {}
        for r in of:
            for name, grade in _intent_cell(cell("intent", r), cell("grade", r), r):
                if grades.setdefault(name, grade) != grade:
                    raise ValueError(
                        f"X: row {r} gives its result a second grade for {shorten(name)!r}: "
                        f"{shorten(grade)}, was {shorten(grades[name])}"
                    )
                judged[name] = None
                p = cell("probability", r)
                if p is not None and probability.setdefault(name, p) != p:
                    raise ValueError(
                        f"X: row {r} gives the intent {shorten(name)!r} the probability "
                        f"{shorten(p)}, was {shorten(probability[name])}"
                    )
        found.append(
            {
                "title": same("title", of, "result"),
                "snippet": same("snippet", of, "result"),
                "id": cell("id", of[0]),
                "grades": grades,
            }
        )
    record = {
        "query": same("query", rows, "query"),
        "results": found,
        "intents": [{"id": n, "probability": probability.get(n)} for n in judged],
        "id": query_id,
    }
    split = same("split", rows, "query")
    if split is not None:
        record["split"] = split
    return record


def _intent_cell(cell: Any, grade: Any, r: int) -> Iterator[tuple[str, Any]]:
    """``(name, grade)`` of the intents that a cell names."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return
    if isinstance(cell, Mapping):
        yield from ((str(name), own) for name, own in cell.items())
        return
    several = isinstance(cell, (list, tuple, set, frozenset, np.ndarray))
    for name in cell if several else [cell]:
        yield _text(name, f"X: row {r}: intent"), 1 if grade is None else grade


__all__ = ["AmbiguousQuery", "ambiguous_queries"]
