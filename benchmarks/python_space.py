"""What a Python space costs beside its own decoder.

Trains spaces that are written in Python and counts the calls of their methods: how often
`joint_feature` and `loss` are asked for each loss-augmented decode, and how long the fit takes
against the same calls in a plain loop: of the decoder ("the bare oracle"), and of all methods.

* matching: the sixteen lines of examples/matching_space.py, 6 by 6 and 20 by 20 (where nearly
  every decode is an output never seen, which has to be scored once);
* tags: a chain of words in plain Python, whose psi of 3,100 entries is dearer than its decoder;
* classes: a decoder of a few microseconds, where all that is left is overhead.

Usage: python benchmarks/python_space.py [--quick]
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import math
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _common import show_table, write_json

from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import OutputSpace

ROOT = Path(__file__).resolve().parent.parent
METHODS = ("joint_feature", "loss", "decode", "loss_augmented_decode")


def example(name: str) -> Any:
    """A module of examples/."""
    spec = importlib.util.spec_from_file_location(
        name, ROOT / "examples" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Tags(OutputSpace):
    """x is an array of word numbers, y a tag each; Viterbi in NumPy."""

    def __init__(self, n_words: int = 300, n_tags: int = 10) -> None:
        self.n_words = n_words
        self.n_tags = n_tags

    def fit_domain(self, X: Any, Y: Any = None) -> Tags:
        """Sizes follow from the parameters."""
        self.size_psi_ = self.n_words * self.n_tags + self.n_tags**2
        return self

    def joint_feature(self, x: Any, y: Any) -> Any:
        """Counts of (word, tag) and (tag, tag)."""
        out = np.zeros(self.size_psi_)
        np.add.at(out, x * self.n_tags + y, 1.0)
        pairs = y[:-1] * self.n_tags + y[1:]
        np.add.at(out, self.n_words * self.n_tags + pairs, 1.0)
        return out

    def loss(self, y: Any, y_hat: Any) -> float:
        """Wrong tags."""
        return float(np.sum(y != y_hat))

    def decode(self, w: Any, x: Any) -> Any:
        """Best tags."""
        return self._best(w, x, None)

    def loss_augmented_decode(self, w: Any, x: Any, y: Any) -> Any:
        """Most violating tags."""
        return self._best(w, x, y)

    def _best(self, w: Any, x: Any, y: Any) -> Any:
        k = self.n_tags
        score = w[: self.n_words * k].reshape(-1, k)[x]
        if y is not None:
            score = score + 1.0
            score[np.arange(len(y)), y] -= 1.0
        move = w[self.n_words * k :].reshape(k, k)
        best, back = score[0], []
        for row in score[1:]:
            through = best[:, None] + move
            back.append(through.argmax(axis=0))
            best = through.max(axis=0) + row
        out = [int(best.argmax())]
        for step in reversed(back):
            out.append(int(step[out[-1]]))
        return np.array(out[::-1])


class Classes(OutputSpace):
    """Ten classes of vectors: argmax of ten numbers."""

    def fit_domain(self, X: Any, Y: Any = None) -> Classes:
        """Ten weights a feature."""
        self.size_psi_ = 10 * len(X[0])
        self.cost_ = 1.0 - np.eye(10)
        return self

    def joint_feature(self, x: Any, y: Any) -> Any:
        """x in the place of its class."""
        out = np.zeros((10, len(x)))
        out[y] = x
        return out.ravel()

    def loss(self, y: Any, y_hat: Any) -> float:
        """0 or 1."""
        return float(y != y_hat)

    def decode(self, w: Any, x: Any) -> Any:
        """Best class."""
        return int(np.argmax(w.reshape(10, -1) @ x))

    def loss_augmented_decode(self, w: Any, x: Any, y: Any) -> Any:
        """Most violating class."""
        return int(np.argmax(w.reshape(10, -1) @ x + self.cost_[y]))


# A copy of the weights is taken once in so many decodes, so that the copies stay in the cache.
STRETCH = 64


def recorded(space: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Keep the arguments of every call of the methods of one object."""
    calls: dict[str, list[tuple[Any, ...]]] = {name: [] for name in METHODS}

    def wrap(name: str) -> None:
        inner, kept, decodes = getattr(space, name), calls[name], "decode" in name

        def method(*args: Any) -> Any:
            if decodes:
                fresh = len(kept) % STRETCH == 0
                w = args[0].copy() if fresh else kept[-1][0]
                kept.append((w, *args[1:]))
            else:
                kept.append(args)
            return inner(*args)

        setattr(space, name, method)

    for name in METHODS:
        wrap(name)
    return calls


def seconds_of(work: Any) -> float:
    """Processor time of a call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(name: str, space: Any, X: Any, Y: Any, lam: float) -> dict[str, Any]:
    """One row of the table; all times are of plain calls, the best of five rounds."""
    packed = space.fit_pack(X, Y)
    solver = BCFW(tol=1e-3, max_iter=60)

    def fit(of: Any = space) -> Any:
        return solver.solve(of.bind(packed), lam)

    def again(method: str) -> None:
        ask = getattr(space, method)
        for args in calls[method]:
            ask(*args)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        watched = copy.copy(space)
        calls = recorded(watched)
        result = fit(watched)
        whole, seconds = math.inf, dict.fromkeys(METHODS, math.inf)
        for _ in range(5):
            whole = min(whole, seconds_of(fit))
            for method in METHODS:
                took = seconds_of(lambda: again(method))  # noqa: B023
                seconds[method] = min(seconds[method], took)
    asked = len(calls["loss_augmented_decode"])
    bare, every = seconds["loss_augmented_decode"], sum(seconds.values())
    psi = len(calls["joint_feature"])
    return {
        "space": name,
        "oracle calls": asked,
        "us per oracle call": round(1e6 * bare / asked, 1),
        "joint_feature per oracle call": round(psi / asked, 3),
        "us per joint_feature": round(1e6 * seconds["joint_feature"] / psi, 1),
        "loss per oracle call": round(len(calls["loss"]) / asked, 3),
        "us per call of a fit": round(1e6 * whole / asked, 1),
        "of which our own": round(1e6 * (whole - every) / asked, 1),
        "fit / bare oracle": round(whole / bare, 2),
        "fit / all of the space": round(whole / every, 2),
        "relative gap": result.relative_gap,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    args = parser.parse_args()
    share = 10 if args.quick else 1
    rng = np.random.default_rng(0)
    matching = example("matching_space")
    rows = []
    for m, lam in ((6, 1e-2), (20, 1e-2)):
        X, Y = matching.make_matchings(600 // share, rng, m=m)
        rows.append(measure(f"matching {m}", matching.MatchingSpace(), X, Y, lam))
    words = [
        rng.integers(0, 300, size=rng.integers(8, 25)) for _ in range(600 // share)
    ]
    tags = [np.where(rng.random(len(x)) < 0.9, x % 10, 0) for x in words]
    rows.append(measure("tags", Tags(), words, tags, 1e-2))
    y = rng.integers(0, 10, size=3000 // share)
    x = rng.normal(size=(len(y), 40)) + np.eye(10, 40)[y]
    rows.append(measure("classes", Classes(), list(x), y.tolist(), 1e-2))
    show_table("Python spaces: calls and time beside the bare oracle", rows)
    write_json("python_space", {"rows": rows})


if __name__ == "__main__":
    main()
