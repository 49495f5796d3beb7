"""Missing labels on CoNLL-2000: a latent fit beside what can be done without one.

Of the training sentences some labels are taken away, by chance (seeded): single tokens, or
whole chunks. Everything gets the same features, those of `benchmarks/sequence.py`:

* all labels: what an annotator could buy, the ceiling;
* latent: `LatentStructuralSVM(SequenceSVM())` on the incomplete sentences;
* cut: the runs of labelled tokens as sentences of their own;
* drop: the sentences that have all of their labels;
* CRFsuite (L-BFGS, c2 = 1), which takes no missing labels, on the same three.

F1 of chunks is conlleval's, and accuracy that of tokens, both on the test file. Defaults
throughout.

Usage: python benchmarks/structures_latent.py [--quick] [--no-crfsuite] [--settings ...]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _common import show_table, write_json
from sequence import CRFSUITE, Data

from pystruct_ext import LatentStructuralSVM, SequenceSVM
from pystruct_ext.metrics import chunk_f1

SETTINGS = ("tokens:0.3", "tokens:0.6", "chunks:0.3")


def hidden(y: list[list[str]], setting: str, seed: int = 0) -> list[list[str | None]]:
    """The labels with some of them missing."""
    what, share = setting.split(":")
    rng, rate = np.random.default_rng(seed), float(share)
    if what == "tokens":
        return [[None if rng.random() < rate else v for v in labels] for labels in y]
    out = []
    for labels in y:
        gone = False
        row: list[str | None] = []
        for label in labels:
            if not label.startswith("I-"):  # a chunk begins, or a token outside of all
                gone = bool(rng.random() < rate)
            row.append(None if gone else label)
        out.append(row)
    return out


def runs(y: list[list[str | None]]) -> list[tuple[int, int, int]]:
    """Maximal runs of labelled tokens: sentence, begin and end."""
    out = []
    for i, labels in enumerate(y):
        begin = 0
        for t, label in enumerate([*labels, None]):
            if label is None:
                if t > begin:
                    out.append((i, begin, t))
                begin = t + 1
    return out


class Setting:
    """Training data of every kind of row: names of features, and labels."""

    def __init__(self, data: Data, X: list[Any], y: list[Any], setting: str) -> None:
        self.observed = hidden(y, setting)
        whole = [i for i, labels in enumerate(self.observed) if None not in labels]
        pieces = runs(self.observed)
        self.n_whole, self.n = len(whole), len(y)
        self.n_missing = sum(labels.count(None) for labels in self.observed)
        self.of = {
            "drop": ([X[i] for i in whole], [y[i] for i in whole]),
            "cut": (
                [X[i][a:b] for i, a, b in pieces],
                [y[i][a:b] for i, a, b in pieces],
            ),
        }


def scores(gold: list[Any], predicted: list[Any]) -> dict[str, float]:
    """F1 of chunks and accuracy of tokens, in percent."""
    right = [
        a == b
        for g, p in zip(gold, predicted, strict=True)
        for a, b in zip(g, p, strict=True)
    ]
    return {
        "F1": 100 * chunk_f1(gold, predicted),
        "tokens right": 100 * float(np.mean(right)),
    }


def ours(
    name: str, model: Any, X: Any, y: Any, data: Data, lists: Any
) -> dict[str, Any]:
    """One fit of this package, on lists of names."""
    began = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - began
    inner = getattr(model, "estimator_", model)
    return {
        "row": name,
        "seconds": seconds,
        **scores(data.gold, model.predict(lists)),
        "certificate": model.certificate_,
        "relative gap": inner.relative_gap_,
        "model": model,
    }


def crfsuite(name: str, X: Any, y: Any, data: Data, lists: Any) -> dict[str, Any]:
    """CRFsuite on the same names."""
    import pycrfsuite

    algorithm, params = CRFSUITE["L-BFGS c2=1"]
    trainer = pycrfsuite.Trainer(algorithm=algorithm, verbose=False)
    trainer.set_params(params)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        began = time.perf_counter()
        for x, labels in zip(X, y, strict=True):
            trainer.append(x, labels)
        trainer.train(path)
        seconds = time.perf_counter() - began
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        predicted = [tagger.tag(x) for x in lists]
        tagger.close()
    return {
        "row": name,
        "seconds": seconds,
        **scores(data.gold, predicted),
        "certificate": "none",
        "relative gap": float("nan"),
    }


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """All rows of all settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 sentences")
    parser.add_argument("--no-crfsuite", action="store_true")
    parser.add_argument("--settings", nargs="+", default=SETTINGS)
    args = parser.parse_args(argv)
    data = Data()
    X, y = data.names(data.X), data.train.column(-1)
    lists = data.names(data.X_test)
    if args.quick:
        X, y = X[:1000], y[:1000]
    rivals = not args.no_crfsuite
    ceiling = [ours("all labels", SequenceSVM(), X, y, data, lists)]
    if rivals:
        ceiling.append(crfsuite("CRFsuite, all labels", X, y, data, lists))
    result: dict[str, Any] = {}
    for setting in args.settings:
        made = Setting(data, X, y, setting)
        rows = list(ceiling)
        latent = ours(
            "latent",
            LatentStructuralSVM(SequenceSVM()),
            X,
            made.observed,
            data,
            lists,
        )
        rows.append(latent)
        for kind in ("cut", "drop"):
            rows.append(ours(kind, SequenceSVM(), *made.of[kind], data, lists))
            if rivals:
                rows.append(crfsuite(f"CRFsuite, {kind}", *made.of[kind], data, lists))
        model = latent["model"]
        table = [{k: v for k, v in row.items() if k != "model"} for row in rows]
        tokens = sum(map(len, y))
        show_table(
            f"{setting}: {made.n_missing:,} of {tokens:,} labels missing, "
            f"{made.n_whole} of {made.n:,} sentences whole",
            table,
        )
        keys = ("round", "tol", "primal", "dual", "relative_gap", "certificate")
        keys += ("n_iter", "seconds", "accepted", "objective", "n_changed")
        rounds = [{k: row[k] for k in keys} for row in model.rounds_]
        show_table(f"{setting}: inner solves, {model.status_}", rounds)
        imputed = [
            a == b
            for known, g, p in zip(made.observed, y, model.imputed_, strict=True)
            for k, a, b in zip(known, g, p, strict=True)
            if k is None
        ]
        path = ", ".join(f"{v:.1f}" for v in model.objective_path_)
        print(
            f"\nobjective: {path}; imputed labels right: {100 * np.mean(imputed):.2f} %"
        )
        result[setting] = {"rows": table, "rounds": rounds}
    if not args.quick:
        write_json("structures_latent", result)
    return result


if __name__ == "__main__":
    main()
