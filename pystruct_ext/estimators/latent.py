"""Training from outputs of which only some parts are known."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators._arguments import check_weights
from pystruct_ext.estimators._auto_fits import FitProblem, take_over
from pystruct_ext.estimators._batches import Batch
from pystruct_ext.estimators._rounds import Clock, Data, Rounds
from pystruct_ext.estimators._training import (
    check_c,
    check_groups,
    find_c,
    metric_of,
)
from pystruct_ext.estimators._whole import all_or_nothing
from pystruct_ext.estimators.auto_c import AutoC, is_auto, settings_of
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.persistence import save as save_model
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import InterruptedWarning
from pystruct_ext.solvers.base import generator
from pystruct_ext.utils.callers import user_stacklevel
from pystruct_ext.utils.examples import OutputList, n_rows_of
from pystruct_ext.utils.fitted import Fitted

if TYPE_CHECKING:
    from typing_extensions import Self


def _offers(name: str) -> Callable[[Any], bool]:
    """Whether the wrapped estimator has a method."""

    def check(self: Any) -> bool:
        return hasattr(getattr(self, "estimator_", self.estimator), name)

    return check


@storable(kind="model", leave_out=("callback", "imputed_"))
class LatentStructuralSVM(BaseEstimator):
    """Structural SVM for outputs with missing parts: hidden variables.

    Minimises ``1/2 ||w||^2 + C sum_i s_i [max_z Delta(y_i, z) + <w, psi(x_i, z)> - max_h
    <w, psi(x_i, h)>]``, where h runs over the complete outputs that agree with what is known
    of y_i, and Delta counts only what is known. The problem is not convex: in rounds, the
    missing parts are filled with their best completions under the present weights, and the
    convex problem that this gives is solved (CCCP). The objective never rises.

    Parameters
    ----------
    estimator : estimator of this package
        What is trained, such as ``SequenceSVM()`` or ``StructuralSVM(space)``; its space must
        have ``impute``. Cloned, never changed; with ``C="auto"`` its clone has the C found.
        Its `tol` is the relative gap that the last solves of a fit reach, the first ones may be
        ten times looser.
    n_init : int, default=1
        Starts; the one of the smallest objective counts. The first learns its weights from
        the parts of the examples that are complete, where there are any, the others begin
        with random imputations.
    max_rounds : int, default=50
        Largest number of rounds of each start.
    tol : float or None, default=None
        Rounds stop where the objective goes down by less than this share; None is the `tol`
        of the estimator's solver.
    init : {"complete", "random"} or list of n outputs, default="complete"
        How the first start begins: with weights from the complete parts, with random
        imputations, or with the given complete outputs.
    max_time : float or None, default=None
        Largest number of seconds of training.
    random_state : int, RandomState, Generator or None, default=0
        Seed of random imputations.
    callback : callable, list of callables, or None, default=None
        Called after every round with a `LatentProgress`; a true result stops.

    Attributes
    ----------
    estimator_ : estimator
        Fitted clone of `estimator`: the weights of the best start.
    objective_ : float
        Latent objective at these weights.
    objective_path_ : ndarray
        Latent objective of the best start: at its first weights, if it begins with weights,
        and after each round. It never rises.
    n_rounds_ : int
    rounds_ : list of dict
        One for each inner solve of all starts, with its certificate: ``restart``, ``round``,
        ``tol``, ``primal``, ``dual``, ``relative_gap``, ``certificate``, ``status``,
        ``n_iter``, ``n_oracle_calls``, ``seconds``; ``accepted`` is false for a solve that
        was too loose to go down, and was repeated or was the last; ``objective`` and
        ``n_changed``, the examples whose imputed output changes after it.
    imputed_ : list of n outputs
        The training outputs with their missing parts filled. Not saved with the model.
    status_ : {"converged", "max_rounds", "stalled", "max_iter", "max_time", "interrupted", \
"callback"}
        "converged": a round brought less than `tol`, or the dual of its problem proves that it
        cannot. "stalled": no solve went down, though nothing proves that none can.
    certificate_ : {"exact", "bounded", "relaxed", "none"}
        What the gaps of the inner solves prove, of their convex problems. Nothing certifies
        that the minimum of the latent objective is a global one.
    coef_, space_, classes_, n_features_in_, duality_gap_, history_ and others
        Those of `estimator_`, which has them from its last solve.

    Notes
    -----
    `predict`, `score` and the other methods of a fitted estimator are those of `estimator_`.

    Every round starts from the working set of the one before: codes of cuts and dual variables
    stay, their losses and inner products are computed afresh for the new imputed outputs.

    What is missing depends on the structure: see ``docs/latent.md``. In label sequences it is
    a label that is None, or a set of allowed labels.

    References
    ----------
    Yu and Joachims, ICML 2009. Yuille and Rangarajan 2003 (CCCP).

    Examples
    --------
    >>> from pystruct_ext import LatentStructuralSVM, SequenceSVM
    >>> X = [[["w=the"], ["w=dog"], ["w=runs"]], [["w=the"], ["w=cat"]]]
    >>> y = [["DET", "NOUN", "VERB"], [None, "NOUN"]]
    >>> model = LatentStructuralSVM(SequenceSVM(C=10)).fit(X, y)
    >>> model.imputed_[1]
    ['DET', 'NOUN']
    >>> model.predict([[["w=the"], ["w=cat"]]])
    [['DET', 'NOUN']]
    """

    estimator_: Any
    # As of `BaseStructuralSVM`.
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"groups": False}

    def __init__(
        self,
        estimator: Any,
        *,
        n_init: int = 1,
        max_rounds: int = 50,
        tol: float | None = None,
        init: Any = "complete",
        max_time: float | None = None,
        random_state: Any = 0,
        callback: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_init = n_init
        self.max_rounds = max_rounds
        self.tol = tol
        self.init = init
        self.max_time = max_time
        self.random_state = random_state
        self.callback = callback

    # Fitting.

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        **packing: Any,
    ) -> Self:
        """Train on examples X with outputs y, some of which have missing parts.

        Parameters
        ----------
        X, y : sequences of length n
            As the estimator takes them, but for what is missing in y.
        sample_weight : (n,) array-like, optional
            Weight s_i >= 0 of each example.
        groups : (n,) array-like, optional
            With ``C="auto"`` of the estimator: examples of one group are held out together.
        **packing : sequences of length n
            What else the estimator's ``fit`` takes for each example, such as
            ``token_weight`` of `SequenceSVM`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the argument, the example, what was seen and what was expected.
        """
        self._check()
        inner = clone(self.estimator)
        check_c(inner.C, groups)
        tol = self.tol if self.tol is not None else float(inner._make_solver().tol)
        own = getattr(inner, "_latent_examples", None)
        if own is not None:
            X, y = own(X, y)
        batch = Batch(inner._make_space(), X, y)
        more = {key: batch.kept(value, key) for key, value in packing.items()}
        with batch.own_numbers():
            data = self._prepare(inner, batch, sample_weight, more)
        clock, callbacks = Clock(self.max_time), self._callbacks()
        table = None
        if is_auto(inner.C):
            settings = settings_of(inner.C)
            numbers = None if groups is None else check_groups(groups, n_rows_of(X))
            problem = self._problem(
                inner, settings, batch, data.weight, more, batch.kept(numbers, "groups")
            )
            found = find_c(inner, problem, settings, clock.left())
            table = found.table
            if found.interrupted and found.point is not None:
                take_over(self, found.point.model)
                self.status_ = "interrupted"
                self.imputed_ = OutputList(self.impute(X, y))
                if table is not None:
                    self.estimator_.C_path_ = table
                return self
            inner.set_params(C=found.C)
        rng = generator(self.random_state)
        best: Rounds | None = None
        log: list[dict[str, Any]] = []
        for restart in range(self.n_init):
            fresh = inner if restart == 0 else clone(inner)
            if restart:
                vars(fresh).update(_domain(inner))
            run = Rounds(fresh, data, tol, self.max_rounds, clock, callbacks, restart)
            try:
                with batch.own_numbers():
                    self._start(run, restart, batch, rng)
                    run.run()
            except KeyboardInterrupt:
                # Of what is done only whole rounds count.
                if best is None and not run.path:
                    raise
                run.status = "interrupted"
                _keep_last(run)
                warnings.warn(
                    "training was interrupted; the model is the best so far",
                    InterruptedWarning,
                    stacklevel=user_stacklevel(),
                )
            log += run.log
            if run.path and (best is None or run.path[-1] < best.path[-1]):
                best = run
            if run.status in ("max_time", "interrupted", "callback"):
                if best is not None:
                    best.status = run.status
                break
        if best is None:
            raise RuntimeError(
                "LatentStructuralSVM: the first solve ended before it had a result"
            )
        self._set_result(best, log, batch)
        if table is not None:
            self.estimator_.C_path_ = table
        return self

    def _problem(
        self,
        inner: Any,
        settings: AutoC,
        batch: Batch,
        weight: Any,
        more: dict[str, Any],
        groups: Any,
    ) -> FitProblem:
        """Fits of their own at every C, each from the imputed outputs of the one before."""

        def make(C: float, start: Any) -> Any:
            own = clone(inner).set_params(C=C, callback=None, verbose=0)
            init: Any = self.init if isinstance(self.init, str) else "complete"
            if start is not None:
                init = list(start.imputed_)
            return clone(self).set_params(
                estimator=own, init=init, callback=None, max_time=None
            )

        space = inner.space_
        if hasattr(inner, "_latent_examples") or all(map(space.is_complete, batch.y)):
            metric = inner._held_out_metric(settings.scoring)
        else:

            def agreement(y_true: Any, y_pred: Any, weight: Any) -> float:
                # Of outputs with missing parts only what is known can be counted.
                losses = [space.loss(a, b) for a, b in zip(y_true, y_pred, strict=True)]
                return -float(np.average(losses, weights=weight))

            metric = metric_of(settings.scoring, agreement)
        return FitProblem(make, batch.X, batch.y, weight, more, groups, metric)

    def _check(self) -> None:
        if not isinstance(self.estimator, BaseStructuralSVM):
            raise TypeError(
                "estimator must be an estimator of this package, such as SequenceSVM(), got "
                f"{type(self.estimator).__name__}"
            )
        if self.estimator._grouped_in_queries:
            raise TypeError(
                f"estimator must not be a {type(self.estimator).__name__}: rankings have no "
                "missing parts"
            )
        for name in ("n_init", "max_rounds"):
            value = getattr(self, name)
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not whole or value < 1:
                raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
        for name, low in (("tol", 0.0), ("max_time", 0.0)):
            value = getattr(self, name)
            if value is None:
                continue
            real = isinstance(value, (int, float, np.integer, np.floating))
            if not real or isinstance(value, bool) or not value > low:
                raise ValueError(f"{name} must be None or a number > 0, got {value!r}")
        named = self.init if isinstance(self.init, str) else "random"
        given = isinstance(self.init, (list, tuple, np.ndarray, str))
        if not given or named not in ("complete", "random"):
            raise ValueError(
                "init must be 'complete', 'random' or a list of complete outputs, got "
                f"{self.init!r}"
            )

    def _callbacks(self) -> list[Any]:
        given = self.callback
        if given is None:
            return []
        several = list(given) if isinstance(given, (list, tuple)) else [given]
        if not all(map(callable, several)):
            raise TypeError(
                f"callback must be None, a callable or a list of callables, got {given!r}"
            )
        return several

    def _prepare(
        self,
        inner: Any,
        batch: Batch,
        sample_weight: ArrayLike | None,
        more: dict[str, Any],
    ) -> Data:
        """The examples, and the fitted space of the estimator."""
        space = inner._make_space()
        space.validate(batch.X, batch.y)
        space.fit_domain(batch.X, batch.y)
        inner.space_ = space
        inner._set_domain_attributes(batch.X, batch.y)
        X = space.encode(batch.X)
        weight = check_weights(batch.kept_weights(sample_weight), len(X))
        observed = list(batch.y)
        return Data(X, observed, np.ones(len(X)) if weight is None else weight, more)

    def _start(
        self, run: Rounds, restart: int, batch: Batch, rng: np.random.Generator
    ) -> None:
        """Impute for the first time."""
        inner, data = run.estimator, run.data
        space = inner.space_
        if all(map(space.is_complete, data.observed)):
            run.bind(data.observed)
            return
        part = None
        if restart == 0 and not isinstance(self.init, str):
            run.bind(list(batch.kept(self.init, "init")))
            return
        if restart == 0 and self.init == "complete":
            part = space.complete_part(data.X, data.observed)
        if part is not None:
            X, Y, parents = part
            weight = data.weight[np.asarray(parents, dtype=np.int64)]
            if weight.any():
                callback, limit = inner.callback, inner.max_time
                inner.set_params(callback=None, max_time=run.limit())
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    result = inner._solve(space.pack(X, Y), weight)
                inner.set_params(callback=callback, max_time=limit)
                run.start_at(result.coef)
                return
        fixed = restart == 0 and self.init == "complete"
        run.bind(space.guess(data.X, data.observed, None if fixed else rng))

    def _set_result(self, run: Rounds, log: list[dict[str, Any]], batch: Batch) -> None:
        self.estimator_ = run.estimator
        self.objective_path_ = np.array(run.path)
        self.objective_ = run.path[-1]
        self.n_rounds_ = run.n_rounds
        self.rounds_ = log
        self.status_ = run.status
        self.certificate_ = _weakest(
            [r["certificate"] for r in log if r["restart"] == run.restart]
        )
        self.imputed_ = OutputList(batch.spread(run.Y, batch.outputs()))
        if run.status == "max_rounds":
            warnings.warn(
                f"stopped after max_rounds={self.max_rounds} rounds; the last of them "
                "brought the objective down by more than tol",
                ConvergenceWarning,
                stacklevel=user_stacklevel(),
            )

    # The fitted model.

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes fit together; called after loading."""
        if not hasattr(self, "estimator_"):
            return
        fitted = Fitted(self)
        inner = fitted.instance("estimator_", BaseStructuralSVM)
        if not hasattr(inner, "_w"):
            raise ValueError("LatentStructuralSVM.estimator_ is not fitted")
        n = fitted.integer("n_rounds_", 0)
        path = fitted.instance("objective_path_", np.ndarray)
        if path.shape not in ((n,), (n + 1,)) or path.dtype != np.float64:
            raise ValueError(
                f"LatentStructuralSVM.objective_path_ must be {n} or {n + 1} numbers"
            )
        fitted.instance("objective_", float)
        fitted.instance("rounds_", list)
        for name in ("status_", "certificate_"):
            fitted.instance(name, str)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def _fitted(self) -> Any:
        check_is_fitted(self)
        return self.estimator_

    def __getattr__(self, name: str) -> Any:
        # Fitted attributes that are not its own are the estimator's.
        if name.endswith("_") and not name.startswith("_"):
            if "estimator_" not in vars(self):
                raise NotFittedError(
                    "this LatentStructuralSVM is not fitted yet; call fit first"
                )
            return getattr(self.estimator_, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def predict(self, X: Any) -> Any:
        """Best output of every example; see the estimator's ``predict``."""
        return self._fitted().predict(X)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The estimator's ``score`` on complete held-out examples; larger is better."""
        return float(self._fitted().score(X, y, sample_weight))

    @available_if(_offers("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """See the estimator's ``decision_function``."""
        return self._fitted().decision_function(X)

    @available_if(_offers("predict_k_best"))  # type: ignore[untyped-decorator]
    def predict_k_best(self, X: Any, k: int) -> Any:
        """The k best outputs of every example; see the estimator's."""
        return self._fitted().predict_k_best(X, k)

    @available_if(_offers("predict_marginals"))  # type: ignore[untyped-decorator]
    def predict_marginals(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        """Probabilities of parts; see the estimator's ``predict_marginals``."""
        return self._fitted().predict_marginals(X, *args, **kwargs)

    @available_if(_offers("log_partition"))  # type: ignore[untyped-decorator]
    def log_partition(self, X: Any, temperature: float | None = None) -> Any:
        """See the estimator's ``log_partition``."""
        return self._fitted().log_partition(X, temperature)

    @available_if(_offers("sample"))  # type: ignore[untyped-decorator]
    def sample(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        """Outputs at random; see the estimator's ``sample``."""
        return self._fitted().sample(X, *args, **kwargs)

    @available_if(_offers("calibrate"))  # type: ignore[untyped-decorator]
    def calibrate(self, X: Any, y: Any, *args: Any, **kwargs: Any) -> Self:
        """Find the temperature of probabilities; see the estimator's ``calibrate``."""
        self._fitted().calibrate(X, y, *args, **kwargs)
        return self

    def impute(self, X: Any, y: Any) -> list[Any]:
        """Fill the missing parts of outputs with their best completions.

        Parameters
        ----------
        X, y : sequences of length n

        Returns
        -------
        list of n complete outputs
        """
        inner = self._fitted()
        batch = Batch(inner.space_, X, y)
        with batch.own_numbers():
            found = inner.space_.impute_batch(
                inner._w, inner.space_.encode(batch.X), batch.y, inner._threads()
            )
        return OutputList(batch.spread(found, batch.outputs()))

    def save(self, path: Any) -> None:
        """Write the fitted model to one file; see `pystruct_ext.load`.

        Parameters
        ----------
        path : path-like
            The file is written beside it under a temporary name, then renamed.
        """
        save_model(self, path)

    def __sklearn_tags__(self) -> Any:
        own = getattr(self.estimator, "__sklearn_tags__", None)
        return super().__sklearn_tags__() if own is None else own()


def _domain(inner: Any) -> dict[str, Any]:
    """Fitted attributes that follow from the data."""
    kept = ("space_", "classes_", "n_features_in_", "feature_names_in_")
    return {k: v for k, v in vars(inner).items() if k in kept}


def _keep_last(run: Rounds) -> None:
    """After an interrupt: the outputs that the weights of the last whole round give."""
    run.Y = run.impute(run.estimator._w) if run.path else run.Y


def _weakest(certificates: list[str]) -> str:
    order = ("none", "relaxed", "bounded", "exact")
    return min(certificates, key=order.index)


__all__ = ["LatentStructuralSVM"]
