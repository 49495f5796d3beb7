"""Codes from outside: length, range, and what kernels rely on beyond that."""

from __future__ import annotations

import warnings
from inspect import signature

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext._core import python_oracle
from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import MulticlassSpace, OutputSpace, SequenceSpace
from pystruct_ext.structures import STRUCTURES


class Signs(OutputSpace):
    """One of three outputs; counts the calls for psi and loss."""

    def __init__(self, size=3):
        self.size = size

    def fit_domain(self, X, Y=None):
        self.size_psi_ = self.size
        self.calls_ = {"joint_feature": 0, "loss": 0, "oracle": 0}
        return self

    def joint_feature(self, x, y):
        self.calls_["joint_feature"] += 1
        out = np.zeros(self.size_psi_)
        out[y] = x
        return out

    def loss(self, y, y_hat):
        self.calls_["loss"] += 1
        return float(y != y_hat)

    def decode(self, w, x):
        return int(np.argmax(x * w[:3]))

    def loss_augmented_decode(self, w, x, y):
        self.calls_["oracle"] += 1
        return int(np.argmax(x * w[:3] + 1.0 - np.eye(3)[y]))


def problems():
    """One oracle of every variant of every structure."""
    for structure in STRUCTURES.values():
        for v in structure.samples:
            params = dict(v.params)
            if "dtype" in signature(structure.space).parameters:
                params.setdefault("dtype", "float64")
            yield pytest.param(structure.space(**params), v, id=v.name)


def calls(oracle, w, i, code):
    """Every method that takes a code."""
    truth = oracle.truth(i)
    yield lambda: oracle.score(w, i, code)
    yield lambda: oracle.score_size(w, i, code)
    yield lambda: oracle.loss(i, code)
    yield lambda: oracle.psi(i, code)
    for y, z in ((code, truth), (truth, code)):
        yield lambda y=y, z=z: oracle.psi_diff(i, y, z)
        yield lambda y=y, z=z: oracle.psi_diff_sqnorm(i, y, z)
        yield lambda y=y, z=z: oracle.psi_diff_dot(w, i, y, z)
        yield lambda y=y, z=z: oracle.add_psi_diff(w.copy(), i, y, z, 1.0)
    if "parts" in oracle.verbs:
        yield lambda: oracle.parts(i, code)


@pytest.mark.parametrize(("space", "variant"), problems())
def test_no_code_reaches_beyond_the_arrays(space, variant):
    """Random codes are refused by name, or are safe: nothing reads or writes out of bounds."""
    rng = np.random.default_rng(0)
    X, Y = variant.make_problem(rng)
    oracle = space.bind(space.fit_pack(X, Y))
    w = rng.normal(size=oracle.size_psi).astype(oracle.dtype)
    refused = 0
    for i in range(min(oracle.n_blocks, 4)):
        own = [oracle.truth(i), oracle.argmax(w, i, 1.0), oracle.argmax(w, i, 0.0)]
        for code in own:
            for call in calls(oracle, w, i, code):
                call()
        if not len(own[0]):
            continue
        for huge in (2**31 - 1, -(2**31), 10**6):
            for at in {0, len(own[0]) // 2, len(own[0]) - 1}:
                code = own[0].copy()
                code[at] = huge
                try:
                    oracle.loss(i, code)
                except ValueError as error:
                    assert f"code of block {i}: entry" in str(error)  # noqa: PT017
                    refused += 1
                    for call in calls(oracle, w, i, code):
                        with pytest.raises(
                            ValueError, match=f"code of block {i}: entry"
                        ):
                            call()
        for _ in range(60):
            low, high = sorted(rng.integers(-3, 9, 2))
            code = own[0].copy()
            some = rng.random(len(code)) < rng.random()
            code[some] = rng.integers(low, high + 1, some.sum())
            try:
                oracle.loss(i, code)
            except ValueError:
                refused += 1
                continue
            for call in calls(oracle, w, i, code):
                call()
    assert refused


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ([3], r"entry 0 is 3, expected a number from 0 to 2"),
        ([-1], r"entry 0 is -1, expected a number from 0 to 2"),
        ([0.5], "whole numbers of 32 bits, got float64"),
        ([2**32], "whole numbers of 32 bits, got int64 from 4294967296"),
        (["a"], "must be whole numbers, got <U1"),
        ([], "must have length 1, got shape"),
        ([[0]], "must have length 1, got shape"),
    ],
)
def test_the_message_names_block_and_entry(code, message):
    space = MulticlassSpace()
    oracle = space.bind(space.fit_pack(np.eye(3), [0, 1, 2]))
    with pytest.raises(ValueError, match=f"code of block 1.*{message}"):
        oracle.loss(1, code)
    assert oracle.loss(1, [2], check=False) == 1.0


