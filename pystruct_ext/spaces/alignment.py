"""Alignments of two sequences with affine gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._kernels import alignment as _alignment
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.utils.fitted import Fitted
from pystruct_ext.utils.numbers import check_number


@dataclass
class PackedAlignments:
    """Pairs of sequences and their alignments as arrays.

    Attributes
    ----------
    a_offsets, b_offsets : (n + 1,) int64
    a, b : (n_positions, n_channels) int32
        Letters as numbers.
    codes : int32 array or None
        Aligned position of every letter of the first sequences, or -1.
    """

    a_offsets: NDArray[np.int64]
    b_offsets: NDArray[np.int64]
    a: NDArray[np.int32]
    b: NDArray[np.int32]
    codes: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.a_offsets) - 1


@storable
class AlignmentSpace(CompiledSpace):
    """Alignments of two sequences, with learned substitution and gap scores.

    Scores add up over aligned pairs of letters (and their neighbours within `window`) and
    over gaps: ``open + extend (length - 1)``, each with a part for the letters skipped.
    ``Delta(y, y_hat) = false_cost #false pairs + miss_cost #missed pairs``.

    Parameters
    ----------
    mode : {"global", "local"}, default="global"
        "local" leaves ends of both sequences free.
    window : int, default=0
        Neighbours to both sides whose letters are compared, too.
    symmetric : bool, default=True
        One score for (a, b) and (b, a).
    false_cost, miss_cost : float, default=1.0, 1.0
        Costs of false and of missed pairs.
    max_cells : int, default=25_000_000
        Largest product of the two lengths; a cell takes ``4 w + 3`` bytes for weights of w
        bytes.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights.

    Attributes
    ----------
    letters_ : list of n_channels lists of letters, sorted
    size_psi_ : int

    Notes
    -----
    x is a pair of sequences of letters, such as two strings, or of tuples of letters of
    several channels (residue and predicted structure, say); y has, for each letter of the
    first sequence, the aligned position in the second, or -1; positions increase.

    Between two aligned pairs, skipped letters of the first sequence come before those of
    the second: gaps in both have one order.

    References
    ----------
    Yu, Joachims, Elber and Pillardy 2008; Gotoh 1982.

    Examples
    --------
    >>> space = AlignmentSpace().fit_domain([("AC", "C")], [(-1, 0)])
    >>> space.letters_, space.size_psi_
    ([['A', 'C']], 17)
    """

    def __init__(
        self,
        mode: str = "global",
        window: int = 0,
        symmetric: bool = True,
        false_cost: float = 1.0,
        miss_cost: float = 1.0,
        max_cells: int = 25_000_000,
        dtype: str = "float32",
    ) -> None:
        self.mode = mode
        self.window = window
        self.symmetric = symmetric
        self.false_cost = false_cost
        self.miss_cost = miss_cost
        self.max_cells = max_cells
        self.dtype = dtype

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> AlignmentSpace:
        """Learn the letters."""
        self._check_parameters()
        self.validate(X, Y)
        seen: list[set[Any]] = []
        for i, x in enumerate(X):
            for side in _sides(x, f"X: example {i}"):
                for letter in side:
                    channels = _channels(letter)
                    if not seen:
                        seen = [set() for _ in channels]
                    if len(channels) != len(seen):
                        raise ValueError(
                            f"X: example {i} has a letter of {len(channels)} channels, "
                            f"expected {len(seen)}"
                        )
                    for c, value in enumerate(channels):
                        seen[c].add(value)
        self.letters_ = [sorted(s) for s in seen]
        self.size_psi_ = self._size()
        return self

    def _size(self) -> int:
        sizes = [len(s) + 1 for s in self.letters_]
        return 2 + sum((2 * self.window + 1) * k * k + 2 * k for k in sizes)

    def _check_parameters(self) -> None:
        for name, allowed in (
            ("mode", ("global", "local")),
            ("dtype", ("float32", "float64")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got "
                    f"{getattr(self, name)!r}"
                )
        if not (isinstance(self.window, (int, np.integer)) and 0 <= self.window <= 20):
            raise ValueError(
                f"window must be an integer in 0 .. 20, got {self.window!r}"
            )
        for name in ("false_cost", "miss_cost"):
            check_number(name, getattr(self, name), 0)

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        self._check_parameters()
        if not hasattr(self, "size_psi_"):
            return
        fitted = Fitted(self)
        fitted.integer("max_cells", 1)
        channels = fitted.value("letters_")
        if not isinstance(channels, list) or not 1 <= len(channels) <= 1024:
            raise ValueError(
                "AlignmentSpace.letters_ must be a list of 1 .. 1024 lists"
            )
        for c, letters in enumerate(channels):
            if not isinstance(letters, list) or len(set(letters)) != len(letters):
                raise ValueError(
                    f"AlignmentSpace.letters_[{c}] must be a list of different letters"
                )
        fitted.equal("size_psi_", self._size())

    def pack(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> PackedAlignments:
        """Pack examples; letters not seen at fit count as unknown."""
        self.validate(X, Y)
        index = [{v: k for k, v in enumerate(s)} for s in self.letters_]
        width = len(index)
        columns: tuple[list[int], list[int]] = ([], [])
        offsets = [np.zeros(len(X) + 1, dtype=np.int64) for _ in range(2)]
        for i, x in enumerate(X):
            sides = _sides(x, f"X: example {i}")
            cells = len(sides[0]) * len(sides[1])
            if cells > self.max_cells:
                need = cells * (4 * np.dtype(self.dtype).itemsize + 3)
                raise ValueError(
                    f"X: example {i} has {len(sides[0])} x {len(sides[1])} letters, more "
                    f"than max_cells={self.max_cells}; it would need "
                    f"{need / 2**20:.0f} MiB of tables per thread"
                )
            for s, side in enumerate(sides):
                offsets[s][i + 1] = offsets[s][i] + len(side)
                for letter in side:
                    channels = _channels(letter)
                    if len(channels) != width:
                        raise ValueError(
                            f"X: example {i} has a letter of {len(channels)} channels, "
                            f"expected {width}"
                        )
                    columns[s].extend(
                        table.get(v, len(table))
                        for table, v in zip(index, channels, strict=True)
                    )
        a, b = (np.array(c, dtype=np.int32).reshape(-1, width) for c in columns)
        packed = PackedAlignments(offsets[0], offsets[1], a, b)
        if Y is not None:
            packed.codes = _codes(Y, offsets[0], offsets[1])
        return packed

    def bind(self, packed: PackedAlignments) -> Oracle:
        """The oracle over packed pairs of sequences."""
        return _alignment.ALIGNMENT.bind(
            {
                "a_offsets": packed.a_offsets,
                "b_offsets": packed.b_offsets,
                "a": packed.a,
                "b": packed.b,
                "codes": packed.codes,
                "n_channels": len(self.letters_),
                "window": int(self.window),
                "n_letters": np.array(
                    [len(s) + 1 for s in self.letters_], dtype=np.int32
                ),
                "symmetric": bool(self.symmetric),
                "local": self.mode == "local",
                "false_cost": float(self.false_cost),
                "miss_cost": float(self.miss_cost),
            },
            np.dtype(self.dtype),
        )

    def empty_output(self, x: Any) -> tuple[int, ...] | None:
        """Gaps only, where one of the two sequences has no letters."""
        pair = isinstance(x, (tuple, list)) and len(x) == 2
        if pair and all(hasattr(s, "__len__") for s in x) and not all(map(len, x)):
            return (-1,) * len(x[0])
        return None

    def empty_shape(self, x: Any) -> tuple[int, ...]:
        """(n, m), one of them 0."""
        return len(x[0]), len(x[1])

    def output_of(
        self, code: Sequence[int], packed: PackedAlignments, i: int
    ) -> tuple[int, ...]:
        """The output that a code of packed example i stands for."""
        return tuple(code)

    # One example in domain language.

    def loss(self, y: Any, y_hat: Any) -> float:
        """Costs of false and missed pairs."""
        a = {(i, j) for i, j in enumerate(y) if j >= 0}
        b = {(i, j) for i, j in enumerate(y_hat) if j >= 0}
        return float(self.false_cost * len(b - a) + self.miss_cost * len(a - b))

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """Positions aligned in both sequences, as an index into (n, m)."""
        j = np.array(y, dtype=np.int64)
        return np.flatnonzero(j >= 0), j[j >= 0]

    def enumerate(self, x: Any) -> Iterable[tuple[int, ...]]:
        """All alignments of x."""
        n, m = (len(side) for side in _sides(x, "x"))

        def rows(i: int, first: int) -> Iterator[tuple[int, ...]]:
            if i == n:
                yield ()
                return
            for rest in rows(i + 1, first):
                yield (-1, *rest)
            for j in range(first, m):
                for rest in rows(i + 1, j + 1):
                    yield (j, *rest)

        return rows(0, 0)

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Raise unless X is a list of pairs, and Y as long."""
        if isinstance(X, (str, bytes)) or not hasattr(X, "__getitem__"):
            raise TypeError(
                f"X must be a list of pairs of sequences, got {type(X).__name__}"
            )
        super().validate(X, Y)

    # Views into w.

    def substitution_scores(
        self, w: NDArray[np.floating], channel: int = 0, offset: int = 0
    ) -> NDArray[np.float64]:
        """Scores of aligned letters, (k, k) in the order of ``letters_[channel]``."""
        sizes = [len(s) + 1 for s in self.letters_]
        span = 2 * self.window + 1
        at = sum(span * k * k for k in sizes[:channel])
        k = sizes[channel]
        at += (offset + self.window) * k * k
        table = np.asarray(w[at : at + k * k], dtype=np.float64).reshape(k, k)[:-1, :-1]
        if self.symmetric:
            return np.triu(table) + np.triu(table, 1).T
        return table


