"""The output space of the architecture page, with an enumeration."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from scipy.optimize import linear_sum_assignment

from pystruct_ext.spaces import OutputSpace


class MatchingSpace(OutputSpace):
    """Bipartite matching: x is (m, m, d) edge features, y a permutation of m."""

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


def make_matching(rng):
    X = [rng.normal(size=(m, m, 4)) for m in (1, 2, 3, 4, 4)]
    return X, [rng.permutation(len(x)) for x in X]
