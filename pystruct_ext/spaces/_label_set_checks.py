"""Parameters of `MultilabelSpace`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.utils.numbers import check_number

LABEL_SET_LOSSES = ("hamming", "subset", "f1")
_NUMBERS = (
    "intercept_scaling",
    "pair_scaling",
    "squared_slack",
    "miss_cost",
    "set_scaling",
)


def check_parameters(space: Any) -> None:
    """Raise unless the parameters of a `MultilabelSpace` fit together."""
    if space.dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {space.dtype!r}")
    if space.task_loss not in LABEL_SET_LOSSES:
        raise ValueError(
            f"loss must be one of {LABEL_SET_LOSSES}, got {space.task_loss!r}"
        )
    if space.label_weight is not None and space.task_loss != "hamming":
        raise ValueError(
            f"label_weight is for the loss 'hamming', got the loss {space.task_loss!r}"
        )
    if space.miss_cost != 1 and space.task_loss != "hamming":
        raise ValueError(
            f"miss_cost is for the loss 'hamming', got the loss {space.task_loss!r}"
        )
    if space.set_scaling and space.label_sets != "seen":
        raise ValueError(
            "set_scaling needs label_sets='seen': only sets that were seen have "
            f"weights, got {space.label_sets!r}"
        )
    if space.inference not in ("auto", "graph"):
        raise ValueError(
            f"inference must be 'auto' or 'graph', got {space.inference!r}"
        )
    if space.label_sets not in ("any", "seen"):
        raise ValueError(
            f"label_sets must be 'any' or 'seen', got {space.label_sets!r}"
        )
    if not isinstance(space.never_empty, (bool, np.bool_)) and (
        space.never_empty != "auto"
    ):
        raise ValueError(
            f"never_empty must be True, False or 'auto', got {space.never_empty!r}"
        )
    most = space.max_labels
    if most is not None and (
        isinstance(most, bool) or not isinstance(most, (int, np.integer)) or most < 1
    ):
        raise ValueError(f"max_labels must be None or an integer >= 1, got {most!r}")
    for name in _NUMBERS:
        value = getattr(space, name)
        if name == "pair_scaling" and isinstance(value, str) and value == "auto":
            continue
        least = 0 if name == "miss_cost" else -np.inf
        also = " or 'auto'" if name == "pair_scaling" else ""
        check_number(name, value, least, also)
    if space.attractive and space.pair_scaling != "auto" and space.pair_scaling < 0:
        raise ValueError(
            f"attractive=True needs pair_scaling >= 0, got {space.pair_scaling!r}"
        )


def weights_of_labels(classes: list[Any], given: Any) -> NDArray[np.float64]:
    """`label_weight` as (K,) numbers."""
    k = len(classes)
    if given is None:
        return np.ones(k)
    if isinstance(given, Mapping):
        unknown = [label for label in given if label not in classes]
        if unknown:
            raise ValueError(
                f"label_weight has the label {unknown[0]!r}, expected some of "
                f"{classes!r:.300}"
            )
        given = [given.get(label, 1.0) for label in classes]
    weight = np.asarray(given, dtype=np.float64)
    if weight.shape != (k,):
        raise ValueError(
            f"label_weight has shape {weight.shape}, expected ({k},), one for each label"
        )
    if not (np.isfinite(weight) & (weight >= 0)).all():
        j = int(np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))[0])
        raise ValueError(
            f"label_weight of {classes[j]!r} is {weight[j]}, expected a finite "
            "number >= 0"
        )
    return weight


__all__ = ["LABEL_SET_LOSSES", "check_parameters", "weights_of_labels"]
