"""Losses that are a cost per label: Hamming (0/1) and cost matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def cost_matrix(loss: Any, classes: Sequence[Any]) -> NDArray[np.float64]:
    """Cost of predicting one label for another, as a matrix.

    Parameters
    ----------
    loss : {"hamming", "zero_one"}, (K, K) array-like, or mapping
        A name means cost 1 for every wrong label. A mapping has keys
        ``(true label, predicted label)`` and costs as values; pairs it does not
        list cost 1.
    classes : sequence of K labels
        Order of rows (truth) and columns (prediction).

    Returns
    -------
    cost : (K, K) float64
        ``cost[y, y_hat]`` with zero diagonal.

    Raises
    ------
    ValueError
        If the shape is not (K, K), a cost is negative or not finite, or the diagonal
        is not zero.

    Examples
    --------
    >>> cost_matrix("hamming", ["a", "b"])
    array([[0., 1.],
           [1., 0.]])
    """
    n = len(classes)
    if isinstance(loss, str):
        if loss not in ("hamming", "zero_one"):
            raise ValueError(
                f"loss must be 'hamming', 'zero_one', a ({n}, {n}) cost matrix or a "
                f"mapping, got {loss!r}"
            )
        return 1.0 - np.eye(n)
    if isinstance(loss, Mapping):
        cost = 1.0 - np.eye(n)
        index = {label: k for k, label in enumerate(classes)}
        for pair, value in loss.items():
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise ValueError(
                    "loss: keys of the mapping must be (true label, predicted label), "
                    f"got {pair!r}"
                )
            if pair[0] in index and pair[1] in index:
                cost[index[pair[0]], index[pair[1]]] = value
    else:
        cost = np.array(loss, dtype=np.float64)
    if cost.shape != (n, n):
        raise ValueError(
            f"loss: the cost matrix has shape {cost.shape}, expected ({n}, {n}) for "
            f"the {n} classes"
        )
    if not np.all(np.isfinite(cost)) or np.any(cost < 0):
        raise ValueError("loss: costs must be finite and >= 0")
    if np.any(np.diag(cost) != 0):
        k = int(np.flatnonzero(np.diag(cost))[0])
        raise ValueError(
            f"loss: the cost of predicting {classes[k]!r} for itself is "
            f"{cost[k, k]}, expected 0"
        )
    return cost
