"""Judged queries and what is predicted for them: rankings, swapped pairs, slates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pystruct_ext._core.ragged import check_sparse
from pystruct_ext.outputs.queries import DiverseQuery


@dataclass(eq=False)
class RankingQuery:
    """The documents of one query, to be ranked.

    Parameters
    ----------
    features : (k, f) array-like or sparse matrix
    relevance : (k,) array-like, optional
        Grades >= 0, larger is better; needed for features, losses and training, as the
        joint feature map depends on the judged pairs. Without it a query can be decoded.
    weight : (k,) array-like, optional
        Weight >= 0 of each pair by its more relevant document, for "pairs" and "roc".

    Raises
    ------
    ValueError
        If the lengths differ, or a number is missing, negative or not finite.
    """

    features: Any
    relevance: Any = None
    weight: Any = None

    def __post_init__(self) -> None:
        is_sparse = sparse.issparse(self.features)
        check_sparse(self.features, "features")
        if not is_sparse:
            self.features = np.asarray(self.features, dtype=np.float64)
        if self.features.ndim != 2 or self.features.shape[0] == 0:
            raise ValueError(
                "features must have shape (documents, features) with at least one "
                f"document, got {self.features.shape}"
            )
        for name in ("relevance", "weight"):
            value = getattr(self, name)
            if value is None:
                continue
            numbers = np.asarray(value, dtype=np.float64)
            if numbers.shape != (len(self),):
                raise ValueError(
                    f"{name} has shape {numbers.shape}, expected ({len(self)},), one "
                    "number per document"
                )
            if not (np.isfinite(numbers) & (numbers >= 0)).all():
                raise ValueError(f"{name} must hold finite numbers >= 0")
            setattr(self, name, numbers)

    def __len__(self) -> int:
        return int(self.features.shape[0])

    def ranking(self, order: Sequence[int] | NDArray[Any]) -> Ranking:
        """The ranking of this query in the given order, judged if the query is."""
        return Ranking(
            tuple(int(d) for d in order),
            None if self.relevance is None else tuple(self.relevance.tolist()),
            None if self.weight is None else tuple(self.weight.tolist()),
        )

    def ideal(self) -> Ranking:
        """The ranking by relevance, equal grades in the order of the documents."""
        if self.relevance is None:
            raise ValueError("the query has no relevance, hence no ideal ranking")
        return self.ranking(np.argsort(-self.relevance, kind="stable").tolist())


class RankedRows(list):  # type: ignore[type-arg]
    """What `RankingSVM.rank` returns: a list that knows whose its rankings are.

    Each element is an int array, the rows of a query, best first.

    Attributes
    ----------
    query_ids : list
        The query of each element.
    scores : list of float arrays
        Beside the rows.
    """

    def __init__(
        self,
        rows: Iterable[NDArray[np.intp]] = (),
        query_ids: Iterable[Any] = (),
        scores: Iterable[NDArray[np.float64]] = (),
    ) -> None:
        super().__init__(rows)
        self.query_ids = list(query_ids)
        self.scores = list(scores)


@dataclass(frozen=True)
class Ranking:
    """A ranking of a query's documents.

    Attributes
    ----------
    order : tuple of int
        All documents, best first.
    relevance, weight : tuple of float or None
        By document, what the ranking is judged by; see `RankingQuery`.

    Examples
    --------
    >>> RankingQuery([[0.5], [1.0]], relevance=[0, 2]).ideal().order
    (1, 0)
    """

    order: tuple[int, ...]
    relevance: tuple[float, ...] | None = None
    weight: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        k = len(self.order)
        if sorted(self.order) != list(range(k)):
            raise ValueError(
                f"order must name each of {k} documents once, got {self.order!r}"
            )
        for name in ("relevance", "weight"):
            value = getattr(self, name)
            if value is not None and len(value) != k:
                raise ValueError(f"{name} has {len(value)} numbers, expected {k}")

    def __len__(self) -> int:
        return len(self.order)


@dataclass(frozen=True)
class SwappedPairs:
    """Pairs of documents that stand in the wrong order, where no ranking has just these.

    What "pairs" and "roc" search over is any set of swapped pairs; features and loss see

    Attributes
    ----------
    shift : tuple of float
        By document: weight of its pairs with a worse document above it, less that of its
        pairs with a better document below it.
    mass : float
        Weight of all swapped pairs.
    """

    shift: tuple[float, ...]
    mass: float

    def __len__(self) -> int:
        return len(self.shift)


@dataclass(frozen=True, eq=False)
class Slate:
    """The documents shown for a query, best first, with what they are judged by.

    Attributes
    ----------
    documents : tuple of int
    relevance : (k, n_intents) ndarray or None
    probabilities : (n_intents,) ndarray or None

    Examples
    --------
    >>> query = DiverseQuery([[1.0], [2.0]], [[1, 0], [0, 1]])
    >>> Slate.of(query, [1]).documents
    (1,)
    """

    documents: tuple[int, ...]
    relevance: NDArray[np.float64] | None = None
    probabilities: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, query: DiverseQuery, documents: Sequence[int] | NDArray[Any]) -> Slate:
        """The slate of a query, judged if the query is."""
        chosen = tuple(int(d) for d in documents)
        if query.relevance is None:
            return cls(chosen)
        return cls(chosen, query.relevance, query.intent_probabilities())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Slate):
            return NotImplemented
        return (
            self.documents == other.documents
            and _equal(self.relevance, other.relevance)
            and _equal(self.probabilities, other.probabilities)
        )

    def __hash__(self) -> int:
        return hash(self.documents)

    def __len__(self) -> int:
        return len(self.documents)


def _equal(a: NDArray[np.float64] | None, b: NDArray[np.float64] | None) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(a, b)


__all__ = ["RankedRows", "Ranking", "RankingQuery", "Slate", "SwappedPairs"]
