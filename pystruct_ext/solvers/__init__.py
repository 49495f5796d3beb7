"""Solvers: they see only an Oracle."""

from pystruct_ext.solvers._loop import InterruptedWarning, OracleWarning, Progress
from pystruct_ext.solvers.base import Solver
from pystruct_ext.solvers.bcfw import BCFW
from pystruct_ext.solvers.registry import SOLVERS, get_solver
from pystruct_ext.solvers.result import History, SolverResult, WorkingSet

__all__ = [
    "BCFW",
    "SOLVERS",
    "History",
    "InterruptedWarning",
    "OracleWarning",
    "Progress",
    "Solver",
    "SolverResult",
    "WorkingSet",
    "get_solver",
]
