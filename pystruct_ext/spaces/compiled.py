"""What all spaces with a kernel share: from examples to codes, and back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.spaces._in_pieces import decode_in_pieces
from pystruct_ext.spaces.base import OutputSpace, SpaceTags


class CompiledSpace(OutputSpace):
    """A space whose oracle is a compiled kernel.

    A subclass packs examples into arrays (``pack``), hands them to its kernel (``bind``),
    and says which output a code stands for (``output_of``); decoding, ``joint_feature`` and
    the rest follow.

    Attributes
    ----------
    dtype : {"float32", "float64"}
        Type of the weights.
    """

    dtype: str
    # Whether an example has an `empty_output` if and only if its length is 0.
    _empty_means_no_length: ClassVar[bool] = False

    @abstractmethod
    def output_of(self, code: Sequence[int], packed: Any, i: int) -> Any:
        """The output that a code of packed example i stands for."""

    def empty_output(self, x: Any) -> Any:
        """The only output of an example with nothing in it; None for all other examples.

        Kernels take examples of at least one position. An estimator answers for empty ones
        with what this says, and leaves them out of a fit.
        """
        return None

    def empty_shape(self, x: Any) -> tuple[int, ...]:
        """Shape of the array of parts of an example that has an `empty_output`."""
        raise NotImplementedError

    def marginals_as_dicts(self, marginals: NDArray[np.float64]) -> Any:
        """Marginals of one example with labels in place of positions in an array.

        Raises
        ------
        NotImplementedError
            If the parts of the space have no such form.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no marginals as dicts, only arrays of its parts"
        )

    def outputs_of(
        self, codes: NDArray[np.int32], offsets: NDArray[np.int64], packed: Any
    ) -> list[Any]:
        """Codes of all packed examples, end to end, as outputs."""
        flat, ends = codes.tolist(), offsets.tolist()
        return [
            self.output_of(flat[a:b], packed, i)
            for i, (a, b) in enumerate(pairwise(ends))
        ]

    def decode_batch(
        self, w: NDArray[np.floating], X: Any, n_threads: int = 1
    ) -> list[Any]:
        """Best output of every example."""
        return self.decode_packed(w, self.pack(X), n_threads)

    def decode_packed(
        self, w: NDArray[np.floating], packed: Any, n_threads: int = 1
    ) -> list[Any]:
        """Best output of every packed example."""
        codes, offsets = decode_in_pieces(self.bind(packed), self._own(w), n_threads)
        return self.outputs_of(codes, offsets, packed)

    def joint_feature(self, x: Any, y: Any) -> NDArray[np.float64]:
        """``psi(x, y)``, (size_psi_,)."""
        oracle = self.bind(self.pack(self._one(x), [y]))
        return np.asarray(oracle.psi(0, oracle.truth(0)), dtype=np.float64)

    def decode(self, w: NDArray[np.floating], x: Any) -> Any:
        """Best output of x."""
        return self._best(w, self.pack(self._one(x)), 0.0)

    def loss_augmented_decode(self, w: NDArray[np.floating], x: Any, y: Any) -> Any:
        """Most violating output of (x, y)."""
        return self._best(w, self.pack(self._one(x), [y]), 1.0)

    def part_shape(self, x: Any) -> tuple[int, ...]:
        """Shape of the array of parts of x."""
        return self.bind(self.pack(self._one(x))).part_shape(0)

    def shifted_decode(
        self, w: NDArray[np.floating], x: Any, scores: Any, y: Any = None
    ) -> Any:
        """Best output of x with scores added to its parts; with Delta if y is given."""
        packed = self.pack(self._one(x), None if y is None else [y])
        scale = 0.0 if y is None else 1.0
        code = self.bind(packed).argmax(self._own(w), 0, scale, scores=scores)
        return self.output_of(code.tolist(), packed, 0)

    def __space_tags__(self) -> SpaceTags:
        """Exact and compiled."""
        return SpaceTags(exactness="exact", compiled=True)

    def _best(self, w: NDArray[np.floating], packed: Any, loss_scale: float) -> Any:
        code = self.bind(packed).argmax(self._own(w), 0, loss_scale)
        return self.output_of(code.tolist(), packed, 0)

    def _one(self, x: Any) -> Any:
        """X with the single example x."""
        return [x]

    def _own(self, w: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.ascontiguousarray(w, dtype=np.dtype(self.dtype))


__all__ = ["CompiledSpace"]
