"""Callbacks for ``fit``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.solvers import Progress


class HeldOutScore:
    """Scores held-out examples while training, and stops when they get no better.

    Parameters
    ----------
    X, y : held-out examples, as for ``fit``
        None where ``fit`` has an ``eval_set``: its first.
    patience : int or None, default=5
        Stop after so many scored epochs without a better score; None never stops.
    every : int, default=1
        Score every so many epochs.
    metric : callable, optional
        ``metric(y_true, y_pred) -> float``, higher is better; by default the
        estimator's ``score``.
    restore_best : bool, default=True
        Keep the weights of the best score. They are certified by their own exact pass.
    qid : (n_documents,) array-like, optional
        Of a `RankingSVM`: the query of each held-out document.

    Attributes
    ----------
    best_score_ : float
    best_epoch_ : int

    Examples
    --------
    >>> from pystruct_ext import MulticlassSVM
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> dev = HeldOutScore(X[::2], y[::2], patience=3)
    >>> model = MulticlassSVM(callback=dev).fit(X[1::2], y[1::2])
    >>> dev.best_score_ > 0.9
    True
    """

    def __init__(
        self,
        X: Any = None,
        y: Any = None,
        patience: int | None = 5,
        every: int = 1,
        metric: Callable[[Any, Any], float] | None = None,
        restore_best: bool = True,
        qid: Any = None,
    ) -> None:
        self.X = X
        self.y = y
        self.patience = patience
        self.every = every
        self.metric = metric
        self.restore_best = restore_best
        self.qid = qid
        self._score: Callable[[NDArray[np.floating]], float] | None = None

    def start(self, estimator: Any) -> None:
        """Called by ``fit`` before the first epoch."""
        self.best_score_ = -math.inf
        self.best_epoch_ = 0
        self.best_coef_: NDArray[np.floating] | None = None
        self._waited = 0
        if self.X is None and not hasattr(estimator, "_held_out_sets"):
            raise ValueError("HeldOutScore needs X and y")
        queries = {} if self.qid is None else {"qid": self.qid}
        self._score = estimator._held_out_scorer(self.X, self.y, self.metric, **queries)

    def __call__(self, progress: Progress) -> bool:
        """Score the current weights; true when patience is at its end."""
        if self._score is None:
            raise RuntimeError("HeldOutScore is given to an estimator, not to a solver")
        if progress.epoch % self.every:
            return False
        score = self._score(progress.coef)
        progress.score = score
        if score > self.best_score_:
            self.best_score_, self.best_epoch_ = score, progress.epoch
            self._waited = 0
            if self.restore_best:
                if self.best_coef_ is None:
                    self.best_coef_ = progress.coef.copy()
                else:
                    np.copyto(self.best_coef_, progress.coef)
            return False
        self._waited += 1
        return self.patience is not None and self._waited >= self.patience

    def finish(self) -> NDArray[np.floating] | None:
        """Best weights, given up to the caller; called by ``fit`` after the last epoch."""
        best, self.best_coef_, self._score = self.best_coef_, None, None
        return best

    def __getstate__(self) -> dict[str, Any]:
        """Without the scorer, which holds compiled state."""
        state = self.__dict__.copy()
        state["_score"] = None
        return state
