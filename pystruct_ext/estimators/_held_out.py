"""Held-out documents of queries, scored after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.solvers import Progress


@dataclass
class HeldOut:
    """Held-out documents of queries.

    Attributes
    ----------
    X : (n, f) array or sparse matrix
    y : (n,) float64
    qid : (n,) array or None
    """

    X: Any
    y: NDArray[np.float64]
    qid: Any


class EvalRecorder:
    """A callback that scores held-out sets after every epoch.

    Attributes
    ----------
    result : dict
        "valid_0" and so on to {"ndcg@10": one score an epoch}, as LightGBM has it.
    """

    def __init__(
        self,
        sets: list[HeldOut],
        score: Callable[[NDArray[np.floating], HeldOut], float],
    ) -> None:
        self.sets = sets
        self._score = score
        self.result: dict[str, dict[str, list[float]]] = {
            f"valid_{i}": {"ndcg@10": []} for i in range(len(sets))
        }

    def __call__(self, progress: Progress) -> bool:
        """Score the current weights; never stops."""
        for i, held_out in enumerate(self.sets):
            value = self._score(progress.coef, held_out)
            self.result[f"valid_{i}"]["ndcg@10"].append(value)
            if i == 0:
                progress.score = value
        return False


__all__ = ["EvalRecorder", "HeldOut"]
