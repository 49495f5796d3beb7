"""Token and sentence accuracy, and the confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext.metrics import sentence_accuracy, token_accuracy, token_confusion


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)))))
def test_against_plain_loops(rows):
    gold = [[a for a, _ in row] for row in rows]
    guess = [[b for _, b in row] for row in rows]
    flat = [pair for row in rows for pair in row]
    if not flat:
        with pytest.raises(ValueError, match="no tokens"):
            token_accuracy(gold, guess)
        return
    right = sum(a == b for a, b in flat)
    assert token_accuracy(gold, guess) == right / len(flat)
    whole = sum(all(a == b for a, b in row) for row in rows)
    assert sentence_accuracy(gold, guess) == whole / len(rows)
    matrix, labels = token_confusion(gold, guess, labels=range(4))
    assert labels == [0, 1, 2, 3]
    assert all(matrix[a, b] == flat.count((a, b)) for a in labels for b in labels)


@pytest.mark.parametrize("score", [token_accuracy, sentence_accuracy])
def test_containers_are_interchangeable(score):
    gold = [[1, 2, 3], [4, 5, 6]]
    guess = [[1, 2, 0], [4, 5, 6]]
    want = score(gold, guess)
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.array(r, dtype=np.int32) for r in gold]
    for form in (np.array(gold), [np.array(r) for r in gold], ragged, tuple(gold)):
        assert score(form, guess) == want
        assert score(guess, form) == want
    words = [np.array([f"L{v}" for v in r], dtype=object) for r in gold]
    assert score(words, [[f"L{v}" for v in r] for r in guess]) == want


def test_worked_by_hand():
    gold, guess = [["a", "b"], [], ["a"]], [["a", "a"], [], ["a"]]
    assert token_accuracy(gold, guess) == 2 / 3
    assert sentence_accuracy(gold, guess) == 2 / 3
    matrix, labels = token_confusion(gold, guess)
    assert labels == ["a", "b"]
    np.testing.assert_array_equal(matrix, [[2, 0], [1, 0]])
    flipped, _ = token_confusion(gold, guess, labels=["b", "a"])
    np.testing.assert_array_equal(flipped, [[0, 1], [0, 2]])


@pytest.mark.parametrize("score", [token_accuracy, sentence_accuracy, token_confusion])
@pytest.mark.parametrize(
    ("y_true", "y_pred", "error", "message"),
    [
        ([[0], [1]], [[0]], ValueError, "2 examples but y_pred holds 1"),
        ([[0], [1]], [[0], [1, 1]], ValueError, "example 1: y_true has 1 .* has 2"),
        ([0, 1], [0, 1], TypeError, r"y_true\[0\] must be a 1-D .* got int 0"),
        ([[0]], ["a"], TypeError, r"y_pred\[0\] must be .* got str 'a'"),
        (np.zeros((1, 1, 1)), [[0]], TypeError, r"array of shape \(1, 1\)"),
        (np.array(3), [[0]], TypeError, "0-d array"),
        (5, [[0]], TypeError, "y_true must be a list .* got int"),
        ([["a"]], [[0]], TypeError, "text labels such as 'a' but y_pred holds int"),
        ([[0]], [["a"]], TypeError, "y_pred holds text labels"),
        ([[]], [[]], ValueError, "no tokens"),
    ],
)
def test_bad_input(score, y_true, y_pred, error, message):
    with pytest.raises(error, match=message):
        score(y_true, y_pred)


def test_confusion_rejects_bad_labels():
    with pytest.raises(ValueError, match=r"y_pred\[1\]\[0\] = 7 is not in labels"):
        token_confusion([[0], [1]], [[0], [7]], labels=[0, 1])
    with pytest.raises(ValueError, match="must not repeat"):
        token_confusion([[0]], [[0]], labels=[0, 0])
