"""The oracle handle, its capsule, and the door for pure-Python spaces."""

from __future__ import annotations

import ctypes
import gc

import numpy as np
import pytest

from pystruct_ext._core import Oracle, python_oracle
from pystruct_ext.solvers import BCFW, InterruptedWarning
from pystruct_ext.spaces import MulticlassSpace, OutputSpace, SequenceSpace


class Signs(OutputSpace):
    """One of three outputs; every method can be told to raise."""

    def __init__(self, broken=None, error=None):
        self.broken = broken
        self.error = error

    def _maybe(self, name):
        if self.broken == name:
            raise self.error

    def fit_domain(self, X, Y=None):
        self.size_psi_ = 3
        return self

    def joint_feature(self, x, y):
        self._maybe("joint_feature")
        return x * np.eye(3)[y]

    def loss(self, y, y_hat):
        self._maybe("loss")
        return float(y != y_hat)

    def decode(self, w, x):
        self._maybe("decode")
        return int(np.argmax(x * w))

    def loss_augmented_decode(self, w, x, y):
        self._maybe("loss_augmented_decode")
        return int(np.argmax(x * w + 1.0 - np.eye(3)[y]))

    def enumerate(self, x):
        return iter(range(3))


X, Y = [1.0, 2.0, -1.0, 0.5], [0, 1, 2, 1]


def bind(space=None, X=X, Y=Y):
    space = Signs() if space is None else space
    return space.bind(space.fit_pack(X, Y))


def compiled(dtype="float64"):
    rng = np.random.default_rng(0)
    space = SequenceSpace(dtype=dtype)
    inputs = [rng.normal(size=(t, 2)) for t in (2, 3, 1)]
    return space.bind(space.fit_pack(inputs, [["a", "b"], ["b", "c", "a"], ["c"]]))


def test_attributes():
    oracle = bind()
    assert (oracle.n_blocks, oracle.size_psi, oracle.dtype) == (4, 3, np.float64)
    assert oracle.needs_gil
    assert oracle.exactness == "exact"
    assert repr(oracle) == (
        "Oracle(n_blocks=4, size_psi=3, dtype=float64, exactness='exact')"
    )
    assert not compiled().needs_gil
    assert compiled("float32").dtype == np.float32


@pytest.mark.parametrize("exactness", ["exact", "relaxed", "none"])
def test_exactness_is_passed_on(exactness):
    oracle, _ = python_oracle(Signs(), X, Y, 3, exactness)
    assert oracle.exactness == exactness


def test_unknown_exactness():
    with pytest.raises(ValueError, match=r"exactness must be .* got 'maybe'"):
        python_oracle(Signs(), X, Y, 3, "maybe")


@pytest.mark.parametrize("make", [bind, compiled])
def test_capsule_round_trip(make):
    oracle = make()
    capsule = oracle.to_capsule()
    again = Oracle.from_capsule(capsule)
    assert (again.n_blocks, again.size_psi) == (oracle.n_blocks, oracle.size_psi)
    w = np.random.default_rng(1).normal(size=oracle.size_psi)
    for i in range(oracle.n_blocks):
        np.testing.assert_array_equal(again.argmax(w, i), oracle.argmax(w, i))
    np.testing.assert_array_equal(again.cut_sum(w)[0], oracle.cut_sum(w)[0])


def _capsule(name, pointer):
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(pointer, name, None)


def test_capsule_of_another_name_or_version():
    header = (ctypes.c_uint32 * 64)()
    address = ctypes.addressof(header)
    with pytest.raises(TypeError, match=r"pystruct_ext\.oracle\.v1"):
        Oracle.from_capsule(_capsule(b"something.else", address))
    with pytest.raises(TypeError, match="PyCapsule"):
        Oracle.from_capsule(3)
    named = _capsule(b"pystruct_ext.oracle.v1", address)
    for size, version in ((0, 1), (8, 1), (4096, 2)):
        header[0], header[1] = size, version
        with pytest.raises(ValueError, match=f"ABI {version} of {size} bytes"):
            Oracle.from_capsule(named)


def test_an_oracle_is_not_made_by_hand():
    with pytest.raises(TypeError, match="bind"):
        Oracle()


def test_oracle_keeps_its_data_alive():
    oracle = compiled()
    w = np.random.default_rng(1).normal(size=oracle.size_psi)
    before = oracle.cut_sum(w)[0]
    gc.collect()
    np.random.default_rng(2).normal(size=10_000)
    np.testing.assert_array_equal(oracle.cut_sum(w)[0], before)


