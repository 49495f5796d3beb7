"""An oracle in plain C, as the guide shows it: compiled, wrapped, trained, let go."""

from __future__ import annotations

import ctypes
import gc
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pystruct_ext import Oracle, get_include
from pystruct_ext.solvers import BCFW, NSlack, OneSlack

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("plain_oracle.c")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no gcc or clang on this machine")
    path = tmp_path_factory.mktemp("plain") / "signs.so"
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]
    done = subprocess.run(
        [
            *(compiler, *flags, "-shared", "-fPIC", f"-I{get_include()}"),
            *(str(SOURCE), "-o", str(path), "-lm"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    library = ctypes.CDLL(str(path))
    library.make_signs.restype = ctypes.c_void_p
    library.free_signs.argtypes = [ctypes.c_void_p]
    return library


class Signs:
    """Owns the arrays and the struct, as the guide has it."""

    freed = 0

    def __init__(self, library, X, y):
        self.library = library
        self.X = np.ascontiguousarray(X, dtype=np.float64)
        self.y = np.ascontiguousarray(y, dtype=np.int32)
        pointers = (ctypes.c_void_p(a.ctypes.data) for a in (self.X, self.y))
        self.address = library.make_signs(*pointers, *map(ctypes.c_int64, self.X.shape))

    def __del__(self):
        Signs.freed += 1
        self.library.free_signs(self.address)


def problem(library):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = (X @ [1.0, -1.0, 0.5, 0.0] + 0.5 * rng.normal(size=200) > 0).astype(np.int32)
    owner = Signs(library, X, y)
    return X, y, Oracle.from_address(owner.address, owner)


def test_the_guide_shows_this_file():
    assert SOURCE.read_text() in (ROOT / "csrc" / "README.md").read_text()


def test_oracle_equals_enumeration(library):
    X, y, oracle = problem(library)
    rng = np.random.default_rng(1)
    assert (oracle.exactness, oracle.needs_gil) == ("exact", False)
    for _ in range(3):
        w = rng.normal(size=4)
        for i in range(40):
            values = [k * (w @ X[i]) + (k != y[i]) for k in (0, 1)]
            assert oracle.argmax(w, i, 1.0)[0] == np.argmax(values)
            assert oracle.score(w, i, [1]) == pytest.approx(w @ X[i])
            np.testing.assert_allclose(oracle.psi(i, [1]), X[i])
            assert oracle.psi_diff_sqnorm(i, [0], [1]) == pytest.approx(X[i] @ X[i])
    one, many = oracle.cut_sum(w), oracle.cut_sum(w, n_threads=10**9)
    np.testing.assert_array_equal(one[0], many[0])
    assert one[1:] == many[1:]
    with pytest.raises(ValueError, match="entry 0 is 2, expected a number from 0 to 1"):
        oracle.loss(3, [2])


def test_it_trains_and_outlives_its_maker(library):
    _, _, oracle = problem(library)
    gc.collect()
    before = Signs.freed
    found = [s.solve(oracle, 0.01) for s in (BCFW(), OneSlack(), NSlack())]
    for result in found:
        assert (result.status, result.certificate) == ("converged", "exact")
        assert result.primal == pytest.approx(found[0].primal, rel=3e-3)
    assert Signs.freed == before
    del oracle
    gc.collect()
    assert Signs.freed == before + 1


def test_addresses_are_checked():
    for bad in (0, -8, None, 3.5):
        with pytest.raises(TypeError, match="address must be that of a psx_oracle"):
            Oracle.from_address(bad)