def test_codes_of_a_python_space_that_nobody_made():
    oracle, _ = python_oracle(Signs().fit_domain([]), [1.0, 2.0], [0, 1], 3)
    for bad in (1, -1, 99):
        with pytest.raises(
            ValueError, match=rf"entry 0 is {bad}, expected a number from 0"
        ):
            oracle.loss(0, [bad])
    other = oracle.argmax(np.array([0.0, 0.0, 5.0]), 0, 0.0)
    assert other.tolist() == [1]
    assert oracle.loss(0, other) == 1.0


def test_a_working_set_of_other_labels_is_refused():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(3, 2)) for _ in range(6)]
    made = []
    for labels in ("abcd", "ab"):
        space = SequenceSpace()
        y = [list(rng.permutation(list(labels * 2))[:3]) for _ in X]
        y[0] = list(labels[:3]) if len(labels) > 2 else ["a", "b", "a"]
        made.append(space.bind(space.fit_pack(X, y)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = BCFW(max_iter=3, tol=1e-9).solve(made[0], 0.01)
    with pytest.raises(
        ValueError, match=r"code of block \d: entry \d is [23], expected"
    ):
        BCFW().solve(made[1], 0.01, working_set=result.working_set)


def chain():
    rng = np.random.default_rng(0)
    space = SequenceSpace()
    X = [rng.normal(size=(3, 2)) for _ in range(5)]
    oracle = space.bind(space.fit_pack(X, [["a", "b", "a"]] * 5))
    return oracle, np.zeros(oracle.size_psi, dtype=oracle.dtype)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, None])
