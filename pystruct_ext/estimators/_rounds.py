"""The rounds of a latent fit: impute, solve, and never go up (CCCP)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.solvers import SolverResult, WorkingSet

# How much looser than the last the first inner solves may be, and how loose at most.
_LOOSE, _LOOSEST = 10.0, 0.3
# A solve that is too loose to go down is made tighter by this factor, so many times at most.
_TIGHTER, _ATTEMPTS = 4.0, 4
# How an inner solve ends that ends the rounds, too.
STOPS = ("max_time", "interrupted", "callback")


@dataclass
class LatentProgress:
    """What a callback is given after each round.

    Attributes
    ----------
    restart : int
        0 for the first start.
    round : int
        1 for the first round.
    seconds : float
        Since the start of the fit.
    objective : float
        The latent objective at the weights of the round.
    primal, dual, gap : float
        Of its convex problem.
    n_changed : int
        Examples whose imputed output changed after it.
    coef : (D,) ndarray
        Weights of the round; copy to keep.
    """

    restart: int
    round: int
    seconds: float
    objective: float
    primal: float
    dual: float
    gap: float
    n_changed: int
    coef: NDArray[np.floating]


class Clock:
    """Time since the start of a fit, and what is left of it."""

    def __init__(self, max_time: float | None) -> None:
        self.begin = time.perf_counter()
        self.max_time = max_time

    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.begin

    def left(self) -> float | None:
        """Seconds that are left, or None."""
        return None if self.max_time is None else self.max_time - self.seconds()


@dataclass
class Data:
    """Examples of a latent fit.

    Attributes
    ----------
    X : examples as the space's ``encode`` gives them
    observed : outputs, some with missing parts
    weight : (n,) float64
    packing : dict
        What else ``pack`` takes for each example.
    """

    X: Any
    observed: Any
    weight: NDArray[np.float64]
    packing: dict[str, Any]


@dataclass
class Rounds:
    """One run of CCCP from one start.

    Parameters
    ----------
    estimator : BaseStructuralSVM
        With a fitted space; its fitted attributes are those of the last accepted round.
    data : Data
    tol : float
        Relative decrease of the objective at which rounds stop.
    max_rounds : int
    clock : Clock
    callbacks : list of callables
    restart : int
        Number of the start.

    Attributes
    ----------
    Y : list
        Imputed outputs under the weights of the last accepted round.
    path : list of float
        Latent objective at the start, where that has weights, and after each accepted round.
    n_rounds : int
        Accepted rounds.
    log : list of dict
        One for every inner solve.
    status : str
    """

    estimator: Any
    data: Data
    tol: float
    max_rounds: int
    clock: Clock
    callbacks: list[Callable[[LatentProgress], Any]]
    restart: int = 0

    def __post_init__(self) -> None:
        self.Y: list[Any] = []
        self.path: list[float] = []
        self.n_rounds = 0
        self.log: list[dict[str, Any]] = []
        self.status = "max_rounds"
        self.oracle: Oracle | None = None
        self.packed: Any = None
        self.working_set: WorkingSet | None = None
        given = self.estimator._make_solver()
        self.solver_tol = float(given.tol)
        self.solver_time = given.max_time

    def limit(self) -> float | None:
        """Seconds that the next solve may take."""
        left = self.clock.left()
        limit: float | None = self.solver_time
        if left is None:
            return limit
        left = max(left, 1e-3)
        return left if limit is None else min(limit, left)

    # The convex problem of a round.

    def bind(self, Y: list[Any]) -> None:
        """Make Y the truth of psi."""
        space, data = self.estimator.space_, self.data
        self.packed = space.pack_observed(data.X, Y, data.observed, **data.packing)
        self.oracle = (
            space.bind(self.packed)
            if self.oracle is None
            else space.rebind(self.packed, self.oracle)
        )
        self.Y = Y

    def codes(self) -> list[NDArray[np.int32]]:
        """Codes of the imputed outputs."""
        oracle = self.oracle
        if oracle is None:
            raise AssertionError
        return [np.array(oracle.truth(i)) for i in range(oracle.n_blocks)]

    def solve(self, tol: float) -> SolverResult:
        """Minimise the convex upper bound to a relative gap."""
        limit = self.limit()
        inner, own = self.estimator, self.estimator.get_params(deep=False)
        began = self.clock.seconds()
        inner.set_params(tol=tol, max_time=limit)
        try:
            result: SolverResult = inner._solve(
                self.packed, self.data.weight, self.working_set, self.oracle
            )
        finally:
            inner.set_params(tol=own["tol"], max_time=own["max_time"])
        self.working_set = result.working_set
        self.log.append(
            {
                "restart": self.restart,
                "round": self.n_rounds + 1,
                "tol": tol,
                "primal": inner.primal_objective_,
                "dual": inner.dual_objective_,
                "relative_gap": result.relative_gap,
                "certificate": result.certificate,
                "status": result.status,
                "n_iter": result.n_iter,
                "n_oracle_calls": result.n_oracle_calls,
                "seconds": self.clock.seconds() - began,
                "accepted": False,
                "objective": float("nan"),
                "n_changed": 0,
            }
        )
        return result

    # Imputation.

    def impute(self, w: NDArray[np.floating]) -> list[Any]:
        """Best completions at w."""
        inner, data = self.estimator, self.data
        found: list[Any] = inner.space_.impute_batch(
            w, data.X, data.observed, inner._threads()
        )
        return found

    def start_at(self, w: NDArray[np.floating]) -> None:
        """Impute at given weights."""
        self.bind(self.impute(w))
        if self.oracle is None:
            raise AssertionError
        hinge, _ = self.oracle.hinge_sum(
            w, weight=self.data.weight, n_threads=self.estimator._threads()
        )
        wide = np.asarray(w, dtype=np.float64)
        prior = self.estimator._prior_weights(self.estimator.space_)
        if prior is not None:
            wide = wide - prior
        self.path.append(0.5 * float(wide @ wide) + float(self.estimator.C) * hinge)

    def move(self, w: NDArray[np.floating], scale: float) -> tuple[float, int]:
        """Impute at w; by how much the objective goes down with it, and how many change."""
        old, before = self.codes(), self.Y
        self.bind(self.impute(w))
        oracle = self.oracle
        if oracle is None:
            raise AssertionError
        gain, n_changed, worse = 0.0, 0, []
        for i, (a, b) in enumerate(zip(old, self.codes(), strict=True)):
            if np.array_equal(a, b):
                continue
            better = oracle.psi_diff_dot(w, i, b, a)
            if better < 0:
                worse.append(i)
                continue
            n_changed += 1
            gain += float(self.data.weight[i]) * better
        if worse:
            # Imputation found less than what is known already: rounding, or a search that is
            # not exact.
            Y = list(self.Y)
            for i in worse:
                Y[i] = before[i]
            self.bind(Y)
        return gain * scale, n_changed

    # All rounds.

    def run(self) -> None:
        """Rounds until one of them brings less than `tol`."""
        tightest = self.solver_tol
        tol = loosest = max(tightest, min(_LOOSE * tightest, _LOOSEST))
        objective = self.path[-1] if self.path else np.inf
        while self.n_rounds < self.max_rounds:
            state = dict(vars(self.estimator))
            try:
                result, stop = self.descend(objective, tol)
                if result is None:
                    self.keep(state, objective)
                    self.status = stop or "stalled"
                    return
                gain, n_changed = self.move(result.coef, float(self.estimator.C))
            except BaseException:
                vars(self.estimator).clear()
                vars(self.estimator).update(state)
                raise
            after = float(self.log[-1]["primal"] - gain)
            self.path.append(after)
            self.n_rounds += 1
            self.log[-1].update(accepted=True, objective=after, n_changed=n_changed)
            wants_stop = self.tell(result, n_changed)
            if stop is not None or wants_stop:
                self.status = stop or "callback"
                return
            decrease = (objective - after) / max(abs(after), 1e-12)
            objective = after
            small = n_changed == 0 or decrease <= self.tol
            if small and result.status == "max_iter":
                self.status = "max_iter"
                return
            # What a round has needed to go down, the next ones need as well.
            tightest = min(tightest, self.log[-1]["tol"])
            if small and self.log[-1]["tol"] <= self.solver_tol:
                self.status = "converged"
                return
            # Half of what the last round brought: tight enough to go down, as a rule.
            aim = tightest if small else min(0.5 * decrease, tol)
            tol = float(np.clip(aim, tightest, loosest))

    def keep(self, state: dict[str, Any], objective: float) -> None:
        """Return to the last accepted weights; the last solve gives their certificate."""
        vars(self.estimator).clear()
        vars(self.estimator).update(state)
        inner, dual = self.estimator, self.log[-1]["dual"]
        if np.isfinite(dual) and hasattr(inner, "_w"):
            inner.primal_objective_, inner.dual_objective_ = objective, dual
            inner.duality_gap_ = objective - dual
            inner.relative_gap_ = inner.duality_gap_ / max(abs(objective), 1e-12)
            inner.certificate_ = self.log[-1]["certificate"]

    def descend(
        self, objective: float, tol: float
    ) -> tuple[SolverResult | None, str | None]:
        """A solve that goes below the objective, tight enough for that; None if none does.

        Returns
        -------
        result, status
            status says what else ends the rounds, or None.
        """
        for _ in range(_ATTEMPTS + 1):
            result = self.solve(tol)
            row = self.log[-1]
            went_down = row["primal"] <= objective
            stop = result.ended_by if result.ended_by in STOPS else None
            if went_down or stop is not None:
                return (result if went_down else None), stop
            proven = result.certificate != "none" and np.isfinite(row["dual"])
            if proven and row["dual"] >= objective * (1 - self.tol):
                # No weights do much better with these imputations: the end is proven.
                return None, "converged"
            if result.status == "max_iter":
                return None, "max_iter"
            tol = max(tol, row["relative_gap"] if proven else 0.0) / _TIGHTER
        return None, None

    def tell(self, result: SolverResult, n_changed: int) -> bool:
        """Tell the callbacks; whether one wants to stop."""
        row = self.log[-1]
        progress = LatentProgress(
            restart=self.restart,
            round=self.n_rounds,
            seconds=self.clock.seconds(),
            objective=self.path[-1],
            primal=row["primal"],
            dual=row["dual"],
            gap=row["primal"] - row["dual"],
            n_changed=n_changed,
            coef=result.coef,
        )
        wishes = [bool(callback(progress)) for callback in self.callbacks]
        return any(wishes)


__all__ = ["STOPS", "Clock", "Data", "LatentProgress", "Rounds"]
