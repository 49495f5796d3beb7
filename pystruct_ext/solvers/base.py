"""The solver interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from pystruct_ext._core import Oracle
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers._loop import (
    Callback,
    LoopSettings,
    Problem,
    SolverRun,
    run_loop,
)
from pystruct_ext.solvers.result import SolverResult, WorkingSet
from pystruct_ext.utils.numbers import is_number


@storable(kind="solver", abstract=True)
class Solver(BaseEstimator, ABC):
    """Minimises ``lam/2 ||w - w_prior||^2 + 1/n sum_i c_i H_i(w)``.

    All it knows is what an oracle shows; `w_prior` is 0 unless given. Stateless: ``solve``
    changes nothing on the solver. Subclasses store their parameters and make a run; the
    loop is shared.

    Parameters common to all solvers
    --------------------------------
    tol : float
        Stop when an exact pass shows ``gap <= tol * |primal|``.
    max_iter : int
        Largest number of epochs.
    max_time : float or None
        Largest number of seconds.
    check_every : int
        Make an exact pass after so many epochs at the latest; passes also happen when
        the running estimate of the gap says that it may be over.
    n_jobs : int
        Threads of the batch calls. The result does not depend on it.
    random_state : int, RandomState or None
        Order of blocks.
    verbose : int
        1 shows progress on stderr.
    """

    name: str = ""
    # Whether weights that an oracle wants to be >= 0 stay so, with a certificate.
    keeps_signs: ClassVar[bool] = False
    # Set by the subclasses' __init__.
    tol: float
    max_iter: int
    max_time: float | None
    check_every: int
    verbose: int

    @abstractmethod
    def _run(
        self, problem: Problem, w_init: NDArray | None, working_set: WorkingSet | None
    ) -> SolverRun:
        """State at the start of a solve."""

    def solve(
        self,
        oracle: Oracle,
        lam: float,
        *,
        block_ids: ArrayLike | None = None,
        block_weight: ArrayLike | None = None,
        w_init: NDArray | None = None,
        w_prior: ArrayLike | None = None,
        working_set: WorkingSet | None = None,
        callback: Callback | Sequence[Callback] | None = None,
    ) -> SolverResult:
        """Solve one problem.

        Parameters
        ----------
        oracle : Oracle
            Made by ``space.bind(packed)``.
        lam : float
            Regularisation ``lambda > 0``; an estimator's C is ``1 / (n lambda)``.
        block_ids : (n,) int array, optional
            Train on these blocks only: a cross-validation fold without a copy.
        block_weight : (n,) float array, optional
            Weight c_i >= 0 of each block in use.
        w_init : (D,) array, optional
            Start for primal methods; dual methods use ``working_set``.
        w_prior : (D,) array, optional
            Weights that the regulariser draws to: it is ``lam/2 ||w - w_prior||^2``. Dual
            methods start there, too. Costs one more vector of length D; zeros are the
            same as none.
        working_set : WorkingSet, optional
            Cuts of an earlier solve on the same oracle, with this or another prior.
        callback : callable or list of callables, optional
            Called with a `Progress` after each epoch; a true result stops the solve.

        Returns
        -------
        SolverResult
        """
        problem = make_problem(oracle, lam, block_ids, block_weight, w_prior)
        settings, callback = self._loop_settings(oracle, callback)
        run = self._run(problem, w_init, working_set)
        return run_loop(run, problem, settings, callback)

    def _loop_settings(
        self, oracle: Oracle, callback: Callback | Sequence[Callback] | None
    ) -> tuple[LoopSettings, Callback | None]:
        """Checked parameters for the loop, and the callbacks as one."""
        self._check()
        signs = oracle.nonnegative
        if signs.stop > signs.start and not self.keeps_signs:
            raise ValueError(
                f"{type(self).__name__} cannot keep weights >= 0, as this problem wants "
                f"weights {signs.start} .. {signs.stop - 1} to be; use BCFW, NSlack or "
                "Subgradient"
            )
        if callback is not None and not callable(callback):
            callback = _Chain(callback)
        settings = LoopSettings(
            tol=self.tol,
            max_iter=self.max_iter,
            max_time=self.max_time,
            check_every=self.check_every,
            verbose=self.verbose,
            name=type(self).__name__,
            params=self.get_params(deep=False),
        )
        return settings, callback

    def _check(self) -> None:
        for name, low in (("tol", 0), ("max_iter", 1), ("check_every", 1)):
            value = getattr(self, name)
            real = name == "tol"
            whole = real or isinstance(value, (int, np.integer))
            if not is_number(value) or not whole or value < low:
                raise ValueError(
                    f"{type(self).__name__}: {name} must be "
                    f"{'a number' if real else 'an integer'} >= {low}, got {value!r}"
                )
        if self.max_time is not None and not (
            is_number(self.max_time) and self.max_time > 0
        ):
            raise ValueError(
                f"{type(self).__name__}: max_time must be > 0 seconds or None, got "
                f"{self.max_time!r}"
            )


class _Chain:
    """Several callbacks as one; the first true result stops."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = list(callbacks)

    def __call__(self, progress: Any) -> bool:
        stop = [
            bool(callback(progress)) for callback in self.callbacks
        ]  # call them all
        return any(stop)


