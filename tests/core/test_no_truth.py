"""Oracles over examples without true outputs decode; losses say what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext.solvers import BCFW, OneSlack
from pystruct_ext.structures import STRUCTURES

# Rankings are packed with their judgements, which are the truth.
NAMES = [name for name in STRUCTURES if name != "ranking"]


@pytest.fixture(params=NAMES)
def oracle(request):
    structure = STRUCTURES[request.param]
    variant = structure.samples[0]
    X, Y = variant.make_problem(np.random.default_rng(0))
    space = structure.space(**variant.params)
    space.fit_pack(X, Y)
    return space.bind(space.pack(X))


def test_losses_say_what_is_missing(oracle):
    w = np.zeros(oracle.size_psi, dtype=oracle.dtype)
    code = oracle.argmax(w, 0, 0.0)
    for call in (
        lambda: oracle.loss(0, code),
        lambda: oracle.argmax(w, 0, 1.0),
        lambda: oracle.cut_sum(w),
        lambda: oracle.hinge_sum(w),
    ):
        with pytest.raises(
            ValueError, match="block 0: this oracle has no true outputs"
        ):
            call()
    assert len(oracle.decode_flat(w, None, 1)[0])


@pytest.mark.parametrize("solver", [BCFW, OneSlack])
def test_nothing_can_be_learnt(oracle, solver):
    with pytest.raises((ValueError, RuntimeError)):
        solver(max_iter=2).solve(oracle, 0.1)
