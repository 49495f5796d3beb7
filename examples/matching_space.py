"""Add your own output space: bipartite matching in sixteen lines of Python.

The space below is all that is needed to train a structural SVM over matchings: two people
of two groups are paired, every pair has a feature vector, and the best pairing is the one
with the largest total score. It is for teaching: `pystruct_ext.spaces.MatchingSpace` is
compiled, and lets people stay alone, or have several partners (see `plot_matching.py`).
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from pystruct_ext import OutputSpace, StructuralSVM


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


def make_matchings(n, rng, m=6, d=5):
    """Pairs whose true score is hidden behind noise."""
    w = np.array([1.0, -1.0, 0.5, 0.0, 2.0])[:d]
    X = [rng.normal(size=(m, m, d)) for _ in range(n)]
    noise = [1.5 * rng.normal(size=(m, m)) for _ in X]
    Y = [
        linear_sum_assignment(x @ w + e, maximize=True)[1]
        for x, e in zip(X, noise, strict=True)
    ]
    return X, Y


def main():
    rng = np.random.default_rng(0)
    X, Y = make_matchings(80, rng)
    X_test, Y_test = make_matchings(200, rng)
    model = StructuralSVM(MatchingSpace(), C=1.0, tol=1e-2).fit(X, Y)
    together = -model.score(X_test, Y_test)
    alone = np.mean(
        [
            np.mean((x @ model.coef_).argmax(axis=1) != y)
            for x, y in zip(X_test, Y_test, strict=True)
        ]
    )
    print(f"{model.status_} after {model.n_oracle_calls_} oracle calls")
    print(
        f"certified relative gap {model.relative_gap_:.2e}, weights {model.coef_.round(2)}"
    )
    print(
        f"wrong partners: matched together {together:.3f}, each for itself {alone:.3f}"
    )


if __name__ == "__main__":
    main()
