"""C from the data: what to try, what to hold out, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted

# Columns of a path, in the order of its table; parameters beside C come after the first.
_COLUMNS = (
    "C",
    "score",
    "standard_error",
    "folds",
    "relative_gap",
    "certificate",
    "seconds",
    "oracle_calls",
)
_TEXT = ("certificate",)


@storable(kind="part", leave_out=("scoring", "cv"))
class AutoC(BaseEstimator):
    """How an estimator with ``C="auto"`` finds its C; pass one as C for other settings.

    Trains at increasing C on a part of the examples, each time from the solution before, and
    scores the rest; stops where scores have fallen, and trains on all examples at the best C.

    Parameters
    ----------
    Cs : sequence of float or None, default=None
        Values to try. None begins where the weights start to matter, ``C0 = sum_i H_i(0) /
        ||sum_i delta psi_i||^2`` over the most violated cuts at w = 0, goes on in half decades,
        and tries the values between the best one and its neighbours.
    cv : int, float, splitter, list of (train, test) or None, default=None
        Folds, or the share of examples that is held out once. None is 5 folds of up to 200
        examples, 3 of up to 3000, and one fifth held out of more. Values far from the best are
        tried on the first fold only.
    scoring : str, callable or None, default=None
        ``scoring(y_true, y_pred) -> float``, larger is better, or the name of one of
        scikit-learn's scorers of predictions; the metric of the estimator's ``score`` by
        default. That of a `RankingSVM` has a third argument, the query of each document.
    auto : tuple of str, default=("C",)
        Other parameters to choose, such as ("C", "false_cost"): numbers > 0, tried at 0.1, 0.3,
        1 and 3 times the present value, around the best C.
    tol : float or None, default=None
        Relative gap of the solutions on the way; None is that of the solver, and 0.05 at
        least.
    random_state : int, RandomState, Generator or None, default=0
        What is held out.

    See Also
    --------
    CPathTable : What a fit leaves in ``C_path_``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from pystruct_ext import AutoC, MulticlassSVM
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MulticlassSVM(C=AutoC(cv=3)).fit(X, y)
    >>> model.C_ == model.C_path_.best["C"]
    True
    """

    def __init__(
        self,
        Cs: Sequence[float] | None = None,
        *,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        auto: Sequence[str] = ("C",),
        tol: float | None = None,
        random_state: Any = 0,
    ) -> None:
        self.Cs = Cs
        self.cv = cv
        self.scoring = scoring
        self.auto = auto
        self.tol = tol
        self.random_state = random_state

    def check(self) -> None:
        """Raise ValueError or TypeError for settings that mean nothing."""
        if self.Cs is not None:
            values = np.atleast_1d(np.asarray(self.Cs))
            if (
                values.dtype.kind not in "iuf"
                or values.ndim != 1
                or values.size == 0
                or not (np.isfinite(values).all() and (values > 0).all())
            ):
                raise ValueError(
                    f"AutoC: Cs must be finite numbers > 0 or None, got {self.Cs!r}"
                )
        cv = self.cv
        if isinstance(cv, (bool, str)):
            raise TypeError(f"AutoC: cv must be {_CV}, got {cv!r}")
        if isinstance(cv, Integral) and cv < 2:
            raise ValueError(f"AutoC: cv must be at least 2 folds, got {cv!r}")
        if isinstance(cv, (float, np.floating)) and not 0 < cv < 1:
            raise ValueError(f"AutoC: cv must be {_CV}, got {cv!r}")
        if not (cv is None or isinstance(cv, Real) or _splits(cv)):
            raise TypeError(f"AutoC: cv must be {_CV}, got {type(cv).__name__}")
        if isinstance(self.scoring, str):
            scorer_function(self.scoring)
        elif self.scoring is not None and not callable(self.scoring):
            raise TypeError(
                "AutoC: scoring must be None, the name of a scorer or a callable, got "
                f"{self.scoring!r}"
            )
        names = [self.auto] if isinstance(self.auto, str) else list(self.auto)
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"AutoC: auto must hold names, got {self.auto!r}")
        if self.tol is not None and not (isinstance(self.tol, Real) and self.tol > 0):
            raise ValueError(f"AutoC: tol must be None or > 0, got {self.tol!r}")

    def others(self) -> list[str]:
        """Parameters to choose beside C."""
        names = [self.auto] if isinstance(self.auto, str) else list(self.auto)
        return [name for name in names if name != "C"]


_CV = (
    "an int >= 2, a share between 0 and 1, a splitter, a list of (train, test) or None"
)


def _splits(cv: Any) -> bool:
    return hasattr(cv, "split") or (hasattr(cv, "__iter__") and hasattr(cv, "__len__"))


def scorer_function(name: str) -> Callable[..., float]:
    """The metric behind the name of one of scikit-learn's scorers; larger is better.

    Raises
    ------
    ValueError
        For a name that is unknown, or of a scorer that wants more than predictions.
    """
    from sklearn.metrics import get_scorer

    scorer = get_scorer(name)
    response = getattr(scorer, "_response_method", "predict")
    if response != "predict":
        raise ValueError(
            f"AutoC: scoring={name!r} is of {response!r}, expected a scorer of predictions"
        )
    sign, metric, more = scorer._sign, scorer._score_func, scorer._kwargs

    def score(y_true: Any, y_pred: Any) -> float:
        return float(sign * metric(y_true, y_pred, **more))

    return score


def is_auto(C: Any) -> bool:
    """Whether C is to be found by the fit."""
    return isinstance(C, AutoC) or (isinstance(C, str) and C == "auto")


def settings_of(C: Any) -> AutoC:
    """The settings that C="auto", or an `AutoC`, stands for."""
    return C if isinstance(C, AutoC) else AutoC()


@storable
class CPathTable:
    """The path by which C was found: one row for each C that was tried, in their order.

    Parameters
    ----------
    columns : dict of str to (n,) arrays
        "C", the values of other parameters that were chosen, "score" and its
        "standard_error" on what was held out, the number of "folds" (values far from the best
        have the first only), "relative_gap" (the largest of all folds),
        "certificate" (the weakest), "seconds" and "oracle_calls" (together).
    chosen : int
        The row whose C was taken.
    n_train, n_held_out : int
        Examples of the first fold.
    n_folds : int

    Notes
    -----
    It prints as a table, and has a length; its items are dicts, one for each row.

    Standard errors are those of a jackknife over 20 groups of held-out examples.
    """

    def __init__(
        self,
        columns: dict[str, NDArray[Any]],
        chosen: int,
        n_train: int,
        n_held_out: int,
        n_folds: int,
    ) -> None:
        self.columns = columns
        self.chosen = chosen
        self.n_train = n_train
        self.n_held_out = n_held_out
        self.n_folds = n_folds

    @classmethod
    def of(
        cls, rows: Sequence[dict[str, Any]], chosen: int, sizes: tuple[int, int, int]
    ) -> CPathTable:
        """A table of rows."""
        first = [key for key in rows[0] if key not in _COLUMNS]
        order = ["C", *first, *_COLUMNS[1:]]
        columns = {key: np.array([row[key] for row in rows]) for key in order}
        return cls(columns, chosen, *sizes)

    @property
    def best(self) -> dict[str, Any]:
        """The row whose C was taken."""
        return self[self.chosen]

    @property
    def parameters(self) -> list[str]:
        """Names of what was chosen: "C" and others."""
        return [key for key in self.columns if key == "C" or key not in _COLUMNS]

    def column(self, name: str) -> NDArray[Any]:
        """One column, (n,).

        Raises
        ------
        KeyError
            Naming the columns there are.
        """
        if name not in self.columns:
            raise KeyError(
                f"there is no column {name!r}; expected one of {', '.join(self.columns)}"
            )
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["C"])

    def __getitem__(self, k: int) -> dict[str, Any]:
        return {key: values[k].item() for key, values in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[k] for k in range(len(self)))

    def lines(self) -> list[str]:
        """Head and rows of the table as text; the chosen one is marked."""
        names = self.parameters
        marks = [" *" if k == self.chosen else "  " for k in range(len(self))]
        return [
            table_head(names),
            *(m + row_text(row, names) for m, row in zip(marks, self, strict=True)),
        ]

    def __repr__(self) -> str:
        parts = f"{self.n_folds} folds" if self.n_folds > 1 else "one part held out"
        about = f"{parts}: {self.n_train} examples to train, {self.n_held_out} to score"
        return "\n".join([*self.lines(), about])

    def to_stored(self) -> dict[str, Any]:
        """What a model file holds."""
        return {
            "columns": {
                k: v.tolist() if k in _TEXT else v for k, v in self.columns.items()
            },
            "chosen": self.chosen,
            "sizes": [self.n_train, self.n_held_out, self.n_folds],
        }

    @classmethod
    def from_stored(cls, state: dict[str, Any]) -> CPathTable:
        """The inverse of `to_stored`."""
        columns = {
            k: np.array(v) if k in _TEXT else v for k, v in state["columns"].items()
        }
        return cls(columns, state["chosen"], *state["sizes"])

    def check_loaded(self) -> None:
        """Raise unless all columns are of one length, and numbers are finite or NaN."""
        fitted = Fitted(self)
        columns = fitted.instance("columns", dict)
        missing = [name for name in _COLUMNS if name not in columns]
        if missing:
            raise ValueError(f"CPathTable.columns lacks {missing[0]!r}")
        n = len(columns["C"])
        for name, values in columns.items():
            kinds = "U" if name in _TEXT else "iuf"
            good = isinstance(values, np.ndarray) and values.dtype.kind in kinds
            if not isinstance(name, str) or not good or values.shape != (n,):
                raise ValueError(f"CPathTable.columns[{name!r}] is no column of {n}")
        fitted.integer("chosen", 0, n - 1)
        for name in ("n_train", "n_held_out", "n_folds"):
            fitted.integer(name, 0)


def table_head(names: Sequence[str]) -> str:
    """Names of the columns of `row_text`."""
    head = "  " + "".join(f"{name:>10}" for name in names)
    return head + (
        "     score  std. err.  folds  rel. gap  certificate   seconds  oracle calls"
    )


def row_text(row: dict[str, Any], names: Sequence[str]) -> str:
    """One row of a path as text."""
    return (
        "".join(f"{row[name]:10.4g}" for name in names)
        + f"{row['score']:10.4f} {row['standard_error']:10.4f} {row['folds']:6d} "
        f"{row['relative_gap']:9.1e} "
        f"{row['certificate']:>12} {row['seconds']:9.2f} {row['oracle_calls']:13d}"
    )


def check_groups(groups: Any, n: int) -> NDArray[np.int64] | None:
    """Groups of n examples as numbers from 0, or None.

    Raises
    ------
    ValueError
        For another length.
    """
    if groups is None:
        return None
    given = list(groups) if not isinstance(groups, np.ndarray) else groups.tolist()
    if len(given) != n:
        raise ValueError(
            f"groups has {len(given)} entries, expected {n}: one for each example"
        )
    number: dict[Any, int] = {}
    try:
        return np.array([number.setdefault(g, len(number)) for g in given])
    except TypeError:
        raise ValueError(
            "groups must hold names or numbers, got an entry that is neither"
        ) from None


__all__ = [
    "AutoC",
    "CPathTable",
    "check_groups",
    "is_auto",
    "row_text",
    "scorer_function",
    "settings_of",
    "table_head",
]
