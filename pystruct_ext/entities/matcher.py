"""From tables to links between them, or to clusters within one."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.entities._blocks import cluster_blocks, dealt, problems_of
from pystruct_ext.entities._ids import Ids, cluster_codes, distinct, read_links
from pystruct_ext.entities._reports import EntityReport, report_of, together
from pystruct_ext.entities._stacking import Stack
from pystruct_ext.entities._tables import (
    Pairs,
    RecordPairs,
    Table,
    as_table,
)
from pystruct_ext.entities.blocking import Blocking
from pystruct_ext.entities.pair_features import PairFeatures
from pystruct_ext.estimators import ClusteringSVM, MatchingSVM
from pystruct_ext.outputs import (
    PairGraph,
    clusters_from_links,
)
from pystruct_ext.persistence import save as save_model
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted

# The constant feature of every pair.
_CONSTANT = 10.0


@storable(kind="model")
class EntityMatcher(BaseEstimator):
    """Links between the records of two tables, or clusters of the records of one.

    Candidates come from `blocking`, their features from `features`. Two tables are matched by
    a `MatchingSVM`, where a record has at most `capacity` links; one table is clustered by a
    `ClusteringSVM`. Scores and their zero are learned together with the constraint: there is
    no threshold.

    Parameters
    ----------
    features : PairFeatures, optional
        None: ``PairFeatures(expand="hinges")``.
    blocking : Blocking, optional
        None: ``Blocking()``, the ten nearest records either way.
    id : str, optional
        The column with the ids of the records, in both tables, by which links name them; it is
        not compared. None: records are named by their positions 0, 1, ...
    C : float, default=0.01
        Weight of the sum of hinges.
    false_cost, miss_cost : float, default=1.0, 1.0
        What a false and a missed link cost in training. F1 is largest where a link is made if
        its probability is above F1 / 2: for good probabilities ``miss_cost / false_cost`` would
        be ``2 / F1 - 1``; with the margins of a support vector machine, values from 1 to that
        are worth trying.
    capacity : int or (int, int), default=1
        Most links of a record, or of one of the left and of the right table.
    fertility : int, default=0
        Of `MatchingSVM`: with 1 and a `capacity` above 1, further links of a record cost
        what is learned.
    stack : classifier or list of classifiers, optional
        Trained on the pairs without expansion; their log-odds, out of fold in training, are
        the features then.
    stack_folds : int, default=5
    passthrough : bool, default=False
        Whether the features of pairs stay beside those of `stack`.
    parts : int, default=1
        Training pairs of two tables are dealt at random into so many parts, each a matching
        problem of its own: where candidates are sparser at prediction than in training, as in
        data whose labelled pairs were split, records have fewer rivals there, and a matcher
        that has always seen them would rely on them. Then the ratio of the densities.
    block_size : int, default=500
        Training pairs of two tables fall into connected components; those with more pairs are
        cut between left records.
    block_items : int, default=20
        The same for one table: groups of clusters of at most so many records; candidates
        between groups are problems of two records.
    tol, max_iter, max_time, n_jobs, random_state, verbose
        See `StructuralSVM`; `n_jobs` is also of `features` unless that has its own.

    Attributes
    ----------
    one_table_ : bool
    features_ : PairFeatures
    blocking_ : Blocking
    svm_ : MatchingSVM or ClusteringSVM
    n_pairs_ : int
        Candidates trained on.
    certificate_, relative_gap_ : of `svm_`

    Notes
    -----
    Tables are DataFrames, lists of dicts or dicts of columns. `fit` takes ``(left, right,
    links)``, links being (L, 2) ids of the matches, in which case candidates come from
    blocking, or (E, 3) ids and labels 0 or 1, which then are all the candidates; or ``(table,
    ids)`` with the cluster of each record.

    Examples
    --------
    >>> left = [{"id": k, "name": f"camera {n}"} for k, n in enumerate(("a1", "b2", "c3"))]
    >>> right = [{"id": k, "name": f"{n} camera"} for k, n in ((7, "c3"), (8, "a1"), (9, "b2"))]
    >>> matcher = EntityMatcher(id="id", C=10)
    >>> links = matcher.fit(left, right, [(0, 8), (1, 9), (2, 7)]).predict(left, right)
    >>> links[["left", "right"]].tolist()
    [(0, 8), (1, 9), (2, 7)]
    """

    def __init__(
        self,
        features: PairFeatures | None = None,
        blocking: Blocking | None = None,
        *,
        id: str | None = None,
        C: float = 0.01,
        false_cost: float = 1.0,
        miss_cost: float = 1.0,
        capacity: int | tuple[int, int] = 1,
        fertility: int = 0,
        stack: Any = None,
        stack_folds: int = 5,
        passthrough: bool = False,
        parts: int = 1,
        block_size: int = 500,
        block_items: int = 20,
        tol: float | None = 1e-2,
        max_iter: int | None = None,
        max_time: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
        verbose: int = 0,
    ) -> None:
        self.features = features
        self.blocking = blocking
        self.id = id
        self.C = C
        self.false_cost = false_cost
        self.miss_cost = miss_cost
        self.capacity = capacity
        self.fertility = fertility
        self.stack = stack
        self.stack_folds = stack_folds
        self.passthrough = passthrough
        self.parts = parts
        self.block_size = block_size
        self.block_items = block_items
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, left: Any, right: Any, links: Any = None) -> EntityMatcher:
        """Train on two tables and the links between them, or on a table and its clusters.

        Parameters
        ----------
        left : DataFrame, list of dicts, or dict of columns
        right : the same; without `links`, (n,) cluster ids of the records of `left`
            With `links`, None says that they are within `left`.
        links : (L, 2) ids of matches, or (E, 3) ids and labels 0 or 1, optional
            Labelled pairs are all the candidates; else they come from `blocking`.

        Raises
        ------
        ValueError, TypeError
            For ids that occur twice or are missing, links that mention unknown records, and
            columns that are missing, naming them.
        """
        self._check()
        a = as_table(left, "left")
        self.one_table_ = links is None or right is None
        b = a if self.one_table_ else as_table(right, "right")
        ids = self._ids(a, b)
        self.blocking_ = self._blocking(a, b)
        if self.one_table_:
            if links is None:
                clusters = cluster_codes(right, len(a))
                pairs = self.blocking_.pairs(a)
            else:
                pairs, labels = self._labelled(a, b, ids, links)
                clusters = clusters_from_links(len(a), pairs[labels], closed=False)
            labels = clusters[pairs[:, 0]] == clusters[pairs[:, 1]]
        else:
            pairs, labels = self._labelled(a, b, ids, links)
        if not labels.any() or labels.all():
            raise ValueError(
                f"{int(labels.sum())} of {len(pairs)} candidates are matches, expected "
                "matches and others among them"
            )
        X = self._fit_features(a, b, pairs, labels)
        self.n_pairs_ = len(pairs)
        if self.one_table_:
            self._fit_clusters(len(a), pairs, X, clusters)
        else:
            self._fit_links(len(a), pairs, X, labels)
        self.certificate_ = self.svm_.certificate_
        self.relative_gap_ = self.svm_.relative_gap_
        return self

    def predict(self, left: Any, right: Any = None, pairs: Any = None) -> Any:
        """Links between two tables, or clusters of the records of one.

        Parameters
        ----------
        left, right : DataFrame, list of dicts, or dict of columns
            As many tables as in `fit`.
        pairs : (E, 2) ids, optional
            All the candidates there are; None: those of blocking.

        Returns
        -------
        DataFrame or structured array
            Of two tables: ``left`` and ``right`` ids, and ``score``, above 0 but for links
            that others make worth while; a DataFrame where `left` is one.
        (n,) int64
            Of one table: ids 0, 1, ... in the order of first records.
        """
        a, b, positions = self._candidates(left, right, pairs)
        X = self._pair_rows(a, b, positions)
        if self.one_table_:
            return self._clusters(len(a), positions, X)
        chosen = self._links(len(a), positions, X)
        ids = self._ids(a, b)
        columns = {
            "left": ids[0].take(positions[chosen, 0]),
            "right": ids[1].take(positions[chosen, 1]),
            "score": self._scores(X[chosen]),
        }
        if hasattr(left, "iloc"):
            return type(left)(columns)
        out = np.empty(len(chosen), dtype=[(k, v.dtype) for k, v in columns.items()])
        for name, values in columns.items():
            out[name] = values
        return out

    def fit_predict(self, left: Any, right: Any, links: Any = None) -> Any:
        """`fit`, then `predict` of the same tables."""
        self.fit(left, right, links)
        return self.predict(left, None if self.one_table_ else right)

    def decision_function(
        self, left: Any, right: Any = None, pairs: Any = None
    ) -> NDArray[np.float64]:
        """Learned scores of candidate pairs, in the order of `pairs` or of `candidates`."""
        a, b, positions = self._candidates(left, right, pairs)
        return self._scores(self._pair_rows(a, b, positions))

    def candidates(self, left: Any, right: Any = None) -> Pairs:
        """Positions of the candidate pairs of blocking, (E, 2)."""
        return self._candidates(left, right, None)[2]

    def report(self, left: Any, right: Any, links: Any = None) -> EntityReport:
        """Precision, recall and F1 of pairs, for data as in `fit`.

        Labelled pairs, (E, 3), are all the candidates; else blocking counts, too.
        """
        check_is_fitted(self)
        a = as_table(left, "left")
        b = a if self.one_table_ else as_table(right, "right")
        ids = self._ids(a, b)
        labels = None
        if self.one_table_ and links is None:
            clusters = cluster_codes(right, len(a))
        else:
            if links is None:
                raise ValueError(
                    "links are missing: the matcher was fitted on two tables"
                )
            known, labels = read_links(links, *ids, "links")
            truth = known if labels is None else known[labels]
            if self.one_table_:
                clusters = clusters_from_links(len(a), truth, closed=False)
        if labels is None:
            positions = self._blocking(a, b).pairs(a, None if self.one_table_ else b)
        else:
            positions = distinct(known, "links", self.one_table_)
        X = self._pair_rows(a, b, positions)
        if self.one_table_:
            truth = together(clusters)
            found = together(self._clusters(len(a), positions, X))
        else:
            found = positions[self._links(len(a), positions, X)]
        width = len(b)
        codes = [
            np.unique(p[:, 0] * width + p[:, 1]) for p in (truth, found, positions)
        ]
        return report_of(*codes)

    def score(self, left: Any, right: Any, links: Any = None) -> float:
        """F1 of `report`."""
        return self.report(left, right, links).f1

    def save(self, path: Any) -> None:
        """Write the fitted matcher to a model file; `pystruct_ext.load` reads it.

        Without `stack`, and without functions among the keys of `blocking`: files hold data,
        not code.
        """
        check_is_fitted(self)
        if self.stack is not None:
            raise TypeError(
                "a matcher with stack cannot be saved to a model file, which holds no "
                "classifiers of other packages; pickle it"
            )
        save_model(self, path)

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes."""
        self._check()
        if not hasattr(self, "svm_"):
            return
        fitted = Fitted(self)
        one = fitted.boolean("one_table_")
        features = fitted.instance("features_", PairFeatures)
        svm = fitted.instance("svm_", ClusteringSVM if one else MatchingSVM)
        fitted.instance("stack_", type(None))
        width = len(features.get_feature_names_out()) + 1
        if svm.space_.n_features_ != width or len(svm.coef_) < width:
            raise ValueError(
                f"EntityMatcher.svm_ has {svm.space_.n_features_} features, expected {width}"
            )

    # Preparation.

    def _check(self) -> None:
        for name, low in (
            ("parts", 1),
            ("block_size", 1),
            ("block_items", 2),
            ("stack_folds", 2),
            ("fertility", 0),
        ):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, Integral)
                or value < low
            ):
                raise ValueError(
                    f"{name} is {value!r}, expected a whole number of at least {low}"
                )
        for name, kind in (("features", PairFeatures), ("blocking", Blocking)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise TypeError(
                    f"{name} is a {type(value).__name__}, expected {kind.__name__} or None"
                )
        self._capacities()

    def _capacities(self) -> tuple[int, int]:
        pair = self.capacity
        both = pair if isinstance(pair, (tuple, list)) else (pair, pair)
        whole = [isinstance(c, Integral) and not isinstance(c, bool) for c in both]
        if len(both) != 2 or not all(whole) or min(both) < 1:
            raise ValueError(
                f"capacity is {pair!r}, expected a whole number of at least 1, or two: of a "
                "left and of a right record"
            )
        return int(both[0]), int(both[1])

    def _ids(self, a: Table, b: Table) -> tuple[Ids, Ids]:
        left = Ids(a, self.id, "left")
        return left, left if a is b else Ids(b, self.id, "right")

    def _compared_columns(self, a: Table, b: Table) -> list[str]:
        names = [c for c in a.columns if c in b.columns and c != self.id]
        if not names:
            raise ValueError(
                f"the tables have no column to compare: left has {', '.join(a.columns)}; "
                f"right has {', '.join(b.columns)}; id is {self.id!r}"
            )
        return names

    def _blocking(self, a: Table, b: Table) -> Blocking:
        blocking = clone(self.blocking) if self.blocking is not None else Blocking()
        if blocking.columns is None:
            blocking.set_params(columns=self._compared_columns(a, b))
        if self.verbose:
            blocking.set_params(verbose=self.verbose)
        return blocking

    def _labelled(
        self, a: Table, b: Table, ids: tuple[Ids, Ids], links: Any
    ) -> tuple[Pairs, NDArray[np.bool_]]:
        """Candidates to train on, and which of them are matches."""
        known, labels = read_links(links, *ids, "links")
        if labels is not None:
            return distinct(known, "links", self.one_table_), labels
        found = self.blocking_.pairs(a, None if self.one_table_ else b)
        if self.one_table_:
            known = np.sort(known, axis=1)
        # Links that blocking misses say what links are like all the same.
        width = len(b)
        true = np.unique(known[:, 0] * width + known[:, 1])
        code = np.union1d(found[:, 0] * width + found[:, 1], true)
        pairs = np.stack([code // width, code % width], axis=1)
        return pairs, np.isin(code, true)

    def _fit_features(
        self, a: Table, b: Table, pairs: Pairs, labels: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        features = (
            PairFeatures(expand="hinges")
            if self.features is None
            else clone(self.features)
        )
        if features.columns is None:
            features.set_params(columns=self._compared_columns(a, b))
        if features.n_jobs is None:
            features.set_params(n_jobs=self.n_jobs)
        if self.verbose:
            features.set_params(verbose=self.verbose)
        records = RecordPairs(a, None if self.one_table_ else b, pairs)
        features.fit(records, labels)
        self.features_ = features
        raw = features.similarities(records)
        self.stack_: Stack | None = None
        more = None
        if self.stack is not None:
            several = isinstance(self.stack, (list, tuple))
            classifiers = list(self.stack) if several else [self.stack]
            self.stack_ = Stack(classifiers, self.stack_folds, self._seed())
            more = self.stack_.fit_transform(raw, labels)
        return self._joined(raw, more)

    def _joined(
        self, raw: NDArray[np.float32], more: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """All columns: features, those of the stack, and a large constant.

        Matches are few, so that the constant must be far below 0; being large, it is hardly
        regularised.
        """
        columns = []
        if more is None or self.passthrough:
            columns.append(self.features_.expansion_transform(raw))
        if more is not None:
            columns.append(more)
        columns.append(np.full((len(raw), 1), _CONSTANT, dtype=np.float32))
        return np.concatenate(columns, axis=1)

    def _seed(self) -> int:
        seed = self.random_state
        return int(seed) if isinstance(seed, Integral) else 0

    # Training.

    def _solver(self) -> dict[str, Any]:
        return {
            "C": self.C,
            "false_cost": self.false_cost,
            "miss_cost": self.miss_cost,
            "tol": self.tol,
            "max_iter": self.max_iter,
            "max_time": self.max_time,
            "n_jobs": self.n_jobs,
            "random_state": self.random_state,
            "verbose": self.verbose,
            "fit_intercept": False,  # a column of its own
        }

    def _fit_links(
        self,
        m: int,
        pairs: Pairs,
        X: NDArray[np.float32],
        labels: NDArray[np.bool_],
    ) -> None:
        left, right = self._capacities()
        problems, links = [], []
        for rows in dealt(len(pairs), self.parts, self._seed()):
            made, own = problems_of(pairs[rows], X[rows], m, self.block_size)
            problems += made
            links += [
                [at for at, e in block.items() if labels[rows[e]]] for block in own
            ]
        self.svm_ = MatchingSVM(
            row_capacity=left,
            column_capacity=right,
            fertility=self.fertility,
            excess="drop",
            **self._solver(),
        ).fit(problems, links)

    def _fit_clusters(
        self, n: int, pairs: Pairs, X: NDArray[np.float32], clusters: NDArray[np.int64]
    ) -> None:
        group = np.empty(n, dtype=np.int64)
        place = np.empty(n, dtype=np.int64)
        blocks = cluster_blocks(pairs, clusters, self.block_items)
        for k, items in enumerate(blocks):
            group[items], place[items] = k, np.arange(len(items))
        sides = group[pairs]
        inside = sides[:, 0] == sides[:, 1]
        rows = np.flatnonzero(inside)
        rows = rows[np.argsort(sides[rows, 0], kind="stable")]
        own, starts = np.unique(sides[rows, 0], return_index=True)
        graphs, ids = [], []
        for k, some in zip(own.tolist(), np.split(rows, starts[1:]), strict=True):
            items = blocks[k]
            graphs.append(PairGraph(len(items), place[pairs[some]], X[some]))
            ids.append(clusters[items])
        # Pairs between blocks are problems of two records.
        for e in np.flatnonzero(~inside).tolist():
            graphs.append(PairGraph(2, [(0, 1)], X[e : e + 1]))
            ids.append(clusters[pairs[e]])
        # Each counts by its records, as the loss is a mean over them.
        weight = np.array([len(g) for g in graphs], dtype=np.float64)
        self.svm_ = ClusteringSVM(**self._solver()).fit(
            graphs, ids, sample_weight=weight
        )

    # Prediction.

    def _candidates(
        self, left: Any, right: Any, pairs: Any
    ) -> tuple[Table, Table, Pairs]:
        check_is_fitted(self)
        a = as_table(left, "left")
        if self.one_table_ != (right is None):
            raise ValueError(
                "right is given, but the matcher was fitted on one table"
                if self.one_table_
                else "right is missing: the matcher was fitted on two tables"
            )
        b = a if right is None else as_table(right, "right")
        if pairs is None:
            return a, b, self._blocking(a, b).pairs(a, None if right is None else b)
        positions, _ = read_links(pairs, *self._ids(a, b), "pairs")
        return a, b, distinct(positions, "pairs", self.one_table_)

    def _pair_rows(self, a: Table, b: Table, pairs: Pairs) -> NDArray[np.float32]:
        """Features of pairs, with the columns of the stack."""
        records = RecordPairs(a, None if self.one_table_ else b, pairs)
        raw = self.features_.similarities(records)
        more = None
        if self.stack_ is not None:
            more = self.stack_.transform(raw)
        return self._joined(raw, more)

    def _scores(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Learned scores of pairs."""
        w = np.asarray(self.svm_.coef_, dtype=np.float64)
        return np.asarray(X @ w[: X.shape[1]], dtype=np.float64)

    def _links(self, m: int, pairs: Pairs, X: NDArray[np.float32]) -> NDArray[np.int64]:
        """Rows of the pairs that are linked, by the left record, then the right."""
        problems, own = problems_of(pairs, X, m, max(len(pairs), 1))
        if not problems:
            return np.zeros(0, dtype=np.int64)
        chosen = [
            rows[link]
            for rows, links in zip(own, self.svm_.predict(problems), strict=True)
            for link in links
        ]
        found = np.array(chosen, dtype=np.int64)
        return found[np.lexsort((pairs[found, 1], pairs[found, 0]))]

    def _clusters(
        self, n: int, pairs: Pairs, X: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        if not n:
            return np.zeros(0, dtype=np.int64)
        return np.array(self.svm_.predict([PairGraph(n, pairs, X)])[0], dtype=np.int64)


__all__ = ["EntityMatcher"]
