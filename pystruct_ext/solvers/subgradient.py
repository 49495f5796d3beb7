"""Stochastic subgradient descent with a certificate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers._loop import Primal, Problem, SolverRun, Tick
from pystruct_ext.solvers._online import OnlineState
from pystruct_ext.solvers._passes import Stretches, primal_of, sqdist
from pystruct_ext.solvers.base import Solver, generator
from pystruct_ext.solvers.result import WorkingSet


@storable
class Subgradient(Solver):
    """Subgradient descent over randomly reshuffled blocks, step 1 / (lam t), averaged.

    After k whole epochs the iterate is ``w = (1 / (lam n)) sum_i sum_y alpha_i(y)
    delta_psi_i(y)`` with ``alpha_i(y) = c_i count_i(y) / k``: a feasible point of the
    dual. So this method, too, ends with a certified gap; it closes slowly, like 1/k.

    Parameters
    ----------
    tol : float, default=1e-2
    max_iter : int, default=1000
    max_time : float or None, default=None
    check_every : int, default=5
        An exact pass costs an epoch, and there is no estimate of the gap between two.
    average : {"epochs", True, False}, default="epochs"
        What the weights are: the average of the iterates at epoch ends, weighted by the
        epoch; True: the average over all steps t, weighted by t; False: the last iterate.
    n_jobs : int, default=1
    random_state : int, RandomState, Generator or None, default=0
    verbose : int, default=0
        See `Solver`.

    Notes
    -----
    ``w_init`` is not used: the certificate needs a start at 0, or at the prior.
    With a prior the iterate is ``w_prior +`` the sum, and within epoch k the step is
    ``1 / (lam n k)``, so that w moves towards the prior once per epoch instead of at every
    step, which would cost D operations.

    The dual bound is that of the best of the iterates and their average at epoch ends,
    whatever the weights are. Memory: three vectors of length D, one more with a prior, two
    more with ``average=True``.

    References
    ----------
    Ratliff, Bagnell and Zinkevich 2007; Shalev-Shwartz et al. 2011 (Pegasos);
    Lacoste-Julien, Schmidt and Bach 2012 (weighted averaging).
    """

    name = "subgradient"
    keeps_signs = True

    def __init__(
        self,
        tol: float = 1e-2,
        max_iter: int = 1000,
        max_time: float | None = None,
        check_every: int = 5,
        average: bool | str = "epochs",
        n_jobs: int = 1,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.check_every = check_every
        self.average = average
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _check(self) -> None:
        super()._check()
        if self.average != "epochs" and not isinstance(self.average, bool):
            raise ValueError(
                "Subgradient: average must be 'epochs', True or False, got "
                f"{self.average!r}"
            )

    def _run(
        self, problem: Problem, w_init: NDArray | None, working_set: WorkingSet | None
    ) -> _Run:
        # A start would make the dual point infeasible: the certificate needs w_0 = 0.
        return _Run(problem, self.n_jobs, generator(self.random_state), self.average)


class _Run(SolverRun):
    def __init__(
        self,
        problem: Problem,
        n_threads: int,
        rng: np.random.Generator,
        weights: bool | str,
    ) -> None:
        self.problem = problem
        self.n_threads = n_threads
        self.rng = rng
        self.state = OnlineState(
            problem.oracle,
            problem.lam,
            problem.ids,
            problem.weight,
            "subgradient",
            w_prior=problem.prior,
            average=bool(weights is True),
        )
        self.weights = weights
        self.stretches = Stretches()
        self.average = np.zeros_like(self.state.u)
        self.average_loss = 0.0
        self.n_epochs = 0
        self.best_dual = 0.0
        self._exact_calls = 0

    @property
    def n_oracle_calls(self) -> int:  # type: ignore[override]
        return int(self.state.n_oracle_calls) + self._exact_calls

    def epoch(self, tick: Tick) -> None:
        problem, state = self.problem, self.state
        order = self.rng.permutation(problem.n)
        state.begin_epoch()
        self.stretches.run(problem.n, lambda a, b: state.run(order[a:b]), tick)
        self.n_epochs += 1
        scale = 1.0 / state.scale
        loss = state.linear_sum / state.steps
        last = loss - 0.5 * problem.lam * sqdist(state.u, problem.prior, scale)
        # w_avg += 2 / (k + 1) (w - w_avg): weights proportional to the epoch.
        share = 2.0 / (self.n_epochs + 1)
        self.average *= 1 - share
        self.average += state.u * self.average.dtype.type(share * scale)
        self.average_loss += share * (loss - self.average_loss)
        mean = self.average_loss - 0.5 * problem.lam * sqdist(
            self.average, problem.prior
        )
        self.best_dual = max(self.best_dual, last, mean)

    def coef(self) -> NDArray[np.floating]:
        state = self.state
        if state.steps == 0:
            return self.average if self.problem.prior is None else self.problem.prior
        if self.weights == "epochs" and self.n_epochs > 0:
            return self.average
        if self.weights is True:
            mean = np.empty_like(state.u)
            state.average(mean)
            return mean
        # The iterate, also where the solve was stopped before there is an average.
        iterate: NDArray[np.floating] = state.u * state.u.dtype.type(1.0 / state.scale)
        return iterate

    def dual(self) -> float:
        return self.best_dual

    def primal(self, tick: Tick) -> Primal:
        self._exact_calls += self.problem.n
        return primal_of(self.problem, self.coef(), self.n_threads, tick)
