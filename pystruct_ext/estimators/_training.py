"""Examples of one fit, packed, and how C is found on them."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from pystruct_ext._core import Oracle
from pystruct_ext.estimators._arguments import c_to_lam, check_weights
from pystruct_ext.estimators._auto_search import (
    Found,
    Point,
    Problem,
    Search,
    quiet,
    starting_c,
)
from pystruct_ext.estimators.auto_c import (
    AutoC,
    check_groups,
    is_auto,
    scorer_function,
    settings_of,
)
from pystruct_ext.solvers import (
    SolverResult,
    WorkingSet,
)

# Parameters of spaces that only their oracles know: the packed examples stay.
_BOUND = ("false_cost", "miss_cost")
# Relative gap of solutions on the way, where the solver's own is smaller.
_LOOSE = 5e-2
# A larger C takes at most the epochs of those before, or so many, or this part of what a fit
# may take.
_EPOCHS, _PART = 10, 1 / 3


@dataclass
class Training:
    """Examples of a fit.

    Attributes
    ----------
    packed : what the space makes of them
    weight : (n,) array-like or None
    X, y : the examples, empty ones left out
    groups : (n,) int64 or None
    packing : dict
        What else ``fit_pack`` was given.
    """

    packed: Any
    weight: ArrayLike | None
    X: Any = None
    y: Any = None
    groups: NDArray[np.int64] | None = None
    packing: dict[str, Any] = field(default_factory=dict)


def check_c(C: Any, groups: Any) -> None:
    """Raise ValueError unless C is a number or can be found, and groups are of use.

    Raises
    ------
    ValueError, TypeError
    """
    if is_auto(C):
        settings_of(C).check()
        return
    c_to_lam(C, 1)
    if groups is not None:
        raise ValueError(
            f"groups says what is held out together when C is found (C='auto'); C is {C!r} "
            "here"
        )


class BlockProblem(Problem):
    """Examples bound once; folds are positions of their blocks."""

    def __init__(
        self, estimator: Any, training: Training, settings: AutoC, oracle: Oracle
    ) -> None:
        self.estimator = estimator
        self.training = training
        self.settings = settings
        self.oracle = oracle
        self.n = oracle.n_blocks
        self.groups = training.groups
        self.weight = check_weights(training.weight, self.n)
        self.prior = estimator._prior_weights(estimator.space_)
        self.truth = estimator._held_out_truth(training)
        self.metric = estimator._held_out_metric(settings.scoring)

    def _solver(self, epochs: int = 0) -> Any:
        """A solver of loose tolerance, after one that took so many epochs."""
        solver = self.estimator._make_solver()
        tol = self.settings.tol
        tol = max(solver.tol, _LOOSE) if tol is None else tol
        solver.set_params(tol=tol, verbose=0)  # rows of the path are progress enough
        if epochs:
            # A larger C may end with a larger gap; its row says so.
            few = min(_EPOCHS, max(round(_PART * solver.max_iter), 1))
            solver.set_params(max_iter=min(solver.max_iter, max(few, epochs)))
        return solver

    def _weight(self, ids: NDArray[np.int64]) -> NDArray[np.float64] | None:
        if self.weight is None:
            return None
        weight = self.weight[ids]
        if not weight.any():
            raise ValueError(
                "sample_weight: all examples of a fold have the weight zero; give C a number"
            )
        return weight

    def first_c(self, train: NDArray[np.int64]) -> float:
        """The step from where training starts along the sum of the most violated cuts."""
        w = np.zeros(self.oracle.size_psi, dtype=self.oracle.dtype)
        if self.prior is not None:
            w[:] = self.prior
        dpsi, _, hinge = self.oracle.cut_sum(
            w, train, self._weight(train), self.estimator._threads()
        )
        size = 0.0 if dpsi is None else float(dpsi @ dpsi)
        return starting_c(hinge, size)

    def solve(
        self, train: NDArray[np.int64], test: NDArray[np.int64], C: float, start: Any
    ) -> Point:
        """Train on some blocks, from a working set; decode the others."""
        began = time.perf_counter()
        lam = c_to_lam(C, len(train))
        working_set, epochs = (None, 0) if start is None else start
        with quiet():
            result: SolverResult = self._solver(epochs).solve(
                self.oracle,
                lam,
                block_ids=train,
                block_weight=self._weight(train),
                w_prior=self.prior,
                working_set=working_set,
            )
        seconds = time.perf_counter() - began
        predicted: list[Any] = []
        if result.ended_by != "interrupted":
            predicted = self.estimator._decode_blocks(
                result.coef, self.training, self.oracle, test
            )
        wide = np.asarray(result.coef, dtype=np.float64)
        if self.prior is not None:
            wide = wide - self.prior
        norm = 0.5 * lam * float(wide @ wide)
        return Point(
            predicted,
            result.relative_gap,
            result.certificate,
            result.n_oracle_calls,
            result.ended_by,
            seconds,
            1 - norm / max(result.primal, 1e-300),
            (result.working_set, max(epochs, result.n_iter)),
            (result.coef, result.dual / lam, result),
        )

    def score(self, test: NDArray[np.int64], predicted: list[Any]) -> float:
        """The metric of held-out blocks."""
        weight = None if self.weight is None else self.weight[test]
        return float(self.metric([self.truth[i] for i in test], predicted, weight))

    def value(self, name: str) -> float:
        """The value of a parameter of the estimator that is a number > 0."""
        params = self.estimator.get_params(deep=False)
        if name not in params:
            known = ", ".join(_numbers(self.estimator)) or "C alone"
            raise ValueError(
                f"AutoC: auto has {name!r}, which {type(self.estimator).__name__} has not; "
                f"expected one of {known}"
            )
        if name not in _numbers(self.estimator):
            raise ValueError(
                f"AutoC: auto has {name!r}, which is {params[name]!r} now; expected a number "
                "> 0 to try multiples of"
            )
        return float(params[name])

    def changed(self, name: str, value: float) -> Problem:
        """Bound anew with another value of a parameter."""
        estimator, training = self.estimator, self.training
        other = clone(estimator).set_params(**{name: value})
        kept = {k: v for k, v in vars(estimator).items() if k not in other.get_params()}
        vars(other).update(kept)
        space: Any = other._make_space()
        if name in _BOUND:
            own = space.get_params(deep=False)
            vars(space).update(
                {k: v for k, v in vars(estimator.space_).items() if k not in own}
            )
        else:
            packed = space.fit_pack(training.X, training.y, **training.packing)
            training = replace(training, packed=packed)
        other.space_ = space
        oracle = space.bind(training.packed)
        return BlockProblem(other, training, self.settings, oracle)


def _numbers(estimator: Any) -> list[str]:
    """Parameters that are numbers > 0 of any size; those of training are no choice."""
    defaults = inspect.signature(type(estimator)).parameters
    return [
        name
        for name, value in estimator.get_params(deep=False).items()
        if isinstance(value, (int, float))
        and value > 0
        and isinstance(defaults[name].default, float)
        and name not in ("C", "tol", "max_time")
    ]


def find_c(
    estimator: Any, problem: Problem, settings: AutoC, max_time: float | None
) -> Found:
    """Search for C, in at most half of the time that there is."""
    deadline = None if max_time is None else time.perf_counter() + 0.5 * max_time
    return Search(settings, problem, int(estimator.verbose), deadline).run()


def joined(first: WorkingSet, second: WorkingSet) -> WorkingSet:
    """The cuts of one working set, and those of another on blocks that the first has not."""
    new = np.flatnonzero(~np.isin(second.ids, first.ids))
    cut_at = np.concatenate([[0], np.cumsum(second.counts)])
    code_at = np.concatenate([[0], np.cumsum(second.counts * second.code_lens)])

    def cuts(values: NDArray[Any], at: NDArray[np.int64]) -> NDArray[Any]:
        return np.concatenate(
            [values[:0], *(values[at[k] : at[k + 1]] for k in new.tolist())]
        )

    return WorkingSet(
        np.concatenate([first.ids, second.ids[new]]),
        np.concatenate([first.counts, second.counts[new]]),
        np.concatenate([first.alpha, cuts(second.alpha, cut_at)]),
        np.concatenate([first.loss, cuts(second.loss, cut_at)]),
        np.concatenate([first.codes, cuts(second.codes, code_at)]),
        np.concatenate([first.code_lens, second.code_lens[new]]),
    )


def metric_of(
    scoring: Any, default: Callable[[Any, Any, NDArray | None], float]
) -> Callable[[Any, Any, NDArray | None], float]:
    """``metric(y_true, y_pred, weight)`` of what `AutoC.scoring` says."""
    if scoring is None:
        return default
    chosen = scorer_function(scoring) if isinstance(scoring, str) else scoring
    return lambda y_true, y_pred, weight: float(chosen(y_true, y_pred))


__all__ = [
    "BlockProblem",
    "Training",
    "check_c",
    "check_groups",
    "find_c",
    "joined",
    "metric_of",
]
