"""Bipartite matching: small random problems."""

from scipy.optimize import linear_sum_assignment

from pystruct_ext.structures import Variant


def sample(rng):
    X = [rng.normal(size=(m, m, 3)) for m in (2, 3, 4, 4, 3, 3)]
    noise = [0.3 * rng.normal(size=x.shape[:2]) for x in X]
    Y = [
        linear_sum_assignment(x @ [1.0, -1.0, 0.5] + e, maximize=True)[1]
        for x, e in zip(X, noise, strict=True)
    ]
    return X, Y


VARIANTS = (
    Variant("pairing", {}, sample),
    Variant("pairing-cubes", {"power": 3}, sample),
)