def test_codes_stand_for_outputs():
    oracle, output = python_oracle(Signs(), X, Y, 3)
    w = np.array([0.0, 0.0, 5.0])
    code = oracle.argmax(w, 0, 0.0)
    assert output(0, int(code[0])) == 2
    assert output(0, 0) == Y[0]
    assert oracle.truth(1).tolist() == [0]
    np.testing.assert_array_equal(oracle.argmax(w, 0, 0.0), code)


@pytest.mark.parametrize("make", [bind, compiled])
def test_bad_arguments(make):
    oracle = make()
    n, d = oracle.n_blocks, oracle.size_psi
    w = np.zeros(d)
    for bad in (
        w[:-1],
        w.astype(np.float32),
        list(w),
        np.zeros((1, d)),
        np.zeros(2 * d)[::2],
    ):
        with pytest.raises(ValueError, match=rf"w must be .* of length {d}"):
            oracle.argmax(bad, 0)
    for i in (-1, n):
        with pytest.raises(IndexError, match=f"block {i} is not in"):
            oracle.argmax(w, i)
    with pytest.raises(ValueError, match="code of block 0 must have length"):
        oracle.loss(0, np.zeros(9, dtype=np.int32))
    for ids in ([n], [-1], [[0]]):
        with pytest.raises(ValueError, match="ids must be blocks"):
            oracle.cut_sum(w, ids)
    with pytest.raises(ValueError, match="one entry per block"):
        oracle.cut_sum(w, [0, 1], [1.0])
    with pytest.raises(ValueError, match="dpsi must be"):
        oracle.cut_sum(w, dpsi=np.zeros(d + 1))
    frozen = np.zeros(d)
    frozen.flags.writeable = False
    truth = oracle.truth(0)
    with pytest.raises(ValueError, match="writeable"):
        oracle.add_psi_diff(frozen, 0, truth, truth, 1.0)


@pytest.mark.parametrize("make", [bind, compiled])
def test_no_blocks_is_an_empty_sum(make):
    oracle = make()
    dpsi, loss, hinge = oracle.cut_sum(np.zeros(oracle.size_psi), [])
    assert not dpsi.any()
    assert loss == hinge == 0
    codes, scores, _, _ = oracle.argmax_batch(np.zeros(oracle.size_psi), [])
    assert codes == []
    assert len(scores) == 0


def test_cut_sum_adds_into_a_given_vector():
    oracle = compiled()
    w = np.random.default_rng(0).normal(size=oracle.size_psi)
    want = oracle.cut_sum(w)[0]
    out = np.ones(oracle.size_psi)
    assert oracle.cut_sum(w, dpsi=out)[0] is out
    np.testing.assert_allclose(out, 1 + want)
    assert oracle.cut_sum(w, dpsi=False)[0] is None


def test_nan_names_the_block():
    rng = np.random.default_rng(0)
    space = MulticlassSpace()
    oracle = space.bind(space.fit_pack(rng.normal(size=(4, 3)), [0, 1, 2, 0]))
    w = np.zeros(oracle.size_psi)
    w[0] = np.nan
    with pytest.raises(ValueError, match=r"block 2: .* NaN"):
        oracle.argmax(w, 2)
    with pytest.raises(ValueError, match=r"block \d: .* NaN"):
        oracle.cut_sum(w)


METHODS = ["joint_feature", "loss", "decode", "loss_augmented_decode"]


class Own(Exception):
    """An exception type that the library cannot know."""


@pytest.mark.parametrize("kind", [Own, KeyboardInterrupt, SystemExit, RecursionError])
@pytest.mark.parametrize("method", METHODS)
def test_the_very_exception_comes_out(method, kind):
    error = kind("from user code")
    oracle = bind(Signs(method, error))
    w = np.array([0.3, -0.2, 0.9])
    call = oracle.argmax_batch if method == "decode" else oracle.cut_sum
    with pytest.raises(kind) as caught:
        call(w)
    assert caught.value is error
    # ... and is not raised a second time by a call that does not fail.
    assert oracle.truth(0).tolist() == [0]
    assert oracle.code_len(0) == 1


@pytest.mark.parametrize("method", ["joint_feature", "loss", "loss_augmented_decode"])
def test_the_exception_comes_out_of_a_solver(method):
    error = Own("deep inside")
    with pytest.raises(Own) as caught:
        BCFW().solve(bind(Signs(method, error)), 0.1)
    assert caught.value is error
    names = [entry.name for entry in caught.traceback]
    assert method in names, "the traceback must reach the user's line"


def test_an_exception_in_the_middle_leaves_the_oracle_usable():
    space = Signs()
    oracle = bind(space)
    w = np.array([0.3, -0.2, 0.9])
    want = oracle.cut_sum(w)
    bound = Signs("loss_augmented_decode", Own("once"))
    other = bind(bound)
    for _ in range(3):
        with pytest.raises(Own):
            other.cut_sum(w)
    bound.broken = None
    for a, b in zip(other.cut_sum(w), want, strict=True):
        np.testing.assert_array_equal(a, b)


