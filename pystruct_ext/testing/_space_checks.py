"""The battery for output spaces: one function per promise.

The checks of the oracle are in ``_oracle_checks``.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from pystruct_ext.spaces import OutputSpace
from pystruct_ext.testing._cases import MakeProblem, SpaceCase, fail, same, snapshot
from pystruct_ext.testing._oracle_checks import (
    check_batch,
    check_block_ids,
    check_cut_sum,
    check_exceptions,
    check_gap,
    check_hinge,
    check_nan_weights,
    check_oracle_agrees,
    check_psi_diff,
    check_subgradient_inequality,
    check_threads,
)

SpaceCheck = Callable[[SpaceCase], None]


def check_clone_and_pickle(case: SpaceCase) -> None:
    """``clone`` keeps the parameters; a pickled fitted space behaves as before."""
    name, space = "check_clone_and_pickle", case.space
    copied = clone(space)
    if not same(copied.get_params(), space.get_params()):
        fail(name, "clone changes parameters", copied.get_params(), space.get_params())
    if hasattr(copied, "size_psi_"):
        fail(name, "an unfitted clone has size_psi_", copied.size_psi_, "no attribute")
    back = pickle.loads(pickle.dumps(space))
    for w in case.weights(3):
        for i, x, _ in case.examples():
            seen, expected = back.decode(w, x), space.decode(w, x)
            if not same(seen, expected):
                fail(name, "decode differs after pickling", seen, expected, i)


def check_fit_domain(case: SpaceCase) -> None:
    """``fit_domain`` returns self, keeps parameters, repeats itself; D agrees everywhere."""
    name = "check_fit_domain"
    fresh = clone(case.space)
    before = snapshot(fresh.get_params())[0]
    if fresh.fit_domain(case.X, case.Y) is not fresh:
        fail(name, "fit_domain does not return self", "another object", "self")
    if not same(fresh.get_params(), before):
        fail(name, "fit_domain changes parameters", fresh.get_params(), before)
    sizes = [fresh.size_psi_, fresh.fit_domain(case.X, case.Y).size_psi_]
    sizes += [case.space.size_psi_, case.oracle.size_psi]
    if len(set(sizes)) != 1 or sizes[0] < 1:
        fail(
            name,
            "size_psi_ of fit_domain, again, fit_pack, bind",
            sizes,
            "one size >= 1",
        )
    for i, x, y in case.examples():
        shape = np.shape(case.space.joint_feature(x, y))
        if shape != (sizes[0],):
            fail(name, "shape of joint_feature", shape, (sizes[0],), i)


def check_joint_feature(case: SpaceCase) -> None:
    """``psi`` is a vector of size_psi_ finite numbers, for the truth and what is decoded."""
    name, space = "check_joint_feature", case.space
    w = np.zeros(case.oracle.size_psi, dtype=case.oracle.dtype)
    for i, x, y in case.examples():
        for what, z in (
            ("the truth", y),
            ("decode", space.decode(w, x)),
            ("loss_augmented_decode", space.loss_augmented_decode(w, x, y)),
        ):
            psi = np.asarray(space.joint_feature(x, z), dtype=np.float64)
            if psi.shape != (case.oracle.size_psi,):
                expected = (case.oracle.size_psi,)
                fail(name, f"shape of joint_feature of {what}", psi.shape, expected, i)
            bad = np.flatnonzero(~np.isfinite(psi))
            if bad.size:
                found = f"joint_feature of {what} holds NaN or infinity, entry {bad[0]}"
                fail(name, found, float(psi[bad[0]]), "finite numbers", i)


def check_inputs_not_modified(case: SpaceCase) -> None:
    """No method changes x, y or w."""
    name, space = "check_inputs_not_modified", case.space
    before = snapshot(case.X, case.Y)

    def unchanged(method: str, i: int | None = None) -> None:
        for what, now, then in (("X", case.X, before[0]), ("Y", case.Y, before[1])):
            if not same(now, then):
                seen, expected = f"{what} changed", f"{what} as before: work on a copy"
                fail(name, f"{method} modifies {what} in place", seen, expected, i)

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
                fail(name, "joint_feature or loss modifies y_hat", z, kept, i)
        if not np.array_equal(w, frozen):
            fail(name, "decode modifies w", "w changed", "w as before")


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
                        fail("check_determinism", what, again, first, i)


def check_loss(case: SpaceCase) -> None:
    """``Delta(y, y) == 0`` and ``Delta >= 0``, finite, the same through the oracle."""
    name, space = "check_loss", case.space
    for i, x, y in case.examples():
        own = space.loss(y, y)
        if not np.isfinite(own):
            fail(name, "loss(y, y) is not finite", own, 0.0, i)
        if own != 0:
            fail(name, "loss(y, y)", own, 0.0, i)
        through = case.oracle.loss(i, case.oracle.truth(i))
        if through != 0:
            fail(name, "the oracle's loss of the truth", through, 0.0, i)
        others = [] if (table := case.table(i)) is None else table.outputs
        for w in case.weights(3):
            others = [*others, space.decode(w, x), space.loss_augmented_decode(w, x, y)]
        for z in others:
            value = space.loss(y, z)
            if not (np.isfinite(value) and value >= 0):
                fail(name, f"loss({y!r}, {z!r})", value, "a finite number >= 0", i)


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
                fail(name, what, value, best, i)
            short = value < best - tol
            if short and (
                case.exactness == "exact" or (augmented and case.exactness == "relaxed")
            ):
                what = f"{method} misses the maximum over enumerate(x) with {z!r}"
                fail(name, what, value, best, i)


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
                    fail(name, f"{source} is not among enumerate(x)", z, "an output", i)


# First what would make the others fail for a reason that they do not name.
SPACE_CHECKS: list[SpaceCheck] = [
    check_inputs_not_modified,
    check_joint_feature,
    check_clone_and_pickle,
    check_fit_domain,
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
    battery = _Battery(space, make_problem, n_problems, random_state)
    for check in SPACE_CHECKS:
        name = getattr(check, "__name__", repr(check))
        yield name, partial(battery.run, check)


class _Battery:
    """The checks of one space. All see the same problems, which are enumerated once."""

    # The battery whose tables are kept: of one space only, for they may be large.
    _last: ClassVar[_Battery | None] = None

    def __init__(
        self,
        space: OutputSpace,
        make_problem: MakeProblem,
        n_problems: int,
        random_state: int,
    ) -> None:
        self.space = space
        self.make_problem = make_problem
        self.n_problems = n_problems
        self.random_state = random_state
        self.tables: dict[int, Any] = {}

    def run(self, check: SpaceCheck) -> None:
        last = _Battery._last
        if last is not None and last is not self:
            last.tables.clear()
        _Battery._last = self
        for k in range(self.n_problems):
            case = SpaceCase.make(self.space, self.make_problem, self.random_state, k)
            case.share_tables(self.tables.setdefault(k, {}))
            check(case)


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
