"""The generic structural SVM, and what all estimators share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from pystruct_ext._core import Oracle
from pystruct_ext.estimators.callbacks import HeldOutScore
from pystruct_ext.solvers import Solver, SolverResult, WorkingSet, get_solver
from pystruct_ext.spaces import OutputSpace


def c_to_lam(C: float, n: int) -> float:
    """``lambda = 1 / (n C)``: the only place where the two conventions meet.

    Raises
    ------
    ValueError
        If C is not a finite number above 0.
    """
    number = isinstance(C, (int, float, np.integer, np.floating))
    if not number or isinstance(C, bool) or not np.isfinite(C) or C <= 0:
        raise ValueError(f"C must be a finite number > 0, got {C!r}")
    return 1.0 / (n * float(C))


def effective_n_jobs(n_jobs: int | None) -> int:
    """Threads meant by scikit-learn's n_jobs."""
    if n_jobs is None:
        return 1
    from joblib import effective_n_jobs as count

    return int(count(n_jobs))


class BaseStructuralSVM(BaseEstimator):
    """Fitting and certificates; subclasses say what their space is."""

    # Set by the subclasses' __init__.
    C: float
    solver: str | Solver
    tol: float | None
    max_iter: int | None
    max_time: float | None
    n_jobs: int | None
    random_state: Any
    verbose: int
    callback: Any

    def _make_space(self) -> OutputSpace:
        raise NotImplementedError

    def _make_solver(self) -> Solver:
        return get_solver(
            self.solver,
            tol=self.tol,
            max_iter=self.max_iter,
            max_time=self.max_time,
            n_jobs=None if self.n_jobs is None else effective_n_jobs(self.n_jobs),
            random_state=self.random_state,
            verbose=self.verbose or None,
        )

    def _aim(self, space: OutputSpace, n: int) -> float | None:
        """A tighter tolerance to aim at where that is almost free, or None."""
        return None

    def _callbacks(self) -> list[Any]:
        if self.callback is None:
            return []
        if callable(self.callback):
            return [self.callback]
        if not isinstance(self.callback, (list, tuple)) or not all(
            map(callable, self.callback)
        ):
            raise TypeError(
                "callback must be None, a callable or a list of callables, got "
                f"{self.callback!r}"
            )
        return list(self.callback)

    def _solve(
        self,
        packed: Any,
        sample_weight: ArrayLike | None,
        working_set: WorkingSet | None = None,
        oracle: Oracle | None = None,
    ) -> SolverResult:
        """Solve on packed examples and set the fitted attributes."""
        space, solver = self.space_, self._make_solver()
        aim = self._aim(space, len(packed))
        if aim is not None:
            accept = solver.tol
            solver.set_params(tol=aim)
        if oracle is None:
            oracle = space.bind(packed)
        n = oracle.n_blocks
        lam = c_to_lam(self.C, n)
        weight = check_weights(sample_weight, n)
        callbacks = self._callbacks()
        for callback in callbacks:
            if isinstance(callback, HeldOutScore):
                callback.start(self)
        with warnings.catch_warnings():
            if aim is not None:
                warnings.simplefilter("ignore", ConvergenceWarning)
            result = solver.solve(
                oracle,
                lam,
                block_weight=weight,
                working_set=working_set,
                callback=callbacks or None,
            )
        if aim is not None and result.status == "max_iter":
            if result.relative_gap <= accept:
                result.status = "converged"
            else:
                warnings.warn(
                    f"stopped after {result.n_iter} epochs at a relative gap of "
                    f"{result.relative_gap:.2e}, above {accept:g}; scale the features, "
                    "lower C or raise max_iter",
                    ConvergenceWarning,
                    stacklevel=3,
                )
        for callback in callbacks:
            if isinstance(callback, HeldOutScore):
                best = callback.finish()
                if best is not None:
                    result = _recertified(
                        result, oracle, lam, weight, best, self.n_jobs
                    )
        self._set_result(result, lam)
        return result

    def _set_result(self, result: SolverResult, lam: float) -> None:
        """Fitted attributes; objectives in the estimator's scale, 1/2 ||w||^2 + C sum."""
        self._w = result.coef
        self.primal_objective_ = result.primal / lam
        self.dual_objective_ = result.dual / lam
        self.duality_gap_ = result.gap / lam
        self.relative_gap_ = result.relative_gap
        self.certificate_ = result.certificate
        self.status_ = result.status
        self.n_iter_ = result.n_iter
        self.n_oracle_calls_ = result.n_oracle_calls
        history = result.history
        for row in history:
            for key in ("primal", "dual", "gap"):
                row[key] /= lam
        self.history_ = history
        self.solver_info_ = dict(result.extra)

    def _held_out_scorer(
        self, X: Any, y: Any, metric: Callable[[Any, Any], float] | None
    ) -> Callable[[NDArray[np.floating]], float]:
        """A function of the weights that scores held-out examples."""

        def score(w: NDArray[np.floating]) -> float:
            y_pred = self._decode(w, X)
            return float((metric or self._default_metric)(y, y_pred))

        return score

    def _decode(self, w: NDArray[np.floating], X: Any) -> Any:
        return self.space_.decode_batch(w, X, effective_n_jobs(self.n_jobs))

    def _default_metric(self, y_true: Any, y_pred: Any) -> float:
        losses = [self.space_.loss(a, b) for a, b in zip(y_true, y_pred, strict=True)]
        return -float(np.mean(losses))

    def save(self, path: Any) -> None:
        """Write the fitted model to one file; see `pystruct_ext.load`.

        Parameters
        ----------
        path : path-like
            The file is written beside it under a temporary name, then renamed.
        """
        from pystruct_ext.persistence import save

        save(self, path)


