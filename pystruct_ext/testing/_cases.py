"""A small fitted problem, and what every check needs to look at it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from pystruct_ext.spaces import OutputSpace

# Examples with more outputs than this are not enumerated.
MAX_OUTPUTS = 20_000

MakeProblem = Callable[[np.random.Generator], tuple[Sequence[Any], Sequence[Any]]]


class SpaceCheckError(AssertionError):
    """An output space breaks a promise.

    Attributes
    ----------
    check : str
        Name of the check.
    example : int or None
        Index of the example, where one is to blame.
    seen, expected : object
        What the space did, and what it should have done.
    """

    def __init__(
        self, check: str, what: str, *, example: int | None, seen: Any, expected: Any
    ) -> None:
        self.check = check
        self.example = example
        self.seen = seen
        self.expected = expected
        where = "" if example is None else f" (example {example})"
        super().__init__(
            f"{check}{where}: {what}; seen {seen!r}, expected {expected!r}"
        )


def fail(
    check: str, what: str, seen: Any, expected: Any, example: int | None = None
) -> None:
    """Raise `SpaceCheckError`."""
    raise SpaceCheckError(check, what, example=example, seen=seen, expected=expected)


def near(
    check: str,
    what: str,
    seen: Any,
    expected: Any,
    tol: float,
    example: int | None = None,
) -> None:
    """Fail unless all numbers agree to within `tol`; NaN agrees with nothing."""
    seen, expected = np.asarray(seen, dtype=float), np.asarray(expected, dtype=float)
    if seen.shape != expected.shape or not np.all(np.abs(seen - expected) <= tol):
        if seen.ndim and seen.shape == expected.shape:
            j = int(np.argmax(~(np.abs(seen - expected) <= tol)))
            what, seen, expected = f"{what}, entry {j}", seen.flat[j], expected.flat[j]
        fail(check, what, seen.tolist(), expected.tolist(), example)


class BruteForce(NamedTuple):
    """Result of `brute_force`.

    Attributes
    ----------
    value : float
        The maximum.
    outputs : list
        All outputs that reach it to within rounding.
    n_outputs : int
        Number of outputs enumerated.
    """

    value: float
    outputs: list[Any]
    n_outputs: int


def brute_force(
    space: OutputSpace, w: NDArray[np.floating], x: Any, y: Any = None
) -> BruteForce:
    """Maximum of ``<w, psi(x, z)>``, plus ``Delta(y, z)`` if y is given, by enumeration.

    Parameters
    ----------
    space : OutputSpace
        Fitted, with ``enumerate``.
    w : (size_psi_,) array
    x : object
        An example.
    y : object, optional
        Its true output: adds the loss.

    Returns
    -------
    BruteForce

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext.spaces import MulticlassSpace
    >>> space = MulticlassSpace().fit_domain(np.eye(3), [0, 1, 2])
    >>> w = space.joint_feature(np.ones(3), 1)
    >>> brute_force(space, w, np.ones(3)).outputs
    [1]
    """
    wide = np.asarray(w, dtype=np.float64)
    outputs = list(space.enumerate(x))
    values = np.array(
        [
            space.joint_feature(x, z) @ wide + (0.0 if y is None else space.loss(y, z))
            for z in outputs
        ]
    )
    best = float(values.max())
    close = np.flatnonzero(values >= best - 1e-9 * (1.0 + abs(best)))
    return BruteForce(best, [outputs[k] for k in close], len(outputs))


@dataclass
class SpaceCase:
    """A fitted space with a few examples; what each check of `SPACE_CHECKS` is given.

    Attributes
    ----------
    space : OutputSpace
        Fitted on X, Y; a clone of what the user gave.
    X, Y : sequences
    rng : numpy.random.Generator
    """

    space: OutputSpace
    X: Sequence[Any]
    Y: Sequence[Any]
    rng: np.random.Generator
    _tables: dict[int, Table | None] = field(default_factory=dict, repr=False)

    @classmethod
    def make(
        cls, space: OutputSpace, make_problem: MakeProblem, random_state: int, k: int
    ) -> SpaceCase:
        """The k-th problem, always the same for one random state."""
        rng = np.random.default_rng([random_state, k])
        X, Y = make_problem(rng)
        before = snapshot(X, Y)
        fitted = clone(space)
        packed = fitted.fit_pack(X, Y)
        case = cls(fitted, X, Y, rng)
        case.packed = packed
        size = getattr(fitted, "size_psi_", None)
        if size is None:
            fail(
                "check_fit_domain",
                "fit_domain does not set size_psi_, the length of joint_feature",
                "no attribute size_psi_",
                "a whole number >= 1",
            )
        case.oracle = fitted.bind(packed)
        for name, now, then in zip("XY", (X, Y), before, strict=True):
            if not same(now, then):
                fail(
                    "check_inputs_not_modified",
                    f"fit_domain, pack or bind modifies {name} in place",
                    f"{name} changed",
                    f"{name} as before: work on a copy",
                )
        return case

    packed: Any = field(default=None, repr=False)
    oracle: Any = field(default=None, repr=False)

    @property
    def exactness(self) -> str:
        """What the space's tags promise."""
        return self.space.__space_tags__().exactness

    @property
    def n(self) -> int:
        """Number of examples."""
        return int(self.oracle.n_blocks)

    @property
    def rtol(self) -> float:
        """Tolerance relative to the sum of the absolute values of what is added up."""
        return 1e-9 if self.oracle.dtype == np.float64 else 2e-5

    def weights(self, count: int = 4) -> Iterator[NDArray[Any]]:
        """Zero, small integers (many ties), then Gaussian weights of growing size.

        All are read-only, as those that solvers hand out are.
        """
        size, dtype = self.oracle.size_psi, self.oracle.dtype
        signs = self.oracle.nonnegative
        for k in range(count):
            if k == 0:
                w = np.zeros(size)
            elif k == 1:
                w = self.rng.integers(-1, 2, size=size).astype(np.float64)
            else:
                w = self.rng.normal(size=size) * 10.0 ** (k - 3)
            w = w.astype(dtype)
            w[signs] = np.abs(w[signs])
            w.flags.writeable = False
            yield w

    def examples(self) -> Iterator[tuple[int, Any, Any]]:
        """Index, x and y of every example."""
        for i in range(self.n):
            yield i, item(self.X, i), self.Y[i]

    def share_tables(self, tables: dict[int, Table | None]) -> None:
        """Use, and add to, the tables of a case of the same problem."""
        self._tables = tables

    def table(self, i: int) -> Table | None:
        """All outputs of example i, or None if they cannot be enumerated."""
        if i not in self._tables:
            self._tables[i] = self._enumerated(i)
        return self._tables[i]

    def _enumerated(self, i: int) -> Table | None:
        x, y = item(self.X, i), self.Y[i]
        try:
            outputs = list(islice(self.space.enumerate(x), MAX_OUTPUTS + 1))
        except NotImplementedError:
            return None
        if len(outputs) > MAX_OUTPUTS:
            return None
        return Table(
            outputs,
            np.array(
                [self.space.joint_feature(x, z) for z in outputs], dtype=np.float64
            ),
            np.array([self.space.loss(y, z) for z in outputs], dtype=np.float64),
        )

    def value(self, w: NDArray[np.floating], i: int, z: Any) -> tuple[float, float]:
        """``<w, psi(x_i, z)>``, and the size of the numbers that it adds up."""
        terms = self.space.joint_feature(item(self.X, i), z) * np.asarray(
            w, dtype=np.float64
        )
        return float(terms.sum()), float(np.abs(terms).sum())

    def primal(self, w: NDArray[np.floating], lam: float) -> float | None:
        """``P(w)`` by enumeration, or None."""
        wide = np.asarray(w, dtype=np.float64)
        total = 0.0
        for i, x, y in self.examples():
            table = self.table(i)
            if table is None:
                return None
            truth = self.space.joint_feature(x, y) @ wide
            total += float((table.loss + table.psi @ wide).max()) - float(truth)
        return 0.5 * lam * float(wide @ wide) + total / self.n


