"""Classical diversifiers: MMR, xQuAD, PM-2, IA-Select, and ranking by relevance alone.

All re-rank the scores of a `RankingSVM` trained on "is relevant to some intent", see the
same queries as `DiverseRankingSVM`, and tune their trade-off on the training queries. Intents
at prediction time are the topics of the query (`DiverseQuery.topics`): no judgement of a query
to be ranked is ever looked at.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators import RankingSVM
from pystruct_ext.estimators.diverse_ranking import check_queries, slate_score
from pystruct_ext.outputs import DiverseQuery
from pystruct_ext.utils.callers import user_stacklevel

_GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class RelevanceRanker(BaseEstimator):
    """Ranks by relevance to any intent, blind to what stands above.

    A `RankingSVM` on the expected relevance ``sum_i p_i [relevant to i]``.

    Parameters
    ----------
    C : float or sequence of floats, default=(0.01, 0.1, 1.0, 10.0)
        Several values are tried by 3-fold cross-validation on the training queries.
    ranking_loss : str, default="ndcg"
        Loss of the `RankingSVM`.
    loss : str, default="alpha_ndcg"
        What trade-offs are tuned for; see `DiverseRankingSVM`.
    top : int, default=10
    given : bool, default=True
        Allow the order in which the documents came in the place of learned relevance.

    Attributes
    ----------
    ranker_ : RankingSVM or None
        None where relevance has nothing to teach.
    use_given_ : bool
        Whether the order in which the documents came did better on the training queries than
        the learned relevance, so that it is used in its place.
    trade_off_ : float or None
        Chosen for the training queries.
    """

    trade_offs: tuple[float, ...] = ()
    ranker_: RankingSVM | None

    def __init__(
        self,
        C: Any = (0.01, 0.1, 1.0, 10.0),
        ranking_loss: str = "ndcg",
        loss: str = "alpha_ndcg",
        top: int = 10,
        given: bool = True,
    ) -> None:
        self.C = C
        self.ranking_loss = ranking_loss
        self.loss = loss
        self.top = top
        self.given = given

    def fit(self, X: Sequence[DiverseQuery], y: Any = None) -> RelevanceRanker:
        """Learn relevance, then tune the trade-off, on judged queries.

        Warns
        -----
        UserWarning
            Where all documents of every query are equally relevant: the given order then
            stands in the place of relevance.
        """
        queries = check_queries(X)
        for q in queries:
            if q.relevance is None:
                raise ValueError(
                    f"X: query {q.query_id!r} has no relevance, needed to fit"
                )
        if not self._teaches(queries):
            warnings.warn(
                f"{type(self).__name__}: within every query all documents are equally "
                "relevant, so that relevance has nothing to teach; the order in which the "
                "documents are given is used in its place",
                stacklevel=user_stacklevel(),
            )
            return self._fit_given(queries)
        grid = np.atleast_1d(np.asarray(self.C, dtype=float))
        best_C = float(grid[0])
        folds = np.arange(len(queries)) % 3
        held_out: dict[float, list[NDArray]] = {}
        if len(grid) > 1 or self.trade_offs:
            scores = {}
            for c in grid:
                # Relevance for tuning comes from models that have not seen the query.
                held_out[c] = [np.empty(0)] * len(queries)
                for f in range(3):
                    train = [q for q, g in zip(queries, folds, strict=True) if g != f]
                    if not self._teaches(train):
                        train = queries
                    model = self._relevance_model(train, c)
                    for i in np.flatnonzero(folds == f):
                        held_out[c][i] = _unit(model.predict(queries[i].features))
                scores[c] = np.mean(
                    [
                        self._value(q, np.argsort(-s, kind="stable"))
                        for q, s in zip(queries, held_out[c], strict=True)
                    ]
                )
            best_C = float(max(scores, key=lambda c: scores[c]))
        self.ranker_ = self._relevance_model(queries, best_C)
        self.use_given_, self.trade_off_ = False, None
        learned = held_out.get(best_C)
        if learned is not None:
            given = [_given(q) for q in queries]
            values = {
                (use, t): self._mean_value(queries, source, t)
                for use, source in ((False, learned), (True, given))[: 1 + self.given]
                for t in self.trade_offs or (None,)
            }
            self.use_given_, self.trade_off_ = max(values, key=lambda k: values[k])
        return self

    def _fit_given(self, queries: Sequence[DiverseQuery]) -> RelevanceRanker:
        """Tune the trade-off on the given order."""
        self.ranker_, self.use_given_, self.trade_off_ = None, True, None
        if self.trade_offs:
            given = [_given(q) for q in queries]
            values = {t: self._mean_value(queries, given, t) for t in self.trade_offs}
            self.trade_off_ = max(values, key=lambda t: values[t])
        return self

    def _mean_value(
        self, queries: Sequence[DiverseQuery], scores: Sequence[NDArray], t: Any
    ) -> float:
        pairs = zip(queries, scores, strict=True)
        return float(np.mean([self._value(q, self._rerank(q, s, t)) for q, s in pairs]))

    def _value(self, q: DiverseQuery, slate: Any) -> float:
        return slate_score(q, slate[: self.top], self.loss, self.top)

    def _teaches(self, queries: Sequence[DiverseQuery]) -> bool:
        """Whether some query has documents of different expected relevance."""
        binary = self.ranking_loss not in ("ndcg", "pairs")
        return any(
            np.ptp((grade > 0).astype(float) if binary else grade) > 0
            for grade in map(_grades, queries)
        )

    def _relevance_model(self, queries: Sequence[DiverseQuery], C: float) -> RankingSVM:
        x = np.concatenate([q.features for q in queries])
        grade = np.concatenate([_grades(q) for q in queries])
        qid = np.repeat(np.arange(len(queries)), [len(q) for q in queries])
        model = RankingSVM(
            C=C, loss=self.ranking_loss, gain="linear", tol=0.01, max_iter=300
        )
        return model.fit(x, grade, qid=qid)

    def predict(self, X: Sequence[DiverseQuery]) -> list[NDArray[np.intp]]:
        """The first `top` documents of every query, best first."""
        check_is_fitted(self, "ranker_")
        out = []
        for q in check_queries(X):
            score = (
                _given(q)
                if self.ranker_ is None or self.use_given_
                else _unit(self.ranker_.predict(q.features))
            )
            slate = self._rerank(q, score, self.trade_off_)
            out.append(np.asarray(slate[: self.top], dtype=np.intp))
        return out

    def _rerank(self, q: DiverseQuery, score: NDArray, trade_off: Any) -> Any:
        return np.argsort(-score, kind="stable")

    def score(self, X: Sequence[DiverseQuery], y: Any = None) -> float:
        """Mean of the metric of `loss`."""
        return float(
            np.mean(
                [self._value(q, s) for q, s in zip(X, self.predict(X), strict=True)]
            )
        )


class MMR(RelevanceRanker):
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    Next: ``argmax_d (1 - t) rel(d) - t max_(s above) similarity(d, s)``, similarity the first
    relation channel.
    """

    trade_offs: tuple[float, ...] = _GRID

    def _rerank(self, q: DiverseQuery, score: NDArray, trade_off: Any) -> list[int]:
        sim, near = _similarity(q), np.zeros(len(q))

        def gain() -> NDArray:
            return np.asarray((1 - trade_off) * score - trade_off * near)

        def take(d: int) -> None:
            np.maximum(near, sim[:, d], out=near)

        return _greedy(len(q), self.top, gain, take)


