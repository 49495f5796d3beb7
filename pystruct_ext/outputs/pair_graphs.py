"""Items and the pairs of them that may belong together, for clustering."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components, shortest_path

from pystruct_ext.utils.messages import shorten

_MOST = 2**31 - 1


@dataclass(eq=False)
class PairGraph:
    """Items 0 .. n - 1, candidate pairs of them, and features of the pairs.

    Only candidate pairs say anything about whether two items belong together: after blocking
    there are few. The order of the pairs, and of the two items in a pair, does not matter.

    Parameters
    ----------
    n : int
        How many items there are, at least 1.
    pairs : (E, 2) array-like of int
        Candidate pairs; no pair of an item with itself, and none twice.
    features : (E, d) array-like or sparse matrix
        Features of the pairs.
    items : list of n str, optional
        Distinct names of the items, for files, tables and pictures.
    name : str
        What errors and pictures call the graph.

    Raises
    ------
    TypeError, ValueError
        Naming the pair, what was seen and what was expected.

    Examples
    --------
    >>> graph = PairGraph(3, [(0, 1), (1, 2)], [[0.9], [0.2]])
    >>> graph
    <PairGraph: 3 items, 2 pairs, 1 features>
    >>> PairGraph(3, [(0, 3)], [[0.9]])
    Traceback (most recent call last):
    ValueError: PairGraph: pair 0 is (0, 3), expected items in 0 .. 2
    """

    n: int
    pairs: Any
    features: Any
    items: list[str] | None = None
    name: str = ""

    def __len__(self) -> int:
        return int(self.n)

    def __repr__(self) -> str:
        name = f" {shorten(self.name)!r}" if self.name else ""
        return (
            f"<PairGraph{name}: {self.n} items, {len(self.pairs)} pairs, "
            f"{self.features.shape[1]} features>"
        )

    def __post_init__(self) -> None:
        self.check()

    @property
    def _where(self) -> str:
        return f"graph {shorten(self.name)!r}" if self.name else "PairGraph"

    def check(self) -> None:
        """Raise ValueError unless the fields fit together; they may have been set since."""
        if isinstance(self.n, bool) or not isinstance(self.n, (int, np.integer)):
            raise TypeError(
                f"{self._where}: n must be an int, got {type(self.n).__name__}"
            )
        if not 1 <= self.n <= _MOST:
            raise ValueError(f"{self._where}: n is {self.n}, expected 1 .. {_MOST}")
        self.n = int(self.n)
        self.pairs = check_pairs(self.pairs, self.n, self._where)
        self._check_features()
        if self.items is None:
            return
        self.items = [str(item) for item in self.items]
        if len(self.items) != self.n:
            raise ValueError(
                f"{self._where}: items has {len(self.items)} names, expected {self.n}"
            )
        if len(set(self.items)) < self.n:
            seen: set[str] = set()
            for twice in self.items:
                if twice in seen:
                    break
                seen.add(twice)
            raise ValueError(f"{self._where}: the item {shorten(twice)!r} occurs twice")

    def _check_features(self) -> None:
        where, n_pairs = f"{self._where}: features", len(self.pairs)
        if hasattr(self.features, "tocsr"):
            rows = sparse.csr_array(self.features)
            if rows.dtype.kind not in "fiub":
                raise TypeError(f"{where} must hold numbers, got {rows.dtype}")
            if rows.dtype.kind != "f":
                rows = rows.astype(np.float64)
            rows.sum_duplicates()
            values: NDArray[Any] = rows.data
            self.features = rows
        else:
            try:
                values = np.asarray(self.features)
                if values.dtype.kind != "f":
                    values = values.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{where} must hold numbers: {error}") from None
            if values.size == 0 and values.ndim < 2:
                values = values.reshape(0, 0)
            if values.ndim != 2:
                raise ValueError(
                    f"{where} must be 2-D (pairs, features), got shape {values.shape}"
                )
            self.features = values = np.ascontiguousarray(values)
        if self.features.shape[0] != n_pairs:
            raise ValueError(
                f"{where} has {self.features.shape[0]} rows, expected one per pair: "
                f"{n_pairs}"
            )
        if not np.isfinite(values).all():
            at = np.argwhere(~np.isfinite(values))[0]
            if values.ndim == 1:
                row = int(np.searchsorted(rows.indptr, at[0], "right")) - 1
                column = int(rows.indices[at[0]])
            else:
                row, column = at.tolist()
            raise ValueError(
                f"{where} has NaN or infinity in column {column} of pair {row}, "
                f"{tuple(self.pairs[row].tolist())}"
            )

    @classmethod
    def complete(cls, n: int, features: Any, **more: Any) -> PairGraph:
        """All pairs of n items are candidates, in the order of ``np.triu_indices(n, 1)``.

        Examples
        --------
        >>> PairGraph.complete(3, [[0.9], [0.1], [0.2]]).pairs.tolist()
        [[0, 1], [0, 2], [1, 2]]
        """
        return cls(n, np.stack(np.triu_indices(n, 1), axis=1), features, **more)

    def subset(self, index: ArrayLike) -> PairGraph:
        """The items of an index, in this order, and the candidate pairs between them.

        Raises
        ------
        ValueError
            For an item beyond the graph, one that is given twice, or none.

        Examples
        --------
        >>> graph = PairGraph(3, [(0, 1), (1, 2)], [[0.9], [0.2]])
        >>> graph.subset([1, 2]).pairs.tolist()
        [[0, 1]]
        """
        chosen = np.asarray(index, dtype=np.int64)
        if chosen.ndim != 1 or not chosen.size:
            raise ValueError(f"index must be a list of items, got shape {chosen.shape}")
        if chosen.min() < 0 or chosen.max() >= self.n:
            raise ValueError(f"index must have items in 0 .. {self.n - 1}")
        if len(np.unique(chosen)) < len(chosen):
            raise ValueError("index has an item twice")
        place = np.full(self.n, -1, dtype=np.int64)
        place[chosen] = np.arange(len(chosen))
        pairs = place[self.pairs]
        keep = np.flatnonzero((pairs >= 0).all(axis=1))
        return PairGraph(
            len(chosen),
            pairs[keep],
            self.features[keep],
            None if self.items is None else [self.items[i] for i in chosen],
            self.name,
        )

    def joined(self, y: Sequence[Hashable] | NDArray[Any]) -> NDArray[np.bool_]:
        """Whether the two items of each candidate pair are in one cluster, (E,).

        Examples
        --------
        >>> PairGraph(3, [(0, 1), (1, 2)], [[0.9], [0.2]]).joined("aab").tolist()
        [True, False]
        """
        ids = cluster_ids(y, f"{self._where}: y", self.n)
        out: NDArray[np.bool_] = ids[self.pairs[:, 0]] == ids[self.pairs[:, 1]]
        return out

    def components(
        self, y: Sequence[Hashable] | NDArray[Any] | None = None
    ) -> NDArray[np.int64]:
        """Connected components of the candidate pairs, as cluster ids, (n,).

        With clusters `y`, those of the candidate pairs within clusters: a cluster whose
        items candidate pairs do not connect falls apart, since nothing can be known of it.

        Examples
        --------
        >>> PairGraph(3, [(0, 1), (1, 2)], [[0.9], [0.2]]).components("aba").tolist()
        [0, 1, 2]
        """
        pairs = self.pairs if y is None else self.pairs[self.joined(y)]
        return first_occurrence(connected_components(_matrix(self.n, pairs), False)[1])

    def clusters(self, joined: ArrayLike) -> NDArray[np.int64]:
        """Clusters in which exactly these candidate pairs are joined, as ids, (n,).

        Parameters
        ----------
        joined : (E,) bool

        Raises
        ------
        ValueError
            If there are none: a pair is not joined, but its items are connected by others
            that are. The items in between are named.

        Examples
        --------
        >>> graph = PairGraph(3, [(0, 1), (1, 2), (0, 2)], [[0.9], [0.2], [0.1]])
        >>> graph.clusters([True, False, False]).tolist()
        [0, 0, 1]
        """
        mask = np.asarray(joined)
        if mask.shape != (len(self.pairs),) or mask.dtype.kind not in "biu":
            raise ValueError(
                f"{self._where}: joined must be {len(self.pairs)} booleans, one per "
                f"pair, got {mask.dtype} of shape {mask.shape}"
            )
        mask = mask.astype(bool)
        ids = connected_components(_matrix(self.n, self.pairs[mask]), False)[1]
        apart = self.pairs[~mask]
        wrong = np.flatnonzero(ids[apart[:, 0]] == ids[apart[:, 1]])
        if wrong.size:
            a, b = apart[wrong[0]].tolist()
            path = _path(self.n, self.pairs[mask], a, b)
            raise ValueError(_not_transitive(self._where, path, self.items))
        return first_occurrence(ids)


class Clusters(tuple[int, ...]):
    """Cluster ids of items, a tuple that knows the candidate pairs of its graph.

    What estimators predict; wherever clusters are given, any list of ids will do.

    Parameters
    ----------
    ids : sequence of n int
    pairs : (E, 2) array of int

    Examples
    --------
    >>> y = Clusters((0, 1, 0), [(0, 1), (0, 2)])
    >>> y, y.joined.tolist(), y.groups()
    ((0, 1, 0), [False, True], [[0, 2], [1]])
    """

    pairs: NDArray[np.int32]

    def __new__(cls, ids: Sequence[int], pairs: ArrayLike) -> Clusters:
        """The ids as they are."""
        out = super().__new__(cls, ids)
        out.pairs = np.asarray(pairs, dtype=np.int32).reshape(-1, 2)
        return out

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled with the pairs."""
        return Clusters, (tuple(self), self.pairs)

    @property
    def joined(self) -> NDArray[np.bool_]:
        """Whether the two items of each candidate pair are in one cluster, (E,)."""
        ids = np.array(self, dtype=np.int64)
        out: NDArray[np.bool_] = ids[self.pairs[:, 0]] == ids[self.pairs[:, 1]]
        return out

    def groups(self) -> list[list[int]]:
        """The items of each cluster."""
        out: dict[int, list[int]] = {}
        for item, cluster in enumerate(self):
            out.setdefault(cluster, []).append(item)
        return list(out.values())


