"""Block-coordinate Frank-Wolfe with pairwise steps: the default solver."""

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
class BCFW(Solver):
    """Block-coordinate Frank-Wolfe over per-block working sets of output codes.

    One epoch visits every block once in random order. A visit decodes the block with
    loss augmentation, adds the output to the block's working set, and maximises the dual
    over the working set by a few pairwise steps with exact line search; inner products
    of cuts are kept, so that these steps touch no feature.

    Parameters
    ----------
    tol : float, default=1e-3
        Stop when an exact pass shows ``gap <= tol * |primal|``.
    max_iter : int, default=1000
        Largest number of epochs.
    max_time : float or None, default=None
        Largest number of seconds.
    check_every : int, default=10
        Make an exact pass after so many epochs at the latest.
    inner_steps : int, default=8
        Largest number of pairwise steps per visit; on a path over C half as many as the block
        has cuts, if those are more than four times this, as long as they add to the dual.
    cached_passes : int or "auto", default="auto"
        Passes over the working sets between two oracle passes. They pay where the
        oracle is dear; "auto" makes one for oracles that run Python code, none
        otherwise, and on a path over C (`solve_path`) up to four, as long as each adds 0.7
        of what the oracle pass added to the dual.
    sampling : {"uniform", "gap"}, default="uniform"
        "gap" visits blocks with probability proportional to their last known gap after
        the first epochs, instead of each once.
    prune_after : int, default=2
        Visits without mass after which a cut is dropped.
    average : bool, default=False
        Whether the weights are the average of the iterates after each visit, visit k weighing
        k, instead of the last iterate. They are what callbacks see, what exact passes
        certify (with the dual bound of the last iterate, which holds for all weights), and
        what the stopping rule is about. An average is ahead of the iterates in the first
        epochs, and behind them near the optimum.
    n_jobs : int, default=1
        Threads of the exact passes.
    random_state : int, RandomState, Generator or None, default=0
        Order of blocks.
    verbose : int, default=0
        1 shows progress on stderr.

    Notes
    -----
    Memory: weights (D) twice, once more with a prior, twice more with `average`; per
    cut 20 bytes (28 with a prior), ``code_len`` bytes (four times that where an entry of a
    code exceeds 255), and ``2 (m + 1)`` bytes for its inner products with the m cuts of its
    block.

    References
    ----------
    Lacoste-Julien, Jaggi, Schmidt and Pletscher, ICML 2013 (and its weighted average:
    ``2 / (K (K + 1)) sum_k k w_k``). Osokin et al., ICML 2016.
    Shah, Kolmogorov and Lampert, CVPR 2015.

    Examples
    --------
    >>> from pystruct_ext import MulticlassSVM
    >>> from pystruct_ext.solvers import BCFW
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MulticlassSVM(C=0.1, solver=BCFW(tol=1e-4)).fit(X, y)
    >>> model.status_
    'converged'
    """

    name = "bcfw"
    keeps_signs = True

    def __init__(
        self,
        tol: float = 1e-3,
        max_iter: int = 1000,
        max_time: float | None = None,
        check_every: int = 10,
        inner_steps: int = 8,
        cached_passes: int | str = "auto",
        sampling: str = "uniform",
        prune_after: int = 2,
        average: bool = False,
        n_jobs: int = 1,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.check_every = check_every
        self.inner_steps = inner_steps
        self.cached_passes = cached_passes
        self.sampling = sampling
        self.prune_after = prune_after
        self.average = average
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _check(self) -> None:
        super()._check()
        if not isinstance(self.average, bool):
            raise ValueError(
                f"BCFW: average must be True or False, got {self.average!r}"
            )
        if self.sampling not in ("uniform", "gap"):
            raise ValueError(
                f"BCFW: sampling must be 'uniform' or 'gap', got {self.sampling!r}"
            )
        if self.cached_passes != "auto" and not (
            isinstance(self.cached_passes, (int, np.integer))
            and self.cached_passes >= 0
        ):
            raise ValueError(
                "BCFW: cached_passes must be 'auto' or an integer >= 0, got "
                f"{self.cached_passes!r}"
            )

    def _run(
        self, problem: Problem, w_init: NDArray | None, working_set: WorkingSet | None
    ) -> _Run:
        state = BlockState(
            problem.oracle,
            problem.C,
            problem.ids,
            problem.weight,
            inner_steps=self.inner_steps,
            w_prior=problem.prior,
            prune_after=self.prune_after,
            average=self.average,
        )
        cached = self.cached_passes
        if cached == "auto":
            cached = 1 if problem.oracle.needs_gil else 0
        return _Run(
            problem,
            state,
            working_set,
            n_threads=self.n_jobs,
            cached=int(cached),
            adaptive=self.cached_passes == "auto",
            gap_sampling=self.sampling == "gap",
            rng=generator(self.random_state),
        )


class _Run(BlockRun):
    # Epochs before gap sampling starts, and how often it visits every block once, so that
    # no estimate of a block's gap gets old (Osokin et al. 2016, section 3.1).
    _WARM_UP = 3
    _REFRESH = 10
    # On a path: passes over the working sets go on while each adds this share of what the
    # oracle pass added to the dual, at most so many; where the first does not, the next
    # epochs do without. Amounts and not seconds, so that results can be repeated.
    _PAYS, _MOST_CACHED, _REST = 0.7, 4, 3
    # The average over epochs: when it begins (before, the weights still travel and it lags
    # behind), the share of the newest, and by how much its gap is expected to be smaller.
    _SETTLED, _NEWEST, _SMALLER = 10, 0.3, 0.75

    def __init__(
        self,
        problem: Problem,
        state: BlockState,
        working_set: WorkingSet | None,
        n_threads: int,
        cached: int,
        adaptive: bool,
        gap_sampling: bool,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(problem, state, working_set, n_threads)
        self.cached = cached
        self.adaptive = adaptive
        self.gap_sampling = gap_sampling
        self.rng = rng
        self.n_epochs = 0
        self.sampled = False
        self.on_path = False
        self._rest = 0
        self._smooth: NDArray[np.floating] | None = None

    def start_path(self) -> None:
        """Passes over the working sets as they pay; certificates of smoothed weights."""
        self.on_path = True
        self.state.steps_per_cut = 0.5

    def raise_C(self, problem: Problem) -> bool:
        """Go on at a larger C; what was known of the blocks' gaps is out of date."""
        self.n_epochs = self._rest = 0
        self._smooth = None
        return super().raise_C(problem)

    def _order(self) -> NDArray[np.int64]:
        n = self.problem.n
        self.sampled = (
            self.gap_sampling
            and self.n_epochs >= self._WARM_UP
            and self.n_epochs % self._REFRESH != 0
        )
        if self.sampled:
            gaps = self.state.block_gap
            total = gaps.sum()
            if total > 0:
                return self.rng.choice(n, size=n, p=gaps / total)
        return self.rng.permutation(n)

    def epoch(self, tick: Tick) -> None:
        self.state.reset_estimate()
        if self.on_path and self.adaptive:
            self._adaptive_epoch(tick)
        else:
            self.sweep(self._order(), "oracle", tick)
            for _ in range(self.cached):
                self._cached_pass()
        self.n_epochs += 1
        if (
            self.on_path
            and self.n_epochs >= self._SETTLED
            and self._is_cheap_to_average()
        ):
            self._average_epochs()

    def _cached_pass(self) -> None:
        order = self.rng.permutation(self.problem.n)
        self.sweep(order, "cached", lambda _: None)

    def _adaptive_epoch(self, tick: Tick) -> None:
        """One oracle pass, and cached passes while the dual grows by them as by the former."""
        state = self.state
        before = state.increase
        self.sweep(self._order(), "oracle", tick)
        if self._rest > 0:
            self._rest -= 1
            return
        now = state.increase
        gain = now - before
        for k in range(self._MOST_CACHED):
            self._cached_pass()
            tick(0)
            last, now = now, state.increase
            if now - last < self._PAYS * gain:
                if k == 0:
                    self._rest = self._REST
                break

    def _is_cheap_to_average(self) -> bool:
        """Whether an average is not kept anyway, and a pass over w is nothing to an epoch."""
        state = self.state
        return state.lag is None and len(state.w) <= 2000 * self.problem.n

    def _average_epochs(self) -> None:
        """Weights after each epoch, averaged with exponential forgetting.

        Near the optimum the iterates move about it: their average has a smaller primal.
        """
        w = self.state.w
        if self._smooth is None:
            self._smooth = w.copy()
        else:
            self._smooth *= 1 - self._NEWEST
            self._smooth += w * self._smooth.dtype.type(self._NEWEST)

    def coef(self) -> NDArray[np.floating]:
        return super().coef() if self._smooth is None else self._smooth

    def primal(self, tick: Tick) -> Primal:
        if self._smooth is None:
            return super().primal(tick)
        return self._primal_at(self._smooth, tick)

    def gap_estimate(self) -> float:
        if self.sampled and self.state.lag is None:
            return float(self.problem.lam * self.state.block_gap.sum())
        estimate = super().gap_estimate()
        return estimate if self._smooth is None else self._SMALLER * estimate
