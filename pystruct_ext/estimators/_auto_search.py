"""The search for C: a path over folds, its scores, where it stops, and what is taken."""

from __future__ import annotations

import logging
import math
import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext.estimators._auto_folds import folds_of
from pystruct_ext.estimators.auto_c import AutoC, CPathTable, row_text, table_head
from pystruct_ext.solvers import InterruptedWarning, OracleWarning

LOG = logging.getLogger("pystruct_ext.auto_c")

# Groups of held-out examples that the jackknife leaves out one by one.
_JACKKNIFE = 20
# With so many units in every group a score without it follows from that of the group.
_MANY = 10
# Standard errors by which a score counts as lower.
_LOWER = 2.0
# Scores this near the best one, in standard errors, are as good. Once scores have risen, a path
# ends at so many values beyond the first of them, or at one that is lower: each costs more than
# the one before.
_AS_GOOD, _PATIENCE = 0.5, 2
# Of scores this near the best one the smallest C is taken.
_TAKEN = 0.25
# A path has so many values at least, and more before scores have risen.
_AT_LEAST, _FLAT = 6, 8
_AT_MOST = 24
# Values below the first that are tried where that is the best.
_BELOW = 4
# Part of the objective that hinges have where a larger C changes nothing any more.
_SEPARATED = 0.01
# With fewer groups than this all folds are tried at every C.
_FEW = 20
# What another parameter is multiplied by.
_FACTORS = (0.1, 0.3, 3.0)
# Steps to larger values that all folds may take.
_STEPS = 3
_CERTIFICATES = ("none", "relaxed", "bounded", "exact")


@dataclass
class Point:
    """One solution of one fold.

    Attributes
    ----------
    predicted : list
        Outputs of the held-out examples.
    relative_gap, certificate, oracle_calls, status
        See `SolverResult`.
    seconds : float
        Of training.
    slack : float
        Share of the hinges in the objective.
    start : object
        From which the next C starts: a working set, say.
    model : object
        What an interrupted search returns.
    """

    predicted: list[Any]
    relative_gap: float
    certificate: str
    oracle_calls: int
    status: str
    seconds: float
    slack: float
    start: Any
    model: Any


class Problem(ABC):
    """What is trained along a path.

    Attributes
    ----------
    n : int
        Examples.
    groups : (n,) int64 or None
    weight : (n,) float64 or None
    """

    n: int
    groups: NDArray[np.int64] | None
    weight: NDArray[np.float64] | None

    @abstractmethod
    def first_c(self, train: NDArray[np.int64]) -> float:
        """The C at which weights start to matter."""

    @abstractmethod
    def solve(
        self, train: NDArray[np.int64], test: NDArray[np.int64], C: float, start: Any
    ) -> Point:
        """Train on some examples, predict the others."""

    @abstractmethod
    def score(self, test: NDArray[np.int64], predicted: list[Any]) -> float:
        """The metric; larger is better."""

    def share(self, test: NDArray[np.int64], part: NDArray[np.int64]) -> float:
        """The share in the score that examples at some positions of `test` have."""
        if self.weight is None:
            return len(part) / len(test)
        weight = self.weight[test]
        return float(weight[part].sum() / max(weight.sum(), 1e-300))

    def value(self, name: str) -> float:
        """The value of a parameter that can be chosen."""
        raise ValueError(
            f"AutoC: auto=(..., {name!r}) is not possible for this estimator, which is trained "
            "in rounds; use GridSearchCV"
        )

    def changed(self, name: str, value: float) -> Problem:
        """The same examples with another value of a parameter."""
        raise NotImplementedError


@dataclass
class Found:
    """The end of a search.

    Attributes
    ----------
    C : float
    problem : Problem
        With the values of other parameters that were taken.
    table : CPathTable or None
        None if the search was interrupted before its first row.
    starts : list
        One for each fold: where training on all examples may start.
    point : Point or None
        That of the first fold at C.
    interrupted : bool
    """

    C: float
    problem: Problem
    table: CPathTable | None
    starts: list[Any]
    point: Point | None
    interrupted: bool


