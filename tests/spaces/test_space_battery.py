"""The public battery on every space and input kind that the package ships."""

from __future__ import annotations

import importlib.util
from inspect import signature
from pathlib import Path

import pytest

from pystruct_ext.structures import STRUCTURES
from pystruct_ext.testing import yield_space_checks

# Tests are no package, and importing by name is what makes the class picklable.
_PATH = Path(__file__).with_name("matching_space.py")
_SPEC = importlib.util.spec_from_file_location("matching_space", _PATH)


@pytest.fixture(scope="module")
def matching():
    import sys

    module = importlib.util.module_from_spec(_SPEC)
    sys.modules["matching_space"] = module
    _SPEC.loader.exec_module(module)
    yield module
    del sys.modules["matching_space"]


def spaces():
    """Every variant of every structure."""
    for structure in STRUCTURES.values():
        for v in structure.samples:
            typed = "dtype" in signature(structure.space).parameters
            if v.n_problems == 1 or not typed or "dtype" in v.params:
                yield v, v.name, structure.space(**v.params)
                continue
            for dtype in ("float64", "float32"):
                space = structure.space(**v.params, dtype=dtype)
                yield v, f"{v.name}-{dtype}", space


CHECKS = [
    pytest.param(check, id=f"{case}-{name}")
    for variant, case, space in spaces()
    for name, check in yield_space_checks(
        space, variant.make_problem, n_problems=variant.n_problems
    )
]


@pytest.mark.parametrize("check", CHECKS)
def test_shipped_space(check):
    check()


def test_matching_space(matching):
    for _, check in yield_space_checks(
        matching.MatchingSpace(), matching.make_matching
    ):
        check()
