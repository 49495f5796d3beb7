"""Piecewise linear features: a linear model of them bends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted

_FEW = 8  # values of a column that is not cut


@storable(name="AlignmentBends")
class Bends:
    """For each real-valued column x and each of some of its quantiles q: max(x - q, 0).

    Parameters
    ----------
    pieces : int
        Into which the range is cut, at most.

    Attributes
    ----------
    columns_, at_ : int64 and float64 ndarrays
        Column and place of each bend.
    """

    def __init__(self, pieces: int = 4) -> None:
        self.pieces = pieces

    def fit(self, values: NDArray[np.float32]) -> Bends:
        """Choose columns and places."""
        columns, places = [], []
        at = np.linspace(0, 1, self.pieces + 1)[1:-1]
        some = values[:: max(1, len(values) // 100_000)]
        for k in range(values.shape[1]):
            distinct = np.unique(some[:, k])
            if len(distinct) <= _FEW:
                continue
            # Zeros and ends are shared by many: quantiles of the distinct values, too.
            found = np.unique(
                np.concatenate([np.quantile(some[:, k], at), np.quantile(distinct, at)])
            )
            found = found[(found > distinct[0]) & (found < distinct[-1])]
            columns += [k] * len(found)
            places += found.tolist()
        self.columns_ = np.array(columns, dtype=np.int64)
        self.at_ = np.array(places, dtype=np.float64)
        return self

    def transform(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(K, bends) columns."""
        found = np.maximum(values[:, self.columns_] - self.at_, 0.0)
        return found.astype(np.float32)

    def names(self, names: Sequence[str]) -> list[str]:
        """One for each bend."""
        pairs = zip(self.columns_, self.at_, strict=True)
        return [f"{names[k]} above {q:.3g}" for k, q in pairs]

    def check(self, columns: int) -> int:
        """The number of bends of a loaded object, or an error."""
        fitted = Fitted(self)
        fitted.array("columns_", (None,), "int64", low=0, high=columns - 1)
        fitted.array("at_", (len(self.columns_),), "float64")
        return len(self.columns_)

    def __getstate__(self) -> dict[str, object]:
        return dict(vars(self))

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