def _sides(x: Any, where: str) -> tuple[Sequence[Any], Sequence[Any]]:
    if not (isinstance(x, (tuple, list)) and len(x) == 2):
        raise TypeError(f"{where} must be a pair of sequences, got {type(x).__name__}")
    for k, side in enumerate(x):
        if len(side) == 0:
            raise ValueError(
                f"{where}: sequence {k + 1} is empty, expected at least one letter"
            )
    return x[0], x[1]


def _channels(letter: Any) -> tuple[Any, ...]:
    return letter if isinstance(letter, tuple) else (letter,)


def _codes(
    Y: Sequence[Any], a_offsets: NDArray[np.int64], b_offsets: NDArray[np.int64]
) -> NDArray[np.int32]:
    codes = np.full(int(a_offsets[-1]), -1, dtype=np.int32)
    for i, y in enumerate(Y):
        n, m = int(np.diff(a_offsets)[i]), int(np.diff(b_offsets)[i])
        if len(y) != n:
            raise ValueError(
                f"y: example {i} has {len(y)} entries, but the first sequence has {n} "
                "letters"
            )
        before = -1
        for t, j in enumerate(y):
            number = isinstance(j, (int, float, np.integer, np.floating))
            if not number or not -1 <= j < m or j != int(j):
                raise ValueError(
                    f"y: example {i} aligns position {t} with {j}, expected -1 .. {m - 1}"
                )
            if j >= 0:
                if j <= before:
                    raise ValueError(
                        f"y: example {i} aligns position {t} with {j}, expected more than "
                        f"{before}: alignments do not cross"
                    )
                before = int(j)
        codes[a_offsets[i] : a_offsets[i + 1]] = y
    return codes


__all__ = ["AlignmentSpace", "PackedAlignments"]
