"""Exact decoders for scores that another model computed, a neural network for example."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.spaces._kernels import decoders as _decoders


def best_dependencies(
    scores: ArrayLike, projective: bool = True, single_root: bool = True
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The trees with the largest sums of arc scores.

    Parameters
    ----------
    scores : (n + 1, n) or (batch, n + 1, n) array-like
        Entry [h, m] for the arc from h (0 is the root) to word m + 1; [m + 1, m] is not
        read.
    projective : bool, default=True
        Eisner's algorithm, O(n^3), always with a single root; else Chu-Liu/Edmonds,
        O(n^2).
    single_root : bool, default=True
        Whether exactly one word hangs on the root.

    Returns
    -------
    heads : (n,) or (batch, n) int32
    values : (batch,) float64
        Their sums, (1,) for a single sentence.

    Raises
    ------
    ValueError
        For a wrong shape, scores that are not finite, or projective without a single root.

    References
    ----------
    Eisner 1996; Tarjan 1977.

    Examples
    --------
    >>> best_dependencies([[0, 9.0], [0, 1.0], [1.0, 0]])[0]
    array([2, 0], dtype=int32)
    """
    table, single = _batch(scores, 3)
    _, m, n = table.shape
    if m != n + 1 or n < 1:
        raise ValueError(f"scores has shape {np.shape(scores)}, expected (n + 1, n)")
    if projective and not single_root:
        raise ValueError("projective=True has a single root; got single_root=False")
    words = np.arange(n)
    if not np.isfinite(table[:, words + 1, words]).all():
        table = table.copy()
        table[:, words + 1, words] = 0
    _finite(table)
    heads, values = _decoders.arcs(table, projective, single_root)
    return (heads[0] if single else heads), values


def best_spans(
    scores: ArrayLike,
) -> tuple[list[Any], NDArray[np.float64]]:
    """The trees of labelled spans with the largest sums of scores.

    Nodes may have any number of children; words may stay without a label, and a span that
    only joins parts scores nothing.

    Parameters
    ----------
    scores : (n + 1, n + 1, L) or (batch, n + 1, n + 1, L) array-like
        Entry [i, j, l] for the span of words i .. j - 1 with label l.

    Returns
    -------
    spans : list of (start, end, label), or a list of them
        In preorder; the whole sentence is always one.
    values : (batch,) float64

    Raises
    ------
    ValueError
        For a wrong shape or scores that are not finite.

    References
    ----------
    Stern, Andreas and Klein 2017.

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.zeros((3, 3, 1))
    >>> scores[0, 1] = 2.0
    >>> best_spans(scores)[0]
    [(0, 2, 0), (0, 1, 0)]
    """
    table, single = _batch(scores, 4)
    _, m, k, labels = table.shape
    if m != k or m < 2 or labels < 1:
        raise ValueError(
            f"scores has shape {np.shape(scores)}, expected (n + 1, n + 1, L)"
        )
    _finite(table)
    codes, values = _decoders.spans(table)
    out = [
        [
            (at // m, at % m, label)
            for at, label in zip(code[::2], code[1::2], strict=True)
            if at >= 0
        ]
        for code in codes.tolist()
    ]
    return (out[0] if single else out), values


def _batch(scores: ArrayLike, ndim: int) -> tuple[NDArray[Any], bool]:
    table = np.asarray(scores)
    if table.dtype != np.float32:
        table = table.astype(np.float64)
    single = table.ndim == ndim - 1
    if single:
        table = table[None]
    if table.ndim != ndim:
        raise ValueError(
            f"scores has {np.ndim(scores)} axes, expected {ndim - 1} or, as a batch, {ndim}"
        )
    return np.ascontiguousarray(table), single


def _finite(table: NDArray[Any]) -> None:
    # Extremes carry NaN and infinities, and cost less than a mask.
    if np.isfinite(table.min()) and np.isfinite(table.max()):
        return
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        raise ValueError(
            f"scores[{', '.join(map(str, bad[0]))}] is {table[tuple(bad[0])]}, expected a "
            "finite number"
        )


__all__ = ["best_dependencies", "best_spans"]
