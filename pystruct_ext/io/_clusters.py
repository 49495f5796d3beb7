"""Hierarchical clusters of words."""

from __future__ import annotations

import os

from pystruct_ext.io._files import read_lines
from pystruct_ext.utils.messages import shorten


def read_clusters(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the clusters of words that Brown's algorithm made.

    Parameters
    ----------
    path : path-like
        Lines of bits, word and perhaps count, as Liang's ``brown-cluster`` writes them to
        ``paths``; separated by tabs, or in a line without a tab by spaces. Gzip or plain; "-"
        is stdin.

    Returns
    -------
    dict of str to str
        Word to bits, for `pystruct_ext.TaggedParser`.

    Raises
    ------
    ValueError
        With file and line: fewer than two cells, or bits other than 0 and 1.

    References
    ----------
    Brown et al. 1992, "Class-based n-gram models of natural language".
    """
    found: dict[str, str] = {}
    for number, line in read_lines(path):
        if not line.strip():
            continue
        cells = line.rstrip("\r\n").split("\t" if "\t" in line else None)
        if len(cells) < 2:
            raise ValueError(
                f"{path}:{number}: has {len(cells)} cell, expected bits, word and perhaps "
                "count"
            )
        bits, word = cells[:2]
        if not bits or set(bits) - set("01"):
            raise ValueError(
                f"{path}:{number}: the cluster is {shorten(bits)!r}, expected bits such as "
                "0110"
            )
        found[word] = bits
    if not found:
        raise ValueError(f"{path}: holds no clusters, expected lines of bits and word")
    return found


__all__ = ["read_clusters"]
