"""A kernel outside the package: compiled by itself, bound by the package's binder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from pystruct_ext import Kernel, get_include
from pystruct_ext.solvers import BCFW, OneSlack

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("level_kernel.cpp")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no g++ or clang++ on this machine")
    path = tmp_path_factory.mktemp("kernel") / "levels.so"
    command = [
        compiler,
        "-std=c++17",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Wno-psabi",
        "-Werror",
    ]
    done = subprocess.run(
        [
            *command,
            "-shared",
            "-fPIC",
            f"-I{get_include()}",
            str(SOURCE),
            "-o",
            str(path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Kernel.from_library(path, "level_kernel")


def problem(dtype="float64", n=80, d=4, k=5):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    latent = X @ rng.normal(size=d)
    y = np.clip(np.round(latent + k / 2), 0, k - 1).astype(np.int32)
    values = {
        "n": n,
        "values": np.ascontiguousarray(X, dtype=dtype).ravel(),
        "n_features": d,
        "levels": y,
        "n_levels": k,
    }
    return X, y, values


def test_the_readme_shows_this_kernel():
    assert SOURCE.read_text() in (ROOT / "csrc" / "README.md").read_text()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_oracle_equals_enumeration(kernel, dtype):
    X, y, values = problem(dtype)
    oracle = kernel.bind(values, dtype)
    rng = np.random.default_rng(1)
    w = rng.normal(size=oracle.size_psi).astype(dtype)
    for i in range(oracle.n_blocks):
        scores = [k * (w[:4] @ X[i]) + w[4 + k] for k in range(5)]
        for scale in (0.0, 1.0):
            best = int(oracle.argmax(w, i, scale)[0])
            found = scores[best] + scale * abs(best - y[i])
            assert np.isclose(
                found,
                max(s + scale * abs(k - y[i]) for k, s in enumerate(scores)),
                rtol=1e-5,
            )
        psi = np.zeros(oracle.size_psi)
        psi[:4], psi[4 + 3] = 3 * X[i], 1
        np.testing.assert_allclose(oracle.psi(i, [3]), psi, rtol=1e-6)
        difference = oracle.psi_diff(i, [3], [1])
        assert np.isclose(
            oracle.psi_diff_sqnorm(i, [3], [1]), difference @ difference, rtol=1e-6
        )


def test_it_trains_and_sparse_is_dense(kernel):
    X, _, values = problem()
    dense = kernel.bind(values)
    sparse = csr_array(X)
    values.update(
        values=sparse.data,
        indices=sparse.indices.astype(np.int32),
        indptr=sparse.indptr.astype(np.int64),
    )
    results = [
        solver(tol=1e-4).solve(oracle, 0.05)
        for solver in (BCFW, OneSlack)
        for oracle in (dense, kernel.bind(values))
    ]
    for result in results:
        assert (result.status, result.certificate) == ("converged", "exact")
        assert result.primal == pytest.approx(results[0].primal, rel=3e-4)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        (
            "levels",
            np.zeros(80),
            TypeError,
            "levels must be int32, got float64",
        ),
        (
            "levels",
            np.zeros(79, np.int32),
            ValueError,
            r"shape \(n\), with {'n': 80",
        ),
        ("levels", [0] * 80, TypeError, "levels must be a numpy array, got list"),
        (
            "levels",
            np.zeros(160, np.int32)[::2],
            ValueError,
            "levels must be C-contiguous",
        ),
        (
            "values",
            np.zeros(7),
            ValueError,
            r"the shape \(nnz\|n\*n_features\)",
        ),
        (
            "levels",
            np.full(80, 5, np.int32),
            ValueError,
            r"levels\[0\] is 5, expected 0..4 \(0..n_levels-1\)",
        ),
        ("n_levels", 0, ValueError, "n_levels is 0, expected 1..1000000"),
        ("n_levels", 2**40, ValueError, "n_levels must fit into 32 bits"),
        ("n_levels", 2.5, TypeError, "n_levels must be a whole number, got 2.5"),
        ("n_levels", None, TypeError, "kernel 'levels' needs the field 'n_levels'"),
        ("indptr", np.full(81, 3), ValueError, "indptr must start at 0 and never fall"),
        ("colour", 1, TypeError, "kernel 'levels' has no field 'colour'; it has"),
    ],
)
def test_wrong_fields_are_named(kernel, name, value, error, message):
    _, _, values = problem()
    values[name] = value
    with pytest.raises(error, match=message):
        kernel.bind(values)


def test_what_the_kernel_says_of_itself(kernel):
    assert repr(kernel) == (
        "<Kernel 'levels': n, indptr, indices, values, n_features, levels, n_levels>"
    )
    assert kernel.fields[5] == (
        *("levels", "int32", "n", "optional array"),
        "0..n_levels-1",
    )
    with pytest.raises(ValueError, match="cannot be bound for w of type float16"):
        kernel.bind({}, "float16")


def test_arrays_live_as_long_as_the_oracle(kernel):
    import gc
    import weakref

    values = problem()[2]
    alive = weakref.ref(values["levels"])
    oracle = kernel.bind(values)
    del values
    gc.collect()
    assert alive() is not None
    assert oracle.truth(3).shape == (1,)
    del oracle
    gc.collect()
    assert alive() is None
