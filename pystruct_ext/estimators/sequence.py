"""Sequence labelling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators.structural import (
    BaseStructuralSVM,
    c_to_lam,
    check_weights,
    effective_n_jobs,
)
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import SequenceSpace
from pystruct_ext.spaces._kernels import chain as chain_kernel


class SequenceSVM(BaseStructuralSVM):
    """Structural SVM for sequence labelling with a first-order chain.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` where the hinge is over all label
    sequences and the loss adds up over tokens; decoding is exact (Viterbi).

    Parameters
    ----------
    C : float, default=1.0
        Weight of the sum of hinges. For text with many sparse features 0.1 is a good
        first try.
    loss : {"hamming", "zero_one"}, (K, K) array or mapping, default="hamming"
        Cost of a wrong label; see `pystruct_ext.losses.cost_matrix`.
    constraints : None, "BIO", "BILOU", (K, K) bool array or mapping, default=None
        Transitions that predictions may use; see
        `pystruct_ext.spaces.allowed_transitions`.
    template : str or None, default=None
        Text of a CRF++ feature template. X is then what
        `pystruct_ext.datasets.read_conll` returns, or a list of sequences whose tokens
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
        State weights; a view, not a copy.
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
    X is a list of sequences, each a (T, d) array, a (T, d) CSR matrix, or a list of T
    feature collections: lists of names, or dicts name -> value (CRFsuite's convention).
    Packed features (`pystruct_ext.PackedRows`) are used as they are.

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

    def __init__(
        self,
        C: float = 1.0,
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
        self.C = C
        self.loss = loss
        self.constraints = constraints
        self.template = template
        self.features = features
        self.min_count = min_count
        self.hash_bits = hash_bits
        self.dtype = dtype
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.callback = callback

    def _make_space(self) -> SequenceSpace:
        return SequenceSpace(
            self.loss,
            self.constraints,
            self.template,
            self.features,
            self.min_count,
            self.hash_bits,
            self.dtype,
        )

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        token_weight: Sequence[ArrayLike] | None = None,
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

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the argument, the example, what was seen and what was expected.
        """
        c_to_lam(self.C, 1)
        self._make_solver()
        self.space_ = self._make_space()
        packed = self.space_.fit_pack(X, y, token_weight)
        self._solve(packed, sample_weight)
        self.n_features_in_ = self.space_.n_features_
        return self

    # Fitted attributes that are views of the weights.

    def _part(self, name: str) -> Any:
        if not hasattr(self, "_w"):
            raise AttributeError(
                f"this {type(self).__name__} is not fitted yet; call fit first"
            )
        return self.space_.split(self._w)[name]

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

    def predict(self, X: Any) -> list[list[Any]]:
        """Best label sequence of every example: a list of lists of labels."""
        check_is_fitted(self, "_w")
        return self._decode(self._w, X)  # type: ignore[no-any-return]

    def predict_k_best(
        self, X: Sequence[Any], k: int
    ) -> list[list[tuple[float, list[Any]]]]:
        """The k best label sequences of every example.

        Parameters
        ----------
        X : list of n sequences
        k : int
            Fewer are returned where there are fewer.

        Returns
        -------
        list of n lists of (score, labels)
            Best first; distinct sequences.
        """
        check_is_fitted(self, "_w")
        if not isinstance(k, (int, np.integer)) or k < 1:
            raise ValueError(f"k must be an integer >= 1, got {k!r}")
        oracle = self.space_.bind(self.space_.pack(X))
        table = self.space_.classes_
        out = []
        for i in range(oracle.n_blocks):
            codes, scores = chain_kernel.k_best(oracle, self._w, i, int(k))
            out.append(
                [
                    (float(s), [table[c] for c in code])
                    for s, code in zip(scores, codes.tolist(), strict=True)
                ]
            )
        return out

    def predict_marginals(
        self, X: Sequence[Any], temperature: float = 1.0
    ) -> list[NDArray[np.float64]]:
        """Marginals of the Gibbs distribution ``exp(<w, psi> / temperature)``.

        These are scores, not calibrated probabilities: a structural SVM is not trained
        as a probabilistic model.

        Parameters
        ----------
        X : list of n sequences
        temperature : float, default=1.0
            Larger is flatter.

        Returns
        -------
        list of n (T, K) arrays
            Rows sum to 1.
        """
        check_is_fitted(self, "_w")
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature!r}")
        oracle = self.space_.bind(self.space_.pack(X))
        return [
            chain_kernel.marginals(oracle, self._w, i, float(temperature))[0]
            for i in range(oracle.n_blocks)
        ]

    def decision_function(self, X: Sequence[Any]) -> list[NDArray[np.floating]]:
        """State scores of every token, without transitions: n (T, K) arrays."""
        check_is_fitted(self, "_w")
        oracle = self.space_.bind(self.space_.pack(X))
        return [
            chain_kernel.potentials(oracle, self._w, i) for i in range(oracle.n_blocks)
        ]

    def score(
        self, X: Sequence[Any], y: Sequence[Any], sample_weight: ArrayLike | None = None
    ) -> float:
        """Token accuracy; labels never seen at fit count as mistakes."""
        return _token_accuracy(y, self.predict(X), sample_weight)

    def _default_metric(self, y_true: Any, y_pred: Any) -> float:
        return _token_accuracy(y_true, y_pred, None)

    def _held_out_scorer(
        self, X: Any, y: Any, metric: Callable[[Any, Any], float] | None
    ) -> Callable[[NDArray[np.floating]], float]:
        # Pack once; only the decoding is repeated.
        space = self.space_
        oracle = space.bind(space.pack(X))
        threads = effective_n_jobs(self.n_jobs)

        def score(w: NDArray[np.floating]) -> float:
            predicted = space.labels_of(*oracle.decode_flat(w, None, threads))
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

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_w")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = None
        tags.target_tags.required = True
        tags.input_tags.two_d_array = False
        tags.input_tags.sparse = True
        tags.no_validation = True
        return tags


def _token_accuracy(
    y_true: Sequence[Any], y_pred: Sequence[Any], sample_weight: ArrayLike | None
) -> float:
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"X and y must have the same number of examples, got {len(y_pred)} and "
            f"{len(y_true)}"
        )
    weight = check_weights(sample_weight, len(y_true))
    right = total = 0.0
    for i, (a, b) in enumerate(zip(y_true, y_pred, strict=True)):
        if len(a) != len(b):
            raise ValueError(
                f"y: example {i} has {len(a)} labels, but X has {len(b)} tokens there"
            )
        c = 1.0 if weight is None else float(weight[i])
        right += c * sum(p == q for p, q in zip(a, b, strict=True))
        total += c * len(a)
    return right / total if total else float("nan")
