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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext._core import Oracle
from pystruct_ext.solvers._progress import progress_bar
from pystruct_ext.solvers.advice import advice
from pystruct_ext.solvers.certificate import (
    Audit,
    OracleWarning,
    below_dual,
    gap_reason,
    refute,
    weak_reason,
)
from pystruct_ext.solvers.result import History, SolverResult, WorkingSet, relative
from pystruct_ext.utils.callers import user_stacklevel


class InterruptedWarning(UserWarning):
    """The solve was interrupted; the best model so far was returned."""


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
    prior : (D,) ndarray or None
        What the weights are drawn to, in the oracle's dtype; None is 0.
    """

    oracle: Oracle
    lam: float
    ids: NDArray[np.int64]
    weight: NDArray[np.float64]
    prior: NDArray[np.floating] | None = None

    @property
    def n(self) -> int:
        """Number of blocks in use."""
        return len(self.ids)

    @property
    def C(self) -> float:
        """``1 / (lam n)``: the factor of the sum of hinges in P / lam."""
        return 1.0 / (self.lam * self.n)


Tick = Callable[[int], None]


class Primal(NamedTuple):
    """A primal value: counted with upper bounds of the hinges, and with what was found.

    The two are the same for an exact oracle. A greedy search reaches `found`; the truth lies
    between, so that only `upper` certifies, while progress is seen in `found`.
    """

    upper: float
    found: float


class SolverRun(ABC):
    """The state of one solve; an algorithm implements these."""

    problem: Problem
    n_oracle_calls: int = 0
    has_dual: bool = True
    separates: bool = True  # asks for loss-augmented outputs
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
    def primal(self, tick: Tick) -> Primal:
        """``P(coef())`` by a pass over all blocks."""

    def certificate(self) -> str:
        """What the gap proves; the values are those of `SolverResult.certificate`."""
        return self.problem.oracle.exactness if self.has_dual else "none"

    def weak_cuts(self) -> tuple[int, float, int]:
        """How often the oracle was below a known cut, by how much at most, and where."""
        return 0, 0.0, -1

    def gap_estimate(self) -> float:
        """Estimate of the gap from the last epoch, in the scale of P; nan if unknown."""
        return math.nan

    def n_cuts(self) -> int:
        """Cuts held."""
        return 0

    def working_set(self) -> WorkingSet | None:
        """Cuts for a warm start."""
        return None

    def close(self) -> None:  # noqa: B027 - most runs have nothing to give back
        """Nothing is asked of the run, or of the oracle for it, after this."""

    def start_path(self) -> None:  # noqa: B027 - most runs do nothing else on a path
        """Called once where problems at larger C follow."""

    def raise_C(self, problem: Problem) -> bool:
        """Go on from here at a larger C; False where the run cannot."""
        return False

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
    params: dict[str, Any]


def run_loop(
    run: SolverRun,
    problem: Problem,
    settings: LoopSettings,
    callback: Callback | None,
    keep: bool = False,
) -> SolverResult:
    """Drive a run until a stopping rule holds; see the module's docstring.

    The run is closed at the end, unless it is to be kept for another problem.
    """
    certificate = run.certificate()
    if certificate == "none" and run.has_dual:
        warnings.warn(
            "the oracle does not promise the maximum (greedy or beam search): the dual is "
            "a lower bound, but the primal is under-estimated and the gap proves nothing",
            OracleWarning,
            stacklevel=user_stacklevel(),
        )
    try:
        with progress_bar(settings.verbose, settings.name, problem.n) as bar:
            loop = _Loop(run, settings, callback, bar)
            loop.epochs()
            loop.finish()
        result = loop.result(certificate)
        reason = loop.contradiction()
        if reason is not None:
            refute(result, reason)
        _warn_at_end(run, settings, result)
    finally:
        if not keep:
            run.close()
    return result


class _Loop:
    """One solve between its epochs: the best values so far, the history, the clock.

    Attributes
    ----------
    status : str
        As in `SolverResult`; "max_iter" until something else ends the loop.
    epoch, checked_at : int
        The last epoch begun, and the one of the last exact pass (-1 before the first).
    primal, gap : float
        Of the last exact pass, nan before; the gap is that of the best values.
    best_primal, best_dual : float
    best_found : float
        The primal of `best_primal`'s weights as far as the oracle found it.
    best_coef : (D,) ndarray or None
        Weights of `best_primal`; None while they are those of the run.
    """

    def __init__(
        self,
        run: SolverRun,
        settings: LoopSettings,
        callback: Callback | None,
        bar: Any,
    ) -> None:
        self.run = run
        self.settings = settings
        self.callback = callback
        self.bar = bar
        self.start = time.perf_counter()
        self.history = History()
        self.status = "max_iter"
        self.epoch, self.checked_at = 0, -1
        self.primal = self.gap = math.nan
        self.best_primal, self.best_dual = math.inf, 0.0
        self.best_found = math.inf
        self.best_coef: NDArray[np.floating] | None = None
        self.audit = Audit(run.problem.oracle, run.problem.ids, run.separates)
        # The largest amount by which a bound was below what was found.
        self.bound_below = 0.0

    def oracle_calls(self) -> int:
        """Loss-augmented decodes so far, all of them."""
        return self.run.n_oracle_calls + self.audit.calls

    def seconds(self) -> float:
        """Time since the start."""
        return time.perf_counter() - self.start

    def relative_gap(self) -> float:
        """Gap of the best values over the best primal."""
        return relative(self.gap, self.best_primal)

    def tick(self, done: int) -> None:
        """Called by an epoch every few blocks; raises when the time is up."""
        self.bar.update(done)
        limit = self.settings.max_time
        if limit is not None and self.seconds() > limit:
            raise _TimeUp

    def quiet_tick(self, _: int) -> None:
        """Called by an exact pass, which is not counted and always ends."""
        self.bar.update(0)

    def epochs(self) -> None:
        """Step until something says stop."""
        try:
            self.audit.before(self.tick)
            while self.epoch < self.settings.max_iter:
                self.epoch += 1
                status = self.step()
                if status is not None:
                    self.status = status
                    break
        except KeyboardInterrupt:
            self.status = "interrupted"
        except _TimeUp:
            self.status = "max_time"

    def step(self) -> str | None:
        """One epoch, with all that belongs to it; the status if it is the last one."""
        self.bar.start_epoch(self.epoch, self.gap, self.best_primal)
        self.run.epoch(self.tick)
        if self.wants_exact_pass():
            self.exact_pass()
        stop, score = self.call_back()
        self.record(score)
        checked = self.checked_at == self.epoch
        # Without a promise of the oracle's the gap says no more than that nothing is found.
        proven = not self.run.has_dual or self.run.certificate() != "none"
        if checked and proven and self.relative_gap() <= self.settings.tol:
            return "converged"
        if stop:
            return "callback"
        found = relative(self.best_found - self.best_dual, self.best_found)
        if checked and found <= self.settings.tol:
            # The search adds nothing more, though its bound does not say that it is the end.
            return "stalled"
        return "converged" if self.run.finished else None

    def wants_exact_pass(self) -> bool:
        """Whether one is due, or the estimate of the gap says that it may be over."""
        estimate = self.run.gap_estimate()
        known = math.isfinite(self.best_found)
        reference = self.best_found if known else self.run.dual()
        due = self.epoch - max(self.checked_at, 0) >= self.settings.check_every
        promising = estimate <= 1.2 * self.settings.tol * max(abs(reference), 1e-12)
        return due or promising or self.epoch == self.settings.max_iter

    def exact_pass(self) -> None:
        """The primal by a pass over all blocks, and what follows from it."""
        run = self.run
        primal = run.primal(self.quiet_tick)
        self.primal = primal.upper
        self.bound_below = max(self.bound_below, primal.found - primal.upper)
        self.best_dual = max(self.best_dual, run.dual())
        self.checked_at = self.epoch
        # Without a dual there is no problem to be best at: the last weights count.
        if primal.found < self.best_found or not run.has_dual:
            self.best_primal, self.best_found = primal
            # No copy if this is the end anyway: the run is not moved after it.
            self.best_coef = None
            if (
                relative(primal.found - self.best_dual, primal.found)
                > self.settings.tol
            ):
                self.best_coef = run.coef().copy()
        self.gap = self.best_primal - self.best_dual

    def call_back(self) -> tuple[bool, float]:
        """Whether the callback wants to stop, and the score it left."""
        if self.callback is None:
            return False, math.nan
        state = Progress(
            epoch=self.epoch,
            seconds=self.seconds(),
            oracle_calls=self.oracle_calls(),
            primal=self.best_primal,
            dual=self.best_dual,
            gap=self.gap,
            coef=self.run.coef(),
        )
        stop = bool(self.callback(state))
        return stop, state.score

    def record(self, score: float = math.nan) -> None:
        """Add this epoch to the history; nan where there was no exact pass."""
        fresh = self.checked_at == self.epoch
        self.history.append(
            {
                "epoch": self.epoch,
                "seconds": self.seconds(),
                "oracle_calls": self.oracle_calls(),
                "primal": self.best_primal if fresh else math.nan,
                "dual": max(self.best_dual, self.run.dual()),
                "gap": self.gap if fresh else math.nan,
                "relative_gap": self.relative_gap() if fresh else math.nan,
                "score": score,
                "n_cuts": self.run.n_cuts(),
            }
        )

    def finish(self) -> None:
        """The certificate of what the last epoch left, if it has none."""
        cut_short = self.status in ("interrupted", "max_time")
        # A second interrupt here gives up the certificate, not the model.
        try:
            if self.checked_at != self.epoch or cut_short:
                self.exact_pass()
                # The last epoch again, now with its certificate.
                score = math.nan
                if self.history and self.history[-1]["epoch"] == self.epoch:
                    score = self.history.pop()["score"]
                self.record(score)
            self.audit.after(self.coef())
        except KeyboardInterrupt:
            self.status = "interrupted"
            if self.best_coef is None and self.checked_at != self.epoch:
                self.best_primal = self.gap = math.nan

    def coef(self) -> NDArray[np.floating]:
        """Weights of the result."""
        return self.run.coef() if self.best_coef is None else self.best_coef

    def contradiction(self) -> str | None:
        """How the oracle was caught, if it was."""
        run, problem = self.run, self.run.problem
        times, worst, block = run.weak_cuts()
        if times:
            return weak_reason(times, worst, block)
        if self.audit.shortfall > 0:
            return weak_reason(0, self.audit.shortfall, self.audit.block)

        def beyond_rounding(gap: float) -> bool:
            args = problem.oracle, problem.ids, self.coef(), self.best_primal
            return below_dual(*args, gap)

        if run.has_dual and beyond_rounding(self.gap):
            return gap_reason(self.gap, self.best_primal)
        if beyond_rounding(-self.bound_below):
            return (
                f"upper bounds of the oracle are {self.bound_below:.3g} below what it found: "
                "bound is not the bound it claims to be"
            )
        return None

    def result(self, certificate: str) -> SolverResult:
        """What the solver returns."""
        run = self.run
        return SolverResult(
            coef=self.coef(),
            primal=self.best_primal,
            dual=self.best_dual,
            gap=self.gap,
            certificate=certificate,
            status=self.status,
            n_iter=self.epoch,
            n_oracle_calls=self.oracle_calls(),
            history=self.history,
            working_set=run.working_set(),
            extra=run.extra(),
        )


def _warn_at_end(run: SolverRun, settings: LoopSettings, result: SolverResult) -> None:
    problem, gap = run.problem, result.relative_gap
    if result.ended_by == "interrupted":
        warnings.warn(
            "training was interrupted; the model is the best so far "
            f"(relative gap {gap:.2e})",
            InterruptedWarning,
            stacklevel=user_stacklevel(),
        )
    elif result.status == "max_iter" and run.has_dual and gap > settings.tol:
        hint = advice(
            problem.oracle,
            problem.ids,
            problem.C,
            result,
            settings.params,
            settings.tol,
        )
        warnings.warn(
            f"{settings.name} stopped after max_iter={settings.max_iter} epochs at a "
            f"relative gap of {gap:.2e}, above tol={settings.tol:g}; {hint}",
            ConvergenceWarning,
            stacklevel=user_stacklevel(),
        )
