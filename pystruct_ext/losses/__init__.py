"""Task losses Delta(y, y_hat) over labels."""

from pystruct_ext.losses.labels import cost_matrix

__all__ = ["cost_matrix"]
