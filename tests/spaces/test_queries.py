"""Optional verbs of an oracle: parts, scores from outside, samples, against enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from pystruct_ext.spaces import (
    AlignmentSpace,
    ConstituencySpace,
    DependencySpace,
    FoldingSpace,
    MulticlassSpace,
    SegmentSpace,
    SequenceSpace,
)
from pystruct_ext.structures.samples.alignment import alignments
from pystruct_ext.structures.samples.constituency import constituency
from pystruct_ext.structures.samples.dependency import dependency
from pystruct_ext.structures.samples.folding import folds
from pystruct_ext.structures.samples.segments import segments

ARCS = {"bits": 10, "label_bits": 6}
SMALL = {"bits": 8, "split_bits": 6}
FORBIDDEN = -1e30


def sequences(rng):
    X = [rng.normal(size=(n, 3)) for n in (1, 3, 5, 4)]
    Y = [rng.choice(["a", "b", "c"], size=len(x)).tolist() for x in X]
    Y[2] = ["a", "b", "c", "a", "b"]
    return X, Y


def classes(rng):
    return rng.normal(size=(5, 3)), np.array([0, 1, 2, 3, 1])


CASES = {
    "classes": (MulticlassSpace, {}, classes),
    "chain": (SequenceSpace, {}, sequences),
    "chain-seen": (SequenceSpace, {"features": "seen"}, sequences),
    "projective": (
        DependencySpace,
        ARCS,
        dependency((1, 3, 4), labels=("x", "y")),
    ),
    "siblings": (
        DependencySpace,
        {"siblings": True, "labelled": False, **ARCS},
        dependency((1, 4, 5)),
    ),
    "arborescence": (
        DependencySpace,
        {"projective": False, **ARCS},
        dependency((1, 3, 4), projective=False, labels=("x", "y")),
    ),
    "spans": (ConstituencySpace, SMALL, constituency((1, 3, 4), ["A"])),
    # With rich features random weights leave one derivation only to draw from.
    "grammar": (
        ConstituencySpace,
        {"model": "grammar", "features": "basic", **SMALL},
        constituency((2, 3, 5), ["A", "B"]),
    ),
    "folds": (FoldingSpace, {"prior": None}, folds((1, 7, 12))),
    "segments": (SegmentSpace, {}, segments),
    "segments-loss": (
        SegmentSpace,
        {"outside": "O", "max_length": 3},
        segments,
    ),
    "alignment": (AlignmentSpace, {}, alignments()),
    "alignment-local": (AlignmentSpace, {"mode": "local"}, alignments()),
}


class Problem:
    def __init__(self, name, dtype="float64", seed=0):
        cls, params, make = CASES[name]
        self.space = cls(dtype=dtype, **params)
        self.X, self.Y = make(np.random.default_rng(seed))
        self.packed = self.space.fit_pack(self.X, self.Y)
        self.oracle = self.space.bind(self.packed)
        rng = np.random.default_rng(seed + 1)
        self.w = 0.7 * rng.normal(size=self.space.size_psi_).astype(dtype)

    def outputs(self, i):
        """Codes of all outputs of block i that can be told apart, with their parts."""
        codes, _ = self.oracle.k_best(self.w, i, 20_000)
        return codes, [self.oracle.parts(i, code) for code in codes]


@pytest.fixture(params=list(CASES))
def problem(request):
    return Problem(request.param)


def test_the_k_best_are_all_outputs(problem):
    for i, x in enumerate(problem.X):
        if isinstance(problem.space, MulticlassSpace) and i:
            break
        assert len(problem.outputs(i)[0]) == len(list(problem.space.enumerate(x)))


def test_marginals_are_probabilities_of_parts(problem):
    for i in range(problem.oracle.n_blocks):
        codes, parts = problem.outputs(i)
        scores = np.array([problem.oracle.score(problem.w, i, c) for c in codes])
        p = np.exp(scores - np.logaddexp.reduce(scores))
        expected = np.zeros(problem.oracle.part_shape(i)).ravel()
        for q, indices in zip(p, parts, strict=True):
            assert len(set(indices.tolist())) == len(indices)
            expected[indices] += q
        found, log_z = problem.oracle.marginals(problem.w, i)
        np.testing.assert_allclose(found.ravel(), expected, atol=1e-9)
        assert np.isclose(log_z, np.logaddexp.reduce(scores))
        assert np.isclose(problem.oracle.log_partition(problem.w, i), log_z)


def value(problem, i, code, extra, loss_scale):
    w, oracle = problem.w, problem.oracle
    loss = oracle.loss(i, code) if loss_scale else 0.0
    return (
        oracle.score(w, i, code)
        + loss_scale * loss
        + extra[oracle.parts(i, code)].sum()
    )


@pytest.mark.parametrize("loss_scale", [0.0, 1.0])
def test_added_scores_change_what_is_best(problem, loss_scale):
    rng = np.random.default_rng(5)
    for i in range(problem.oracle.n_blocks):
        codes, _ = problem.outputs(i)
        extra = rng.normal(size=problem.oracle.part_shape(i))
        best = problem.oracle.argmax(problem.w, i, loss_scale, scores=extra)
        values = [value(problem, i, c, extra.ravel(), loss_scale) for c in codes]
        found = value(problem, i, best, extra.ravel(), loss_scale)
        assert np.isclose(found, max(values))


def test_scores_alone_and_their_queries(problem):
    """Without w an output is worth its parts; every query says the same."""
    rng = np.random.default_rng(6)
    for i in range(problem.oracle.n_blocks):
        codes, parts = problem.outputs(i)
        scores = rng.normal(size=problem.oracle.part_shape(i))
        worth = np.array([scores.ravel()[p].sum() for p in parts])
        best = problem.oracle.argmax(None, i, 0.0, scores=scores)
        assert np.isclose(
            scores.ravel()[problem.oracle.parts(i, best)].sum(), worth.max()
        )
        _, top = problem.oracle.k_best(None, i, 4, scores=scores)
        np.testing.assert_allclose(top, np.sort(worth)[::-1][:4], atol=1e-9)
        assert np.isclose(
            problem.oracle.log_partition(None, i, 2.0, scores=scores),
            np.logaddexp.reduce(worth / 2.0),
        )
        # A later load forgets them.
        again = problem.oracle.argmax(problem.w, i, 0.0)
        exact = max(problem.oracle.score(problem.w, i, c) for c in codes)
        assert np.isclose(problem.oracle.score(problem.w, i, again), exact)


def test_forbidden_parts_are_not_in_any_answer(problem):
    rng = np.random.default_rng(7)
    for i in range(problem.oracle.n_blocks):
        codes, parts = problem.outputs(i)
        banned = rng.random(np.prod(problem.oracle.part_shape(i))) < 0.2
        mask = np.where(banned, FORBIDDEN, 0.0).reshape(problem.oracle.part_shape(i))
        left = [k for k, p in enumerate(parts) if not banned[p].any()]
        scores = np.array([problem.oracle.score(problem.w, i, codes[k]) for k in left])
        if not left:
            with pytest.raises(ValueError, match="allow no output"):
                problem.oracle.argmax(problem.w, i, 0.0, scores=mask)
            assert problem.oracle.log_partition(problem.w, i, scores=mask) == -np.inf
            continue
        best = problem.oracle.argmax(problem.w, i, 0.0, scores=mask)
        assert not banned[problem.oracle.parts(i, best)].any()
        assert np.isclose(problem.oracle.score(problem.w, i, best), scores.max())
        found, top = problem.oracle.k_best(problem.w, i, 20_000, scores=mask)
        assert len(found) == len(left)
        np.testing.assert_allclose(np.sort(top), np.sort(scores), atol=1e-8)
        log_z = problem.oracle.log_partition(problem.w, i, scores=mask)
        assert np.isclose(log_z, np.logaddexp.reduce(scores))
        drawn = problem.oracle.sample(problem.w, i, 50, scores=mask)
        for code in drawn:
            assert not banned[problem.oracle.parts(i, code)].any()


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_frequencies_of_samples(problem, temperature):
    """Chi-square of 20,000 draws against exp(score / temperature) / Z."""
    draws = 20_000 if "arborescence" not in str(problem.space) else 4_000
    i = int(
        np.argmax([len(problem.outputs(i)[0]) for i in range(problem.oracle.n_blocks)])
    )
    if problem.space.__class__ is DependencySpace and not problem.space.projective:
        draws, i = 4_000, 1
    codes, _ = problem.outputs(i)
    scores = np.array([problem.oracle.score(problem.w, i, c) for c in codes])
    p = np.exp(scores / temperature - np.logaddexp.reduce(scores / temperature))
    index = {code.tobytes(): k for k, code in enumerate(codes)}
    drawn = problem.oracle.sample(problem.w, i, draws, temperature, seed=11)
    seen = np.zeros(len(codes))
    for code in drawn:
        seen[index[code.tobytes()]] += 1
    # Rare outputs together: chi-square wants a few expected in every cell.
    order = np.argsort(-p)
    p, seen = p[order], seen[order]
    rare = p * draws < 10
    expected = np.append(p[~rare], p[rare].sum()) * draws
    counted = np.append(seen[~rare], seen[rare].sum())
    if expected[-1] < 10:
        expected, counted = expected[:-1], counted[:-1]
    assert len(expected) >= 2
    statistic = ((counted - expected) ** 2 / expected).sum()
    assert statistic < chi2.ppf(1 - 1e-6, max(len(expected) - 1, 1))
    again = problem.oracle.sample(problem.w, i, draws, temperature, seed=11)
    np.testing.assert_array_equal(drawn, again)
    other = problem.oracle.sample(problem.w, i, draws, temperature, seed=12)
    assert not np.array_equal(drawn, other)


@pytest.mark.parametrize("name", CASES)
def test_float32_answers_are_near(name):
    double, single = Problem(name), Problem(name, "float32")
    for i in range(double.oracle.n_blocks):
        a, log_a = double.oracle.marginals(double.w, i)
        b, log_b = single.oracle.marginals(single.w, i)
        np.testing.assert_allclose(a, b, atol=1e-4)
        assert np.isclose(log_a, log_b, atol=1e-3)


def test_messages():
    oracle = Problem("chain").oracle
    w = np.zeros(oracle.size_psi)
    with pytest.raises(ValueError, match=r"shape \(3, 3\), got \(2, 2\)"):
        oracle.argmax(w, 1, 0.0, scores=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="temperature must be a finite number > 0"):
        oracle.marginals(w, 0, 0.0)
    with pytest.raises(ValueError, match="k must be at least 1"):
        oracle.k_best(w, 0, 0)
    bad = np.zeros((3, 3))
    bad[1, 1] = np.nan
    with pytest.raises(ValueError, match="block 1: the best score is NaN"):
        oracle.argmax(None, 1, 0.0, scores=bad)
    assert oracle.verbs >= {"k_best", "marginals", "sample", "load_scores", "parts"}
    assert "bound" not in oracle.verbs
    assert oracle.bound(w, 1) == pytest.approx(3.0)
