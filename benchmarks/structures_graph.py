"""Graphs: snakes (grids whose labels only edges can tell) and horses (figure and ground).

    python benchmarks/structures_graph.py [--part snakes|horses|horses-trees] [--tune]

Features and splits are those of the floors printed beside the results. ``--tune`` trains on a
part of the training images and scores the others; without, the test images are scored once.
Constants of the horses (weight of a missed horse, scale of the learnt pair scores, C) were
chosen with ``--tune``, as those of the floors were.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings

import numpy as np
from _common import data_folder, show_table, write_json
from matplotlib.colors import rgb_to_hsv
from scipy.ndimage import gaussian_filter, sobel
from sklearn.linear_model import LogisticRegression

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
                C=C,
                inference=inference,
                tol=args.tol,
                max_time=args.max_time,
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


# Horses.


def cell_features(image):
    """59 columns of every cell: place, colours, neighbourhood, (64, 64, 59)."""
    rows, columns = np.mgrid[-1:1:64j, -1:1:64j]
    grey = image.mean(axis=2)
    found = [rows, columns, rows * columns, rows**2, columns**2]
    found += [*np.moveaxis(image, 2, 0), *np.moveaxis(image**2, 2, 0)]
    found += list(np.moveaxis(rgb_to_hsv(image), 2, 0))
    for sigma in (1, 2, 4):
        found += [gaussian_filter(image[..., k], sigma) for k in range(3)]
    spread = gaussian_filter(grey**2, 2) - gaussian_filter(grey, 2) ** 2
    found += [np.sqrt(np.maximum(spread, 0)), np.hypot(sobel(grey, 0), sobel(grey, 1))]
    mean, frame = image.mean(axis=(0, 1)), np.ones((64, 64), dtype=bool)
    frame[3:-3, 3:-3] = False
    border = image[frame].mean(axis=0)
    for k in range(3):
        colour = image[..., k]
        found += [np.full((64, 64), mean[k]), colour - mean[k], colour - border[k]]
    around = np.pad(grey, 2, mode="edge")
    found += [around[a : a + 64, b : b + 64] for a in range(5) for b in range(5)]
    return np.stack(found, axis=-1)


def log_odds(p, least=1e-2):
    p = np.clip(p, least, 1 - least)
    return np.log(p / (1 - p))


def horses(tune):
    """Images, masks and 60 columns of training and test images."""
    data = np.load(data_folder("weizmann-horses-64") / "weizmann_horses_64.npz")
    masks = np.unpackbits(data["masks"], axis=-1).astype(int)
    images, ids = data["images"] / 255.0, data["image_id"]
    train = np.flatnonzero((ids <= 200) & (ids != 18))
    test = np.flatnonzero((ids > 200) & (ids != 274))
    if tune:
        order = np.random.RandomState(0).permutation(len(train))
        train, test = train[order[40:]], train[order[:40]]
    prior = log_odds(gaussian_filter(masks[train].mean(axis=0), 1.5))
    out = []
    for part in (train, test):
        columns = [np.dstack([cell_features(images[i]), prior]) for i in part]
        out.append((images[part], masks[part], np.stack(columns)))
    mean = out[0][2].mean(axis=(0, 1, 2))
    spread = out[0][2].std(axis=(0, 1, 2)) + 1e-9
    return [(i, m, (x - mean) / spread) for i, m, x in out]


def trees(x, masks, seed=0):
    import lightgbm

    rows = x.reshape(-1, x.shape[-1])
    some = np.random.RandomState(seed).permutation(len(rows))[:100_000]
    model = lightgbm.LGBMClassifier(
        n_estimators=120, num_leaves=31, learning_rate=0.08, min_child_samples=50,
        n_jobs=1, verbose=-1,
    )  # fmt: skip
    return model.fit(rows[some], masks.ravel()[some])


def with_trees(parts, n_folds=5):
    """One more column: log-odds of trees, of other images where these are for training."""
    (images, masks, x), (others, gold, z) = parts
    fold = np.random.RandomState(1).permutation(len(x)) % n_folds
    own = np.empty(masks.shape)

    def odds(model, values):
        rows = values.reshape(-1, values.shape[-1])
        return log_odds(model.predict_proba(rows)[:, 1], 1e-3).reshape(
            values.shape[:-1]
        )

    for k in range(n_folds):
        own[fold == k] = odds(trees(x[fold != k], masks[fold != k]), x[fold == k])
    new = odds(trees(x, masks), z)
    scale = own.std()
    return [
        (images, masks, _more(x, own / scale)),
        (others, gold, _more(z, new / scale)),
    ]


def horse_scores(y, predicted):
    report = graph_report(y, predicted)
    return {
        "pixels": 100 * report.accuracy,
        "IoU pooled": 100 * report.iou[1],
        "mean IoU": 100 * mean_image_iou(y, predicted, 1),
    }


def _more(x, column):
    return np.concatenate([x, column.reshape(*x.shape[:3], 1)], axis=-1)


def with_logits(parts, strength):
    """One more column: what logistic regression says, which is linear in the others."""
    (images, masks, x), (others, gold, z) = parts
    rows, labels = x.reshape(-1, x.shape[-1]), masks.ravel()
    some = np.random.RandomState(0).permutation(len(rows))[:60_000]
    model = LogisticRegression(max_iter=200).fit(rows[some], labels[some])
    own, new = (model.decision_function(v.reshape(-1, v.shape[-1])) for v in (x, z))
    scale = strength / own.std()
    return [
        (images, masks, _more(x, scale * own)),
        (others, gold, _more(z, scale * new)),
    ]


def horse_graph(columns, image, args):
    """Contrast in units of the image's own mean contrast."""
    steps = [np.diff(image, axis=k) for k in (0, 1)]
    mean = np.mean(np.concatenate([(d**2).sum(axis=2).ravel() for d in steps]))
    graph = grid_graph(
        columns, args.neighbours, contrast=args.scales, colours=image / np.sqrt(mean)
    )
    # Few weights of large features are hardly regularised.
    graph.edge_features = args.edge_scale * graph.edge_features
    return graph


