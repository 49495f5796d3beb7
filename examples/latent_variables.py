"""Hidden variables: missing labels, hidden subclasses, and an output space of your own.

Three fits by `LatentStructuralSVM`. In the first 60 % of the labels of training sequences are
missing, in the second each class consists of several regions that nobody has named, and the
third is a space in plain Python: bags of instances of which one, hidden, makes the class of the
bag (multiple-instance learning).

Run: python examples/latent_variables.py
"""

import numpy as np
from sklearn.datasets import make_moons

from pystruct_ext import (
    LatentStructuralSVM,
    MulticlassSVM,
    OutputSpace,
    SequenceSVM,
    StructuralSVM,
    SubclassSVM,
)


def missing_labels():
    """Sequences from a hidden Markov model; most of their labels are missing."""
    rng = np.random.default_rng(0)
    labels, means = np.array(list("abcd")), 1.2 * np.eye(4)

    def sequence():
        y = [rng.integers(4)]
        while len(y) < 12:
            y.append((y[-1] + rng.choice(4, p=[0.1, 0.8, 0.05, 0.05])) % 4)
        return means[y] + rng.normal(size=(12, 4)), labels[y].tolist()

    X, y = map(list, zip(*(sequence() for _ in range(400)), strict=True))
    X_test, y_test = X[200:], y[200:]
    X, y = X[:200], y[:200]
    known = [[label if rng.random() > 0.6 else None for label in s] for s in y]
    # A set says which labels are possible.
    known[0][0] = {"a", "b"}

    full = SequenceSVM(C=0.1).fit(X, y)
    latent = LatentStructuralSVM(SequenceSVM(C=0.1)).fit(X, known)
    print("Label sequences, right labels on held-out sequences:")
    print(f"  all labels known            {full.score(X_test, y_test):.3f}")
    print(f"  60 % of the labels missing  {latent.score(X_test, y_test):.3f}")
    print(f"  objective per round: {np.round(latent.objective_path_, 1)}")
    print(
        f"  {latent.rounds_[-1]['certificate']} certificates, gaps of the inner solves:"
    )
    print("   ", ", ".join(f"{row['relative_gap']:.1e}" for row in latent.rounds_))


def hidden_subclasses():
    """Two half moons, which no line tells apart."""
    X, y = make_moons(600, noise=0.15, random_state=0)
    flat = MulticlassSVM(C=10).fit(X[::2], y[::2])
    print("Half moons, right classes on held-out points:")
    print(f"  one weight vector a class   {flat.score(X[1::2], y[1::2]):.3f}")
    for h in (2, 3):
        mixture = LatentStructuralSVM(SubclassSVM(C=10, n_subclasses=h), n_init=5)
        mixture.fit(X[::2], y[::2])
        print(f"  {h} hidden subclasses each   {mixture.score(X[1::2], y[1::2]):.3f}")


class BagSpace(OutputSpace):
    """x is a bag, an (m, d) array; y is (class, instance): which one is hidden, None.

    A bag of the class "hit" has an instance that scores above 0; in a "miss" none does.
    """

    def fit_domain(self, X, Y=None):
        self.size_psi_ = X[0].shape[1] + 1
        return self

    def joint_feature(self, x, y):
        kind, k = y
        return np.append(x[k], 1.0) if kind == "hit" else np.zeros(self.size_psi_)

    def loss(self, y, y_hat):
        return float(y[0] != y_hat[0])

    def decode(self, w, x):
        return self._best(w, x, {"hit": 0.0, "miss": 0.0})

    def loss_augmented_decode(self, w, x, y):
        return self._best(w, x, {kind: float(kind != y[0]) for kind in ("hit", "miss")})

    def is_complete(self, y):
        return y[1] is not None

    def impute(self, w, x, y):
        return self._best(w, x, {y[0]: 0.0})

    def _best(self, w, x, worth):
        """The best output among those of the classes that are worth something."""
        scores = x @ w[:-1] + w[-1]
        best = []
        if "hit" in worth:
            best.append((worth["hit"] + scores.max(), ("hit", int(scores.argmax()))))
        if "miss" in worth:
            best.append((worth["miss"], ("miss", 0)))
        return max(best)[1]


def bags():
    """One instance of a hit is unlike all others."""
    rng = np.random.default_rng(1)
    X, y, where = [], [], []
    for i in range(200):
        x = rng.normal(size=(6, 5))
        if i % 2:
            where.append(int(rng.integers(6)))
            x[where[-1]] += 2.0
        X.append(x)
        y.append(("hit" if i % 2 else "miss", None))
    model = LatentStructuralSVM(StructuralSVM(BagSpace()), n_init=3)
    model.fit(X[:100], y[:100])
    predicted = model.predict(X[100:])
    right = np.mean([p[0] == t[0] for p, t in zip(predicted, y[100:], strict=True)])
    named = [p[1] for p in model.imputed_[1::2]]
    found = np.mean([k == t for k, t in zip(named, where[:50], strict=True)])
    print("Bags of instances, a space in plain Python:")
    print(f"  right bags {right:.2f}, the instance that makes a hit found {found:.2f}")


if __name__ == "__main__":
    missing_labels()
    hidden_subclasses()
    bags()
