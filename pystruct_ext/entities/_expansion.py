"""Columns that let a linear model bend, of one scale and without missing values."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted

KINDS = (None, "hinges", "bins")
# Beyond these quantiles a value counts as if it were there.
_LOW, _HIGH = 0.01, 0.99


@storable
class Expansion(BaseEstimator):
    """Hinges or steps at quantiles, standardised; missing values become means.

    Parameters
    ----------
    expand : {None, "hinges", "bins"}, default=None
        None scales columns; "hinges" adds ``max(0, x - t)`` for each inner knot t, "bins" is
        1 where ``x > t``, else 0, for each knot but the last.
    n_knots : int, default=8
        Inner knots of a column; fewer where quantiles coincide.
    fill : "mean" or float, default="mean"
        What a missing value becomes. A number: nothing is scaled where `expand` is None; NaN
        leaves missing values to models that know them.

    Attributes
    ----------
    knots_ : (n_knots_total,) ndarray
        Of all columns, one after the other, rising in each; none where a column stays as it is.
    knot_ends_ : (d + 1,) int64
        Where those of a column begin, and the last ends.
    mean_, scale_ : (n_columns,) ndarrays
        Of the expanded columns.
    """

    def __init__(
        self,
        expand: str | None = None,
        *,
        n_knots: int = 8,
        fill: str | float = "mean",
    ) -> None:
        self.expand = expand
        self.n_knots = n_knots
        self.fill = fill

    def check(self) -> None:
        """Raise unless the parameters are what they may be."""
        if self.expand not in KINDS:
            raise ValueError(f"expand is {self.expand!r}, expected one of {KINDS}")
        whole = isinstance(self.n_knots, Integral) and not isinstance(
            self.n_knots, bool
        )
        if not whole or not 1 <= self.n_knots <= 1000:
            raise ValueError(f"n_knots is {self.n_knots!r}, expected 1 .. 1000")
        number = isinstance(self.fill, Real) and not isinstance(self.fill, bool)
        if self.fill != "mean" and not number:
            raise ValueError(f'fill is {self.fill!r}, expected "mean" or a number')
        if self.expand and self.fill != "mean":
            raise ValueError(f'fill is {self.fill!r}, expected "mean" with expand')

    def fit(self, X: Any, flags: Any = None, y: Any = None) -> Expansion:
        """Place the knots.

        Parameters
        ----------
        X : (E, d) array-like
            NaN is missing.
        flags : (d,) sequence of bool, optional
            Columns that stay as they are.
        y : (E,) array-like, optional
            Labels, positive for matches: quantiles are then of both classes alike, although
            matches are few.
        """
        self.check()
        X = np.asarray(X, dtype=np.float64)
        d = X.shape[1]
        weight = _balanced(y, len(X))
        knots = [
            np.zeros(0)
            if self.expand is None or (flags is not None and flags[k])
            else self._knots_of(X[:, k], weight)
            for k in range(d)
        ]
        self.knots_ = np.concatenate([np.zeros(0), *knots])
        ends = np.cumsum([0, *map(len, knots)])
        self.knot_ends_ = np.asarray(ends, dtype=np.int64)
        Z = self._expanded(X)
        there = ~np.isnan(Z)
        count = np.maximum(there.sum(axis=0), 1)
        self.mean_ = np.where(there, Z, 0).sum(axis=0) / count
        spread = np.where(there, Z - self.mean_, 0)
        scale = np.sqrt((spread**2).sum(axis=0) / count)
        self.scale_ = np.where(scale > 1e-9, scale, 1.0)
        return self

    def check_loaded(self) -> None:
        """Raise unless the attributes are what fitting makes."""
        self.check()
        fitted = Fitted(self)
        if hasattr(self, "knots_"):
            n = len(fitted.array("knots_", (None,), "float64"))
            fitted.array("knot_ends_", (None,), "int64", low=0, high=n, rising=True)
            width = len(self.column_knots())
            fitted.array("mean_", (width,), "float64")
            fitted.array("scale_", (width,), "float64", low=1e-300)

    def _knots_of(
        self, x: NDArray[np.float64], weight: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Quantiles of the weighted values that are there."""
        there = ~np.isnan(x)
        if not there.any():
            return np.zeros(0)
        order = np.argsort(x[there], kind="stable")
        share = np.cumsum(weight[there][order])
        at = np.searchsorted(
            share, np.linspace(_LOW, _HIGH, self.n_knots + 2) * share[-1]
        )
        values = np.unique(x[there][order][np.minimum(at, len(order) - 1)])
        return values if len(values) > 1 else np.zeros(0)

    def column_knots(self) -> list[tuple[int, float | None]]:
        """For each column made: the column it is made of, and its knot or None."""
        out: list[tuple[int, float | None]] = []
        for k in range(len(self.knot_ends_) - 1):
            knots = self.knots_[self.knot_ends_[k] : self.knot_ends_[k + 1]].tolist()
            if self.expand != "bins" or not knots:
                out.append((k, None))
            chosen = knots[:-1] if self.expand == "bins" else knots[1:-1]
            out += [(k, t) for t in chosen]
        return out

    def _expanded(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        out = []
        for k in range(X.shape[1]):
            x = X[:, k]
            knots = self.knots_[self.knot_ends_[k] : self.knot_ends_[k + 1]]
            if not len(knots):
                out.append(x[:, None])
            elif self.expand == "hinges":
                x = np.clip(x, knots[0], knots[-1])[:, None]
                out += [x, np.maximum(x - knots[1:-1], 0)]
            else:
                step = (x[:, None] > knots[:-1]).astype(np.float64)
                step[np.isnan(x)] = np.nan
                out.append(step)
        return np.concatenate(out, axis=1) if out else np.zeros((len(X), 0))

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Expanded, scaled columns."""
        check_is_fitted(self)
        X = np.asarray(X, dtype=np.float64)
        if self.fill != "mean":
            return np.asarray(np.where(np.isnan(X), self.fill, X), dtype=np.float32)
        Z = (self._expanded(X) - self.mean_) / self.scale_
        return np.asarray(np.nan_to_num(Z, nan=0.0), dtype=np.float32)


def _balanced(y: Any, n: int) -> NDArray[np.float64]:
    """Weights that make matches and others count alike."""
    if y is None:
        return np.full(n, 1 / max(n, 1))
    match = np.asarray(y) > 0
    if match.shape != (n,):
        raise ValueError(
            f"y has the shape {match.shape}, expected ({n},), one per pair"
        )
    weight = np.where(match, 0.5 / max(match.sum(), 1), 0.5 / max((~match).sum(), 1))
    return np.asarray(weight, dtype=np.float64)


__all__ = ["KINDS", "Expansion"]
