"""Spaces with something said of the parts of outputs: forbidden parts, costs of parts.

Over compiled spaces the oracles are combined in C++ (csrc combinators.hpp). Over Python spaces
the combinator is a Python space itself, by the optional methods on parts of `OutputSpace`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from pystruct_ext._core import Oracle
from pystruct_ext._core.combinators import constrained_oracle, cost_shifted_oracle
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._combined import (
    CombinedSpace,
    axes_of,
    check_parts,
    check_space,
    item_of,
    one_of,
    shapes_of,
    truths_of,
)
from pystruct_ext.spaces._parts import (
    CannotForceError,
    Pair,
    added,
    cost_of_new,
    costs,
    flat_array,
    flat_index,
    forbidden,
    part_name,
    unflatten,
)
from pystruct_ext.spaces.base import OutputSpace

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass
class PackedParts:
    """Examples of `Constrained` and `CostShifted`.

    Attributes
    ----------
    inner : object
        As the inner space packs them.
    X, Y : the examples themselves; Y may be None
    shapes : list of n shapes of arrays of parts
    scores : list of n flat arrays
        0 or -1e30 for each part, or costs.
    """

    inner: Any
    X: Any
    Y: Any
    shapes: list[Any]
    scores: list[NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.inner)

    def arrays(self) -> list[NDArray[np.float64]]:
        """What the oracles in C++ take; their products have flat arrays."""
        pairs = zip(self.scores, self.shapes, strict=True)
        return [a if isinstance(s, Pair) else a.reshape(s) for a, s in pairs]


class _OverParts(CombinedSpace):
    """One space, and something said of the parts of its outputs."""

    space: Any
    space_: Any

    def _inner(self) -> list[Any]:
        return [getattr(self, "space_", self.space)]

    def _axes(self) -> Any:
        return axes_of(self._inner()[0])

    def _shapes(self, X: Any, packed: PackedParts) -> list[Any]:
        return list(packed.shapes)

    def _unfitted(self) -> Any:
        check_space(self.space, "space")
        check_parts(self.space, type(self).__name__)
        return clone(self.space)

    def check_loaded(self) -> None:
        """Raise unless what is said of parts may be an array, and the space inside is one."""
        super().check_loaded()
        for name in ("mask", "cost"):
            value = getattr(self, name, None)
            if isinstance(value, (bool, int, float, str, dict)):
                raise ValueError(
                    f"{type(self).__name__}.{name} is a {type(value).__name__}, expected an "
                    "array"
                )

    def _set(self, space: Any) -> None:
        self.space_ = space
        self.size_psi_ = int(space.size_psi_)

    def fit_domain(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> Self:
        """Fit the space inside."""
        space = self._unfitted()
        space.fit_domain(X, Y)
        self._set(space)
        return self

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any]) -> PackedParts:
        """Fit the space inside, and pack the examples."""
        space = self._unfitted()
        packed = space.fit_pack(X, Y)
        self._set(space)
        return self._packed(packed, X, Y)

    def pack(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> PackedParts:
        """Pack examples, with a number for each of their parts."""
        return self._packed(self.space_.pack(X, Y), X, Y)

    def _packed(self, inner: Any, X: Any, Y: Any) -> PackedParts:
        shapes = shapes_of(self.space_, X, inner)
        truths = None if Y is None else truths_of(self.space_, Y, inner, shapes)
        scores = self._scores(X, Y, shapes, truths)
        return PackedParts(inner, X, Y, shapes, scores)

    def _scores(
        self, X: Any, Y: Any, shapes: list[Any], truths: list[NDArray[np.int64]] | None
    ) -> list[NDArray[np.float64]]:
        raise NotImplementedError

    def output_of(self, code: Sequence[int], packed: PackedParts, i: int) -> Any:
        """The output that a code of packed example i stands for."""
        return self.space_.output_of(code, packed.inner, i)

    def outputs_of(
        self, codes: NDArray[np.int32], offsets: NDArray[np.int64], packed: PackedParts
    ) -> list[Any]:
        """Codes of all packed examples, end to end, as outputs."""
        return list(self.space_.outputs_of(codes, offsets, packed.inner))

    # One example in domain language.

    def joint_feature(self, x: Any, y: Any) -> NDArray[np.float64]:
        """That of the space inside."""
        return np.asarray(self.space_.joint_feature(x, y), dtype=np.float64)

    def loss(self, y: Any, y_hat: Any) -> float:
        """That of the space inside."""
        return float(self.space_.loss(y, y_hat))

    def enumerate(self, x: Any) -> Iterable[Any]:
        """All outputs."""
        return list(self.space_.enumerate(x))

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """What the space inside says of the examples."""
        self._inner()[0].validate(X, Y)

    def part_shape(self, x: Any) -> Any:
        """Shape of the array of parts of x."""
        return self.space_.part_shape(x)

    def parts(self, y: Any) -> Any:
        """The parts of an output, as an index into their array."""
        return self.space_.parts(y)

    def _one(self, x: Any) -> Any:
        return one_of(self.space_, x)


@storable
class Constrained(_OverParts):
    """A space some of whose parts are forbidden or forced, when training and predicting.

    Parameters
    ----------
    space : OutputSpace
        Cloned, never changed. Its outputs have parts: see the notes of `OutputSpace`.
    mask : callable or array_like
        ``mask(x)``, or one array for all examples. Of the shape of the example's parts, or
        one that broadcasts to it: -1 forbids a part, 0 leaves it free, 1 forces it; in
        boolean arrays True allows and False forbids. Over a `Product` a pair of arrays,
        None for no constraints.

    Attributes
    ----------
    space_ : OutputSpace
        The fitted clone.
    size_psi_ : int

    Raises
    ------
    ValueError
        When packing: for a true output that the mask forbids, an array of another shape or
        with other values, and for forced parts where outputs do not have exactly one part
        along an axis. When decoding: where the mask allows no output.

    Notes
    -----
    Parts by space: label of a token (T, K), class (K,), head and word of an arc (n + 1, n),
    first and second base of a pair (n, n), aligned positions (n, m), start, end and label of
    a segment or constituent (n + 1, n + 1, K). Forcing a part forbids its rivals: the other
    labels of the token, classes, or heads of the word.

    A model with a callable mask cannot be saved.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext.spaces import SequenceSpace
    >>> X, Y = [np.eye(2), np.eye(2)[::-1]], [["a", "b"], ["b", "b"]]
    >>> space = Constrained(SequenceSpace(), [0, 1]).fit_domain(X, Y)  # always b
    >>> w = space.joint_feature(X[0], ["a", "b"])
    >>> space.space_.decode(w, X[0]), space.decode(w, X[0])
    (['a', 'b'], ['b', 'b'])
    """

    def __init__(self, space: OutputSpace, mask: Any) -> None:
        self.space = space
        self.mask = mask

    def _mask(self, x: Any, shape: Any, i: int) -> NDArray[np.float64]:
        """0 or -1e30 for each part of x."""
        given = self.mask(x) if callable(self.mask) else self.mask
        try:
            return flat_array(
                given, shape, f"mask: example {i}", forbidden, axes_of(self.space_)
            )
        except CannotForceError as error:
            if "constraints" in inspect.signature(self.space_.pack).parameters:
                raise ValueError(
                    f"{error}; {type(self.space_).__name__} takes constraints of its own: "
                    "pack(X, constraints=...)"
                ) from None
            raise

    def _scores(
        self, X: Any, Y: Any, shapes: list[Any], truths: list[NDArray[np.int64]] | None
    ) -> list[NDArray[np.float64]]:
        out = []
        for i, shape in enumerate(shapes):
            mask = self._mask(item_of(X, i) if callable(self.mask) else None, shape, i)
            if truths is not None:
                bad = truths[i][mask[truths[i]] < 0]
                if len(bad):
                    raise ValueError(
                        f"y: example {i} has {part_name(int(bad[0]), shape)}, which its "
                        "mask forbids; the true output must be allowed"
                    )
            out.append(mask)
        return out

    def bind(self, packed: PackedParts) -> Oracle:
        """The oracle over packed examples."""
        if not self._in_cpp():
            return self._door(packed)
        return constrained_oracle(self.space_.bind(packed.inner), packed.arrays())

    def shifted_decode(
        self, w: NDArray[np.floating], x: Any, scores: Any, y: Any = None
    ) -> Any:
        """Best allowed output of x with scores added; with Delta if y is given."""
        return self._best(w, x, scores, y, 0)

    def _best(
        self, w: NDArray[np.floating], x: Any, scores: Any, y: Any, i: int
    ) -> Any:
        shape = self.space_.part_shape(x)
        mask = self._mask(x, shape, i)
        total = added(scores, unflatten(mask, shape))
        if self.space_.__space_tags__().compiled:
            try:
                return self.space_.shifted_decode(w, x, total, y)
            except ValueError:
                self._explain(self.pack(self._one(x)))
                raise
        z = self.space_.shifted_decode(w, x, total, y)
        if (mask[flat_index(self.space_.parts(z), shape)] < 0).any():
            raise ValueError(f"mask: it allows no output of example {i}")
        return z

    def decode_batch(
        self, w: NDArray[np.floating], X: Sequence[Any], n_threads: int = 1
    ) -> list[Any]:
        """Best allowed output of every example."""
        if self._replaced():
            return super().decode_batch(w, X, n_threads)
        if not self._in_cpp():
            wide: NDArray[np.float64] = np.ascontiguousarray(w, dtype=np.float64)
            return [self._best(wide, x, None, None, i) for i, x in enumerate(X)]
        packed = self.pack(X)
        oracle = self.bind(packed)
        try:
            codes, offsets = oracle.decode_flat(
                np.ascontiguousarray(w, dtype=oracle.dtype), None, n_threads
            )
        except ValueError:
            self._explain(packed)
            raise
        return self.outputs_of(codes, offsets, packed)

    def _explain(self, packed: PackedParts) -> None:
        """Raise if it is the mask that leaves an example without output."""
        free = self.space_.bind(packed.inner)
        bound = constrained_oracle(free, packed.arrays())
        w = np.zeros(free.size_psi, dtype=free.dtype)
        for i in range(len(packed)):
            try:
                free.argmax(w, i, 0.0)
            except ValueError:
                continue
            try:
                bound.argmax(w, i, 0.0)
            except ValueError:
                raise ValueError(f"mask: it allows no output of example {i}") from None

    def enumerate(self, x: Any) -> Iterable[Any]:
        """All outputs that the mask allows."""
        shape = self.space_.part_shape(x)
        mask = self._mask(x, shape, 0)
        for y in self.space_.enumerate(x):
            if not (mask[flat_index(self.space_.parts(y), shape)] < 0).any():
                yield y

    def to_stored(self) -> dict[str, Any]:
        """Parameters and fitted attributes; a TypeError if the mask is a function."""
        if callable(self.mask):
            raise TypeError(
                "Constrained with a function as mask cannot be saved: a model file holds "
                "no code; give the mask as an array, or save a model of the space inside"
            )
        return super().to_stored()


@storable
class CostShifted(_OverParts):
    """A space whose loss also counts what wrong parts cost.

    ``Delta'(y, y_hat) = Delta(y, y_hat) + sum of cost(part) over the parts of y_hat that are
    not parts of y``. Only training sees it; predictions are those of the space inside.

    Parameters
    ----------
    space : OutputSpace
        Cloned, never changed. Its outputs have parts: see the notes of `OutputSpace`.
    cost : callable, array_like or None
        ``cost(y)``: what it costs to predict a part of the example whose true output is y;
        or one array for all examples. Of the shape of the example's parts, or one that
        broadcasts to it, such as one number for each label; finite and not negative. Over a
        `Product` a pair of arrays. None costs nothing.

    Attributes
    ----------
    space_ : OutputSpace
        The fitted clone.
    size_psi_ : int

    Notes
    -----
    The cost depends on y, not on x, because ``loss(y, y_hat)`` does. A function is not
    stored in model files: a loaded model predicts as before, its loss has no costs.

    Parts by space: see `Constrained`.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext.spaces import SequenceSpace
    >>> X, Y = [np.eye(2), np.eye(2)[::-1]], [["a", "b"], ["b", "b"]]
    >>> space = CostShifted(SequenceSpace(), [5, 0]).fit_domain(X, Y)
    >>> space.loss(["b", "b"], ["a", "b"]), space.loss(["a", "b"], ["a", "a"])
    (6.0, 6.0)
    >>> space.loss(["a", "a"], ["b", "a"])
    1.0
    """

    def __init__(self, space: OutputSpace, cost: Any) -> None:
        self.space = space
        self.cost = cost

    def _cost(self, y: Any) -> Any:
        return self.cost(y) if callable(self.cost) else self.cost

    def _scores(
        self, X: Any, Y: Any, shapes: list[Any], truths: list[NDArray[np.int64]] | None
    ) -> list[NDArray[np.float64]]:
        if truths is None:
            return []
        out = []
        for i, (shape, true) in enumerate(zip(shapes, truths, strict=True)):
            cost = flat_array(self._cost(Y[i]), shape, f"cost: example {i}", costs)
            cost[true] = 0.0
            out.append(cost)
        return out

    def bind(self, packed: PackedParts) -> Oracle:
        """The oracle over packed examples."""
        if not self._in_cpp():
            return self._door(packed)
        inner: Oracle = self.space_.bind(packed.inner)
        if packed.Y is None:
            return inner
        oracle: Oracle = cost_shifted_oracle(inner, packed.arrays())
        return oracle

    def loss(self, y: Any, y_hat: Any) -> float:
        """The loss of the space inside, and the costs of wrong parts."""
        old, new = self.space_.parts(y), self.space_.parts(y_hat)
        extra = cost_of_new(self._cost(y), old, new, "cost")
        return float(self.space_.loss(y, y_hat)) + extra

    def shifted_decode(
        self, w: NDArray[np.floating], x: Any, scores: Any, y: Any = None
    ) -> Any:
        """Best output of x with scores added; with Delta and costs if y is given."""
        if y is not None:
            packed = self.pack(self._one(x), [y])
            own = unflatten(packed.scores[0], packed.shapes[0])
            scores = added(scores, own)
        elif scores is None:
            return self.space_.decode(w, x)
        return self.space_.shifted_decode(w, x, scores, y)

    def decode_batch(
        self, w: NDArray[np.floating], X: Sequence[Any], n_threads: int = 1
    ) -> list[Any]:
        """Best output of every example."""
        if self._replaced():
            return super().decode_batch(w, X, n_threads)
        return list(self.space_.decode_batch(w, X, n_threads))

    def to_stored(self) -> dict[str, Any]:
        """Parameters and fitted attributes; without the cost if it is a function."""
        state = super().to_stored()
        if callable(self.cost):
            state["params"]["cost"] = None
        return state


__all__ = ["Constrained", "CostShifted", "PackedParts"]