def check_pairs(pairs: Any, n: int, where: str) -> NDArray[np.int32]:
    """Candidate pairs of n items as an (E, 2) array.

    Raises
    ------
    TypeError, ValueError
        For items that do not exist, an item paired with itself, and pairs that occur twice
        (in either direction).
    """
    array = np.asarray(pairs)
    if array.size == 0:
        return np.zeros((0, 2), dtype=np.int32)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"{where}: pairs must have shape (E, 2), got {array.shape}")
    whole = array.dtype.kind in "iu" or (
        array.dtype.kind == "f" and bool((array == np.floor(array)).all())
    )
    if not whole:
        raise TypeError(f"{where}: pairs must be whole numbers, got {array.dtype}")
    beyond = np.flatnonzero(((array < 0) | (array >= n)).any(axis=1))
    if beyond.size:
        e = int(beyond[0])
        raise ValueError(
            f"{where}: pair {e} is ({array[e, 0]}, {array[e, 1]}), expected items in "
            f"0 .. {n - 1}"
        )
    alone = np.flatnonzero(array[:, 0] == array[:, 1])
    if alone.size:
        e = int(alone[0])
        raise ValueError(
            f"{where}: pair {e} is ({array[e, 0]}, {array[e, 1]}), an item with itself"
        )
    wide = array.astype(np.int64)
    key = wide.min(axis=1) * n + wide.max(axis=1)
    order = np.argsort(key, kind="stable")
    twice = np.flatnonzero(key[order][1:] == key[order][:-1])
    if twice.size:
        second = order[twice + 1]
        k = int(second.argmin())
        e, first = int(second[k]), int(order[twice[k]])
        raise ValueError(
            f"{where}: pair {e}, ({array[e, 0]}, {array[e, 1]}), is there already: "
            f"pair {first}"
        )
    return np.ascontiguousarray(array, dtype=np.int32)


