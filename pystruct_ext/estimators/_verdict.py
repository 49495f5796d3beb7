"""What becomes of a result that was to be better than the user asked for."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext._core import Oracle
from pystruct_ext.solvers import Solver, SolverResult
from pystruct_ext.solvers.advice import advice
from pystruct_ext.utils.callers import user_stacklevel


def accept_or_warn(
    result: SolverResult, accept: float, oracle: Oracle, C: float, solver: Solver
) -> None:
    """Judge a solve that ended at its last epoch by the relative gap that was asked for."""
    if result.relative_gap <= accept:
        result.status = "converged"
        return
    warnings.warn(
        f"stopped after {result.n_iter} epochs at a relative gap of "
        f"{result.relative_gap:.2e}, above {accept:g}; "
        + advice(
            oracle, np.arange(oracle.n_blocks), C, result, solver.get_params(), accept
        ),
        ConvergenceWarning,
        stacklevel=user_stacklevel(),
    )


__all__ = ["accept_or_warn"]
