"""Labels of the nodes of a graph for given scores, with bounds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.spaces._kernels import graphs as _graphs

_INFERENCE = {
    "auto": 0,
    "forest": 1,
    "cut": 2,
    "expansion": 3,
    "dual": 4,
    "lp": 5,
    "exact": 6,
}


class GraphLabels(NamedTuple):
    """Labels of a graph and what is known about them.

    Attributes
    ----------
    labels : (n,) int32
    value : float
        Their score.
    bound : float
        No labels score more; the value itself where `exact`.
    exact : bool
        Whether the labels are proven to be the best, up to rounding.
    """

    labels: NDArray[np.int32]
    value: float
    bound: float
    exact: bool


def decode_graph(
    unary: Any,
    edges: Any,
    pairwise: Any,
    inference: str = "auto",
    n_labels: ArrayLike | None = None,
) -> GraphLabels:
    got = None
    how = _INFERENCE.get(inference)
    if how is None:
        raise ValueError(f"inference={inference!r}, expected one of {list(_INFERENCE)}")
    got = _graphs.decode(unary, edges, pairwise, how, n_labels)
    return GraphLabels(got[0], got[1], got[2], got[3])