def run_horses(args, stacked=False):
    began = time.perf_counter()
    parts = horses(args.tune)
    if stacked:
        parts = with_trees(parts)
    parts = with_logits(parts, args.logits)
    seconds = time.perf_counter() - began
    print(f"features: {seconds:.1f} s, {parts[0][2].shape[-1]} columns")
    graphs = [
        [horse_graph(f, i, args) for i, f in zip(images, x, strict=True)]
        for images, _, x in parts
    ]
    gold = [list(masks) for _, masks, _ in parts]
    rows = []
    for C, weight in itertools.product(args.C or [1e-4], args.weight):
        began = time.perf_counter()
        model = GraphSVM(
            C=C, pairwise="potts", attractive=True, tol=args.tol,
            label_weight=None if weight == 1 else {0: 1.0, 1: weight},
            max_time=args.max_time, verbose=args.verbose,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(graphs[0], gold[0])
        seconds = time.perf_counter() - began
        space, first = model.space_, model.space_.nonnegative_[0]
        for pairs in args.pair_scale:
            w = model.coef_.copy()
            w[first:] *= pairs
            began = time.perf_counter()
            predicted = space.decode_batch(w, graphs[1])
            rows.append(
                {
                    "model": f"linear{' + trees' * stacked} + contrast, C={C:g}, horse x "
                    f"{weight:g}, pairs x {pairs:g}",
                    **horse_scores(gold[1], predicted),
                    "train s": seconds,
                    "ms/image": 1e3 * (time.perf_counter() - began) / len(predicted),
                    "certificate": model.certificate_,
                    "gap": model.relative_gap_,
                    "status": model.status_,
                    "passes": model.n_iter_,
                }
            )
            print(rows[-1], flush=True)
    floor = TREES_FLOOR if stacked else HORSES_FLOOR
    show_table(f"Horses (floor, pixels / pooled / mean IoU: {floor})", rows)
    return rows


PARTS = {
    "snakes": run_snakes,
    "horses": run_horses,
    "horses-trees": lambda args: run_horses(args, stacked=True),
}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--inference", nargs="+", default=["exact"])
    parser.add_argument("--C", nargs="+", type=float)
    parser.add_argument("--tol", type=float, default=1e-2)
    parser.add_argument("--max-time", type=float)
    parser.add_argument("--weight", nargs="+", type=float, default=[1.5])
    parser.add_argument("--scales", nargs="+", type=float, default=[0.5, 1.5, 4.0])
    parser.add_argument("--neighbours", type=int, default=8)
    parser.add_argument("--edge-scale", type=float, default=10.0)
    parser.add_argument("--logits", type=float, default=3.0)
    parser.add_argument("--pair-scale", nargs="+", type=float, default=[1.0, 2.0])
    parser.add_argument("--verbose", type=int, default=0)
    args = parser.parse_args(argv)
    found = {}
    for name, run in PARTS.items():
        if args.part in (name, "all"):
            found[name] = run(args)
    write_json("structures_graph", found)


if __name__ == "__main__":
    main()