def test_seeds_are_named(seed):
    oracle, w = chain()
    with pytest.raises(
        ValueError, match=r"seed must be a whole number in \[0, 2\^64\)"
    ):
        oracle.sample(w, 0, 2, seed=seed)
    assert oracle.sample(w, 0, 2, seed=np.uint64(2**64 - 1)).shape == (2, 3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_threads", [10**9, 10**12, -3])
def test_any_number_of_threads(n_threads):
    """Scratch is made for the threads that run, not for those that were asked for."""
    oracle, w = chain()
    want = oracle.cut_sum(w)
    for a, b in zip(oracle.cut_sum(w, n_threads=n_threads), want, strict=True):
        np.testing.assert_array_equal(a, b)
    assert oracle.hinge_sum(w, n_threads=n_threads)[0] == want[2]
    codes, _ = oracle.decode_flat(w, n_threads=n_threads)
    np.testing.assert_array_equal(codes, oracle.decode_flat(w)[0])
    a = BCFW(n_jobs=n_threads, max_iter=30).solve(oracle, 0.1)
    assert a.primal == BCFW(max_iter=30).solve(oracle, 0.1).primal


def test_block_weights_are_checked_alike():
    oracle, w = chain()
    for method in (oracle.cut_sum, oracle.hinge_sum):
        for bad in ([1.0], np.ones((5, 1))):
            with pytest.raises(
                ValueError, match="weight must have one entry per block: 5"
            ):
                method(w, None, bad)


# What a Python space is asked for.


def trained(size=3, **tags):
    rng = np.random.default_rng(0)
    X, Y = list(rng.normal(size=80)), rng.integers(0, 3, 80).tolist()
    space = Signs(size)
    if tags:
        before = space.__space_tags__()
        space.__space_tags__ = lambda: type(before)(**tags)
    oracle = space.bind(space.fit_pack(X, Y))
    result = BCFW(tol=1e-12, max_iter=15, check_every=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return result.solve(oracle, 0.01), space.calls_, oracle


@pytest.mark.parametrize("size", [3, 50])
def test_psi_and_loss_are_asked_for_once_while_they_are_held(size):
    """Both as dense and as sparse copies; the same result without any."""
    result, calls, oracle = trained(size)
    bare, often, _ = trained(size, psi_cache_bytes=0)
    np.testing.assert_array_equal(result.coef, bare.coef)
    # Three outputs an example, each once: also those that come back after they were dropped.
    assert calls["loss"] <= 3 * 80
    assert calls["joint_feature"] <= 3 * 80
    assert often["joint_feature"] > 1.5 * often["oracle"]
    assert calls["oracle"] == often["oracle"]
    # So for another question, and another solve.
    oracle.hinge_sum(result.coef)
    with pytest.warns(ConvergenceWarning):
        BCFW(tol=1e-12, max_iter=3, check_every=5).solve(oracle, 0.01)
    assert calls["joint_feature"] <= 3 * 80


@pytest.mark.parametrize("room", [0, 3, 20, 10**6])
@pytest.mark.parametrize("size", [4, 40])
def test_answers_do_not_depend_on_what_is_kept(size, room):
    """Vectors of none to all entries, under every memory: the numbers of plain NumPy."""
    rng = np.random.default_rng(size)
    psi = rng.normal(size=(6, 5, size))
    for k, share in enumerate([0, 0.1, 0.5, 0.8, 1]):
        psi[:, k] *= rng.random(size=(6, size)) < share

    class Table(Signs):
        def joint_feature(self, x, y):
            self.calls_["joint_feature"] += 1
            return psi[x, y]

        def decode(self, w, x):
            return int(np.argmax(psi[x] @ w))

    space = Table(size).fit_domain([])
    vector = 250 + 12 * size
    oracle, output = python_oracle(
        space, list(range(6)), [0] * 6, size, "exact", room * vector
    )
    codes = {(i, 0): oracle.truth(i) for i in range(6)}
    for _ in range(60):
        for i in range(6):
            code = oracle.argmax(rng.normal(size=size), i, 0.0)
            codes[i, output(i, int(code[0]))] = code
    assert len(codes) > 20
    space.calls_["joint_feature"] = 0
    keys = list(codes)
    for _ in range(150):
        i, y = keys[rng.integers(len(keys))]
        z = [z for j, z in keys if i == j][-1]
        w = rng.normal(size=size)
        diff = psi[i, y] - psi[i, z]
        got = oracle.score(w, i, codes[i, y])
        np.testing.assert_allclose(got, w @ psi[i, y], atol=1e-12)
        got = oracle.psi_diff_sqnorm(i, codes[i, y], codes[i, z])
        np.testing.assert_allclose(got, diff @ diff, atol=1e-12)
        to = np.zeros(size)
        oracle.add_psi_diff(to, i, codes[i, y], codes[i, z], 2.0)
        np.testing.assert_array_equal(to, 2 * diff)
    asked = space.calls_["joint_feature"]
    assert asked > 100 if room <= 3 else asked <= (100 if room == 20 else 30)


def test_arrays_are_one_output_if_they_are_equal_in_kind_and_number():
    class Given(Signs):
        def decode(self, w, x):
            return x

    longs = [np.array([1, 2], dtype=t) for t in ("int64", "longlong", "long")]
    others = [
        np.array([1, 2], dtype="int32"),
        np.array([1, 2], dtype="uint64"),
        np.array([1, 2], dtype=">i8"),
        np.array([1, 0, 2, 0], dtype="int32"),
        np.array([[1, 2]]),
        np.array([1.0, 2.0]),
        np.array([True, False]),
        np.array([1, 0], dtype="int8"),
        np.array([1, 0], dtype="uint8"),
        np.array(["a", "b"]),
        (1, 2),
        [1, 2],
        [True, 2],
        1,
        1.0,
        True,
        np.int64(1),
        "1",
        b"1",
    ]
    X = [None]
    oracle, _ = python_oracle(Given().fit_domain([]), X, None, 3)

    def code(y):
        X[0] = y
        return int(oracle.argmax(np.zeros(3), 0, 0.0)[0])

    if np.dtype("long").itemsize == 8:
        assert len({code(y) for y in longs}) == 1
    assert len({code(y) for y in [longs[0], *others]}) == 1 + len(others)
    assert [code(y) for y in others] == [code(y) for y in others]


def test_the_memory_of_kept_vectors_is_bounded():
    """Room for five vectors: those five are kept, and no more."""
    _, free, _ = trained()
    few, asked, _ = trained(psi_cache_bytes=5 * (250 + 12))
    none, often, _ = trained(psi_cache_bytes=0)
    assert free["joint_feature"] < asked["joint_feature"] < often["joint_feature"]
    np.testing.assert_array_equal(few.coef, none.coef)


def test_a_buffer_that_is_used_again_is_copied():
    class Reuses(Signs):
        def joint_feature(self, x, y):
            if not hasattr(self, "buffer_"):
                self.buffer_ = np.zeros(3)
            self.buffer_[:] = x * np.eye(3)[y]
            return self.buffer_

    rng = np.random.default_rng(0)
    X, Y = list(rng.normal(size=30)), rng.integers(0, 3, 30).tolist()
    found = []
    for cls in (Signs, Reuses):
        space = cls()
        found.append(BCFW().solve(space.bind(space.fit_pack(X, Y)), 0.1).coef)
    np.testing.assert_array_equal(*found)
