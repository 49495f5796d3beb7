"""Learning to rank from graded relevance."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from pystruct_ext._core.ragged import check_sparse
from pystruct_ext.estimators._arguments import check_weights
from pystruct_ext.estimators._held_out import EvalRecorder, HeldOut
from pystruct_ext.estimators._query_arguments import (
    check_present,
    groups_of_queries,
    packed_rows,
    per_query,
    qid_of,
    repetitions,
)
from pystruct_ext.estimators._training import Training, check_c
from pystruct_ext.estimators._whole import all_or_nothing
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import ndcg
from pystruct_ext.outputs.rankings import RankedRows
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import OutputSpace
from pystruct_ext.spaces.ranking import (
    PackedQueries,
    RankingSpace,
    descending_order,
    informative,
)
from pystruct_ext.spaces.wide import as_csr, renumbered
from pystruct_ext.utils.callers import user_stacklevel
from pystruct_ext.utils.examples import refuse_iterator
from pystruct_ext.utils.fitted import Fitted
from pystruct_ext.utils.queries import (
    check_qid,
    check_relevance,
    group_queries,
)

# Documents per query from which one aggregated cut per pass is cheaper than cuts per query.
_LONG = 2000
# Up to this many features a fit to a single query aims at many digits.
_NARROW = 100


@storable
class RankingSVM(BaseStructuralSVM):
    """Linear ranking with a loss of whole rankings, to a certified optimum.

    Minimises ``1/2 ||w||^2 + C sum_q s_q H_q(w)`` with
    ``H_q(w) = max_y Delta(y_q, y) - <w, psi(x_q, y_q) - psi(x_q, y)>``, where psi is the
    mean over the pairs of documents of different relevance of their signed differences
    (half of it, so that "pairs" has the margin 1). Every loss has an exact oracle.

    Parameters
    ----------
    C : float or AutoC, default=1.0
        Weight of the sum over queries; "auto" finds it, see `AutoC`.
    loss : {"ndcg", "pairs", "roc", "map", "precision", "mrr"}, default="ndcg"
        What a wrong ranking costs.

        ==============  ============================================================
        "pairs"         share of pairs of different relevance that are swapped
        "roc"           the same for relevant (y > 0) against not: 1 - area under ROC
        "map"           1 - average precision, relevant if y > 0
        "ndcg"          1 - NDCG@top
        "precision"     1 - precision@top / the best possible, relevant if y > 0
        "mrr"           1 - 1 / rank of the first relevant document, y > 0
        ==============  ============================================================
    top : int or None, default=10
        Truncation of "ndcg" and "precision"; None looks at the whole list.
    gain : {"exponential", "linear"}, default="exponential"
        ``2^y - 1`` or ``y``, for "ndcg".
    dtype : {"float32", "float64"}, default="float64"
        Of the features and weights in training.
    solver : str or Solver, default="auto"
        A name of `pystruct_ext.solvers.SOLVERS`, or an object. "auto" is "bcfw", and
        "one_slack" where queries are long (more than 2000 documents on average): one cut
        per pass then costs less than cuts per query.
    tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (n_features,) ndarray
    n_features_in_ : int
    n_queries_ : int
        Queries with documents of different relevance; the others teach nothing and are
        left out.
    n_queries_seen_ : int
        All queries of the fit.
    evals_result_ : dict
        With ``eval_set`` only: "valid_0" and so on to {"ndcg@10": list of one score an epoch}.
    duality_gap_, primal_objective_, dual_objective_, relative_gap_, certificate_, \
