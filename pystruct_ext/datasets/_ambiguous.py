"""Ambiguous queries written for this package."""

from __future__ import annotations

from importlib import resources

from pystruct_ext.io import AmbiguousQuery, read_ambiguous_queries


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

    Known bias: titles of off-topic results are shorter (area under ROC 0.71 for telling
    relevant results by the number of words in the title, 0.61 in the snippet; 0.54 and 0.57 in
    AMBIENT). Do not use text lengths as features.

    Examples
    --------
    >>> load_ambiguous_queries()[0].query
    'michael jordan'
    """
    if split not in (None, "train", "test"):
        raise ValueError(f"split must be None, 'train' or 'test', got {split!r}")
    source = resources.files("pystruct_ext.datasets") / "ambiguous_queries.jsonl"
    with resources.as_file(source) as path:
        queries = read_ambiguous_queries(path)
    return [q for q in queries if split is None or q.split == split]
