"""The oracle handle: capsule, arguments, and the Python door."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext._core import Oracle, python_oracle
from pystruct_ext.spaces import MulticlassSpace


@pytest.fixture
def oracle():
    X, y = np.eye(3), [0, 1, 2]
    space = MulticlassSpace(fit_intercept=False)
    return space.bind(space.fit_pack(X, y))


def test_capsule_round_trip(oracle):
    again = Oracle.from_capsule(oracle.to_capsule())
    w = np.random.default_rng(0).normal(size=oracle.size_psi)
    assert again.n_blocks == 3
    assert again.argmax(w, 1).tolist() == oracle.argmax(w, 1).tolist()
    assert "Oracle(n_blocks=3" in repr(again)


def test_foreign_capsules_are_refused():
    import datetime

    with pytest.raises(TypeError, match=r"pystruct_ext\.oracle\.v1"):
        Oracle.from_capsule(datetime.datetime_CAPI)
    with pytest.raises(TypeError, match=r"pystruct_ext\.oracle\.v1"):
        Oracle.from_capsule(3)
    with pytest.raises(TypeError, match="made by OutputSpace"):
        Oracle()


def test_bad_arguments(oracle):
    w = np.zeros(oracle.size_psi)
    with pytest.raises(IndexError, match=r"block 3 is not in \[0, 3\)"):
        oracle.argmax(w, 3)
    with pytest.raises(
        ValueError, match="w must be a contiguous float64 vector of length 24"
    ):
        oracle.argmax(w[:-1], 0)
    with pytest.raises(ValueError, match="got float32"):
        oracle.argmax(w.astype(np.float32), 0)
    with pytest.raises(ValueError, match="code of block 0 must have length 1"):
        oracle.loss(0, [0, 1])
    with pytest.raises(ValueError, match="ids must be blocks"):
        oracle.argmax_batch(w, [7])
    with pytest.raises(ValueError, match="block 0: the best score is NaN"):
        oracle.cut_sum(np.full_like(w, np.nan))


class Door:
    """Any object with four methods is a space for the Python door."""

    def joint_feature(self, x, y):
        return np.array([float(np.sum(y)), x])

    def loss(self, y, y_hat):
        return float(not np.array_equal(y, y_hat))

    def decode(self, w, x):
        return np.array([1, 2]) if w[0] >= 0 else np.array([-1])

    def loss_augmented_decode(self, w, x, y):
        return {"any": "object"} if w[1] > 5 else [np.array([0])]


def test_outputs_of_any_kind_are_interned():
    oracle, output = python_oracle(Door(), [1.0, 2.0], [np.array([1, 2]), None], 2)
    w = np.array([1.0, 0.0])
    # Equal to the truth, in another array: the same code.
    assert oracle.argmax(w, 0, 0.0).tolist() == [0]
    code = oracle.argmax(w, 1, 0.0)
    assert code.tolist() == [1]
    assert output(1, 1).tolist() == [1, 2]
    assert oracle.argmax(w, 1, 0.0).tolist() == [1]
    assert oracle.argmax(-w, 1, 0.0).tolist() == [2]
    assert oracle.argmax(w, 1, 1.0).tolist() == [3]
    assert oracle.needs_gil
    assert oracle.loss(1, [0]) == 0.0


@pytest.mark.parametrize(
    "method", ["joint_feature", "loss", "decode", "loss_augmented_decode"]
)
def test_exceptions_surface_unchanged(method):
    error = RuntimeError("mine")

    def fail(*args):
        raise error

    door = Door()
    setattr(door, method, fail)
    oracle, _ = python_oracle(door, [1.0], [np.array([3])], 2)
    w = np.array([1.0, 0.0])
    with pytest.raises(RuntimeError) as caught:
        code = oracle.argmax(w, 0, 0.0 if method == "decode" else 1.0)
        oracle.score(w, 0, code)
        oracle.loss(0, code)
    assert caught.value is error
    # The error does not linger.
    if method == "loss":
        assert oracle.argmax(w, 0, 0.0).tolist() == [2]


def test_weights_are_read_only():
    class Writes(Door):
        def decode(self, w, x):
            w[0] = 7.0

    oracle, _ = python_oracle(Writes(), [1.0], [np.array([3])], 2)
    with pytest.raises(ValueError, match="read-only"):
        oracle.argmax(np.zeros(2), 0, 0.0)


def test_unhashable_outputs_are_explained():
    class Odd(Door):
        def decode(self, w, x):
            return bytearray(b"x")

    oracle, _ = python_oracle(Odd(), [1.0], [np.array([3])], 2)
    with pytest.raises(TypeError, match="an output must be a numpy array, a hashable"):
        oracle.argmax(np.zeros(2), 0, 0.0)


def test_exactness():
    for exactness in ("exact", "relaxed", "none"):
        assert (
            python_oracle(Door(), [1.0], [None], 2, exactness)[0].exactness == exactness
        )
    with pytest.raises(ValueError, match="exactness must be"):
        python_oracle(Door(), [1.0], [None], 2, "sure")
