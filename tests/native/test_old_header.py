"""An oracle compiled against version 1.0 of oracle.h loads and trains under today's."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

from pystruct_ext._core import Oracle
from pystruct_ext.solvers import BCFW, NSlack, OneSlack
from pystruct_ext.spaces import MulticlassSpace

OLD = Path(__file__).with_name("old_header")
PSX_EXACT, PSX_UNDERGEN = 4, 8


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no gcc or clang on this machine")
    path = tmp_path_factory.mktemp("old") / "classes.so"
    command = [compiler, "-std=c11", "-O1", "-shared", "-fPIC", f"-I{OLD}"]
    done = subprocess.run(
        [*command, str(OLD / "classes.c"), "-o", str(path), "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(path))


def make(library, flags):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, size=60).astype(np.int32)
    X = np.ascontiguousarray(rng.normal(size=(60, 4)) + y[:, None])
    library.make_classes.restype = ctypes.c_void_p
    table = library.make_classes(
        ctypes.c_void_p(X.ctypes.data),
        ctypes.c_void_p(y.ctypes.data),
        *(ctypes.c_int64(v) for v in (60, 4, 3)),
        ctypes.c_uint32(flags),
    )
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
    )
    # The name must outlive the capsule.
    name = library.__dict__.setdefault("name", b"pystruct_ext.oracle.v1")
    return X, y, new(table, name, None)


def test_it_is_the_old_header():
    old = (OLD / "pystruct_ext" / "oracle.h").read_text()
    assert "int (*cut_sum)" in old
    assert "k_best" not in old
    assert "bound)" not in old


@pytest.mark.parametrize("solver", [BCFW, OneSlack, NSlack])
def test_it_trains_to_the_same_optimum(library, solver):
    X, y, capsule = make(library, PSX_EXACT)
    oracle = Oracle.from_capsule(capsule)
    assert oracle.verbs == frozenset()
    result = solver(tol=1e-4, max_iter=2000).solve(oracle, 0.1)
    assert result.status == "converged"
    assert result.certificate == "exact"
    space = MulticlassSpace(fit_intercept=False)
    ours = solver(tol=1e-4, max_iter=2000).solve(space.bind(space.fit_pack(X, y)), 0.1)
    assert result.primal == pytest.approx(ours.primal, rel=3e-4)


def test_without_bound_a_greedy_oracle_proves_nothing(library):
    _, _, capsule = make(library, PSX_UNDERGEN)
    oracle = Oracle.from_capsule(capsule)
    assert oracle.exactness == "none"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert BCFW(max_iter=3).solve(oracle, 0.1).certificate == "none"


def test_missing_verbs_say_so(library):
    _, _, capsule = make(library, PSX_EXACT)
    oracle = Oracle.from_capsule(capsule)
    w = np.zeros(oracle.size_psi)
    with pytest.raises(NotImplementedError, match="does not answer 'k_best'"):
        oracle.k_best(w, 0, 3)
    with pytest.raises(NotImplementedError, match="does not answer 'sample'"):
        oracle.sample(w, 0)
    assert oracle.bound(w, 0) == pytest.approx(1.0)


def test_a_struct_that_is_too_small_is_refused(library):
    _, _, capsule = make(library, PSX_EXACT)
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    pointer = get(capsule, b"pystruct_ext.oracle.v1")
    size = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_uint32))
    full, size[0] = size[0], 40
    with pytest.raises(ValueError, match="of 40 bytes, expected ABI 1 of at least"):
        Oracle.from_capsule(capsule)
    size[0] = full
