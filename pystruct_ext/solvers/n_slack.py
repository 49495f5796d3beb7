"""The n-slack cutting plane, with margin or slack rescaling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers._block import BlockState
from pystruct_ext.solvers._block_run import BlockRun
from pystruct_ext.solvers._loop import Primal, Problem, Tick
from pystruct_ext.solvers.base import Solver, generator
from pystruct_ext.solvers.result import WorkingSet


@storable
class NSlack(Solver):
    """n-slack cutting plane: rounds of separation, then a QP over all working sets.

    Parameters
    ----------
    tol : float, default=1e-3
    max_iter : int, default=1000
        Rounds.
    max_time : float or None, default=None
    check_every : int, default=1
        With margin rescaling the separation is itself an exact pass.
    rescaling : {"margin", "slack"}, default="margin"
        "slack" replaces the hinge by ``max_y Delta(y_i, y) (1 - <w, delta_psi_i(y)>)``.
        Its oracle searches over scalings of the loss (Choi, Meshi and Srebro 2016) and
        may miss the maximum; the primal then uses an upper bound of the hinge, so that
        the gap is never too small, but it may not close.
    max_passes : int, default=50
        Passes of the QP over the working sets per round.
    inner_steps : int, default=20
    n_jobs : int, default=1
    random_state : int, RandomState, Generator or None, default=0
    verbose : int, default=0
        See `Solver` and `BCFW`.

    References
    ----------
    Tsochantaridis, Joachims, Hofmann and Altun, JMLR 2005.
    """

    name = "n_slack"
    keeps_signs = True

    def __init__(
        self,
        tol: float = 1e-3,
        max_iter: int = 1000,
        max_time: float | None = None,
        check_every: int = 1,
        rescaling: str = "margin",
        max_passes: int = 50,
        inner_steps: int = 20,
        n_jobs: int = 1,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.check_every = check_every
        self.rescaling = rescaling
        self.max_passes = max_passes
        self.inner_steps = inner_steps
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _check(self) -> None:
        super()._check()
        if self.rescaling not in ("margin", "slack"):
            raise ValueError(
                f"NSlack: rescaling must be 'margin' or 'slack', got {self.rescaling!r}"
            )

    def _run(
        self, problem: Problem, w_init: NDArray | None, working_set: WorkingSet | None
    ) -> _Run:
        state = BlockState(
            problem.oracle,
            problem.C,
            problem.ids,
            problem.weight,
            slack=self.rescaling == "slack",
            inner_steps=self.inner_steps,
            w_prior=problem.prior,
            # Passes over the working sets are many; a cut must outlive a whole round.
            prune_after=4 * self.max_passes,
        )
        return _Run(
            problem,
            state,
            working_set,
            self.n_jobs,
            self.max_passes,
            self.rescaling == "slack",
            generator(self.random_state),
        )


class _Run(BlockRun):
    def __init__(
        self,
        problem: Problem,
        state: BlockState,
        working_set: WorkingSet | None,
        n_threads: int,
        max_passes: int,
        slack: bool,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(problem, state, working_set, n_threads)
        self.max_passes = max_passes
        self.slack = slack
        self.rng = rng
        self.separated = False

    def epoch(self, tick: Tick) -> None:
        problem, state = self.problem, self.state
        self.separated = False
        gap = state.gap_estimate * problem.lam
        before = self.dual()
        for _ in range(self.max_passes if state.n_cuts else 0):
            order = self.rng.permutation(problem.n)
            self.sweep(order, "cached", lambda _: tick(0))
            now = self.dual()
            # What one more pass could add no longer matters beside the gap.
            if now - before <= 0.02 * max(gap, 0.0):
                break
            before = now
        state.reset_estimate()
        self.sweep(np.arange(problem.n), "separate", tick)
        self.separated = True

    def primal(self, tick: Tick) -> Primal:
        bounded = self.problem.oracle.exactness == "bounded"
        if self.slack or bounded or not self.separated:
            return super().primal(tick)
        # w has not moved since the separation: its gaps add up to the exact gap.
        value = self.dual() + self.gap_estimate()
        return Primal(value, value)

    def certificate(self) -> str:
        """What the gap proves."""
        # The search over scalings of the loss bounds the hinge from above.
        certificate = super().certificate()
        return "bounded" if self.slack and certificate == "exact" else certificate
