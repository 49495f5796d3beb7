import numpy as np
import pytest

from pystruct_ext.spaces import (
    AlignmentSpace,
    ClusteringSpace,
    FoldingSpace,
    MatchingSpace,
)
from pystruct_ext.utils.numbers import check_number, is_number

NO_NUMBERS = ["x", None, np.nan, np.inf, [1.0, 2.0], 10**400, 1j, True]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda v: repr(v)[:8])
def test_what_is_no_number(value):
    assert not is_number(value)
    with pytest.raises(ValueError, match="tol must be a finite number or 'auto', got"):
        check_number("tol", value, also=" or 'auto'")


@pytest.mark.parametrize("value", [0, 1.5, np.float32(2), np.int64(3)])
def test_numbers(value):
    assert is_number(value)
    check_number("cost", value, 0)
    with pytest.raises(ValueError, match=r"cost must be a finite number >= 4, got"):
        check_number("cost", value, 4)


@pytest.mark.parametrize(
    "space", [AlignmentSpace, ClusteringSpace, FoldingSpace, MatchingSpace]
)
@pytest.mark.parametrize("value", [*NO_NUMBERS, -1], ids=lambda v: repr(v)[:8])
def test_costs_of_spaces(space, value):
    with pytest.raises(ValueError, match="miss_cost must be a finite number >= 0, got"):
        space(miss_cost=value)._check_parameters()
