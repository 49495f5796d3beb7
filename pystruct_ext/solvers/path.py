"""One problem at several C, from small to large, each warm-started from those before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.solvers._loop import (
    Callback,
    LoopSettings,
    Problem,
    SolverRun,
    run_loop,
)
from pystruct_ext.solvers.base import Solver, make_problem
from pystruct_ext.solvers.result import SolverResult, WorkingSet
from pystruct_ext.utils.numbers import is_number


def solve_path(
    solver: Solver,
    oracle: Oracle,
    Cs: ArrayLike,
    *,
    block_ids: ArrayLike | None = None,
    block_weight: ArrayLike | None = None,
    w_prior: ArrayLike | None = None,
    working_set: WorkingSet | None = None,
    callback: Callback | Sequence[Callback] | None = None,
) -> Iterator[tuple[float, SolverResult]]:
    """Solve one problem at several C, from small to large; each result is certified.

    At C the problem is ``min_w 1/2 ||w||^2 + C sum_i c_i H_i(w)``, which a solver sees with
    ``lam = 1 / (n C)`` for n blocks in use.

    Parameters
    ----------
    solver : Solver
        Its tolerance and limits hold for every point on its own.
    oracle : Oracle
        Made by ``space.bind(packed)``.
    Cs : array-like of floats > 0
        Solved in increasing order, whatever their order here.
    block_ids : (n,) int array, optional
        Train on these blocks only.
    block_weight : (n,) float array, optional
        Weight c_i >= 0 of each block in use.
    w_prior : (D,) array, optional
        Weights that the regulariser draws to, as for `Solver.solve`.
    working_set : WorkingSet, optional
        Where the smallest C starts from.
    callback : callable or list of callables, optional
        As for `Solver.solve`; a true result ends the point, not the path.

    Yields
    ------
    C : float
    result : SolverResult
        As soon as it is certified. The next point is begun when it is asked for: leave the
        iterator, and no more is solved. A point that was interrupted is the last.

    Notes
    -----
    BCFW and the n-slack cutting plane go on with their working sets, losses and inner products
    in place, on the best point of the ray of the weights before (see `BlockRun.raise_C`). From
    the tenth epoch of a point on, BCFW's weights are an average over its epochs with
    exponential forgetting, whose primal is smaller near the optimum; the certificate is of
    them. The
    1-slack cutting plane queries first where the point before ended. Subgradient descent starts
    afresh, since its certificate needs a start at 0; so does, but for its weights, the
    perceptron.

    To go from a fit on some blocks to all of them at the same C, give `Solver.solve` the
    working set of the first: it starts where that ended.
    """
    values = np.sort(np.atleast_1d(np.asarray(Cs, dtype=np.float64)).ravel())
    for C in values:
        if not is_number(C) or C <= 0:
            raise ValueError(f"Cs must be finite numbers > 0, got {C!r}")
    n = make_problem(oracle, 1.0, block_ids, block_weight).n
    problems = [
        make_problem(oracle, 1.0 / (n * C), block_ids, block_weight, w_prior)
        for C in values
    ]
    settings, chained = solver._loop_settings(oracle, callback)
    return _points(solver, values.tolist(), problems, working_set, settings, chained)


def _points(
    solver: Solver,
    values: list[float],
    problems: list[Problem],
    working_set: WorkingSet | None,
    settings: LoopSettings,
    callback: Callback | None,
) -> Iterator[tuple[float, SolverResult]]:
    run: SolverRun | None = None
    last: NDArray[np.floating] | None = None
    try:
        for C, problem in zip(values, problems, strict=True):
            if run is None or not run.raise_C(problem):
                if run is not None:
                    run.close()
                run = solver._run(problem, last, working_set)
                if len(values) > 1:  # one value is no path, but a fit like others
                    run.start_path()
            result = run_loop(run, problem, settings, callback, keep=True)
            # The run moves its weights on at the next point.
            result.coef = last = result.coef.copy()
            yield C, result
            if result.ended_by == "interrupted":
                return
    finally:
        if run is not None:
            run.close()
