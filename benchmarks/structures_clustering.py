"""Clustering: Cora's citations beside tuned linkage, and the decoders beside HiGHS.

Run with ``python benchmarks/structures_clustering.py [--titles] [--seed N]``.

Protocol: three folds by cluster (clusters by size, the k-th in fold k mod 3); all pairs of the
records of a fold are candidates. ClusteringSVM is trained on blocks of the two other folds;
C is chosen on them, fold against fold (and halved for both), and nothing else: there is no
threshold. Features are the 46 of the floor, whose idf is of all records, and those of
`PairFeatures`, whose rarities and scales are of all records, too, or of the training folds
alone. Blocks are random, and rows are shown for three seeds of them.

The rivals are logistic regression on either with average linkage, its threshold chosen on one
of the training folds, and with our decoder on the log-odds, without a threshold. The
floor, 98.7, is the former on 46 features with one sample of 80,000 pairs (160,000 for the
test); rows are shown for five samples.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from _common import data_folder, show_table, write_json
from rapidfuzz import fuzz, process
from rapidfuzz.distance import JaroWinkler
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import LinearConstraint, milp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score

from pystruct_ext import ClusteringSVM, PairGraph
from pystruct_ext.entities import PairFeatures
from pystruct_ext.metrics import b_cubed, pairwise_scores
from pystruct_ext.outputs import hard_blocks, split_into_blocks
from pystruct_ext.spaces import best_clustering

TEXTS = {
    "title": ("title",),
    "authors": ("authors",),
    "venue": ("booktitle", "journal"),
    "rest": (*("institution", "address", "editor", "tech", "type", "month", "note"),),
    "record": (
        *(
            "authors",
            "title",
            "booktitle",
            "journal",
            "institution",
            "publisher",
            "date",
        ),
        *("volume", "pages", "address", "editor", "tech", "type", "month", "note"),
    ),
}
EXACT = ("date", "volume", "pages", "publisher")
GRID = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
SAMPLES = 5
BLOCK_SEEDS = 3
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)


def text_features(every: list[str], rows: np.ndarray, prefix: bool) -> list[np.ndarray]:
    """Similarities of all pairs of some texts; idf from all texts, without labels."""
    a, b = np.triu_indices(len(rows), 1)
    some = [every[i] for i in rows]
    missing = np.array([not s for s in some])
    length = np.array([float(len(s)) for s in some])
    out = [
        process.cdist(some, some, scorer=scorer, dtype=np.uint8)[a, b] / 100
        for scorer in (fuzz.ratio, fuzz.token_sort_ratio, fuzz.token_set_ratio)
    ]
    if prefix:
        similar = JaroWinkler.similarity
        out.append(process.cdist(some, some, scorer=similar, dtype=np.float32)[a, b])
    for how in (
        {"token_pattern": r"\S+"},
        {"analyzer": "char_wb", "ngram_range": (3, 3)},
    ):
        vectors = TfidfVectorizer(sublinear_tf=True, **how).fit(every).transform(some)
        out.append((vectors @ vectors.T).toarray()[a, b])
    out.append(
        np.abs(length[a] - length[b]) / np.maximum(np.maximum(length[a], length[b]), 1)
    )
    return [*out, missing[a] & missing[b], missing[a] ^ missing[b]]


def exact_features(every: list[str], rows: np.ndarray) -> list[np.ndarray]:
    """Whether two values are equal, differ, or one of them is missing."""
    a, b = np.triu_indices(len(rows), 1)
    s = np.array([every[i] for i in rows])
    none, same = s == "", s[a] == s[b]
    return [same & ~none[a], ~same & ~none[a] & ~none[b], none[a] ^ none[b]]


class Citations:
    """The records, their clusters, and the rows of the three folds."""

    def __init__(self, titles_only: bool) -> None:
        folder = data_folder("cora-citations-dedup")
        with open(folder / "cora.csv", encoding="utf8") as file:
            records = list(csv.DictReader(file, delimiter=";"))
        with open(folder / "cora-clusters.csv") as file:
            cluster = {row["id"]: int(row["cluster"]) for row in csv.DictReader(file)}
        y = np.array([cluster[r["id"]] for r in records])
        ids, sizes = np.unique(y, return_counts=True)
        fold_of = {ids[k]: p % 3 for p, k in enumerate(np.lexsort((ids, -sizes)))}
        fold = np.array([fold_of[v] for v in y])
        self.titles_only = titles_only
        self.rows = [np.flatnonzero(fold == k) for k in range(3)]
        self.truth = [y[rows] for rows in self.rows]
        self.pairs = [np.stack(np.triu_indices(len(r), 1), axis=1) for r in self.rows]
        self.same = [graph_joined(v) for v in self.truth]
        self.texts = {
            name: [
                " ".join(r[f].strip() for f in fields if (r[f] or "").strip())
                for r in records
            ]
            for name, fields in {**TEXTS, **{k: (k,) for k in EXACT}}.items()
            if name == "title" or not titles_only
        }

    def floor_features(self) -> list[np.ndarray]:
        """Those of the floor, of all pairs of each fold."""
        out = []
        for rows in self.rows:
            columns = []
            for name, every in self.texts.items():
                if name in EXACT:
                    columns += exact_features(every, rows)
                elif name != "rest":
                    prefix = name in ("title", "authors")
                    columns += text_features(every, rows, prefix)
            out.append(np.stack(columns, axis=1).astype(np.float32))
        return out

    def pair_features(self, folds: Sequence[int]) -> list[np.ndarray]:
        """Those of `PairFeatures`, fitted on all pairs of some folds, without labels."""
        names = [name for name in self.texts if name != "record"]
        table = {name: [t or None for t in self.texts[name]] for name in names}
        pairs = [r[p] for r, p in zip(self.rows, self.pairs, strict=True)]
        features = PairFeatures(rivals=False, whole_record=not self.titles_only)
        features.fit((table, np.concatenate([pairs[k] for k in folds])))
        return [features.transform((table, some)) for some in pairs]


def standardised(
    features: list[np.ndarray], train: tuple[int, int]
) -> list[np.ndarray]:
    """By mean and deviation of the training folds."""
    both = np.concatenate([features[k] for k in train])
    mean, deviation = both.mean(axis=0), both.std(axis=0) + 1e-6
    return [(f - mean) / deviation for f in features]


def fit(
    graphs: list[PairGraph], truth: list[Any], C: float, seed: int
) -> ClusteringSVM:
    """Random blocks, then again with blocks of clusters that the first model confuses."""
    settings = {"C": C, "tol": 0.02, "max_time": 60.0}
    X, y = split_into_blocks(graphs, truth, random_state=seed)
    model = ClusteringSVM(**settings).fit(X, y)
    scores = model.pair_scores(graphs)
    more_X, more_y = hard_blocks(graphs, truth, scores, 20, 2, random_state=seed)
    return ClusteringSVM(**settings).fit(X + more_X, y + more_y)


def scores(true: np.ndarray, found: Any) -> dict[str, float]:
    """In per cent."""
    return {
        "B3": 100 * b_cubed([true], [found]).f1,
        "pairs": 100 * pairwise_scores([true], [found]).f1,
        "ARI": 100 * adjusted_rand_score(true, found),
    }


def linked(p: np.ndarray, threshold: float) -> np.ndarray:
    """Average linkage of probabilities."""
    return fcluster(linkage(1 - p, "average"), 1 - threshold, "distance")


def logistic(X: np.ndarray, same: np.ndarray, n: int, seed: int) -> Any:
    """Logistic regression on some pairs, standardised; log-odds of others."""
    rows = np.random.RandomState(seed).permutation(len(same))[:n]
    X, same = X[rows], same[rows]
    mean, deviation = X.mean(axis=0), X.std(axis=0) + 1e-6
    model = LogisticRegression(max_iter=200).fit((X - mean) / deviation, same)
    return lambda Z: model.decision_function((Z - mean) / deviation).astype(np.float64)


class Learned:
    """ClusteringSVM on the features of a test fold and its two training folds."""

    def __init__(
        self, features: list[np.ndarray], data: Citations, test: int, seed: int
    ) -> None:
        self.truth, self.test = data.truth, test
        self.graphs = graphs = [
            PairGraph.complete(len(y), f)
            for y, f in zip(data.truth, features, strict=True)
        ]
        truth, a, b = data.truth, (test + 1) % 3, (test + 2) % 3
        began = time.perf_counter()
        tried = {}
        for C in GRID:
            tried[C] = sum(
                fit([graphs[p]], [truth[p]], C, seed).score([graphs[q]], [truth[q]])
                for p, q in ((a, b), (b, a))
            )
        self.C = max(tried, key=lambda c: (tried[c], -c))
        self.choose = time.perf_counter() - began

    def clusters(self, seed: int) -> tuple[Any, float, dict[str, Any]]:
        """Of the test fold, by both training folds; seconds of the fit, and more.

        C weighs a sum of hinges, which are twice as many as when it was chosen: half of it.
        """
        train = (self.test + 1) % 3, (self.test + 2) % 3
        began = time.perf_counter()
        model = fit(
            [self.graphs[k] for k in train],
            [self.truth[k] for k in train],
            self.C / 2,
            seed,
        )
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        found = model.predict([self.graphs[self.test]])[0]
        return found, seconds, {
            "C": self.C, "gap": model.relative_gap_, "certificate": model.certificate_,
            "choose": self.choose, "predict": time.perf_counter() - began,
        }  # fmt: skip


def cora(titles_only: bool, seed: int) -> list[dict[str, Any]]:
    """One row for each method: the three folds and their mean."""
    began = time.perf_counter()
    data = Citations(titles_only)
    floor = data.floor_features()
    print(f"{floor[0].shape[1]} features: {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    rich = data.pair_features((0, 1, 2))
    seconds = time.perf_counter() - began
    print(f"PairFeatures, {rich[0].shape[1]}: {seconds:.0f} s", flush=True)
    found: dict[str, list[dict[str, Any]]] = {}

    def add(name: str, test: int, clusters: Any, seconds: float, **more: Any) -> None:
        row = {**scores(data.truth[test], clusters), "fit s": seconds, **more}
        found.setdefault(name, []).append(row)
        print(f"fold {test} {name}: B3 {row['B3']:.2f}  {more}", flush=True)

    for test in range(3):
        train = (test + 1) % 3, (test + 2) % 3
        for name, features in (
            ("PairFeatures", rich),
            ("PairFeatures of training records", data.pair_features(train)),
            ("floor's features", standardised(floor, train)),
        ):
            learned = Learned(features, data, test, seed)
            for k in range(seed, seed + BLOCK_SEEDS):
                clusters, seconds, more = learned.clusters(k)
                title = f"ClusteringSVM, {name}, blocks of seed {k}"
                add(title, test, clusters, seconds, **more)
        for name, features in (("PairFeatures", rich), ("floor's features", floor)):
            for sample in range(SAMPLES if features is floor else 1):
                rivals(f"{name}, sample {sample}", features, data, test, sample, add)
    return [row_of(name, rows) for name, rows in found.items()]


def rivals(
    name: str,
    features: list[np.ndarray],
    data: Citations,
    test: int,
    sample: int,
    add: Callable[..., None],
) -> None:
    """Logistic regression and linkage, with a threshold and without; and our decoder."""
    b, a = (test + 1) % 3, (test + 2) % 3
    began = time.perf_counter()
    odds = logistic(features[a], data.same[a], 80_000, sample)(features[b])
    p = 1 / (1 + np.exp(-odds))
    t = max(THRESHOLDS, key=lambda v: b_cubed([data.truth[b]], [linked(p, v)]).f1)
    X = np.vstack([features[a], features[b]])
    same = np.concatenate([data.same[a], data.same[b]])
    log_odds = logistic(X, same, 160_000, sample)(features[test])
    seconds = time.perf_counter() - began
    p = 1 / (1 + np.exp(-log_odds))
    add(f"LR + average linkage, {name}", test, linked(p, t), seconds, threshold=t)
    add(f"LR + average linkage at 0.5, {name}", test, linked(p, 0.5), seconds)
    if sample == 0:
        weights = np.clip(log_odds, -7, 7)
        best = best_clustering(weights, data.pairs[test], inference="greedy")
        add(f"LR + best_clustering, {name}", test, best.clusters, seconds)


def row_of(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Three folds in one row."""
    return {
        "method": name,
        **{f"B3 fold {k}": f"{row['B3']:.1f}" for k, row in enumerate(rows)},
        **{k: f"{np.mean([r[k] for r in rows]):.2f}" for k in ("B3", "pairs", "ARI")},
        "fit s": f"{np.mean([r['fit s'] for r in rows]):.1f}",
        "chosen": " ".join(str(r.get("C", r.get("threshold", ""))) for r in rows),
        "gap": " ".join(f"{r['gap']:.3f}" for r in rows if "gap" in r),
    }


