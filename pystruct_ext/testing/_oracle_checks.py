"""The battery for output spaces: what concerns the oracle and the solver."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext.solvers import BCFW, OracleWarning
from pystruct_ext.testing._cases import SpaceCase, fail, near, same, take


def check_oracle_agrees(case: SpaceCase) -> None:
    """``psi``, ``score`` and ``loss`` of the oracle are those of the space's methods."""
    name, space, oracle = "check_oracle_agrees", case.space, case.oracle
    for w in case.weights(4):
        for i, x, y in case.examples():
            found = [(y, oracle.truth(i))]
            found.append((space.decode(w, x), oracle.argmax(w, i, 0.0)))
            augmented = space.loss_augmented_decode(w, x, y)
            found.append((augmented, oracle.argmax(w, i, 1.0)))
            for z, code in found:
                psi = space.joint_feature(x, z)
                tol = case.rtol * (1.0 + float(np.abs(psi).max()))
                what = f"psi of the oracle against joint_feature of {z!r}"
                near(name, what, oracle.psi(i, code), psi, tol, i)
                value, size = case.value(w, i, z)
                tol = case.rtol * (1.0 + size)
                what = f"score of the oracle against <w, joint_feature> of {z!r}"
                near(name, what, oracle.score(w, i, code), value, tol, i)
                loss = space.loss(y, z)
                what = f"loss of the oracle for {z!r}"
                near(name, what, oracle.loss(i, code), loss, case.rtol * (1 + loss), i)


def check_psi_diff(case: SpaceCase) -> None:
    """The oracle's differences of features agree with its features."""
    name, oracle = "check_psi_diff", case.oracle
    codes: list[list[Any]] = [[oracle.truth(i)] for i in range(case.n)]
    for w in case.weights(5):
        for i in range(case.n):
            codes[i] += [oracle.argmax(w, i, 0.0), oracle.argmax(w, i, 1.0)]
    *_, w = case.weights(4)
    wide = np.asarray(w, dtype=np.float64)
    for i in range(case.n):
        for a in codes[i][:4]:
            for b in codes[i]:
                p, q = (np.asarray(oracle.psi(i, c), dtype=np.float64) for c in (a, b))
                diff = p - q
                tol = case.rtol * (1.0 + float(np.abs(p).max() + np.abs(q).max()))
                near(name, "psi_diff", oracle.psi_diff(i, a, b), diff, tol, i)
                norm = float(diff @ diff)
                size = 1.0 + float(p @ p + q @ q)
                seen = oracle.psi_diff_sqnorm(i, a, b)
                near(name, "psi_diff_sqnorm", seen, norm, case.rtol * size, i)
                size = 1.0 + float((np.abs(p) + np.abs(q)) @ np.abs(wide))
                seen = oracle.psi_diff_dot(w, i, a, b)
                near(name, "psi_diff_dot", seen, diff @ wide, case.rtol * size, i)
                moved = w.copy()
                oracle.add_psi_diff(moved, i, a, b, 0.5)
                tol += case.rtol * float(np.abs(wide).max())
                near(name, "add_psi_diff", moved, wide + 0.5 * diff, tol, i)


def _hinge(
    case: SpaceCase, w: Any, ids: Any = None, weight: Any = None
) -> tuple[Any, float]:
    """Subgradient and value of the (weighted) sum of hinges."""
    dpsi, _, hinge = case.oracle.cut_sum(w, ids, weight)
    return -dpsi, hinge


def check_hinge(case: SpaceCase) -> None:
    """``H_i(w) >= 0``: the loss-augmented output is worth at least as much as the truth."""
    for w in case.weights(5):
        for i, x, y in case.examples():
            if case.exactness == "none":
                continue
            z = case.space.loss_augmented_decode(w, x, y)
            value, size = case.value(w, i, z)
            truth, other = case.value(w, i, y)
            tol = case.rtol * (1.0 + size + other)
            hinge = case.space.loss(y, z) + value - truth
            if hinge < -tol:
                fail("check_hinge", f"hinge of {z!r}", hinge, ">= 0", i)
            # Not from cut_sum, which puts the truth in the place of a worse cut.
            _, _, losses, margins = case.oracle.argmax_batch(w, [i], 1.0)
            if losses[0] - margins[0] < -tol:
                seen = float(losses[0] - margins[0])
                fail("check_hinge", "hinge of the oracle", seen, ">= 0", i)


