"""Candidate intents with learned relevance: what the intent mixture covers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from pystruct_ext.outputs import DiverseQuery
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted


@storable
class MixtureTopics(BaseEstimator):
    """Turns the topics of a query into elements covered to a learned degree.

    The degree to which document d serves topic t is the topic's membership times a logistic
    regression of "d is relevant to what t is about" on ``[x_d, membership, features of
    t]``. In training, what a topic is about is read off the judgements: intent i counts by the
    share of the topic's (membership-weighted) documents that are relevant to it.

    Attributes
    ----------
    coef_ : (n,) ndarray
    intercept_ : float
    """

    def fit(self, queries: list[DiverseQuery]) -> MixtureTopics:
        """Learn relevance to a topic from judged queries."""
        rows, labels, weights = [], [], []
        for q in queries:
            x, member = _pairs(q)
            relevant = (q.relevance > 0).astype(float)
            share = q.topics.T @ relevant  # (J, intents)
            total = share.sum(axis=1, keepdims=True)
            about = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
            target = relevant @ about.T  # (k, J)
            use = member > 0
            rows.append(x[use])
            labels.append(target.ravel()[use])
            weights.append(member[use])
        x, target, weight = map(np.concatenate, (rows, labels, weights))
        self.mean_, self.scale_ = x.mean(axis=0), x.std(axis=0) + 1e-9
        x = (x - self.mean_) / self.scale_
        # Soft targets: each pair counts once as relevant and once as not.
        model = LogisticRegression(C=0.1, max_iter=500)
        model.fit(
            np.vstack([x, x]),
            np.repeat([1, 0], len(x)),
            sample_weight=np.concatenate([weight * target, weight * (1 - target)]),
        )
        self.coef_, self.intercept_ = model.coef_[0], float(model.intercept_[0])
        return self

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes."""
        if not hasattr(self, "coef_"):
            return
        fitted = Fitted(self)
        n = len(fitted.array("coef_", (None,), "float64"))
        fitted.array("mean_", (n,), "float64")
        fitted.array("scale_", (n,), "float64", low=1e-300)
        fitted.number("intercept_")

    def transform(self, query: DiverseQuery) -> DiverseQuery:
        """The query with its topics as elements."""
        x, member = _pairs(query)
        z = ((x - self.mean_) / self.scale_) @ self.coef_ + self.intercept_
        degree = member / (1 + np.exp(-z))
        return replace(
            query,
            coverage=np.clip(degree.reshape(query.topics.shape), 0, 0.99),
            element_features=query.topic_features,
        )


def _pairs(query: DiverseQuery) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features of all (document, topic) pairs, and the memberships, document-major."""
    if query.topics is None or query.topic_features is None:
        raise ValueError(
            f"query {query.query_id!r}: model='mixture' needs topics and topic_features"
        )
    k, n_topics = query.topics.shape
    member = query.topics.ravel()
    x = np.hstack(
        [
            np.repeat(query.features, n_topics, axis=0),
            member[:, None],
            np.tile(query.topic_features, (k, 1)),
        ]
    )
    return x, member
