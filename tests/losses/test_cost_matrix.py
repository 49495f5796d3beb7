"""Costs per label."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext.losses import cost_matrix


@pytest.mark.parametrize("name", ["hamming", "zero_one"])
def test_names(name):
    np.testing.assert_array_equal(
        cost_matrix(name, "abc"), [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    )


def test_matrix_is_copied():
    given = np.array([[0.0, 2.0], [0.5, 0.0]])
    out = cost_matrix(given, "ab")
    np.testing.assert_array_equal(out, given)
    out[0, 1] = 9
    assert given[0, 1] == 2.0
    assert cost_matrix([[0, 1], [3, 0]], "ab").dtype == np.float64


def test_mapping_reads_truth_then_prediction():
    cost = cost_matrix({("a", "b"): 5, ("x", "a"): 7}, ["a", "b", "c"])
    assert cost[0, 1] == 5
    assert cost[1, 0] == 1
    assert cost.sum() == 5 + 5


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("hinge", "loss must be 'hamming', 'zero_one', .* got 'hinge'"),
        (np.zeros((2, 3)), r"shape \(2, 3\), expected \(3, 3\)"),
        (np.zeros(3), r"shape \(3,\), expected \(3, 3\)"),
        (-np.ones((3, 3)), "finite and >= 0"),
        ([[0, 1, np.nan], [1, 0, 1], [1, 1, 0]], "finite and >= 0"),
        ([[0, 1, 1], [1, 2, 1], [1, 1, 0]], "predicting 'b' for itself is 2.0"),
        ({("a", "a"): 1}, "predicting 'a' for itself"),
        ({("a", "b"): -1}, "finite and >= 0"),
        ({"ab": 1}, "keys of the mapping .* got 'ab'"),
        ({("a", "b", "c"): 1}, "keys of the mapping"),
    ],
)
def test_bad_losses(loss, message):
    with pytest.raises(ValueError, match=message):
        cost_matrix(loss, ["a", "b", "c"])
