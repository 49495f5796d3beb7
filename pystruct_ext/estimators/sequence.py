"""Sequence labelling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators._batches import Asked
from pystruct_ext.estimators._training import Training
from pystruct_ext.estimators._whole import all_or_nothing
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import CodedLabels, SequenceSpace
from pystruct_ext.utils.examples import as_examples, as_sequence


@storable
class SequenceSVM(BaseStructuralSVM):
    """Structural SVM for sequence labelling with a first-order chain.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` where the hinge is over all label
    sequences and the loss adds up over tokens; decoding is exact (Viterbi).

    Parameters
    ----------
    C : float or AutoC, default=0.1
        Weight of the sum of hinges; "auto" finds it, see `AutoC`. The default
        suits text with many sparse features; for few dense ones try 1.0, too.
    loss : {"hamming", "zero_one"}, (K, K) array or mapping, default="hamming"
        Cost of a wrong label; see `pystruct_ext.losses.cost_matrix`.
    constraints : None, "BIO", "BILOU", (K, K) bool array or mapping, default=None
        Transitions that predictions may use; see
        `pystruct_ext.spaces.allowed_transitions`.
    template : str or None, default=None
        Text of a CRF++ feature template. X is then what
        `pystruct_ext.io.read_conll` returns, or a list of sequences whose tokens
        are tuples of columns.
    features : {"all", "seen"}, default="all"
        Weights for all pairs of feature and label, or (smaller) those seen in training.
    min_count : int, default=1
        Drop feature names that occur less often.
    hash_bits : int or None, default=None
        Hash names to ``2 ** hash_bits`` columns; for streams.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (K, n_features) ndarray, or CSR matrix with ``features="seen"``
        State weights; a view, not a copy. Of matrices with more than 2^20 columns of which
        at most a quarter occur in training, only those have weights:
        ``space_.encoder_.columns``.
    transitions_ : (K, K) ndarray
        ``transitions_[p, q]``: label p followed by q.
    start_, end_ : (K,) ndarray
    classes_ : (K,) ndarray
    feature_names_in_ : (n_features,) ndarray of str
        Where features have names.
    n_features_in_ : int
    duality_gap_, primal_objective_, dual_objective_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    X is a list (tuple, Series, array) of sequences, each a (T, d) array, a (T, d) CSR matrix,
    a data frame of T rows, or a list of T feature collections: lists of names, or dicts name ->
    value (CRFsuite's convention). The columns of frames are features: numbers by the name of
    the column, strings as "column:value". Packed features (`pystruct_ext.PackedRows`) are used
    as they are. A sequence of no tokens has no influence on a fit, and is predicted as ``[]``.
    `predict_marginals` gives (T, K) probabilities of labels, whose rows sum to 1, or with
    ``as_dicts=True`` a dict label -> probability for every token; see `calibrate`. `score` is
    the share of right tokens, each with the weight of its sequence; labels never seen at fit
    count as mistakes.

    Memory of a fit: features (4 bytes per name and token, or the array), weights
    (``n_features * K * 4`` bytes, K padded to a multiple of 8) twice, and the working
    set, about 64 bytes per token.

    Examples
    --------
    >>> X = [[["w=the"], ["w=dog"], ["w=runs"]], [["w=a"], ["w=cat"]]]
    >>> y = [["DET", "NOUN", "VERB"], ["DET", "NOUN"]]
    >>> model = SequenceSVM(C=10).fit(X, y)
    >>> model.predict([[["w=the"], ["w=cat"]]])
    [['DET', 'NOUN']]
    """

    _space_class = SequenceSpace
    space_: SequenceSpace

    def __init__(
        self,
        C: float | str | AutoC = 0.1,
        *,
        loss: Any = "hamming",
        constraints: Any = None,
        template: str | None = None,
        features: str = "all",
        min_count: int = 1,
        hash_bits: int | None = None,
        dtype: str = "float32",
        solver: str | Solver = "bcfw",
        tol: float | None = 1e-2,
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
        self.constraints = constraints
        self.template = template
        self.features = features
        self.min_count = min_count
        self.hash_bits = hash_bits
        self.dtype = dtype

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        token_weight: Sequence[ArrayLike] | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> SequenceSVM:
        """Train on sequences X with label sequences y.

        Parameters
        ----------
        X : list of n sequences
            See the notes of the class.
        y : list of n label lists
        sample_weight : (n,) array-like, optional
            Weight of each sequence.
        token_weight : list of n (T,) array-likes, optional
            Weight of each token in the loss.
        groups : (n,) array-like, optional
            With ``C="auto"``: examples of one group are held out together.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the argument, the example, what was seen and what was expected.
        """
        self._train(
            self._training(X, y, sample_weight, groups, token_weight=token_weight)
        )
        return self

    def _set_domain_attributes(self, X: Any, y: Any) -> None:
        self.n_features_in_ = self.space_.encoder_.width

    # Fitted attributes that are views of the weights.

    def _part(self, name: str) -> Any:
        w = self._fitted_weights()
        return self.space_.split(w)[name]

    @property
    def coef_(self) -> Any:
        """State weights, (K, n_features)."""
        return self._part("state")

    @property
    def transitions_(self) -> NDArray[np.floating]:
        """Transition weights, (K, K), from row to column."""
        return self._part("transitions")  # type: ignore[no-any-return]

    @property
    def start_(self) -> NDArray[np.floating]:
        """Weights of the first label, (K,)."""
        return self._part("start")  # type: ignore[no-any-return]

    @property
    def end_(self) -> NDArray[np.floating]:
        """Weights of the last label, (K,)."""
        return self._part("end")  # type: ignore[no-any-return]

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels, sorted, (K,)."""
        if not hasattr(self, "space_"):
            raise AttributeError("this SequenceSVM is not fitted yet; call fit first")
        return np.array(self.space_.classes_)

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features, where they have any."""
        names = self.space_.encoder_.names() if hasattr(self, "space_") else None
        if names is None:
            raise AttributeError("the features of this model have no names")
        return np.array(names, dtype=object)

    # Prediction.

    def _held_out_truth(self, training: Training) -> Any:
        if not isinstance(training.y, CodedLabels):
            return training.y
        packed = training.packed
        return self.space_.labels_of(packed.labels, packed.rows.offsets)

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        right = total = 0.0
        pairs = zip(map(as_sequence, y_true), map(as_sequence, y_pred), strict=True)
        for i, (a, b) in enumerate(pairs):
            if len(a) != len(b):
                raise ValueError(
                    f"y: example {i} has {len(a)} labels, but X has {len(b)} tokens there"
                )
            c = 1.0 if sample_weight is None else float(sample_weight[i])
            right += c * sum(p == q for p, q in zip(a, b, strict=True))
            total += c * len(a)
        return right / total if total else float("nan")

    def decision_function(self, X: Sequence[Any]) -> list[NDArray[np.floating]]:
        """State scores of every token, without transitions: n (T, K) arrays."""
        check_is_fitted(self, "_w")
        asked = Asked.of(self.space_, X)
        found: list[Any] = []
        if asked.packed is not None:
            found = self.space_.state_scores(self._w, asked.packed)
        return asked.batch.spread(found, asked.batch.empty_marginals())

    def _held_out_scorer(
        self, X: Any, y: Any, metric: Callable[[Any, Any], float] | None
    ) -> Callable[[NDArray[np.floating]], float]:
        # Pack once; only the decoding is repeated.
        space, threads = self.space_, self._threads()
        asked, y = Asked.of(space, X), as_examples(y, "y")
        oracle, batch = asked.oracle, asked.batch
        if oracle is None:
            raise ValueError("HeldOutScore: all held-out examples are empty")

        def score(w: NDArray[np.floating]) -> float:
            found = space.labels_of(*oracle.decode_flat(w, None, threads))
            predicted = batch.spread(found, batch.outputs())
            return float((metric or self._default_metric)(y, predicted))

        return score

    # Inspection.

    def top_features(self, label: Any, k: int = 10) -> list[tuple[str, float]]:
        """The k features with the largest weights for a label.

        Parameters
        ----------
        label : one of ``classes_``
        k : int, default=10

        Returns
        -------
        list of (name, weight)
            Largest first; columns without names are called ``x0``, ``x1``, ...
        """
        check_is_fitted(self, "_w")
        classes = self.space_.classes_
        if label not in classes:
            raise ValueError(f"label must be one of {classes}, got {label!r}")
        row = self.coef_[[classes.index(label)]]
        row = np.asarray(row.todense() if hasattr(row, "todense") else row).ravel()
        k = min(int(k), len(row))
        top = np.argpartition(-row, k - 1)[:k] if k else np.empty(0, dtype=int)
        top = top[np.lexsort((top, -row[top]))]
        names = self.space_.encoder_.names()
        return [(names[j] if names else f"x{j}", float(row[j])) for j in top]

    def top_transitions(self, k: int = 10) -> list[tuple[Any, Any, float]]:
        """The k transitions with the largest weights: (from, to, weight), largest first."""
        check_is_fitted(self, "_w")
        weights = self.transitions_
        classes = self.space_.classes_
        order = np.argsort(-weights, axis=None, kind="stable")[: int(k)]
        rows, columns = np.unravel_index(order, weights.shape)
        return [
            (classes[p], classes[q], float(weights[p, q]))
            for p, q in zip(rows, columns, strict=True)
        ]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


__all__ = ["SequenceSVM"]
