"""Learning what to show second, given what stands first."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators._arguments import check_weights
from pystruct_ext.estimators._auto_fits import FitProblem, take_over
from pystruct_ext.estimators._auto_search import Found
from pystruct_ext.estimators._mixture import MixtureTopics
from pystruct_ext.estimators._slate_tools import (
    Explanation,
    estimated_topics,
    exact_slate,
    explain,
    greedy_bound,
    step_features,
)
from pystruct_ext.estimators._training import check_c, check_groups, find_c
from pystruct_ext.estimators._whole import all_or_nothing
from pystruct_ext.estimators.auto_c import AutoC, is_auto, settings_of
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import alpha_ndcg, err_ia, intent_satisfaction, ndcg_ia
from pystruct_ext.outputs import DiverseQuery
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import OracleWarning, Solver
from pystruct_ext.spaces.slate import (
    SLATE_LOSSES,
    PackedSlates,
    SlateSpace,
    bind_steps,
    slate_metric,
)
from pystruct_ext.utils.examples import OutputList, as_examples
from pystruct_ext.utils.fitted import Fitted

MODELS = {
    "sequential": (("relations", "novelty"), True),
    "coverage": (("elements",), False),
    "mixture": (("elements",), True),
}


@storable
class DiverseRankingSVM(BaseStructuralSVM):
    """Ranks the documents of ambiguous queries: each one is judged by those above it.

    Parameters
    ----------
    C : float or AutoC, default=0.1
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    loss : {"alpha_ndcg", "err_ia", "ndcg_ia", "intents"}, default="alpha_ndcg"
        One minus the metric over that of the ideal slate; "intents" is the probability mass
        of intents without a relevant document (SVM-div's loss).
    model : {"auto", "sequential", "coverage", "mixture"}, default="auto"
        "sequential": a document scores by its features and by its relations to the documents
        above (maximum, mean and minimum of every relation channel, share of newly covered
        elements). "coverage": SVM-div, learned values of the elements (words) that a slate
        covers, plus the features. "mixture": the elements are candidate intents
        (``DiverseQuery.topics``) whose popularity is learned, covered to a degree that is
        learned, too. "auto" is "mixture" where all queries of the fit have topics, else
        "sequential"; `model_` says which.
    top : int, default=10
        Length of a slate; shorter lists are ranked whole.
    alpha : float, default=0.5
        Of "alpha_ndcg".
    training : {"auto", "steps", "slates"}, default="auto"
        "slates": one structural hinge per query over whole slates, separated greedily;
        the primal counts upper bounds of the hinges, so that the gap is never too small, but
        need not close (``certificate_`` is "bounded"). "steps": one hinge
        per place, the set above it fixed; the maximum over one document is exact, the gap a
        certificate. Rounds of "steps" go on with the sets that the model itself comes to (after
        Ross, Gordon and Bagnell 2011). "auto" is "slates", which ranked better on both data
        sets of ``benchmarks/diversity.py``.
    rounds : int, default=2
        With ``C="auto"`` each C that is tried gets the first round, the one found all of them.
        The ideal slate is not unique: after each round its ties are broken by the model so
        far. "steps" also adds the sets that the model itself comes to.
    decode : {"greedy", "exact"}, default="greedy"
        "exact" solves an integer program (HiGHS) for "coverage" of degrees 0 and 1.
    tol : float or None, default=0.01
        Relative duality gap to reach.
    max_iter : int, default=100
        Epochs of each round. With a greedy oracle the gap need not close, so that this is what
        usually ends training; no warning is given then.
    solver, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
        Features, then relations (maximum, mean, minimum per channel), novelty, elements.
    model_ : str
        The model of the fit.
    duality_gap_, primal_objective_, dual_objective_, relative_gap_, certificate_, \
status_, n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`; those of the last round.

    References
    ----------
    Yue and Joachims, ICML 2008 (coverage). Zhu, Lan, Guo, Cheng and Niu, SIGIR 2014
    (relations to the documents above). Agrawal et al., WSDM 2009 (mixtures of intents).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> def query(name):
    ...     intent = rng.integers(0, 3, 9)
    ...     intent[:3] = 0, 1, 2
    ...     same = (intent[:, None] == intent[None, :]) + 0.1 * rng.random((9, 9))
    ...     return DiverseQuery(rng.random((9, 2)), np.eye(3)[intent],
    ...                         relations=same[:, :, None], query_id=name)
    >>> model = DiverseRankingSVM(C=10, top=3).fit([query(str(i)) for i in range(8)])
    >>> model.score([query("new")]) > 0.99
    True
    """

    _space_class = SlateSpace
    _grouped_in_queries = True
    space_: Any
    topics_: MixtureTopics

    def __init__(
        self,
        C: float | str | AutoC = 0.1,
        *,
        loss: str = "alpha_ndcg",
        model: str = "auto",
        top: int = 10,
        alpha: float = 0.5,
        training: str = "auto",
        rounds: int = 2,
        decode: str = "greedy",
        solver: str | Solver = "bcfw",
        tol: float | None = 0.01,
        max_iter: int | None = 100,
        max_time: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        callback: Any = None,
    ) -> None:
        super().__init__(
            C, solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        )
        self.loss = loss
        self.model = model
        self.top = top
        self.alpha = alpha
        self.training = training
        self.rounds = rounds
        self.decode = decode

    def _space_params(self) -> dict[str, Any]:
        parts, discounted = MODELS[self.model_]
        return {**super()._space_params(), "parts": parts, "discounted": discounted}

    @property
    def model_(self) -> str:
        """The model of the fit: `model`, and what "auto" came to."""
        if self.model != "auto":
            return self.model
        return "mixture" if hasattr(self, "topics_") else "sequential"

    def _check(self, groups: ArrayLike | None = None) -> None:
        check_c(self.C, groups)
        for name, value, known in (
            ("model", self.model, ("auto", *MODELS)),
            ("loss", self.loss, SLATE_LOSSES),
            ("training", self.training, ("auto", "steps", "slates")),
            ("decode", self.decode, ("greedy", "exact")),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {known}, got {value!r}")
        for name in ("top", "rounds"):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} must be an int >= 1, got {value!r}")
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {self.alpha!r}")
        if self.decode == "exact" and self.model != "coverage":
            raise ValueError(
                f"decode='exact' is for model='coverage', got model={self.model!r}"
            )
        if self.training == "steps" and self.model not in ("auto", "sequential"):
            raise ValueError(
                f"training='steps' is for model='sequential', got model={self.model!r}"
            )

    @all_or_nothing
    def fit(
        self,
        X: Sequence[DiverseQuery],
        y: Any = None,
        sample_weight: Any = None,
        *,
        groups: ArrayLike | None = None,
    ) -> DiverseRankingSVM:
        """Train on judged queries.

        Parameters
        ----------
        X : sequence of DiverseQuery
            With relevance; queries of one document, or to which nothing is relevant, teach
            nothing and are left out.
        y : ignored
        sample_weight : (n_queries,) array-like, optional
        groups : (n_queries,) array-like, optional
            With ``C="auto"``: queries of one group are held out together.

        Returns
        -------
        self
        """
        self._check(groups)
        queries = check_queries(X)
        # Nothing of an earlier fit may be read, or left over, by this one.
        for name in ("_w", "topics_", "C_path_"):
            self.__dict__.pop(name, None)
        for q in queries:
            if q.relevance is None:
                raise ValueError(
                    f"X: query {q.query_id!r} has no relevance, needed to fit"
                )
        keep = np.array([len(q) > 1 and bool((q.relevance > 0).any()) for q in queries])
        if not keep.any():
            raise ValueError(
                "X: no query has two documents and a relevant one; there is nothing to learn"
            )
        weight = None
        if sample_weight is not None:
            weight = check_weights(sample_weight, len(queries))[keep]  # type: ignore[index]
        queries = [q for q, k in zip(queries, keep, strict=True) if k]
        C: Any = self.C
        if is_auto(C):
            numbers = check_groups(groups, len(keep))
            found = self._find_c(
                queries, weight, None if numbers is None else numbers[keep]
            )
            if found.interrupted:
                return self
            C = found.C
        has_topics = all(
            q.topics is not None and q.topic_features is not None for q in queries
        )
        guess = self.model == "auto" and has_topics and self.training != "steps"
        if guess or self.model == "mixture":
            self.topics_ = MixtureTopics().fit(queries)
            queries = [self.topics_.transform(q) for q in queries]
        self.space_ = self._make_space()
        prefer = [-np.arange(len(q), dtype=float) for q in queries]
        steps = self.training == "steps"
        paths: list[list[list[int]]] = [[] for _ in queries]
        trained: set[Any] = set()
        for _ in range(self.rounds):
            metrics = [
                slate_metric(q, self.loss, self.top, self.alpha) for q in queries
            ]
            truths = [
                m.greedy(self.top, p) for m, p in zip(metrics, prefer, strict=True)
            ]
            # A round with the slates of an earlier one would learn the same again.
            slates: Any = map(tuple, truths)
            if steps:
                both = zip(paths, truths, strict=True)
                slates = (frozenset(map(tuple, [*path, one])) for path, one in both)
            problem = tuple(slates)
            if problem in trained:
                break
            trained.add(problem)
            packed = self.space_.fit_pack(PackedSlates(queries, truths))
            if steps:
                for path, truth in zip(paths, truths, strict=True):
                    path.append(truth)
                oracle, block_weight = self._steps(queries, metrics, paths, weight)
                self._solve(range(oracle.n_blocks), block_weight, oracle=oracle, C=C)
            else:
                with warnings.catch_warnings():
                    # Said in the docstring and by certificate_: the gap need not close.
                    warnings.simplefilter("ignore", OracleWarning)
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    self._solve(packed, weight, C=C)
            if "interrupted" in (self.status_, self.solver_info_.get("ended_by")):
                break
            own = self._slates(queries)
            for i, q in enumerate(queries):
                prefer[i] = q.features @ self._w[: q.features.shape[1]]
                paths[i].append(own[i])
        return self

    def _find_c(
        self,
        queries: list[DiverseQuery],
        weight: NDArray | None,
        groups: NDArray[np.int64] | None,
    ) -> Found:
        """Search for C with the first round of training."""
        settings = settings_of(self.C)

        def make(C: float, start: Any) -> Any:
            return clone(self).set_params(C=C, rounds=1, callback=None, verbose=0)

        metric = self._held_out_metric(settings.scoring)
        problem = FitProblem(make, queries, None, weight, {}, groups, metric)
        found = find_c(self, problem, settings, self.max_time)
        if found.interrupted and found.point is not None:
            take_over(self, found.point.model)
            self.status_ = "interrupted"
        if found.table is not None:
            self.C_path_ = found.table
        return found

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes fit together."""
        super().check_loaded()
        self._check()
        fitted = Fitted(self)
        fitted.equal("top", self.space_.top)
        if self.model_ == "mixture":
            fitted.instance("topics_", MixtureTopics)

    def _steps(
        self,
        queries: list[DiverseQuery],
        metrics: list[Any],
        paths: list[list[list[int]]],
        weight: NDArray | None,
    ) -> tuple[Any, NDArray]:
        """One example per query, path and place: the documents that could stand there."""
        space, rows, lengths, labels, losses, weights = self.space_, [], [], [], [], []
        place = space.places(self.top)
        for i, (q, m) in enumerate(zip(queries, metrics, strict=True)):
            ideal = m.value(m.greedy(self.top))
            # Equal prefixes once: the paths share their beginnings.
            seen: set[frozenset[int]] = set()
            for path in paths[i]:
                for p in range(min(len(path), self.top)):
                    above = path[:p]
                    if frozenset(above) in seen:
                        continue
                    seen.add(frozenset(above))
                    free = np.setdiff1d(np.arange(len(q)), above)
                    gain = m.rank[p] * m.steps(above)[free] / ideal
                    lost = gain.max() - gain
                    if lost.max() <= 0:
                        continue
                    best = np.flatnonzero(lost <= 1e-12)
                    x = step_features(space, q, above)[free]
                    score = (
                        x @ self._w
                        if hasattr(self, "_w") and len(self._w) == x.shape[1]
                        else -free.astype(float)
                    )
                    label = int(best[np.argmax(score[best])])
                    lost[best] = 0.0
                    # Other documents as good as the truth are no mistakes, and not examples.
                    use = lost > 0
                    use[label] = True
                    rows.append(place[p] * x[use])
                    lengths.append(int(use.sum()))
                    labels.append(int(np.count_nonzero(use[:label])))
                    losses.append(lost[use])
                    weights.append(1.0 if weight is None else float(weight[i]))
        oracle = bind_steps(
            np.concatenate(rows),
            np.array(lengths, dtype=np.int64),
            np.array(labels, dtype=np.int32),
            np.concatenate(losses),
        )
        return oracle, np.array(weights)

    def _ready(self, X: Sequence[DiverseQuery]) -> list[DiverseQuery]:
        check_is_fitted(self, "_w")
        return self._queries(X)

    def _queries(self, X: Sequence[DiverseQuery]) -> list[DiverseQuery]:
        queries = check_queries(X)
        if self.model_ == "mixture":
            queries = [self.topics_.transform(q) for q in queries]
        return queries

    def _slates(
        self, queries: list[DiverseQuery], w: NDArray[np.floating] | None = None
    ) -> list[list[int]]:
        w = self._w if w is None else w
        if self.decode == "exact":
            return [exact_slate(self.space_, w, q) for q in queries]
        oracle = self.space_.bind(PackedSlates(queries))
        codes, offsets = oracle.decode_flat(w, None, self._threads())
        return [[int(d) for d in codes[b:e] if d >= 0] for b, e in pairwise(offsets)]

    def predict(self, X: Sequence[DiverseQuery]) -> list[NDArray[np.intp]]:
        """The slate of every query: its documents, best first, at most `top`.

        Returns
        -------
        list of int arrays
        """
        return OutputList(
            np.array(s, dtype=np.intp) for s in self._slates(self._ready(X))
        )

    def predict_scores(self, X: Sequence[DiverseQuery]) -> list[NDArray[np.float64]]:
        """Marginal score of each document at its place in the slate, as `predict` has them."""
        queries = self._ready(X)
        out = []
        for q, slate in zip(queries, self._slates(queries), strict=True):
            place = self.space_.places(self.top)
            out.append(
                np.array(
                    [
                        place[p]
                        * (step_features(self.space_, q, slate[:p]) @ self._w)[d]
                        for p, d in enumerate(slate)
                    ]
                )
            )
        return out

    def bound(self, X: Sequence[DiverseQuery]) -> NDArray[np.float64]:
        """Share of the best possible score that each slate surely reaches, (n_queries,).

        For ``model="coverage"`` with nonnegative values of elements and documents, greedy is
        within 1 - 1/e of the maximum (Nemhauser, Wolsey and Fisher 1978); usually far more:
        the maximum is at most ``F(S) + sum of the top largest marginal gains at S`` for every
        S on the way.
        nan where the values are negative.
        """
        if self.model_ != "coverage":
            raise ValueError(f"bound is for model='coverage', got {self.model!r}")
        queries = self._ready(X)
        slates = self._slates(queries)
        return np.array(
            [
                greedy_bound(self.space_, self._w, q, s)
                for q, s in zip(queries, slates, strict=True)
            ]
        )

    def explain(self, query: DiverseQuery) -> Explanation:
        """Why each document stands where it does; prints as a table.

        Parameters
        ----------
        query : DiverseQuery
            If judged, the table has intents and the probability mass satisfied so far. If not,
            it has the query's topics in their place, and estimates: of the "mixture" model
            the learned popularity of each topic and the learned degree to which a document
            serves it, of the others the topics' shares of the documents.
        """
        (ready,) = self._ready([query])
        (slate,) = self._slates([ready])
        gains = self.predict_scores([query])[0]
        topics = None
        if query.relevance is None and self.model == "mixture":
            values = ready.element_features @ self._w[query.features.shape[1] :]
            topics = estimated_topics(query, values, ready.coverage.toarray())
        elif query.relevance is None:
            topics = estimated_topics(query, None, query.topics)
        return explain(query, slate, gains, topics)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean of the metric of `loss` at depth `top` over judged queries.

        Parameters
        ----------
        X : sequence of DiverseQuery
            With relevance.
        y : ignored
        sample_weight : (n_queries,) array-like, optional
        """
        return super().score(X, X, sample_weight)

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        values = [
            slate_score(q, s, self.loss, self.top, self.alpha)
            for q, s in zip(y_true, y_pred, strict=True)
        ]
        return float(np.average(values, weights=sample_weight))

    def _held_out_scorer(
        self, X: Any, y: Any, metric: Callable[[Any, Any], float] | None
    ) -> Callable[[NDArray[np.floating]], float]:
        # What is relevant stands in the queries themselves.
        return super()._held_out_scorer(X, X if y is None else y, metric)

    def _decode(self, w: NDArray[np.floating], X: Any) -> Any:
        return self._slates(self._queries(X), w)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


def slate_score(
    query: DiverseQuery, slate: Any, loss: str, top: int, alpha: float = 0.5
) -> float:
    """The metric named by a loss, for one query."""
    p = query.probabilities
    if loss == "alpha_ndcg":
        return alpha_ndcg(query.relevance, slate, top, alpha, p)
    if loss == "err_ia":
        return err_ia(query.relevance, slate, top, p)
    if loss == "ndcg_ia":
        return ndcg_ia(query.relevance, slate, top, p)
    return intent_satisfaction(query.relevance, slate, top, p)


def check_queries(X: Any) -> list[DiverseQuery]:
    """A list of at least one DiverseQuery.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(X, DiverseQuery):
        raise TypeError(
            "X must be a list of DiverseQuery, got a single one; pass [query]"
        )
    queries = list(as_examples(X))
    for i, q in enumerate(queries):
        if not isinstance(q, DiverseQuery):
            raise TypeError(
                f"X: element {i} must be a DiverseQuery, got {type(q).__name__}; from titles "
                "and snippets QueryTextFeatures().fit_transform(X) makes them"
            )
        q.check()
    if not queries:
        raise ValueError("X holds no queries")
    return queries
