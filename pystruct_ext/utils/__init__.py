"""Small helpers shared by the layers above the core."""

from pystruct_ext.utils.extras import require

__all__ = ["require"]
