"""The battery for output spaces: one function per promise."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext.solvers import BCFW, OracleWarning
from pystruct_ext.spaces import OutputSpace
from pystruct_ext.testing._cases import (
    MakeProblem,
    SpaceCase,
    SpaceCheckError,
    same,
    snapshot,
    take,
)

SpaceCheck = Callable[[SpaceCase], None]


def _fail(
    check: str, what: str, seen: Any, expected: Any, example: int | None = None
) -> None:
    raise SpaceCheckError(check, what, example=example, seen=seen, expected=expected)


def _near(
    check: str,
    what: str,
    seen: Any,
    expected: Any,
    tol: float,
    example: int | None = None,
) -> None:
    seen, expected = np.asarray(seen, dtype=float), np.asarray(expected, dtype=float)
    if seen.shape != expected.shape or not np.all(np.abs(seen - expected) <= tol):
        if seen.ndim and seen.shape == expected.shape:
            j = int(np.argmax(~(np.abs(seen - expected) <= tol)))
            what, seen, expected = f"{what}, entry {j}", seen.flat[j], expected.flat[j]
        _fail(check, what, seen.tolist(), expected.tolist(), example)


def check_clone_and_pickle(case: SpaceCase) -> None:
    """``clone`` keeps the parameters; a pickled fitted space behaves as before."""
    name, space = "check_clone_and_pickle", case.space
    copied = clone(space)
    if not same(copied.get_params(), space.get_params()):
        _fail(name, "clone changes parameters", copied.get_params(), space.get_params())
    if hasattr(copied, "size_psi_"):
        _fail(name, "an unfitted clone has size_psi_", copied.size_psi_, "no attribute")
    back = pickle.loads(pickle.dumps(space))
    for w in case.weights(3):
        for i, x, _ in case.examples():
            seen, expected = back.decode(w, x), space.decode(w, x)
            if not same(seen, expected):
                _fail(name, "decode differs after pickling", seen, expected, i)


def check_fit_domain(case: SpaceCase) -> None:
    """``fit_domain`` returns self, keeps parameters, repeats itself; D agrees everywhere."""
    name = "check_fit_domain"
    fresh = clone(case.space)
    before = snapshot(fresh.get_params())[0]
    if fresh.fit_domain(case.X, case.Y) is not fresh:
        _fail(name, "fit_domain does not return self", "another object", "self")
    if not same(fresh.get_params(), before):
        _fail(name, "fit_domain changes parameters", fresh.get_params(), before)
    sizes = [fresh.size_psi_, fresh.fit_domain(case.X, case.Y).size_psi_]
    sizes += [case.space.size_psi_, case.oracle.size_psi]
    if len(set(sizes)) != 1 or sizes[0] < 1:
        _fail(
            name,
            "size_psi_ of fit_domain, again, fit_pack, bind",
            sizes,
            "one size >= 1",
        )
    for i, x, y in case.examples():
        shape = np.shape(case.space.joint_feature(x, y))
        if shape != (sizes[0],):
            _fail(name, "shape of joint_feature", shape, (sizes[0],), i)


def check_inputs_not_modified(case: SpaceCase) -> None:
    """No method changes x, y or w."""
    name, space = "check_inputs_not_modified", case.space
    before = snapshot(case.X, case.Y)

    def unchanged(method: str, i: int | None = None) -> None:
        if not same(case.X, before[0]):
            _fail(name, f"{method} modifies X", "X changed", "X as before", i)
        if not same(case.Y, before[1]):
            _fail(name, f"{method} modifies Y", "Y changed", "Y as before", i)

    clone(space).fit_domain(case.X, case.Y)
    unchanged("fit_domain")
    space.bind(space.pack(case.X, case.Y))
    unchanged("pack")
    for frozen in case.weights(3):
        w = frozen.copy()
        for i, x, y in case.examples():
            z = space.decode(w, x)
            unchanged("decode", i)
            space.loss_augmented_decode(w, x, y)
            unchanged("loss_augmented_decode", i)
            kept = snapshot(z)[0]
            space.joint_feature(x, y)
            space.joint_feature(x, z)
            unchanged("joint_feature", i)
            space.loss(y, z)
            unchanged("loss", i)
            if not same(z, kept):
                _fail(name, "joint_feature or loss modifies y_hat", z, kept, i)
        if not np.array_equal(w, frozen):
            _fail(name, "decode modifies w", "w changed", "w as before")


def check_determinism(case: SpaceCase) -> None:
    """The same arguments give the same result."""
    space = case.space
    for w in case.weights(4):
        for i, x, y in case.examples():
            calls: dict[str, Callable[[], Any]] = {
                "decode": partial(space.decode, w, x),
                "loss_augmented_decode": partial(space.loss_augmented_decode, w, x, y),
                "joint_feature": partial(space.joint_feature, x, y),
            }
            for method, call in calls.items():
                first = call()
                for _ in range(3):
                    again = call()
                    if not same(first, again):
                        what = f"{method} gives two results for the same arguments"
                        _fail("check_determinism", what, again, first, i)


def check_loss(case: SpaceCase) -> None:
    """``Delta(y, y) == 0`` and ``Delta >= 0``, finite, the same through the oracle."""
    name, space = "check_loss", case.space
    for i, x, y in case.examples():
        own = space.loss(y, y)
        if own != 0:
            _fail(name, "loss(y, y)", own, 0.0, i)
        through = case.oracle.loss(i, case.oracle.truth(i))
        if through != 0:
            _fail(name, "the oracle's loss of the truth", through, 0.0, i)
        others = [] if (table := case.table(i)) is None else table.outputs
        for w in case.weights(3):
            others = [*others, space.decode(w, x), space.loss_augmented_decode(w, x, y)]
        for z in others:
            value = space.loss(y, z)
            if not (np.isfinite(value) and value >= 0):
                _fail(name, f"loss({y!r}, {z!r})", value, "a finite number >= 0", i)


def _check_maximum(name: str, case: SpaceCase, augmented: bool) -> None:
    space = case.space
    for w in case.weights(5):
        wide = np.asarray(w, dtype=np.float64)
        for i, x, y in case.examples():
            table = case.table(i)
            if table is None:
                continue
            z = (
                space.loss_augmented_decode(w, x, y)
                if augmented
                else space.decode(w, x)
            )
            value, size = case.value(w, i, z)
            values = table.psi @ wide
            if augmented:
                value += space.loss(y, z)
                values = values + table.loss
            best = float(values.max())
            tol = case.rtol * (
                1.0 + size + float(np.abs(table.psi).max(axis=0) @ abs(wide))
            )
            method = "loss_augmented_decode" if augmented else "decode"
            if case.exactness != "relaxed" and value > best + tol:
                what = f"{method} exceeds the maximum over enumerate(x): {z!r} is not in it"
                _fail(name, what, value, best, i)
            short = value < best - tol
            if short and (
                case.exactness == "exact" or (augmented and case.exactness == "relaxed")
            ):
                what = f"{method} misses the maximum over enumerate(x) with {z!r}"
                _fail(name, what, value, best, i)


def check_decode(case: SpaceCase) -> None:
    """``decode`` reaches the value of the maximum over ``enumerate``.

    Values are compared, not outputs, for the maximum may be reached more than once. A space
    of exactness "none" need only stay at or below it.
    """
    _check_maximum("check_decode", case, augmented=False)


def check_loss_augmented_decode(case: SpaceCase) -> None:
    """``loss_augmented_decode`` reaches the value of its maximum, as `check_decode`."""
    _check_maximum("check_loss_augmented_decode", case, augmented=True)


def check_outputs_are_enumerated(case: SpaceCase) -> None:
    """Truth and decoded outputs have the features of an enumerated output."""
    name, space = "check_outputs_are_enumerated", case.space
    if case.exactness == "relaxed":
        return
    for w in case.weights(4):
        for i, x, y in case.examples():
            if (table := case.table(i)) is None:
                continue
            found = {"y": y, "decode": space.decode(w, x)}
            found["loss_augmented_decode"] = space.loss_augmented_decode(w, x, y)
            for source, z in found.items():
                far = np.abs(table.psi - space.joint_feature(x, z)).max(axis=1)
                if not far.min() <= 1e-6 * (1.0 + np.abs(table.psi).max()):
                    _fail(
                        name, f"{source} is not among enumerate(x)", z, "an output", i
                    )


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
                _near(name, what, oracle.psi(i, code), psi, tol, i)
                value, size = case.value(w, i, z)
                tol = case.rtol * (1.0 + size)
                what = f"score of the oracle against <w, joint_feature> of {z!r}"
                _near(name, what, oracle.score(w, i, code), value, tol, i)
                loss = space.loss(y, z)
                what = f"loss of the oracle for {z!r}"
                _near(name, what, oracle.loss(i, code), loss, case.rtol * (1 + loss), i)


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
                _near(name, "psi_diff", oracle.psi_diff(i, a, b), diff, tol, i)
                norm = float(diff @ diff)
                size = 1.0 + float(p @ p + q @ q)
                seen = oracle.psi_diff_sqnorm(i, a, b)
                _near(name, "psi_diff_sqnorm", seen, norm, case.rtol * size, i)
                size = 1.0 + float((np.abs(p) + np.abs(q)) @ np.abs(wide))
                seen = oracle.psi_diff_dot(w, i, a, b)
                _near(name, "psi_diff_dot", seen, diff @ wide, case.rtol * size, i)
                moved = w.copy()
                oracle.add_psi_diff(moved, i, a, b, 0.5)
                tol += case.rtol * float(np.abs(wide).max())
                _near(name, "add_psi_diff", moved, wide + 0.5 * diff, tol, i)


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
                _fail("check_hinge", f"hinge of {z!r}", hinge, ">= 0", i)
            # Not from cut_sum, which puts the truth in the place of a worse cut.
            _, _, losses, margins = case.oracle.argmax_batch(w, [i], 1.0)
            if losses[0] - margins[0] < -tol:
                seen = float(losses[0] - margins[0])
                _fail("check_hinge", "hinge of the oracle", seen, ">= 0", i)


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
                    _fail(
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
            _fail(check, f"BCFW warns at lam={lam}", str(warning), "no warning")


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
                _fail(name, what, result.gap, ">= 0")
            exact = case.primal(result.coef, lam) if case.exactness == "exact" else None
            if exact is not None:
                what = f"primal value after {epochs} epochs at lam={lam}"
                _near(name, what, result.primal, exact, 10 * tol)
        if result.status != "converged":
            what = f"BCFW does not reach tol=1e-2 in {epochs} epochs at lam={lam}"
            _fail(name, what, result.relative_gap, "<= 1e-2")


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
        _near(name, "sum of feature differences", seen[0], dpsi, tol)
        _near(name, "sum of losses", seen[1], loss, case.rtol * (1.0 + loss))
        size = (
            1.0
            + abs(hinge)
            + float(
                sum(np.abs(oracle.psi(i, oracle.truth(i))) @ np.abs(w) for i in ids)
            )
        )
        _near(name, "sum of hinges", seen[2], hinge, 4 * case.rtol * size)


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
                    _fail(name, f"argmax_batch at scale {scale}", codes[k], code, i)
                truth = oracle.truth(i)
                score, size = oracle.score(w, i, code), 1.0
                size += float(np.abs(oracle.psi(i, code)) @ np.abs(w))
                size += float(np.abs(oracle.psi(i, truth)) @ np.abs(w))
                tol = case.rtol * size
                _near(name, "score of argmax_batch", scores[k], score, tol, i)
                margin = oracle.psi_diff_dot(w, i, truth, code)
                _near(name, "margin of argmax_batch", margins[k], margin, tol, i)
                loss = oracle.loss(i, code)
                _near(name, "loss of argmax_batch", losses[k], loss, tol, i)
        together = space.decode_batch(w, case.X)
        if len(together) != case.n:
            _fail(name, "length of decode_batch", len(together), case.n)
        for i, x, _ in case.examples():
            alone = space.decode(w, x)
            seen, size = case.value(w, i, together[i])
            expected, _ = case.value(w, i, alone)
            what = f"value of decode_batch, which gives {together[i]!r}"
            _near(name, what, seen, expected, case.rtol * (1.0 + size), i)


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
                _fail(name, f"cut_sum on {threads} threads", many[1:], one[1:])
            batch = oracle.argmax_batch(w, ids, 1.0, n_threads=threads)
            if not all(map(same, map(list, codes), map(list, batch))):
                _fail(name, f"argmax_batch on {threads} threads", batch[0], codes[0])


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
        _fail(name, what, seen, expected)


def check_nan_weights(case: SpaceCase) -> None:
    """NaN in w gives a ValueError that says so (compiled spaces)."""
    name = "check_nan_weights"
    if not case.space.__space_tags__().compiled:
        return
    for i, x, y in case.examples():
        active = np.flatnonzero(case.space.joint_feature(x, y))
        for where in (slice(None), active[:1], active[-1:]):
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
                _fail(name, what, seen, "a ValueError that names NaN", i)


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

        def fail(*_: Any, error: Exception = error) -> Any:
            raise error

        broken = copy.copy(case.space)
        setattr(broken, method, fail)
        oracle = broken.bind(case.packed)
        if method == "decode":
            calls: list[Callable[[], Any]] = [partial(oracle.argmax_batch, w)]
        else:
            calls = [
                partial(oracle.cut_sum, w),
                partial(_solve, name, case, 1.0, oracle),
            ]
        if method == "loss" and not any(
            case.oracle.argmax(w, i, 1.0).any() for i in range(case.n)
        ):
            continue  # only truths are found, and their loss is not asked for
        for call in calls:
            seen: Any = "no exception"
            try:
                call()
            except Exception as caught:
                seen = caught
            if seen is not error:
                _fail(name, f"exception raised in {method}", seen, error)


SPACE_CHECKS: list[SpaceCheck] = [
    check_clone_and_pickle,
    check_fit_domain,
    check_inputs_not_modified,
    check_determinism,
    check_loss,
    check_decode,
    check_loss_augmented_decode,
    check_outputs_are_enumerated,
    check_oracle_agrees,
    check_psi_diff,
    check_hinge,
    check_subgradient_inequality,
    check_gap,
    check_cut_sum,
    check_batch,
    check_threads,
    check_block_ids,
    check_nan_weights,
    check_exceptions,
]


def yield_space_checks(
    space: OutputSpace,
    make_problem: MakeProblem,
    *,
    n_problems: int = 3,
    random_state: int = 0,
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Pairs (name, function without arguments), one per check; see `check_output_space`.

    Examples
    --------
    With pytest::

        CHECKS = list(yield_space_checks(MySpace(), make_problem))

        @pytest.mark.parametrize("check", [c for _, c in CHECKS], ids=[n for n, _ in CHECKS])
        def test_my_space(check):
            check()
    """
    for check in SPACE_CHECKS:
        name = getattr(check, "__name__", repr(check))
        yield name, partial(_run, check, space, make_problem, n_problems, random_state)


