"""Bipartite matching: the space and its estimator."""

from itertools import permutations

import numpy as np
from scipy.optimize import linear_sum_assignment

from pystruct_ext import OutputSpace
from pystruct_ext.estimators import BaseStructuralSVM
from pystruct_ext.persistence.registry import storable


@storable
class PairingSpace(OutputSpace):
    """x is (m, m, d) edge features, y a permutation of m.

    Parameters
    ----------
    power : int, default=1
        Features are raised to it.
    """

    def __init__(self, power=1):
        self.power = power

    def fit_domain(self, X, Y=None):
        self.size_psi_ = X[0].shape[-1]
        return self

    def joint_feature(self, x, y):
        return (x[np.arange(len(y)), y] ** self.power).sum(axis=0)

    def loss(self, y, y_hat):
        return float(np.mean(y != y_hat))

    def decode(self, w, x):
        return linear_sum_assignment(x**self.power @ w, maximize=True)[1]

    def loss_augmented_decode(self, w, x, y):
        m = len(y)
        scores = x**self.power @ w + 1.0 / m
        scores[np.arange(m), y] -= 1.0 / m
        return linear_sum_assignment(scores, maximize=True)[1]

    def enumerate(self, x):
        return (np.array(p) for p in permutations(range(len(x))))


@storable
class PairingSVM(BaseStructuralSVM):
    """Structural SVM for bipartite matchings.

    Parameters
    ----------
    C : float, default=1.0
        Weight of the sum of hinges.
    power : int, default=1
        See `PairingSpace`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.
    """

    _space_class = PairingSpace

    def __init__(
        self,
        C=1.0,
        *,
        power=1,
        solver="bcfw",
        tol=None,
        max_iter=None,
        max_time=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
        callback=None,
    ):
        super().__init__(
            C, solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        )
        self.power = power
