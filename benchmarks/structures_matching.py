"""Assignment, k best and matchings with capacities, beside SciPy and lapx.

Run ``python benchmarks/structures_matching.py``; lapx is left out where it is not installed.
Call against call from Python, medians of the process' own CPU time. The instances are those of
the floors: uniform costs, and costs of which 90 % are a constant 5.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp

from pystruct_ext import MatchingSVM
from pystruct_ext.metrics import link_report
from pystruct_ext.spaces import assign, best_matching

# Milliseconds of the peers when the floors were measured.
FLOORS = {10: ("scipy", 0.0021), 100: ("lapx", 0.0507), 1000: ("lapx", 17.93)}


def milliseconds(call: Callable[[], Any], budget: float = 0.4) -> float:
    """Median time of a call over five rounds that last `budget` seconds together."""
    start = time.process_time()
    call()
    once = max(time.process_time() - start, 1e-6)
    count = max(1, int(budget / 5 / once))
    times = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(count):
            call()
        times.append((time.process_time() - start) / count)
    return 1e3 * float(np.median(times))


def instance(n: int, kind: str) -> Any:
    """Costs, (n, n)."""
    cost = np.random.RandomState(0).rand(n, n)
    if kind == "uniform":
        return cost
    return np.where(np.random.RandomState(1).rand(n, n) < 0.1, cost, 5.0)


def assignment() -> None:
    """One dense assignment."""
    try:
        from lap import lapjv, lapjvx
    except ImportError:
        lapjv = lapjvx = None
    print("dense assignment, ms a call")
    print(
        f"{'costs':<17} {'n':>5} {'assign':>9} {'scipy':>9} {'lapjv':>9} {'lapjvx':>9}  floor"
    )
    for kind in ("uniform", "90 % constant"):
        for n, (peer, floor) in FLOORS.items():
            cost = instance(n, kind)
            columns = assign(cost)
            rows, theirs = linear_sum_assignment(cost)
            assert abs(cost[rows, columns].sum() - cost[rows, theirs].sum()) < 1e-8
            own = milliseconds(lambda c=cost: assign(c))
            scipy_ms = milliseconds(lambda c=cost: linear_sum_assignment(c))
            others = [
                milliseconds(lambda c=cost, f=f: f(c)) if f else float("nan")
                for f in (lapjv, lapjvx)
            ]
            print(
                f"{kind:<17} {n:5d} {own:9.4f} {scipy_ms:9.4f} {others[0]:9.4f} "
                f"{others[1]:9.4f}  {peer} {floor}"
            )


def k_best() -> None:
    """Murty's partition; no peer: the first of them beside one call of SciPy."""
    print("\nk best matchings of uniform scores, ms a call")
    for n in (10, 30, 100):
        scores = instance(n, "uniform")
        times = [
            f"k={k}: {milliseconds(lambda s=scores, k=k: best_matching(s, k=k), 0.6):.3f}"
            for k in (1, 10, 100)
        ]
        print(f"n={n:<4d} " + "   ".join(times))


def capacities() -> None:
    """Capacities and sparse candidates, beside an integer program."""
    print("\ncapacities 3, a fifth of the pairs are candidates, ms a call")
    for n in (20, 60):
        rng = np.random.default_rng(n)
        pairs = np.argwhere(rng.random((n, n)) < 0.2)
        value = rng.normal(size=len(pairs))
        scores = np.full((n, n), -np.inf)
        scores[pairs[:, 0], pairs[:, 1]] = value
        of = np.zeros((2 * n, len(pairs)))
        of[pairs[:, 0], np.arange(len(pairs))] = 1
        of[n + pairs[:, 1], np.arange(len(pairs))] = 1

        def program(value: Any = value, of: Any = of) -> float:
            result = milp(
                -value, integrality=np.ones(len(value)), bounds=Bounds(0, 1),
                constraints=LinearConstraint(of, 0, 3),
            )  # fmt: skip
            return -float(result.fun)

        def own(scores: Any = scores) -> float:
            return best_matching(scores, row_capacity=3, column_capacity=3)[2]

        assert abs(own() - program()) < 1e-6
        print(
            f"n={n:<4d} best_matching {milliseconds(own):.4f}   "
            f"milp {milliseconds(program):.2f}"
        )


def problems(n: int, rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Problems of 12 x 14 whose links lean on the diagonal and come in pairs."""
    X, Y = [], []
    for _ in range(n):
        x = rng.normal(size=(12, 14, 6))
        x[..., 0] = -np.abs(np.subtract.outer(np.arange(12) / 12, np.arange(14) / 14))
        worth = x @ np.array([9.0, 1.5, -1.0, 0.5, 0.0, 0.0]) - 0.5
        links = best_matching(worth + 0.7 * rng.normal(size=worth.shape))
        found = set(zip(links[0].tolist(), links[1].tolist(), strict=True))
        found |= {(i, j + 1) for i, j in found if j < 13 and rng.random() < 0.25}
        X.append(x)
        Y.append(sorted(found))
    return X, Y


def training(n: int) -> None:
    """Fits of all kinds of models."""
    X, Y = problems(n + 200, np.random.default_rng(0))
    print(f"\nMatchingSVM(C=1) on {n} problems of 12 x 14, 200 to test")
    wide = {"row_capacity": 3, "column_capacity": 3}
    for name, settings in (
        ("one to one", {}),
        ("capacity 3", wide),
        ("capacity 3, fertility 2", {**wide, "fertility": 2}),
        (
            "capacity 3, fertility 2, adjacency",
            {**wide, "fertility": 2, "adjacency": True},
        ),
    ):
        model = MatchingSVM(
            C=1.0, excess="drop", max_time=60, random_state=0, **settings
        )
        start = time.perf_counter()
        model.fit(X[:n], Y[:n])
        seconds = time.perf_counter() - start
        report = link_report(Y[n:], model.predict(X[n:]))
        print(
            f"{name:<36} {seconds:6.2f} s  objective {model.primal_objective_:9.2f}  "
            f"{model.certificate_} gap {model.relative_gap_:.1e}  F1 {100 * report.f1:.2f}"
        )


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=200)
    args, _ = parser.parse_known_args()
    assignment()
    k_best()
    capacities()
    training(args.problems)


if __name__ == "__main__":
    main()
