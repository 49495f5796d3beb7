"""Whether an oracle keeps its word: what a solver asks before it starts, and of its result.

A duality gap proves what the oracle promises, so that a broken promise must be seen. All of
this looks at numbers that an `Oracle` gives and knows nothing of spaces: every solver, every
space (its own losses and costs, too) and every path to a fit is covered by the one place.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.solvers.result import SolverResult, relative
from pystruct_ext.utils.callers import user_stacklevel

# Blocks that are looked at; each costs 3 to 5 loss-augmented decodes in all.
_BLOCKS = 4
# What a loss may be off by: 1 - a mean of shares is not exactly 0.
_LOSS_SLOP = 1e-6
Tick = Callable[[int], None]


class OracleWarning(UserWarning):
    """The oracle contradicts itself, or its gap proves nothing."""


class Audit:
    """Questions to the oracle on a handful of blocks, at 0, along a cut, and at the result.

    Parameters
    ----------
    oracle : Oracle
    ids : (n,) int64
        Blocks in use.
    separates : bool
        Whether the solver asks for loss-augmented outputs at all.

    Attributes
    ----------
    calls : int
        Loss-augmented decodes so far.
    shortfall : float
        By how much the oracle was below an output that it had returned before; 0 if it was not.
    block : int
        Where.
    """

    def __init__(self, oracle: Oracle, ids: NDArray[np.int64], separates: bool) -> None:
        self.oracle = oracle
        self.separates = separates
        at = np.linspace(0, len(ids) - 1, min(_BLOCKS, len(ids)))
        self.blocks = [int(i) for i in ids[np.unique(at.astype(np.int64))]]
        self.promises = separates and oracle.exactness in ("exact", "relaxed")
        self.known: dict[int, dict[bytes, tuple[NDArray[np.int32], float]]] = {}
        self.calls = 0
        self.shortfall, self.block = 0.0, -1

    def before(self, tick: Tick) -> None:
        """Before the first epoch.

        Raises
        ------
        ValueError
            If a loss is negative, not finite, or not 0 for the truth; or if the loss-augmented
            decoder is worse, by its own measure, than the truth or the plain decoder. It names
            the example.
        """
        oracle = self.oracle
        w = np.zeros(
            oracle.size_psi, dtype=oracle.dtype
        )  # the one weight vector of this
        signs = oracle.nonnegative
        for i in self.blocks:
            truth = oracle.truth(i)
            loss = oracle.loss(i, truth)
            if not abs(loss) <= _LOSS_SLOP:
                raise ValueError(
                    f"example {i}: the loss of its true output is {loss:g}, expected 0"
                )
            self.known[i] = {truth.tobytes(): (truth, 0.0)}
            w[:] = 0
            self._ask(i, w)
            # Half a margin towards the truth and away from it: there the loss and the score
            # pull in different directions, at whatever scale the features are.
            for code, loss in list(self.known[i].values()):
                size = oracle.psi_diff_sqnorm(i, truth, code)
                if loss > 0 and size > 0:
                    for sign in (0.5, -0.5):
                        w[:] = 0
                        oracle.add_psi_diff(w, i, truth, code, sign * loss / size)
                        np.maximum(w[signs], 0, out=w[signs])
                        self._ask(i, w)
                    break
            tick(0)

    def after(self, w: NDArray[np.floating]) -> None:
        """At the weights of the result: nothing that is known may beat the oracle."""
        for i in self.blocks:
            if i in self.known:
                self._ask(i, w)

    def _ask(self, i: int, w: NDArray[np.floating]) -> None:
        oracle, known = self.oracle, self.known[i]
        truth = next(iter(known.values()))[0]
        plain = oracle.argmax(w, i, 0.0)
        self._meet(i, plain, "decode")
        if not self.separates:
            return
        code = oracle.argmax(w, i, 1.0)
        self.calls += 1
        loss = self._meet(i, code, "loss_augmented_decode")
        if oracle.exactness == "bounded":
            value = oracle.bound(w, i, 1.0)
            self.calls += 1
        else:
            value = loss + oracle.score(w, i, code)
        if not self.promises and oracle.exactness != "bounded":
            return
        for z, cost in list(known.values()):
            other = cost + oracle.score(w, i, z)
            slop = 1e-5 * (1 + abs(cost) + abs(other))
            if value >= other - slop:
                continue
            slop += _rounding(oracle, w, i, code, z)
            if value >= other - slop:
                continue
            own = {"the true output": truth, "the output that decode returns": plain}
            for what, reference in own.items():
                if self.promises and np.array_equal(z, reference):
                    raise ValueError(
                        f"example {i}: loss_augmented_decode returns an output worth "
                        f"{value:g} (loss {loss:g} and score), {what} is worth {other:g} "
                        f"at the same weights; it must return the maximum of loss + score, "
                        "or its space declare SpaceTags(exactness='none')"
                    )
            if other - value > self.shortfall:
                self.shortfall, self.block = other - value, i

    def _meet(self, i: int, code: NDArray[np.int32], method: str) -> float:
        """The loss of an output, which is known from now on."""
        seen = self.known[i].get(code.tobytes())
        if seen is not None:
            return seen[1]
        loss = self.oracle.loss(i, code)
        if not (math.isfinite(loss) and loss >= -_LOSS_SLOP):
            raise ValueError(
                f"example {i}: the loss of the output that {method} returns is {loss:g}, "
                "expected a finite number >= 0: a loss is what a wrong output costs"
            )
        self.known[i][code.tobytes()] = code, loss
        return loss


def _rounding(
    oracle: Oracle, w: NDArray[np.floating], i: int, *codes: NDArray[np.int32]
) -> float:
    """What scores of some outputs may be off by; as BlockSolver::weigh has it."""
    sizes = float(sum(oracle.score_size(w, i, code) for code in codes))
    sizes += oracle.score_size(w, i, oracle.truth(i))
    return 64 * float(np.finfo(oracle.dtype).eps) * sizes


def below_dual(
    oracle: Oracle,
    ids: NDArray[np.int64],
    w: NDArray[np.floating],
    primal: float,
    gap: float,
) -> bool:
    """Whether a primal value is below a dual bound by more than rounding can explain."""
    share = 1e-4 if oracle.dtype == np.float32 else 1e-6
    slop = share * max(abs(primal), 1e-12)
    if not gap < -slop:
        return False
    # Sums that cancel: features far from 0, scores that are large beside their differences.
    some = ids[
        np.unique(np.linspace(0, len(ids) - 1, min(_BLOCKS, len(ids))).astype(int))
    ]
    slop += max(_rounding(oracle, w, int(i), oracle.truth(int(i))) for i in some)
    return gap < -slop


def refute(result: SolverResult, reason: str) -> None:
    """Take a result's certificate away, and say why."""
    if result.status != "oracle_error":
        result.extra["ended_by"] = result.status
    result.status, result.certificate = "oracle_error", "none"
    warnings.warn(
        f"{reason}; the duality gap certifies nothing (status 'oracle_error')",
        OracleWarning,
        stacklevel=user_stacklevel(),
    )


