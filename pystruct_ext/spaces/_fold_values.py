"""What the folding space hands out: packed examples, and energies of loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass
class PackedFolds:
    """Sequences and their folds as arrays.

    Attributes
    ----------
    offsets : (n + 1,) int64
    bases : (n_bases,) uint8
        A C G U as 0 .. 3, others as 4.
    partner : (n_bases,) int32 or None
        Truth: the position of the partner, -1 for none.
    demand, forced : arrays or None
        Hard constraints: 1 free, 2 paired, 3 with a later base, 4 with an earlier one; and
        forced partners.
    n_dropped, n_changed : int
        True pairs that the space cannot hold, and the folds they were dropped from.
    """

    offsets: NDArray[np.int64]
    bases: NDArray[np.uint8]
    partner: NDArray[np.int32] | None = None
    demand: NDArray[np.uint8] | None = None
    forced: NDArray[np.int32] | None = None
    n_dropped: int = 0
    n_changed: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1


class LoopEnergy(NamedTuple):
    """The free energy of one loop of a fold.

    Attributes
    ----------
    kind : {"exterior", "hairpin", "stack", "bulge", "interior", "multibranch"}
    closing : (int, int) or None
        The pair that closes the loop, from 0; None of the exterior.
    inner : (int, int) or None
        Its inner pair, where there is exactly one.
    energy : float
        In kcal/mol.
    """

    kind: str
    closing: tuple[int, int] | None
    inner: tuple[int, int] | None
    energy: float


__all__ = ["LoopEnergy", "PackedFolds"]
