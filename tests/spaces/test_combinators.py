"""Constrained, CostShifted and Product over every structure and over Python spaces."""

from __future__ import annotations

import importlib.util
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

import pystruct_ext
from pystruct_ext import StructuralSVM
from pystruct_ext.outputs import DependencyTree
from pystruct_ext.solvers import BCFW, OneSlack
from pystruct_ext.spaces import (
    AlignmentSpace,
    ConstituencySpace,
    Constrained,
    CostShifted,
    DependencySpace,
    FoldingSpace,
    MulticlassSpace,
    OutputSpace,
    Product,
    SegmentSpace,
    SequenceSpace,
    SpaceTags,
)
from pystruct_ext.testing import check_output_space


def load(name, alias):
    """A helper beside this file; by a name of its own, so that its classes can be pickled."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(alias, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    spec.loader.exec_module(module)
    return module


problems = load("structure_problems", "structure_problems_combined")
matching = load("matching_space", "matching_space_combined")

ARCS = {"bits": 8, "label_bits": 4}
SMALL = {"bits": 6, "split_bits": 6}


def sequences(rng):
    X = [rng.normal(size=(n, 3)) for n in (1, 3, 5, 4)]
    Y = [rng.choice(["a", "b", "c"], size=len(x)).tolist() for x in X]
    Y[2] = ["a", "b", "c", "a", "b"]
    return X, Y


def short(rng):
    X = [rng.normal(size=(n, 2)) for n in (1, 3, 2, 3)]
    Y = [rng.choice(["a", "b", "c"], size=len(x)).tolist() for x in X]
    Y[1] = ["a", "b", "c"]
    return X, Y


def classes(rng):
    return rng.normal(size=(6, 3)), (np.arange(6) % 3).tolist()


# Masks allow the truth and most of the rest; they are drawn with the problem.
MASKS: dict = {}
N_FORBIDDEN = [0]


def key(x):
    return repr(np.asarray(x).tolist()) if isinstance(x, np.ndarray) else repr(x)


def drawn_mask(x):
    return MASKS[key(x)]


def drawn_pair(x):
    return MASKS[key(x)], None


def with_masks(space, make, numeric=True):
    """The problems of `make`, and a random mask for each of their examples."""

    def masked(rng):
        X, Y = make(rng)
        fitted = pickle.loads(pickle.dumps(space)).fit_domain(X, Y)
        MASKS.clear()
        for x, y in zip(X, Y, strict=True):
            shape = fitted.part_shape(x)
            fresh = np.where(rng.random(shape) < 0.35, -1, 0)
            mask = MASKS.setdefault(key(x), fresh)
            mask[fitted.parts(y)] = 0
        N_FORBIDDEN[0] += sum(int((m < 0).sum()) for m in MASKS.values())
        if not numeric:
            for k, mask in MASKS.items():
                MASKS[k] = mask == 0
        return X, Y

    return masked


# Costs: as arrays that broadcast, or as functions of the truth.


def cost_of_arcs(y):
    heads = y.heads if isinstance(y, DependencyTree) else y
    return np.random.default_rng(len(heads)).random((len(heads) + 1, len(heads)))


def cost_of_pairs(y):
    return np.random.default_rng(len(y)).random((len(y), len(y)))


def cost_of_rows(y):
    return np.arange(len(y), dtype=float)[:, None] / 4


def cost_of_labels(y):
    return np.random.default_rng(len(y)).random((len(y), 3))


def cost_of_both(y):
    return cost_of_labels(y[0]), None


# Name: space, problem, cost.
CASES = {
    "classes": (MulticlassSpace(), classes, [0.5, 0.0, 2.0]),
    "classes-float32": (MulticlassSpace(dtype="float32"), classes, 0.25),
    "chain": (SequenceSpace(dtype="float64"), sequences, [1.0, 0.0, 0.5]),
    "chain-float32": (SequenceSpace(), sequences, cost_of_labels),
    "projective": (
        DependencySpace(dtype="float64", **ARCS),
        problems.dependency((1, 3, 4), labels=("x", "y")),
        cost_of_arcs,
    ),
    "projective-float32": (
        DependencySpace(labelled=False, **ARCS),
        problems.dependency((1, 3, 5)),
        cost_of_arcs,
    ),
    "siblings": (
        DependencySpace(siblings=True, labelled=False, dtype="float64", **ARCS),
        problems.dependency((2, 4, 5)),
        cost_of_arcs,
    ),
    "arborescence": (
        DependencySpace(projective=False, dtype="float64", **ARCS),
        problems.dependency((1, 2, 3), projective=False, labels=("x", "y")),
        cost_of_arcs,
    ),
    "spans": (
        ConstituencySpace(dtype="float64", **SMALL),
        problems.constituency((1, 2, 3), ["A", "B"]),
        0.5,
    ),
    "grammar": (
        ConstituencySpace(model="grammar", dtype="float64", **SMALL),
        problems.constituency((2, 3, 5), ["A", "B"]),
        0.5,
    ),
    "folds": (
        FoldingSpace(prior=None, dtype="float64"),
        problems.folds((1, 7, 12)),
        cost_of_pairs,
    ),
    "folds-float32": (FoldingSpace(), problems.folds((5, 11)), cost_of_pairs),
    "segments": (SegmentSpace(dtype="float64"), problems.segments, [0.0, 1.5, 0.5]),
    "segments-float32": (
        SegmentSpace(task_loss="segments", outside="O"),
        problems.segments,
        [0.0, 1.5, 0.5],
    ),
    "alignment": (
        AlignmentSpace(dtype="float64"),
        problems.alignments(),
        cost_of_rows,
    ),
    "alignment-local": (
        AlignmentSpace(mode="local", dtype="float64"),
        problems.alignments(),
        cost_of_rows,
    ),
    "matching": (matching.MatchingSpace(), matching.make_matching, cost_of_pairs),
}


def fitted(space, make, seed=0):
    X, Y = make(np.random.default_rng(seed))
    packed = space.fit_pack(X, Y)
    return X, Y, packed, space.bind(packed)


@pytest.mark.parametrize("name", [n for n in CASES if n != "matching"])
def test_parts_of_an_output_are_those_of_the_oracle(name):
    """``space.parts`` and the verb ``parts`` number alike, for all outputs."""
    space, make, _ = CASES[name]
    X, _, _, _ = fitted(space, make, 3)
    for x in X:
        shape = space.part_shape(x)
        for k, z in enumerate(space.enumerate(x)):
            if k == 50:
                break
            oracle = space.bind(space.pack(space._one(x), [z]))
            found = np.ravel_multi_index(space.parts(z), shape)
            expected = oracle.parts(0, oracle.truth(0))
            assert sorted(np.atleast_1d(found)) == sorted(expected)


@pytest.mark.parametrize("name", CASES)
def test_constrained_passes_the_battery(name):
    space, make, _ = CASES[name]
    before = N_FORBIDDEN[0]
    made = with_masks(space, make, numeric="float32" not in name)
    check_output_space(Constrained(space, drawn_mask), made, n_problems=1)
    assert N_FORBIDDEN[0] > before


@pytest.mark.parametrize("name", CASES)
def test_cost_shifted_passes_the_battery(name):
    space, make, cost = CASES[name]
    check_output_space(CostShifted(space, cost), make, n_problems=1)


def pairs(first, second):
    """Outputs of two generators that draw the same X."""

    def make(rng):
        seed = int(rng.integers(1 << 30))
        X, Y = first(np.random.default_rng(seed))
        _, Z = second(np.random.default_rng(seed))
        return X, list(zip(Y, Z, strict=True))

    return make


def segmented(rng):
    X, Y = short(rng)
    return X, [[(t, t + 1, label) for t, label in enumerate(y)] for y in Y]


def levels(rng):
    X, Y = sequences(rng)
    return X, [len(y) % 3 for y in Y]


def levels_of_short(rng):
    X, Y = short(rng)
    return X, [len(y) % 3 for y in Y]


class LevelSpace(OutputSpace):
    """A number from 0 to 2 for each sequence; no parts."""

    def fit_domain(self, X, Y=None):
        self.size_psi_ = 3 * X[0].shape[1]
        return self

    def joint_feature(self, x, y):
        return np.kron(np.eye(3)[y], x.mean(axis=0))

    def loss(self, y, y_hat):
        return float(abs(y - y_hat))

    def decode(self, w, x):
        return int(np.argmax(w.reshape(3, -1) @ x.mean(axis=0)))

    def loss_augmented_decode(self, w, x, y):
        return int(np.argmax(w.reshape(3, -1) @ x.mean(axis=0) + abs(np.arange(3) - y)))

    def enumerate(self, x):
        return range(3)


PRODUCTS = {
    "chain-chain": (
        Product(SequenceSpace(), SequenceSpace(task_loss={("a", "b"): 2.0})),
        pairs(short, short),
    ),
    "chain-segments": (
        Product(SequenceSpace(dtype="float64"), SegmentSpace(dtype="float64")),
        pairs(short, segmented),
    ),
    "classes": (
        Product(MulticlassSpace(), MulticlassSpace(fit_intercept=False)),
        pairs(classes, classes),
    ),
    "trees": (
        Product(
            DependencySpace(dtype="float64", labelled=False, **ARCS),
            DependencySpace(dtype="float64", labelled=False, projective=False, **ARCS),
        ),
        pairs(problems.dependency((1, 3, 4)), problems.dependency((1, 3, 4))),
    ),
    "folds": (
        Product(FoldingSpace(dtype="float64"), FoldingSpace(dtype="float64")),
        pairs(problems.folds((1, 8)), problems.folds((1, 8))),
    ),
    "alignments": (
        Product(AlignmentSpace(), AlignmentSpace(mode="local")),
        pairs(problems.alignments(), problems.alignments()),
    ),
    "spans": (
        Product(ConstituencySpace(**SMALL), DependencySpace(labelled=False, **ARCS)),
        None,
    ),
    "python": (
        Product(matching.MatchingSpace(), matching.MatchingSpace()),
        pairs(matching.make_matching, matching.make_matching),
    ),
    "mixed": (
        Product(SequenceSpace(dtype="float64"), LevelSpace()),
        pairs(sequences, levels),
    ),
    "mixed-other": (
        Product(LevelSpace(), SequenceSpace(dtype="float64")),
        pairs(levels, sequences),
    ),
    "three": (
        Product(
            Product(SequenceSpace(dtype="float64"), LevelSpace()),
            SequenceSpace(dtype="float64"),
        ),
        pairs(pairs(short, levels_of_short), short),
    ),
}


def parsed(rng):
    X, trees = problems.constituency((1, 2, 3), ["A"])(rng)
    heads = [problems.random_heads(rng, n) for n in (1, 2, 3)]
    return X, list(zip(trees, map(list, heads), strict=True))


@pytest.mark.parametrize("name", PRODUCTS)
def test_product_passes_the_battery(name):
    space, make = PRODUCTS[name]
    check_output_space(space, make or parsed, n_problems=1)


NESTED = {
    "constrained-product": (
        Constrained(
            Product(SequenceSpace(dtype="float64"), SequenceSpace(dtype="float64")),
            drawn_pair,
        ),
        pairs(with_masks(SequenceSpace(), short), short),
    ),
    "cost-shifted-product": (
        CostShifted(Product(SequenceSpace(), SequenceSpace()), cost_of_both),
        pairs(short, short),
    ),
    "cost-shifted-constrained": (
        CostShifted(Constrained(SequenceSpace(dtype="float64"), drawn_mask), [1, 0, 2]),
        with_masks(SequenceSpace(), short),
    ),
    "constrained-cost-shifted": (
        Constrained(CostShifted(SequenceSpace(dtype="float64"), [1, 0, 2]), drawn_mask),
        with_masks(SequenceSpace(), short),
    ),
    "product-of-both": (
        Product(
            Constrained(SequenceSpace(), drawn_mask), CostShifted(SequenceSpace(), 0.5)
        ),
        pairs(with_masks(SequenceSpace(), short), short),
    ),
    "python": (
        CostShifted(Constrained(matching.MatchingSpace(), drawn_mask), cost_of_pairs),
        with_masks(matching.MatchingSpace(), matching.make_matching),
    ),
    "python-product": (
        Constrained(
            Product(matching.MatchingSpace(), matching.MatchingSpace()), drawn_pair
        ),
        pairs(
            with_masks(matching.MatchingSpace(), matching.make_matching),
            matching.make_matching,
        ),
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_nested_combinators_pass_the_battery(name):
    space, make = NESTED[name]
    check_output_space(space, make, n_problems=1)


@pytest.mark.parametrize("name", [n for n in CASES if n != "matching"])
def test_queries_know_of_masks(name):
    """k best, log-partition and samples are over the allowed outputs; oracles keep parts."""
    space, make, _ = CASES[name]
    constrained = Constrained(space, drawn_mask)
    X, _, packed, oracle = fitted(constrained, with_masks(space, make), 1)
    w = np.random.default_rng(2).normal(size=oracle.size_psi).astype(oracle.dtype)
    atol = 1e-6 if oracle.dtype == np.float64 else 2e-3
    for i, x in enumerate(X):
        allowed = list(constrained.enumerate(x))
        wide = w.astype(float)
        scores = [constrained.joint_feature(x, z) @ wide for z in allowed]
        codes, best = oracle.k_best(w, i, 20_000)
        if "grammar" not in name:  # derivations of one tree are told apart
            assert len(codes) == len(allowed)
        np.testing.assert_allclose(best[0], max(scores), atol=atol)
        log_z = oracle.log_partition(w, i)
        np.testing.assert_allclose(log_z, np.logaddexp.reduce(scores), atol=atol)
        banned = packed.scores[i] < 0
        probabilities, _ = oracle.marginals(w, i)
        assert np.abs(probabilities.ravel()[banned]).max(initial=0) < 1e-12
        for code in oracle.sample(w, i, 20):
            assert not banned[oracle.parts(i, code)].any()
            assert constrained.output_of(code.tolist(), packed, i) in allowed


def test_queries_of_pairs():
    space, make = PRODUCTS["chain-segments"]
    X, _, packed, oracle = fitted(space, make)
    w = np.random.default_rng(2).normal(size=oracle.size_psi)
    for i, x in enumerate(X[:2]):
        pairs_of_x = list(space.enumerate(x))
        scores = np.array([space.joint_feature(x, z) @ w for z in pairs_of_x])
        codes, best = oracle.k_best(w, i, 7)
        np.testing.assert_allclose(best, np.sort(scores)[::-1][:7], atol=1e-9)
        for code, score in zip(codes.tolist(), best, strict=True):
            z = space.output_of(code, packed, i)
            assert np.isclose(space.joint_feature(x, z) @ w, score)
        log_z = oracle.log_partition(w, i)
        assert np.isclose(log_z, np.logaddexp.reduce(scores))
        p = np.exp(scores - log_z)
        expected = np.zeros(oracle.part_shape(i))
        shape = space.part_shape(x)
        n = np.prod(shape.first)
        for q, z in zip(p, pairs_of_x, strict=True):
            first, second = space.parts(z)
            expected[np.ravel_multi_index(first, shape.first)] += q
            expected[n + np.ravel_multi_index(second, shape.second)] += q
        np.testing.assert_allclose(oracle.marginals(w, i)[0], expected, atol=1e-9)
        drawn = oracle.sample(w, i, 3000, seed=5).tolist()
        index = {repr(z): k for k, z in enumerate(pairs_of_x)}
        seen = [index[repr(space.output_of(code, packed, i))] for code in drawn]
        counts = np.bincount(seen, minlength=len(p))
        assert np.abs(counts / 3000 - p).max() < 0.05
        # The halves are drawn independently.
        top = int(p.argmax())
        assert abs(counts[top] / 3000 - p[top]) < 5 * np.sqrt(p[top] / 3000)


# Training.


def no_c_first(x):
    mask = np.zeros((len(x), 3))
    mask[0, 2] = -1
    return mask


def tagged(rng, n=25):
    X, Y = [], []
    for _ in range(n):
        x = rng.normal(size=(int(rng.integers(2, 7)), 3))
        y = np.argmax(x + 0.7 * rng.normal(size=x.shape), axis=1)
        y[0] = np.argmax(x[0, :2])
        X.append(x)
        Y.append(["abc"[k] for k in y])
    return X, Y


def few(rng):
    return tagged(rng, 8)


TRAINED = {
    "constrained": (Constrained(SequenceSpace(dtype="float64"), no_c_first), tagged),
    "cost-shifted": (
        CostShifted(SequenceSpace(dtype="float64"), [3.0, 0.0, 1.0]),
        tagged,
    ),
    "product": (
        Product(SequenceSpace(dtype="float64"), SequenceSpace(dtype="float64")),
        pairs(tagged, tagged),
    ),
    "mixed": (
        Product(SequenceSpace(dtype="float64"), LevelSpace()),
        pairs(sequences, levels),
    ),
    "two-dtypes": (
        Product(SequenceSpace(dtype="float32"), SequenceSpace(dtype="float64")),
        pairs(few, few),
    ),
    "python": (
        Constrained(matching.MatchingSpace(), drawn_mask),
        with_masks(matching.MatchingSpace(), matching.make_matching),
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
    X, Y = tagged(np.random.default_rng(0))
    _, Z = tagged(np.random.default_rng(0))
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
    X, Y = tagged(np.random.default_rng(0))
    X_test = [np.tile([0.0, 0.0, 5.0], (3, 1)) for _ in range(4)]
    free = StructuralSVM(SequenceSpace()).fit(X, Y)
    assert {y[0] for y in free.predict(X_test)} == {"c"}
    model = StructuralSVM(Constrained(SequenceSpace(), no_c_first), n_jobs=2).fit(X, Y)
    for y in model.predict(X_test):
        assert y[0] != "c"
        assert y[1] == "c"
    for found in model.predict_k_best(X_test, 50):
        assert len(found) == 18
        assert all(y[0] != "c" for _, y in found)
    assert all(y[0] != "c" for ys in model.sample(X_test, 30) for y in ys)
    assert all(p[0, 2] == 0 for p in model.predict_marginals(X_test))
    pair = Product(SequenceSpace(), SequenceSpace())
    joint = StructuralSVM(Constrained(pair, lambda x: (None, no_c_first(x))))
    joint.fit(X, [(y, y) for y in Y])
    for y, z in joint.predict(X_test):
        assert y[0] == "c"
        assert z[0] != "c"
    for _, (_, z) in joint.predict_k_best(X_test, 3)[0]:
        assert z[0] != "c"


def test_costs_keep_predictions_away():
    """A label that is dear to predict wrongly is predicted less, never in `decode` itself."""
    X, Y = tagged(np.random.default_rng(0), 60)
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
        tree = DependencySpace(labelled=False, projective=projective, **ARCS)
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
    X, Y = levels(np.random.default_rng(0))
    for combine in (Constrained, CostShifted):
        with pytest.raises(
            TypeError,
            match=f"{combine.__name__} needs .*LevelSpace has no method part_shape, parts, "
            "shifted_decode",
        ):
            combine(LevelSpace(), None).fit_domain(X, Y)
        mixed = Product(SequenceSpace(), LevelSpace())
        with pytest.raises(TypeError, match="LevelSpace has no method"):
            combine(mixed, None).fit_domain(X, [(y, 0) for y in Y])


def test_outputs_of_a_product_are_pairs():
    X, Y = sequences(np.random.default_rng(0))
    with pytest.raises(ValueError, match="y: example 0 must be a pair"):
        Product(SequenceSpace(), SequenceSpace()).fit_pack(X, Y)


# Tags, exceptions, saving.


class RelaxedLevels(LevelSpace):
    def __space_tags__(self):
        return SpaceTags(exactness="relaxed")


class GreedyLevels(LevelSpace):
    def __space_tags__(self):
        return SpaceTags(exactness="none")


def test_tags_are_the_weakest():
    chain = SequenceSpace(dtype="float64")
    for other, exactness in (
        (LevelSpace(), "exact"),
        (RelaxedLevels(), "relaxed"),
        (GreedyLevels(), "none"),
    ):
        space = Product(chain, other)
        assert space.__space_tags__() == SpaceTags(exactness, compiled=False)
        oracle = fitted(space, pairs(sequences, levels))[3]
        assert oracle.exactness == exactness
        assert oracle.needs_gil
    greedy = Product(GreedyLevels(), RelaxedLevels())
    assert greedy.__space_tags__().exactness == "none"
    assert Constrained(chain, None).__space_tags__() == SpaceTags(compiled=True)
    two = Product(chain, SequenceSpace())
    assert not two.__space_tags__().compiled
    assert two.dtype == "float64"
    assert Product(SequenceSpace(), SequenceSpace()).dtype == "float32"


class BrokenLevels(LevelSpace):
    def joint_feature(self, x, y):
        if len(x) == 4 and y != 4 % 3:
            raise KeyError("broken")
        return super().joint_feature(x, y)


def test_an_exception_leaves_the_weights_as_they_were():
    """The half that raises comes second: the first must not have moved yet."""
    space = Product(SequenceSpace(dtype="float64"), BrokenLevels())
    oracle = fitted(space, pairs(sequences, levels))[3]
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


def test_a_subclass_is_heard():
    """A replaced method is not overlooked by the oracle in C++."""
    X, Y = pairs(sequences, sequences)(np.random.default_rng(0))
    space = HarshPairs(SequenceSpace(), SequenceSpace())
    oracle = space.bind(space.fit_pack(X, Y))
    assert not space.__space_tags__().compiled
    w = np.zeros(oracle.size_psi)
    code = oracle.argmax(w, 2, 0.0)
    z = space.decode(w, X[2])
    assert oracle.loss(2, code) == space.loss(Y[2], z) > 0


def test_saving(tmp_path):
    X, Y = tagged(np.random.default_rng(0), 6)
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
    shifted = again(CostShifted(SequenceSpace(), cost_of_labels))
    assert shifted.cost is None
    assert shifted.loss(["b"], ["a"]) == 1.0
    model = StructuralSVM(Constrained(SequenceSpace(), no_c_first)).fit(X, Y)
    with pytest.raises(TypeError, match="Constrained with a function as mask cannot"):
        model.save(path)


def test_parameters_are_never_changed():
    X, Y = tagged(np.random.default_rng(0), 4)
    inner = SequenceSpace()
    space = Constrained(inner, no_c_first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        space.fit_domain(X, Y)
    assert space.space is inner
    assert not hasattr(inner, "classes_")
    assert space.get_params()["space__dtype"] == "float32"
    assert space.set_params(space__dtype="float64").fit_domain(X, Y).dtype == "float64"