def graph_joined(y: np.ndarray) -> np.ndarray:
    """Whether each pair is in one cluster."""
    a, b = np.triu_indices(len(y), 1)
    return y[a] == y[b]


def decoders(seed: int) -> list[dict[str, Any]]:
    """Planted clusters with Gaussian noise: value, bound and milliseconds."""
    out = []
    for n, k, noise in (
        (12, 3, 1.5),
        (20, 4, 1.0),
        (30, 5, 1.0),
        (60, 8, 0.7),
        (600, 60, 0.5),
    ):
        rng = np.random.default_rng(seed)
        true = rng.integers(0, k, size=n)
        a, b = np.triu_indices(n, 1)
        weights = np.where(true[a] == true[b], 1, -1) + noise * rng.normal(size=len(a))
        pairs = np.stack([a, b], axis=1)
        row: dict[str, Any] = {"items": n, "noise": noise}
        for how in ("greedy", "auto", "branch", "milp"):
            if (how == "branch" and n > 30) or (how == "milp" and n > 60):
                continue
            began = time.perf_counter()
            best = best_clustering(weights, pairs, inference=how)
            ms = 1000 * (time.perf_counter() - began)
            row[how] = f"{best.value:.3f} <= {best.bound:.3f}, {ms:.1f} ms"
        if n <= 20:
            began = time.perf_counter()
            value = all_triangles(n, weights)
            ms = 1000 * (time.perf_counter() - began)
            row["HiGHS, all triangles"] = f"{value:.3f}, {ms:.0f} ms"
        out.append(row)
    return [{key: row.get(key, "") for key in out[0]} for row in out]


