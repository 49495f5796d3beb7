"""What spaces made of other spaces share: where oracles come from, shapes, parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle, python_oracle
from pystruct_ext.spaces._parts import flat_index
from pystruct_ext.spaces.base import OutputSpace, SpaceTags
from pystruct_ext.utils.fitted import Fitted

if TYPE_CHECKING:
    from typing_extensions import Self

_METHODS = (
    "joint_feature",
    "loss",
    "decode",
    "loss_augmented_decode",
    "shifted_decode",
)


class CombinedSpace(OutputSpace):
    """What the three have in common."""

    def _inner(self) -> list[Any]:
        """The spaces inside, fitted if this one is."""
        raise NotImplementedError

    def _axes(self) -> Any:
        """Axes along which an output has exactly one part; see `OutputSpace`."""
        raise NotImplementedError

    def _shapes(self, X: Any, packed: Any) -> list[Any]:
        """Shapes of the arrays of parts of packed examples."""
        raise NotImplementedError

    def _replaced(self) -> bool:
        """Whether a method is not the one below: the oracle has to call it, then."""
        ours = __name__.rsplit(".", 1)[0]
        home = next(c for c in type(self).__mro__ if c.__module__.startswith(ours))
        return any(
            name in vars(self) or getattr(type(self), name) is not getattr(home, name)
            for name in _METHODS
        )

    def _in_cpp(self) -> bool:
        """Whether the oracle is a combination of oracles, and no door to this object."""
        inner = self._inner()
        compiled = all(s.__space_tags__().compiled for s in inner)
        return compiled and not self._replaced()

    @property
    def dtype(self) -> str:
        """Type of the weights."""
        if self._in_cpp():
            return str(np.dtype(self._inner()[0].dtype))
        return "float64"

    @property
    def nonnegative_(self) -> tuple[int, int] | None:  # type: ignore[override]
        """Those of the spaces inside."""
        found, at = None, 0
        for space in self._inner():
            signs = space.nonnegative_
            if signs is not None and found is not None:
                raise ValueError(
                    "both spaces have weights that are to be >= 0; at most one of a "
                    "product may"
                )
            if signs is not None:
                found = at + signs[0], at + signs[1]
            at += space.size_psi_
        return found

    def __space_tags__(self) -> SpaceTags:
        """Those of the spaces inside: the weakest of them."""
        found = {s.__space_tags__().exactness for s in self._inner()}
        weakest = next(e for e in ("none", "relaxed", "exact") if e in found)
        return SpaceTags(exactness=weakest, compiled=self._in_cpp())

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any]) -> Any:
        """``fit_domain`` and ``pack`` at once."""
        raise NotImplementedError

    def fit_domain(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> Self:
        """Fit the spaces inside."""
        raise NotImplementedError

    def _door(self, packed: Any) -> Oracle:
        oracle, _ = python_oracle(
            self, packed.X, packed.Y, self.size_psi_, self.__space_tags__().exactness
        )
        return oracle

    def decode(self, w: NDArray[np.floating], x: Any) -> Any:
        """Best output of x."""
        return self.shifted_decode(w, x, None)

    def loss_augmented_decode(self, w: NDArray[np.floating], x: Any, y: Any) -> Any:
        """Most violating output of (x, y)."""
        return self.shifted_decode(w, x, None, y)

    def shifted_decode(
        self, w: NDArray[np.floating], x: Any, scores: Any, y: Any = None
    ) -> Any:
        """Best output of x with scores added to its parts; with Delta if y is given."""
        raise NotImplementedError

    def to_stored(self) -> dict[str, Any]:
        """Parameters and fitted attributes, for a model file."""
        params = self.get_params(deep=False)
        fitted = {k: v for k, v in vars(self).items() if k not in params}
        return {"params": params, "fitted": fitted}

    @classmethod
    def from_stored(cls, state: dict[str, Any]) -> Self:
        """The inverse of `to_stored`."""
        space = cls(**state["params"])
        for name, value in state["fitted"].items():
            if name not in ("space_", "spaces_", "size_psi_"):
                raise ValueError(f"{cls.__name__} has no fitted attribute {name!r}")
            setattr(space, name, value)
        return space

    def check_loaded(self) -> None:
        """Raise unless the spaces inside are fitted spaces, and the size their sum."""
        for space in self._inner():
            check_space(space, "space")
        if hasattr(self, "size_psi_"):
            for space in self._inner():
                if not hasattr(space, "size_psi_"):
                    raise ValueError(
                        f"{type(self).__name__}: a space inside is not fitted"
                    )
            total = sum(int(space.size_psi_) for space in self._inner())
            Fitted(self).equal("size_psi_", total)


# Spaces and their parts.


def check_space(space: Any, name: str) -> None:
    if not isinstance(space, OutputSpace):
        raise TypeError(f"{name} must be an OutputSpace, got {type(space).__name__}")


def check_parts(space: Any, who: str) -> None:
    """Raise unless the outputs of a space have parts."""
    if isinstance(space, CombinedSpace):
        for inner in space._inner():
            check_parts(inner, who)
        return
    needed = ("part_shape", "parts", "shifted_decode")
    missing = [name for name in needed if not callable(getattr(space, name, None))]
    if missing:
        raise TypeError(
            f"{who} needs a space whose outputs have parts: {type(space).__name__} has no "
            f"method {', '.join(missing)}; see the notes of OutputSpace"
        )


def dtype_of(space: Any) -> np.dtype[Any]:
    compiled = space.__space_tags__().compiled
    return np.dtype(getattr(space, "dtype", "float64") if compiled else "float64")


def axes_of(space: Any) -> Any:
    """Axes along which an output has exactly one part."""
    return space._axes() if isinstance(space, CombinedSpace) else space._one_part_along


def shapes_of(space: Any, X: Any, packed: Any) -> list[Any]:
    """Shapes of the arrays of parts of packed examples."""
    if isinstance(space, CombinedSpace):
        return list(space._shapes(X, packed))
    if space.__space_tags__().compiled:
        oracle = space.bind(packed)
        return [oracle.part_shape(i) for i in range(oracle.n_blocks)]
    return [tuple(space.part_shape(item_of(X, i))) for i in range(len(packed))]


def truths_of(
    space: Any, Y: Any, packed: Any, shapes: list[Any]
) -> list[NDArray[np.int64]]:
    """Parts of the true outputs, as the oracle has them."""
    if space.__space_tags__().compiled:
        oracle = space.bind(packed)
        return [oracle.parts(i, oracle.truth(i)) for i in range(oracle.n_blocks)]
    return [flat_index(space.parts(y), s) for y, s in zip(Y, shapes, strict=True)]


def item_of(X: Any, i: int) -> Any:
    """Example i; of a sparse matrix, its row as a matrix."""
    return X[[i]] if hasattr(X, "indptr") else X[i]


def one_of(space: Any, x: Any) -> Any:
    """X with the single example x."""
    own = getattr(space, "_one", None)
    return [x] if own is None else own(x)


__all__ = [
    "CombinedSpace",
    "axes_of",
    "check_parts",
    "check_space",
    "dtype_of",
    "item_of",
    "one_of",
    "shapes_of",
    "truths_of",
]