def _run(
    check: SpaceCheck,
    space: OutputSpace,
    make_problem: MakeProblem,
    n_problems: int,
    random_state: int,
) -> None:
    for k in range(n_problems):
        check(SpaceCase.make(space, make_problem, random_state, k))


def check_output_space(
    space: OutputSpace,
    make_problem: MakeProblem,
    *,
    n_problems: int = 3,
    random_state: int = 0,
) -> None:
    """Run every check of ``SPACE_CHECKS`` on an output space.

    Parameters
    ----------
    space : OutputSpace
        Not changed; each check fits a clone.
    make_problem : callable
        ``make_problem(rng) -> (X, Y)``: a few small examples, drawn with a
        `numpy.random.Generator`. Where ``space.enumerate`` is written and an example has at
        most 20,000 outputs, the decoders are compared with enumeration; without it they are
        held to the subgradient inequality and the duality gap alone.
    n_problems : int, default=3
        Problems drawn per check.
    random_state : int, default=0
        Seed; one seed always gives the same problems.

    Raises
    ------
    SpaceCheckError
        For the first promise that is broken, with the check, the example, what was seen and
        what was expected.

    Notes
    -----
    ``__space_tags__().exactness`` decides what is asked of the decoders: "exact" to reach
    the maximum, "relaxed" to reach at least the maximum with loss augmentation, "none" only
    not to exceed it.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext.spaces import MulticlassSpace
    >>> def make_problem(rng):
    ...     return rng.normal(size=(6, 3)), np.arange(6) % 3
    >>> check_output_space(MulticlassSpace(), make_problem)
    """
    for _, check in yield_space_checks(
        space, make_problem, n_problems=n_problems, random_state=random_state
    ):
        check()
