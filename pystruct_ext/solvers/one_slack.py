"""The 1-slack cutting plane: one aggregated cut per pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers._loop import Primal, Problem, SolverRun, Tick
from pystruct_ext.solvers._online import simplex_qp
from pystruct_ext.solvers._passes import Stretches, primal_of, sqdist
from pystruct_ext.solvers.base import Solver
from pystruct_ext.solvers.certificate import below_dual
from pystruct_ext.solvers.result import WorkingSet


@storable
class OneSlack(Solver):
    """1-slack cutting plane with a stabilised query point.

    A pass over all blocks at a query point gives one cut of the mean hinge,
    ``b_k - <w, a_k>`` with ``a_k = 1/n sum_i c_i delta_psi_i`` and ``b_k = 1/n sum_i c_i
    Delta_i``, and the exact primal value there. A small QP over the cuts gives the next
    point and the dual value. Passes are batches: this is the solver whose oracle calls
    run on many threads.

    Parameters
    ----------
    tol : float, default=1e-3
    max_iter : int, default=1000
        Passes.
    max_time : float or None, default=None
    check_every : int, default=1
        Every pass is exact; there is nothing to save by checking less often.
    stabilise : float in (0, 1], default=0.5
        The next query is ``(1 - stabilise) w_best + stabilise w_qp``: cuts near the best
        point known are more useful (after Franc and Sonnenburg 2008). 1 is the plain
        method.
    prune_after : int, default=50
        QPs without mass after which a cut is dropped.
    n_jobs : int, default=1
    verbose : int, default=0
        See `Solver`.

    Notes
    -----
    Memory: three vectors of length D in double precision, and per cut 12 bytes per
    nonzero feature (8 bytes per feature where more than a third is nonzero).
    ``working_set`` of another solver is not used: cuts here are sums over blocks.

    References
    ----------
    Joachims, Finley and Yu, Machine Learning 2009. Franc and Sonnenburg, ICML 2008.
    """

    name = "one_slack"

    def __init__(
        self,
        tol: float = 1e-3,
        max_iter: int = 1000,
        max_time: float | None = None,
        check_every: int = 1,
        stabilise: float = 0.5,
        prune_after: int = 50,
        n_jobs: int = 1,
        verbose: int = 0,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.check_every = check_every
        self.stabilise = stabilise
        self.prune_after = prune_after
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check(self) -> None:
        super()._check()
        if not 0 < self.stabilise <= 1:
            raise ValueError(
                f"OneSlack: stabilise must be in (0, 1], got {self.stabilise!r}"
            )

    def _run(
        self, problem: Problem, w_init: NDArray | None, working_set: WorkingSet | None
    ) -> _Run:
        return _Run(problem, self.n_jobs, self.stabilise, self.prune_after, w_init)


class _Run(SolverRun):
    def __init__(
        self,
        problem: Problem,
        n_threads: int,
        stabilise: float,
        prune_after: int,
        w_init: NDArray | None,
    ) -> None:
        self.problem = problem
        self.n_threads = n_threads
        self.stabilise = stabilise
        self.prune_after = prune_after
        oracle = problem.oracle
        self.query = np.zeros(oracle.size_psi, dtype=oracle.dtype)
        start = problem.prior if w_init is None else w_init
        if start is not None:
            self.query[:] = start
        self.best = self.query.copy()
        self.best_primal = np.inf
        self.best_dual = 0.0
        self.cuts: list[Any] = []
        # Plane 0 is the zero plane: it holds the mass that no cut needs. b is that of cuts
        # seen from the prior: b_k - <w_prior, a_k>.
        self.b = np.zeros(1)
        self.gram = np.zeros((1, 1))
        self.alpha = np.ones(1)
        self.idle = np.zeros(1, dtype=np.int64)
        self.stretches = Stretches(16)
        self.n_oracle_calls = 0
        self.weak = 0, 0.0, -1

    def epoch(self, tick: Tick) -> None:
        problem = self.problem
        dpsi = np.zeros(problem.oracle.size_psi)
        loss = hinge = 0.0

        def work(begin: int, end: int) -> None:
            nonlocal loss, hinge
            _, a, h = problem.oracle.cut_sum(
                self.query,
                problem.ids[begin:end],
                problem.weight[begin:end],
                self.n_threads,
                dpsi=dpsi,
            )
            loss += a
            hinge += h
            self.n_oracle_calls += end - begin

        self.stretches.run(problem.n, work, tick)
        n, lam = problem.n, problem.lam
        primal = 0.5 * lam * sqdist(self.query, problem.prior) + hinge / n
        self._compare(hinge / n)
        if primal < self.best_primal:
            self.best_primal = primal
            self.best[:] = self.query
        dpsi /= n
        b = loss / n
        if problem.prior is not None:
            b -= float(dpsi @ problem.prior)
        self._add(dpsi, b)
        self._solve()
        w = self._combine() / lam
        if problem.prior is not None:
            w += problem.prior
        self.query[:] = self.stabilise * w + (1 - self.stabilise) * self.best

    def _compare(self, risk: float) -> None:
        """Count a pass that finds less than the cuts of earlier ones say there is."""
        prior = self.problem.prior
        moved = self.query if prior is None else self.query - prior
        for b, cut in zip(self.b[1:], self.cuts, strict=True):
            short = float(b - np.ravel(cut @ moved)[0]) - risk
            if short > self.weak[1] and below_dual(
                self.problem.oracle, self.problem.ids, self.query, 1.0 + risk, -short
            ):
                self.weak = self.weak[0] + 1, short, -1

    def weak_cuts(self) -> tuple[int, float, int]:
        promised = self.problem.oracle.exactness in ("exact", "relaxed")
        return self.weak if promised else super().weak_cuts()

    def _add(self, a: NDArray[np.float64], b: float) -> None:
        m = len(self.b)
        gram = np.zeros((m + 1, m + 1))
        gram[:m, :m] = self.gram
        for k, cut in enumerate(self.cuts, start=1):
            gram[m, k] = gram[k, m] = float(np.ravel(cut @ a)[0])
        gram[m, m] = float(a @ a)
        self.gram = gram
        nonzero = np.count_nonzero(a)
        self.cuts.append(
            sparse.csr_array(a[None, :]) if 3 * nonzero < a.size else a[None, :].copy()
        )
        self.b = np.append(self.b, b)
        self.alpha = np.append(self.alpha, 0.0)
        self.idle = np.append(self.idle, 0)

    def _solve(self) -> None:
        gap = self.best_primal - self.best_dual
        C = 1.0 / self.problem.lam
        for accuracy in (0.1, 1e-3, 1e-6):
            simplex_qp(
                self.b, self.gram, C, self.alpha, accuracy * max(gap, 1e-300), 20_000
            )
            dual = float(
                self.b @ self.alpha - 0.5 * C * self.alpha @ self.gram @ self.alpha
            )
            # A loose solution will do as long as it raises the bound.
            if dual > self.best_dual:
                break
        self.best_dual = max(self.best_dual, dual)
        self.idle = np.where(self.alpha > 0, 0, self.idle + 1)
        self.idle[0] = 0
        keep = self.idle <= self.prune_after
        if not keep.all():
            self.cuts = [c for c, k in zip(self.cuts, keep[1:], strict=True) if k]
            self.b, self.alpha, self.idle = (
                self.b[keep],
                self.alpha[keep],
                self.idle[keep],
            )
            self.gram = np.ascontiguousarray(self.gram[np.ix_(keep, keep)])

    def _combine(self) -> NDArray[np.float64]:
        w = np.zeros(self.problem.oracle.size_psi)
        for a, cut in zip(self.alpha[1:], self.cuts, strict=True):
            if a <= 0:
                continue
            if hasattr(cut, "indices"):
                w[cut.indices] += a * cut.data
            else:
                w += a * cut[0]
        return w

    def coef(self) -> NDArray[np.floating]:
        return self.best

    def dual(self) -> float:
        return self.best_dual

    def primal(self, tick: Tick) -> Primal:
        known = not np.isinf(self.best_primal)
        if known and self.problem.oracle.exactness != "bounded":
            # The pass that made the cut has already paid for it.
            return Primal(float(self.best_primal), float(self.best_primal))
        self.n_oracle_calls += self.problem.n
        return primal_of(self.problem, self.best, self.n_threads, tick)

    def gap_estimate(self) -> float:
        return float(self.best_primal - self.best_dual)

    def n_cuts(self) -> int:
        return len(self.cuts)
