"""Graphs: snakes (grids whose labels only edges can tell) and horses (figure and ground).

    python benchmarks/structures_graph.py [--part snakes|horses|horses-trees] [--tune]

Features and splits are those of the floors printed beside the results. ``--tune`` trains on a
part of the training images and scores the others; without it, the test images are scored once.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from _common import data_folder, show_table, write_json

from pystruct_ext import GraphSVM
from pystruct_ext.metrics import graph_report, mean_image_iou
from pystruct_ext.outputs import grid_graph

SNAKES_FLOOR = "auto-context forests 95.9 / 84.7 / 40"
HORSES_FLOOR = "logistic regression + tuned cut 90.77 / 69.0 / 70.7"
TREES_FLOOR = "trees + tuned cut 91.29 / 70.5 / 71.9, 91.25 / 71.3 / 72.9"


# Snakes.


def snakes(part):
    """Images as colours 0 .. 4, and labels."""
    data = np.load(data_folder("snakes") / "snakes.npz")
    images, labels, at, to = [], [], 0, 0
    for s, t in zip(
        data[f"image_shape_{part}"], data[f"label_shape_{part}"], strict=True
    ):
        n, m = int(np.prod(s)), int(np.prod(t))
        bits = data[f"image_values_{part}"][at : at + n].reshape(s) // 255
        colours = bits.astype(int) @ [1, 2, 4]
        images.append(np.searchsorted([1, 2, 3, 4, 6], colours))
        labels.append(data[f"label_values_{part}"][to : to + m].reshape(t).astype(int))
        at, to = at + n, to + m
    return images, labels


def windows(colours, background):
    """One-hot colours of the 3 x 3 cells around each cell, (h, w, 45)."""
    around = np.pad(colours, 1, constant_values=background)
    seen = np.lib.stride_tricks.sliding_window_view(around, (3, 3))
    h, w = colours.shape
    return np.eye(5)[seen.reshape(h, w, 9)].reshape(h, w, 45)


def snake_scores(y, predicted):
    true = np.concatenate([a.ravel() for a in y])
    found = np.concatenate([np.asarray(b).ravel() for b in predicted])
    body = true > 0
    return {
        "all": 100 * float((true == found).mean()),
        "body": 100 * float((true == found)[body].mean()),
        "exact": 100 * graph_report(y, predicted).exact,
    }


def run_snakes(args):
    images, y = snakes("train")
    if args.tune:
        order = np.random.RandomState(0).permutation(len(images))
        train, test = order[40:], order[:40]
        parts = [[(images[i], y[i]) for i in part] for part in (train, test)]
    else:
        parts = [
            list(zip(images, y, strict=True)),
            list(zip(*snakes("test"), strict=True)),
        ]
    cells = np.concatenate([i.ravel() for i, _ in parts[0]])
    background = int(np.bincount(cells).argmax())
    graphs = [
        [grid_graph(windows(i, background), ends=True) for i, _ in part]
        for part in parts
    ]
    gold = [[label for _, label in part] for part in parts]
    rows = []
    for inference in args.inference:
        for C in args.C or [0.1]:
            began = time.perf_counter()
            model = GraphSVM(
                C=C, inference=inference, tol=args.tol, max_time=args.max_time,
                verbose=args.verbose,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(graphs[0], gold[0])
            seconds = time.perf_counter() - began
            began = time.perf_counter()
            predicted = model.predict(graphs[1])
            rows.append(
                {
                    "model": f"full tables x both cells, {inference}, C={C:g}",
                    **snake_scores(gold[1], predicted),
                    "train s": seconds,
                    "test s": time.perf_counter() - began,
                    "certificate": model.certificate_,
                    "gap": model.relative_gap_,
                    "status": model.status_,
                    "passes": model.n_iter_,
                }
            )
    show_table(f"Snakes (floor, all / body / exact: {SNAKES_FLOOR})", rows)
    return rows


PARTS = {"snakes": run_snakes}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--inference", nargs="+", default=["auto"])
    parser.add_argument("--C", nargs="+", type=float)
    parser.add_argument("--tol", type=float, default=1e-2)
    parser.add_argument("--max-time", type=float)
    parser.add_argument("--verbose", type=int, default=0)
    args = parser.parse_args(argv)
    found = {}
    for name, run in PARTS.items():
        if args.part in (name, "all"):
            found[name] = run(args)
    write_json("structures_graph", found)


if __name__ == "__main__":
    main()
