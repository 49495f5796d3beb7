"""Task losses Delta(y, y_hat) over labels, rankings and diverse rankings."""

from pystruct_ext.losses.diversity import DIVERSITY_LOSSES, DiversityMetric
from pystruct_ext.losses.labels import cost_matrix
from pystruct_ext.losses.rankings import pair_weights, ranking_loss, swapped_pairs

__all__ = [
    "DIVERSITY_LOSSES",
    "DiversityMetric",
    "cost_matrix",
    "pair_weights",
    "ranking_loss",
    "swapped_pairs",
]
