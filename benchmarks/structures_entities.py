"""Entity matching: `EntityMatcher` on the labelled pairs of four public data sets.

    python benchmarks/structures_entities.py [abt-buy amazon-google dblp-acm itunes-amazon]
        [--no-stack] [--json]

Pairs are split into train, valid and test; records are identified by their text, and a split's
tables are the records of its own pairs. Training uses the training pairs alone; ``miss_cost``
(1 or 1.5; false links cost 1) is chosen by F1 on valid, everything else is a default but
``parts=3``: train has three times the pairs of valid or of test, so that its records have more
rivals. Nothing is searched on test, and no threshold anywhere. Floors, with their thresholds
tuned on valid, are those of similarity features without `rivals`. F1 has a standard error of
about 2 (Abt-Buy), 2.5 (Amazon-Google), 0.4 (DBLP-ACM) and 3 (iTunes-Amazon); "+-" is that of a
bootstrap over the left records of test.
"""

from __future__ import annotations

import argparse
import gzip
import re
import time
import warnings
from typing import Any

import numpy as np
from _common import data_folder, show_table, timed, write_json
from sklearn.linear_model import LogisticRegression

from pystruct_ext.entities import EntityMatcher, PairFeatures, RecordPairs
from pystruct_ext.spaces import best_matching

NAMES = ("abt-buy", "amazon-google", "dblp-acm", "itunes-amazon")
# Best peers of one kind: linear scores, and trees, each with 1-1 matching.
FLOORS = {
    "abt-buy": (82.3, 87.4),
    "amazon-google": (67.8, 73.6),
    "dblp-acm": (98.6, 98.9),
    "itunes-amazon": (98.2, 98.2),
}
TARGETS = {
    "abt-buy": (84.5, 88.0),
    "amazon-google": (70.0, 73.6),
    "dblp-acm": (98.6, 98.6),
    "itunes-amazon": (98.2, 98.2),
}
MISS_COSTS = (1.0, 1.5)


def record(text):
    """A dict of a serialised record."""
    out = {}
    for part in re.split(r"(?:^|\s)COL ", text)[1:]:
        name, _, value = part.partition(" VAL")
        out[name.strip()] = value.strip() or None
    return out


class Split:
    """Tables, distinct pairs and labels of a file; F1 counts lines.

    A pair that is in the file twice, with both labels in a few cases, counts as a match in
    training if one of its lines does.
    """

    def __init__(self, folder, name):
        left, right, pairs, labels = {}, {}, [], []
        with gzip.open(folder / f"{name}.txt.gz", "rt", encoding="utf-8") as file:
            for line in file:
                a, b, label = line.rstrip("\n").split("\t")
                pairs.append(
                    (left.setdefault(a, len(left)), right.setdefault(b, len(right)))
                )
                labels.append(int(label))
        self.left, self.right = [record(t) for t in left], [record(t) for t in right]
        self.pairs, self.line = np.unique(pairs, axis=0, return_inverse=True)
        self.labels = np.array(labels)
        self.truth = np.zeros(len(self.pairs), dtype=int)
        np.maximum.at(self.truth, self.line, self.labels)
        self.labelled = np.column_stack([self.pairs, self.truth])
        self.records = RecordPairs(self.left, self.right, self.pairs)

    def linked(self, links):
        """0 or 1 for each pair."""
        code = self.pairs[:, 0] * len(self.right) + self.pairs[:, 1]
        found = links["left"] * len(self.right) + links["right"]
        return np.isin(code, found).astype(int)

    def numbers(self, linked):
        """Precision, recall and F1 of lines, and a bootstrap's deviation of F1."""
        p, y = linked[self.line], self.labels
        rng = np.random.default_rng(0)
        group = self.pairs[self.line, 0]
        sums = [np.bincount(group, w, len(self.left)) for w in (p * y, p, y)]
        draws = rng.multinomial(
            len(self.left), np.full(len(self.left), 1 / len(self.left)), 1000
        )
        right, found, true = (draws @ s for s in sums)
        return {
            "F1": f1(y, p),
            "+-": float(np.std(200 * right / np.maximum(found + true, 1))),
            "P": 100 * float((p * y).sum() / max(p.sum(), 1)),
            "R": 100 * float((p * y).sum() / max(y.sum(), 1)),
        }


def f1(y, p):
    return 200 * float((p * y).sum()) / max(int(p.sum() + y.sum()), 1)


