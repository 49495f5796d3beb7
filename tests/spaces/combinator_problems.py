"""Problems, masks and costs for combinators of spaces; no tests in here."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from pystruct_ext.outputs import DependencyTree
from pystruct_ext.spaces import OutputSpace
from pystruct_ext.structures.samples.alignment import alignments
from pystruct_ext.structures.samples.constituency import constituency
from pystruct_ext.structures.samples.dependency import dependency, random_heads
from pystruct_ext.structures.samples.folding import folds
from pystruct_ext.structures.samples.segments import segments


def load(name):
    """A helper beside this file; under a name of its own, so that pickles find its classes."""
    alias = f"{name}_combined"
    if alias not in sys.modules:
        path = Path(__file__).with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location(alias, path)
        sys.modules[alias] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[alias])
    return sys.modules[alias]


problems = SimpleNamespace(
    alignments=alignments,
    constituency=constituency,
    dependency=dependency,
    folds=folds,
    random_heads=random_heads,
    segments=segments,
)
matching = load("matching_space")

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


def fitted(space, make, seed=0):
    X, Y = make(np.random.default_rng(seed))
    packed = space.fit_pack(X, Y)
    return X, Y, packed, space.bind(packed)


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


def parsed(rng):
    X, trees = problems.constituency((1, 2, 3), ["A"])(rng)
    heads = [problems.random_heads(rng, n) for n in (1, 2, 3)]
    return X, list(zip(trees, map(list, heads), strict=True))


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
