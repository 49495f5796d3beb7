"""Compiled core: the oracle handle, the Python door, packed features."""

from pystruct_ext._core.oracle import Oracle, OracleError
from pystruct_ext._core.python_door import move_truth, python_oracle

__all__ = ["Oracle", "OracleError", "move_truth", "python_oracle"]