def matched(split, scores, threshold):
    """1-1 matching of largest scores above a threshold."""
    from scipy import sparse

    keep = scores > threshold
    shape = (len(split.left), len(split.right))
    rows, columns = split.pairs[keep].T
    table = sparse.coo_array((scores[keep] - threshold, (rows, columns)), shape)
    i, j, _ = best_matching(table)
    return split.linked({"left": i.astype(int), "right": j.astype(int)})


def tuned(split, scores):
    """The threshold of 1-1 matching with the best F1."""
    choices = np.quantile(scores, np.linspace(0.5, 0.995, 100))
    return max(
        choices,
        key=lambda t: f1(split.labels, matched(split, scores, t)[split.line]),
    )


def learned(data, **params):
    """Fit for each cost, keep the one that is best on valid, touch test once."""
    train, valid, test = (data[k] for k in ("train", "valid", "test"))
    best = None
    for cost in MISS_COSTS:
        matcher = EntityMatcher(miss_cost=cost, parts=3, **params)
        seconds, _ = timed(
            lambda m=matcher: m.fit(train.left, train.right, train.labelled)
        )
        links = matcher.predict(valid.left, valid.right, valid.pairs)
        on_valid = f1(valid.labels, valid.linked(links)[valid.line])
        if best is None or on_valid > best[0]:
            best = (on_valid, cost, matcher, seconds)
    on_valid, cost, matcher, seconds = best
    links = matcher.predict(test.left, test.right, test.pairs)
    return {
        "settings": f"C={matcher.C:g} miss_cost={cost:g}",
        **test.numbers(test.linked(links)),
        "F1 valid": on_valid,
        "s fit": seconds,
        "columns": matcher.svm_.space_.n_features_,
        "certificate": matcher.certificate_,
        "gap": matcher.relative_gap_,
    }


def plain(data):
    """Logistic regression on the same columns, C and threshold of the matching by valid."""
    train, valid, test = (data[k] for k in ("train", "valid", "test"))
    features = PairFeatures(expand="hinges")
    began = time.perf_counter()
    X = features.fit_transform(train.records, train.truth)
    V = features.transform(valid.records)
    best = None
    for C in (1e-3, 1e-2, 1e-1, 1.0):
        model = LogisticRegression(C=C, max_iter=1000).fit(X, train.truth)
        scores = model.decision_function(V)
        threshold = tuned(valid, scores)
        on_valid = f1(valid.labels, matched(valid, scores, threshold)[valid.line])
        if best is None or on_valid > best[0]:
            best = (on_valid, C, threshold, model)
    seconds = (time.perf_counter() - began) / 4
    on_valid, C, threshold, model = best
    scores = model.decision_function(features.transform(test.records))
    return {
        "settings": f"C={C:g} threshold={threshold:.2f}",
        **test.numbers(matched(test, scores, threshold)),
        "F1 valid": on_valid,
        "s fit": seconds,
        "columns": X.shape[1],
    }


def trees():
    """The base classifier whose out-of-fold log-odds are the features."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=300, num_leaves=31, learning_rate=0.05, min_child_samples=10,
        subsample=0.8, subsample_freq=1, colsample_bytree=0.5, n_jobs=1,
        verbose=-1, random_state=0,
    )  # fmt: skip


def one(name, stack):
    """Rows of a data set."""
    folder = data_folder(f"entity-matching-{name}")
    data = {k: Split(folder, k) for k in ("train", "valid", "test")}
    linear, tree = FLOORS[name]
    rows: list[dict[str, Any]] = [
        {"who": "MatchingSVM, linear", **learned(data)},
        {
            "who": "the same without rivals",
            **learned(data, features=PairFeatures(expand="hinges", rivals=False)),
        },
        {"who": "logistic regression + 1-1, same columns", **plain(data)},
    ]
    if stack:
        rows.append(
            {
                "who": "MatchingSVM, stacked on trees",
                **learned(data, stack=trees()),
            }
        )
    rows.append({"who": "floor: logistic regression + 1-1", "F1": linear})
    rows.append({"who": "floor: trees + 1-1", "F1": tree})
    show_table(
        f"{name} (targets {TARGETS[name][0]} linear, {TARGETS[name][1]} stacked)", rows
    )
    return rows


def main(argv: list[str] | None = None) -> None:
    """All data sets, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--no-stack", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    results = {n: one(n, not args.no_stack) for n in args.names or NAMES}
    if args.json:
        write_json("structures_entities", results)


if __name__ == "__main__":
    main()