class Interrupted(Exception):
    """A solve was interrupted; its point is of use if there is no better one."""

    def __init__(self, point: Point) -> None:
        super().__init__("interrupted")
        self.point = point


@dataclass
class Row:
    """One C, for the first fold or for all of them.

    Attributes
    ----------
    C : float
    problem : Problem
    values : dict of str to float
        Other parameters.
    points : list of Point
        Of the first folds; only rows near the best one keep where to start from.
    predicted : list
        Outputs of what these folds hold out.
    scores : dict of int to (float, (g,) float64)
        Number of folds to their score and the scores without each group of the jackknife.
    """

    C: float
    problem: Problem
    values: dict[str, float]
    points: list[Point] = field(default_factory=list)
    predicted: list[Any] = field(default_factory=list)
    scores: dict[int, tuple[float, NDArray[np.float64]]] = field(default_factory=dict)

    @property
    def folds(self) -> int:
        """Folds that are done."""
        return len(self.points)

    @property
    def score(self) -> float:
        """Over the folds that are done."""
        return self.scores[self.folds][0]

    @property
    def error(self) -> float:
        """Standard error of the score."""
        return jackknife_error(self.scores[self.folds][1])

    def below(self, other: Row) -> float:
        """By how many standard errors the score is below that of another row, or above: < 0.

        On what both hold out; of paired differences.
        """
        folds = min(self.folds, other.folds)
        (own, less), (others, without) = self.scores[folds], other.scores[folds]
        if own == others:
            return 0.0
        error = jackknife_error(without - less)
        if not error > 1e-9 * abs(others - own):
            return math.copysign(9.9, others - own)
        return (others - own) / error

    def as_dict(self) -> dict[str, Any]:
        """What the table has of it."""
        worst = min((p.certificate for p in self.points), key=_CERTIFICATES.index)
        return {
            "C": self.C,
            **self.values,
            "score": self.score,
            "standard_error": self.error,
            "folds": self.folds,
            "relative_gap": max(p.relative_gap for p in self.points),
            "certificate": worst,
            "seconds": sum(p.seconds for p in self.points),
            "oracle_calls": sum(p.oracle_calls for p in self.points),
        }


def starting_c(hinges: float, size: float) -> float:
    """``sum_i H_i / ||sum_i delta_psi_i||^2``: length of the first step; 1e-3 of nothing."""
    if not (hinges > 0 and size > 0):
        return 1e-3  # nothing to learn: all values are alike
    return float(np.clip(hinges / size, 1e-12, 1e6))


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of solutions on the way: rows of the path say it."""
    with warnings.catch_warnings():
        for kind in (ConvergenceWarning, OracleWarning, InterruptedWarning):
            warnings.simplefilter("ignore", kind)
        yield


def jackknife_error(without: NDArray[np.float64]) -> float:
    """Standard error of a statistic from its values without each of g groups.

    ``sqrt((g - 1) / g sum_k (v_k - mean v)^2)`` (Tukey 1958).
    """
    g = len(without)
    if g < 2:
        return math.nan
    return float(np.sqrt((g - 1) * np.var(without)))


def half_decade(k: int) -> float:
    """1, 3, 10, 30 and so on; 1 for k = 0."""
    return float(f"{3 if k % 2 else 1}e{k // 2}")


def step_of(C: float) -> int:
    """The k of the nearest `half_decade`."""
    return round(2 * math.log10(C))


def between(a: float, b: float) -> float:
    """The middle of two values on a logarithmic scale, to one digit."""
    return float(f"{math.sqrt(a * b):.0e}")


def _counted_folds(
    settings: AutoC, problem: Problem
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Folds of the examples whose weight is not 0; given folds as they are."""
    weight, groups = problem.weight, problem.groups
    own = settings.cv is None or isinstance(settings.cv, (int, float, np.number))
    if weight is None or weight.all() or not own:
        return folds_of(settings, problem.n, groups)
    kept = np.flatnonzero(weight)
    if groups is not None:
        _, groups = np.unique(groups[kept], return_inverse=True)
    folds = folds_of(settings, len(kept), groups)
    return [(kept[train], kept[test]) for train, test in folds]


