"""Saved models of every structure predict as before."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext import load
from pystruct_ext.structures import STRUCTURES


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=lambda s: s.name)
def test_save_and_load(structure, tmp_path):
    X, y, fit_params = structure.problem(np.random.default_rng(0))
    model = structure.estimator(**structure.small).fit(X, y, **fit_params)
    model.save(tmp_path / "m.psx")
    back = load(tmp_path / "m.psx")
    assert type(back) is structure.estimator
    assert type(back.space_) is structure.space
    assert back.get_params() == model.get_params()
    assert str(list(back.predict(X))) == str(list(model.predict(X)))
    assert back.score(X, y, **fit_params) == model.score(X, y, **fit_params)
    for name in ("certificate_", "status_", "primal_objective_", "dual_objective_"):
        assert getattr(back, name) == getattr(model, name)
    back.save(tmp_path / "again.psx")
    assert (tmp_path / "again.psx").read_bytes() == (tmp_path / "m.psx").read_bytes()
