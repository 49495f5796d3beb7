"""Estimators of trees, folds, segments and alignments."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import pystruct_ext
from pystruct_ext import (
    AlignmentSVM,
    ConstituencySVM,
    DependencySVM,
    FoldingSVM,
    SegmentSVM,
)
from pystruct_ext.datasets import make_alignments, make_folds, make_treebank
from pystruct_ext.outputs.segments import segments_from_bio, segments_to_bio
from pystruct_ext.spaces.decoders import best_dependencies, best_spans

BANK = make_treebank(80)
FOLDS = make_folds(40)
PAIRS = make_alignments(40)
RNG = np.random.default_rng(0)
SIGNALS = [RNG.normal(size=(12, 4)) for _ in range(20)]
SPANS = [[(0, 5, "a"), (5, 8, "b"), (8, 12, "a")] for _ in SIGNALS]
for signal in SIGNALS:
    signal[5:8, 0] += 3

CASES = {
    "dependency": (
        DependencySVM(C=0.1, bits=13, label_bits=9),
        BANK.sentences,
        BANK.dependencies,
    ),
    "nonprojective": (
        DependencySVM(C=0.1, bits=13, labelled=False, projective=False),
        BANK.sentences,
        BANK.dependencies,
    ),
    "siblings": (
        DependencySVM(C=0.1, bits=13, label_bits=9, siblings=True),
        BANK.sentences,
        BANK.dependencies,
    ),
    "spans": (ConstituencySVM(bits=10), BANK.sentences, BANK.trees),
    "grammar": (
        ConstituencySVM(model="grammar", bits=10),
        BANK.sentences,
        BANK.trees,
    ),
    "folding": (FoldingSVM(C=0.1, decode="best"), *FOLDS),
    "segments": (SegmentSVM(), SIGNALS, SPANS),
    "alignment": (AlignmentSVM(), *PAIRS),
}
LEAST = {"folding": 0.6, "alignment": 0.85}


@pytest.mark.parametrize("name", CASES)
def test_fit_predict_save(name, tmp_path):
    model, X, y = CASES[name]
    model = clone(model)
    with pytest.raises(NotFittedError):
        model.predict(X)
    k = 3 * len(X) // 4
    assert model.fit(X[:k], y[:k]) is model
    assert model.certificate_ == "exact"
    assert model.relative_gap_ <= 0.01
    assert model.score(X[k:], y[k:]) > LEAST.get(name, 0.93)
    model.save(tmp_path / "m.psx")
    again = pystruct_ext.load(tmp_path / "m.psx")
    predicted = model.predict(X[k:])
    assert again.predict(X[k:]) == predicted
    np.testing.assert_array_equal(again.coef_, model.coef_)
    best = model.predict_k_best(X[k : k + 2], 3)
    for one, found in zip(best, predicted, strict=False):
        scores = [s for s, _ in one]
        assert scores == sorted(scores, reverse=True)
        assert one[0][1] == found
    log_z = model.log_partition(X[k : k + 2])
    assert all(z >= one[0][0] - 1e-4 for z, one in zip(log_z, best, strict=True))
    clone(again)


@pytest.mark.parametrize(
    "name", ["dependency", "spans", "folding", "segments", "alignment"]
)
def test_solvers_agree_on_the_optimum(name):
    model, X, y = CASES[name]
    bounds = []
    for solver in ("bcfw", "one_slack"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = clone(model).set_params(solver=solver, tol=2e-3, max_iter=400)
            fitted.fit(X[:15], y[:15])
        bounds.append((fitted.dual_objective_, fitted.primal_objective_))
    (d1, p1), (d2, p2) = bounds
    assert d1 <= p2 * (1 + 1e-6)
    assert d2 <= p1 * (1 + 1e-6)


def test_sample_weight_is_repetition():
    X, y = FOLDS[0][:6], FOLDS[1][:6]
    tight = {"tol": 1e-4, "max_iter": 3000, "dtype": "float64"}
    weighted = FoldingSVM(C=0.01, **tight).fit(X, y, sample_weight=[2, 1, 1, 1, 1, 0])
    repeated = FoldingSVM(C=0.01, **tight).fit(X[:1] + X[:5], y[:1] + y[:5])
    assert abs(weighted.primal_objective_ - repeated.primal_objective_) <= 3e-4 * abs(
        repeated.primal_objective_
    )


def test_words_decide_the_attachment():
    """Tags alone cannot tell "ate pizza with a fork" from "... with cheese"."""
    bank = make_treebank(300)
    model = DependencySVM(C=0.1, bits=14, label_bits=9)
    full = model.fit(bank.sentences[:200], bank.dependencies[:200])
    blind_sentences = [s._replace(forms=s.tags) for s in bank.sentences]
    blind = clone(model).fit(blind_sentences[:200], bank.dependencies[:200])
    seen = full.score(bank.sentences[200:], bank.dependencies[200:])
    unseen = blind.score(blind_sentences[200:], bank.dependencies[200:])
    assert seen > unseen + 0.02


def test_networkx_and_conversions():
    pytest.importorskip("networkx")
    model, X, y = CASES["dependency"]
    graph = clone(model).fit(X, y).to_networkx(X[0], y[0])
    assert graph.number_of_edges() == len(X[0].forms)
    assert graph.edges[0, y[0].heads.index(0) + 1]["label"] == "root"
    tags = ["B-NP", "I-NP", "O", "B-VP", "B-VP"]
    assert segments_to_bio(segments_from_bio(tags)) == tags


def test_folding_projects_pseudoknots_with_a_warning():
    with pytest.warns(UserWarning, match="1 of 2 folds do not fit"):
        FoldingSVM().fit(
            ["GGGGAAAACCCCAAAAGGGG", "GGGAAAACCC"],
            ["(([[....))..]]......", "(((....)))"],
        )


def test_decoders_for_given_scores():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(5, 8, 7))
    for projective in (True, False):
        heads, values = best_dependencies(scores, projective)
        for b in range(5):
            alone, value = best_dependencies(scores[b], projective)
            assert alone.tolist() == heads[b].tolist()
            total = sum(scores[b, h, t] for t, h in enumerate(alone))
            assert np.isclose(value[0], total)
            assert (alone == 0).sum() == 1
        assert np.allclose(
            values, [best_dependencies(s, projective)[1][0] for s in scores]
        )
    free, _ = best_dependencies(
        np.vstack([np.full((1, 3), 9.0), np.zeros((3, 3))]), False, False
    )
    assert free.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match=r"expected .n . 1, n."):
        best_dependencies(np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"scores\[0, 0, 1\] is nan"):
        best_dependencies(np.array([[0, np.nan], [0, 0], [0, 0.0]]))
    spans, value = best_spans(rng.normal(size=(6, 6, 3)))
    assert spans[0][:2] == (0, 5)
    assert value.shape == (1,)
