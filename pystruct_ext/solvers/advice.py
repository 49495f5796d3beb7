"""What to do about a gap that did not close, computed from the problem at hand.

The one place that gives such advice: the loop puts it into its ConvergenceWarning, estimators
that judge a result by another tolerance ask for it themselves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.solvers.result import History, SolverResult

# Cuts that are looked at, and seconds that may take, at least one cut apart.
_BLOCKS, _SECONDS = 16, 0.5
# A feature this many times the size of the median one keeps a solver busy with itself.
_DOMINANT = 30.0
# An oracle this many times as dear as a look at a known cut wants more such looks.
_DEAR, _CACHED = 20.0, 5


class _Cuts(NamedTuple):
    """Violated cuts at some weights, summed up.

    Attributes
    ----------
    square : (D,) ndarray
        Sum of the squares of their delta psi, by entry.
    number : int
    oracle_seconds, look_seconds : float
        Of a loss-augmented decode, and of the inner product of w and a cut: the least seen.
    """

    square: NDArray[np.float64]
    number: int
    oracle_seconds: float
    look_seconds: float


def advice(
    oracle: Oracle,
    ids: NDArray[np.int64],
    C: float,
    result: SolverResult,
    params: Mapping[str, Any],
    tol: float,
) -> str:
    """One sentence: what would help to bring the gap below the tolerance.

    Parameters
    ----------
    oracle : Oracle
        Its ``feature_name`` gives names to entries of psi, if it is set.
    ids : (n,) int64
        Blocks in use.
    C : float
        Weight of the sum of hinges, ``1 / (lam n)``.
    result : SolverResult
    params : mapping
        Parameters of the solver.
    tol : float
        The relative gap that was wanted.

    Returns
    -------
    str
    """
    cuts = _look(oracle, ids, result.coef)
    helps = []
    if cuts.number:
        scale = _scale(oracle, cuts.square)
        if scale:
            helps.append(scale)
        cached = params.get("cached_passes")
        if cached == "auto":
            cached = 1 if oracle.needs_gil else 0
        ratio = cuts.oracle_seconds / max(cuts.look_seconds, 1e-9)
        if cached is not None and cached < _CACHED and ratio > _DEAR:
            helps.append(
                f"set cached_passes={_CACHED} (the oracle takes {ratio:.0f} times as long "
                "as a look at a known cut)"
            )
    epochs = _epochs_to_go(result.history, tol)
    if math.isfinite(epochs):
        helps.append(f"raise max_iter to about {_round(epochs):,}".replace(",", "_"))
    if not helps or not math.isfinite(epochs) or epochs > 5 * result.n_iter:
        lower = f"lower C (now {C:.3g}"
        if cuts.number:
            size = math.sqrt(float(cuts.square.sum()) / cuts.number)
            lower += f"; a cut has the norm {size:.3g}"
        helps.append(lower + ")")
    return "to close it, " + ", or ".join(helps)


def _look(oracle: Oracle, ids: NDArray[np.int64], w: NDArray[np.floating]) -> _Cuts:
    square = np.zeros(oracle.size_psi)
    count, asked, looked = 0, math.inf, math.inf
    began = time.perf_counter()
    some = np.linspace(0, len(ids) - 1, min(_BLOCKS, len(ids))).astype(np.int64)
    for i in map(int, ids[some]):
        at = time.perf_counter()
        code = oracle.argmax(w, i, 1.0)
        asked = min(asked, time.perf_counter() - at)
        truth = oracle.truth(i)
        if not np.array_equal(code, truth):
            square += oracle.psi_diff(i, truth, code) ** 2
            at = time.perf_counter()
            oracle.psi_diff_dot(w, i, truth, code, check=False)
            looked = min(looked, time.perf_counter() - at)
            count += 1
        if count and time.perf_counter() - began > _SECONDS:
            break
    return _Cuts(square, count, asked, looked)


def _scale(oracle: Oracle, square: NDArray[np.float64]) -> str:
    """The feature to scale, or nothing."""
    if not square.any():
        return ""
    j = int(square.argmax())
    ratio = math.sqrt(square[j] / float(np.median(square[square > 0])))
    if not ratio > _DOMINANT:
        return ""
    name = None if oracle.feature_name is None else oracle.feature_name(j)
    what = f"entry {j} of psi" if name is None else f"{name} (entry {j} of psi)"
    return f"scale the features: {what} is {ratio:.2g} times the size of the median one"


def _epochs_to_go(history: History, tol: float) -> float:
    """Epochs at which the gap would be `tol`, going on as in the second half; inf if never."""
    seen = [
        (row["epoch"], row["relative_gap"])
        for row in history
        if row["epoch"] > 0 and row["relative_gap"] > 0
    ]
    if len(seen) < 2:
        return math.inf
    end, last = seen[-1]
    begin, first = next(p for p in seen if 2 * p[0] >= end)
    if begin == end:
        begin, first = seen[-2]
    power = math.log(first / last) / math.log(end / begin)
    # A gap that hardly moves is no case for patience.
    if power < 0.2 or tol <= 0:
        return math.inf
    return float(end * (last / tol) ** (1 / power))


def _round(epochs: float) -> int:
    """Upwards to one and a half digits."""
    unit = 10.0 ** math.floor(math.log10(max(epochs, 1.0)))
    return (
        int(math.ceil(2 * epochs / unit) * unit / 2) if unit > 1 else math.ceil(epochs)
    )


__all__ = ["advice"]
