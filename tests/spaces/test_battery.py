"""The public battery on all built-in spaces, and on a pure-Python one."""

from __future__ import annotations

import importlib.util
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from pystruct_ext.spaces import MulticlassSpace, SequenceSpace
from pystruct_ext.testing import check_output_space

PATH = Path(__file__).resolve().parents[2] / "examples" / "matching_space.py"
SPEC = importlib.util.spec_from_file_location("matching_space", PATH)
EXAMPLE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(EXAMPLE)


class MatchingSpace(EXAMPLE.MatchingSpace):
    """The documented sixteen lines, with an enumeration for the brute-force checks."""

    def enumerate(self, x):
        return [np.array(p) for p in permutations(range(len(x)))]


def matchings(rng):
    X = [rng.normal(size=(m, m, 3)) for m in (2, 3, 4, 3)]
    return X, [rng.permutation(len(x)) for x in X]


def classes(rng):
    return rng.normal(size=(7, 4)), [0, 1, 2, 0, 1, 2, 2]


def labels(rng, lengths, k=3):
    Y = [[int(v) for v in rng.integers(0, k, n)] for n in lengths]
    Y[0] = [j % k for j in range(len(Y[0]))]
    return Y


def dense(rng, lengths=(4, 1, 3, 2)):
    return [rng.normal(size=(n, 3)) for n in lengths], labels(rng, lengths)


def sparse(rng, lengths=(4, 1, 3, 2)):
    X = [rng.normal(size=(n, 5)) * (rng.random((n, 5)) < 0.5) for n in lengths]
    return [csr_array(x) for x in X], labels(rng, lengths)


def names(rng, lengths=(4, 1, 3, 2)):
    X = [[[f"f{j}" for j in rng.integers(0, 6, 3)] for _ in range(n)] for n in lengths]
    X[0][0] = {"f0": 0.5, "g": "value", "h": True}
    return X, labels(rng, lengths)


def chunks(rng):
    Y = [["B-X", "I-X", "O"], ["O"], ["B-Y", "I-Y", "B-X"], ["O", "B-X"]]
    return [rng.normal(size=(len(y), 3)) for y in Y], Y


def bilou(rng):
    Y = [["B-X", "I-X", "L-X"], ["O"], ["U-X", "B-X", "L-X"]]
    return [rng.normal(size=(len(y), 2)) for y in Y], Y


COST = np.array([[0, 1, 3], [2, 0, 1], [0.5, 4, 0]])
CASES = {
    "matching": (MatchingSpace(), matchings),
    "multiclass": (MulticlassSpace(), classes),
    "multiclass-float32": (MulticlassSpace(dtype="float32"), classes),
    "multiclass-cost": (MulticlassSpace(COST, fit_intercept=False), classes),
    "chain-dense": (SequenceSpace(dtype="float64"), dense),
    "chain-dense-float32": (SequenceSpace(), dense),
    "chain-csr": (SequenceSpace(dtype="float64"), sparse),
    "chain-names": (SequenceSpace(dtype="float64"), names),
    "chain-names-float32": (SequenceSpace(), names),
    "chain-seen": (SequenceSpace(features="seen", dtype="float64"), names),
    "chain-seen-dense": (SequenceSpace(features="seen", dtype="float64"), dense),
    "chain-cost": (SequenceSpace(COST, dtype="float64"), dense),
    "chain-hashed": (SequenceSpace(hash_bits=4, dtype="float64"), names),
    "chain-bio": (SequenceSpace(constraints="BIO", dtype="float64"), chunks),
    "chain-bilou": (SequenceSpace(constraints="BILOU", dtype="float64"), bilou),
}


@pytest.mark.parametrize("case", list(CASES))
def test_battery(case):
    space, make_problem = CASES[case]
    check_output_space(space, make_problem, n_problems=2)
