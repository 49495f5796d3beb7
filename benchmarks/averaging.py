"""Last iterates, their weighted average, averaged perceptron and MIRA: held-out score by epoch.

    python benchmarks/averaging.py [chunks] [trees] [dependencies] [--C 0.1] [--epochs 20]

`--quick` takes small parts. All four learn from the same features in the same number of passes
over the training part; C (of MIRA, too) and the epoch are chosen on the development part, whose
score after each epoch is shown at the best C, and the test score is that of the epoch chosen.
Seconds are of the process, without those of scoring.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _common import data_folder, show_table, write_json

from pystruct_ext import ConstituencySVM, DependencySVM, SequenceSVM
from pystruct_ext.estimators import HeldOutScore
from pystruct_ext.io import DEFAULT_TEMPLATE, read_brackets, read_conll, read_conllu
from pystruct_ext.metrics import attachment_report, bracket_report, chunk_f1
from pystruct_ext.solvers import BCFW, Perceptron

Part = tuple[Any, Any]
Metric = Callable[[Any, Any], float]
SHOWN = (1, 2, 3, 5, 7, 10, 15, 20, 30)


def chunks(quick: bool) -> tuple[Any, Metric, list[Part], tuple[float, ...]]:
    """CoNLL-2000: 2,000 sentences to learn from, 1,000 others to choose by."""
    folder = data_folder("conll2000")
    train, test = (read_conll(folder / f"{p}.txt") for p in ("train", "test"))
    sentences = [s for s in train.data.decode().split("\n\n") if s.strip()]
    rows = np.random.default_rng(0).permutation(len(sentences))
    sizes = (500, 500) if quick else (2000, 1000)

    def part(ids: Any) -> Part:
        table = type(train)("\n\n".join(sentences[i] for i in ids).encode())
        return table, table.column(-1)

    parts = [part(rows[: sizes[0]]), part(rows[sizes[0] : sum(sizes)])]
    parts.append((test, test.column(-1)))
    model = SequenceSVM(template=DEFAULT_TEMPLATE)
    return model, chunk_f1, parts, (0.01, 0.03, 0.1, 0.3)


def trees(quick: bool) -> tuple[Any, Metric, list[Part], tuple[float, ...]]:
    """Constituency trees of the treebank sample, labelled spans."""
    folder = data_folder("treebank-constituency")
    splits = json.loads((folder / "splits.json").read_text())
    parts = []
    for name in ("train", "dev", "test"):
        bank = read_brackets([folder / "mrg" / f for f in splits[name]])
        bank = [t for t in bank if name != "train" or len(t.words()) <= 150]
        bank = bank[:300] if quick else bank
        parts.append(([t.sentence() for t in bank], bank))

    def f1(true: Any, predicted: Any) -> float:
        return float(bracket_report(true, predicted).f1)

    return ConstituencySVM(model="spans"), f1, parts, (0.01, 0.03, 0.1, 0.3)


def dependencies(quick: bool) -> tuple[Any, Metric, list[Part], tuple[float, ...]]:
    """UD English EWT, gold tags, 3,000 sentences to learn from."""
    folder = data_folder("ud-english-ewt")
    parts = []
    for name, most in (("train", 3000), ("dev", 1000), ("test", None)):
        bank = read_conllu(folder / f"en_ewt-ud-{name}.conllu.gz")
        most = 300 if quick else most
        parts.append((bank.sentences[:most], bank.dependencies[:most]))

    def las(true: Any, predicted: Any) -> float:
        return float(attachment_report(true, predicted).las)

    return DependencySVM(features="basic"), las, parts, (0.01, 0.03, 0.1, 0.3)


TASKS = {f.__name__: f for f in (chunks, trees, dependencies)}


class Curve(HeldOutScore):
    """`HeldOutScore` that never stops and counts its own seconds."""

    seconds = 0.0

    def __call__(self, progress: Any) -> bool:
        began = time.process_time()
        stop = super().__call__(progress)
        self.seconds += time.process_time() - began
        return stop


def learners(Cs: tuple[float, ...], epochs: int) -> dict[str, list[tuple[float, Any]]]:
    """Name -> (C, solver) to be tried; without exact passes on the way."""
    passes: Any = {"max_iter": epochs, "check_every": 10**6, "tol": 0.0}
    return {
        "bcfw, last": [(C, BCFW(**passes)) for C in Cs],
        "bcfw, averaged": [(C, BCFW(average=True, **passes)) for C in Cs],
        "averaged perceptron": [(1.0, Perceptron(max_iter=epochs))],
        "MIRA": [(C, Perceptron("mira", max_iter=epochs)) for C in Cs],
    }


def run(name: str, epochs: int, quick: bool, only: list[float]) -> list[dict[str, Any]]:
    """All learners on one task."""
    make, metric, (train, dev, test), Cs = TASKS[name](quick)
    Cs = tuple(only) or (Cs[1:3] if quick else Cs)
    rows = []
    for learner, tried in learners(Cs, epochs).items():
        best: Any = None
        for C, solver in tried:
            curve = Curve(*dev, patience=None, metric=metric)
            model = type(make)(**make.get_params()).set_params(
                C=C, solver=solver, tol=None, callback=curve
            )
            began = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(*train)
            seconds = time.process_time() - began - curve.seconds
            scores = 100 * model.history_.column("score")
            print(
                f"... {name}, {learner}, C={C:g}: {seconds:.1f} s, best "
                f"{100 * curve.best_score_:.2f} after {curve.best_epoch_}, last "
                f"{scores[-1]:.2f}",
                flush=True,
            )
            if best is None or curve.best_score_ > best[0]:
                best = curve.best_score_, C, seconds, scores, curve.best_epoch_, model
        _, C, seconds, scores, epoch, model = best
        row = {"learner": learner, "C": C if len(tried) > 1 else "-", "s": seconds}
        row |= {f"dev {k}": scores[k - 1] for k in SHOWN if k <= len(scores)}
        row |= {
            "epoch": epoch,
            "dev": scores[epoch - 1],
            "test": 100 * metric(test[1], model.predict(test[0])),
            "gap % there": 100 * model.relative_gap_
            if model.certificate_ != "none"
            else float("nan"),
        }
        rows.append(row)
    show_table(f"{name}: held-out score by epoch, at the best C", rows)
    return rows


def main() -> None:
    """Run the named tasks, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", nargs="*", choices=[*TASKS, []])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--C", type=float, nargs="*", default=[], help="only these")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    result = {
        name: run(name, args.epochs, args.quick, args.C)
        for name in args.task or list(TASKS)
    }
    write_json("averaging", result)


if __name__ == "__main__":
    main()
