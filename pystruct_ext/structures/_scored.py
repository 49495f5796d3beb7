"""Scores of predicted outputs, for the formats that have a place for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

TABLES = (".csv", ".tsv")
Score = Callable[[Sequence[Any], Sequence[Any]], list[str]]


def scorer(model: Any) -> Score:
    """``score(X, y)``: <w, psi(x, y)> of every example, as text."""

    def score(X: Sequence[Any], y: Sequence[Any]) -> list[str]:
        w = np.asarray(model.coef_, dtype=np.float64)
        joint = model.space_.joint_feature
        return [
            f"{float(w @ joint(x, output)):.6g}" for x, output in zip(X, y, strict=True)
        ]

    return score
