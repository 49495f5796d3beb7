"""What folding learns of training folds beside weights, and decodes beside the best fold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle

# Examples whose counts make the scales: one fold of each is a fraction of one epoch.
_SCALED = 500


def scales_from_counts(
    oracle: Oracle,
    w: NDArray[np.floating],
    groups: list[tuple[str, int, int]],
    weight: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """One over the root mean square of the counts by which truths and folds of w differ.

    ``1 / sqrt(1 + m_g)`` for all features of group g, where m_g is the mean over blocks of
    ``||psi_g(truth) - psi_g(fold)||^2``: groups of large counts get small scales, and those
    that hardly occur keep theirs near 1.

    Parameters
    ----------
    oracle : Oracle
        With truths, of unscaled features.
    w : (size_psi,) ndarray
        Weights of the folds.
    groups : list of (name, first, size)
        One after the other.
    weight : (n,) ndarray, optional
        Of the blocks in the mean: 2 counts one twice, 0 leaves it out.

    Returns
    -------
    (size_psi,) float64
    """
    used = np.arange(oracle.n_blocks)
    if weight is not None:
        used = np.flatnonzero(weight)
    n = len(used)
    some = used[np.unique(np.linspace(0, n - 1, min(n, _SCALED)).astype(np.int64))]
    count = np.ones(len(some)) if weight is None else weight[some]
    starts = [first for _, first, _ in groups]
    total = np.zeros(len(groups))
    for i, times in zip(some.tolist(), count.tolist(), strict=True):
        folded = oracle.argmax(w, i, 0.0)
        square = oracle.psi_diff(i, oracle.truth(i), folded) ** 2
        total += times * np.add.reduceat(square, starts)
    scale = 1 / np.sqrt(1 + total / count.sum())
    return np.repeat(scale, [size for *_, size in groups])


def most_accurate_code(
    oracle: Any,
    w: NDArray[np.floating],
    i: int,
    gamma: float,
    temperature: float,
) -> NDArray[np.int32]:
    """The fold of block i with the largest expected accuracy; see `FoldingSpace.decode_mea`."""
    p = oracle.marginals(w, i, temperature)[0]
    free = 1 - p.sum(axis=0) - p.sum(axis=1)
    # Against the fold without pairs, every pair costs the two free bases.
    gain = 2 * gamma * p - free[:, None] - free[None, :]
    code: NDArray[np.int32] = oracle.argmax(None, i, 0.0, scores=gain)
    return code


__all__ = ["most_accurate_code", "scales_from_counts"]
