"""What all estimators share: fitting, certificates, prediction, scores."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from pystruct_ext._core import Oracle
from pystruct_ext.estimators._arguments import (
    c_to_lam,
    check_weights,
    effective_n_jobs,
)
from pystruct_ext.estimators._batches import Asked, Batch
from pystruct_ext.estimators._calibration import best_temperature
from pystruct_ext.estimators._verdict import accept_or_warn
from pystruct_ext.estimators._whole import all_or_nothing
from pystruct_ext.estimators.callbacks import HeldOutScore
from pystruct_ext.persistence import save as save_model
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver, SolverResult, WorkingSet, get_solver
from pystruct_ext.solvers.base import generator
from pystruct_ext.solvers.certificate import recertify
from pystruct_ext.spaces import OutputSpace
from pystruct_ext.utils.examples import OutputList, as_examples
from pystruct_ext.utils.fitted import Fitted

if TYPE_CHECKING:
    from typing_extensions import Self


@storable(kind="model", leave_out=("callback",), private=("_w",), abstract=True)
class BaseStructuralSVM(BaseEstimator):
    """Subclass it to make an estimator for an `OutputSpace` of your own.

    A subclass names its space in the class attribute `_space_class`, and lists its
    parameters in an ``__init__`` that stores its own and hands the others to
    ``super().__init__``. Every parameter of the space that the estimator has under the same
    name is passed on; the estimator's ``loss`` is the space's ``task_loss``. Without
    parameters of its own a subclass needs no ``__init__``.

    Parameters
    ----------
    C : float, default=1.0
        Weight of the sum of hinges.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
    space_ : OutputSpace
    primal_objective_, dual_objective_, duality_gap_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    Hooks: `_default_metric` (what `score` says), `_set_domain_attributes` (fitted
    attributes that follow from the data), `_space_params` (parameters of the space that
    are not the estimator's), `_solver_name`, `_make_solver` and `_prior_weights`.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext.estimators import BaseStructuralSVM
    >>> from pystruct_ext.spaces import MulticlassSpace
    >>> class RowSVM(BaseStructuralSVM):
    ...     _space_class = MulticlassSpace
    ...
    ...     def __init__(self, C=1.0, *, loss="zero_one", solver="bcfw", tol=None):
    ...         super().__init__(C, solver, tol)
    ...         self.loss = loss
    >>> RowSVM(C=10).fit(np.eye(3), ["a", "b", "c"]).predict(np.eye(3)[:1])
    ['a']
    """

    # The space of an estimator, made by parameter name.
    _space_class: ClassVar[type[OutputSpace]]
    # Whether the examples are rows of queries: only whole queries can be held out.
    _grouped_in_queries: ClassVar[bool] = False
    # Whether X is a matrix of rows, which scikit-learn can validate.
    _takes_matrices: ClassVar[bool] = False

    space_: OutputSpace

    def __init__(
        self,
        C: float = 1.0,
        solver: str | Solver = "bcfw",
        tol: float | None = None,
        max_iter: int | None = None,
        max_time: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        callback: Any = None,
    ) -> None:
        self.C = C
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.callback = callback

    # Hooks of subclasses.

    def _space_params(self) -> dict[str, Any]:
        """Parameters of the space that are parameters of the estimator, too."""
        own = self.get_params(deep=False)
        if "loss" in own:
            own["task_loss"] = own["loss"]
        names = self._space_class._get_param_names()
        return {name: own[name] for name in names if name in own}

    def _make_space(self) -> OutputSpace:
        """An unfitted space with the estimator's parameters."""
        return self._space_class(**self._space_params())

    def _solver_name(self) -> str | Solver:
        """The solver to use, where the parameter leaves that open."""
        return self.solver

    def _make_solver(self) -> Solver:
        return get_solver(
            self._solver_name(),
            tol=self.tol,
            max_iter=self.max_iter,
            max_time=self.max_time,
            n_jobs=None if self.n_jobs is None else self._threads(),
            random_state=self.random_state,
            verbose=self.verbose or None,
        )

    def _aim(self, space: OutputSpace, n: int) -> float | None:
        """A tighter tolerance to aim at where that is almost free, or None."""
        return None

    def _prior_weights(self, space: OutputSpace) -> NDArray[np.floating] | None:
        """(size_psi,) weights of a fitted space to draw to, 1/2 ||w - these||^2; None is 0."""
        return None

    def _feature_name(self, j: int) -> str | None:
        """Name of the feature behind entry j of psi, for messages."""
        column = self.space_.input_feature(j)
        if column is None:
            return None
        names = getattr(self, "feature_names_in_", ())
        return repr(str(names[column])) if column < len(names) else f"feature {column}"

    def _set_domain_attributes(self, X: Any, y: Any) -> None:
        """Set fitted attributes that follow from the data and the fitted space alone."""

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        """What `score` says of predictions; larger is better."""
        losses = [self.space_.loss(a, b) for a, b in zip(y_true, y_pred, strict=True)]
        return -float(np.average(losses, weights=sample_weight))

    # Fitting.

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train on examples X with outputs y.

        Parameters
        ----------
        X, y : sequences of length n
            See the notes of the class.
        sample_weight : (n,) array-like, optional
            Weight s_i >= 0 of each example.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the argument, the example, what was seen and what was expected.
        """
        self._solve(*self._pack_for_fit(X, y, sample_weight))
        return self

    def _pack_for_fit(
        self, X: Any, y: Any, sample_weight: ArrayLike | None = None, **packing: Any
    ) -> tuple[Any, ArrayLike | None]:
        """Packed examples and their weights; sets the fitted space.

        Other arguments are what else ``fit_pack`` takes for each example.
        """
        c_to_lam(self.C, 1)
        self._make_solver()
        space: Any = self._make_space()
        batch = Batch(space, X, y)
        more = {key: batch.kept(value, key) for key, value in packing.items()}
        with batch.own_numbers():
            packed = space.fit_pack(batch.X, batch.y, **more)
        self.space_ = space
        self._set_domain_attributes(batch.X, batch.y)
        return packed, batch.kept_weights(sample_weight)

    def _callbacks(self) -> list[Any]:
        if self.callback is None:
            return []
        if callable(self.callback):
            return [self.callback]
        if not isinstance(self.callback, (list, tuple)) or not all(
            map(callable, self.callback)
        ):
            raise TypeError(
                "callback must be None, a callable or a list of callables, got "
                f"{self.callback!r}"
            )
        return list(self.callback)

    def _solve(
        self,
        packed: Any,
        sample_weight: ArrayLike | None,
        working_set: WorkingSet | None = None,
        oracle: Oracle | None = None,
        w_prior: NDArray[np.floating] | None = None,
    ) -> SolverResult:
        """Solve on packed examples and set the fitted attributes."""
        space, solver = self.space_, self._make_solver()
        aim = self._aim(space, len(packed))
        if aim is not None:
            accept = solver.tol
            solver.set_params(tol=aim)
        if oracle is None:
            oracle = space.bind(packed)
        oracle.feature_name = self._feature_name
        n = oracle.n_blocks
        lam = c_to_lam(self.C, n)
        weight = check_weights(sample_weight, n)
        if w_prior is None:
            w_prior = self._prior_weights(space)
        callbacks = self._callbacks()
        for callback in callbacks:
            if isinstance(callback, HeldOutScore):
                callback.start(self)
        with warnings.catch_warnings():
            if aim is not None:
                warnings.simplefilter("ignore", ConvergenceWarning)
            result = solver.solve(
                oracle,
                lam,
                block_weight=weight,
                w_prior=w_prior,
                working_set=working_set,
                callback=callbacks or None,
            )
        if aim is not None and result.status == "max_iter":
            accept_or_warn(result, accept, oracle, self.C, solver)
        for callback in callbacks:
            if isinstance(callback, HeldOutScore):
                best = callback.finish()
                if best is not None:
                    result = recertify(
                        result, oracle, lam, weight, best, self._threads(), w_prior
                    )
        self._set_result(result, lam)
        return result

    def _set_result(self, result: SolverResult, lam: float) -> None:
        """Fitted attributes; objectives in the estimator's scale, 1/2 ||w||^2 + C sum."""
        # Found for other weights.
        self.__dict__.pop("temperature_", None)
        self._w = result.coef
        self.primal_objective_ = result.primal / lam
        self.dual_objective_ = result.dual / lam
        self.duality_gap_ = result.gap / lam
        self.relative_gap_ = result.relative_gap
        self.certificate_ = result.certificate
        self.status_ = result.status
        self.n_iter_ = result.n_iter
        self.n_oracle_calls_ = result.n_oracle_calls
        history = result.history
        for row in history:
            for key in ("primal", "dual", "gap"):
                row[key] /= lam
        self.history_ = history
        self.solver_info_ = dict(result.extra)

    def _held_out_scorer(
        self, X: Any, y: Any, metric: Callable[[Any, Any], float] | None
    ) -> Callable[[NDArray[np.floating]], float]:
        """A function of the weights that scores held-out examples."""

        def score(w: NDArray[np.floating]) -> float:
            y_pred = self._decode(w, X)
            return float((metric or self._default_metric)(y, y_pred))

        return score

    def _threads(self) -> int:
        return effective_n_jobs(self.n_jobs)

    def _decode(self, w: NDArray[np.floating], X: Any) -> Any:
        batch = Batch(self.space_, X)
        if not batch.empty:
            return self.space_.decode_batch(w, batch.X, self._threads())
        found: list[Any] = []
        if len(batch.X):
            with batch.own_numbers():
                found = self.space_.decode_batch(w, batch.X, self._threads())
        return batch.spread(found, batch.outputs())

    # The fitted model.

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes fit together; called after loading."""
        fitted = Fitted(self)
        space = fitted.instance("space_", OutputSpace)
        if not hasattr(space, "size_psi_"):
            raise ValueError(f"{type(self).__name__}.space_ is not fitted")
        own = getattr(self, "_space_class", OutputSpace)
        fitted.instance("space_", own)
        fitted.array("_w", (int(space.size_psi_),), ("float32", "float64"))
        if self.n_jobs is not None:
            fitted.integer("n_jobs", -(1 << 62))
        for name in ("status_", "certificate_"):
            fitted.instance(name, str)
        for name in ("n_iter_", "n_oracle_calls_"):
            fitted.integer(name, 0)
        for name in ("primal_objective_", "dual_objective_", "relative_gap_"):
            fitted.instance(name, float)  # NaN where a solver knows none
        if hasattr(self, "temperature_"):
            fitted.number("temperature_", np.finfo(np.float64).tiny)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_w")

    def _fitted_weights(self) -> NDArray[np.floating]:
        """The weights; for properties, whose error has to be an AttributeError."""
        if not hasattr(self, "_w"):
            raise NotFittedError(
                f"this {type(self).__name__} is not fitted yet; call fit first"
            )
        return self._w

    @property
    def coef_(self) -> Any:
        """Weights, (size_psi,)."""
        return self._fitted_weights()

    def predict(self, X: Any) -> Any:
        """Best output of every example.

        Parameters
        ----------
        X : sequence of n examples

        Returns
        -------
        list of n outputs
            Its ``np.asarray`` has one entry per output, so that `cross_val_predict` works.
        """
        check_is_fitted(self, "_w")
        return OutputList(self._decode(self._w, X))

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The metric of the structure on held-out examples; larger is better.

        Parameters
        ----------
        X, y : sequences of length n
        sample_weight : (n,) array-like, optional
            Weight of each example: 2 counts it twice, 0 leaves it out.

        Returns
        -------
        float
            See the notes of the class; minus the mean task loss where they say nothing.
        """
        X, y = as_examples(X), as_examples(y, "y")
        predicted = self.predict(X)
        if len(y) != len(predicted):
            raise ValueError(
                f"X and y must have the same number of examples, got {len(predicted)} "
                f"and {len(y)}"
            )
        return self._default_metric(y, predicted, check_weights(sample_weight, len(y)))

    def predict_k_best(self, X: Any, k: int) -> list[list[tuple[float, Any]]]:
        """The k best outputs of every example.

        Parameters
        ----------
        X : list of n examples
        k : int
            Fewer are returned where there are fewer.

        Returns
        -------
        list of n lists of (score, output)
            Best first; distinct outputs.

        Raises
        ------
        NotImplementedError
            If the space has no such search.
        """
        check_is_fitted(self, "_w")
        if not isinstance(k, (int, np.integer)) or k < 1:
            raise ValueError(f"k must be an integer >= 1, got {k!r}")
        asked = self._asked(X, "k_best", "k best outputs")
        out = []
        for i in asked.blocks:
            codes, scores = asked.oracle.k_best(self._w, i, int(k))
            out.append(
                [
                    (float(s), asked.output_of(code, i))
                    for s, code in zip(scores, codes.tolist(), strict=True)
                ]
            )
        return asked.batch.spread(out, [[(0.0, y)] for y in asked.batch.outputs()])

    def predict_marginals(
        self, X: Any, temperature: float | None = None, *, as_dicts: bool = False
    ) -> list[Any]:
        """Probabilities of parts under ``exp(<w, psi> / temperature)``.

        A structural SVM is not trained as a probabilistic model: call `calibrate` with
        held-out examples first where the numbers have to mean something.

        Parameters
        ----------
        X : list of n examples
        temperature : float, optional
            Larger is flatter; by default `temperature_` of `calibrate`, or 1.
        as_dicts : bool, default=False
            Dicts with labels for keys in place of an array; of sequences, one dict label ->
            probability for every token, as sklearn-crfsuite has it.

        Returns
        -------
        list of n arrays, or of n lists of dicts
            See the notes of the class for what they hold.

        Raises
        ------
        NotImplementedError
            If the space has no marginals, or no such dicts.
        """
        t = self._temperature(temperature)
        asked = self._asked(X, "marginals", "marginals")
        found: list[Any] = [
            asked.oracle.marginals(self._w, i, t)[0] for i in asked.blocks
        ]
        found = asked.batch.spread(found, asked.batch.empty_marginals())
        if not as_dicts:
            return found
        space: Any = self.space_
        if not hasattr(space, "marginals_as_dicts"):
            raise NotImplementedError(
                f"{type(space).__name__} has no marginals as dicts"
            )
        return [space.marginals_as_dicts(p) for p in found]

    def log_partition(
        self, X: Any, temperature: float | None = None
    ) -> NDArray[np.float64]:
        """``log sum_y exp(<w, psi(x, y)> / temperature)`` of every example, (n,).

        Parameters
        ----------
        X : list of n examples
        temperature : float, optional
            As for `predict_marginals`.

        Raises
        ------
        NotImplementedError
            If the space has no log-partition.
        """
        t = self._temperature(temperature)
        asked = self._asked(X, "marginals", "log-partition function")
        found = [asked.oracle.log_partition(self._w, i, t) for i in asked.blocks]
        zeros = [0.0] * len(asked.batch.empty)  # one output, of score 0
        return np.array(asked.batch.spread(found, zeros), dtype=np.float64)

    def calibrate(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        of: str = "outputs",
    ) -> Self:
        """Find the temperature at which probabilities are right, from held-out examples.

        The weights, and so the predictions, stay as they are; `predict_marginals`,
        `log_partition` and `sample` use the temperature where none is given.

        Parameters
        ----------
        X, y : sequences of length n
            Examples that the model was not trained on: of those of training it is too sure.
            Examples with labels never seen at fit are left out.
        sample_weight : (n,) array-like, optional
        of : {"outputs", "parts"}, default="outputs"
            What is made as probable as possible: the true outputs as wholes, which is the
            likelihood of a conditional random field and convex in ``1 / temperature``; or
            their parts one by one (labels of tokens, arcs, pairs of bases), by the log loss of
            the marginals.

        Returns
        -------
        self

        Raises
        ------
        NotImplementedError
            If the space has no marginals.

        Notes
        -----
        Sets `temperature_`, which is saved with the model and forgotten by the next `fit`.

        References
        ----------
        Guo, Pleiss, Sun and Weinberger, ICML 2017 (temperature scaling).

        Examples
        --------
        >>> import numpy as np
        >>> from pystruct_ext import SequenceSVM
        >>> rng = np.random.default_rng(0)
        >>> X = [rng.normal(size=(5, 2)) for _ in range(40)]
        >>> y = [(x[:, 0] + rng.normal(size=5) > 0).astype(int) for x in X]
        >>> model = SequenceSVM(C=0.01).fit(X[:20], y[:20]).calibrate(X[20:], y[20:])
        >>> 0 < model.temperature_ < 1
        True
        """
        check_is_fitted(self, "_w")
        self.temperature_ = best_temperature(self, X, y, sample_weight, of)
        return self

    def _temperature(self, given: float | None) -> float:
        if given is None:
            return float(getattr(self, "temperature_", 1.0))
        if not isinstance(given, Real) or not given > 0:
            raise ValueError(f"temperature must be > 0, got {given!r}")
        return float(given)

    def sample(
        self,
        X: Any,
        n_samples: int = 1,
        temperature: float | None = None,
        random_state: Any = None,
    ) -> list[list[Any]]:
        """Outputs drawn from ``exp(<w, psi(x, y)> / temperature) / Z``, independently.

        Parameters
        ----------
        X : list of n examples
        n_samples : int, default=1
            Draws for each example.
        temperature : float, optional
            Larger is nearer to uniform; by default as for `predict_marginals`.
        random_state : int, RandomState, Generator or None, default=None
            An int gives the same draws again.

        Returns
        -------
        list of n lists of n_samples outputs

        Raises
        ------
        NotImplementedError
            If the space cannot be sampled from.
        """
        t = self._temperature(temperature)
        if not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer >= 1, got {n_samples!r}")
        asked = self._asked(X, "sample", "samples")
        seeds = generator(random_state).integers(
            0, 2**63, size=len(asked.blocks), dtype=np.int64
        )
        out = [
            [
                asked.output_of(code, i)
                for code in asked.oracle.sample(
                    self._w, i, int(n_samples), t, int(seeds[i])
                ).tolist()
            ]
            for i in asked.blocks
        ]
        empty = [[y] * int(n_samples) for y in asked.batch.outputs()]
        return asked.batch.spread(out, empty)

    def _rows(self, X: Any) -> Any:
        """X as the space takes it."""
        return as_examples(X)

    def _asked(self, X: Any, verb: str, what: str) -> Asked:
        """Examples as an oracle that answers `verb`."""
        check_is_fitted(self, "_w")
        asked = None
        if not self._grouped_in_queries:
            asked = Asked.of(self.space_, self._rows(X))
        if asked is None or verb not in asked.verbs:
            raise NotImplementedError(f"{type(self.space_).__name__} offers no {what}")
        return asked

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if not self._takes_matrices:
            tags.estimator_type = None
            tags.target_tags.required = True
            tags.input_tags.two_d_array = False
            tags.no_validation = True
        return tags

    def save(self, path: Any) -> None:
        """Write the fitted model to one file; see `pystruct_ext.load`.

        Parameters
        ----------
        path : path-like
            The file is written beside it under a temporary name, then renamed.
        """
        save_model(self, path)


__all__ = ["BaseStructuralSVM"]
