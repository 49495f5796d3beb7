"""What a researcher writes: an output space in domain language."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from pystruct_ext._core import Oracle, python_oracle
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted


@dataclass(frozen=True)
class SpaceTags:
    """Capabilities of an output space.

    Attributes
    ----------
    exactness : {"exact", "relaxed", "none"}
        What ``loss_augmented_decode`` promises: the maximum; the maximum over a
        relaxation, so that hinges are over-estimated (LP); or neither (greedy, beam).
        It decides what the duality gap of a fit certifies. A space of exactness "none" with
        a method ``bound(w, x, y)``, an upper bound of ``max_z Delta(y, z) + <w, psi(x, z)>``
        (without Delta where y is None), is certified all the same: "bounded".
    compiled : bool
        Whether ``bind`` gives an oracle that runs without the GIL.
    psi_cache_bytes : int
        Python spaces: most memory for vectors of ``joint_feature`` that are kept, as long as
        the oracle lives. Each takes 12 bytes per nonzero entry (8 D where more than two thirds
        are nonzero) and about 250. Those of the truths and of the cuts that a solver holds
        stay; the others make room, the first let go first. What does not fit is computed again
        when it is needed; 0 keeps nothing.

    Examples
    --------
    A space whose decoder is greedy says so:

    >>> from pystruct_ext.spaces import OutputSpace, SpaceTags
    >>> class GreedySpace(OutputSpace):
    ...     def __space_tags__(self):
    ...         return SpaceTags(exactness="none")
    """

    exactness: str = "exact"
    compiled: bool = False
    psi_cache_bytes: int = 1 << 28


@dataclass
class PackedObjects:
    """Training examples of a pure-Python space: the objects themselves."""

    X: Sequence[Any]
    Y: Sequence[Any] | None

    def __len__(self) -> int:
        return len(self.X)


@storable(kind="space", open=True, abstract=True)
class OutputSpace(BaseEstimator, ABC):
    """A space of structured outputs, its joint feature map, loss and two decoders.

    Subclass it, write the five methods below, and every solver and
    `StructuralSVM` works with it. Parameters of ``__init__`` are hyper-parameters in
    scikit-learn's sense (``get_params``, ``clone``); everything that depends on data
    is set by ``fit_domain`` under a name that ends in an underscore.

    The problem that solvers see is ``min_w lambda/2 ||w||^2 + 1/n sum_i c_i H_i(w)``
    with ``H_i(w) = max_y Delta(y_i, y) - <w, psi(x_i, y_i) - psi(x_i, y)>``.

    Attributes
    ----------
    size_psi_ : int
        Length D of the joint feature vector; set by ``fit_domain``.
    nonnegative_ : (int, int) or None
        Weights from the first to before the second are to be >= 0: the problem is the minimum
        over such w only, and the decoders are asked about no others. ``fit_domain`` may set
        it; BCFW, NSlack and Subgradient solve such problems.

    Notes
    -----
    Optional methods: ``validate(X, Y)``, ``enumerate(x)`` (all outputs of x; enables
    the brute-force checks of ``pystruct_ext.testing.check_output_space``),
    ``decode_batch``, ``pack``, ``bind`` (a compiled oracle), ``__space_tags__`` (see
    `SpaceTags`: a decoder that may miss the maximum has to say so), ``input_feature``.

    ``joint_feature`` and ``loss`` are functions of their arguments: what they return for an
    output is kept while there is room, and not asked for again.

    Parts. To be put into `Constrained` or `CostShifted`, a space sees its outputs as sets
    of parts, numbered over an array for each example, and has three more methods:
    ``part_shape(x)``, the shape of that array; ``parts(y)``, the parts of an output as an
    index into it, a tuple of integer arrays, one for each dimension, so that
    ``scores[parts(y)]`` are the scores of its parts; and ``shifted_decode(w, x, scores,
    y=None)``, the argmax of ``<w, psi(x, z)> + scores[parts(z)].sum()``, plus ``Delta(y, z)``
    if y is given. A score of -1e30 forbids a part. Compiled spaces need ``parts`` only.

    The weight vector given to the decoders is read-only and reused between calls;
    copy it to keep it.
    """

    size_psi_: int
    nonnegative_: tuple[int, int] | None = None
    # The axis of the array of parts along which an output has exactly one part, if any: what
    # `Constrained` needs to force a part.
    _one_part_along: ClassVar[int | None] = None

    @abstractmethod
    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> OutputSpace:
        """Learn sizes and vocabularies from the examples; set ``size_psi_``."""

    @abstractmethod
    def joint_feature(self, x: Any, y: Any) -> NDArray[np.float64]:
        """``psi(x, y)``, shape (size_psi_,)."""

    @abstractmethod
    def loss(self, y: Any, y_hat: Any) -> float:
        """``Delta(y, y_hat) >= 0``, and 0 for ``y_hat == y``."""

    @abstractmethod
    def decode(self, w: NDArray[np.float64], x: Any) -> Any:
        """``argmax_y <w, psi(x, y)>``."""

    @abstractmethod
    def loss_augmented_decode(self, w: NDArray[np.float64], x: Any, y: Any) -> Any:
        """``argmax_z Delta(y, z) + <w, psi(x, z)>``."""

    def enumerate(self, x: Any) -> Iterable[Any]:
        """All outputs of x, for brute-force checks on small problems."""
        raise NotImplementedError(
            f"{type(self).__name__} does not enumerate its outputs"
        )

    def check_loaded(self) -> None:
        """Raise ValueError or TypeError unless parameters and fitted attributes make sense.

        Called after loading, when they are what a file says. Override where a hostile value
        could do harm, such as an index beyond an array; `pystruct_ext.utils.fitted` helps.
        """
        if hasattr(self, "size_psi_"):
            Fitted(self).integer("size_psi_", 0)

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Raise ValueError or TypeError if the examples are not what the space takes."""
        if Y is not None and len(X) != len(Y):
            raise ValueError(
                f"X and Y must have the same number of examples, got {len(X)} and {len(Y)}"
            )
        if len(X) == 0:
            raise ValueError("X holds no examples, expected at least 1")

    def __space_tags__(self) -> SpaceTags:
        """Capabilities; override to declare an inexact decoder."""
        return SpaceTags()

    # The way to the oracle. A compiled space overrides these.

    def pack(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> Any:
        """Examples as what ``bind`` takes; compiled spaces pack them into arrays."""
        return PackedObjects(X, Y)

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any]) -> Any:
        """``fit_domain`` and ``pack`` at once; override where that saves a pass."""
        self.validate(X, Y)
        return self.fit_domain(X, Y).pack(X, Y)

    def bind(self, packed: Any) -> Oracle:
        """The oracle over packed examples; this is all a solver ever sees.

        Raises
        ------
        ValueError
            If ``fit_domain`` has not set ``size_psi_`` to a whole number >= 1.
        """
        size, tags = getattr(self, "size_psi_", None), self.__space_tags__()
        if not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(
                f"{type(self).__name__}: fit_domain must set size_psi_, the length of "
                f"joint_feature, to a whole number >= 1; "
                + ("it is not set" if size is None else f"it is {size!r}")
            )
        oracle, _ = python_oracle(
            self, packed.X, packed.Y, int(size), tags.exactness, tags.psi_cache_bytes
        )
        return oracle

    def input_feature(self, j: int) -> int | None:
        """The feature of x (a column of X) behind entry j of psi, or None.

        Override it where there is such a thing: warnings then name the feature.
        """
        return None

    def decode_batch(
        self, w: NDArray[np.floating], X: Sequence[Any], n_threads: int = 1
    ) -> list[Any]:
        """``[decode(w, x) for x in X]``; compiled spaces sweep without the GIL."""
        wide: NDArray[np.float64] = np.ascontiguousarray(w, dtype=np.float64)
        return [self.decode(wide, x) for x in X]