class Table(NamedTuple):
    """All outputs of one example with their features and losses."""

    outputs: list[Any]
    psi: NDArray[np.float64]
    loss: NDArray[np.float64]


def item(X: Any, i: int) -> Any:
    """Example i; of a sparse matrix, its row as a matrix."""
    return X[[i]] if hasattr(X, "indptr") else X[i]


def take(X: Any, ids: Iterable[int]) -> Any:
    """Some of the examples, in the container that X is."""
    index = list(map(int, ids))
    if isinstance(X, np.ndarray) or hasattr(X, "indptr"):
        return X[index]
    return [X[i] for i in index]


def same(a: Any, b: Any) -> bool:
    """Whether two objects are equal through and through, types and dtypes included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.dtype == object:
            return all(map(same, a.ravel(), b.ravel()))
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    if hasattr(a, "indptr"):
        return a.shape == b.shape and all(
            same(getattr(a, name), getattr(b, name))
            for name in ("data", "indices", "indptr")
        )
    if isinstance(a, Mapping):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a == b or (a != a and b != b)
    own_equality = getattr(type(a), "__eq__", None) is not getattr(object, "__eq__")  # noqa: B009
    if hasattr(a, "__dict__") and not own_equality:
        return same(vars(a), vars(b))
    return bool(np.all(a == b))


def snapshot(*values: Any) -> Any:
    """Deep copies to compare with `same` afterwards."""
    return copy.deepcopy(values)
