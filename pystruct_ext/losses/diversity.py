"""What a diverse ranking is worth: one form for all measures, for losses and metrics alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.utils.gains import discounts, gain_of

DIVERSITY_LOSSES = ("alpha_ndcg", "err_ia", "ndcg_ia", "intents")


@dataclass(frozen=True, eq=False)
class DiversityMetric:
    """``V(y) = sum_p rank_p sum_i gain[d, i] prod_(s above) (1 - decay[s, i])``.

    One form for alpha-nDCG (gain p_i, decay alpha, where relevant), ERR-IA (gain p_i R,
    decay R), intent-aware NDCG (no decay), and covered probability mass (decay 1).

    Attributes
    ----------
    gain : (k, n_intents) float64
    decay : (k, n_intents) float64
        In [0, 1].
    rank : (depth,) float64
        Weights of the places; what stands below them does not count.

    Examples
    --------
    >>> metric = DiversityMetric.of("intents", [[1, 0], [1, 0], [0, 1]], [0.6, 0.4], 2)
    >>> metric.value([0, 1]), metric.value([0, 2])
    (0.6, 1.0)
    >>> metric.greedy(2)
    [1, 2]
    """

    gain: NDArray[np.float64]
    decay: NDArray[np.float64]
    rank: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        name: str,
        relevance: ArrayLike,
        probabilities: ArrayLike,
        depth: int,
        alpha: float = 0.5,
    ) -> DiversityMetric:
        """The metric of a name, not normalised.

        Parameters
        ----------
        name : {"alpha_ndcg", "err_ia", "ndcg_ia", "intents"}
            "err_ia" takes a grade > 0 as relevant, "ndcg_ia" has exponential gains.
        relevance : (k, n_intents) array-like
            Grades >= 0.
        probabilities : (n_intents,) array-like
        depth : int
        alpha : float, default=0.5
            Of "alpha_ndcg".

        Raises
        ------
        ValueError
            For an unknown name.
        """
        grades = np.asarray(relevance, dtype=np.float64)
        p = np.asarray(probabilities, dtype=np.float64)
        relevant = (grades > 0).astype(np.float64)
        if name == "alpha_ndcg":
            return cls(relevant * p, alpha * relevant, discounts(depth))
        if name == "err_ia":
            return cls.of_stops(0.5 * relevant, p, depth)
        if name == "intents":
            return cls(relevant * p, relevant, np.ones(depth))
        if name == "ndcg_ia":
            return cls.of_gains(gain_of(grades, "exponential"), p, depth)
        raise ValueError(f"loss must be one of {DIVERSITY_LOSSES}, got {name!r}")

    @classmethod
    def of_stops(
        cls, stop: NDArray[np.float64], probabilities: NDArray[np.float64], depth: int
    ) -> DiversityMetric:
        """Intent-aware expected reciprocal rank: users leave a document with `stop`."""
        return cls(stop * probabilities, stop, 1.0 / np.arange(1, depth + 1))

    @classmethod
    def of_gains(
        cls, gains: NDArray[np.float64], probabilities: NDArray[np.float64], depth: int
    ) -> DiversityMetric:
        """Intent-aware NDCG; every intent has its own ideal ranking."""
        best = -np.sort(-gains, axis=0)[:depth]
        ideal = discounts(len(best)) @ best
        live = np.where(ideal > 0, ideal, 1.0)
        return cls(gains * probabilities / live, np.zeros_like(gains), discounts(depth))

    def steps(self, above: Sequence[int]) -> NDArray[np.float64]:
        """Gain of every document below those given, without the weight of the place, (k,)."""
        rest = np.prod(1 - self.decay[list(above)], axis=0)
        return np.asarray(self.gain @ rest)

    def gains(self, order: ArrayLike) -> NDArray[np.float64]:
        """Gain of each place of a ranking, without the weight of the place, (len(order),)."""
        ranked = np.asarray(order, dtype=np.intp)
        reach = np.ones((len(ranked), self.gain.shape[1]))
        np.cumprod(1 - self.decay[ranked[:-1]], axis=0, out=reach[1:])
        return np.asarray((self.gain[ranked] * reach).sum(axis=1))

    def value(self, order: ArrayLike) -> float:
        """V of a ranking."""
        ranked = np.asarray(order, dtype=np.intp)[: len(self.rank)]
        rest, total = np.ones(self.gain.shape[1]), 0.0
        for weight, d in zip(self.rank, ranked, strict=False):
            total += weight * (self.gain @ rest)[d]
            rest *= 1 - self.decay[d]
        return float(total)

    def greedy(self, top: int, prefer: ArrayLike | None = None) -> list[int]:
        """The ranking that takes the largest gain at each place.

        The true ideal is NP-hard to find; this one is what ndeval normalises by. Ties go to
        the last document, as in ndeval where documents are in the order of their names.

        Parameters
        ----------
        top : int
        prefer : (k,) array-like, optional
            Ties go to the largest of these, then to the first document.
        """
        rest = np.ones(self.gain.shape[1])
        free = np.ones(len(self.gain), dtype=bool)
        wish = None if prefer is None else np.asarray(prefer, dtype=np.float64)
        order: list[int] = []
        for _ in range(min(top, len(self.gain))):
            value = np.where(free, self.gain @ rest, -1.0)
            # Equal gains differ in the last bits by the order of summation.
            ties = np.flatnonzero(value >= value.max() - 1e-12)
            d = int(ties[-1] if wish is None else ties[np.argmax(wish[ties])])
            order.append(d)
            free[d] = False
            rest *= 1 - self.decay[d]
        return order


__all__ = ["DIVERSITY_LOSSES", "DiversityMetric"]
