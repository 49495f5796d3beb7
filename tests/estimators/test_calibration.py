"""Probabilities: temperatures found on held-out data, marginals as dicts."""

from __future__ import annotations

import math
import pickle
import warnings
from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import pystruct_ext
from pystruct_ext import (
    MulticlassSVM,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
    StructuralSVM,
)
from pystruct_ext.spaces import MulticlassSpace, SequenceSpace
from pystruct_ext.structures import STRUCTURES


def noisy(n, seed, noise=1.0):
    """Chains whose labels follow from features only in part."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(n):
        x = rng.normal(size=(rng.integers(2, 7), 3))
        X.append(x)
        y.append((x + noise * rng.normal(size=x.shape)).argmax(axis=1).tolist())
    return X, y


def confidence_and_accuracy(model, X, y):
    sure = right = total = 0.0
    for p, labels in zip(model.predict_marginals(X), y, strict=True):
        best = model.classes_[p.argmax(axis=1)]
        sure += p.max(axis=1).sum()
        right += (best == labels).sum()
        total += len(labels)
    return sure / total, right / total


@pytest.mark.parametrize("of", ["outputs", "parts"])
@pytest.mark.parametrize("C", [0.001, 1.0])
def test_confidence_comes_to_accuracy(C, of):
    model = SequenceSVM(C=C).fit(*noisy(150, 0))
    test = noisy(300, 2)
    before = np.subtract(*confidence_and_accuracy(model, *test))
    predicted = model.predict(test[0])
    assert model.calibrate(*noisy(150, 1), of=of) is model
    after = np.subtract(*confidence_and_accuracy(model, *test))
    assert abs(before) > 0.05
    assert abs(after) < 0.03
    assert abs(after) < abs(before) / 2
    assert model.predict(test[0]) == predicted


def test_the_likelihood_is_highest_there():
    """Against enumeration and another search, in 1 / T."""
    model = SequenceSVM(C=0.05, dtype="float64").fit(*noisy(30, 0))
    X, y = noisy(12, 1)
    weight = np.arange(12) % 3

    X, y = [x[:4] for x in X], [labels[:4] for labels in y]
    psi = model.space_.joint_feature
    known = [
        (
            np.array(
                [
                    psi(x, z) @ model._w
                    for z in map(list, product(range(3), repeat=len(x)))
                ]
            ),
            psi(x, labels) @ model._w,
        )
        for x, labels in zip(X, y, strict=True)
    ]

    def cost(beta):
        return sum(
            c * (logsumexp(beta * scores) - beta * score)
            for (scores, score), c in zip(known, weight, strict=True)
        )

    model.calibrate(X, y, weight)
    best = minimize_scalar(cost, bounds=(0.1, 100), method="bounded")
    assert 1 / model.temperature_ == pytest.approx(best.x, rel=5e-3)


def test_the_log_loss_of_labels_is_lowest_there():
    model = SequenceSVM(C=0.05, dtype="float64").fit(*noisy(30, 0))
    X, y = noisy(20, 1)
    model.calibrate(X, y, of="parts")

    def cost(t):
        return -sum(
            np.log(p[np.arange(len(labels)), labels]).sum()
            for p, labels in zip(model.predict_marginals(X, t), y, strict=True)
        )

    t = model.temperature_
    assert cost(t) <= min(cost(t * f) for f in (0.5, 0.98, 1.02, 2.0))


def test_the_temperature_is_the_default_and_is_kept(tmp_path):
    X, y = noisy(20, 0)
    model = SequenceSVM(C=0.05).fit(X, y)
    flat = model.predict_marginals(X, 1.0)
    np.testing.assert_array_equal(model.predict_marginals(X)[0], flat[0])
    t = model.calibrate(*noisy(20, 1)).temperature_
    assert t != pytest.approx(1.0, rel=0.01)
    for found, given in (
        (model.predict_marginals(X), model.predict_marginals(X, t)),
        (model.sample(X, 3, random_state=0), model.sample(X, 3, t, random_state=0)),
        (model.log_partition(X), model.log_partition(X, t)),
    ):
        assert all(map(np.array_equal, found, given))
    np.testing.assert_array_equal(model.predict_marginals(X, 1.0)[0], flat[0])
    model.save(tmp_path / "m.psx")
    for back in (
        pystruct_ext.load(tmp_path / "m.psx"),
        pickle.loads(pickle.dumps(model)),
    ):
        assert back.temperature_ == t
        assert np.array_equal(back.log_partition(X), model.log_partition(X))
    model.fit(X, y)
    assert not hasattr(model, "temperature_")


def test_no_information_and_perfect_information():
    X, y = noisy(10, 0)
    model = SequenceSVM(C=1e-12).fit(X, y)
    model._w[:] = 0
    assert model.calibrate(X, y).temperature_ == 1.0
    # Held-out examples without a mistake make the model as sure as it may be.
    sure = SequenceSVM(C=1).fit(*noisy(30, 0, noise=0.0))
    X, _ = noisy(10, 1, noise=0.0)
    sure.calibrate(X, sure.predict(X))
    assert 1e-7 < sure.temperature_ < 1e-2
    assert np.isfinite(sure.log_partition(X)).all()
    # Those with nothing but mistakes make it flat.
    worst = [[min(sure.classes_, key=lambda c: row[c]) for row in x] for x in X]
    sure.calibrate(X, worst)
    assert sure.temperature_ > 100
    assert np.allclose(sure.predict_marginals(X)[0], 1 / 3, atol=0.05)


@pytest.mark.parametrize("name", list(STRUCTURES))
@pytest.mark.parametrize("of", ["outputs", "parts"])
def test_every_structure_with_marginals(name, of):
    structure = STRUCTURES[name]
    problem = structure.problem(np.random.default_rng(0))
    model = structure.estimator(**structure.small)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(problem.X, problem.y, **problem.fit_params)
    if name in ("ranking", "diverse-ranking", "matching", "clustering"):
        with pytest.raises(NotImplementedError, match="offers no marginals"):
            model.calibrate(problem.X, problem.y)
        return

    def loss(t):
        log_z = model.log_partition(problem.X, t)
        psi = model.space_.joint_feature
        score = [
            psi(x, y) @ model._w for x, y in zip(problem.X, problem.y, strict=True)
        ]
        return float((log_z - np.array(score) / t).sum())

    t = model.calibrate(problem.X, problem.y, of=of).temperature_
    assert t > 0
    if of == "outputs" and t > 1e-4:
        assert loss(t) <= loss(1.0) + 1e-3
        assert loss(t) <= min(loss(t / 1.5), loss(t * 1.5)) + 1e-3


def test_weights_empty_sequences_and_unseen_labels():
    X, y = noisy(20, 0)
    model = SequenceSVM(C=0.05, dtype="float64").fit(X, y)
    t = model.calibrate(X[:10], y[:10]).temperature_
    assert model.calibrate(X, y, [1] * 10 + [0] * 10).temperature_ == pytest.approx(
        t, rel=5e-3
    )
    again = model.calibrate([[], *X[:10], []], [[], *y[:10], []])
    assert again.temperature_ == pytest.approx(t, rel=5e-3)
    new = [*y[:10], [9] * len(X[10])]
    with pytest.warns(
        UserWarning, match="1 of 11 examples have labels never seen at fit"
    ):
        model.calibrate(X[:11], new)
    assert model.temperature_ == pytest.approx(t, rel=5e-3)
    with pytest.raises(ValueError, match="was not seen at fit"):
        model.calibrate(X[10:11], new[10:])
    with pytest.raises(ValueError, match="y: example 1 has 1 labels"):
        model.calibrate(X[:2], [y[0], [0]])


def test_bad_calls():
    X, y = noisy(5, 0)
    with pytest.raises(NotFittedError):
        SequenceSVM().calibrate(X, y)
    model = SequenceSVM().fit(X, y)
    with pytest.raises(ValueError, match="of must be 'parts' or 'outputs', got 'x'"):
        model.calibrate(X, y, of="x")
    with pytest.raises(ValueError, match="one output per example: 5, got None"):
        model.calibrate(X, None)
    with pytest.raises(ValueError, match="one output per example: 5, got 4 outputs"):
        model.calibrate(X, y[:4])
    with pytest.raises(ValueError, match="all 5 weights are zero"):
        model.calibrate(X, y, np.zeros(5))
    for bad in (0.0, -1.0, math.nan, "1"):
        with pytest.raises(ValueError, match="temperature must be > 0"):
            model.predict_marginals(X, bad)


# Marginals as dicts.


def test_marginals_as_dicts():
    X, y = [[["a"], ["b"]], [["b"]]], [["A", "B"], ["B"]]
    model = SequenceSVM().fit(X, y)
    dicts, arrays = (
        model.predict_marginals(X, as_dicts=True),
        model.predict_marginals(X),
    )
    assert [len(d) for d in dicts] == [2, 1]
    for sequence, array in zip(dicts, arrays, strict=True):
        for token, row in zip(sequence, array, strict=True):
            assert list(token) == ["A", "B"]
            assert list(token.values()) == row.tolist()
            assert all(type(p) is float for p in token.values())
    assert max(dicts[0][0], key=dicts[0][0].get) == "A"
    same = StructuralSVM(SequenceSpace()).fit(X, y)
    assert same.predict_marginals(X, as_dicts=True)[1][0].keys() == {"A", "B"}


def test_dicts_are_of_sequences_only():
    X, spans = [[["a"], ["b"]]], [[(0, 1, "x"), (1, 2, "y")]]
    with pytest.raises(
        NotImplementedError, match="SegmentSpace has no marginals as dicts"
    ):
        SegmentSVM().fit(X, spans).predict_marginals(X, as_dicts=True)
    with pytest.raises(NotImplementedError, match="offers no marginals"):
        RankingSVM().fit(np.eye(3), [0, 1, 2]).predict_marginals(
            np.eye(3), as_dicts=True
        )


def test_classes_of_rows():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    y = np.array(list("abc"))[(X + rng.normal(size=X.shape)).argmax(axis=1)]
    model = MulticlassSVM(C=0.001).fit(X[:200], y[:200])
    for rows in (X[200:1200], csr_matrix(X[200:1200])):
        model.calibrate(rows, pd.Series(y[200:1200], index=np.arange(1000) + 3))
    dicts = model.predict_marginals(X[1200:], as_dicts=True)
    assert list(dicts[0]) == ["a", "b", "c"]
    sure = np.mean([max(p.values()) for p in dicts])
    assert abs(sure - model.score(X[1200:], y[1200:])) < 0.04
    with pytest.warns(UserWarning, match="2 of 200 examples"):
        model.calibrate(csr_matrix(X[200:400]), [*y[200:398], "z", "z"])
    named = MulticlassSVM().fit(pd.DataFrame(X, columns=list("xyz")), y)
    frame = pd.DataFrame(X, columns=list("xyz"))
    assert np.array_equal(named.log_partition(frame), named.log_partition(frame))
    with pytest.raises(ValueError, match="feature names"):
        named.predict_marginals(frame[["z", "y", "x"]])
    other = StructuralSVM(MulticlassSpace()).fit(np.eye(3), [0, 1, 2])
    assert list(other.predict_marginals(np.eye(3), as_dicts=True)[0]) == [0, 1, 2]
