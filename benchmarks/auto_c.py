"""C found from the data, the default C, and the best C on the test part, on shared data.

For every task: the test score (in points) and the seconds of a fit with C="auto", with the
default C of the estimator before "auto" was one, and at every C of a grid of quarter decades
around what auto took. "oracle" is the best of the grid, chosen on the test part itself:
nobody can have it without looking.

    python benchmarks/auto_c.py                         # all tasks
    python benchmarks/auto_c.py --task chunks letters   # some
    python benchmarks/auto_c.py --quick                 # half decades, one decade around
"""

from __future__ import annotations

import argparse
import csv
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from _common import ROOT, data_folder, show_table
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import StandardScaler

from pystruct_ext import (
    AlignmentSVM,
    ClusteringSVM,
    ConstituencySVM,
    DependencySVM,
    DiverseRankingSVM,
    FoldingSVM,
    GraphSVM,
    MatchingSVM,
    MulticlassSVM,
    MultilabelSVM,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
)
from pystruct_ext.io import (
    DEFAULT_TEMPLATE,
    read_brackets,
    read_conll,
    read_conllu,
    read_folds,
    read_letor,
)

# The defaults before "auto".
BEFORE = {
    AlignmentSVM: 0.1,
    ClusteringSVM: 0.01,
    ConstituencySVM: 0.1,
    DependencySVM: 0.03,
    DiverseRankingSVM: 0.1,
    FoldingSVM: 0.001,
    GraphSVM: 0.1,
    MatchingSVM: 0.1,
    MulticlassSVM: 1.0,
    MultilabelSVM: 1.0,
    RankingSVM: 1.0,
    SegmentSVM: 0.1,
    SequenceSVM: 0.1,
}  # fmt: skip


@dataclass
class Task:
    """An estimator without C, and both parts of its data."""

    model: Any
    X: Any
    y: Any
    X_test: Any
    y_test: Any
    fit: dict[str, Any] = field(default_factory=dict)
    auto: dict[str, Any] = field(default_factory=dict)
    score: dict[str, Any] = field(default_factory=dict)


TASKS: dict[str, Callable[[], Task]] = {}


def task(make: Callable[[], Task]) -> Callable[[], Task]:
    """Enter a task."""
    TASKS[make.__name__] = make
    return make


def some(n: int, count: int, seed: int = 0) -> list[int]:
    """Positions drawn without replacement, in their order."""
    return sorted(np.random.default_rng(seed).permutation(n)[:count].tolist())


def of(values: Any, index: Any) -> Any:
    """Some of the examples."""
    return (
        values[index] if isinstance(values, np.ndarray) else [values[i] for i in index]
    )


@task
def chunks() -> Task:
    """CoNLL-2000, 2,000 sentences to train."""
    from pystruct_ext._core.features import Template, Vocabulary

    folder = data_folder("conll2000")
    parts = [read_conll(folder / f"{part}.txt") for part in ("train", "test")]
    template, vocabulary = Template(DEFAULT_TEMPLATE), Vocabulary()
    names = []
    for part, count in zip(parts, (2000, None), strict=True):
        offsets, indptr, indices = template.extract(
            part, vocabulary, count is not None
        )[:3]
        table = vocabulary.names()
        tokens = [
            [table[j] for j in indices[a:b]] for a, b in pairwise(indptr.tolist())
        ]
        X = [tokens[a:b] for a, b in pairwise(offsets.tolist())]
        names.append((X[:count], part.column(-1)[:count]))
    return Task(SequenceSVM(), *names[0], *names[1])


@task
def letters() -> Task:
    """OCR letters, one fold to train, the others to test."""
    z = np.load(data_folder("ocr-letters") / "ocr_letters.npz")
    off, fold, pixels, letter = (z[k] for k in ("offsets", "fold0", "pixels", "labels"))
    X = [pixels[a:b].astype(np.float64) for a, b in pairwise(off)]
    y = [letter[a:b].tolist() for a, b in pairwise(off)]
    train, test = np.flatnonzero(fold == 1), np.flatnonzero(fold != 1)
    return Task(SequenceSVM(), of(X, train), of(y, train), of(X, test), of(y, test))


@task
def questions() -> Task:
    """Questions, 50 classes, words and pairs of words, 2,500 to train."""
    folder = data_folder("question-classification")
    lines = [
        line
        for part in ("train", "test")
        for line in (folder / f"{part}.txt").read_text().splitlines()
    ]
    lines = [lines[i] for i in np.random.default_rng(0).permutation(len(lines))]
    y, texts = zip(*(line.split(" ", 1) for line in lines), strict=True)
    y, n = np.array(y), 2500
    words = CountVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), binary=True)
    X = words.fit_transform(texts[:n]).astype(np.float64)
    Xt = words.transform(texts[n:]).astype(np.float64)
    return Task(MulticlassSVM(), X, y[:n], Xt, y[n:])


