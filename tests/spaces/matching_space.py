"""The output space of the architecture page, with an enumeration."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from scipy.optimize import linear_sum_assignment

from pystruct_ext.spaces import OutputSpace


class MatchingSpace(OutputSpace):
    """Bipartite matching: x is (m, m, d) edge features, y a permutation of m."""

    _one_part_along = 1  # each row has one partner

    def fit_domain(self, X, Y=None):
        self.size_psi_ = X[0].shape[-1]
        return self

    def joint_feature(self, x, y):
        return x[np.arange(len(y)), y].sum(axis=0)

    def loss(self, y, y_hat):
        return float(np.mean(y != y_hat))

    def decode(self, w, x):
        return linear_sum_assignment(x @ w, maximize=True)[1]

    def loss_augmented_decode(self, w, x, y):
        m = len(y)
        scores = x @ w + 1.0 / m
        scores[np.arange(m), y] -= 1.0 / m
        return linear_sum_assignment(scores, maximize=True)[1]

    def enumerate(self, x):
        return (np.array(p) for p in permutations(range(len(x))))

    # Parts: row i and its partner j.

    def part_shape(self, x):
        return x.shape[:2]

    def parts(self, y):
        return np.arange(len(y)), y

    def shifted_decode(self, w, x, scores, y=None):
        total = x @ w + scores
        if y is not None:
            total += 1.0 / len(y)
            total[np.arange(len(y)), y] -= 1.0 / len(y)
        return linear_sum_assignment(total, maximize=True)[1]


def make_matching(rng):
    X = [rng.normal(size=(m, m, 4)) for m in (1, 2, 3, 4, 4)]
    return X, [rng.permutation(len(x)) for x in X]