def check_weights(sample_weight: ArrayLike | None, n: int) -> NDArray | None:
    """Weights c_i as float64, or None.

    Raises
    ------
    ValueError
        For a wrong length, or a weight that is negative or not finite.
    """
    if sample_weight is None:
        return None
    try:
        weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must hold numbers: {error}") from None
    if weight.ndim == 0:
        weight = np.full(n, float(weight))
    if weight.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if weight.shape != (n,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected {(n,)}: one weight per example"
        )
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if bad.size:
        raise ValueError(
            f"sample_weight must be finite and >= 0; example {int(bad[0])} has "
            f"{weight[bad[0]]}"
        )
    return weight


def _recertified(
    result: SolverResult,
    oracle: Oracle,
    lam: float,
    weight: NDArray | None,
    w: NDArray[np.floating],
    n_jobs: int | None,
) -> SolverResult:
    """The result for other weights: the dual bound holds, the primal is their own."""
    _, _, hinge = oracle.cut_sum(
        w, weight=weight, n_threads=effective_n_jobs(n_jobs), dpsi=False
    )
    wide = np.asarray(w, dtype=np.float64)
    primal = 0.5 * lam * float(wide @ wide) + hinge / oracle.n_blocks
    result.coef = w
    result.primal = primal
    result.gap = primal - result.dual
    result.n_oracle_calls += oracle.n_blocks
    return result


class StructuralSVM(BaseStructuralSVM):
    """Structural SVM over any output space.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` with the structured hinge
    ``H_i(w) = max_y Delta(y_i, y) - <w, psi(x_i, y_i) - psi(x_i, y)>`` and sample weights
    s_i, to a certified duality gap.

    Parameters
    ----------
    space : OutputSpace
        What is predicted; cloned, never changed.
    C : float, default=1.0
        Weight of the sum of hinges.
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
    certificate_ : {"exact", "relaxed", "none"}
        What the gap proves.
    status_ : {"converged", "max_iter", "max_time", "interrupted", "callback"}
    n_iter_, n_oracle_calls_ : int
    history_ : History
    n_features_in_ : not set: examples are any objects

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
        C: float = 1.0,
        solver: str | Solver = "bcfw",
        tol: float | None = None,
        max_iter: int | None = None,
        max_time: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        callback: Any = None,
    ) -> None:
        self.space = space
        self.C = C
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.callback = callback

    def _make_space(self) -> OutputSpace:
        if not isinstance(self.space, OutputSpace):
            raise TypeError(
                f"space must be an OutputSpace, got {type(self.space).__name__}"
            )
        return clone(self.space)  # type: ignore[no-any-return]

    def fit(
        self, X: Sequence[Any], y: Sequence[Any], sample_weight: ArrayLike | None = None
    ) -> StructuralSVM:
        """Train on examples X with outputs y.

        Parameters
        ----------
        X, y : sequences of length n
        sample_weight : (n,) array-like, optional
            Weight s_i >= 0 of each example.

        Returns
        -------
        self
        """
        c_to_lam(self.C, 1)
        self._make_solver()
        self.space_ = self._make_space()
        packed = self.space_.fit_pack(X, y)
        self._solve(packed, sample_weight)
        return self

    @property
    def coef_(self) -> NDArray[np.floating]:
        """Weights, (size_psi,)."""
        check_is_fitted(self, "_w")
        return self._w

    def predict(self, X: Sequence[Any]) -> list[Any]:
        """Best output of every example."""
        check_is_fitted(self, "_w")
        return list(self._decode(self._w, X))

    def score(
        self, X: Sequence[Any], y: Sequence[Any], sample_weight: ArrayLike | None = None
    ) -> float:
        """Minus the (weighted) mean task loss; 0 is perfect."""
        predicted = self.predict(X)
        if len(y) != len(predicted):
            raise ValueError(
                f"X and y must have the same number of examples, got {len(predicted)} "
                f"and {len(y)}"
            )
        weight = check_weights(sample_weight, len(y))
        losses = [self.space_.loss(a, b) for a, b in zip(y, predicted, strict=True)]
        return -float(np.average(losses, weights=weight))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_w")
