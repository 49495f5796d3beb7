"""Queries whose documents are to be ranked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pystruct_ext._core.ragged import check_sparse


@dataclass(eq=False)
class DiverseQuery:
    """One query: its documents, how they relate, and what they are about.

    Parameters
    ----------
    features : (k, f) array-like or sparse matrix
        What each document is worth by itself.
    relevance : (k, n_intents) array-like, optional
        Grades >= 0 of each document for each intent; needed to fit and to score.
    probabilities : (n_intents,) array-like, optional
        Probabilities of the intents, summing to 1; uniform by default.
    relations : (k, k, c) array-like, optional
        Relations of document pairs, such as similarities; ``relations[d, s]`` is that of d
        to an s above it.
    coverage : (k, m) array-like or sparse matrix, optional
        Degree in [0, 1] to which a document covers an element (a word, a topic).
    element_features : (m, q) array-like, optional
        Features of the elements, such as levels of document frequency.
    topics : (k, J) array-like, optional
        Degree in [0, 1] to which a document serves a candidate intent found without
        judgements (clusters, query suggestions); for intent mixtures, xQuAD, PM-2, IA-Select.
    topic_features : (J, t) array-like, optional
        Features of the candidate intents.
    query_id : str
    doc_ids : list of str, optional
        Distinct; numbers by default.
    intents, titles : lists of str, optional
        Names, for tables and pictures.
    topic_names : list of J str, optional
        Names of the candidate intents, for tables.
    """

    features: Any
    relevance: Any = None
    probabilities: Any = None
    relations: Any = None
    coverage: Any = None
    element_features: Any = None
    topics: Any = None
    topic_features: Any = None
    query_id: str = ""
    doc_ids: list[str] | None = None
    intents: list[str] | None = None
    titles: list[str] | None = None
    topic_names: list[str] | None = None

    def __len__(self) -> int:
        return int(self.features.shape[0])

    def __repr__(self) -> str:
        judged = (
            "not judged"
            if self.relevance is None
            else f"{self.relevance.shape[1]} intents"
        )
        return (
            f"<DiverseQuery {self.query_id!r}: {len(self)} documents, "
            f"{self.features.shape[1]} features, {judged}>"
        )

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise ValueError unless the fields fit together; they may have been set since."""
        self._check_features()
        self._check_relations()
        self._check_coverage()
        self._check_element_features()
        self._check_topics()
        self._check_topic_features()
        self._check_relevance()
        self._check_probabilities()
        self._check_names()

    @property
    def _where(self) -> str:
        return f"query {self.query_id!r}"

    def _check_features(self) -> None:
        x = (
            self.features.toarray()
            if hasattr(self.features, "tocsr")
            else self.features
        )
        self.features = _numbers(x, f"{self._where}: features", 2)
        if len(self) == 0:
            raise ValueError(f"{self._where}: features has no documents")

    def _check_relations(self) -> None:
        if self.relations is None:
            return
        self.relations = _numbers(self.relations, f"{self._where}: relations", 3)
        k = len(self)
        if self.relations.shape[:2] != (k, k):
            raise ValueError(
                f"{self._where}: relations has shape {self.relations.shape}, expected "
                f"({k}, {k}, channels)"
            )

    def _check_coverage(self) -> None:
        if self.coverage is None:
            return
        check_sparse(self.coverage, f"{self._where}: coverage")
        cover = sparse.csr_array(self.coverage, dtype=np.float64)
        cover.sum_duplicates()
        cover.eliminate_zeros()
        if cover.shape[0] != len(self):
            raise ValueError(
                f"{self._where}: coverage has {cover.shape[0]} rows, expected {len(self)}"
            )
        if not np.isfinite(cover.data).all() or (
            cover.nnz and (cover.data.min() < 0 or cover.data.max() > 1)
        ):
            raise ValueError(f"{self._where}: coverage must be degrees in [0, 1]")
        self.coverage = cover

    def _check_element_features(self) -> None:
        if self.element_features is None:
            return
        phi = _numbers(self.element_features, f"{self._where}: element_features", 2)
        m = None if self.coverage is None else self.coverage.shape[1]
        if len(phi) != m:
            raise ValueError(
                f"{self._where}: element_features has {len(phi)} rows, expected one per "
                f"column of coverage: {m}"
            )
        self.element_features = phi

    def _check_topics(self) -> None:
        if self.topics is None:
            return
        self.topics = _numbers(self.topics, f"{self._where}: topics", 2)
        k = len(self)
        if len(self.topics) != k or ((self.topics < 0) | (self.topics > 1)).any():
            raise ValueError(
                f"{self._where}: topics must be degrees in [0, 1] of shape ({k}, J), got "
                f"shape {self.topics.shape}"
            )

    def _check_topic_features(self) -> None:
        if self.topic_features is None:
            return
        self.topic_features = _numbers(
            self.topic_features, f"{self._where}: topic_features", 2
        )
        n_topics = 0 if self.topics is None else self.topics.shape[1]
        if len(self.topic_features) != n_topics:
            raise ValueError(
                f"{self._where}: topic_features has {len(self.topic_features)} rows, "
                f"expected one per column of topics: {n_topics}"
            )

    def _check_relevance(self) -> None:
        if self.relevance is None:
            return
        self.relevance = _numbers(self.relevance, f"{self._where}: relevance", 2)
        if len(self.relevance) != len(self):
            raise ValueError(
                f"{self._where}: relevance has {len(self.relevance)} rows, expected "
                f"{len(self)}"
            )
        if (self.relevance < 0).any():
            d, i = np.argwhere(self.relevance < 0)[0]
            raise ValueError(
                f"{self._where}: relevance of document {d} to intent {i} is "
                f"{self.relevance[d, i]:g}, expected a grade >= 0"
            )

    def _check_probabilities(self) -> None:
        if self.probabilities is None:
            return
        if self.relevance is None:
            raise ValueError(f"{self._where}: probabilities need relevance beside them")
        p = _numbers(self.probabilities, f"{self._where}: probabilities", 1)
        if len(p) != self.relevance.shape[1]:
            raise ValueError(
                f"{self._where}: {len(p)} probabilities for {self.relevance.shape[1]} "
                "intents"
            )
        if (p < 0).any() or abs(p.sum() - 1) > 1e-6:
            raise ValueError(
                f"{self._where}: probabilities must be >= 0 and sum to 1, got a sum of "
                f"{p.sum():g}"
            )
        orphan = np.flatnonzero((p > 0) & ~(self.relevance > 0).any(axis=0))
        if orphan.size:
            i = int(orphan[0])
            name = self.intents[i] if self.intents else str(i)
            raise ValueError(
                f"{self._where}: intent {name!r} has probability {p[i]:g} but no relevant "
                "document; leave it out and renormalise"
            )
        self.probabilities = p

    def _check_names(self) -> None:
        k = len(self)
        if self.doc_ids is None:
            self.doc_ids = [str(d) for d in range(k)]
        n_intents = None if self.relevance is None else self.relevance.shape[1]
        n_topics = None if self.topics is None else self.topics.shape[1]
        for name, values, n in (
            ("doc_ids", self.doc_ids, k),
            ("titles", self.titles, k),
            ("intents", self.intents, n_intents),
            ("topic_names", self.topic_names, n_topics),
        ):
            if values is not None and n is not None and len(values) != n:
                raise ValueError(
                    f"{self._where}: {name} has {len(values)} entries, expected {n}"
                )
        if len(set(self.doc_ids)) < k:
            seen: set[str] = set()
            for twice in self.doc_ids:
                if twice in seen:
                    break
                seen.add(twice)
            raise ValueError(f"{self._where}: the document id {twice!r} occurs twice")

    def intent_probabilities(self) -> NDArray[np.float64]:
        """Probabilities, uniform over the intents that some document serves if not given."""
        if self.probabilities is not None:
            return np.asarray(self.probabilities)
        live = (self.relevance > 0).any(axis=0)
        return np.asarray(live / max(1, live.sum()))


def _numbers(value: Any, name: str, ndim: int) -> NDArray[np.float64]:
    try:
        out = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: {error}") from None
    if out.ndim != ndim:
        raise ValueError(f"{name} must be {ndim}-D, got shape {out.shape}")
    if not np.isfinite(out).all():
        at = np.argwhere(~np.isfinite(out))[0].tolist()
        raise ValueError(f"{name} has NaN or infinity at {at}")
    return out
