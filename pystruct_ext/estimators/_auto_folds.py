"""What is held out while C is found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.estimators.auto_c import AutoC

# Examples up to which there are so many folds; beyond, one part is held out.
_FOLDS = ((200, 5), (1000, 3))
_SHARE = 0.2


def folds_of(
    settings: AutoC, n: int, groups: NDArray[np.int64] | None
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Positions of training and held-out examples of each fold; groups stay whole.

    Raises
    ------
    ValueError
        If there are not two examples, or groups.
    """
    cv = settings.cv
    if hasattr(cv, "split") or (hasattr(cv, "__iter__") and hasattr(cv, "__len__")):
        return _given_folds(cv, n, groups)
    units = np.arange(n) if groups is None else groups
    m = int(units.max()) + 1 if n else 0
    if m < 2:
        what = "examples" if groups is None else "groups"
        samples = f" (n_samples={n})" if groups is None else ""
        raise ValueError(
            f"C='auto' needs at least 2 {what}, to hold some out, got {m}{samples}; give C a "
            "number"
        )
    rng = np.random.default_rng(_seed(settings.random_state))
    sizes = np.bincount(units, minlength=m)
    order = rng.permutation(m)
    if cv is None:
        k = next((folds for most, folds in _FOLDS if n <= most), None)
        if k is None and groups is not None and m < 2 / _SHARE:
            k = 3  # a fifth of few groups may be a single one
        cv = _SHARE if k is None else k
    held: NDArray[np.int64]
    if isinstance(cv, (int, np.integer)):
        k = min(int(cv), m)
        # The largest groups first, each to the fold with the fewest examples.
        order = order[np.argsort(-sizes[order], kind="stable")]
        fold_of, load = np.empty(m, dtype=np.int64), np.zeros(k)
        for unit in order.tolist():
            fold_of[unit] = int(load.argmin())
            load[fold_of[unit]] += sizes[unit]
        held = fold_of[units]
    else:
        full = np.cumsum(sizes[order])
        count = int(np.searchsorted(full, float(cv) * n)) + 1
        out = np.zeros(m, dtype=bool)
        out[order[: min(count, m - 1)]] = True
        held, k = np.where(out[units], 0, 1), 1
    return [(np.flatnonzero(held != f), np.flatnonzero(held == f)) for f in range(k)]


def _seed(random_state: Any) -> Any:
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    return random_state


def _given_folds(
    cv: Any, n: int, groups: NDArray[np.int64] | None
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    pairs = cv.split(np.zeros(n), None, groups) if hasattr(cv, "split") else cv
    folds = []
    for pair in pairs:
        try:
            train, test = (np.asarray(part) for part in pair)
            parts = [
                np.flatnonzero(part) if part.dtype.kind == "b" else part.astype(int)
                for part in (train, test)
            ]
        except (TypeError, ValueError):
            raise ValueError(
                f"AutoC: cv must hold pairs (train, test) of positions, got {pair!r:.80}"
            ) from None
        for part in parts:
            if part.ndim != 1 or not len(part) or part.min() < 0 or part.max() >= n:
                raise ValueError(
                    f"AutoC: cv has a fold that is empty or beyond the {n} examples"
                )
        if np.intersect1d(parts[0], parts[1]).size:
            raise ValueError("AutoC: cv has a fold that holds out what it trains on")
        folds.append((parts[0], parts[1]))
    if not folds:
        raise ValueError("AutoC: cv has no folds")
    return folds


__all__ = ["folds_of"]
