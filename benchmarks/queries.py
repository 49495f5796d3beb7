"""Queries about all outputs: how fast, and what a chain's own recursions are worth.

    python benchmarks/queries.py

Milliseconds per example, one thread, medians. The chain kernel answers k best, marginals and
samples by recursions of its own; `chain_forest.cpp` beside this file is the same kernel with a
packed forest, as all other structures have it. Needs g++.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from _common import show_table, timed, write_json

from pystruct_ext import get_include
from pystruct_ext._core.binder import Kernel
from pystruct_ext.spaces import FoldingSpace, SequenceSpace
from pystruct_ext.spaces._kernels import chain


class Recorder:
    """Keeps what a kernel is bound to."""

    def __init__(self, kernel):
        self.kernel = kernel

    def bind(self, values, dtype):
        """Bind, and remember."""
        self.values, self.dtype = values, dtype
        return self.kernel.bind(values, dtype)


def forest_kernel(folder):
    """The compiled forest of chains."""
    source, library = Path(__file__).with_name("chain_forest.cpp"), folder / "forest.so"
    command = ["g++", "-std=c++17", "-O3", "-Wno-psabi", "-shared", "-fPIC"]
    command += [f"-I{get_include()}", str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    return Kernel.from_library(library, "chain_forest")


def rows_of(name, oracle, w):
    """Milliseconds per example of every query."""
    n = oracle.n_blocks

    def per(query):
        return 1e3 * timed(lambda: [query(i) for i in range(n)], 7)[0] / n

    return {
        "oracle": name,
        "log-partition": per(lambda i: oracle.log_partition(w, i)),
        "marginals": per(lambda i: oracle.marginals(w, i)),
        "10 best": per(lambda i: oracle.k_best(w, i, 10)),
        "100 samples": per(lambda i: oracle.sample(w, i, 100)),
    }


def main():
    """Measure, and show."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(24, 10)) for _ in range(20)]
    Y = [rng.integers(0, 23, size=24).tolist() for _ in X]
    Y[0] = [t % 23 for t in range(24)]
    space = SequenceSpace()
    packed = space.fit_pack(X, Y)
    recorder = chain.CHAIN = Recorder(chain.CHAIN)
    own = space.bind(packed)
    w = rng.normal(size=space.size_psi_).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        kernel = forest_kernel(Path(folder))
        forest = kernel.bind(recorder.values, recorder.dtype)
        for i in range(own.n_blocks):
            a, b = own.marginals(w, i), forest.marginals(w, i)
            np.testing.assert_allclose(a[0], b[0], atol=1e-6)
            assert np.isclose(a[1], b[1])
        rows = [rows_of("chain", own, w), rows_of("chain, packed forest", forest, w)]
    rows.append(
        {
            "oracle": "ratio",
            **{k: rows[1][k] / rows[0][k] for k in rows[0] if k != "oracle"},
        }
    )
    folds = FoldingSpace().fit_domain([])
    X = ["".join(rng.choice(list("ACGU"), size=60)) for _ in range(3)]
    rows.append(
        rows_of("fold, 60 bases", folds.bind(folds.pack(X)), folds.energy_weights())
    )
    show_table("Queries, 24 tokens and 23 labels; ms per example", rows)
    write_json("queries", {"rows": rows})


if __name__ == "__main__":
    main()