def all_triangles(n: int, weights: np.ndarray) -> float:
    """The optimum by the textbook formulation, with all triangles from the start."""
    number = np.zeros((n, n), dtype=int)
    number[np.triu_indices(n, 1)] = np.arange(len(weights))
    rows = []
    for i in range(n):
        for j in range(i + 1, n):
            for k in range(j + 1, n):
                e = [number[i, j], number[i, k], number[j, k]]
                for minus in range(3):
                    row = np.zeros(len(weights))
                    row[e], row[e[minus]] = 1, -1
                    rows.append(row)
    found = milp(
        -weights, integrality=np.ones(len(weights)), bounds=(0, 1),
        constraints=[LinearConstraint(np.array(rows), ub=1)],
    )  # fmt: skip
    return float(-found.fun)


def main(arguments: list[str] | None = None) -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--titles", action="store_true", help="features of titles only")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    table = decoders(args.seed)
    show_table("Decoders: value <= bound", table)
    rows = cora(args.titles, args.seed)
    floor = "94.8" if args.titles else "98.7 (97.4 on fold 1)"
    show_table(f"Cora, B-cubed F1, mean of three folds; floor {floor}", rows)
    name = "structures_clustering_titles" if args.titles else "structures_clustering"
    write_json(name, {"decoders": table, "cora": rows})


if __name__ == "__main__":
    main()
