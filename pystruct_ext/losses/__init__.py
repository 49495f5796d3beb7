"""Task losses Delta(y, y_hat) over labels and diverse rankings."""

from pystruct_ext.losses.diversity import DIVERSITY_LOSSES, DiversityMetric
from pystruct_ext.losses.labels import cost_matrix

__all__ = ["DIVERSITY_LOSSES", "DiversityMetric", "cost_matrix"]
