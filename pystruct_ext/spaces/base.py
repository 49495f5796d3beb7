"""What a researcher writes: an output space in domain language."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from pystruct_ext._core import Oracle, move_truth, python_oracle
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.examples import pick
from pystruct_ext.utils.fitted import Fitted

LATENT_HINT = "LatentStructuralSVM learns from outputs with missing parts"


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
    """Training examples of a pure-Python space: the objects themselves.

    Attributes
    ----------
    X : examples
    Y : complete outputs, or None
    observed : what is known of the outputs, or None where that is all of Y
    """

    X: Sequence[Any]
    Y: Sequence[Any] | None
    observed: Sequence[Any] | None = None

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

    Missing parts. To be trained by `LatentStructuralSVM`, a space takes outputs of which only
    some parts are known: ``is_complete(y)`` is false for them, ``fit_domain`` learns from what
    is there, ``loss(y, y_hat)`` and ``loss_augmented_decode(w, x, y)`` count what is known of y
    and nothing else (y_hat is complete), and ``impute(w, x, y)`` returns the complete output of
    the largest ``<w, psi(x, .)>`` among those that agree with y. A compiled space has
    ``pack(X, Y, observed=...)`` besides: Y is complete, the truth of psi, while Delta is
    measured against `observed`, so that the loss of the truth is 0. What else it may say, with
    defaults here: ``impute_batch``, ``guess``, ``complete_part``, ``encode``.

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

    # Outputs with missing parts.

    def is_complete(self, y: Any) -> bool:
        """Whether an output has no missing parts."""
        return True

    def impute(self, w: NDArray[np.float64], x: Any, y: Any) -> Any:
        """``argmax <w, psi(x, z)>`` over the complete outputs z that agree with y."""
        raise NotImplementedError(
            f"{type(self).__name__} has no impute(w, x, y), which fills the missing parts of y"
        )

    def impute_batch(
        self,
        w: NDArray[np.floating],
        X: Sequence[Any],
        Y: Sequence[Any],
        n_threads: int = 1,
    ) -> list[Any]:
        """``impute(w, x, y)`` of every pair; complete outputs stay as they are."""
        wide: NDArray[np.float64] = np.ascontiguousarray(w, dtype=np.float64)
        wide.setflags(write=False)
        return [
            y if self.is_complete(y) else self.impute(wide, x, y)
            for x, y in zip(X, Y, strict=True)
        ]

    def guess(
        self, X: Sequence[Any], Y: Sequence[Any], rng: np.random.Generator | None
    ) -> list[Any]:
        """Complete outputs to begin with: at random, or without rng always the same.

        By default those of random weights.
        """
        rng = np.random.default_rng(0) if rng is None else rng
        return self.impute_batch(rng.standard_normal(self.size_psi_), X, Y)

    def complete_part(
        self, X: Sequence[Any], Y: Sequence[Any]
    ) -> tuple[Any, Any, Any] | None:
        """Complete examples to learn the first weights from: ``(X', Y', parents)``, or None.

        By default those among the examples that are complete. A space that can cut complete
        examples out of others may return more; ``parents[k]``, an int, is the position in X of
        what example k was cut from. None begins with `guess`.
        """
        kept = [i for i, y in enumerate(Y) if self.is_complete(y)]
        if not kept:
            return None
        encoded: Any = X
        plain = isinstance(X, (list, np.ndarray)) or not hasattr(X, "take")
        part = pick(X, kept) if plain else encoded.take(kept)
        return part, pick(Y, kept), kept

    def encode(self, X: Sequence[Any]) -> Any:
        """Examples in a form that ``pack`` and ``impute_batch`` take again with less work.

        It has a length, and is a list, an array or has a method ``take(positions)``.
        """
        return X

    def pack_observed(
        self, X: Sequence[Any], Y: Sequence[Any], observed: Sequence[Any], **more: Any
    ) -> Any:
        """``pack`` with complete outputs Y, of which only `observed` is known.

        By default ``pack(X, Y, observed=observed)`` of a space with a ``pack`` of its own.
        Other arguments are what else ``pack`` takes for each example.
        """
        if type(self).pack is OutputSpace.pack:
            return PackedObjects(X, Y, observed)
        own: Any = self
        if all(map(self.is_complete, observed)):
            return own.pack(X, observed, **more)
        return own.pack(X, Y, observed=observed, **more)

    def rebind(self, packed: Any, oracle: Oracle) -> Oracle:
        """The oracle over the examples of `oracle`, packed with other complete outputs.

        A code stands for the same output as before, so that the working set of a solve on
        the one oracle warm-starts a solve on the other.
        """
        latent = isinstance(packed, PackedObjects) and packed.observed is not None
        return oracle if latent and move_truth(oracle, packed.Y) else self.bind(packed)

    # The way to the oracle. A compiled space overrides these.

    def pack(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> Any:
        """Examples as what ``bind`` takes; compiled spaces pack them into arrays."""
        return PackedObjects(X, Y)

    def fit_pack(self, X: Sequence[Any], Y: Sequence[Any]) -> Any:
        """``fit_domain`` and ``pack`` at once; override where that saves a pass.

        Raises
        ------
        ValueError
            If an output has missing parts, among others.
        """
        self.validate(X, Y)
        refuse_missing(self, Y)
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
        latent = packed.observed is not None
        oracle, _ = python_oracle(
            self,
            packed.X,
            packed.observed if latent else packed.Y,
            int(size),
            tags.exactness,
            tags.psi_cache_bytes,
            packed.Y if latent else None,
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


def refuse_missing(space: OutputSpace, Y: Sequence[Any] | None, what: str = "") -> None:
    """Raise ValueError for outputs with missing parts, which only a latent fit takes.

    Parameters
    ----------
    space : OutputSpace
    Y : outputs, or None
    what : str
        What is missing, such as "the label of a node".
    """
    for i, y in enumerate(Y if Y is not None else ()):
        if not space.is_complete(y):
            raise ValueError(
                f"y: example {i} has missing parts{what and f' ({what})'}; "
                f"{LATENT_HINT}"
            )
