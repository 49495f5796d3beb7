"""The bound on the best slate against enumeration; the proof is on the theory page."""

from __future__ import annotations

import shutil
import subprocess
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from pystruct_ext._core import Oracle
from pystruct_ext.outputs.queries import DiverseQuery
from pystruct_ext.spaces.slate import PackedSlates, SlateSpace, slate_metric

ROOT = Path(__file__).resolve().parents[2]
MODELS = {
    # share of cases that are tight, largest sum of excess over that of spread
    "coverage": (0.70, 0.04),
    "mixture": (0.58, 0.08),
    "sequential": (0.48, 0.36),
    "all": (0.45, 0.34),
}


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no g++ or clang++ on this machine")
    program = tmp_path_factory.mktemp("bound") / "slate_bound_check"
    command = [compiler, "-std=c++17", "-O2", "-Wall", "-Wextra", "-Wno-psabi"]
    command += ["-Werror", "-pthread", f"-I{ROOT / 'csrc' / 'include'}"]
    command += [str(ROOT / "tests" / "native" / "slate_bound_check.cpp")]
    command += ["-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return program


@pytest.mark.parametrize("model", MODELS)
def test_never_below_the_maximum(check, model):
    """25,000 random problems a model: 100,000 in all."""
    cases = 25_000
    ran = subprocess.run(
        [str(check), model, str(cases), "1"], capture_output=True, text=True, check=True
    )
    low, tight, excess, worst = ran.stdout.split()
    assert int(low) == 0, f"{low} bounds too low, the worst by {worst}"
    least_tight, most_excess = MODELS[model]
    assert int(tight) >= least_tight * cases
    assert float(excess) <= most_excess


def query(rng, k):
    relevance = (rng.random((k, 3)) < 0.4).astype(float)
    relevance[0, 0] = 1.0
    return DiverseQuery(
        rng.normal(size=(k, 2)),
        relevance,
        coverage=(rng.random((k, 8)) < 0.4).astype(float),
        element_features=rng.normal(size=(8, 3)),
        relations=rng.random((k, k, 2)),
    )


@pytest.mark.skipif(not hasattr(Oracle, "bound"), reason="the oracle has no bound yet")
@pytest.mark.parametrize(
    ("parts", "discounted"),
    [(("elements",), False), (("elements",), True), (("relations", "novelty"), True)],
)
def test_through_the_oracle(parts, discounted):
    rng = np.random.default_rng(0)
    for k in (1, 3, 5, 6) * 3:
        q = query(rng, k)
        space = SlateSpace("alpha_ndcg", 3, parts=parts, discounted=discounted)
        truth = slate_metric(q, "alpha_ndcg", 3).greedy(3)
        oracle = space.bind(space.fit_pack(PackedSlates([q], [truth])))
        for scale in (0.0, 1.0):
            w = rng.normal(size=space.size_psi_)
            best = -np.inf
            for order in permutations(range(k), min(3, k)):
                code = np.full(3, -1, dtype=np.int32)
                code[: len(order)] = order
                value = oracle.score(w, 0, code) + scale * oracle.loss(0, code)
                best = max(best, value)
            bound = oracle.bound(w, 0, scale)
            assert best - 1e-9 <= bound < np.inf
