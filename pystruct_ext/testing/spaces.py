"""The battery for output spaces: what an oracle must satisfy for a certificate to hold."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import OutputSpace

MakeProblem = Callable[[np.random.Generator], tuple[Sequence[Any], Sequence[Any]]]


class SpaceCheckError(AssertionError):
    """An output space failed a check; the message names the check and the example."""


def brute_force(
    space: OutputSpace, w: NDArray[np.floating], x: Any, y: Any = None
) -> tuple[float, Any]:
    """Maximum of ``<w, psi(x, z)>``, plus ``Delta(y, z)`` if y is given, by enumeration.

    Parameters
    ----------
    space : OutputSpace
        Fitted, with ``enumerate``.
    w : (size_psi,) ndarray
    x : input
    y : output, optional

    Returns
    -------
    value : float
    z : output
        The first maximiser.
    """
    best, arg = -np.inf, None
    for z in space.enumerate(x):
        value = _value(space, w, x, z, y)
        if value > best:
            best, arg = value, z
    return best, arg


def _value(space: OutputSpace, w: Any, x: Any, z: Any, y: Any = None) -> float:
    value = float(np.dot(np.asarray(w, dtype=np.float64), space.joint_feature(x, z)))
    return value if y is None else value + space.loss(y, z)


class _Case:
    """A fitted space with its examples, oracle and tolerance."""

    def __init__(
        self, space: OutputSpace, make_problem: MakeProblem, seed: int
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.make_problem = make_problem
        self.template = space
        self.X, self.Y = make_problem(self.rng)
        self.space = clone(space)
        self.packed = self.space.fit_pack(self.X, self.Y)
        self.oracle = self.space.bind(self.packed)
        self.n = self.oracle.n_blocks
        self.exactness = self.space.__space_tags__().exactness
        self.eps = 1e-4 if self.oracle.dtype == np.float32 else 1e-8

    def weights(self) -> list[NDArray[Any]]:
        """Zero, and random weights of two scales."""
        d = self.oracle.size_psi
        made = [np.zeros(d), self.rng.normal(size=d), 0.05 * self.rng.normal(size=d)]
        return [self._masked(w).astype(self.oracle.dtype) for w in made]

    def _masked(self, w: NDArray[Any]) -> NDArray[Any]:
        # Entries that no output can touch (padding) stay zero, as they do in training.
        touched = np.zeros(len(w), dtype=bool)
        for x, y in zip(self.X, self.Y, strict=True):
            try:
                outputs = list(self.space.enumerate(x))
            except NotImplementedError:
                return w
            for z in [y, *outputs]:
                touched |= np.asarray(self.space.joint_feature(x, z)) != 0
        return w * touched

    def enumerates(self) -> bool:
        try:
            iter(self.space.enumerate(self.X[0]))
        except NotImplementedError:
            return False
        return True

    def close(self, a: float, b: float) -> bool:
        return bool(abs(a - b) <= self.eps * (1 + abs(a) + abs(b)))


def _fail(check: str, where: str, seen: Any, expected: Any) -> None:
    raise SpaceCheckError(f"{check}: {where}: seen {seen!r}, expected {expected!r}")


def check_clone_and_pickle(case: _Case) -> None:
    """Parameters survive clone; a fitted space survives pickling."""
    a, b = case.template.get_params(), clone(case.template).get_params()
    if a.keys() != b.keys():
        _fail("clone", "parameters", sorted(b), sorted(a))
    w = case.weights()[1]
    restored = pickle.loads(pickle.dumps(case.space))
    x = case.X[0]
    before, after = case.space.decode(w, x), restored.decode(w, x)
    if not _same(before, after):
        _fail("pickle", "decode of example 0", after, before)


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(np.all(np.asarray(a) == np.asarray(b)))
    except ValueError:
        return bool(a == b)


def check_inputs_not_modified(case: _Case) -> None:
    """No method writes to x, y or w."""
    X, Y = deepcopy(case.X), deepcopy(case.Y)
    w = case.weights()[1]
    copy = w.copy()
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        before = pickle.dumps((x, y))
        case.space.joint_feature(x, y)
        case.space.loss(y, case.space.decode(w, x))
        case.space.loss_augmented_decode(w, x, y)
        if pickle.dumps((x, y)) != before or not np.array_equal(w, copy):
            _fail(
                "inputs not modified",
                f"example {i}",
                "a changed x, y or w",
                "no change",
            )


def check_deterministic(case: _Case) -> None:
    """The same w and x give the same output."""
    for w in case.weights():
        for i, (x, y) in enumerate(zip(case.X, case.Y, strict=True)):
            for name, call in (
                ("decode", lambda w=w, x=x: case.space.decode(w, x)),
                (
                    "loss_augmented_decode",
                    lambda w=w, x=x, y=y: case.space.loss_augmented_decode(w, x, y),
                ),
            ):
                a, b = call(), call()
                if not _same(a, b):
                    _fail("deterministic", f"{name} of example {i}", b, a)


def check_loss(case: _Case) -> None:
    """``loss(y, y) == 0`` and losses are finite and not negative."""
    w = case.weights()[1]
    for i, (x, y) in enumerate(zip(case.X, case.Y, strict=True)):
        if case.space.loss(y, y) != 0:
            _fail("loss", f"loss(y, y) of example {i}", case.space.loss(y, y), 0)
        value = case.space.loss(y, case.space.decode(w, x))
        if not (np.isfinite(value) and value >= 0):
            _fail("loss", f"loss of example {i}", value, ">= 0 and finite")
        if case.enumerates():
            for z in case.space.enumerate(x):
                value = case.space.loss(y, z)
                if not (np.isfinite(value) and value >= 0):
                    _fail("loss", f"loss(y, {z!r}) of example {i}", value, ">= 0")


def check_decode_is_maximum(case: _Case) -> None:
    """Decoding reaches the value of the best enumerated output."""
    _check_maximum(case, "decode", augmented=False)


def check_loss_augmented_decode_is_maximum(case: _Case) -> None:
    """Loss-augmented decoding reaches the value of the best enumerated output."""
    _check_maximum(case, "loss_augmented_decode", augmented=True)


def _check_maximum(case: _Case, name: str, augmented: bool) -> None:
    if not case.enumerates():
        return
    for w in case.weights():
        for i, (x, y) in enumerate(zip(case.X, case.Y, strict=True)):
            truth = y if augmented else None
            best, _ = brute_force(case.space, w, x, truth)
            z = (
                case.space.loss_augmented_decode(w, x, y)
                if augmented
                else case.space.decode(w, x)
            )
            if case.exactness == "relaxed":
                continue  # the decoder may leave the set of outputs
            value = _value(case.space, w, x, z, truth)
            over = value > best + case.eps * (1 + abs(best) + abs(value))
            under = case.exactness == "exact" and not case.close(value, best)
            if over or under:
                _fail(name, f"value at example {i}", value, best)


def check_oracle_agrees_with_domain(case: _Case) -> None:
    """Score, psi, loss and their differences through the oracle are those of the space."""
    oracle, space = case.oracle, case.space
    w = case.weights()[1]
    for i, (x, y) in enumerate(zip(case.X, case.Y, strict=True)):
        truth = oracle.truth(i)
        code = oracle.argmax(w, i, 1.0)
        psi = np.asarray(oracle.psi(i, truth), dtype=np.float64)
        expected = np.asarray(space.joint_feature(x, y), dtype=np.float64)
        if not np.allclose(psi, expected, rtol=case.eps, atol=case.eps):
            _fail("psi", f"truth of example {i}", psi, expected)
        if not case.close(oracle.score(w, i, truth), _value(space, w, x, y)):
            _fail(
                "score",
                f"truth of example {i}",
                oracle.score(w, i, truth),
                _value(space, w, x, y),
            )
        if oracle.loss(i, truth) != 0:
            _fail("loss", f"truth of example {i}", oracle.loss(i, truth), 0)
        diff = oracle.psi_diff(i, truth, code)
        other = psi - np.asarray(oracle.psi(i, code), dtype=np.float64)
        if not np.allclose(diff, other, rtol=case.eps, atol=case.eps):
            _fail("psi_diff", f"example {i}", diff, other)
        norm = oracle.psi_diff_sqnorm(i, truth, code)
        if not case.close(norm, float(diff @ diff)):
            _fail("psi_diff_sqnorm", f"example {i}", norm, float(diff @ diff))
        dot = oracle.psi_diff_dot(w, i, truth, code)
        if not case.close(dot, float(diff @ w.astype(np.float64))):
            _fail("psi_diff_dot", f"example {i}", dot, float(diff @ w))
        moved = w.copy()
        oracle.add_psi_diff(moved, i, truth, code, 0.5)
        if not np.allclose(moved, w + 0.5 * diff, rtol=case.eps, atol=case.eps):
            _fail("add_psi_diff", f"example {i}", moved, w + 0.5 * diff)
        z = space.loss_augmented_decode(w, x, y)
        a = oracle.loss(i, code) + oracle.score(w, i, code)
        b = _value(space, w, x, z, y)
        if case.exactness == "exact" and not case.close(a, b):
            _fail("argmax", f"loss-augmented value of example {i}", a, b)


def _hinge(case: _Case, w: NDArray[Any], i: int) -> tuple[float, NDArray[np.float64]]:
    """H_i(w) and a subgradient."""
    oracle = case.oracle
    code, truth = oracle.argmax(w, i, 1.0), oracle.truth(i)
    value = oracle.loss(i, code) + oracle.score(w, i, code) - oracle.score(w, i, truth)
    return value, -oracle.psi_diff(i, truth, code)


def check_hinge_not_negative(case: _Case) -> None:
    """``H_i(w) >= 0``: the truth itself is among the outputs."""
    if case.exactness == "none":
        return
    for w in case.weights():
        for i in range(case.n):
            value, _ = _hinge(case, w, i)
            if value < -case.eps * (1 + abs(value)):
                _fail("hinge", f"example {i}", value, ">= 0")


def check_subgradient_inequality(case: _Case) -> None:
    """``H(w') >= H(w) + <g, w' - w>``: holds at any size, without enumeration."""
    if case.exactness == "none":
        return
    weights = case.weights()
    for i in range(case.n):
        for w in weights:
            value, g = _hinge(case, w, i)
            for v in weights:
                step = v.astype(np.float64) - w.astype(np.float64)
                low, high = value + float(g @ step), _hinge(case, v, i)[0]
                if high < low - case.eps * 10 * (1 + abs(low) + abs(high)):
                    _fail("subgradient inequality", f"example {i}", high, f">= {low}")


def check_batch_calls(case: _Case) -> None:
    """Batch calls are single calls, for every number of threads, bit by bit."""
    oracle = case.oracle
    for w in case.weights():
        for scale in (0.0, 1.0):
            codes, scores, losses, margins = oracle.argmax_batch(w, None, scale)
            for i in range(case.n):
                single = oracle.argmax(w, i, scale)
                if not np.array_equal(codes[i], single):
                    _fail("batch", f"code of example {i}", codes[i], single)
                if not case.close(scores[i], oracle.score(w, i, single)):
                    _fail("batch", f"score of example {i}", scores[i], "the single one")
            again = oracle.argmax_batch(w, None, scale, 3)
            for a, b in zip((scores, losses, margins), again[1:], strict=True):
                if not np.array_equal(a, b):
                    _fail("threads", "3 threads against 1", b, a)
        dpsi, loss, hinge = oracle.cut_sum(w)
        total, loss_sum, hinge_sum = np.zeros(oracle.size_psi), 0.0, 0.0
        for i in range(case.n):
            code, truth = oracle.argmax(w, i, 1.0), oracle.truth(i)
            value, g = _hinge(case, w, i)
            if value > 0:
                total, hinge_sum = total - g, hinge_sum + value
                loss_sum += oracle.loss(i, code)
            del truth
        if not np.allclose(dpsi, total, rtol=case.eps, atol=case.eps * 10):
            _fail("cut_sum", "dpsi", dpsi, total)
        if not (case.close(loss, loss_sum) and case.close(hinge, hinge_sum)):
            _fail("cut_sum", "loss and hinge", (loss, hinge), (loss_sum, hinge_sum))
        two = oracle.cut_sum(w, n_threads=2)
        if not (np.array_equal(two[0], dpsi) and two[1:] == (loss, hinge)):
            _fail("threads", "cut_sum by 2 threads", two[1:], (loss, hinge))


def _solve(case: _Case, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return BCFW(tol=1e-3, max_iter=3000).solve(case.oracle, 0.1, **kwargs)


def check_training_closes_the_gap(case: _Case) -> None:
    """A few epochs of BCFW give a gap that is not negative and goes to zero."""
    if case.exactness == "none":
        return
    result = _solve(case)
    if result.gap < -case.eps * (1 + abs(result.primal)):
        _fail("gap", "after training", result.gap, ">= 0")
    if result.status != "converged":
        _fail("gap", "after 3000 epochs", result.relative_gap, "<= 1e-3")


def check_block_ids(case: _Case) -> None:
    """Training on some blocks is training on those examples alone."""
    if case.n < 3 or case.exactness == "none":
        return
    ids = np.arange(0, case.n, 2)
    part = _solve(case, block_ids=ids)
    X, Y = [case.X[i] for i in ids], [case.Y[i] for i in ids]
    oracle = case.space.bind(case.space.pack(X, Y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = BCFW(tol=1e-3, max_iter=3000).solve(oracle, 0.1)
    slack = max(part.gap, 0) + max(alone.gap, 0) + case.eps
    if abs(part.primal - alone.primal) > slack:
        _fail("block_ids", "primal on a subset", part.primal, alone.primal)


def check_nan_is_reported(case: _Case) -> None:
    """NaN in w gives a ValueError in a compiled space, not a wrong output."""
    if not case.space.__space_tags__().compiled:
        return
    w = np.full(case.oracle.size_psi, np.nan, dtype=case.oracle.dtype)
    try:
        case.oracle.argmax(w, 0, 1.0)
    except ValueError as error:
        if "block 0" not in str(error):
            _fail("NaN in w", "message", str(error), "one that names the block")
        return
    _fail("NaN in w", "argmax of example 0", "an output", "ValueError")


SPACE_CHECKS: tuple[Callable[[_Case], None], ...] = (
    check_clone_and_pickle,
    check_inputs_not_modified,
    check_deterministic,
    check_loss,
    check_decode_is_maximum,
    check_loss_augmented_decode_is_maximum,
    check_oracle_agrees_with_domain,
    check_hinge_not_negative,
    check_subgradient_inequality,
    check_batch_calls,
    check_training_closes_the_gap,
    check_block_ids,
    check_nan_is_reported,
)


def check_output_space(
    space: OutputSpace,
    make_problem: MakeProblem,
    *,
    n_problems: int = 3,
    random_state: int = 0,
) -> None:
    """Run every check of ``SPACE_CHECKS`` on a few random problems.

    Parameters
    ----------
    space : OutputSpace
        Unfitted; it is cloned.
    make_problem : callable
        ``make_problem(rng) -> (X, Y)``: a few small examples. Where the space implements
        ``enumerate``, examples should have at most some hundred outputs.
    n_problems : int, default=3
    random_state : int, default=0

    Raises
    ------
    SpaceCheckError
        Naming the check, the example, what was seen and what was expected.

    Notes
    -----
    Enumeration finds a decoder that misses the maximum; the subgradient inequality finds
    an inconsistent one at any size. Neither alone is enough.

    Examples
    --------
    >>> from pystruct_ext.spaces import MulticlassSpace
    >>> def make_problem(rng):
    ...     return rng.normal(size=(6, 3)), [0, 1, 2, 0, 1, 2]
    >>> check_output_space(MulticlassSpace(), make_problem)
    """
    for seed in range(random_state, random_state + n_problems):
        for check in SPACE_CHECKS:
            check(_Case(space, make_problem, seed))