def first_occurrence(ids: NDArray[Any]) -> NDArray[np.int64]:
    """Cluster ids renumbered 0, 1, ... in the order of their first items.

    Examples
    --------
    >>> import numpy as np
    >>> first_occurrence(np.array([7, 3, 7, 5])).tolist()
    [0, 1, 0, 2]
    """
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    out: NDArray[np.int64] = rank[inverse.reshape(-1)]
    return out


def cluster_ids(y: Any, where: str, n: int | None = None) -> NDArray[np.int64]:
    """Cluster ids of any kind, one per item, as numbers in the order of their first items.

    Parameters
    ----------
    y : sequence of n hashable values
    where : str
        What errors call it.
    n : int, optional
        How many are expected.

    Examples
    --------
    >>> cluster_ids(["b", "a", "b"], "y").tolist()
    [0, 1, 0]
    """
    if isinstance(y, np.ndarray) and y.ndim != 1:
        raise ValueError(f"{where} must be 1-D, one id per item, got shape {y.shape}")
    try:
        length = len(y)
    except TypeError:
        raise TypeError(
            f"{where} must be a list of cluster ids, one per item, got "
            f"{type(y).__name__}"
        ) from None
    if n is not None and length != n:
        raise ValueError(
            f"{where} has {length} cluster ids, expected one per item: {n}"
        )
    if isinstance(y, np.ndarray) and y.dtype.kind in "iub":
        return first_occurrence(y)
    known: dict[Any, int] = {}
    out = np.empty(length, dtype=np.int64)
    values = y.tolist() if isinstance(y, np.ndarray) else y
    for k, value in enumerate(values):
        if value is None or value != value:
            raise ValueError(
                f"{where}: item {k} has the cluster id {value!r}, expected one that "
                "equals itself; an item alone needs an id of its own"
            )
        try:
            out[k] = known.setdefault(value, len(known))
        except TypeError:
            raise TypeError(
                f"{where}: item {k} has a cluster id of type {type(value).__name__}, "
                "expected a number or a string"
            ) from None
    return out


