"""The temperature at which scores become probabilities that hold."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.estimators._arguments import check_weights
from pystruct_ext.estimators._batches import Batch
from pystruct_ext.spaces import UnseenLabelError
from pystruct_ext.utils.callers import user_stacklevel
from pystruct_ext.utils.examples import as_examples, n_rows_of, pick

# Logarithms of the temperatures that are tried.
_LOWEST, _HIGHEST = math.log(1e-6), math.log(1e6)
# Probabilities of parts are sums in double precision; below this they are rounding.
_TINY = 1e-12


def best_temperature(
    estimator: Any, X: Any, y: Any, sample_weight: ArrayLike | None, of: str
) -> float:
    """The temperature that minimises the negative log-likelihood of held-out examples.

    Raises
    ------
    NotImplementedError
        If the space has no marginals.
    ValueError
        If no example can be used, or `of` is unknown.
    """
    if of not in ("parts", "outputs"):
        raise ValueError(f"of must be 'parts' or 'outputs', got {of!r}")
    space = estimator.space_
    X, y = estimator._rows(X), as_examples(y, "y")
    estimator._asked(X, "marginals", "marginals")
    n = n_rows_of(X)
    if y is None or n != len(y):
        seen = "None" if y is None else f"{len(y)} outputs"
        raise ValueError(f"calibrate needs one output per example: {n}, got {seen}")
    batch = Batch(space, X, y)
    weight = batch.kept_weights(check_weights(sample_weight, n))
    packed, keep = _pack_known(space, batch)
    cost = np.ones(len(keep)) if weight is None else np.asarray(weight)[keep]
    oracle = space.bind(packed)
    one_of = getattr(space, "_one_part_along", None) is not None
    if of == "outputs":
        loss = _loss_of_outputs(oracle, estimator._w, cost)
    else:
        loss = _loss_of_parts(oracle, estimator._w, cost, one_of)
    return math.exp(_lowest_point(loss))


def _pack_known(space: Any, batch: Batch) -> tuple[Any, list[int]]:
    """Packed examples, without those whose outputs have labels never seen at fit."""
    n = n_rows_of(batch.X)
    with batch.own_numbers():
        try:
            return space.pack(batch.X, batch.y), list(range(n))
        except UnseenLabelError:
            keep = [i for i in range(n) if _is_known(space, batch, i)]
            if not keep:
                raise
        warnings.warn(
            f"y: {n - len(keep)} of {n} examples have labels never seen at fit and are left "
            "out of the calibration",
            UserWarning,
            stacklevel=user_stacklevel(),
        )
        return space.pack(pick(batch.X, keep), pick(batch.y, keep)), keep


def _is_known(space: Any, batch: Batch, i: int) -> bool:
    try:
        space.pack(pick(batch.X, [i]), pick(batch.y, [i]))
    except UnseenLabelError:
        return False
    except (TypeError, ValueError):
        pass  # packing all of them says it with the number of the example
    return True


Loss = Callable[[float], float]  # of the logarithm of the temperature


def _loss_of_outputs(
    oracle: Any, w: NDArray[np.floating], cost: NDArray[np.floating]
) -> Loss:
    """Negative log-likelihood of the true outputs: convex in 1 / temperature."""
    blocks = np.flatnonzero(cost > 0).tolist()
    scores = [oracle.score(w, i, oracle.truth(i)) for i in blocks]

    def loss(log_t: float) -> float:
        t = math.exp(log_t)
        return math.fsum(
            cost[i] * (oracle.log_partition(w, i, t) - s / t)
            for i, s in zip(blocks, scores, strict=True)
        )

    return loss


def _loss_of_parts(
    oracle: Any, w: NDArray[np.floating], cost: NDArray[np.floating], one_of: bool
) -> Loss:
    """Log loss of the marginals.

    Where an output has exactly one part along an axis (the label of a token, the head of a
    word) it is that of the true one; elsewhere every part is there or not, and both count.
    """
    blocks = np.flatnonzero(cost > 0).tolist()
    truths = [oracle.parts(i, oracle.truth(i)) for i in blocks]

    def loss(log_t: float) -> float:
        t, total = math.exp(log_t), 0.0
        for i, at in zip(blocks, truths, strict=True):
            p = np.clip(oracle.marginals(w, i, t)[0].reshape(-1), _TINY, 1 - _TINY)
            good = np.log(p[at]).sum()
            if not one_of:
                away = np.log1p(-p)
                good += away.sum() - away[at].sum()
            total -= cost[i] * float(good)
        return total

    return loss


def _lowest_point(loss: Callable[[float], float]) -> float:
    """Where a function with one valley is lowest; 0 where it is flat."""
    from scipy.optimize import minimize_scalar

    step = math.log(2.0)
    middle, here = 0.0, loss(0.0)
    below, above = loss(-step), loss(step)
    if not (np.isfinite([here, below, above]).all()):
        raise ValueError("the scores of the model are not finite; fit it again")
    flat = 1e-9 * (1 + abs(here))
    if abs(below - here) <= flat and abs(above - here) <= flat:
        return 0.0
    # Downhill until it rises, in growing steps.
    way = -1.0 if below < above else 1.0
    low, high = -step, step
    following = below if way < 0 else above
    while following < here:
        if not _LOWEST < middle + way * step < _HIGHEST:
            break
        low, middle = (middle, middle + way * step)
        here, step = following, 1.5 * step
        high = middle + way * step
        following = loss(high)
    low, high = sorted((max(_LOWEST, min(low, high)), min(_HIGHEST, max(low, high))))
    found: Any = minimize_scalar(
        loss, bounds=(low, high), method="bounded", options={"xatol": 1e-3}
    )
    return float(found.x) if found.fun <= here else middle


__all__ = ["best_temperature"]
