"""Word alignment: a matching over learned features, beside alignment without links.

    python benchmarks/structures_alignment.py [--quick] [--language fr cs] [--stacked]

Test: the folder's valid file; everything is fitted on the train file, with the words (no links)
of the test sentences as text for the aligners, all lower-cased. Settings were chosen by
cross-validation within the train file. Only sure links exist, so that F1 = 1 - AER; "+-" is
the standard deviation of F1 over 1,000 bootstrap draws of test sentences.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from _common import data_folder, show_table, write_json

from pystruct_ext.estimators import MatchingSVM
from pystruct_ext.io import read_word_alignments
from pystruct_ext.metrics import link_report
from pystruct_ext.outputs import MatchingProblem
from pystruct_ext.word_alignment import AlignmentFeatures, WordAligner

FOLDERS = {"fr": "word-alignment-en-fr-hansards", "cs": "word-alignment-en-cs"}
# From measured_structures.md, the same split and protocol.
FLOORS = {
    "fr": {
        "HMM intersection": 62.4,
        "HMM posteriors, 1-1": 65.3,
        "logistic regression + 1-1": 81.3,
        "LightGBM + 1-1": 81.9,
        "LightGBM + 1-1 + growth": 82.4,
    },
    "cs": {
        "HMM intersection": 69.0,
        "HMM posteriors, 1-1": 72.8,
        "logistic regression + 1-1": 79.0,
        "LightGBM + 1-1": 81.2,
        "LightGBM + 1-1 + growth": 81.8,
    },
}
ONE = {"C": 0.001, "miss_cost": 1.3}
MANY = {**ONE, "row_capacity": 4, "column_capacity": 4, "fertility": 3}


def bootstrap(truth, found, draws=1000):
    """Standard deviation of F1, in points, over draws of sentences."""
    counts = np.array(
        [
            (len(set(y.sure) & set(p)), len(y.sure), len(p))
            for y, p in zip(truth, found, strict=True)
        ]
    )
    rng = np.random.default_rng(0)
    some = counts[rng.integers(len(counts), size=(draws, len(counts)))].sum(axis=1)
    return float((200 * some[:, 0] / (some[:, 1] + some[:, 2])).std())


def row(name, truth, found, seconds, model=None):
    report = link_report(truth, found)
    return {
        "model": name,
        "P": 100 * report.precision,
        "R": 100 * report.recall,
        "F1": 100 * report.f1,
        "+-": bootstrap(truth, found),
        "exact %": 100 * report.exact,
        "fit s": seconds,
        "certificate": "" if model is None else model.certificate_,
        "gap": None if model is None else float(model.relative_gap_),
    }


def without_links(train, test):
    """Aligners that see no links."""
    rows = []
    for prefix in (None, 4):
        began = time.perf_counter()
        aligner = WordAligner(prefix=prefix).fit([*train.pairs, *test.pairs])
        seconds = time.perf_counter() - began
        name = "whole words" if prefix is None else f"{prefix} letters"
        for heuristic in ("intersection", "grow-diag", "grow-diag-final-and"):
            found = [
                tuple(map(tuple, p.tolist()))
                for p in aligner.predict(test.pairs, heuristic)
            ]
            rows.append(
                row(f"WordAligner, {name}, {heuristic}", test.links, found, seconds)
            )
    return rows


def matchings(train, test, X, Xt, seconds, what, settings):
    rows = []
    for name, params in settings.items():
        began = time.perf_counter()
        model = MatchingSVM(excess="drop", **params).fit(X, train.links)
        took = time.perf_counter() - began
        rows.append(
            row(f"{what}, {name}", test.links, model.predict(Xt), seconds + took, model)
        )
    return rows


def stacked(train, X, Xt):
    """Log odds of boosted trees as one more feature, out of fold in training."""
    import lightgbm

    linked = [
        np.array([tuple(p) in set(y.sure) for p in x.pairs.tolist()], dtype=int)
        for x, y in zip(X, train.links, strict=True)
    ]
    fold = np.arange(len(X)) % 5

    def trees(index):
        model = lightgbm.LGBMClassifier(
            n_estimators=120, num_leaves=15, learning_rate=0.08, min_child_samples=30,
            n_jobs=1, verbose=-1, random_state=0,
        )  # fmt: skip
        return model.fit(
            np.vstack([X[i].features for i in index]),
            np.concatenate([linked[i] for i in index]),
        )

    def with_score(x, model):
        score = np.clip(model.predict(x.features, raw_score=True), -8, 8)[:, None] / 3
        features = np.hstack([x.features, score.astype(np.float32)])
        return MatchingProblem(features, shape=x.shape, pairs=x.pairs)

    out = [None] * len(X)
    for k in range(5):
        model = trees(np.flatnonzero(fold != k))
        for i in np.flatnonzero(fold == k):
            out[i] = with_score(X[i], model)
    model = trees(np.arange(len(X)))
    return out, [with_score(x, model) for x in Xt]


def run(language, quick, with_trees):
    folder = data_folder(FOLDERS[language])
    train = read_word_alignments(folder / "train.jsonl.gz")
    test = read_word_alignments(folder / "valid.jsonl.gz")
    if quick:
        train, test = train.take(range(150)), test.take(range(20))
    rows = without_links(train, test)
    for what, params in (
        ("one look", {"second_look": False}),
        ("two looks", {}),
    ):
        began = time.perf_counter()
        features = AlignmentFeatures(**params)
        X = features.fit_transform(train.pairs, train.links, unlabelled=test.pairs)
        Xt = features.transform(test.pairs)
        seconds = time.perf_counter() - began
        settings = {"1-1": ONE, "up to 4": MANY}
        rows += matchings(train, test, X, Xt, seconds, what, settings)
        if with_trees and what == "two looks":
            began = time.perf_counter()
            X, Xt = stacked(train, X, Xt)
            seconds += time.perf_counter() - began
            rows += matchings(
                train, test, X, Xt, seconds, "two looks + trees", {"up to 4": MANY}
            )
    title = (
        f"English - {language}: {len(train)} + {len(test)} sentence pairs; "
        f"{len(features.get_feature_names_out())} features, {100 * features.recall_:.1f} % "
        f"of the links are candidates; C = {ONE['C']:g}, missed links cost "
        f"{ONE['miss_cost']:g}"
    )
    show_table(title, rows)
    show_table(
        "Measured peers", [{"peer": k, "F1": v} for k, v in FLOORS[language].items()]
    )
    return rows


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--language", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--quick", action="store_true", help="a part of the data")
    parser.add_argument("--stacked", action="store_true", help="boosted trees, too")
    options = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = {
            language: run(language, options.quick, options.stacked)
            for language in options.language
        }
    write_json("structures_alignment", result)


if __name__ == "__main__":
    main()
