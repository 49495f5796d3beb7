"""The generic structural SVM, for any output space."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import OutputSpace


@storable
class StructuralSVM(BaseStructuralSVM):
    """Structural SVM over any output space.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` with the structured hinge
    ``H_i(w) = max_y Delta(y_i, y) - <w, psi(x_i, y_i) - psi(x_i, y)>`` and sample weights
    s_i, to a certified duality gap.

    Parameters
    ----------
    space : OutputSpace
        What is predicted; cloned, never changed.
    C : float or AutoC, default=1.0
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    solver : str or Solver, default="bcfw"
        A name of `pystruct_ext.solvers.SOLVERS`, or an object.
    tol : float or None, default=None
        Relative duality gap to reach; this and the next three: None is the solver's own.
    max_iter : int or None, default=None
        Largest number of epochs.
    max_time : float or None, default=None
        Largest number of seconds of training.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the order of examples.
    n_jobs : int or None, default=None
        Threads of batch decoding; the result does not depend on it.
    verbose : int, default=0
        1 shows progress.
    callback : callable, list of callables, or None
        Called after every epoch; see `HeldOutScore`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
    space_ : OutputSpace
        Fitted clone of `space`.
    primal_objective_, dual_objective_, duality_gap_ : float
        In the scale of the formula above.
    relative_gap_ : float
        ``duality_gap_ / primal_objective_``.
    certificate_ : {"exact", "bounded", "relaxed", "none"}
        What the gap proves; see `pystruct_ext.solvers.SolverResult`.
    status_ : {"converged", "stalled", "max_iter", "max_time", "interrupted", "callback", \
"oracle_error"}
        "oracle_error": the space contradicts itself; ``solver_info_["ended_by"]`` says what
        else ended the training. See `SolverResult`.
    n_iter_, n_oracle_calls_ : int
    history_ : History
    n_features_in_ : not set: examples are any objects

    Notes
    -----
    `score` is minus the (weighted) mean task loss; 0 is perfect.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext import StructuralSVM
    >>> from pystruct_ext.spaces import SequenceSpace
    >>> X, y = [np.eye(2), np.eye(2)[::-1]], [["a", "b"], ["b", "a"]]
    >>> StructuralSVM(SequenceSpace(), C=10).fit(X, y).predict(X)
    [['a', 'b'], ['b', 'a']]
    """

    def __init__(
        self,
        space: OutputSpace,
        C: float | str | AutoC = 1.0,
        *,
        solver: str | Solver = "bcfw",
        tol: float | None = None,
        max_iter: int | None = None,
        max_time: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        callback: Any = None,
    ) -> None:
        super().__init__(
            C, solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        )
        self.space = space

    def _make_space(self) -> OutputSpace:
        if not isinstance(self.space, OutputSpace):
            raise TypeError(
                f"space must be an OutputSpace, got {type(self.space).__name__}"
            )
        return clone(self.space)  # type: ignore[no-any-return]


__all__ = ["StructuralSVM"]