class InterruptedAfter(Signs):
    """Raises KeyboardInterrupt at one call, as a user's Ctrl-C does."""

    def __init__(self, calls=0):
        super().__init__()
        self.calls = calls
        self.seen = 0

    def loss_augmented_decode(self, w, x, y):
        self.seen += 1
        if self.seen == self.calls:
            raise KeyboardInterrupt
        return super().loss_augmented_decode(w, x, y)


@pytest.mark.parametrize("calls", [2, 5, 11])
def test_interrupt_ends_a_solve_with_a_certified_model(calls):
    space = InterruptedAfter(calls)
    packed = space.fit_pack(X, Y)
    with pytest.warns(InterruptedWarning, match="interrupted"):
        result = BCFW(tol=0.0).solve(space.bind(packed), 0.1)
    assert result.status == "interrupted"
    assert result.gap >= -1e-12
    assert np.all(np.isfinite(result.coef))


def test_wrong_shape_of_joint_feature():
    class Wrong(Signs):
        def joint_feature(self, x, y):
            return np.zeros(4)

    with pytest.raises(
        ValueError, match=r"example 0 has shape \(4,\), expected \(3,\)"
    ):
        bind(Wrong()).cut_sum(np.zeros(3), [0])


def test_unhashable_output():
    class Odd:
        __hash__ = None

    class Wrong(Signs):
        def loss_augmented_decode(self, w, x, y):
            return Odd()

    with pytest.raises(TypeError, match=r"an output must be .* got Odd"):
        bind(Wrong()).cut_sum(np.zeros(3))


@pytest.mark.parametrize(
    ("truth", "equal", "other"),
    [
        (np.array([1, 2]), np.array([1, 2]), np.array([2, 1])),
        ([1, [2, 3]], [1, [2, 3]], [1, [3, 2]]),
        ({"a": 1}, {"a": 1}, {"a": 2}),
        ({1, 2}, {2, 1}, {1, 3}),
        ((1, np.array([0.5])), (1, np.array([0.5])), (1, np.array([1.5]))),
        ("word", "word", "other"),
    ],
    ids=["array", "list", "dict", "set", "tuple", "str"],
)
def test_outputs_of_any_kind_are_interned(truth, equal, other):
    class Fixed(Signs):
        answers = ()

        def decode(self, w, x):
            return self.answers[int(w[0])]

    space = Fixed()
    space.answers = (equal, other)
    oracle = space.bind(space.fit_pack([0.0], [truth]))
    assert oracle.argmax(np.array([0.0, 0, 0]), 0, 0.0).tolist() == [0]
    assert oracle.argmax(np.array([1.0, 0, 0]), 0, 0.0).tolist() == [1]
    assert oracle.argmax(np.array([0.0, 0, 0]), 0, 0.0).tolist() == [0]


def test_loss_scale_scales_the_loss():
    oracle = bind()
    w = np.array([0.0, 0.6, 0.0])
    # Block 3 is (0.5, class 1): 0.3 for the truth against the scaled loss of others.
    assert oracle.argmax(w, 3, 0.1).tolist() == [0]
    assert oracle.argmax(w, 3, 1.0).tolist() != [0]


def test_numbers_of_codes_that_no_memory_holds():
    oracle = MulticlassSpace().fit_domain(np.eye(3), [0, 1, 2])
    oracle = oracle.bind(oracle.pack(np.eye(3)))
    w = np.zeros(oracle.size_psi)
    for n in (0, 1 << 40):
        with pytest.raises(ValueError, match=rf"n must be .* got {n}"):
            oracle.sample(w, 0, n, seed=0)


@pytest.mark.parametrize("scale", [np.inf, -np.inf, np.nan])
def test_scales_of_the_loss_are_finite(scale):
    """A search that counts losses may not end otherwise, or leave its tables."""
    from pystruct_ext.structures import STRUCTURES

    for structure in STRUCTURES.values():
        variant = structure.samples[0]
        X, Y = variant.make_problem(np.random.default_rng(0))
        space = structure.space(**variant.params)
        oracle = space.bind(space.fit_pack(X, Y))
        w = np.zeros(oracle.size_psi, dtype=oracle.dtype)
        for call in (
            lambda o=oracle, w=w: o.argmax(w, 0, scale),
            lambda o=oracle, w=w: o.argmax_batch(w, loss_scale=scale),
            lambda o=oracle, w=w: o.bound(w, 0, scale),
        ):
            with pytest.raises(ValueError, match="loss_scale"):
                call()
