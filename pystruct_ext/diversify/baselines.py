"""Classical diversifiers: MMR, xQuAD, PM-2, IA-Select, and ranking by relevance alone.

All re-rank the scores of a `RankingSVM` trained on "is relevant to some intent", see the
same queries as `DiverseRankingSVM`, and tune their trade-off on the training queries. Intents
at prediction time are the topics of the query (`DiverseQuery.topics`): no judgement of a query
to be ranked is ever looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators import RankingSVM
from pystruct_ext.estimators.diverse_ranking import check_queries, slate_score
from pystruct_ext.outputs import DiverseQuery

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
    ranker_ : RankingSVM
    use_given_ : bool
        Whether the order in which the documents came did better on the training queries than
        the learned relevance, so that it is used in its place.
    trade_off_ : float or None
        Chosen for the training queries.
    """

    trade_offs: tuple[float, ...] = ()

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
        """Learn relevance, then tune the trade-off, on judged queries."""
        queries = check_queries(X)
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
                    model = self._relevance_model(train or queries, c)
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
            given = [_unit(-np.arange(len(q), dtype=float)) for q in queries]
            values = {
                (use, t): np.mean(
                    [
                        self._value(q, self._rerank(q, s, t))
                        for q, s in zip(queries, source, strict=True)
                    ]
                )
                for use, source in ((False, learned), (True, given))[: 1 + self.given]
                for t in self.trade_offs or (None,)
            }
            self.use_given_, self.trade_off_ = max(values, key=lambda k: values[k])
        return self

    def _value(self, q: DiverseQuery, slate: Any) -> float:
        return slate_score(q, slate[: self.top], self.loss, self.top)

    def _relevance_model(self, queries: Sequence[DiverseQuery], C: float) -> RankingSVM:
        x = np.concatenate([q.features for q in queries])
        y = [10 * ((q.relevance > 0) @ q.intent_probabilities()) for q in queries]
        # Ten grades of expected relevance are plenty, and keep the exact oracle small.
        grade = np.concatenate([np.ceil(v * 0.5) for v in y])
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
                -np.arange(len(q), dtype=float)
                if self.use_given_
                else self.ranker_.predict(q.features)
            )
            score = _unit(score)
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
    return q.topics * score[:, None], share / share.sum()
