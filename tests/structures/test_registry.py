"""Finding structures, and looking them up."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import pystruct_ext
from pystruct_ext import (
    FoldingSVM,
    LatentStructuralSVM,
    StructuralSVM,
    SubclassSVM,
)
from pystruct_ext.spaces import SequenceSpace
from pystruct_ext.structures import STRUCTURES, samples, structure_of, table

ROOT = Path(pystruct_ext.__file__).parents[1]


def test_it_is_a_read_only_mapping():
    assert set(STRUCTURES) == {s.name for s in STRUCTURES.values()}
    assert len(STRUCTURES) == len(list(STRUCTURES))
    with pytest.raises(KeyError):
        STRUCTURES["no such structure"]
    with pytest.raises(TypeError):
        STRUCTURES["x"] = 1
    assert "folding" in repr(STRUCTURES)


def test_all_structures_of_the_package_are_found():
    modules = {
        info.name
        for info in pkgutil.iter_modules(pystruct_ext.structures.__path__)
        if not info.name.startswith("_") and not info.ispkg
    }
    own = {name.replace("-", "_") for name in STRUCTURES}
    assert modules - {"base"} <= own
    with_samples = {info.name for info in pkgutil.iter_modules(samples.__path__)}
    assert with_samples == modules - {"base"}


def test_a_model_is_of_the_structure_of_its_exact_class():
    class Mine(FoldingSVM):
        pass

    assert structure_of(FoldingSVM()) is STRUCTURES["folding"]
    for other in (Mine(), StructuralSVM(SequenceSpace()), None):
        with pytest.raises(ValueError, match=type(other).__name__):
            structure_of(other)


def test_estimators_and_spaces_belong_to_one_structure():
    for part in ("estimator", "space"):
        classes = [getattr(s, part) for s in STRUCTURES.values()]
        assert len(set(classes)) == len(classes)


def test_every_exported_estimator_has_a_structure():
    """But those without files of their own: the generic, and the latent ones."""
    exported = {
        c
        for c in map(pystruct_ext.__dict__.get, pystruct_ext.__all__)
        if isinstance(c, type) and hasattr(c, "fit") and hasattr(c, "predict")
    }
    around = {s.wrapped.structure.estimator for s in STRUCTURES.values() if s.wrapped}
    assert exported - around - {s.estimator for s in STRUCTURES.values()} == {
        LatentStructuralSVM,
        StructuralSVM,
        SubclassSVM,
    }


def test_the_module_prints_the_table():
    done = subprocess.run(
        [sys.executable, "-m", "pystruct_ext.structures"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout == table(), done.stderr
    assert len(table().splitlines()) == 2 + len(STRUCTURES)
