"""Bipartite matchings: links between rows and columns, with capacities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.outputs.matchings import (
    Link,
    MatchingProblem,
    sure_and_possible,
)
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._encoding import FeatureEncoder
from pystruct_ext.spaces._kernels import matching as _matching
from pystruct_ext.spaces._matching_sides import Sides, as_problem, ends, ordered
from pystruct_ext.spaces.assignment import MUST_MATCH
from pystruct_ext.spaces.base import SpaceTags
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.utils.fitted import INT32_MAX, Fitted
from pystruct_ext.utils.numbers import check_number

MATCHING_LOSSES = ("links", "fraction")
EXCESS = ("raise", "drop")
_NEARS = ("row", "column", "diagonal", "antidiagonal")
_MOST_COSTS = 16


@dataclass
class PackedMatchings:
    """Matching problems, and their links, as arrays.

    With ``must_match="columns"`` rows stand for the user's columns.

    Attributes
    ----------
    rows : PackedRows
        Features of the candidates.
    rows_at, columns_at : (n + 1,) int64
        Rows and columns of each example.
    links_at, slots_at : (all rows + 1,) int64
        Candidates of each row, and its slots in a code.
    column : (candidates,) int32
    row_cap, row_low : (all rows,) int32
    column_cap : (all columns,) int32
    flipped : bool
    codes : int32 array or None
        Columns of the sure links of each row, then -1.
    kind : (candidates,) uint8 or None
        0, 1 (sure) or 2 (possible).
    scale : (n,) float64 or None
        Of the loss.
    """

    rows: PackedRows
    rows_at: NDArray[np.int64]
    columns_at: NDArray[np.int64]
    links_at: NDArray[np.int64]
    slots_at: NDArray[np.int64]
    column: NDArray[np.int32]
    row_cap: NDArray[np.int32]
    row_low: NDArray[np.int32]
    column_cap: NDArray[np.int32]
    flipped: bool = False
    codes: NDArray[np.int32] | None = None
    kind: NDArray[np.uint8] | None = None
    scale: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.rows_at) - 1


@storable
class MatchingSpace(CompiledSpace):
    """Sets of links between rows and columns, each with a capacity.

    A link is worth ``<u, x_e> + b``; rows and columns may stay without, for a score of 0. With
    `fertility` K, the second, third, ... link of a row and of a column cost more and more:
    ``sum_k cost_k max(0, links - k)`` for k up to K, costs learned, and >= 0, which keeps the
    search exact. With `adjacency`, pairs of links side by side (in a row, in a column, on
    either diagonal) have learned scores; the search is then bounded, not exact.

    ``Delta(y, y_hat) = false_cost #false links + miss_cost #missed links``, divided by the
    number of sure links (at least 1) with ``task_loss="fraction"``. Links that are possible,
    but not sure, cost nothing, predicted or not.

    Parameters
    ----------
    row_capacity, column_capacity : int or None, default=1
        Most links of a row and of a column where an example does not say; None: any number.
    must_match : {None, "rows", "columns"}
        Rows, or columns, that must have at least one link.
    fertility : int, default=0
        K, how many costs of more than one link are learned for rows and for columns, at
        most 16.
    adjacency : bool, default=False
        Whether pairs of links side by side have scores.
    task_loss : {"links", "fraction"}, default="links"
        The costs of links, or the same divided by the number of sure links.
    false_cost, miss_cost : float, default=1.0, 1.0
        Costs of a false and of a missed link.
    excess : {"raise", "drop"}, default="raise"
        What to do with true links that no output has: refuse them, or leave out those that are
        no candidates, and of those beyond a capacity as few as can be; these then count as
        possible.
    fit_intercept : bool, default=True
        Whether there is a b: without, a link whose features are 0 is worth nothing.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights.

    Attributes
    ----------
    size_psi_, n_features_ : int
    nonnegative_ : (int, int) or None
        The weights that are costs.

    Notes
    -----
    x is a `MatchingProblem`, or an (m, n, d) array; y is a list of (row, column), all sure, or
    `Links`; outputs are tuples of (row, column), rising. Parts are links, an index into (m, n).

    References
    ----------
    Taskar, Lacoste-Julien and Klein, HLT 2005. Lacoste-Julien, Taskar, Klein and Jordan, HLT
    2006. Edmonds and Karp 1972. Murty 1968.

    Examples
    --------
    >>> import numpy as np
    >>> space = MatchingSpace().fit_domain([np.ones((2, 2, 1))])
    >>> space.decode(np.array([-1.0, 2.0]), np.array([[[0.0], [3.0]], [[1.0], [0.5]]]))
    ((0, 0), (1, 1))
    """

    def __init__(
        self,
        row_capacity: int | None = 1,
        column_capacity: int | None = 1,
        must_match: str | None = None,
        fertility: int = 0,
        adjacency: bool = False,
        task_loss: str = "links",
        false_cost: float = 1.0,
        miss_cost: float = 1.0,
        excess: str = "raise",
        fit_intercept: bool = True,
        dtype: str = "float32",
    ) -> None:
        self.row_capacity = row_capacity
        self.column_capacity = column_capacity
        self.must_match = must_match
        self.fertility = fertility
        self.adjacency = adjacency
        self.task_loss = task_loss
        self.false_cost = false_cost
        self.miss_cost = miss_cost
        self.excess = excess
        self.fit_intercept = fit_intercept
        self.dtype = dtype

    # Sizes.

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> MatchingSpace:
        """Learn the features."""
        self._fit(X, None)
        return self

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any]) -> PackedMatchings:
        """Learn the features, and pack the examples."""
        return self._fit(X, Y)

    def _fit(self, X: Sequence[Any], Y: Sequence[Any] | None) -> PackedMatchings:
        self._check_parameters()
        self.validate(X, Y)
        problems, features = self._problems(X)
        encoder = FeatureEncoder(None, 1, None, np.dtype(self.dtype))
        rows = encoder.fit(features)
        self.encoder_, self.n_features_ = encoder, rows.n_features
        self.size_psi_ = self._size()
        return self._packed(problems, rows, Y)

    def _size(self) -> int:
        more = bool(self.fit_intercept) + (len(_NEARS) if self.adjacency else 0)
        return self.n_features_ + more + 2 * self.fertility

    @property
    def nonnegative_(self) -> tuple[int, int] | None:  # type: ignore[override]
        """The weights that are costs."""
        if not hasattr(self, "size_psi_") or not self.fertility:
            return None
        return self.size_psi_ - 2 * int(self.fertility), self.size_psi_

    def _check_parameters(self) -> None:
        for name, allowed in (
            ("must_match", MUST_MATCH),
            ("task_loss", MATCHING_LOSSES),
            ("excess", EXCESS),
            ("dtype", ("float32", "float64")),
        ):
            if getattr(self, name) not in allowed:
                listed = ", ".join(map(str, allowed))
                raise ValueError(
                    f"{name} must be one of {listed}, got {getattr(self, name)!r}"
                )
        for name, least in (("row_capacity", 0), ("column_capacity", 0)):
            value = getattr(self, name)
            if value is not None and not _is_whole(value, least, INT32_MAX):
                raise ValueError(
                    f"{name} must be None or a whole number >= 0, got {value!r}"
                )
        if not _is_whole(self.fertility, 0, _MOST_COSTS):
            raise ValueError(
                f"fertility must be a whole number from 0 to {_MOST_COSTS}, got "
                f"{self.fertility!r}"
            )
        for name in ("false_cost", "miss_cost"):
            check_number(name, getattr(self, name), 0)

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        self._check_parameters()
        if not hasattr(self, "size_psi_"):
            return
        fitted = Fitted(self)
        d = fitted.integer("n_features_", 0, INT32_MAX)
        fitted.instance("encoder_", FeatureEncoder).check_width(d)
        fitted.equal("size_psi_", self._size())

    def __space_tags__(self) -> SpaceTags:
        """Exact, or bounded where adjacent links have scores."""
        return SpaceTags(exactness="none" if self.adjacency else "exact", compiled=True)

    # Packing.

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Raise unless X is a list of problems, and Y as long."""
        if isinstance(X, (str, bytes, MatchingProblem)) or not hasattr(
            X, "__getitem__"
        ):
            raise TypeError(
                f"X must be a list of matching problems, got {type(X).__name__}"
            )
        super().validate(X, Y)

    def pack(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> PackedMatchings:
        """Pack examples with what was learnt at fit."""
        self.validate(X, Y)
        problems, features = self._problems(X)
        return self._packed(problems, self.encoder_.transform(features), Y)

    def _problems(self, X: Sequence[Any]) -> tuple[list[Sides], list[Any]]:
        flip = self.must_match == "columns"
        default = self.row_capacity, self.column_capacity
        problems, features = [], []
        for i, x in enumerate(X):
            problem = as_problem(x, f"X: example {i}")
            if len(problem) == 0:
                raise ValueError(
                    f"X: example {i} has no candidate links, expected at least one"
                )
            sides = Sides.of(problem, default, flip)
            problems.append(sides)
            features.append(ordered(problem.features, sides.order))
        return problems, features

    def _packed(
        self, problems: list[Sides], rows: PackedRows, Y: Sequence[Any] | None
    ) -> PackedMatchings:
        flip = self.must_match == "columns"
        low = []
        for i, p in enumerate(problems):
            low.append(np.full(p.shape[0], int(self.must_match is not None), np.int32))
            if self.must_match is not None:
                self._check_feasible(p, low[-1], f"X: example {i}")
        counts = np.concatenate([p.counts for p in problems])
        row_cap = np.concatenate([p.row_cap for p in problems])
        packed = PackedMatchings(
            rows,
            ends([p.shape[0] for p in problems]),
            ends([p.shape[1] for p in problems]),
            ends(counts),
            ends(np.minimum(counts, row_cap)),
            np.concatenate([p.pairs[:, 1] for p in problems]),
            row_cap,
            np.concatenate(low),
            np.concatenate([p.column_cap for p in problems]),
            flip,
        )
        if Y is None:
            return packed
        packed.codes = np.full(int(packed.slots_at[-1]), -1, dtype=np.int32)
        packed.kind = np.zeros(len(packed.column), dtype=np.uint8)
        packed.scale = np.ones(len(problems))
        for i, (p, y) in enumerate(zip(problems, Y, strict=True)):
            self._put_truth(packed, i, p, y)
        return packed

    def _check_feasible(self, p: Sides, low: NDArray[np.int32], where: str) -> None:
        what = str(self.must_match)[:-1]
        for text, bad in (
            ("has no candidate links", p.counts == 0),
            ("has the capacity 0", p.row_cap == 0),
        ):
            if bad.any():
                raise ValueError(
                    f"{where}: {what} {int(np.flatnonzero(bad)[0])} {text}, but "
                    f"must_match={self.must_match!r} asks for one"
                )
        found = _matching.best_links(
            ends(p.counts),
            np.ascontiguousarray(p.pairs[:, 1]),
            np.zeros(len(p.pairs)),
            p.row_cap,
            low,
            p.column_cap,
            1,
        )
        if found is None:
            raise ValueError(
                f"{where}: the capacities do not allow every {what} a link, but "
                f"must_match={self.must_match!r} asks for it"
            )

    def _put_truth(self, packed: PackedMatchings, i: int, p: Sides, y: Any) -> None:
        """Code and kinds of example i."""
        where = f"y: example {i}"
        sure, possible = sure_and_possible(y, where)
        kinds = np.zeros(len(p.pairs), dtype=np.uint8)
        for links, kind in ((possible, 2), (sure, 1)):
            at = p.find(links, where, self.excess == "raise" and kind == 1)
            kinds[at] = kind
        over = p.beyond(kinds == 1)
        if over and self.excess == "raise":
            name, number, count, most = over
            raise ValueError(
                f"{where} has {count} links at {name} {number}, more than its capacity "
                f"{most}; raise the capacity, or see excess='drop'"
            )
        if over:
            kinds[p.dropped(kinds == 1)] = 2
        linked = np.flatnonzero(kinds == 1)
        rows = p.pairs[linked, 0]
        bare = np.bincount(rows, minlength=p.shape[0]) == 0
        if self.must_match is not None and bare.any():
            raise ValueError(
                f"{where} has no link at {self.must_match[:-1]} "
                f"{int(np.flatnonzero(bare)[0])}, which must_match={self.must_match!r} "
                "forbids"
            )
        first = int(packed.rows_at[i])
        # The k-th link of a row is in its k-th slot.
        before = np.searchsorted(rows, rows, side="left")
        slot = packed.slots_at[first + rows] + np.arange(len(rows)) - before
        packed.codes[slot] = p.pairs[linked, 1]  # type: ignore[index]
        begin = int(packed.links_at[first])
        packed.kind[begin : begin + len(kinds)] = kinds  # type: ignore[index]
        if self.task_loss == "fraction":
            packed.scale[i] = 1.0 / max(1, len(sure))  # type: ignore[index]

    def bind(self, packed: PackedMatchings) -> Oracle:
        """The oracle over packed problems."""
        rows = packed.rows
        kernel = _matching.ADJACENT_MATCHING if self.adjacency else _matching.MATCHING
        return kernel.bind(
            {
                "indptr": rows.indptr,
                "indices": rows.indices,
                "values": rows.values,
                "n_features": rows.n_features,
                "rows_at": packed.rows_at,
                "columns_at": packed.columns_at,
                "links_at": packed.links_at,
                "slots_at": packed.slots_at,
                "column": packed.column,
                "row_cap": packed.row_cap,
                "row_low": packed.row_low,
                "column_cap": packed.column_cap,
                "codes": packed.codes,
                "kind": packed.kind,
                "scale": packed.scale,
                "false_cost": float(self.false_cost),
                "miss_cost": float(self.miss_cost),
                "n_costs": int(self.fertility),
                "bias": bool(self.fit_intercept),
                "flipped": packed.flipped,
            },
            np.dtype(self.dtype),
        )

    def empty_output(self, x: Any) -> tuple[Link, ...] | None:
        """No links, where there are no candidates and none is needed."""
        if isinstance(x, MatchingProblem):
            shape, count = x.shape, len(x)
        else:
            shape = np.shape(x)
            if len(shape) != 3:
                return None
            count = shape[0] * shape[1]
        if np.ndim(shape) != 1 or len(shape) < 2:
            return None  # refused where it is packed
        needed = {"rows": shape[0], "columns": shape[1]}.get(str(self.must_match), 0)
        return () if count == 0 and needed == 0 else None

    def empty_shape(self, x: Any) -> tuple[int, ...]:
        """(m, n)."""
        return tuple(x.shape[:2])

    def output_of(
        self, code: Sequence[int], packed: PackedMatchings, i: int
    ) -> tuple[Link, ...]:
        """The links that a code of packed example i stands for."""
        a, b = int(packed.rows_at[i]), int(packed.rows_at[i + 1])
        ends = (packed.slots_at[a : b + 1] - packed.slots_at[a]).tolist()
        links = [
            (r, j)
            for r, (s, e) in enumerate(pairwise(ends))
            for j in code[s:e]
            if j >= 0
        ]
        if packed.flipped:
            links = sorted((j, r) for r, j in links)
        return tuple(links)

    # One example in domain language.

    def loss(self, y: Any, y_hat: Any) -> float:
        """Costs of false and of missed links."""
        sure, possible = (set(k) for k in sure_and_possible(y))
        found = set(sure_and_possible(y_hat, "y_hat")[0])
        cost = self.false_cost * len(found - sure - possible) + self.miss_cost * len(
            sure - found
        )
        return float(cost / max(1, len(sure)) if self.task_loss == "fraction" else cost)

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """Rows and columns of the links, as an index into (m, n)."""
        links = np.array(sure_and_possible(y)[0], dtype=np.int64).reshape(-1, 2)
        return links[:, 0], links[:, 1]

    def enumerate(self, x: Any) -> Iterable[tuple[Link, ...]]:
        """All sets of links of x that keep to the capacities."""
        problem = as_problem(x, "x")
        p = Sides.of(problem, (self.row_capacity, self.column_capacity), False)
        pairs = [(int(i), int(j)) for i, j in problem.pairs]
        room = [p.row_cap.tolist(), p.column_cap.tolist()]
        side = None if self.must_match is None else int(self.must_match == "columns")

        def choose(k: int, chosen: tuple[Link, ...]) -> Iterator[tuple[Link, ...]]:
            if k == len(pairs):
                if side is None or len({e[side] for e in chosen}) == p.shape[side]:
                    yield chosen
                return
            yield from choose(k + 1, chosen)
            i, j = pairs[k]
            if room[0][i] and room[1][j]:
                room[0][i] -= 1
                room[1][j] -= 1
                yield from choose(k + 1, (*chosen, (i, j)))
                room[0][i] += 1
                room[1][j] += 1

        return choose(0, ())

    def input_feature(self, j: int) -> int | None:
        """The feature of candidates behind entry j of psi."""
        return j if j < self.n_features_ else None

    # Views into w.

    def split_weights(self, w: NDArray[np.floating]) -> dict[str, Any]:
        """Weights by what they are for.

        Returns
        -------
        dict
            "features" (n_features,), "intercept" (float), "adjacency" (dict of the four
            neighbourhoods to scores), "row_costs" and "column_costs" (K,): cost of every link
            beyond the first, the second, and so on.
        """
        values = np.asarray(w, dtype=np.float64)
        d, at = self.n_features_, self.n_features_
        out: dict[str, Any] = {"features": values[:d], "intercept": 0.0}
        if self.fit_intercept:
            out["intercept"], at = float(values[at]), at + 1
        out["adjacency"] = {}
        if self.adjacency:
            out["adjacency"] = dict(
                zip(_NEARS, values[at : at + 4].tolist(), strict=True)
            )
            at += 4
        k = int(self.fertility)
        out["row_costs"], out["column_costs"] = (
            values[at : at + k],
            values[at + k : at + 2 * k],
        )
        if self.must_match == "columns":
            out["row_costs"], out["column_costs"] = (
                out["column_costs"],
                out["row_costs"],
            )
            near = out["adjacency"]
            if near:
                near["row"], near["column"] = near["column"], near["row"]
        return out


def _is_whole(value: Any, low: int, high: int) -> bool:
    number = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return number and low <= value <= high


__all__ = ["MATCHING_LOSSES", "MatchingSpace", "PackedMatchings", "as_problem"]
