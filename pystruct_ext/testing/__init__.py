"""Checks for output spaces and estimators, for this package and for yours."""

from pystruct_ext.testing.estimators import check_structured_estimator
from pystruct_ext.testing.spaces import (
    SPACE_CHECKS,
    SpaceCheckError,
    brute_force,
    check_output_space,
)

__all__ = [
    "SPACE_CHECKS",
    "SpaceCheckError",
    "brute_force",
    "check_output_space",
    "check_structured_estimator",
]
