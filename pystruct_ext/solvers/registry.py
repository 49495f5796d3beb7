"""Solvers by name."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from pystruct_ext.solvers.base import Solver
from pystruct_ext.solvers.bcfw import BCFW
from pystruct_ext.solvers.n_slack import NSlack
from pystruct_ext.solvers.one_slack import OneSlack
from pystruct_ext.solvers.perceptron import Perceptron
from pystruct_ext.solvers.subgradient import Subgradient

SOLVERS: dict[str, type[Solver]] = {
    cls.name: cls for cls in (BCFW, OneSlack, NSlack, Subgradient, Perceptron)
}


def get_solver(solver: str | Solver, **overrides: Any) -> Solver:
    """A solver from a name or an object.

    Parameters
    ----------
    solver : str or Solver
        One of ``SOLVERS``, or an object, which is cloned.
    **overrides
        Parameters to set where the value is not None and the solver has one of that
        name.

    Returns
    -------
    Solver

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name nor a solver.
    """
    if isinstance(solver, str):
        if solver not in SOLVERS:
            raise ValueError(f"solver must be one of {sorted(SOLVERS)}, got {solver!r}")
        made: Solver = SOLVERS[solver]()
    elif isinstance(solver, Solver):
        made = clone(solver)
    else:
        raise TypeError(
            f"solver must be a name or a Solver, got {type(solver).__name__}"
        )
    known = made.get_params(deep=False)
    made.set_params(
        **{k: v for k, v in overrides.items() if v is not None and k in known}
    )
    return made
