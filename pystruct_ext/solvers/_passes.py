"""Passes over all blocks in stretches short enough to be interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.solvers._loop import Primal, Problem, Tick

# Aim of one uninterruptible stretch of compiled work, in seconds.
STRETCH = 0.05


class Stretches:
    """Splits work over blocks; adapts the size of the parts to the clock.

    The parts change nothing in the result: they only say how often the loop looks up.
    """

    def __init__(self, first: int = 1) -> None:
        self.size = first

    def run(self, n: int, work: Callable[[int, int], Any], tick: Tick) -> None:
        """Call ``work(begin, end)`` over [0, n) and ``tick`` after each part."""
        at = 0
        while at < n:
            end = min(n, at + self.size)
            began = time.perf_counter()
            work(at, end)
            took = time.perf_counter() - began
            if took < 0.5 * STRETCH:
                self.size *= 2
            elif took > 2 * STRETCH and self.size > 1:
                self.size //= 2
            tick(end - at)
            at = end


def primal_of(
    problem: Problem, w: NDArray[np.floating], n_threads: int, tick: Tick
) -> Primal:
    """``P(w)`` by a pass over all blocks."""
    hinge = np.zeros(2)

    def work(begin: int, end: int) -> None:
        hinge[:] += problem.oracle.hinge_sum(
            w, problem.ids[begin:end], problem.weight[begin:end], n_threads
        )

    Stretches(64).run(problem.n, work, lambda _: tick(0))
    upper, found = 0.5 * problem.lam * sqdist(w, problem.prior) + hinge / problem.n
    return Primal(float(upper), float(found))


def sqdist(
    w: NDArray[np.floating], prior: NDArray[np.floating] | None, scale: float = 1.0
) -> float:
    """``||scale w - prior||^2`` in double precision, without a double copy of all of w."""
    total = 0.0
    for at in range(0, len(w), 1 << 20):
        part = w[at : at + (1 << 20)].astype(np.float64, copy=False)
        if prior is not None:
            part = scale * part - prior[at : at + (1 << 20)]
        total += float(part @ part)
    return total if prior is not None else scale * scale * total
