"""The public battery on every space and input kind that the package ships."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from pystruct_ext.spaces import MulticlassSpace, SequenceSpace
from pystruct_ext.testing import yield_space_checks

# Tests are no package, and importing by name is what makes the class picklable.
_PATH = Path(__file__).with_name("matching_space.py")
_SPEC = importlib.util.spec_from_file_location("matching_space", _PATH)


@pytest.fixture(scope="module")
def matching():
    import sys

    module = importlib.util.module_from_spec(_SPEC)
    sys.modules["matching_space"] = module
    _SPEC.loader.exec_module(module)
    yield module
    del sys.modules["matching_space"]


def rows(rng, k=3, n=9, d=4):
    return rng.normal(size=(n, d)), np.arange(n) % k


def dense_rows(rng):
    return rows(rng)


def named_rows(rng):
    X, y = rows(rng, k=4)
    return X, np.array(["ant", "bee", "cat", "dog"])[y]


def sparse_rows(rng):
    X, y = rows(rng, d=9)
    X[rng.random(X.shape) < 0.6] = 0
    return csr_array(X), y


LENGTHS = (1, 2, 4, 3, 1)


def labels(rng, lengths, names="abc"):
    # Every name occurs, so that the size of the problem does not depend on chance.
    flat = rng.permutation(np.resize(np.arange(len(names)), sum(lengths)))
    cuts = np.cumsum(lengths)[:-1]
    return [[names[k] for k in part.tolist()] for part in np.split(flat, cuts)]


def dense_sequences(rng):
    X = [rng.normal(size=(t, 3)) for t in LENGTHS]
    return X, labels(rng, LENGTHS)


def mostly_zero(rng):
    X = []
    for t in LENGTHS:
        x = rng.normal(size=(t, 8)).astype(np.float32)
        x[rng.random(x.shape) < 0.8] = 0
        X.append(x)
    return X, labels(rng, LENGTHS)


def csr_sequences(rng):
    X, Y = mostly_zero(rng)
    return [csr_matrix(x) for x in X], Y


def string_sequences(rng):
    def token():
        return [f"f{j}" for j in rng.permutation(6)[: rng.integers(0, 4)]]

    X = [[token() for _ in range(t)] for t in LENGTHS]
    X[0][0] = ["f0"]
    return X, labels(rng, LENGTHS)


def valued_sequences(rng):
    X, Y = string_sequences(rng)
    draw = rng.normal
    return [[{name: float(draw()) for name in token} for token in x] for x in X], Y


def long_sequences(rng):
    """Too long to enumerate: what is left are inequalities and sums."""
    lengths = (30, 1, 45)
    X = [rng.normal(size=(t, 12)) for t in lengths]
    return X, labels(rng, lengths, "abcdefghi")


def long_strings(rng):
    lengths = (40, 25)
    X = [
        [[f"f{j}" for j in rng.integers(0, 50, size=6)] for _ in range(t)]
        for t in lengths
    ]
    return X, labels(rng, lengths, "abcdefghijklmnopq")


def bio_sequences(rng):
    X = [rng.normal(size=(t, 2)) for t in (1, 3, 4, 2)]
    Y = [["O"], ["B-x", "I-x", "O"], ["B-y", "B-x", "I-x", "B-y"], ["B-y", "I-y"]]
    return X, [Y[k] for k in range(4)]


def bilou_sequences(rng):
    X = [rng.normal(size=(t, 2)) for t in (1, 3, 4, 2)]
    Y = [["U-x"], ["B-x", "I-x", "L-x"], ["O", "B-y", "L-y", "O"], ["U-y", "O"]]
    return X, Y


def upward_sequences(rng):
    """Labels never decrease."""
    X = [rng.normal(size=(t, 2)) for t in LENGTHS]
    Y = [sorted(rng.integers(0, 3, size=t).tolist()) for t in LENGTHS]
    Y[2] = [0, 1, 1, 2]
    return X, Y


COST = np.array([[0.0, 1.0, 4.0], [0.5, 0.0, 0.0], [2.0, 1.0, 0.0]])
UPPER = np.triu(np.ones((3, 3), dtype=bool))
MAPPING = {0: [0, 1], 1: [1, 2], 2: [2], "<start>": [0, 1, 2], "<end>": [0, 1, 2]}

CASES = {
    "multiclass": (MulticlassSpace(), dense_rows),
    "multiclass-float32": (MulticlassSpace(dtype="float32"), dense_rows),
    "multiclass-names": (MulticlassSpace(intercept_scaling=2.0), named_rows),
    "multiclass-cost": (MulticlassSpace(task_loss=COST), dense_rows),
    "multiclass-csr": (MulticlassSpace(), sparse_rows),
    "multiclass-csr-plain": (
        MulticlassSpace(fit_intercept=False, dtype="float32"),
        sparse_rows,
    ),
    "sequence": (SequenceSpace(), dense_sequences),
    "sequence-float64": (SequenceSpace(dtype="float64"), dense_sequences),
    "sequence-cost": (SequenceSpace(task_loss=COST), dense_sequences),
    "sequence-cost-mapping": (
        SequenceSpace(task_loss={("a", "b"): 3.0, ("b", "c"): 0.0}, dtype="float64"),
        dense_sequences,
    ),
    "sequence-sparsified": (SequenceSpace(), mostly_zero),
    "sequence-csr": (SequenceSpace(), csr_sequences),
    "sequence-csr-float64": (SequenceSpace(dtype="float64"), csr_sequences),
    "sequence-strings": (SequenceSpace(), string_sequences),
    "sequence-values": (SequenceSpace(dtype="float64"), valued_sequences),
    "sequence-seen-dense": (SequenceSpace(features="seen"), dense_sequences),
    "sequence-seen-csr": (SequenceSpace(features="seen"), csr_sequences),
    "sequence-seen-strings": (
        SequenceSpace(features="seen", dtype="float64"),
        string_sequences,
    ),
    "sequence-hashed": (SequenceSpace(hash_bits=3), string_sequences),
    "sequence-min-count": (SequenceSpace(min_count=2), string_sequences),
    "sequence-long": (SequenceSpace(), long_sequences),
    "sequence-long-strings": (SequenceSpace(features="seen"), long_strings),
    "sequence-bio": (SequenceSpace(constraints="BIO"), bio_sequences),
    "sequence-bilou": (
        SequenceSpace(constraints="BILOU", dtype="float64"),
        bilou_sequences,
    ),
    "sequence-matrix": (SequenceSpace(constraints=UPPER), upward_sequences),
    "sequence-mapping": (SequenceSpace(constraints=MAPPING), upward_sequences),
}

CHECKS = [
    pytest.param(check, id=f"{case}-{name}")
    for case, (space, make_problem) in CASES.items()
    for name, check in yield_space_checks(
        space, make_problem, n_problems=3 if case in ("multiclass", "sequence") else 1
    )
]


@pytest.mark.parametrize("check", CHECKS)
def test_shipped_space(check):
    check()


def test_matching_space(matching):
    for _, check in yield_space_checks(
        matching.MatchingSpace(), matching.make_matching
    ):
        check()
