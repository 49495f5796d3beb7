"""Parts shared by the solvers that keep a working set per block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.solvers._block import BlockState
from pystruct_ext.solvers._loop import Primal, Problem, SolverRun, Tick
from pystruct_ext.solvers._passes import Stretches
from pystruct_ext.solvers.result import WorkingSet


class BlockRun(SolverRun):
    """A run on a `BlockState`; subclasses write ``epoch``."""

    def __init__(
        self,
        problem: Problem,
        state: BlockState,
        working_set: WorkingSet | None,
        n_threads: int,
    ) -> None:
        self.problem = problem
        self.state = state
        self.n_threads = n_threads
        self._visits = Stretches()
        self._exact = Stretches(64)
        self._average: NDArray[np.floating] | None = None
        self._averaged_at = -1
        self._tried = np.inf
        self._calls_before = 0
        if working_set is not None:
            _import(state, problem, working_set)

    @property
    def n_oracle_calls(self) -> int:  # type: ignore[override]
        """Loss-augmented decodes so far, exact passes included."""
        return int(self.state.n_oracle_calls) - self._calls_before

    def sweep(self, order: NDArray[np.int64], mode: str, tick: Tick) -> None:
        """Visit positions in order, in stretches short enough to be interrupted."""
        self._visits.run(
            len(order), lambda a, b: self.state.run(order[a:b], mode), tick
        )

    def coef(self) -> NDArray[np.floating]:
        """Current weights: the average, if one is kept."""
        state = self.state
        if state.lag is None:
            return state.w
        if self._average is None:
            self._average = np.empty_like(state.w)
        if self._averaged_at != state.n_visits:
            state.average(self._average)
            self._averaged_at = state.n_visits
        return self._average

    def dual(self) -> float:
        """``D(alpha)`` in the scale of P."""
        return float(self.problem.lam * self.state.dual())

    def primal(self, tick: Tick) -> Primal:
        """``P(w)`` by a pass over all blocks."""
        return self._primal_at(None if self.state.lag is None else self.coef(), tick)

    def _primal_at(self, w: NDArray[np.floating] | None, tick: Tick) -> Primal:
        """``P`` at given weights, by default at the iterate."""
        state, problem = self.state, self.problem
        hinge = np.zeros(2)

        def work(begin: int, end: int) -> None:
            hinge[:] += state.hinge_sum(begin, end, self.n_threads, w)

        self._exact.run(problem.n, work, lambda _: tick(0))
        self._tried = state.gap_estimate
        upper, found = problem.lam * (0.5 * state.sqnorm(w) + problem.C * hinge)
        return Primal(float(upper), float(found))

    def gap_estimate(self) -> float:
        """Sum of the block gaps as they were when last visited.

        Those are the gaps of the iterate, which may be far ahead of the average: a pass that
        found that out is not repeated before the estimate has halved.
        """
        if self.state.lag is not None and 2 * self.state.gap_estimate > self._tried:
            return float("nan")
        return float(self.problem.lam * self.state.gap_estimate)

    def n_cuts(self) -> int:
        """Cuts held over all blocks."""
        return int(self.state.n_cuts)

    def working_set(self) -> WorkingSet:
        """All cuts with their dual variables."""
        counts, alpha, loss, codes = self.state.export_cuts()
        oracle = self.problem.oracle
        lens = np.array(
            [oracle.code_len(int(i)) for i in self.problem.ids], dtype=np.int64
        )
        return WorkingSet(self.problem.ids, counts, alpha, loss, codes, lens)

    def weak_cuts(self) -> tuple[int, float, int]:
        """As far as the oracle promises that there are none."""
        if self.problem.oracle.exactness not in ("exact", "relaxed"):
            return super().weak_cuts()
        state = self.state
        return int(state.n_weak_cuts), float(state.worst_weak), int(state.weak_block)

    def raise_C(self, problem: Problem) -> bool:
        """Keep cuts, losses and inner products; start on the ray of the weights so far.

        ``v = w - w_prior`` is the sum of ``C alpha_ik delta_psi_ik``: kept, or scaled by any
        s in [1, C / old C], it belongs to a feasible alpha at the larger C. The dual along
        the ray is ``s (old C) L - s^2/2 ||v||^2`` with L the sum of ``alpha_ik b_ik``.
        """
        state = self.state
        size = state.sqnorm()
        mass = state.dual() + 0.5 * size
        top = problem.C / state.C
        grow = min(max(mass / size, 1.0), top) if size > 0 else top
        self._calls_before = int(state.n_oracle_calls)
        self._averaged_at, self._tried = -1, np.inf
        state.raise_C(problem.C, grow)
        self.problem = problem
        return True

    def close(self) -> None:
        """Let the oracle forget the cuts."""
        self.state.let_go()

    def extra(self) -> dict[str, Any]:
        """Weak cuts seen, and memory of the working set."""
        return {
            "n_weak_cuts": int(self.state.n_weak_cuts),
            "worst_weak": float(self.state.worst_weak),
            "working_set_bytes": int(self.state.nbytes),
        }


def _import(state: BlockState, problem: Problem, working_set: WorkingSet) -> None:
    """Give the state the cuts of those blocks that it shares with the working set."""
    position = {int(i): p for p, i in enumerate(problem.ids)}
    cut_at = np.concatenate([[0], np.cumsum(working_set.counts)])
    code_at = np.concatenate(
        [[0], np.cumsum(working_set.counts * working_set.code_lens)]
    )
    for k, block in enumerate(working_set.ids):
        p = position.get(int(block))
        if p is None or working_set.counts[k] == 0:
            continue
        if working_set.code_lens[k] != problem.oracle.code_len(int(block)):
            raise ValueError(
                f"working_set: codes of block {int(block)} have length "
                f"{working_set.code_lens[k]}, the oracle's have "
                f"{problem.oracle.code_len(int(block))}; it was made on other data"
            )
        state.import_cuts(
            p,
            working_set.alpha[cut_at[k] : cut_at[k + 1]],
            working_set.codes[code_at[k] : code_at[k + 1]],
        )
    state.recompute()
