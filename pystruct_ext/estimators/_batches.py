"""Examples of one call: normalised, and without those that have nothing in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.estimators._arguments import check_weights
from pystruct_ext.utils.examples import as_examples, pick


class Batch:
    """Examples as a space takes them.

    A sequence of no tokens has one output only. Kernels do without such examples: a batch
    leaves them out, answers for them, and keeps the numbers of the others.

    Parameters
    ----------
    space : OutputSpace
        Unfitted or fitted.
    X : examples in any container; see `pystruct_ext.utils.examples.as_examples`
    y : outputs, or None

    Attributes
    ----------
    X, y : the examples that are not empty
    empty : list of int
        Positions of the empty ones.
    """

    def __init__(self, space: Any, X: Any, y: Any = None) -> None:
        self._space = space
        self._all = self.X = as_examples(X)
        self.y = as_examples(y, "y")
        self._outputs: list[Any] = []
        self.empty: list[int] = []
        say = getattr(space, "empty_output", None)
        if say is None or type(self.X) is not list or _all_have_length(space, self.X):
            return
        for i, x in enumerate(self.X):
            # Whether an example is well formed is for the space to say.
            output = say(x) if hasattr(x, "__len__") or hasattr(x, "shape") else None
            if output is not None:
                self.empty.append(i)
                self._outputs.append(output)
        if not self.empty:
            return
        if self.y is not None:
            if len(self.y) != len(self.X):
                raise ValueError(
                    f"X and y must have the same number of examples, got {len(self.X)} and "
                    f"{len(self.y)}"
                )
            if len(self.empty) == len(
                self.X
            ):  # nothing to learn from: the space says so
                self.empty, self._outputs = [], []
                return
            for i, output in zip(self.empty, self._outputs, strict=True):
                if not _is_empty(self.y[i], output):
                    raise ValueError(
                        f"y: example {i} is {self.y[i]!r:.80}, but X has nothing there"
                    )
        gone = set(self.empty)
        self._kept = [i for i in range(len(self.X)) if i not in gone]
        self.X = pick(self.X, self._kept)
        if self.y is not None:
            self.y = pick(self.y, self._kept)

    @contextmanager
    def own_numbers(self) -> Iterator[None]:
        """Errors name examples by their numbers among all, empty ones counted."""
        try:
            yield
        except (TypeError, ValueError) as error:
            if not self.empty or len(error.args) != 1:
                raise
            message = re.sub(
                r"\bexample (\d+)",
                lambda found: f"example {self._number(int(found[1]))}",
                str(error.args[0]),
            )
            raise type(error)(message) from error

    def _number(self, k: int) -> int:
        return self._kept[k] if k < len(self._kept) else k

    def outputs(self) -> list[Any]:
        """The outputs of the empty examples."""
        return self._outputs

    def empty_marginals(self) -> list[NDArray[np.float64]]:
        """Marginals of the empty examples: arrays of no parts."""
        return [np.zeros(self._space.empty_shape(self._all[i])) for i in self.empty]

    def spread(self, found: Sequence[Any], empty: Sequence[Any]) -> list[Any]:
        """Results of all examples, in order: of those in `X`, and of the empty ones."""
        if not self.empty:
            return list(found)
        out: list[Any] = [None] * len(self._all)
        for i, value in zip(self._kept, found, strict=True):
            out[i] = value
        for i, value in zip(self.empty, empty, strict=True):
            out[i] = value
        return out

    def kept(self, values: Any, name: str) -> Any:
        """What belongs to the examples in `X`, of one value for each of all; or None."""
        values = as_examples(values, name)
        if values is None or not self.empty or len(values) != len(self._all):
            return values
        return pick(values, self._kept)

    def kept_weights(self, sample_weight: ArrayLike | None) -> ArrayLike | None:
        """Weights of the examples in `X`."""
        if sample_weight is None or not self.empty:
            return sample_weight
        weight = check_weights(sample_weight, len(self._all))
        return None if weight is None else weight[self._kept]


def _all_have_length(space: Any, X: list[Any]) -> bool:
    """Whether no example is empty, where the length says it: without a call for each."""
    if not getattr(space, "_empty_means_no_length", False):
        return False
    try:
        return 0 not in map(len, X)
    except TypeError:  # sparse matrices, and what the space will refuse
        return False


def _is_empty(y: Any, output: Any) -> bool:
    """Whether y is the output of an example with nothing in it, however it is spelt."""
    try:
        if len(y) == 0 or list(y) == list(output):
            return True
        return isinstance(y, tuple) and all(len(part) == 0 for part in y)
    except (TypeError, ValueError):
        return False


@dataclass
class Asked:
    """Examples as an oracle; empty ones aside."""

    space: Any
    batch: Batch
    packed: Any
    oracle: Any

    @classmethod
    def of(cls, space: Any, X: Any) -> Asked:
        """Pack and bind examples."""
        batch = Batch(space, X)
        if batch.empty and not batch.X:
            return cls(space, batch, None, None)
        with batch.own_numbers():
            packed = space.pack(batch.X)
        return cls(space, batch, packed, space.bind(packed))

    @property
    def verbs(self) -> frozenset[str]:
        """What the oracle can be asked for."""
        if self.oracle is None:  # only empty examples, which need no oracle
            return frozenset(("k_best", "marginals", "sample"))
        verbs: frozenset[str] = self.oracle.verbs
        return verbs

    @property
    def blocks(self) -> range:
        """Numbers of the examples in the oracle."""
        return range(0 if self.oracle is None else self.oracle.n_blocks)

    def output_of(self, code: Any, i: int) -> Any:
        """The output that a code of block i stands for."""
        return self.space.output_of(code, self.packed, i)


__all__ = ["Asked", "Batch"]
