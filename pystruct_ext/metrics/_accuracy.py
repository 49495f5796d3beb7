"""Accuracies over sequences of labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from operator import eq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.metrics._flatten import flatten_pair, locate


def _check_comparable(true: list[Any], pred: list[Any]) -> None:
    """Refuse to compare text with numbers: every pair would silently be an error."""
    if not true:
        raise ValueError("y_true holds no tokens, so an accuracy is undefined")
    for a, b, name_a, name_b in (
        (true, pred, "y_true", "y_pred"),
        (pred, true, "y_pred", "y_true"),
    ):
        if isinstance(a[0], str) and not any(isinstance(v, str) for v in b):
            raise TypeError(
                f"{name_a} holds text labels such as {a[0]!r} but {name_b} holds "
                f"{type(b[0]).__name__} such as {b[0]!r}: decode the labels first"
            )


def token_accuracy(y_true: Any, y_pred: Any) -> float:
    """Share of tokens whose predicted label is the gold one.

    Parameters
    ----------
    y_true, y_pred : list of sequences
        One sequence of labels (str or int) per example: lists, tuples or 1-D arrays,
        or one array of shape (n_examples, n_tokens).

    Returns
    -------
    float
        Between 0 and 1. Long examples weigh more than short ones.

    Raises
    ------
    TypeError
        If an item is not a sequence, or text labels are compared with numbers.
    ValueError
        If the lengths of an example disagree (the message names it), or there is no
        token at all.

    See Also
    --------
    sentence_accuracy : share of examples without any error.

    Examples
    --------
    >>> from pystruct_ext.metrics import token_accuracy
    >>> token_accuracy([["DT", "NN"], ["VB"]], [["DT", "JJ"], ["VB"]])
    0.6666666666666666
    """
    true, pred, _ = flatten_pair(y_true, y_pred)
    _check_comparable(true, pred)
    return float(sum(map(eq, true, pred)) / len(true))


def sentence_accuracy(y_true: Any, y_pred: Any) -> float:
    """Share of examples whose labels are all right (one minus the 0/1 loss).

    Parameters
    ----------
    y_true, y_pred : list of sequences
        As for :func:`token_accuracy`. An example without tokens counts as right.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    TypeError, ValueError
        As for :func:`token_accuracy`.

    Examples
    --------
    >>> from pystruct_ext.metrics import sentence_accuracy
    >>> sentence_accuracy([[0, 1], [2]], [[0, 3], [2]])
    0.5
    """
    true, pred, lengths = flatten_pair(y_true, y_pred)
    _check_comparable(true, pred)
    hits = map(eq, true, pred)
    # `sum`, not `all`: every example must consume exactly its own tokens.
    right = sum(sum(islice(hits, length)) == length for length in lengths)
    return float(right / len(lengths))


def token_confusion(
    y_true: Any, y_pred: Any, *, labels: Sequence[Any] | None = None
) -> tuple[NDArray[np.int64], list[Any]]:
    """Count how often each gold label was predicted as each label.

    Parameters
    ----------
    y_true, y_pred : list of sequences
        As for :func:`token_accuracy`.
    labels : sequence of length K, optional
        Order of rows and columns; by default all labels seen, sorted. It must contain
        every label seen.

    Returns
    -------
    matrix : ndarray of shape (K, K), int64
        ``matrix[a, b]`` tokens with gold ``labels[a]`` were predicted ``labels[b]``.
    labels : list of length K
        The order used.

    Raises
    ------
    TypeError, ValueError
        As for :func:`token_accuracy`; also if `labels` repeats or misses a label.

    Examples
    --------
    >>> from pystruct_ext.metrics import token_confusion
    >>> matrix, labels = token_confusion([["N", "V"]], [["N", "N"]])
    >>> labels, matrix.tolist()
    (['N', 'V'], [[1, 0], [1, 0]])
    """
    true, pred, lengths = flatten_pair(y_true, y_pred)
    _check_comparable(true, pred)
    order = sorted({*true, *pred}) if labels is None else list(labels)
    index = {label: k for k, label in enumerate(order)}
    if len(index) != len(order):
        raise ValueError(f"labels must not repeat, got {order!r}")
    for name, flat in (("y_true", true), ("y_pred", pred)):
        for position, label in enumerate(flat):
            if label not in index:
                i, t = locate(position, lengths)
                raise ValueError(f"{name}[{i}][{t}] = {label!r} is not in labels")
    cells = np.fromiter(map(index.__getitem__, true), np.int64, len(true))
    cells *= len(order)
    cells += np.fromiter(map(index.__getitem__, pred), np.int64, len(pred))
    counts = np.bincount(cells, minlength=len(order) ** 2)
    return counts.reshape(len(order), len(order)), order