class XQuAD(RelevanceRanker):
    """Explicit query aspect diversification (Santos, Macdonald and Ounis, WWW 2010).

    Next: ``argmax_d (1 - t) rel(d) + t sum_a p_a rel(d, a) prod_(s above) (1 - rel(s, a))``
    over the topics a, weighted by their share of documents.
    """

    trade_offs: tuple[float, ...] = _GRID

    def _rerank(self, q: DiverseQuery, score: NDArray, trade_off: Any) -> list[int]:
        serves, p = _aspects(q, score)
        left = np.ones(len(p))

        def gain() -> NDArray:
            return np.asarray(
                (1 - trade_off) * score + trade_off * (serves @ (p * left))
            )

        def take(d: int) -> None:
            left[:] *= 1 - serves[d]

        return _greedy(len(q), self.top, gain, take)


class IASelect(XQuAD):
    """Intent-aware selection (Agrawal, Gollapudi, Halverson and Ieong, WSDM 2009).

    xQuAD's novelty term alone; ties by relevance.
    """

    trade_offs: tuple[float, ...] = (1.0 - 1e-6,)


class PM2(RelevanceRanker):
    """Election by proportionality (Dang and Croft, SIGIR 2012).

    Seats go to the topics by the Sainte-Lague quotient ``p_a / (2 seats_a + 1)``; next:
    ``argmax_d t q_a* rel(d, a*) + (1 - t) sum_(a != a*) q_a rel(d, a)``.
    """

    trade_offs: tuple[float, ...] = _GRID

    def _rerank(self, q: DiverseQuery, score: NDArray, trade_off: Any) -> list[int]:
        serves, p = _aspects(q, score)
        seats = np.zeros(len(p))

        def gain() -> NDArray:
            quotient = p / (2 * seats + 1)
            first = int(quotient.argmax())
            own = quotient[first] * serves[:, first]
            rest = serves @ quotient - own
            return np.asarray(trade_off * own + (1 - trade_off) * rest + 1e-9 * score)

        def take(d: int) -> None:
            total = serves[d].sum()
            if total > 0:
                seats[:] += serves[d] / total

        return _greedy(len(q), self.top, gain, take)


def _greedy(k: int, top: int, gain: Any, take: Any) -> list[int]:
    free, order = np.ones(k, dtype=bool), []
    for _ in range(min(top, k)):
        d = int(np.argmax(np.where(free, gain(), -np.inf)))
        order.append(d)
        free[d] = False
        take(d)
    return order


def _given(q: DiverseQuery) -> NDArray[np.float64]:
    """Scores of the order in which the documents came."""
    return _unit(-np.arange(len(q), dtype=float))


def _grades(q: DiverseQuery) -> NDArray[np.float64]:
    """Expected relevance in few grades, which keep the exact oracle small."""
    return np.asarray(np.ceil(5 * ((q.relevance > 0) @ q.intent_probabilities())))


def _unit(score: NDArray) -> NDArray[np.float64]:
    spread = np.ptp(score)
    return np.asarray((score - score.min()) / (spread if spread > 0 else 1.0))


def _similarity(q: DiverseQuery) -> NDArray[np.float64]:
    if q.relations is None:
        raise ValueError(f"query {q.query_id!r}: MMR needs relations")
    return np.asarray(q.relations[:, :, 0])


def _aspects(
    q: DiverseQuery, score: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How well documents serve topics, and the topics' weights."""
    if q.topics is None:
        raise ValueError(f"query {q.query_id!r}: this ranker needs topics")
    share = q.topics.sum(axis=0)
    return q.topics * score[:, None], share / (share.sum() or 1.0)