status_, n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    Memory of a fit: the features once, in `dtype`; 4 bytes per document and cut ("bcfw"
    keeps a handful of cuts per query), or 8 bytes per feature and cut ("one_slack"); for
    "ndcg" 9 bytes for each of ``prod_l (min(n_l, top) + 1)`` states, n_l documents of level
    l.

    Weights are dense, 8 bytes a column, which a fit holds up to three times. Of sparse
    matrices with more than 2^20 columns, of which at most a quarter occur at fit, only the
    columns that occur have weights (``space_.columns_``); ``coef_`` is as wide as X once it is
    asked for.

    Scale the features (`sklearn.preprocessing.StandardScaler`): the regulariser treats them
    alike. For curved relations put a feature map before it, such as
    `sklearn.preprocessing.SplineTransformer`.

    References
    ----------
    Joachims, KDD 2002 and 2006 (pairs). Yue, Finley, Radlinski and Joachims, SIGIR 2007
    (map). Chakrabarti, Khanna, Sawant and Bhattacharyya, KDD 2008 (ndcg, mrr).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, qid = rng.normal(size=(60, 3)), np.repeat(np.arange(6), 10)
    >>> y = np.clip(np.round(X @ [1, -1, 0]), 0, 2)
    >>> model = RankingSVM(C=10).fit(X, y, qid=qid)
    >>> model.score(X, y, qid=qid) > 0.9
    True
    >>> model.rank(X[:4], qid=qid[:4])
    [array([1, 0, 2, 3])]
    """

    _space_class = RankingSpace
    _grouped_in_queries = True
    _takes_matrices = True
    space_: Any

    def __init__(
        self,
        C: float | str | AutoC = 1.0,
        *,
        loss: str = "ndcg",
        top: int | None = 10,
        gain: str = "exponential",
        dtype: str = "float64",
        solver: str | Solver = "auto",
        tol: float | None = None,
        max_iter: int | None = None,
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
        self.top = top
        self.gain = gain
        self.dtype = dtype

    def _solver_name(self) -> str | Solver:
        if isinstance(self.solver, str) and self.solver == "auto":
            return "one_slack" if getattr(self, "_long", False) else "bcfw"
        return self.solver

    def _aim(self, space: OutputSpace, n: int) -> float | None:
        # Of a single query weights and repetitions of a document are the same thing; here they
        # are in the last digits of coef_, too.
        small = n == 1 and space.size_psi_ <= _NARROW
        return (
            1e-9
            if small and self.tol is None and isinstance(self.solver, str)
            else None
        )

    @all_or_nothing
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        qid: ArrayLike | None = None,
        group: ArrayLike | None = None,
        document_weight: ArrayLike | None = None,
        eval_set: Sequence[Any] | None = None,
        eval_group: Sequence[Any] | None = None,
        groups: ArrayLike | None = None,
    ) -> RankingSVM:
        """Train on documents X with relevance y, grouped into queries by qid or group.

        Parameters
        ----------
        X : (n_documents, n_features) array-like or sparse matrix
        y : (n_documents,) array-like
            Relevance >= 0; larger is better.
        qid : (n_documents,) array-like, optional
            Query of each document, in any order; None means a single query.
        group : (n_queries,) array-like of int, optional
            In the place of qid, as LightGBM has it: sizes of consecutive queries.
        sample_weight : array-like, optional
            Weight of each query: (n_queries,), in the order of first appearance in qid, or
            (n_documents,) and constant within a query (as scikit-learn's splitters cut it).
            Without qid a document of weight k, a whole number, is there k times.
        document_weight : (n_documents,) array-like, optional
            Weight of each pair by its more relevant document, such as an inverse
            propensity; for "pairs" and "roc". The loss is the weighted share of pairs.
        eval_set : list of (X, y) or (X, y, qid), optional
            Held-out documents. After every epoch their NDCG@10 goes to `evals_result_`, that
            of the first also to the column "score" of `history_`. With
            ``callback=HeldOutScore(patience=5)`` the first of them stops training.
        eval_group : list of arrays, optional
            Sizes of the queries of each held-out set, in the place of their qid.
        groups : array-like, optional
            With ``C="auto"``: queries of one group are held out together. One entry for each
            query, in the order of first appearance in qid, or for each document, constant
            within a query. Whole queries are held out in any case.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a negative or missing relevance, a qid, group or weight of another length, or
            if no query has documents of different relevance.
        """
        training = self._training(
            X,
            y,
            sample_weight,
            groups,
            qid=qid,
            group=group,
            document_weight=document_weight,
        )
        held_out = self._held_out_sets(eval_set, eval_group)
        self.__dict__.pop("evals_result_", None)
        if held_out:
            self._recorder = EvalRecorder(held_out, self._ndcg_of)
            self.evals_result_ = self._recorder.result
        try:
            self._train(training)
        finally:
            self.__dict__.pop("_recorder", None)
        return self

    def _training(  # type: ignore[override]
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        *,
        qid: ArrayLike | None = None,
        group: ArrayLike | None = None,
        document_weight: ArrayLike | None = None,
    ) -> Training:
        """Informative queries and what belongs to them; sets the fitted space."""
        check_c(self.C, groups)
        for value, name in ((X, "X"), (y, "y"), (qid, "qid")):
            refuse_iterator(value, name)
        space: Any = self._make_space()
        space.check()
        check_sparse(X)
        check_present(y)
        checked: Any
        checked, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            y_numeric=True,
        )
        relevance = check_relevance(y)
        qid = qid_of(qid, group, len(relevance))
        times = None if qid is not None else repetitions(sample_weight, len(relevance))
        if times is not None:
            if document_weight is not None:
                own_weight = check_weights(document_weight, checked.shape[0])
                document_weight = own_weight[times]  # type: ignore[index]
            checked, relevance, sample_weight = checked[times], relevance[times], None
        order, offsets = group_queries(qid, len(relevance))
        weight = per_query(sample_weight, order, offsets)
        numbers = groups_of_queries(groups, order, offsets)
        own = None
        if document_weight is not None:
            own = check_weights(document_weight, len(relevance))
        self.n_queries_seen_ = len(offsets) - 1
        keep = informative(relevance[order], offsets, self.loss)
        if not keep.any():
            raise ValueError(
                "y: no query has documents of different relevance"
                + (
                    ""
                    if self.loss in ("pairs", "ndcg")
                    else " (y > 0 against y == 0 for this loss)"
                )
                + f"; there is nothing to learn from (n_samples = {len(relevance)})"
            )
        rows = np.repeat(keep, np.diff(offsets))
        order = order[rows]
        lengths = np.diff(offsets)[keep]
        in_order = bool((np.diff(order) == 1).all()) and len(order) == len(relevance)
        packed = PackedQueries(
            packed_rows(
                checked if in_order else checked[order], lengths, np.dtype(self.dtype)
            ),
            np.ascontiguousarray(relevance[order]),
            None if own is None else np.ascontiguousarray(own[order]),
        )
        self.n_queries_ = len(lengths)
        self._long = len(order) > _LONG * len(lengths)
        self.space_ = space
        packed = space.fit_pack(packed)
        return Training(
            packed,
            None if weight is None else weight[keep],
            packed,
            groups=None if numbers is None else numbers[keep],
        )

    # Held-out queries of a search for C.

    def _held_out_truth(self, training: Training) -> list[NDArray[np.float64]]:
        packed = training.packed
        return [packed.relevance[a:b] for a, b in pairwise(packed.rows.offsets)]

    def _held_out_metric(
        self, scoring: Any
    ) -> Callable[[Any, Any, NDArray | None], float]:
        def metric(y_true: Any, y_pred: Any, weight: NDArray | None) -> float:
            relevance, scores = np.concatenate(y_true), np.concatenate(y_pred)
            qid = np.repeat(np.arange(len(y_true)), [len(y) for y in y_true])
            if scoring is not None:
                return float(scoring(relevance, scores, qid))
            values = ndcg(relevance, scores, qid=qid, k=10, average=False)
            return float(np.average(values, weights=weight))

        if isinstance(scoring, str):
            raise ValueError(
                f"AutoC: scoring={scoring!r} knows no queries; expected a callable "
                "scoring(relevance, scores, qid)"
            )
        return metric

    def _decode_blocks(
        self, w: NDArray[np.floating], training: Training, oracle: Any, ids: NDArray
    ) -> list[Any]:
        rows = training.packed.rows
        if rows.indptr is None:
            scores = np.reshape(rows.values, (-1, rows.n_features)) @ w
        else:
            scores = as_csr(rows) @ w
        return [scores[rows.offsets[i] : rows.offsets[i + 1]] for i in ids.tolist()]

    @property
    def coef_(self) -> NDArray[np.floating]:
        """Weights of the features, (n_features,)."""
        w = self._fitted_weights()
        columns = getattr(self.space_, "columns_", None)
        if columns is None:
            return w
        wide = np.zeros(self.n_features_in_, dtype=w.dtype)
        wide[columns] = w
        return wide

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes fit together."""
        super().check_loaded()
        Fitted(self).equal("n_features_in_", self.space_.n_features_)

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Score of every document, (n_documents,): larger is better."""
        check_is_fitted(self, "_w")
        rows, columns = self._rows(X), getattr(self.space_, "columns_", None)
        if columns is not None:
            packed = packed_rows(rows, np.array([rows.shape[0]]), np.dtype(np.float64))
            rows = as_csr(renumbered(packed, columns))
        return np.asarray(
            rows @ self._w.astype(np.float64, copy=False), dtype=np.float64
        )

    def _rows(self, X: ArrayLike) -> Any:
        check_sparse(X)
        refuse_iterator(X, "X")
        return validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False
        )

    def rank(
        self,
        X: ArrayLike,
        qid: ArrayLike | None = None,
        *,
        group: ArrayLike | None = None,
    ) -> RankedRows:
        """Rows of X, best first, one array per query in the order of first appearance.

        Parameters
        ----------
        X : (n_documents, n_features) array-like or sparse matrix
        qid : (n_documents,) array-like, optional
            None means a single query.
        group : (n_queries,) array-like of int, optional
            In the place of qid: sizes of consecutive queries.

        Returns
        -------
        list of (k_q,) int arrays
            Equal scores keep the order of the rows. It knows the query ids and the scores:
            `pystruct_ext.io.write_run` writes it as it is.
        """
        scores = self.predict(X)
        qid = qid_of(qid, group, len(scores))
        order, offsets = group_queries(qid, len(scores))
        found = [
            order[b:e][descending_order(scores[order[b:e]])]
            for b, e in pairwise(offsets)
        ]
        ids: list[Any] = ["1"]
        if group is not None:
            ids = [str(q + 1) for q in np.asarray(qid)[order[offsets[:-1]]]]
        elif qid is not None:
            ids = check_qid(qid, len(scores))[order[offsets[:-1]]].tolist()
        return RankedRows(found, ids, [scores[rows] for rows in found])

    def _several(self) -> bool:
        """Whether the fit was to several queries; older files know those with pairs."""
        return bool(getattr(self, "n_queries_seen_", self.n_queries_) > 1)

    def _fitted_to(self) -> str:
        n = getattr(self, "n_queries_seen_", self.n_queries_)
        return f"the model was fitted to {n} queries"

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        qid: ArrayLike | None = None,
        group: ArrayLike | None = None,
    ) -> float:
        """Mean NDCG@10 over queries (exponential gain); see `pystruct_ext.metrics.ndcg`.

        Queries without a relevant document count 0, as trec_eval has it.

        Parameters
        ----------
        X : (n_documents, n_features) array-like or sparse matrix
        y : (n_documents,) array-like
            Relevance >= 0.
        sample_weight : array-like, optional
            Weight of each query, as for `fit`.
        qid : (n_documents,) array-like, optional
            None means a single query.
        group : (n_queries,) array-like of int, optional
            In the place of qid: sizes of consecutive queries.

        Warns
        -----
        UserWarning
            Without qid, if the model was fitted to several queries: the score is then that of
            another task.
        """
        predicted = self.predict(X)
        qid = qid_of(qid, group, len(predicted))
        unrouted = qid is None and self._several()
        times = None if qid is not None else repetitions(sample_weight, len(predicted))
        if times is not None:
            y, predicted, sample_weight = np.asarray(y)[times], predicted[times], None
        order, offsets = group_queries(qid, len(predicted))
        weight = per_query(sample_weight, order, offsets)
        values = ndcg(y, predicted, qid=qid, k=10, gain="exponential", average=False)
        value = float(np.average(values, weights=weight))
        if unrouted:
            warnings.warn(
                f"score without qid treats all {len(predicted)} rows as one query (NDCG@10 = "
                f"{value:.3f}); {self._fitted_to()}. Pass qid, or under cross_val_score and "
                "GridSearchCV enable metadata routing and set_score_request(qid=True)",
                stacklevel=user_stacklevel(),
            )
        return value

    def top_features(
        self, n: int | None = 10, feature_names: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """The features of the largest weights.

        Weights compare only as far as the scales of the features do.

        Parameters
        ----------
        n : int or None, default=10
            How many; None means all.
        feature_names : sequence of n_features str, optional
            By default the columns of the DataFrame of the fit, else "x0", "x1" and so on.

        Returns
        -------
        list of (name, weight)
            By decreasing absolute weight, equal ones in the order of the columns.

        Raises
        ------
        ValueError
            For a wrong number of names, or an n below 1.
        """
        check_is_fitted(self, "_w")
        whole = isinstance(n, (int, np.integer)) and not isinstance(n, bool)
        if n is not None and (not whole or n < 1):
            raise ValueError(f"n must be None or an int >= 1, got {n!r}")
        if feature_names is None:
            feature_names = getattr(self, "feature_names_in_", None)
        size, columns = self.n_features_in_, getattr(self.space_, "columns_", None)
        if feature_names is not None and len(feature_names) != size:
            raise ValueError(
                f"feature_names has {len(feature_names)} names, expected {size}"
            )
        best = np.argsort(-np.abs(self._w), kind="stable")[:n]
        named = best if columns is None else columns[best]
        return [
            (f"x{j}" if feature_names is None else str(feature_names[j]), float(weight))
            for j, weight in zip(named.tolist(), self._w[best], strict=True)
        ]

    # Held-out queries.

    def _held_out(self, X: Any, y: Any, qid: Any, group: Any, name: str) -> HeldOut:
        """Checked held-out documents."""
        try:
            rows, relevance = self._rows(X), check_relevance(y)
            n = int(rows.shape[0])
            if relevance.shape != (n,):
                raise ValueError(
                    f"X has {n} rows but y has shape {relevance.shape}, expected ({n},)"
                )
            ids = qid_of(qid, group, n)
            group_queries(ids, n)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if ids is None and self._several():
            warnings.warn(
                f"{name} without qid is scored as one query of {n} rows; pass (X, y, qid) "
                f"({self._fitted_to()})",
                stacklevel=user_stacklevel(),
            )
        return HeldOut(rows, relevance, ids)

    def _held_out_sets(self, eval_set: Any, eval_group: Any) -> list[HeldOut]:
        if eval_set is None:
            if eval_group is not None:
                raise ValueError("eval_group needs eval_set")
            return []
        if isinstance(eval_set, tuple) and len(eval_set) in (2, 3):
            eval_set = [eval_set]
        if eval_group is not None and len(eval_group) != len(eval_set):
            raise ValueError(
                f"eval_group has {len(eval_group)} entries, expected {len(eval_set)} as in "
                "eval_set"
            )
        out = []
        for i, one in enumerate(eval_set):
            if not isinstance(one, (tuple, list)) or len(one) not in (2, 3):
                raise ValueError(
                    f"eval_set[{i}] must be (X, y) or (X, y, qid), got a "
                    f"{type(one).__name__}"
                    + (f" of {len(one)}" if hasattr(one, "__len__") else "")
                )
            ids = one[2] if len(one) == 3 else None
            sizes = None if eval_group is None else eval_group[i]
            out.append(self._held_out(one[0], one[1], ids, sizes, f"eval_set[{i}]"))
        return out

    def _ndcg_of(self, w: NDArray[np.floating], of: HeldOut) -> float:
        scores = np.asarray(of.X @ w, dtype=np.float64)
        return float(ndcg(of.y, scores, qid=of.qid, k=10, gain="exponential"))

    def _callbacks(self) -> list[Any]:
        recorder = getattr(self, "_recorder", None)
        return [*([] if recorder is None else [recorder]), *super()._callbacks()]

    def _held_out_scorer(
        self,
        X: Any,
        y: Any,
        metric: Callable[[Any, Any], float] | None,
        qid: Any = None,
    ) -> Callable[[NDArray[np.floating]], float]:
        recorder = getattr(self, "_recorder", None)
        if X is None and recorder is not None:
            held_out = recorder.sets[0]
        elif X is None or y is None:
            raise ValueError("HeldOutScore needs X and y, or eval_set in fit")
        elif metric is not None:
            return super()._held_out_scorer(X, y, metric)
        else:
            held_out = self._held_out(X, y, qid, None, "HeldOutScore")
        if metric is not None:
            return super()._held_out_scorer(held_out.X, held_out.y, metric)
        return lambda w: self._ndcg_of(w, held_out)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags

    def _decode(self, w: NDArray[np.floating], X: Any) -> Any:
        return np.asarray(X @ w)
