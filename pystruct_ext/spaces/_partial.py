"""Label sequences of which some labels are missing, or known to be among a few."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.spaces._labels import UnseenLabelError, label_classes
from pystruct_ext.spaces._parts import FORBIDDEN
from pystruct_ext.spaces.base import LATENT_HINT

_SETS = (set, frozenset)


def is_open(label: Any) -> bool:
    """Whether a label is missing (None), or a set of allowed ones."""
    return label is None or isinstance(label, _SETS)


def all_known(y: Any) -> bool:
    """Whether every label of a sequence is known."""
    kinds = set(map(type, y))
    return not (type(None) in kinds or any(issubclass(kind, _SETS) for kind in kinds))


def refuse_open(Y: Sequence[Sequence[Any]]) -> None:
    """Raise ValueError for labels that are missing or sets, which only a latent fit takes."""
    for i, y in enumerate(Y):
        if all_known(y):
            continue
        t = next(t for t, label in enumerate(y) if is_open(label))
        what = f"missing ({y[t]!r})" if y[t] is None else f"a set ({y[t]!r:.80})"
        raise ValueError(
            f"y: the label of token {t} of example {i} is {what}; {LATENT_HINT}"
        )


def known_classes(Y: Sequence[Sequence[Any]], unit: str = "token") -> list[Any]:
    """The labels that occur, those in sets of allowed ones included, sorted.

    Raises
    ------
    ValueError, TypeError
        As `label_classes`; and for sets without labels, or where no label is known at all.
    """
    members: set[Any] = set()
    some: Any = None
    for i, y in enumerate(Y):
        for t, label in enumerate(y):
            if isinstance(label, _SETS):
                if not label:
                    raise ValueError(
                        f"y: the set of allowed labels of {unit} {t} of example {i} is empty"
                    )
                if None in label:
                    raise ValueError(
                        f"y: the set of allowed labels of {unit} {t} of example {i} has "
                        "None in it; None alone allows all labels"
                    )
                members |= label
            elif some is None:
                some = label
    if some is None:
        if not members:
            raise ValueError("y holds no label at all, expected at least 2")
        some = next(iter(members))
    filled = [[some if is_open(v) else v for v in y] for y in Y]
    classes = label_classes(filled, unit=unit)
    return label_classes([[*classes, *members]], unit=unit) if members else classes


@dataclass
class KnownLabels:
    """What is known of the label of every token.

    Attributes
    ----------
    kinds : (n_tokens,) int32
        Row of `allowed` of each token: its label, or what stands for a set of labels.
    allowed : (n_kinds, K) bool
        Labels that agree with each kind; the first K kinds are the labels.
    """

    kinds: NDArray[np.int32]
    allowed: NDArray[np.bool_]

    @classmethod
    def of(
        cls, Y: Sequence[Sequence[Any]], classes: list[Any], unit: str = "token"
    ) -> KnownLabels:
        """From sequences of labels, None and sets of labels.

        Raises
        ------
        UnseenLabelError
            For a label that is not among the classes.
        """
        kind_of: dict[Any, int] = {label: k for k, label in enumerate(classes)}
        n = len(classes)
        rows = list(np.eye(n, dtype=bool))
        kind_of[None] = n
        rows.append(np.ones(n, dtype=bool))

        def kind(label: Any) -> int:
            key = frozenset(label) if isinstance(label, set) else label
            try:
                found = kind_of.get(key)
            except TypeError:
                found = None
            if found is not None:
                return found
            wanted = key if isinstance(key, frozenset) else [key]
            row = np.zeros(n, dtype=bool)
            for member in wanted:
                k = kind_of.get(member) if _hashable(member) else None
                if k is None or k >= n:
                    i, t = next(
                        (i, t)
                        for i, y in enumerate(Y)
                        for t, v in enumerate(y)
                        if v is label
                    )
                    raise UnseenLabelError(
                        f"y: {unit} {t} of example {i} has the label {member!r:.80}, which "
                        f"was not seen at fit; known are {classes}"
                    )
                row[k] = True
            kind_of[key] = len(rows)
            rows.append(row)
            return len(rows) - 1

        flat = list(chain.from_iterable(Y))
        try:
            kinds = list(map(kind_of.__getitem__, flat))
        except (KeyError, TypeError):
            kinds = list(map(kind, flat))
        return cls(np.array(kinds, dtype=np.int32), np.array(rows))

    def cost(self, cost: NDArray[np.floating]) -> NDArray[np.floating]:
        """Cost of every label for every kind: the least over the labels that it allows."""
        k = len(cost)
        extra = [cost[row].min(axis=0) for row in self.allowed[k:]]
        return np.concatenate([cost, np.array(extra).reshape(-1, k)])

    def is_label(self) -> NDArray[np.bool_]:
        """Whether the label of a token is known, (n_tokens,)."""
        return np.asarray(self.kinds < self.allowed.shape[1])

    def agree(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether labels are among the allowed ones, (n_tokens,)."""
        return np.asarray(self.allowed[self.kinds, codes])

    def some(self) -> NDArray[np.int32]:
        """The first allowed label of every token."""
        return np.asarray(self.allowed.argmax(axis=1)[self.kinds], dtype=np.int32)


def runs(flags: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Maximal runs of true flags within examples: (n_runs, 2), begin and end."""
    inside = np.concatenate([[0], flags.astype(np.int8), [0]])
    # A run ends where its example does.
    before: NDArray[np.bool_] = flags & np.concatenate([[False], flags[:-1]])
    before[offsets[:-1]] = False
    begins = np.flatnonzero(flags & ~before)
    after: NDArray[np.bool_] = flags & (inside[2:] == 1)
    after[offsets[1:] - 1] = False
    ends = np.flatnonzero(flags & ~after) + 1
    return np.stack([begins, ends], axis=1).astype(np.int64)


def best_agreeing(
    oracle: Oracle,
    w: NDArray[np.floating],
    ids: Sequence[int] | None,
    n_threads: int,
    nothing: Callable[[int], str],
) -> list[NDArray[np.int32]]:
    """Codes of the best outputs that cost nothing: a cost counts as PSX_FORBIDDEN.

    Raises
    ------
    ValueError
        ``nothing(i)``, where block i has no output at all.
    """
    try:
        return oracle.argmax_batch(w, ids, FORBIDDEN, n_threads)[0]
    except ValueError as error:
        at = re.match(r"block (\d+):", str(error))
        if at is None or not np.all(np.isfinite(w)):
            raise
        raise ValueError(nothing(int(at[1]))) from error


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


__all__ = [
    "KnownLabels",
    "all_known",
    "best_agreeing",
    "is_open",
    "known_classes",
    "refuse_open",
    "runs",
]
