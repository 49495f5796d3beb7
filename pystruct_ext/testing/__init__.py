"""Checks that an output space, or an estimator over one, keeps its promises.

Run `check_output_space` on a space of your own before you trust a model trained with it;
with pytest, parametrise over `yield_space_checks` to see each check on its own. Nothing here
needs pytest.
"""

from pystruct_ext.testing._cases import (
    BruteForce,
    SpaceCase,
    SpaceCheckError,
    brute_force,
)
from pystruct_ext.testing._estimator_checks import (
    ESTIMATOR_CHECKS,
    EstimatorCheckError,
    check_structured_estimator,
    yield_estimator_checks,
)
from pystruct_ext.testing._space_checks import (
    SPACE_CHECKS,
    check_output_space,
    yield_space_checks,
)

__all__ = [
    "ESTIMATOR_CHECKS",
    "SPACE_CHECKS",
    "BruteForce",
    "EstimatorCheckError",
    "SpaceCase",
    "SpaceCheckError",
    "brute_force",
    "check_output_space",
    "check_structured_estimator",
    "yield_estimator_checks",
    "yield_space_checks",
]
