"""From titles and snippets of search results to `DiverseQuery`."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.outputs import DiverseQuery
from pystruct_ext.outputs.ambiguous import ambiguous_queries
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted

FEATURE_NAMES = (
    "-log rank",
    "1 / rank",
    "query in title",
    "query opens title",
    "query in snippet",
    "similarity to centroid",
    "largest similarity",
    "mean of 5 largest similarities",
    "share of own cluster",
    "similarity to own cluster",
    "first of own cluster",
    "new words in title",
    "best rank in own cluster",
)
RELATION_NAMES = ("tf-idf cosine", "title cosine", "latent cosine", "same cluster")
TOPIC_NAMES = (
    "constant",
    "share of documents",
    "log size",
    "sum of 1 / rank",
    "1 / best rank",
    "share of first ten",
    "cohesion",
)
_LEVELS = (0.0, 0.06, 0.1, 0.2, 0.35)
WORD_NAMES = tuple(
    f"in {field} of {'two documents' if not level else f'{100 * level:g} % of documents'}"
    for field in ("the title", "the text")
    for level in _LEVELS
)


@storable
class QueryTextFeatures(TransformerMixin, BaseEstimator):
    """Features, relations, words and topics of a query's results, from their text.

    Everything but the scaling is computed within the list of one query: tf-idf weights
    (terms of the query and stop words left out), a latent space, and clusters that serve as
    candidate intents. Nothing of the judgements is looked at, nor
    the length of the texts, which gives relevance away in data sets written by hand.

    Parameters
    ----------
    n_topics : int, default=8
        Clusters per query; fewer for lists of fewer than 32 documents: a quarter of their
        number, but at least its square root, such as three for seven.
    n_components : int, default=12
        Dimensions of the latent space.
    random_state : int, default=0

    Attributes
    ----------
    mean_, scale_ : (13,) ndarrays
        Of the features over the training documents; see `FEATURE_NAMES`.

    Notes
    -----
    ``features`` (k, 13); ``relations`` (k, k, 4), see `RELATION_NAMES`; ``coverage``: words of
    at least two documents, in the title and anywhere, with ``element_features`` their levels
    of document frequency (after Yue and Joachims, ICML 2008); ``topics`` (k, J) and
    ``topic_features`` (J, 7): size, ranks and cohesion of the clusters; ``topic_names``: the
    words that tell a cluster from the others.

    Examples
    --------
    >>> from pystruct_ext.datasets import load_ambiguous_queries
    >>> queries = load_ambiguous_queries()[:3]
    >>> QueryTextFeatures().fit_transform(queries)[0].relations.shape[2]
    4
    """

    def __init__(
        self, n_topics: int = 8, n_components: int = 12, random_state: int = 0
    ) -> None:
        self.n_topics = n_topics
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> QueryTextFeatures:
        """Learn the scales of the features.

        Parameters
        ----------
        X : sequence of queries, or DataFrame of one row a result
            Plain dicts, a table, or objects with ``query``, ``titles``, ``snippets`` and, where
            judged, ``relevance``, ``probabilities`` and ``intents``: see
            `pystruct_ext.io.ambiguous_queries`.
        """
        queries = ambiguous_queries(X)
        if not queries:
            raise ValueError("X holds no queries")
        rows = np.concatenate([self._describe(q)["features"] for q in queries])
        self.mean_, self.scale_ = rows.mean(axis=0), rows.std(axis=0)
        self.scale_[self.scale_ == 0] = 1.0
        return self

    def check_loaded(self) -> None:
        """Raise unless the attributes are what fitting makes."""
        fitted = Fitted(self)
        fitted.integer("n_topics", 1, 10_000)
        fitted.integer("n_components", 1, 10_000)
        fitted.integer("random_state", 0, 2**32 - 1)
        if hasattr(self, "mean_"):
            n = len(FEATURE_NAMES)
            fitted.array("mean_", (n,), "float64")
            fitted.array("scale_", (n,), "float64", low=1e-300)

    def fit_transform(
        self, X: Any, y: Any = None, **fit_params: Any
    ) -> list[DiverseQuery]:
        """`fit`, then `transform`."""
        queries = ambiguous_queries(X)
        return self.fit(queries).transform(queries)

    def transform(self, X: Any) -> list[DiverseQuery]:
        """One `DiverseQuery` per query.

        Parameters
        ----------
        X : sequence of queries, or DataFrame
            As for `fit`.
        """
        check_is_fitted(self)
        out = []
        for q in ambiguous_queries(X):
            parts = self._describe(q)
            parts["features"] = (parts["features"] - self.mean_) / self.scale_
            relevance = getattr(q, "relevance", None)
            if relevance is not None and relevance.shape[1] == 0:
                relevance = None
            # Where nothing is relevant there is nobody to satisfy.
            served = relevance is not None and bool((relevance > 0).any())
            out.append(
                DiverseQuery(
                    **parts,
                    relevance=relevance,
                    probabilities=getattr(q, "probabilities", None) if served else None,
                    query_id=q.query,
                    doc_ids=list(getattr(q, "doc_ids", ())) or None,
                    intents=None if relevance is None else list(q.intents),
                    titles=list(q.titles),
                )
            )
        return out

    def _describe(self, q: Any) -> dict[str, Any]:
        k = len(q.titles)
        if k == 0:
            raise ValueError(f"query {q.query!r} has no results")
        terms = set(_words(q.query))
        stop = list(ENGLISH_STOP_WORDS | terms)
        both = [f"{t} {t} {s}" for t, s in zip(q.titles, q.snippets, strict=True)]
        (tfidf, words), (titles, _) = _tfidf(both, stop), _tfidf(list(q.titles), stop)
        latent = _latent(tfidf, self.n_components, self.random_state)
        cosine = (tfidf @ tfidf.T).toarray()
        near = np.clip(latent @ latent.T, 0, 1)
        cluster = _clusters(near, min(self.n_topics, topics_for(k)))
        same = (cluster[:, None] == cluster[None, :]).astype(float)
        relations = np.stack(
            [np.clip(cosine, 0, 1), (titles @ titles.T).toarray(), near, same], axis=2
        )
        member, topic_features, first = _topics(near, cluster, k)
        coverage, element_features = _words_covered(q, stop)
        features = _features(q, terms, cosine, near, cluster, member, first)
        return {
            "features": features,
            "relations": relations,
            "coverage": coverage,
            "element_features": element_features,
            "topics": member,
            "topic_features": topic_features,
            "topic_names": _topic_names(tfidf, words, cluster),
        }


def topics_for(k: int) -> int:
    """The most topics for a list of k documents.

    Examples
    --------
    >>> [topics_for(k) for k in (1, 2, 5, 7, 10, 20, 100)]
    [1, 2, 3, 3, 4, 5, 25]
    """
    return max(math.isqrt(k - 1) + 1, k // 4)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _tfidf(texts: list[str], stop: list[str]) -> tuple[Any, NDArray[Any]]:
    """The matrix, (texts, words), and the words."""
    vectorizer = TfidfVectorizer(
        stop_words=stop, sublinear_tf=True, token_pattern=r"(?u)\b[a-zA-Z0-9]{2,}\b"
    )
    try:
        matrix = sparse.csr_array(vectorizer.fit_transform(texts))
    except ValueError:  # nothing but stop words
        return sparse.csr_array((len(texts), 1)), np.array([""])
    return matrix, vectorizer.get_feature_names_out()


def _latent(tfidf: Any, n_components: int, seed: int) -> NDArray[np.float64]:
    n = min(n_components, tfidf.shape[0] - 1, tfidf.shape[1] - 1)
    if n < 1:
        return np.zeros((tfidf.shape[0], 1))
    svd = TruncatedSVD(n, random_state=seed)
    return np.asarray(normalize(svd.fit_transform(tfidf)))


def _clusters(near: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """Clusters numbered by their first document."""
    if len(near) < 2 or n < 2:
        return np.zeros(len(near), dtype=np.intp)
    model = AgglomerativeClustering(n, metric="precomputed", linkage="average")
    labels = model.fit_predict(1 - near)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.intp)
    place[np.argsort(first)] = np.arange(len(first))
    return np.asarray(place[inverse])


def _topic_names(
    tfidf: Any, words: NDArray[Any], cluster: NDArray[np.intp], n: int = 3
) -> list[str]:
    """The words that tell each cluster from the others, at most n, distinct."""
    out: list[str] = []
    whole = np.asarray(tfidf.mean(axis=0)).ravel()
    for t in range(int(cluster.max()) + 1):
        inside = tfidf[np.flatnonzero(cluster == t)]
        mine = np.asarray(inside.mean(axis=0)).ravel()
        excess = mine - whole if cluster.max() else mine
        # Words that several documents share tell more than rare ones of a single one.
        excess = excess * np.asarray((inside > 0).sum(axis=0)).ravel()
        best = [j for j in np.argsort(-excess, kind="stable")[:n] if mine[j] > 0]
        name = " ".join(str(words[j]) for j in best) or f"topic {t + 1}"
        out.append(f"{name} ({t + 1})" if name in out else name)
    return out


def _topics(
    near: NDArray[np.float64], cluster: NDArray[np.intp], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    n = int(cluster.max()) + 1
    member, phi, first = np.zeros((k, n)), np.zeros((n, 7)), np.zeros(k)
    rank = np.arange(1, k + 1)
    for t in range(n):
        inside = cluster == t
        affinity = near[:, inside].mean(axis=1)
        member[:, t] = np.where(
            inside, np.maximum(affinity, 0.3), affinity * (affinity > 0.3)
        )
        places = rank[inside]
        phi[t] = (
            1.0,
            inside.mean(),
            np.log1p(inside.sum()),
            (1 / places).sum(),
            1 / places.min(),
            (places <= 10).sum() / 10,
            affinity[inside].mean(),
        )
        first[np.flatnonzero(inside)[0]] = 1.0
    return np.clip(member, 0, 1), phi, first


def _words_covered(
    q: Any, stop: list[str]
) -> tuple[sparse.csr_array, NDArray[np.float64]]:
    """Words of two documents or more, in titles and anywhere, with levels of frequency."""
    k, left_out = len(q.titles), set(stop)
    columns: list[dict[str, set[int]]] = [{}, {}]
    for d, (title, snippet) in enumerate(zip(q.titles, q.snippets, strict=True)):
        for field, text in ((0, title), (1, f"{title} {snippet}")):
            for word in set(_words(text)) - left_out:
                if len(word) > 1:
                    columns[field].setdefault(word, set()).add(d)
    rows: list[int] = []
    cols: list[int] = []
    phi: list[list[float]] = []
    for field in (0, 1):
        for word in sorted(columns[field]):
            docs = columns[field][word]
            if len(docs) < 2:
                continue
            level = [float(len(docs) >= share * k) for share in _LEVELS]
            zeros = [0.0] * len(_LEVELS)
            rows += sorted(docs)
            cols += [len(phi)] * len(docs)
            phi.append(level + zeros if field == 0 else zeros + level)
    shape = (k, max(1, len(phi)))
    cover = sparse.csr_array((np.ones(len(rows)), (rows, cols)), shape=shape)
    return cover, np.array(phi or [[0.0] * 2 * len(_LEVELS)])


def _features(
    q: Any,
    terms: set[str],
    cosine: NDArray[np.float64],
    near: NDArray[np.float64],
    cluster: NDArray[np.intp],
    member: NDArray[np.float64],
    first: NDArray[np.float64],
) -> NDArray[np.float64]:
    k = len(q.titles)
    rank = np.arange(1, k + 1)
    other = cosine - np.diag(np.diag(cosine))
    largest = -np.sort(-other, axis=1)
    best = np.array([rank[cluster == c].min() for c in cluster])
    out = np.empty((k, len(FEATURE_NAMES)))
    counts: dict[str, int] = {}
    for d, (title, snippet) in enumerate(zip(q.titles, q.snippets, strict=True)):
        title_words, snippet_words = _words(title), _words(snippet)
        fresh = [w for w in set(title_words) - terms if w not in counts]
        for w in set(title_words):
            counts[w] = counts.get(w, 0) + 1
        size = cluster == cluster[d]
        out[d] = (
            -np.log(rank[d]),
            1 / rank[d],
            terms <= set(title_words),
            title_words[: len(terms)] == _words(q.query),
            terms <= set(snippet_words),
            near[d].mean(),
            largest[d, 0],
            largest[d, :5].mean(),
            size.mean(),
            member[d, cluster[d]],
            first[d],
            len(fresh),
            1 / best[d],
        )
    return out