@task
def digits() -> Task:
    """Handwritten digits, a half to train."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X = X / 16
    return Task(MulticlassSVM(), X[::2], y[::2], X[1::2], y[1::2])


@task
def ranking() -> Task:
    """LETOR MQ2008, two folds to train, three to test."""
    folder = data_folder("letor-mq2008")
    data = [read_letor(folder / f"S{k}.txt.gz", 46) for k in range(1, 6)]

    def joined(ks: Any) -> list[Any]:
        return [
            np.concatenate([getattr(data[k], n) for k in ks]) for n in ("X", "y", "qid")
        ]

    (X, y, qid), (Xt, yt, qt) = joined((0, 1)), joined((2, 3, 4))
    scale = StandardScaler().fit(X)
    return Task(
        RankingSVM(), scale.transform(X), y, scale.transform(Xt), yt, {"qid": qid}, {},
        {"qid": qt},
    )  # fmt: skip


@task
def slates() -> Task:
    """Ambiguous queries, a half to train."""
    from pystruct_ext.datasets import load_ambiguous_queries
    from pystruct_ext.diversify import QueryTextFeatures

    queries = load_ambiguous_queries()
    order = np.random.default_rng(0).permutation(len(queries))
    half = len(order) // 2
    features = QueryTextFeatures()
    X = features.fit_transform(of(queries, order[:half]))
    Xt = features.transform(of(queries, order[half:]))
    return Task(DiverseRankingSVM(), X, None, Xt, None)


@task
def dependencies() -> Task:
    """EWT, 800 sentences to train, gold tags."""
    folder = data_folder("ud-english-ewt")
    train, test = (
        read_conllu(folder / f"en_ewt-ud-{p}.conllu.gz") for p in ("train", "test")
    )
    rows = some(len(train.sentences), 800)
    X, y = of(train.sentences, rows), of(train.dependencies, rows)
    model = DependencySVM(features="basic", bits=18, max_iter=15)
    return Task(model, X, y, test.sentences[:700], test.dependencies[:700])


@task
def trees() -> Task:
    """Treebank sample, 400 trees of up to 25 words to train."""
    folder = data_folder("treebank-constituency")
    splits = json.loads((folder / "splits.json").read_text())
    banks = [
        [t for t in read_brackets([folder / "mrg" / f for f in splits[part]])
         if len(t.words()) <= 25]
        for part in ("train", "test")
    ]  # fmt: skip
    banks[0] = of(banks[0], some(len(banks[0]), 400))
    X, Xt = ([t.sentence() for t in bank] for bank in banks)
    return Task(ConstituencySVM(max_iter=15), X, banks[0], Xt, banks[1])


def rna() -> Any:
    """Sequences, folds and families, each sequence once, up to 150 bases."""
    data = read_folds(data_folder("rna-archiveii") / "structures.csv.gz")
    family = np.array(data.columns["family"])
    keep = np.array([len(x) <= 150 for x in data.sequences])
    keep &= np.array(data.columns["duplicate_sequence"]) == "0"
    X, y = (np.array(v, dtype=object)[keep] for v in (data.sequences, data.folds))
    return X, y, family[keep]


@task
def folds() -> Task:
    """RNA, all families mixed, 250 molecules to train."""
    X, y, _ = rna()
    order = np.random.default_rng(0).permutation(len(X))
    a, b = order[:250], order[250:650]
    return Task(FoldingSVM(max_iter=15), X[a], y[a], X[b], y[b])


@task
def families() -> Task:
    """RNA, tRNA left out; whole families are held out to find C."""
    X, y, family = rna()
    rng = np.random.default_rng(0)
    a = rng.permutation(np.flatnonzero(family != "tRNA"))[:250]
    b = rng.permutation(np.flatnonzero(family == "tRNA"))[:300]
    return Task(
        FoldingSVM(max_iter=15), X[a], y[a], X[b], y[b], auto={"groups": family[a]}
    )


@task
def segments() -> Task:
    """CoNLL-2000 chunks as segments, 600 sentences to train."""
    from pystruct_ext.outputs.segments import segments_from_labels

    folder = data_folder("conll2000")
    out = []
    for part, count in (("train", 600), ("test", 800)):
        table = read_conll(folder / f"{part}.txt")
        words, tags, labels = (table.column(k)[:count] for k in (0, 1, 2))
        X = []
        for form, tag in zip(words, tags, strict=True):
            w, t = ["<s>", *form, "</s>"], ["<s>", *tag, "</s>"]
            X.append(
                [
                    [f"w{d}={w[k + d].lower()}" for d in (-1, 0, 1)]
                    + [f"t{d}={t[k + d]}" for d in (-1, 0, 1)]
                    + [f"s={form[k - 1][-3:]}"]
                    for k in range(1, len(form) + 1)
                ]
            )
        y = [segments_from_labels([v[2:] or "O" for v in one]) for one in labels]
        out += [X, y]
    return Task(SegmentSVM(max_length=30), *out)


@task
def words() -> Task:
    """Hansards, 300 sentence pairs to train."""
    from pystruct_ext.io import read_word_alignments
    from pystruct_ext.word_alignment import AlignmentFeatures

    folder = data_folder("word-alignment-en-fr-hansards")
    train = read_word_alignments(folder / "train.jsonl.gz")
    test = read_word_alignments(folder / "valid.jsonl.gz")
    train = train.take(range(min(300, len(train))))
    features = AlignmentFeatures(second_look=False)
    X = features.fit_transform(train.pairs, train.links, unlabelled=test.pairs)
    model = MatchingSVM(excess="drop", miss_cost=1.3)
    return Task(model, X, train.links, features.transform(test.pairs), test.links)


@task
def proteins() -> Task:
    """CB513, three states of 250 chains."""
    from folding import windows

    path = data_folder("protein-ss-cb513") / "cb513.tsv"
    rows = list(csv.DictReader(path.open(), delimiter="\t"))
    order = np.random.default_rng(0).permutation(len(rows))
    parts: list[Any] = []
    for index in (order[:250], order[250:]):
        parts.append([windows(rows[i]["sequence"]) for i in index])
        parts.append([list(rows[i]["dssp3"]) for i in index])
    return Task(SequenceSVM(max_iter=30), *parts)


@task
def scenes() -> Task:
    """Scene, label sets."""
    from structures_multilabel import load

    X, y, Xt, yt = load("scene")
    return Task(MultilabelSVM(), X, y, Xt, yt)


@task
def snakes() -> Task:
    """Snakes as grid graphs."""
    from structures_graph import grid_graph, windows
    from structures_graph import snakes as images_of

    parts: list[Any] = []
    for part, count in (("train", 100), ("test", 100)):
        images, y = images_of(part)
        cells = np.concatenate([i.ravel() for i in images])
        background = int(np.bincount(cells).argmax())
        parts.append(
            [grid_graph(windows(i, background), ends=True) for i in images[:count]]
        )
        parts.append(y[:count])
    return Task(GraphSVM(tol=0.02, max_time=20.0), *parts)


@task
def citations() -> Task:
    """Cora, blocks of two folds to train, the third to test."""
    from structures_clustering import (
        Citations,
        PairGraph,
        split_into_blocks,
        standardised,
    )

    data = Citations(titles_only=True)
    features = standardised(data.pair_features((0, 1, 2)), (0, 1))
    graphs = [
        PairGraph.complete(len(y), f) for y, f in zip(data.truth, features, strict=True)
    ]
    X, y = split_into_blocks(graphs[:2], data.truth[:2], random_state=0)
    Xt, yt = split_into_blocks(graphs[2:], data.truth[2:], random_state=0)
    return Task(ClusteringSVM(tol=0.02, max_time=60.0), X, y, Xt, yt)


def fitted(model: Any, t: Task, **more: Any) -> tuple[Any, float, float]:
    """Model, CPU seconds of its fit, and its test score in points."""
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(t.X, t.y, **t.fit, **more)
        seconds = time.process_time() - began
        score = model.score(t.X_test, t.y_test, **t.score)
    return model, seconds, 100 * float(score)


def run(name: str, quick: bool) -> dict[str, Any]:
    """One task."""
    t = TASKS[name]()
    auto, seconds, score = fitted(clone(t.model).set_params(C="auto"), t, **t.auto)
    print(f"\n{name}: {TASKS[name].__doc__}\n{auto.C_path_!r}", flush=True)
    steps = range(-2, 3) if quick else range(-4, 5)
    width = 2 if quick else 4
    own = BEFORE[type(t.model)]
    values = {own, auto.C_, *(auto.C_ * 10 ** (k / width) for k in steps)}
    grid = {}
    for C in sorted(values):
        # Folds of RNA are weighed by their families at a fixed C, too.
        more = t.auto if isinstance(t.model, FoldingSVM) else {}
        _, s, v = fitted(clone(t.model).set_params(C=C), t, **more)
        grid[C] = v, s
        print(f"  C = {C:<9.4g} {v:7.2f}  {s:7.2f} s", flush=True)
    best = max(grid, key=lambda C: grid[C][0])
    path = {k: v.tolist() for k, v in auto.C_path_.columns.items()}
    row = {
        "task": name,
        "auto": score,
        "C": auto.C_,
        "auto s": seconds,
        "fits": seconds / grid[auto.C_][1],
        "before": grid[own][0],
        "C before": own,
        "before s": grid[own][1],
        "oracle": grid[best][0],
        "C oracle": best,
        "oracle s": grid[best][1],
        "auto - oracle": score - grid[best][0],
        "auto - before": score - grid[own][0],
    }
    folder = ROOT / "benchmark-output"
    folder.mkdir(exist_ok=True)
    stored = {
        "row": row,
        "path": path,
        "grid": [[C, *v] for C, v in sorted(grid.items())],
    }
    (folder / f"auto_c_{name}.json").write_text(json.dumps(stored, indent=1) + "\n")
    return row


def main() -> None:
    """Run tasks one by one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--quick", action="store_true", help="a grid of five values")
    args = parser.parse_args()
    rows = [run(name, args.quick) for name in args.task]
    show_table("Test scores in points, CPU seconds", rows)


if __name__ == "__main__":
    main()
