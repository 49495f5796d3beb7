"""Combinators of spaces: training, forced parts, messages, saving."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

import pystruct_ext
from pystruct_ext import StructuralSVM
from pystruct_ext.solvers import BCFW, OneSlack
from pystruct_ext.spaces import (
    Constrained,
    CostShifted,
    DependencySpace,
    FoldingSpace,
    MulticlassSpace,
    Product,
    SegmentSpace,
    SequenceSpace,
    SpaceTags,
)


def load(name):
    """A helper beside this file; under a name of its own, so that pickles find its classes."""
    alias = f"{name}_combined"
    if alias not in sys.modules:
        path = Path(__file__).with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location(alias, path)
        sys.modules[alias] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[alias])
    return sys.modules[alias]


combined = load("combinator_problems")
problems, matching = combined.problems, combined.matching


# Training.

TRAINED = {
    "constrained": (
        Constrained(SequenceSpace(dtype="float64"), combined.no_c_first),
        combined.tagged,
    ),
    "cost-shifted": (
        CostShifted(SequenceSpace(dtype="float64"), [3.0, 0.0, 1.0]),
        combined.tagged,
    ),
    "product": (
        Product(SequenceSpace(dtype="float64"), SequenceSpace(dtype="float64")),
        combined.pairs(combined.tagged, combined.tagged),
    ),
    "mixed": (
        Product(SequenceSpace(dtype="float64"), combined.LevelSpace()),
        combined.pairs(combined.sequences, combined.levels),
    ),
    "two-dtypes": (
        Product(SequenceSpace(dtype="float32"), SequenceSpace(dtype="float64")),
        combined.pairs(combined.few, combined.few),
    ),
    "python": (
        Constrained(matching.MatchingSpace(), combined.drawn_mask),
        combined.with_masks(matching.MatchingSpace(), matching.make_matching),
    ),
}


@pytest.mark.parametrize("name", TRAINED)
def test_two_solvers_reach_one_optimum(name):
    space, make = TRAINED[name]
    X, Y = make(np.random.default_rng(0))
    objectives = []
    for solver in (BCFW(cached_passes=5, max_iter=3000), OneSlack(max_iter=3000)):
        model = StructuralSVM(space, C=1.0, solver=solver, tol=1e-4).fit(X, Y)
        assert model.certificate_ == "exact"
        assert model.status_ == "converged"
        objectives.append((model.dual_objective_, model.primal_objective_))
    (a, b), (c, d) = objectives
    slack = 1e-5 * b
    assert a <= d + slack
    assert c <= b + slack


def test_the_optimum_of_a_product_is_the_sum():
    X, Y = combined.tagged(np.random.default_rng(0))
    _, Z = combined.tagged(np.random.default_rng(0))
    Z = [["b" if label == "a" else "c" for label in y] for y in Z]
    one, two = SequenceSpace(dtype="float64"), SequenceSpace(dtype="float64")
    alone = [StructuralSVM(s, tol=1e-4).fit(X, V) for s, V in ((one, Y), (two, Z))]
    both = list(zip(Y, Z, strict=True))
    model = StructuralSVM(Product(one, two), tol=1e-4).fit(X, both)
    expected = sum(m.primal_objective_ for m in alone)
    assert model.primal_objective_ == pytest.approx(expected, rel=3e-4)
    for k, m in enumerate(alone):
        got = [pair[k] for pair in model.predict(X)]
        wrong = sum(a != b for p, q in zip(got, m.predict(X), strict=True)
                    for a, b in zip(p, q, strict=True))  # fmt: skip
        assert wrong <= 2
    assert not hasattr(one, "size_psi_")


def test_predictions_obey_the_mask():
    X, Y = combined.tagged(np.random.default_rng(0))
    X_test = [np.tile([0.0, 0.0, 5.0], (3, 1)) for _ in range(4)]
    free = StructuralSVM(SequenceSpace()).fit(X, Y)
    assert {y[0] for y in free.predict(X_test)} == {"c"}
    model = StructuralSVM(
        Constrained(SequenceSpace(), combined.no_c_first), n_jobs=2
    ).fit(X, Y)
    for y in model.predict(X_test):
        assert y[0] != "c"
        assert y[1] == "c"
    for found in model.predict_k_best(X_test, 50):
        assert len(found) == 18
        assert all(y[0] != "c" for _, y in found)
    assert all(y[0] != "c" for ys in model.sample(X_test, 30) for y in ys)
    assert all(p[0, 2] == 0 for p in model.predict_marginals(X_test))
    pair = Product(SequenceSpace(), SequenceSpace())
    joint = StructuralSVM(Constrained(pair, lambda x: (None, combined.no_c_first(x))))
    joint.fit(X, [(y, y) for y in Y])
    for y, z in joint.predict(X_test):
        assert y[0] == "c"
        assert z[0] != "c"
    for _, (_, z) in joint.predict_k_best(X_test, 3)[0]:
        assert z[0] != "c"


def test_costs_keep_predictions_away():
    """A label that is dear to predict wrongly is predicted less, never in `decode` itself."""
    X, Y = combined.tagged(np.random.default_rng(0), 60)
    counts = []
    for cost in (None, [20.0, 0.0, 0.0]):
        model = StructuralSVM(CostShifted(SequenceSpace(), cost), C=0.1).fit(X, Y)
        counts.append(sum(label == "a" for y in model.predict(X) for label in y))
        inner = model.space_.space_
        assert model.predict(X) == inner.decode_batch(model.coef_, X)
        assert model.space_.decode(model.coef_, X[0]) == inner.decode(model.coef_, X[0])
    assert counts[1] < counts[0]


# Forced parts.


def force_b_second(x):
    mask = np.zeros((len(x), 3))
    mask[1:2, 1] = 1
    return mask


def test_forced_labels_classes_and_heads():
    X = [np.eye(3), np.eye(3)[:2]]
    Y = [["a", "b", "c"], ["c", "b"]]
    space = Constrained(SequenceSpace(dtype="float64"), force_b_second)
    oracle = space.bind(space.fit_pack(X, Y))
    assert len(list(space.enumerate(X[0]))) == 9
    rng = np.random.default_rng(0)
    for _ in range(20):
        w = rng.normal(size=oracle.size_psi)
        assert space.decode(w, X[0])[1] == "b"
        assert space.loss_augmented_decode(w, X[0], Y[0])[1] == "b"
    one = Constrained(MulticlassSpace(), [0, 1, 0]).fit_domain(np.eye(3), [0, 1, 2])
    assert list(one.enumerate(np.ones(3))) == [1]
    x = (["dogs", "chase", "cats"], ["N", "V", "N"])
    heads = np.zeros((4, 3))
    heads[1, 2] = 1  # the third word hangs on the first
    for projective in (True, False):
        tree = DependencySpace(labelled=False, projective=projective, **combined.ARCS)
        arcs = Constrained(tree, heads).fit_domain([x], [[0, 1, 1]])
        found = {y.heads for y in arcs.enumerate(x)}
        assert found
        assert all(h[2] == 1 for h in found)
        for _ in range(10):
            w = rng.normal(size=arcs.size_psi_)
            assert arcs.decode(w, x).heads in found
    perm = Constrained(matching.MatchingSpace(), [[0, 0, 0], [0, 0, 1], [0, 0, 0]])
    perm.fit_domain([np.zeros((3, 3, 4))])
    for _ in range(10):
        y = perm.decode(rng.normal(size=4), rng.normal(size=(3, 3, 4)))
        assert y[1] == 2


def test_a_sparse_matrix_of_rows():
    X, y = np.eye(4), [0, 1, 2, 0]
    space = Constrained(MulticlassSpace(), lambda x: [0, 0, -int(x.sum() > 1)])
    model = StructuralSVM(space).fit(csr_array(X), y)
    dense = StructuralSVM(space).fit(X, y)
    rows = np.array([[0, 0, 1.0, 0], [0, 0, 5.0, 0]])
    assert dense.predict(rows)[0] == 2
    assert dense.predict(rows)[1] != 2
    assert model.predict(csr_array(rows)) == dense.predict(rows)


# Messages.


def test_messages_of_masks():
    X, Y = [np.eye(3), np.eye(3)[:2]], [["a", "b", "c"], ["a", "c"]]

    def fails(mask, match, error=ValueError):
        with pytest.raises(error, match=match):
            Constrained(SequenceSpace(), mask).fit_pack(X, Y)

    fails([0, -1, 0], r"y: example 0 has part \(1, 1\), which its mask forbids")
    fails([True, True, False], r"y: example 0 has part \(2, 2\)")
    fails(lambda x: np.zeros((3, 3)), r"mask: example 1 must have .*\(2, 3\).*\(3, 3\)")
    fails([0, 0.5, 0], r"mask: example 0 has 0.5 at part \(0, 1\), expected -1")
    fails([0, np.nan, 0], "mask: example 0 has nan")
    fails(
        "abc", "mask: example 0 must be an array of numbers, got str", error=TypeError
    )
    fails([1, 1, 0], r"mask: example 0 forces part \(0, 0\) and another along axis 1")
    with pytest.raises(TypeError, match="a must be an OutputSpace, got int"):
        Product(3, SequenceSpace()).fit_domain(X, [(y, y) for y in Y])
    with pytest.raises(TypeError, match="space must be an OutputSpace, got int"):
        Constrained(3, None).fit_domain(X, Y)
    pair = Product(SequenceSpace(), SequenceSpace())
    with pytest.raises(TypeError, match="mask: example 0 must be a pair"):
        Constrained(pair, [0, 1, 0]).fit_pack(X, [(y, y) for y in Y])
    with pytest.raises(ValueError, match=r"part \(1, 1\) of the second output"):
        Constrained(pair, (None, [0, -1, 0])).fit_pack(X, [(y, y) for y in Y])


def test_messages_of_parts_that_cannot_be_forced():
    space = Constrained(FoldingSpace(), lambda x: np.eye(len(x)))
    with pytest.raises(ValueError, match=r"cannot be forced.*pack\(X, constraints="):
        space.fit_pack(["GGGAAACCC"], ["(((...)))"])
    X, Y = problems.segments(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"forces part \(0, 0, 0\), but parts of this"):
        Constrained(SegmentSpace(), 1).fit_pack(X, Y)


def nothing_for_two(x):
    return np.full((len(x), 3), -1 if len(x) == 2 else 0)


def test_messages_where_nothing_is_left():
    X, Y = [np.eye(3)], [["a", "b", "c"]]
    model = StructuralSVM(Constrained(SequenceSpace(), nothing_for_two)).fit(X, Y)
    with pytest.raises(ValueError, match="mask: it allows no output of example 1"):
        model.predict([np.eye(3), np.eye(3)[:2]])
    with pytest.raises(ValueError, match="mask: it allows no output of example 0"):
        model.space_.decode(model.coef_, np.eye(3)[:2])
    # What is wrong with w or x is not the mask's fault.
    with pytest.raises(ValueError, match="NaN"):
        model.space_.decode(np.full_like(model.coef_, np.nan), X[0])
    python = Constrained(matching.MatchingSpace(), nothing_for_two_rows)
    python.fit_domain([np.zeros((3, 3, 4))])
    examples = [np.ones((3, 3, 4)), np.ones((2, 2, 4))]
    with pytest.raises(ValueError, match="mask: it allows no output of example 1"):
        python.decode_batch(np.ones(4), examples)


def nothing_for_two_rows(x):
    return np.full(x.shape[:2], -1 if len(x) == 2 else 0)


def test_messages_of_costs():
    X, Y = [np.eye(3), np.eye(3)[:2]], [["a", "b", "c"], ["a", "c"]]

    def fails(cost, match, error=ValueError):
        with pytest.raises(error, match=match):
            CostShifted(SequenceSpace(), cost).fit_pack(X, Y)

    fails([0, -1, 0], r"cost: example 0 has -1.0 at part \(0, 1\), expected a finite")
    fails(lambda y: [0, 0, np.nan if len(y) == 2 else 1], "cost: example 1 has nan")
    fails(np.zeros((2, 2)), r"cost: example 0 must have .*\(3, 3\).*got \(2, 2\)")
    fails(["dear"], "cost: example 0 must be an array of numbers", TypeError)
    space = CostShifted(SequenceSpace(), np.zeros((3, 3)))
    space.fit_domain(X[:1], Y[:1])
    assert space.loss(["a", "b", "c"], ["b", "b", "c"]) == 1.0
    with pytest.raises(ValueError, match="has no entry for all parts of y_hat"):
        space.loss(["a"] * 4, ["b"] * 4)
    with pytest.raises(ValueError, match="cost must have at most 2 dimensions"):
        space.set_params(cost=np.zeros((1, 3, 3))).loss(["a"], ["b"])


def test_a_space_without_parts_is_refused():
    X, Y = combined.levels(np.random.default_rng(0))
    for combine in (Constrained, CostShifted):
        with pytest.raises(
            TypeError,
            match=f"{combine.__name__} needs .*LevelSpace has no method part_shape, parts, "
            "shifted_decode",
        ):
            combine(combined.LevelSpace(), None).fit_domain(X, Y)
        mixed = Product(SequenceSpace(), combined.LevelSpace())
        with pytest.raises(TypeError, match="LevelSpace has no method"):
            combine(mixed, None).fit_domain(X, [(y, 0) for y in Y])


def test_outputs_of_a_product_are_pairs():
    X, Y = combined.sequences(np.random.default_rng(0))
    with pytest.raises(ValueError, match="y: example 0 must be a pair"):
        Product(SequenceSpace(), SequenceSpace()).fit_pack(X, Y)


# Tags, exceptions, saving.


class RelaxedLevels(combined.LevelSpace):
    def __space_tags__(self):
        return SpaceTags(exactness="relaxed")


class GreedyLevels(combined.LevelSpace):
    def __space_tags__(self):
        return SpaceTags(exactness="none")


def test_tags_are_the_weakest():
    chain = SequenceSpace(dtype="float64")
    for other, exactness in (
        (combined.LevelSpace(), "exact"),
        (RelaxedLevels(), "relaxed"),
        (GreedyLevels(), "none"),
    ):
        space = Product(chain, other)
        assert space.__space_tags__() == SpaceTags(exactness, compiled=False)
        oracle = combined.fitted(
            space, combined.pairs(combined.sequences, combined.levels)
        )[3]
        assert oracle.exactness == exactness
        assert oracle.needs_gil
    greedy = Product(GreedyLevels(), RelaxedLevels())
    assert greedy.__space_tags__().exactness == "none"
    assert Constrained(chain, None).__space_tags__() == SpaceTags(compiled=True)
    two = Product(chain, SequenceSpace())
    assert not two.__space_tags__().compiled
    assert two.dtype == "float64"
    assert Product(SequenceSpace(), SequenceSpace()).dtype == "float32"


class BrokenLevels(combined.LevelSpace):
    def joint_feature(self, x, y):
        if len(x) == 4 and y != 4 % 3:
            raise KeyError("broken")
        return super().joint_feature(x, y)


def test_an_exception_leaves_the_weights_as_they_were():
    """The half that raises comes second: the first must not have moved yet."""
    space = Product(SequenceSpace(dtype="float64"), BrokenLevels())
    oracle = combined.fitted(
        space, combined.pairs(combined.sequences, combined.levels)
    )[3]
    w = np.zeros(oracle.size_psi)
    w[-9:] = np.random.default_rng(0).normal(size=9)
    with pytest.raises(KeyError, match="broken"):
        for seed in range(100):
            w[-9:] = np.random.default_rng(seed).normal(size=9)
            code = oracle.argmax(w, 3, 0.0)
            moved = w.copy()
            oracle.add_psi_diff(moved, 3, oracle.truth(3), code, 1.0)
    np.testing.assert_array_equal(moved, w)


class HarshPairs(Product):
    def loss(self, y, y_hat):
        return 2 * super().loss(y, y_hat)


class Upright(Constrained):
    """Says "a" wherever nothing is left."""

    def decode(self, w, x):
        try:
            return super().decode(w, x)
        except ValueError:
            return ["a"] * len(x)


def test_a_subclass_is_heard():
    """A replaced method is not overlooked by the oracle in C++."""
    X, Y = combined.pairs(combined.sequences, combined.sequences)(
        np.random.default_rng(0)
    )
    space = HarshPairs(SequenceSpace(), SequenceSpace())
    oracle = space.bind(space.fit_pack(X, Y))
    assert not space.__space_tags__().compiled
    w = np.zeros(oracle.size_psi)
    code = oracle.argmax(w, 2, 0.0)
    z = space.decode(w, X[2])
    assert oracle.loss(2, code) == space.loss(Y[2], z) > 0
    space = Upright(SequenceSpace(), nothing_for_two).fit_domain(*sequences_of_labels())
    w = np.zeros(space.size_psi_)
    assert space.decode_batch(w, [np.eye(3), np.eye(3)[:2]])[1] == ["a", "a"]


def sequences_of_labels():
    return [np.eye(3)], [["a", "b", "c"]]


def test_saving(tmp_path):
    X, Y = combined.tagged(np.random.default_rng(0), 6)
    path = tmp_path / "model.psx"

    def again(space, outputs=Y):
        model = StructuralSVM(space).fit(X, outputs)
        model.save(path)
        back = pystruct_ext.load(path)
        assert back.predict(X) == model.predict(X)
        np.testing.assert_array_equal(back.coef_, model.coef_)
        return back.space_

    both = [(y, y) for y in Y]
    assert isinstance(again(Product(SequenceSpace(), SegmentSpace()), [
        (y, [(t, t + 1, v) for t, v in enumerate(y)]) for y in Y
    ]).spaces_[1], SegmentSpace)  # fmt: skip
    mask = np.array([0, 0, 0])
    np.testing.assert_array_equal(again(Constrained(SequenceSpace(), mask)).mask, mask)
    pair = Product(SequenceSpace(), SequenceSpace())
    again(Constrained(pair, (None, np.array([True, True, True]))), both)
    shifted = again(CostShifted(SequenceSpace(), [1.0, 0.0, 2.0]))
    assert shifted.loss(["b"], ["a"]) == 2.0
    shifted = again(CostShifted(SequenceSpace(), combined.cost_of_labels))
    assert shifted.cost is None
    assert shifted.loss(["b"], ["a"]) == 1.0
    model = StructuralSVM(Constrained(SequenceSpace(), combined.no_c_first)).fit(X, Y)
    with pytest.raises(TypeError, match="Constrained with a function as mask cannot"):
        model.save(path)


def test_parameters_are_never_changed():
    X, Y = combined.tagged(np.random.default_rng(0), 4)
    inner = SequenceSpace()
    space = Constrained(inner, combined.no_c_first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        space.fit_domain(X, Y)
    assert space.space is inner
    assert not hasattr(inner, "classes_")
    assert space.get_params()["space__dtype"] == "float32"
    assert space.set_params(space__dtype="float64").fit_domain(X, Y).dtype == "float64"
