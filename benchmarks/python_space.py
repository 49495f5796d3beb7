"""What a Python space costs beside its own decoder.

Trains spaces that are written in Python and counts the calls of their methods: how often
`joint_feature` and `loss` are asked for each loss-augmented decode, and how long the fit takes
against the time that is spent inside the decoder ("the bare oracle").

* matching: the sixteen lines of examples/matching_space.py, 6 by 6 and 20 by 20 (where nearly
  every decode is an output never seen, which has to be scored once);
* tags: a chain of words in plain Python, whose psi of 3,100 entries is dearer than its decoder;
* classes: a decoder of a few microseconds, where all that is left is overhead.

Usage: python benchmarks/python_space.py [--quick]
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections import Counter
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


def counted(space: Any) -> tuple[Counter[str], Counter[str]]:
    """Count calls and seconds of the methods of one object."""
    calls: Counter[str] = Counter()
    seconds: Counter[str] = Counter()

    def wrap(name: str) -> None:
        inner = getattr(space, name)

        def method(*args: Any) -> Any:
            began = time.process_time()
            out = inner(*args)
            seconds[name] += time.process_time() - began
            calls[name] += 1
            return out

        setattr(space, name, method)

    for name in METHODS:
        wrap(name)
    return calls, seconds


def measure(name: str, space: Any, X: Any, Y: Any, lam: float) -> dict[str, Any]:
    """One row of the table."""
    packed = space.fit_pack(X, Y)
    solver = BCFW(tol=1e-3, max_iter=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        solver.solve(space.bind(packed), lam)
        plain = time.process_time() - began
        calls, seconds = counted(space)
        result = solver.solve(space.bind(packed), lam)
    asked = calls["loss_augmented_decode"]
    bare = seconds["loss_augmented_decode"]
    return {
        "space": name,
        "oracle calls": asked,
        "us per oracle call": round(1e6 * bare / asked, 1),
        "joint_feature per oracle call": round(calls["joint_feature"] / asked, 3),
        "us per joint_feature": round(
            1e6 * seconds["joint_feature"] / calls["joint_feature"], 1
        ),
        "loss per oracle call": round(calls["loss"] / asked, 3),
        "us per call of a fit": round(1e6 * plain / asked, 1),
        "fit / bare oracle": round(plain / bare, 2),
        "fit / all of the space": round(plain / sum(seconds.values()), 2),
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