def gap_reason(gap: float, primal: float) -> str:
    """What to say of a primal below the dual."""
    return (
        f"the primal value is below the dual by {-gap:.3g} ({-relative(gap, primal):.2g} of "
        "it): loss_augmented_decode is not the maximum it claims to be"
    )


def weak_reason(times: int, worst: float, block: int) -> str:
    """What to say of an oracle that was below outputs it had returned before."""
    often = f"{times} times " if times else ""
    where = f", at example {block}" if block >= 0 else ""
    return (
        f"{often}the oracle returned a cut weaker than one already known (worst shortfall "
        f"{worst:.3g}{where}): loss_augmented_decode is not the maximum it claims to be"
    )


def recertify(
    result: SolverResult,
    oracle: Oracle,
    lam: float,
    weight: NDArray[np.float64] | None,
    w: NDArray[np.floating],
    n_threads: int,
    prior: NDArray[np.floating] | None = None,
) -> SolverResult:
    """The result for other weights: the dual bound holds, the primal is their own."""
    hinge, _ = oracle.hinge_sum(w, weight=weight, n_threads=n_threads)
    wide = np.asarray(w, dtype=np.float64)
    if prior is not None:
        wide = wide - prior
    result.coef = w
    result.primal = 0.5 * lam * float(wide @ wide) + hinge / oracle.n_blocks
    result.gap = result.primal - result.dual
    result.n_oracle_calls += oracle.n_blocks
    ids = np.arange(oracle.n_blocks)
    if result.status != "oracle_error" and below_dual(
        oracle, ids, w, result.primal, result.gap
    ):
        refute(result, gap_reason(result.gap, result.primal))
    return result
