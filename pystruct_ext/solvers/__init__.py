"""Solvers: they see only an Oracle."""

from pystruct_ext._core import Oracle, OracleError
from pystruct_ext.solvers._loop import InterruptedWarning, Progress
from pystruct_ext.solvers.base import Solver
from pystruct_ext.solvers.bcfw import BCFW
from pystruct_ext.solvers.certificate import OracleWarning
from pystruct_ext.solvers.n_slack import NSlack
from pystruct_ext.solvers.one_slack import OneSlack
from pystruct_ext.solvers.path import solve_path
from pystruct_ext.solvers.perceptron import Perceptron
from pystruct_ext.solvers.registry import SOLVERS, get_solver
from pystruct_ext.solvers.result import History, SolverResult, WorkingSet
from pystruct_ext.solvers.subgradient import Subgradient

__all__ = [
    "BCFW",
    "SOLVERS",
    "History",
    "InterruptedWarning",
    "NSlack",
    "OneSlack",
    "Oracle",
    "OracleError",
    "OracleWarning",
    "Perceptron",
    "Progress",
    "Solver",
    "SolverResult",
    "Subgradient",
    "WorkingSet",
    "get_solver",
    "solve_path",
]
