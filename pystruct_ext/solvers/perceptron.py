"""Averaged perceptron and MIRA: baselines for research, without a certificate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers._loop import Primal, Problem, SolverRun, Tick
from pystruct_ext.solvers._online import OnlineState
from pystruct_ext.solvers._passes import Stretches, primal_of
from pystruct_ext.solvers.base import Solver, generator
from pystruct_ext.solvers.result import WorkingSet


@storable
class Perceptron(Solver):
    """Averaged structured perceptron, or 1-best MIRA.

    The perceptron decodes without the loss and adds ``c_i delta_psi`` on a mistake; MIRA
    decodes with the loss and makes the smallest step that fixes the margin, at most
    ``c_i C`` with ``C = 1 / (lam n)`` (PA-I). The weights returned are the average over
    all steps.

    Parameters
    ----------
    variant : {"perceptron", "mira"}, default="perceptron"
    max_iter : int, default=20
        Epochs; training also ends with the first epoch without an update.
    tol : float, default=0.0
        Relative gap to zero as lower bound; of no use here, kept for the common
        interface.
    max_time : float or None, default=None
    check_every : int, default=1000
    n_jobs : int, default=1
    random_state : int, RandomState, Generator or None, default=0
    verbose : int, default=0
        See `Solver`.

    Notes
    -----
    Neither minimises the objective of the structural SVM: ``certificate`` is "none". A
    prior is where they start, unless ``w_init`` is given.

    References
    ----------
    Collins, EMNLP 2002. Crammer, Dekel, Keshet, Shalev-Shwartz and Singer, JMLR 2006.
    """

    name = "perceptron"

    def __init__(
        self,
        variant: str = "perceptron",
        max_iter: int = 20,
        tol: float = 0.0,
        max_time: float | None = None,
        check_every: int = 1000,
        n_jobs: int = 1,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.variant = variant
        self.max_iter = max_iter
        self.tol = tol
        self.max_time = max_time
        self.check_every = check_every
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _check(self) -> None:
        super()._check()
        if self.variant not in ("perceptron", "mira"):
            raise ValueError(
                f"Perceptron: variant must be 'perceptron' or 'mira', got {self.variant!r}"
            )

    def _run(
        self, problem: Problem, w_init: NDArray | None, working_set: WorkingSet | None
    ) -> _Run:
        if w_init is None:
            w_init = problem.prior
        return _Run(
            problem, self.variant, self.n_jobs, generator(self.random_state), w_init
        )


class _Run(SolverRun):
    has_dual = False

    def __init__(
        self,
        problem: Problem,
        variant: str,
        n_threads: int,
        rng: np.random.Generator,
        w_init: NDArray | None,
    ) -> None:
        self.problem = problem
        self.n_threads = n_threads
        self.rng = rng
        self.state = OnlineState(
            problem.oracle, problem.lam, problem.ids, problem.weight, variant, w_init
        )
        self.stretches = Stretches()
        self.separates = variant == "mira"
        self._exact_calls = 0
        self._mistakes_before = 0
        self.finished = False

    @property
    def n_oracle_calls(self) -> int:  # type: ignore[override]
        return int(self.state.n_oracle_calls) + self._exact_calls

    def epoch(self, tick: Tick) -> None:
        state = self.state
        order = self.rng.permutation(self.problem.n)
        self.stretches.run(self.problem.n, lambda a, b: state.run(order[a:b]), tick)
        self.finished = state.n_mistakes == self._mistakes_before
        self._mistakes_before = state.n_mistakes

    def coef(self) -> NDArray[np.floating]:
        state = self.state
        if state.steps == 0:
            return state.u
        mean: NDArray[np.floating] = state.u - state.v * state.v.dtype.type(
            1 / state.steps
        )
        return mean

    def dual(self) -> float:
        return 0.0

    def primal(self, tick: Tick) -> Primal:
        self._exact_calls += self.problem.n
        return primal_of(self.problem, self.coef(), self.n_threads, tick)

    def extra(self) -> dict[str, Any]:
        return {"n_mistakes": int(self.state.n_mistakes)}
