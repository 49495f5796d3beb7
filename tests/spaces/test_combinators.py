"""Constrained, CostShifted and Product over every structure and over Python spaces."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from pystruct_ext.spaces import (
    AlignmentSpace,
    ConstituencySpace,
    Constrained,
    CostShifted,
    DependencySpace,
    FoldingSpace,
    MulticlassSpace,
    Product,
    SegmentSpace,
    SequenceSpace,
)
from pystruct_ext.testing import check_output_space


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


# Name: space, problem, cost.
CASES = {
    "classes": (MulticlassSpace(), combined.classes, [0.5, 0.0, 2.0]),
    "classes-float32": (MulticlassSpace(dtype="float32"), combined.classes, 0.25),
    "chain": (SequenceSpace(dtype="float64"), combined.sequences, [1.0, 0.0, 0.5]),
    "chain-float32": (SequenceSpace(), combined.sequences, combined.cost_of_labels),
    "projective": (
        DependencySpace(dtype="float64", **combined.ARCS),
        problems.dependency((1, 3, 4), labels=("x", "y")),
        combined.cost_of_arcs,
    ),
    "projective-float32": (
        DependencySpace(labelled=False, **combined.ARCS),
        problems.dependency((1, 3, 5)),
        combined.cost_of_arcs,
    ),
    "siblings": (
        DependencySpace(
            siblings=True, labelled=False, dtype="float64", **combined.ARCS
        ),
        problems.dependency((2, 4, 5)),
        combined.cost_of_arcs,
    ),
    "arborescence": (
        DependencySpace(projective=False, dtype="float64", **combined.ARCS),
        problems.dependency((1, 2, 3), projective=False, labels=("x", "y")),
        combined.cost_of_arcs,
    ),
    "spans": (
        ConstituencySpace(dtype="float64", **combined.SMALL),
        problems.constituency((1, 2, 3), ["A", "B"]),
        0.5,
    ),
    "grammar": (
        ConstituencySpace(model="grammar", dtype="float64", **combined.SMALL),
        problems.constituency((2, 3, 5), ["A", "B"]),
        0.5,
    ),
    "folds": (
        FoldingSpace(prior=None, dtype="float64"),
        problems.folds((1, 7, 12)),
        combined.cost_of_pairs,
    ),
    "folds-float32": (FoldingSpace(), problems.folds((5, 11)), combined.cost_of_pairs),
    "segments": (SegmentSpace(dtype="float64"), problems.segments, [0.0, 1.5, 0.5]),
    "segments-float32": (
        SegmentSpace(task_loss="segments", outside="O"),
        problems.segments,
        [0.0, 1.5, 0.5],
    ),
    "alignment": (
        AlignmentSpace(dtype="float64"),
        problems.alignments(),
        combined.cost_of_rows,
    ),
    "alignment-local": (
        AlignmentSpace(mode="local", dtype="float64"),
        problems.alignments(),
        combined.cost_of_rows,
    ),
    "matching": (
        matching.MatchingSpace(),
        matching.make_matching,
        combined.cost_of_pairs,
    ),
}


@pytest.mark.parametrize("name", [n for n in CASES if n != "matching"])
def test_parts_of_an_output_are_those_of_the_oracle(name):
    """``space.parts`` and the verb ``parts`` number alike, for all outputs."""
    space, make, _ = CASES[name]
    X, _, _, _ = combined.fitted(space, make, 3)
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
    before = combined.N_FORBIDDEN[0]
    made = combined.with_masks(space, make, numeric="float32" not in name)
    check_output_space(Constrained(space, combined.drawn_mask), made, n_problems=1)
    assert combined.N_FORBIDDEN[0] > before


@pytest.mark.parametrize("name", CASES)
def test_cost_shifted_passes_the_battery(name):
    space, make, cost = CASES[name]
    check_output_space(CostShifted(space, cost), make, n_problems=1)


PRODUCTS = {
    "chain-chain": (
        Product(SequenceSpace(), SequenceSpace(task_loss={("a", "b"): 2.0})),
        combined.pairs(combined.short, combined.short),
    ),
    "chain-segments": (
        Product(SequenceSpace(dtype="float64"), SegmentSpace(dtype="float64")),
        combined.pairs(combined.short, combined.segmented),
    ),
    "classes": (
        Product(MulticlassSpace(), MulticlassSpace(fit_intercept=False)),
        combined.pairs(combined.classes, combined.classes),
    ),
    "trees": (
        Product(
            DependencySpace(dtype="float64", labelled=False, **combined.ARCS),
            DependencySpace(
                dtype="float64", labelled=False, projective=False, **combined.ARCS
            ),
        ),
        combined.pairs(problems.dependency((1, 3, 4)), problems.dependency((1, 3, 4))),
    ),
    "folds": (
        Product(FoldingSpace(dtype="float64"), FoldingSpace(dtype="float64")),
        combined.pairs(problems.folds((1, 8)), problems.folds((1, 8))),
    ),
    "alignments": (
        Product(AlignmentSpace(), AlignmentSpace(mode="local")),
        combined.pairs(problems.alignments(), problems.alignments()),
    ),
    "spans": (
        Product(
            ConstituencySpace(**combined.SMALL),
            DependencySpace(labelled=False, **combined.ARCS),
        ),
        None,
    ),
    "python": (
        Product(matching.MatchingSpace(), matching.MatchingSpace()),
        combined.pairs(matching.make_matching, matching.make_matching),
    ),
    "mixed": (
        Product(SequenceSpace(dtype="float64"), combined.LevelSpace()),
        combined.pairs(combined.sequences, combined.levels),
    ),
    "mixed-other": (
        Product(combined.LevelSpace(), SequenceSpace(dtype="float64")),
        combined.pairs(combined.levels, combined.sequences),
    ),
    "three": (
        Product(
            Product(SequenceSpace(dtype="float64"), combined.LevelSpace()),
            SequenceSpace(dtype="float64"),
        ),
        combined.pairs(
            combined.pairs(combined.short, combined.levels_of_short), combined.short
        ),
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_product_passes_the_battery(name):
    space, make = PRODUCTS[name]
    check_output_space(space, make or combined.parsed, n_problems=1)


NESTED = {
    "constrained-product": (
        Constrained(
            Product(SequenceSpace(dtype="float64"), SequenceSpace(dtype="float64")),
            combined.drawn_pair,
        ),
        combined.pairs(
            combined.with_masks(SequenceSpace(), combined.short), combined.short
        ),
    ),
    "cost-shifted-product": (
        CostShifted(Product(SequenceSpace(), SequenceSpace()), combined.cost_of_both),
        combined.pairs(combined.short, combined.short),
    ),
    "cost-shifted-constrained": (
        CostShifted(
            Constrained(SequenceSpace(dtype="float64"), combined.drawn_mask), [1, 0, 2]
        ),
        combined.with_masks(SequenceSpace(), combined.short),
    ),
    "constrained-cost-shifted": (
        Constrained(
            CostShifted(SequenceSpace(dtype="float64"), [1, 0, 2]), combined.drawn_mask
        ),
        combined.with_masks(SequenceSpace(), combined.short),
    ),
    "product-of-both": (
        Product(
            Constrained(SequenceSpace(), combined.drawn_mask),
            CostShifted(SequenceSpace(), 0.5),
        ),
        combined.pairs(
            combined.with_masks(SequenceSpace(), combined.short), combined.short
        ),
    ),
    "python": (
        CostShifted(
            Constrained(matching.MatchingSpace(), combined.drawn_mask),
            combined.cost_of_pairs,
        ),
        combined.with_masks(matching.MatchingSpace(), matching.make_matching),
    ),
    "python-product": (
        Constrained(
            Product(matching.MatchingSpace(), matching.MatchingSpace()),
            combined.drawn_pair,
        ),
        combined.pairs(
            combined.with_masks(matching.MatchingSpace(), matching.make_matching),
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
    constrained = Constrained(space, combined.drawn_mask)
    X, _, packed, oracle = combined.fitted(
        constrained, combined.with_masks(space, make), 1
    )
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
    X, _, packed, oracle = combined.fitted(space, make)
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