class Search:
    """A search over one problem; see `AutoC` for what it does."""

    def __init__(
        self, settings: AutoC, problem: Problem, verbose: int, deadline: float | None
    ) -> None:
        self.settings = settings
        self.problem = problem
        self.verbose = verbose
        self.deadline = deadline
        self.folds = _counted_folds(settings, problem)
        self.tests = [test for _, test in self.folds]
        self.rows: list[Row] = []
        self.partial: Point | None = None
        self.names = ["C", *settings.others()]
        self.values = {name: problem.value(name) for name in settings.others()}
        groups = problem.groups
        # Few groups differ much: one fold of them says nothing of the others.
        self.few_groups = groups is not None and len(np.unique(groups)) < _FEW
        self.left_out = self._jackknife_groups()
        # Another metric may want all classes, say, in what it is given.
        own = settings.scoring is None
        self.linear = own and int(np.bincount(self.left_out).min()) >= _MANY

    def _jackknife_groups(self) -> NDArray[np.int64]:
        """The group of the jackknife of every held-out example, folds one after another."""
        held = np.concatenate(self.tests)
        groups = self.problem.groups
        # Of few groups nothing is learnt by leaving out one: examples have to do.
        units = held if groups is None or self.few_groups else groups[held]
        _, units = np.unique(units, return_inverse=True)
        m = int(units.max()) + 1
        # The first fold comes first, so that its examples are spread over all groups, too.
        _, first = np.unique(units, return_index=True)
        place = np.empty(m, dtype=np.int64)
        place[np.argsort(first, kind="stable")] = np.arange(m) % min(m, _JACKKNIFE)
        return place[units]

    def run(self) -> Found:
        """The whole search; an interrupt ends it with what is best so far."""
        interrupted = False
        try:
            self._say(f"C is chosen by {self._parts()}\n{table_head(self.names)}")
            self._path()
            self._all_folds()
            if self.settings.Cs is None:
                self._refine()
            for name in self.settings.others():
                self._other(name)
        except Interrupted as stop:
            interrupted, self.partial = True, stop.point
        except KeyboardInterrupt:
            interrupted = True
        if not self.rows:
            if self.partial is None:
                raise KeyboardInterrupt
            return Found(self._C, self.problem, None, [], self.partial, True)
        best = self.chosen()
        sizes = len(self.folds[0][0]), len(self.folds[0][1]), len(self.folds)
        ordered = sorted(self.rows, key=lambda r: (*r.values.values(), r.C))
        table = CPathTable.of(
            [r.as_dict() for r in ordered], ordered.index(best), sizes
        )
        self._say(f"C = {best.C:g}")
        starts = [point.start for point in best.points]
        for row in self.rows:
            row.predicted = []
        return Found(best.C, best.problem, table, starts, best.points[0], interrupted)

    def _parts(self) -> str:
        train, test = self.folds[0]
        folds = f"{len(self.folds)} folds of " if len(self.folds) > 1 else ""
        return f"{folds}{len(train)} examples to train, {len(test)} to score"

    def _say(self, text: str) -> None:
        if self.verbose:
            sys.stderr.write(text + "\n")
        else:
            LOG.info("%s", text)

    # One value.

    def at(
        self,
        C: float,
        start: Row | None,
        problem: Problem | None = None,
        values: dict[str, float] | None = None,
    ) -> Row:
        """Train the first fold, or all, at one C, from a row of a smaller one."""
        row = Row(C, problem or self.problem, {**self.values, **(values or {})})
        for f in range(len(self.folds) if self.few_groups else 1):
            self._fold(row, None if start is None else start.points[f].start)
        self.rows.append(row)
        self._forget()
        self._say_row(row)
        return row

    def _fold(self, row: Row, start: Any) -> Any:
        """Train the next fold of a row; where the fold may go on from."""
        f = row.folds
        self._C = row.C
        point = row.problem.solve(*self.folds[f], row.C, start)
        if point.status == "interrupted":
            raise Interrupted(point)
        predicted = row.predicted + point.predicted
        point.predicted = []
        row.scores[f + 1] = self._scores(f + 1, row.problem, predicted)
        row.predicted = predicted
        row.points.append(point)
        return point.start

    def _complete(self, rows: Sequence[Row]) -> None:
        """Train the other folds of some rows, in the order of their C."""
        rows = sorted((r for r in rows if r.folds < len(self.folds)), key=lambda r: r.C)
        for f in range(1, len(self.folds)):
            for row in rows:
                if row.folds == f:
                    self._fold(row, self._start(row, f))
        for row in rows:
            self._say_row(row)

    def _start(self, row: Row, f: int) -> Any:
        """Where a fold of a row may go on from: the nearest smaller C that has it."""
        starts = [
            (other.C, other.points[f].start)
            for other in self.rows
            if other.C < row.C and other.folds > f and other.values == row.values
        ]
        found = max(starts, key=lambda pair: pair[0], default=(0.0, None))
        return found[1]

    def _say_row(self, row: Row) -> None:
        self._say("  " + row_text(row.as_dict(), self.names))

    def _scores(
        self, folds: int, problem: Problem, predicted: list[Any]
    ) -> tuple[float, NDArray[np.float64]]:
        """The score of the first folds, and without each group.

        Of large groups ``v - s (v_k - v) / (1 - s)``, where v_k is the score of a group that
        has the share s of the examples: exact for means, of first order for others, and it
        takes 2 passes over the examples in the place of 21.
        """
        held = np.concatenate(self.tests[:folds])
        group = self.left_out[: len(held)]
        without = []
        full = self._score(problem, held, predicted)
        for k in range(int(self.left_out.max()) + 1):
            kept = np.flatnonzero((group == k) if self.linear else (group != k))
            if not 0 < len(kept) < len(held):
                without.append(full)
                continue
            some = [predicted[i] for i in kept.tolist()]
            part = self._score(problem, held[kept], some)
            if self.linear:
                share = problem.share(held, kept)
                part = full - share * (part - full) / (1 - share) if share < 1 else full
            without.append(part)
        return full, np.array(without)

    def _score(
        self, problem: Problem, held: NDArray[np.int64], predicted: list[Any]
    ) -> float:
        value = problem.score(held, predicted)
        return value if math.isfinite(value) else -1e300

    def _forget(self) -> None:
        """Keep where to start from only for rows near the best, and the last."""
        best = self.best()
        near = sorted(self.rows, key=lambda r: r.C)
        k = near.index(best)
        keep = {id(r) for r in (*near[max(k - 2, 0) : k + 3], self.rows[-1])}
        for row in self.rows:
            if id(row) not in keep:
                for point in row.points:
                    point.start = point.model = None

    def best(self) -> Row:
        """The row of the largest score, of those with the most folds; the first of equals."""
        most = max(row.folds for row in self.rows)
        return max((r for r in self.rows if r.folds == most), key=lambda r: r.score)

    # Along C.

    def _path(self) -> None:
        given = self.settings.Cs
        if given is not None:
            row = None
            for C in np.unique(np.asarray(given, dtype=np.float64)).tolist():
                row = self.at(C, row)
                if self._ends(row):
                    return
            return
        least = min(self.problem.first_c(train) for train, _ in self.folds)
        k = math.ceil(2 * math.log10(least))
        first = row = self.at(half_decade(k), None)
        while len(self.rows) < _AT_MOST:
            k += 1
            row = self.at(half_decade(k), row)
            if self._ends(row):
                break
        if self.best() is first and not self._late():
            self._below(first)

    def _ends(self, row: Row) -> bool:
        """Whether no larger C is worth a try."""
        if self._late():
            return True
        if all(point.slack < _SEPARATED for point in row.points):
            return True  # the weights stay as they are
        best = self.best()
        at = self.rows.index(best)
        risen = any(r.below(best) > _LOWER for r in self.rows[:at])
        if len(self.rows) < (_AT_LEAST if risen else _FLAT):
            return False
        if row.below(best) > _LOWER:
            return True
        good = next(k for k, r in enumerate(self.rows) if r.below(best) < _AS_GOOD)
        return len(self.rows) - 1 - good >= _PATIENCE

    def _late(self) -> bool:
        return self.deadline is not None and time.perf_counter() > self.deadline

    def _all_folds(self) -> None:
        """The other folds at the best C and its neighbours."""
        near = sorted(self.rows, key=lambda r: r.C)
        if len(self.folds) == 1 or self._late():
            return
        before = None
        for _ in range(_STEPS):
            best = self.best()
            if before is not None and before.below(best) < _AS_GOOD:
                break
            before, k = best, near.index(best)
            if k == len(near) - 1 and self.settings.Cs is None:
                after = half_decade(step_of(near[k].C) + 1)
                near.append(self.at(after, near[k]))
            around = near[max(k - 1, 0) : k + 2]
            if all(row.folds == len(self.folds) for row in around):
                break
            self._complete(around)

    def _below(self, first: Row) -> None:
        """Smaller values than the first, as long as they are no worse."""
        k = step_of(first.C)
        for step in range(1, _BELOW + 1):
            row = self.at(half_decade(k - step), None)
            same = np.array_equal(row.scores[1][1], first.scores[1][1])
            if same or row.below(self.best()) > 0:
                return

    def _refine(self) -> None:
        """The value between the best one and the better one beside it, if it stands out."""
        near = sorted(self.rows, key=lambda r: r.C)
        best = self.best()
        k = near.index(best)
        around = [near[j] for j in (k - 1, k + 1) if 0 <= j < len(near)]
        if self._late() or not all(row.below(best) > _LOWER for row in around):
            return
        beside = max(around, key=lambda row: row.score)
        smaller = min(beside, best, key=lambda r: r.C)
        self._complete([self.at(between(beside.C, best.C), smaller)])

    def _other(self, name: str) -> None:
        """Other values of a parameter, at the best C, and around it where they are as good."""
        centre = self.best()
        for factor in _FACTORS:
            best = self.best()
            value = self.values[name] * factor
            problem = centre.problem.changed(name, value)
            values = {**centre.values, name: value}
            row = self.at(centre.C, centre, problem, values)
            if row.below(best) > _LOWER:
                continue
            more = [
                self.at(C, start, problem, values)
                for C, start in ((centre.C / 3, None), (centre.C * 3, row))
            ]
            self._complete([row, *more])

    def chosen(self) -> Row:
        """The row that is taken: of those as good as the best one, that of the smallest C."""
        best = self.best()
        good = [
            row
            for row in self.rows
            if row.folds == best.folds and row.below(best) < _TAKEN
        ]
        return min(good, key=lambda row: row.C)


def merge_starts(starts: Sequence[Any], merge: Callable[[Any, Any], Any]) -> Any:
    """One start of all folds'; None if there is none."""
    merged = None
    for start in starts:
        if start is not None:
            merged = start if merged is None else merge(merged, start)
    return merged


__all__ = [
    "LOG",
    "Found",
    "Point",
    "Problem",
    "Search",
    "half_decade",
    "merge_starts",
    "quiet",
    "starting_c",
]
