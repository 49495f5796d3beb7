"""Training along a path of C values, largest reuse, each point certified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from pystruct_ext.estimators import BaseStructuralSVM, c_to_lam, check_weights
from pystruct_ext.solvers import SolverResult, solve_path


@dataclass
class PathPoint:
    """One C of a path.

    Attributes
    ----------
    C : float
    estimator : estimator
        Fitted at C.
    seconds : float
        Training time of this point alone.
    score : float
        Held-out score, nan without held-out data.
    """

    C: float
    estimator: Any
    seconds: float
    score: float = float("nan")


@dataclass
class CPath:
    """All points of a path, in increasing C."""

    points: list[PathPoint] = field(default_factory=list)

    @property
    def best(self) -> PathPoint:
        """The point with the best held-out score."""
        scores = [p.score for p in self.points]
        if np.all(np.isnan(scores)):
            raise ValueError("the path was trained without held-out data")
        return self.points[int(np.nanargmax(scores))]

    def __repr__(self) -> str:
        lines = ["       C     primal  rel. gap  oracle calls  seconds     score"]
        lines += [
            f"{p.C:8.4g} {p.estimator.primal_objective_:10.4g} "
            f"{p.estimator.relative_gap_:9.2e} {p.estimator.n_oracle_calls_:13d} "
            f"{p.seconds:8.2f} {p.score:9.4f}"
            for p in self.points
        ]
        return "\n".join(lines)


def c_path(
    estimator: BaseStructuralSVM,
    X: Sequence[Any],
    y: Sequence[Any],
    Cs: ArrayLike = (0.01, 0.03, 0.1, 0.3, 1.0),
    *,
    X_dev: Sequence[Any] | None = None,
    y_dev: Sequence[Any] | None = None,
    scorer: Callable[[Any, Any, Any], float] | None = None,
    sample_weight: ArrayLike | None = None,
    qid: ArrayLike | None = None,
    qid_dev: ArrayLike | None = None,
) -> CPath:
    """Train an estimator at several C, from small to large, reusing what it can.

    The examples are packed once. Each point goes on from the one before, as `solve_path` has
    it, and is certified on its own.

    Parameters
    ----------
    estimator : BaseStructuralSVM
        Any of this package but `DiverseRankingSVM`; not changed.
    X, y : training examples
    Cs : sequence of floats
        Sorted before use.
    X_dev, y_dev : held-out examples, optional
    scorer : callable, optional
        ``scorer(estimator, X, y) -> float``; the estimator's ``score`` by default.
    sample_weight : (n,) array-like, optional
    qid, qid_dev : array-likes, optional
        Of a `RankingSVM`: the query of each training and held-out document.

    Returns
    -------
    CPath

    Raises
    ------
    TypeError
        For a `DiverseRankingSVM`, and for qid with an estimator whose data are no queries.

    References
    ----------
    Osokin et al., ICML 2016 (regularisation paths of structural SVMs).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from pystruct_ext import MulticlassSVM
    >>> X, y = load_iris(return_X_y=True)
    >>> path = c_path(MulticlassSVM(), X, y, [0.1, 1.0], X_dev=X, y_dev=y)
    >>> [point.estimator.status_ for point in path.points]
    ['converged', 'converged']
    """
    import time

    ranks = estimator._grouped_in_queries and estimator._takes_matrices
    if estimator._grouped_in_queries and not ranks:
        raise TypeError(
            f"c_path does not take a {type(estimator).__name__}, which trains in rounds; use "
            "GridSearchCV, or a loop over C"
        )
    if not ranks and not (qid is None and qid_dev is None):
        raise TypeError(
            f"qid is for RankingSVM, got a {type(estimator).__name__}, whose examples are no "
            "documents of queries"
        )
    grouped = {} if qid is None else {"qid": qid}
    grouped_dev = {} if qid_dev is None else {"qid": qid_dev}
    values = np.sort(np.atleast_1d(np.asarray(Cs, dtype=np.float64)))
    for C in values:
        c_to_lam(C, 1)
    first = clone(estimator)
    first.set_params(C=float(values[0]))
    packed, weight = first._pack_for_fit(X, y, sample_weight, **grouped)
    space: Any = first.space_
    oracle = space.bind(packed)
    fitted = {k: v for k, v in vars(first).items() if k not in first.get_params()}
    path = CPath()
    began = time.perf_counter()
    for C, point, result in _trained(estimator, fitted, values, packed, weight, oracle):
        seconds = time.perf_counter() - began
        score = float("nan")
        if X_dev is not None and y_dev is not None:
            score = float(
                scorer(point, X_dev, y_dev)
                if scorer is not None
                else point.score(X_dev, y_dev, **grouped_dev)
            )
        path.points.append(PathPoint(C, point, seconds, score))
        if result.ended_by == "interrupted":
            break
        began = time.perf_counter()
    return path


def _trained(
    estimator: BaseStructuralSVM,
    fitted: dict[str, Any],
    values: NDArray[np.float64],
    packed: Any,
    weight: ArrayLike | None,
    oracle: Any,
) -> Iterator[tuple[float, Any, SolverResult]]:
    """The estimator fitted at each value, and what its solver said."""

    def point_at(C: float) -> Any:
        point = clone(estimator).set_params(C=C)
        vars(point).update(fitted)
        point.space_ = copy(fitted["space_"])
        return point

    first = point_at(float(values[0]))
    n = oracle.n_blocks
    plain = (
        type(first)._solve is BaseStructuralSVM._solve
        and first.callback is None
        and first._aim(first.space_, len(packed)) is None
    )
    if plain:
        oracle.feature_name = first._feature_name
        solver, checked = first._make_solver(), check_weights(weight, n)
        points = solve_path(
            solver,
            oracle,
            values,
            block_weight=checked,
            w_prior=first._prior_weights(first.space_),
        )
        for C, result in points:
            point = point_at(C)
            point.C_ = C
            point._set_result(result, c_to_lam(C, n))
            yield C, point, result
        return
    # A callback may look at the estimator, and a tighter aim has its own end: each point is
    # a fit of its own, from the weights of the one before.
    working_set, before = None, 0.0
    for C in values.tolist():
        point = point_at(C)
        if working_set is not None:
            working_set = replace(working_set, alpha=working_set.alpha * (before / C))
        result = point._solve(packed, weight, working_set, oracle)
        working_set, before = result.working_set, C
        yield C, point, result
