"""What the displays of rankings of several rankers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.plotting._base import Display
from pystruct_ext.plotting._style import import_pyplot

# One slate per query, or such slates of several rankers by name.
Slates = Sequence[Sequence[int]]
R = TypeVar("R", bound="RankersDisplay")


class RankersDisplay(Display):
    """A display of the slates of one or several rankers."""

    @classmethod
    def from_estimator(
        cls: type[R],
        estimator: Any,
        X: Sequence[Any],
        y: Sequence[ArrayLike] | None = None,
        **kwargs: Any,
    ) -> R:
        """Rank with a fitted ranker and draw.

        Parameters
        ----------
        estimator : DiverseRankingSVM, or a baseline of `pystruct_ext.diversify`
        X : sequence of n DiverseQuery
            Judged, unless `y` is given.
        y : sequence of n (k, n_intents) array-likes, optional
            Relevance of the documents; by default that of the queries.
        **kwargs
            Passed to :meth:`from_predictions`.

        Returns
        -------
        display
            Drawn.
        """
        named = {type(estimator).__name__: estimator}
        return cls.from_estimators(named, X, y, **kwargs)

    @classmethod
    def from_estimators(
        cls: type[R],
        estimators: Mapping[str, Any],
        X: Sequence[Any],
        y: Sequence[ArrayLike] | None = None,
        **kwargs: Any,
    ) -> R:
        """As `from_estimator`, for several rankers under their names."""
        import_pyplot()
        X, y, kwargs = cls._needed(X, y, kwargs)
        slates = {name: ranker.predict(X) for name, ranker in estimators.items()}
        return cls.from_predictions(X, y, slates, **kwargs)

    @classmethod
    def _needed(
        cls, X: Sequence[Any], y: Sequence[ArrayLike] | None, kwargs: dict[str, Any]
    ) -> tuple[Sequence[Any], Sequence[ArrayLike] | None, dict[str, Any]]:
        """The queries that are to be ranked at all."""
        return X, y, kwargs

    @classmethod
    def from_predictions(
        cls: type[R],
        X: Sequence[Any],
        y_true: Sequence[ArrayLike] | None,
        y_pred: Slates | Mapping[str, Slates],
        **kwargs: Any,
    ) -> R:
        """Draw given slates."""
        raise NotImplementedError


def named_slates(y_pred: Slates | Mapping[str, Slates]) -> Mapping[str, Slates]:
    return y_pred if isinstance(y_pred, Mapping) else {"predicted": y_pred}


def relevance_of(query: Any, given: ArrayLike | None) -> NDArray[np.float64]:
    """Relevance of the documents of a query; ValueError if nobody has judged it."""
    grades = query.relevance if given is None else given
    if grades is None or np.size(grades) == 0:
        name = getattr(query, "query", None) or getattr(query, "query_id", "")
        raise ValueError(f"X: query {name!r} is not judged, and no relevance is given")
    return np.asarray(grades, dtype=np.float64)


def probabilities_of(query: Any, n: int) -> NDArray[np.float64]:
    """Probabilities of the n intents of a query, uniform where nobody knows them."""
    given = getattr(query, "probabilities", None)
    if given is None:
        return np.full(n, 1 / n)
    return np.asarray(given, dtype=np.float64)


__all__ = [
    "RankersDisplay",
    "Slates",
    "named_slates",
    "probabilities_of",
    "relevance_of",
]
