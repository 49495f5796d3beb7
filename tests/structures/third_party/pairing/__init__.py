"""Bipartite matching for the command line: the descriptor."""

import json
import sys

import numpy as np

from pairing.sample import VARIANTS, sample
from pairing.space import PairingSpace, PairingSVM
from pystruct_ext.structures import Examples, Structure
from pystruct_ext.utils.files import atomic_file


def _write_rows(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path == "-":
        sys.stdout.write(text)
        return
    with atomic_file(path) as file:
        file.write(text.encode())


def read(path):
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    X = [np.array(row["x"]) for row in rows]
    Y = [np.array(row["y"]) for row in rows]
    n = sum(map(len, X))

    def write_predictions(out, y):
        pairs = zip(rows, y, strict=True)
        _write_rows(out, [{"x": r["x"], "y": p.tolist()} for r, p in pairs])

    return Examples(
        X, Y, n, "people", f"{len(X)} groups, {n} people", write_predictions
    )


def write(path, X, y):
    _write_rows(
        path, [{"x": a.tolist(), "y": b.tolist()} for a, b in zip(X, y, strict=True)]
    )


def report(examples, predicted, model):
    right = [(a == b).mean() for a, b in zip(examples.y, predicted, strict=True)]
    return {"right partners": float(np.mean(right))}


STRUCTURE = Structure(
    name="pairing",
    estimator=PairingSVM,
    space=PairingSpace,
    summary="bipartite matching from JSON Lines",
    description="Train a matcher on groups of people who are paired.",
    read=read,
    write=write,
    report=report,
    sample=sample,
    samples=VARIANTS,
    defaults={"C": 2.0},
)