def clusters_from_links(
    n: int, links: ArrayLike, *, closed: bool = True, items: list[str] | None = None
) -> NDArray[np.int64]:
    """Cluster ids of links: pairs of items that are known to belong together.

    Parameters
    ----------
    n : int
        How many items there are; one without a link is a cluster by itself.
    links : (m, 2) array-like of int
    closed : bool, default=True
        Whether all links are there, so that a missing one is an error; False takes
        connected components.
    items : list of n str, optional
        Names, for errors.

    Returns
    -------
    (n,) int64
        Ids in the order of the first items.

    Raises
    ------
    ValueError
        If `closed`, and a is linked with b and b with c, but not a with c: the three are
        named. For items that do not exist, an item with itself, a link that occurs twice.

    Examples
    --------
    >>> clusters_from_links(4, [(0, 2), (2, 3), (0, 3)]).tolist()
    [0, 1, 0, 0]
    >>> clusters_from_links(4, [(0, 2), (2, 3)])
    Traceback (most recent call last):
    ValueError: links: 0 is linked with 2 and 2 with 3, but 0 is not linked with 3: not \
transitive
    """
    pairs = check_pairs(links, n, "links")
    ids = first_occurrence(connected_components(_matrix(n, pairs), False)[1])
    if not closed or not len(pairs):
        return ids
    sizes, have = (
        np.bincount(ids),
        np.bincount(ids[pairs[:, 0]], minlength=ids.max() + 1),
    )
    open_ = np.flatnonzero(have < sizes * (sizes - 1) // 2)
    if open_.size:
        # An item of the cluster that is not linked with all others is two steps from one.
        neighbours: list[set[int]] = [set() for _ in range(n)]
        for a, b in pairs.tolist():
            neighbours[a].add(b)
            neighbours[b].add(a)
        for a in np.flatnonzero(ids == open_[0]).tolist():
            if len(neighbours[a]) == sizes[open_[0]] - 1:
                continue
            for b in sorted(neighbours[a]):
                far = sorted(neighbours[b] - neighbours[a] - {a})
                if far:
                    raise ValueError(_not_transitive("links", [a, b, far[0]], items))
    return ids


def _matrix(n: int, pairs: NDArray[Any]) -> Any:
    ones = np.ones(len(pairs), dtype=np.int8)
    return sparse.coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n)).tocsr()


def _path(n: int, pairs: NDArray[Any], a: int, b: int) -> list[int]:
    before = shortest_path(
        _matrix(n, pairs),
        directed=False,
        unweighted=True,
        indices=a,
        return_predecessors=True,
    )[1]
    path = [b]
    while path[-1] != a:
        path.append(int(before[path[-1]]))
    return path[::-1]


def _not_transitive(where: str, path: list[int], items: list[str] | None) -> str:
    names = [repr(shorten(items[i])) if items else str(i) for i in path]
    if len(names) > 8:
        names = [*names[:4], "...", *names[-3:]]
    linked = " and ".join(
        f"{a}{' is linked' if k == 0 else ''} with {b}"
        for k, (a, b) in enumerate(pairwise(names))
    )
    return f"{where}: {linked}, but {names[0]} is not linked with {names[-1]}: not transitive"


__all__ = [
    "Clusters",
    "PairGraph",
    "check_pairs",
    "cluster_ids",
    "clusters_from_links",
    "first_occurrence",
]