def make_problem(
    oracle: Oracle,
    lam: float,
    block_ids: ArrayLike | None,
    block_weight: ArrayLike | None,
    w_prior: ArrayLike | None = None,
) -> Problem:
    """Validate the arguments of ``solve``."""
    if not isinstance(oracle, Oracle):
        raise TypeError(
            f"oracle must be an Oracle made by space.bind(packed), got "
            f"{type(oracle).__name__}"
        )
    if not is_number(lam) or lam <= 0:
        raise ValueError(f"lam must be a finite number > 0, got {lam!r}")
    ids = (
        np.arange(oracle.n_blocks, dtype=np.int64)
        if block_ids is None
        else np.ascontiguousarray(block_ids, dtype=np.int64)
    )
    if ids.ndim != 1 or ids.size == 0:
        raise ValueError("block_ids must be a non-empty 1-D array of blocks")
    if ids.min() < 0 or ids.max() >= oracle.n_blocks:
        raise ValueError(
            f"block_ids must be in [0, {oracle.n_blocks}), got "
            f"{ids.min()} .. {ids.max()}"
        )
    weight = (
        np.ones(len(ids))
        if block_weight is None
        else np.ascontiguousarray(block_weight, dtype=np.float64)
    )
    if weight.shape != ids.shape:
        raise ValueError(
            f"block_weight has shape {weight.shape}, expected {ids.shape}: one weight "
            "per block in use"
        )
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if bad.size:
        raise ValueError(
            f"block_weight must be finite and >= 0; block {int(ids[bad[0]])} has "
            f"{weight[bad[0]]}"
        )
    if not weight.any():
        raise ValueError(
            f"block_weight: all {len(weight)} weights are zero, expected at least one above "
            "zero"
        )
    prior = None if w_prior is None else checked_prior(oracle, w_prior)
    return Problem(oracle, float(lam), ids, weight, prior)


def checked_prior(oracle: Oracle, w_prior: ArrayLike) -> NDArray[np.floating] | None:
    """Weights to be drawn to in the oracle's dtype; None if they are all 0."""
    try:
        prior: NDArray[np.floating] = np.ascontiguousarray(w_prior, dtype=oracle.dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"w_prior must be an array of numbers: {error}") from None
    if prior.shape != (oracle.size_psi,):
        raise ValueError(
            f"w_prior has shape {prior.shape}, expected ({oracle.size_psi},): one number "
            "per weight"
        )
    bad = np.flatnonzero(~np.isfinite(prior))
    if bad.size:
        raise ValueError(
            f"w_prior must be finite; entry {int(bad[0])} is {prior[bad[0]]}"
        )
    return prior if prior.any() else None


def generator(random_state: Any) -> np.random.Generator:
    """A numpy Generator from any of scikit-learn's random states."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None or isinstance(random_state, (int, np.integer)):
        return np.random.default_rng(random_state)
    state = check_random_state(random_state)
    return np.random.default_rng(state.randint(np.iinfo(np.int32).max))
