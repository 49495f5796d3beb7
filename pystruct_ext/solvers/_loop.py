"""The one outer loop of all solvers: time, certificate, history, progress, interrupts.

Life of a solve. A solver makes a `SolverRun`, which knows how to do one epoch. The loop
calls it, asks for its own (possibly stale) estimate of the gap, and makes an exact pass
over all blocks when the estimate says that it may be over, or when it is due. Only an exact
pass may
declare convergence. An interrupt or a time limit raises out of the epoch through `tick`;
the run is consistent between two ticks, so the loop still ends with a certified result.
"""

from __future__ import annotations

import math
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext._core import Oracle
from pystruct_ext.solvers._progress import progress_bar
from pystruct_ext.solvers.result import History, SolverResult, WorkingSet, relative


class InterruptedWarning(UserWarning):
    """The solve was interrupted; the best model so far was returned."""


class OracleWarning(UserWarning):
    """The oracle contradicts itself, or its gap proves nothing."""


class _TimeUp(Exception):
    """The time limit of a solve; never leaves this module."""


@dataclass
class Problem:
    """One training problem as a run sees it.

    Attributes
    ----------
    oracle : Oracle
    lam : float
        Regularisation lambda.
    ids : (n,) int64
        Blocks in use.
    weight : (n,) float64
        Block weights c_i.
    """

    oracle: Oracle
    lam: float
    ids: NDArray[np.int64]
    weight: NDArray[np.float64]

    @property
    def n(self) -> int:
        """Number of blocks in use."""
        return len(self.ids)

    @property
    def C(self) -> float:
        """``1 / (lam n)``: the factor of the sum of hinges in P / lam."""
        return 1.0 / (self.lam * self.n)


Tick = Callable[[int], None]


class SolverRun(ABC):
    """The state of one solve; an algorithm implements these."""

    n_oracle_calls: int = 0
    has_dual: bool = True
    finished: bool = False  # nothing is left to do (perceptron without mistakes)

    @abstractmethod
    def epoch(self, tick: Tick) -> None:
        """One pass; calls ``tick(blocks done since the last tick)`` every few blocks."""

    @abstractmethod
    def coef(self) -> NDArray[np.floating]:
        """Current weights in the oracle's dtype; may be a view."""

    @abstractmethod
    def dual(self) -> float:
        """Current dual value in the scale of P; 0 is always a valid bound."""

    @abstractmethod
    def primal(self, tick: Tick) -> float:
        """``P(coef())`` by an exact pass."""

    def gap_estimate(self) -> float:
        """Estimate of the gap from the last epoch, in the scale of P; nan if unknown."""
        return math.nan

    def n_cuts(self) -> int:
        """Cuts held."""
        return 0

    def working_set(self) -> WorkingSet | None:
        """Cuts for a warm start."""
        return None

    def extra(self) -> dict[str, Any]:
        """Solver-specific figures for the result."""
        return {}


@dataclass
class Progress:
    """What a callback is given after each epoch.

    Attributes
    ----------
    epoch, oracle_calls : int
    seconds : float
    primal, dual, gap : float
        As of the last exact pass; nan before the first.
    coef : (D,) ndarray
        Current weights; read-only, copy to keep.
    score : float
        A callback that computes a held-out score stores it here.
    """

    epoch: int
    seconds: float
    oracle_calls: int
    primal: float
    dual: float
    gap: float
    coef: NDArray[np.floating]
    score: float = math.nan


Callback = Callable[[Progress], Any]


@dataclass
class LoopSettings:
    """Stopping rules and reporting of the loop."""

    tol: float
    max_iter: int
    max_time: float | None
    check_every: int
    verbose: int
    name: str