def check_subgradient_inequality(case: SpaceCase) -> None:
    """``H(w') >= H(w) + <g, w' - w>`` for pairs of weights, at any size of problem.

    It needs no enumeration and catches a decoder, loss and feature map that do not belong
    together, but not an oracle that always searches the same too small set.
    """
    if case.exactness == "none":
        return
    points = list(case.weights(5))
    for i in range(case.n):
        found = [_hinge(case, w, [i]) for w in points]
        for (g, h), w in zip(found, points, strict=True):
            for (_, other), v in zip(found, points, strict=True):
                step = np.asarray(v, dtype=np.float64) - np.asarray(w, dtype=np.float64)
                bound = h + float(g @ step)
                size = (
                    1.0
                    + abs(h)
                    + abs(other)
                    + float(np.abs(g) @ (np.abs(v) + np.abs(w)))
                )
                if other < bound - 4 * case.rtol * size:
                    what = "H(w') is below H(w) + <g, w' - w>"
                    fail(
                        "check_subgradient_inequality", what, other, f">= {bound!r}", i
                    )


def _solve(
    check: str,
    case: SpaceCase,
    lam: float,
    oracle: Any = None,
    max_iter: int = 1000,
    **kwargs: Any,
) -> Any:
    # Many passes over the few cuts: tiny problems are the hard case of a block method.
    solver = BCFW(tol=1e-2, cached_passes=5, max_iter=max_iter, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        action: Any = "ignore" if case.exactness == "none" else "error"
        warnings.simplefilter(action, OracleWarning)
        try:
            return solver.solve(
                case.oracle if oracle is None else oracle, lam, **kwargs
            )
        except OracleWarning as warning:
            fail(check, f"BCFW warns at lam={lam}", str(warning), "no warning")


def check_gap(case: SpaceCase) -> None:
    """A few epochs of BCFW: the gap is not negative, the tolerance is reached.

    Where outputs can be enumerated, the primal value is recomputed from them.
    """
    name = "check_gap"
    if case.exactness == "none":
        return
    for lam in (1.0, 0.05):
        for epochs in (1, 3, 1000):
            result = _solve(name, case, lam, max_iter=epochs)
            tol = 1e-12 + 10 * case.rtol * (1.0 + abs(result.primal))
            if not result.gap >= -tol:
                what = f"duality gap after {epochs} epochs at lam={lam}"
                fail(name, what, result.gap, ">= 0")
            exact = case.primal(result.coef, lam) if case.exactness == "exact" else None
            if exact is not None:
                what = f"primal value after {epochs} epochs at lam={lam}"
                near(name, what, result.primal, exact, 10 * tol)
        if result.status != "converged":
            what = f"BCFW does not reach tol=1e-2 in {epochs} epochs at lam={lam}"
            fail(name, what, result.relative_gap, "<= 1e-2")


def check_cut_sum(case: SpaceCase) -> None:
    """``cut_sum`` is the weighted sum of the cuts of its blocks."""
    name, oracle = "check_cut_sum", case.oracle
    ids = np.arange(case.n)[::-1].copy()
    weight = case.rng.uniform(0.0, 2.0, size=case.n)
    for w in case.weights(4):
        dpsi, loss, hinge = np.zeros(oracle.size_psi), 0.0, 0.0
        _, _, losses, margins = oracle.argmax_batch(w, ids, 1.0)
        for k, (i, c) in enumerate(zip(ids, weight, strict=True)):
            if losses[k] <= margins[k]:
                continue  # the truth is at least as good, and is the cut
            code = oracle.argmax(w, i, 1.0)
            diff = oracle.psi_diff(i, oracle.truth(i), code)
            dpsi += c * diff
            loss += c * oracle.loss(i, code)
            hinge += c * (oracle.loss(i, code) - diff @ np.asarray(w, dtype=np.float64))
        seen = oracle.cut_sum(w, ids, weight)
        tol = case.rtol * (1.0 + case.n * float(np.abs(dpsi).max()))
        near(name, "sum of feature differences", seen[0], dpsi, tol)
        near(name, "sum of losses", seen[1], loss, case.rtol * (1.0 + loss))
        size = (
            1.0
            + abs(hinge)
            + float(
                sum(np.abs(oracle.psi(i, oracle.truth(i))) @ np.abs(w) for i in ids)
            )
        )
        near(name, "sum of hinges", seen[2], hinge, 4 * case.rtol * size)


def check_batch(case: SpaceCase) -> None:
    """Batch calls give what single calls give."""
    name, space, oracle = "check_batch", case.space, case.oracle
    ids = np.arange(case.n)[::-1].copy()
    for w in case.weights(4):
        for scale in (0.0, 1.0):
            codes, scores, losses, margins = oracle.argmax_batch(w, ids, scale)
            for k, i in enumerate(ids.tolist()):
                code = oracle.argmax(w, i, scale)
                if not np.array_equal(codes[k], code):
                    fail(name, f"argmax_batch at scale {scale}", codes[k], code, i)
                truth = oracle.truth(i)
                score, size = oracle.score(w, i, code), 1.0
                size += float(np.abs(oracle.psi(i, code)) @ np.abs(w))
                size += float(np.abs(oracle.psi(i, truth)) @ np.abs(w))
                tol = case.rtol * size
                near(name, "score of argmax_batch", scores[k], score, tol, i)
                margin = oracle.psi_diff_dot(w, i, truth, code)
                near(name, "margin of argmax_batch", margins[k], margin, tol, i)
                loss = oracle.loss(i, code)
                near(name, "loss of argmax_batch", losses[k], loss, tol, i)
        together = space.decode_batch(w, case.X)
        if len(together) != case.n:
            fail(name, "length of decode_batch", len(together), case.n)
        for i, x, _ in case.examples():
            alone = space.decode(w, x)
            seen, size = case.value(w, i, together[i])
            expected, _ = case.value(w, i, alone)
            what = f"value of decode_batch, which gives {together[i]!r}"
            near(name, what, seen, expected, case.rtol * (1.0 + size), i)


def check_threads(case: SpaceCase) -> None:
    """Every number of threads gives bitwise the same result."""
    name, oracle = "check_threads", case.oracle
    copies = 200 if case.space.__space_tags__().compiled else 16
    ids = np.tile(np.arange(case.n), copies)
    for w in case.weights(4):
        one, codes = oracle.cut_sum(w, ids), oracle.argmax_batch(w, ids, 1.0)
        for threads in (2, 5):
            many = oracle.cut_sum(w, ids, n_threads=threads)
            if not (np.array_equal(one[0], many[0]) and one[1:] == many[1:]):
                fail(name, f"cut_sum on {threads} threads", many[1:], one[1:])
            batch = oracle.argmax_batch(w, ids, 1.0, n_threads=threads)
            if not all(map(same, map(list, codes), map(list, batch))):
                fail(name, f"argmax_batch on {threads} threads", batch[0], codes[0])


def check_block_ids(case: SpaceCase) -> None:
    """Training on ``block_ids`` is training on those examples packed alone."""
    name = "check_block_ids"
    if case.exactness == "none" or case.n < 2:
        return
    ids = np.sort(case.rng.permutation(case.n)[: max(1, case.n // 2)])
    alone = case.space.bind(case.space.pack(take(case.X, ids), take(case.Y, ids)))
    subset = _solve(name, case, 0.1, block_ids=ids)
    packed = _solve(name, case, 0.1, oracle=alone)
    what = (
        f"optimum on blocks {ids.tolist()} (dual, primal against the re-packed one's)"
    )
    slack = case.rtol * 10 * (1 + abs(packed.primal))
    if subset.dual > packed.primal + slack or packed.dual > subset.primal + slack:
        seen, expected = (subset.dual, subset.primal), (packed.dual, packed.primal)
        fail(name, what, seen, expected)


def check_nan_weights(case: SpaceCase) -> None:
    """NaN in w gives a ValueError that says so (compiled spaces)."""
    name = "check_nan_weights"
    if not case.space.__space_tags__().compiled:
        return
    for i, x, y in case.examples():
        active = np.flatnonzero(case.space.joint_feature(x, y))
        # psi may be zero: nothing aligned, nothing paired.
        places = (active[:1], active[-1:]) if active.size else ()
        for where in (slice(None), *places):
            w = np.zeros(case.oracle.size_psi, dtype=case.oracle.dtype)
            w[where] = np.nan
            calls: dict[str, Callable[[], Any]] = {
                "decode": partial(case.space.decode, w, x),
                "loss_augmented_decode": partial(
                    case.space.loss_augmented_decode, w, x, y
                ),
                "decode_batch": partial(case.space.decode_batch, w, case.X),
                "cut_sum": partial(case.oracle.cut_sum, w, [i]),
            }
            for method, call in calls.items():
                try:
                    seen: Any = call()
                except ValueError as error:
                    if "nan" in str(error).lower():
                        continue
                    seen = error
                what = f"{method} with NaN in w"
                fail(name, what, seen, "a ValueError that names NaN", i)


class _ProbeError(Exception):
    """Raised by `check_exceptions` inside user code."""


def check_exceptions(case: SpaceCase) -> None:
    """An exception in a method of the space comes out of the oracle unchanged."""
    name = "check_exceptions"
    if case.space.__space_tags__().compiled:
        return
    w = np.zeros(case.oracle.size_psi)
    for method in ("joint_feature", "loss", "decode", "loss_augmented_decode"):
        error = _ProbeError(method)

        def broken_method(*_: Any, error: Exception = error) -> Any:
            raise error

        broken = copy.copy(case.space)
        setattr(broken, method, broken_method)
        oracle = broken.bind(case.packed)
        if method == "decode":
            calls: list[Callable[[], Any]] = [partial(oracle.argmax_batch, w)]
        else:
            calls = [
                partial(oracle.cut_sum, w),
                partial(_solve, name, case, 1.0, oracle),
            ]
        for call in calls:
            seen: Any = "no exception"
            try:
                call()
            except Exception as caught:
                seen = caught
            if seen is not error:
                fail(name, f"exception raised in {method}", seen, error)
