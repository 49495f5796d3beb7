"""Probabilities of other classifiers as features of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import get_tags

_LEAST = 1e-4


class Stack:
    """Log-odds of classifiers, out of fold for the pairs they are trained on.

    Parameters
    ----------
    classifiers : list of classifiers
    n_folds : int
    seed : int
        Of the folds.
    """

    def __init__(self, classifiers: list[Any], n_folds: int, seed: int) -> None:
        self.classifiers = classifiers
        self.n_folds = n_folds
        self.seed = seed

    def fit_transform(
        self, X: NDArray[Any], y: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Fit on all pairs; each pair's columns are from folds without it."""
        few = int(min(y.sum(), (~y).sum()))
        if few < 2:
            raise ValueError(
                f"stack needs two matches and two others for its folds, got {few}"
            )
        # Columns without two values tell nothing, and not every classifier takes them.
        low, high = _ends(X)
        self.columns_ = np.flatnonzero(low < high)
        folds = StratifiedKFold(
            min(self.n_folds, few), shuffle=True, random_state=self.seed
        )
        self.fitted_, odds = [], []
        for classifier in self.classifiers:
            rows = self._rows(classifier, X)
            found = cross_val_predict(
                clone(classifier), rows, y, cv=folds, method="predict_proba"
            )
            odds.append(_log_odds(found[:, 1]))
            self.fitted_.append(clone(classifier).fit(rows, y))
        columns = np.stack(odds, axis=1)
        self.mean_, scale = columns.mean(axis=0), columns.std(axis=0)
        self.scale_ = np.where(scale > 1e-9, scale, 1.0)
        return self._scaled(columns)

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Columns of new pairs."""
        if not len(X):
            return np.zeros((0, len(self.fitted_)), dtype=np.float32)
        odds = [
            _log_odds(c.predict_proba(self._rows(c, X))[:, 1]) for c in self.fitted_
        ]
        return self._scaled(np.stack(odds, axis=1))

    def _scaled(self, columns: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray((columns - self.mean_) / self.scale_, dtype=np.float32)

    def _rows(self, classifier: Any, X: NDArray[Any]) -> NDArray[Any]:
        """Columns with more than one value; -1 is missing for those that want numbers."""
        rows: NDArray[Any] = X[:, self.columns_]
        if get_tags(classifier).input_tags.allow_nan:
            return rows
        out: NDArray[Any] = np.nan_to_num(rows, nan=-1.0)
        return out


def _ends(X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Smallest and largest value of each column that is there."""
    there = ~np.isnan(X)
    low = np.where(there, X, np.inf).min(axis=0, initial=np.inf)
    high = np.where(there, X, -np.inf).max(axis=0, initial=-np.inf)
    return low, high


def _log_odds(p: NDArray[Any]) -> NDArray[np.float64]:
    q = np.clip(p, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(q / (1 - q)), dtype=np.float64)


__all__ = ["Stack"]