def run_loop(
    run: SolverRun,
    problem: Problem,
    settings: LoopSettings,
    callback: Callback | None,
) -> SolverResult:
    """Drive a run until a stopping rule holds; see the module's docstring."""
    start = time.perf_counter()
    history = History()
    n = problem.n
    best_primal, best_coef, best_dual = math.inf, None, 0.0
    primal = gap = math.nan
    status, epoch, checked_at = "max_iter", 0, -1
    certificate = problem.oracle.exactness if run.has_dual else "none"
    if certificate == "none" and run.has_dual:
        warnings.warn(
            "the oracle does not promise the maximum (greedy or beam search): the dual is "
            "a lower bound, but the primal is under-estimated and the gap proves nothing",
            OracleWarning,
            stacklevel=4,
        )

    with progress_bar(settings.verbose, settings.name, n) as bar:

        def tick(done: int) -> None:
            bar.update(done)
            if (
                settings.max_time is not None
                and time.perf_counter() - start > settings.max_time
            ):
                raise _TimeUp

        def quiet_tick(_: int) -> None:
            bar.update(0)

        def exact_pass() -> None:
            nonlocal primal, gap, best_primal, best_coef, best_dual, checked_at
            primal = run.primal(quiet_tick)
            best_dual = max(best_dual, run.dual())
            checked_at = epoch
            # Without a dual there is no problem to be best at: the last weights count.
            if primal < best_primal or not run.has_dual:
                best_primal = primal
                # No copy if this is the end anyway: the run is not moved after it.
                best_coef = None
                if relative(primal - best_dual, primal) > settings.tol:
                    best_coef = run.coef().copy()
            gap = best_primal - best_dual

        def record(score: float = math.nan) -> None:
            fresh = checked_at == epoch
            dual = max(best_dual, run.dual())
            history.append(
                {
                    "epoch": epoch,
                    "seconds": time.perf_counter() - start,
                    "oracle_calls": run.n_oracle_calls,
                    "primal": best_primal if fresh else math.nan,
                    "dual": dual,
                    "gap": gap if fresh else math.nan,
                    "relative_gap": relative(gap, best_primal) if fresh else math.nan,
                    "score": score,
                    "n_cuts": run.n_cuts(),
                }
            )

        try:
            for epoch in range(1, settings.max_iter + 1):
                bar.start_epoch(epoch, gap, best_primal)
                run.epoch(tick)
                estimate = run.gap_estimate()
                reference = best_primal if math.isfinite(best_primal) else run.dual()
                due = epoch - max(checked_at, 0) >= settings.check_every
                promising = estimate <= 1.2 * settings.tol * max(abs(reference), 1e-12)
                if due or promising or epoch == settings.max_iter:
                    exact_pass()
                score = math.nan
                stop = False
                if callback is not None:
                    state = Progress(
                        epoch=epoch,
                        seconds=time.perf_counter() - start,
                        oracle_calls=run.n_oracle_calls,
                        primal=best_primal,
                        dual=best_dual,
                        gap=gap,
                        coef=run.coef(),
                    )
                    stop = bool(callback(state))
                    score = state.score
                record(score)
                if checked_at == epoch and relative(gap, best_primal) <= settings.tol:
                    status = "converged"
                    break
                if stop:
                    status = "callback"
                    break
                if run.finished:
                    status = "converged"
                    break
        except KeyboardInterrupt:
            status = "interrupted"
        except _TimeUp:
            status = "max_time"

        if checked_at != epoch or status in ("interrupted", "max_time"):
            # A second interrupt here gives up the certificate, not the model.
            try:
                exact_pass()
                # The last epoch again, now with its certificate.
                score = math.nan
                if history and history[-1]["epoch"] == epoch:
                    score = history.pop()["score"]
                record(score)
            except KeyboardInterrupt:
                status = "interrupted"
                if best_coef is None:
                    primal = best_primal = gap = math.nan

    _warn_at_end(run, settings, status, certificate, gap, best_primal)
    coef = run.coef() if best_coef is None else best_coef
    return SolverResult(
        coef=coef,
        primal=best_primal,
        dual=best_dual,
        gap=gap,
        certificate=certificate,
        status=status,
        n_iter=epoch,
        n_oracle_calls=run.n_oracle_calls,
        history=history,
        working_set=run.working_set(),
        extra=run.extra(),
    )


def _warn_at_end(
    run: SolverRun,
    settings: LoopSettings,
    status: str,
    certificate: str,
    gap: float,
    primal: float,
) -> None:
    if status == "interrupted":
        warnings.warn(
            "training was interrupted; the model is the best so far "
            f"(relative gap {relative(gap, primal):.2e})",
            InterruptedWarning,
            stacklevel=5,
        )
    elif status == "max_iter" and run.has_dual and relative(gap, primal) > settings.tol:
        warnings.warn(
            f"{settings.name} stopped after max_iter={settings.max_iter} epochs at a "
            f"relative gap of {relative(gap, primal):.2e}, above tol={settings.tol:g}",
            ConvergenceWarning,
            stacklevel=5,
        )
    if certificate != "exact":
        return
    weak = run.extra().get("n_weak_cuts", 0)
    if weak:
        warnings.warn(
            f"{weak} times the oracle returned a cut weaker than one already known (worst "
            f"shortfall {run.extra()['worst_weak']:.3g}): loss_augmented_decode is not the "
            "maximum it claims to be, and the duality gap is not a certificate",
            OracleWarning,
            stacklevel=5,
        )
    elif gap < -1e-4 * max(abs(primal), 1e-12):
        warnings.warn(
            f"the primal value is below the dual by {-gap:.3g}: loss_augmented_decode is "
            "not the maximum it claims to be",
            OracleWarning,
            stacklevel=5,
        )
