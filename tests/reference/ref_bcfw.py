"""A readable twin of BCFW (csrc block_solver.hpp): same order of blocks, same steps.

Everything goes through the oracle's Python methods; inner products are formed afresh from
dense vectors, where the compiled solver keeps them.
"""

from __future__ import annotations

import numpy as np


def simplex_qp(alpha, grad, gram, C, tol, max_steps):
    """Pairwise steps, the donor chosen by the gain of its best step."""
    for _ in range(max_steps):
        s = int(np.argmax(grad))
        holders = np.flatnonzero(alpha > 0)
        low = holders[np.argmin(grad[holders])]
        if grad[s] - grad[low] <= tol:
            return
        best, donor, step = -1.0, low, 0.0
        for k in holders:
            d = grad[s] - grad[k]
            if d <= 0:
                continue
            q = C * (gram[s, s] + gram[k, k] - 2 * gram[s, k])
            length = d / q if q > 0 and d < q * alpha[k] else alpha[k]
            gain = length * (d - 0.5 * length * q)
            if gain > best:
                best, donor, step = gain, k, length
        if best <= 0:
            return
        alpha[donor] -= step
        alpha[s] += step
        grad -= C * step * (gram[:, s] - gram[:, donor])


class Twin:
    """Dual variables and cuts of every block; `w` after any number of epochs."""

    def __init__(
        self, oracle, lam, inner_steps=8, prune_after=2, seed=0, prior=0.0, cached=0
    ):
        self.oracle = oracle
        self.n = oracle.n_blocks
        self.C = 1.0 / (lam * self.n)
        self.lam = lam
        self.inner_steps = inner_steps
        self.prune_after = prune_after
        self.rng = np.random.default_rng(seed)
        self.cached = cached
        self.prior = np.zeros(oracle.size_psi) + prior
        self.w = self.prior.copy()
        # Iterates after each visit, for the average of them.
        self.iterates = []
        # Per block: codes, their losses, masses and idle visits; mass 1 starts on the truth.
        self.cuts = [
            {"code": [], "loss": [], "alpha": [], "idle": []} for _ in range(self.n)
        ]

    def delta_psi(self, i, code):
        return self.oracle.psi_diff(i, self.oracle.truth(i), code)

    def values(self, i):
        cuts = self.cuts[i]
        return [
            loss - self.w @ self.delta_psi(i, c)
            for c, loss in zip(cuts["code"], cuts["loss"], strict=True)
        ]

    def visit(self, i):
        cuts = self.cuts[i]
        code = self.oracle.argmax(self.w, i, 1.0)
        found = self.oracle.loss(i, code) - self.w @ self.delta_psi(i, code)
        known = self.values(i)
        new = not any(
            np.array_equal(code, c) for c in [self.oracle.truth(i), *cuts["code"]]
        )
        if found > max([0.0, *known]) and new:
            cuts["code"].append(code)
            cuts["loss"].append(self.oracle.loss(i, code))
            cuts["alpha"].append(0.0)
            cuts["idle"].append(0)
            known.append(found)
        self.ascend(i, known)

    def ascend(self, i, known):
        cuts = self.cuts[i]
        if not cuts["code"]:
            return
        planes = np.array(
            [np.zeros_like(self.w), *(self.delta_psi(i, c) for c in cuts["code"])]
        )
        before = np.array([1.0 - sum(cuts["alpha"]), *cuts["alpha"]])
        alpha = before.copy()
        simplex_qp(
            alpha,
            np.array([0.0, *known]),
            planes @ planes.T,
            self.C,
            1e-12,
            self.inner_steps,
        )
        self.w += self.C * (alpha - before) @ planes
        cuts["alpha"] = alpha[1:].tolist()
        cuts["idle"] = [
            0 if a > 0 else idle + 1
            for a, idle in zip(cuts["alpha"], cuts["idle"], strict=True)
        ]
        keep = [k for k, idle in enumerate(cuts["idle"]) if idle <= self.prune_after]
        for key in cuts:
            cuts[key] = [cuts[key][k] for k in keep]

    def epoch(self):
        for i in self.rng.permutation(self.n):
            self.visit(int(i))
            self.iterates.append(self.w.copy())
        for _ in range(self.cached):
            for i in self.rng.permutation(self.n):
                self.ascend(int(i), self.values(int(i)))
                self.iterates.append(self.w.copy())

    def average(self):
        """``2 / (K (K + 1)) sum_k k w_k``, as it stands there."""
        return np.average(
            self.iterates, axis=0, weights=np.arange(1, len(self.iterates) + 1)
        )

    def dual(self):
        mass = sum(
            a * loss
            for cuts in self.cuts
            for a, loss in zip(cuts["alpha"], cuts["loss"], strict=True)
        )
        # 1/2 ||prior||^2 - 1/2 ||w||^2 is -1/2 ||w - prior||^2 less <prior, w - prior>.
        half = 0.5 * (self.prior @ self.prior - self.w @ self.w)
        return self.lam * (self.C * mass + half)


def subgradient(oracle, lam, epochs, seed=0):
    """A readable twin of Subgradient: averages of the iterates, and the dual.

    Returns the average at epoch ends weighted by the epoch, that over steps weighted by the
    step, the last iterate, and the dual.
    """
    n, rng = oracle.n_blocks, np.random.default_rng(seed)
    w, average = np.zeros(oracle.size_psi), np.zeros(oracle.size_psi)
    steps = np.zeros(oracle.size_psi)
    t, losses, mean_loss, best = 0, 0.0, 0.0, 0.0
    for k in range(1, epochs + 1):
        for i in rng.permutation(n):
            i, t = int(i), t + 1
            code = oracle.argmax(w, i, 1.0)
            delta = oracle.psi_diff(i, oracle.truth(i), code)
            hinge = oracle.loss(i, code) - w @ delta
            w *= 1 - 1 / t
            if hinge > 0:
                w += delta / (lam * t)
                losses += oracle.loss(i, code)
            steps += t * w
        share = 2 / (k + 1)
        average += share * (w - average)
        mean_loss += share * (losses / t - mean_loss)
        best = max(
            best,
            losses / t - 0.5 * lam * w @ w,
            mean_loss - 0.5 * lam * average @ average,
        )
    return average, 2 / (t * (t + 1)) * steps, w, best
