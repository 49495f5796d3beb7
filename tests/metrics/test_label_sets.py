"""The report of label sets says what its definition does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from pystruct_ext.metrics import label_set_report


def test_report_is_that_of_definitions():
    rng = np.random.default_rng(0)
    Y, P = ((rng.random((30, 5)) < 0.4).astype(int) for _ in range(2))
    Y[0] = P[0] = 0
    weight = rng.random(30)
    r = label_set_report(Y, P, weight)
    both, size = (Y & P).sum(axis=1), Y.sum(axis=1) + P.sum(axis=1)
    f1 = np.where(size > 0, 2 * both / np.maximum(size, 1), 1)
    either = (Y | P).sum(axis=1)
    mean = lambda v: np.average(v, weights=weight)  # noqa: E731
    assert r.example_f1 == pytest.approx(mean(f1))
    assert r.jaccard == pytest.approx(
        mean(np.where(either, both / np.maximum(either, 1), 1))
    )
    assert r.subset_accuracy == pytest.approx(mean((Y == P).all(axis=1)))
    assert r.hamming_loss == pytest.approx(mean((Y != P).mean(axis=1)))
    assert r.micro_f1 == pytest.approx(2 * (weight @ both) / (weight @ size))
    each = [2 * (weight @ (Y & P)[:, k]) / (weight @ (Y + P)[:, k]) for k in range(5)]
    assert r.macro_f1 == pytest.approx(np.mean(each))
    assert r.per_label[2]["f1"] == pytest.approx(each[2])
    assert r.labels_predicted == pytest.approx(mean(P.sum(axis=1)))
    assert label_set_report(csr_array(Y), P, weight) == r
    assert str(r).startswith("label sets: right ")
    assert r.to_dict()["per_label"]["2"]["f1"] == pytest.approx(each[2])


def test_collections_and_labels_that_only_one_side_has():
    r = label_set_report([("a",), ("a", "b"), ()], [{"a"}, ("b", "c"), ()])
    assert r.subset_accuracy == pytest.approx(2 / 3)
    assert r.example_f1 == pytest.approx((1 + 0.5 + 1) / 3)
    assert list(r.per_label) == ["a", "b", "c"]
    one = label_set_report([("a",), ()], [("a",), ("a",)])
    assert (one.hamming_loss, one.macro_f1) == (0.5, pytest.approx(2 / 3))
    with pytest.raises(ValueError, match="2 label sets and y_pred 1"):
        label_set_report([("a",), ("b",)], [("a",)])
