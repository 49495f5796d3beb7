"""One pass over what the package is for, timed: the workloads of `alternate.py`.

Each workload is the core of one of the benchmarks beside it, without rivals and without
searches for settings. It prints JSON lines: seconds, and the objective and the score that must
not change.

    python benchmarks/workloads.py [NAME ...]
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from itertools import pairwise

import numpy as np
from _common import data_folder

try:  # older versions kept the readers with the data sets
    from pystruct_ext import io as files
except ImportError:
    from pystruct_ext import datasets as files

from pystruct_ext import (
    ConstituencySVM,
    DependencySVM,
    FoldingSVM,
    PackedRows,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
)
from pystruct_ext.metrics import (
    attachment_report,
    base_pair_report,
    bracket_report,
    chunk_f1,
    ndcg,
)
from pystruct_ext.spaces import CodedLabels
from pystruct_ext.spaces.decoders import best_dependencies, best_spans
from pystruct_ext.spaces.ranking import PackedQueries, RankingSpace


def best_of(repeats, work):
    """Smallest seconds of some calls (what the machine can do), and the last result."""
    best, result = float("inf"), None
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - began)
    return best, result


def report(name, seconds, objective, score):
    """One line."""
    row = {"name": name, "seconds": seconds, "objective": objective, "score": score}
    print(json.dumps(row), flush=True)


def fitted(name, make, X, y, score, repeats=1, **more):
    """Fit and predict as two workloads."""
    seconds, model = best_of(repeats, lambda: make().fit(X, y, **more))
    found, value = score(model)
    report(f"{name}: fit", seconds, model.primal_objective_, value)
    return found


def sequence():
    """CoNLL-2000 chunking."""
    folder = data_folder("conll2000")
    train, test = (
        files.read_conll(next(folder.glob(f"*{part}*"))) for part in ("train", "test")
    )
    y = CodedLabels(*train.column_ids(-1))
    gold = test.column(-1)
    template = files.DEFAULT_TEMPLATE

    def score(model):
        seconds, predicted = best_of(3, lambda: model.predict(test))
        return seconds, chunk_f1(gold, predicted)

    seconds = fitted(
        "sequence",
        lambda: SequenceSVM(C=0.1, template=template, random_state=0),
        train,
        y,
        score,
        repeats=2,
    )
    report("sequence: predict", seconds, None, None)


def letters():
    """OCR letters, all certified solvers."""
    z = np.load(data_folder("ocr-letters") / "ocr_letters.npz")
    # Read once: every look-up in an archive reads its member again.
    off, fold, pixels, letter = (z[k] for k in ("offsets", "fold0", "pixels", "labels"))
    X = [pixels[a:b].astype(np.float64) for a, b in pairwise(off)]
    y = [letter[a:b].tolist() for a, b in pairwise(off)]
    rows = np.flatnonzero(fold == 1)
    X, y = [X[i] for i in rows], [y[i] for i in rows]
    for solver, epochs in (
        ("bcfw", 1000),
        ("n_slack", 15),
        ("one_slack", 60),
        ("subgradient", 30),
    ):
        seconds, model = best_of(
            3,
            lambda solver=solver, epochs=epochs: SequenceSVM(
                C=0.1,
                solver=solver,
                max_iter=epochs,
                random_state=None if solver == "one_slack" else 0,
            ).fit(X, y),
        )
        report(
            f"solvers: {solver}", seconds, model.primal_objective_, model.score(X, y)
        )


def ranking():
    """MQ2008, and a million documents."""
    folder = data_folder("letor-mq2008")
    data = files.read_letor(
        sorted(folder.rglob("*S1*"))[:1] or sorted(folder.rglob("*.txt*"))[:1]
    )
    for loss in ("ndcg", "map", "pairs"):
        seconds, model = best_of(
            5,
            lambda loss=loss: RankingSVM(loss=loss, C=10.0).fit(
                data.X, data.y, qid=data.qid
            ),
        )
        value = ndcg(data.y, model.predict(data.X), data.qid, 10)
        report(f"ranking: {loss}", seconds, model.primal_objective_, value)
    rng = np.random.default_rng(0)
    n, d = 200_000, 50
    X = rng.normal(size=(n, d))
    grades = np.clip(np.round(X[:, 0] + rng.normal(size=n)) + 2, 0, 4)
    space = RankingSpace("pairs")
    offsets = np.array([0, n], dtype=np.int64)
    packed = PackedQueries(PackedRows(offsets, None, None, X.reshape(-1), d), grades)
    space.fit_pack(packed)
    oracle = space.bind(packed)
    w = rng.normal(size=d)
    seconds, (_, _, hinge) = best_of(5, lambda: oracle.cut_sum(w))
    report("ranking: pass over 200,000 documents", seconds, hinge, None)


def parsing():
    """Dependencies and spans, a part of the treebanks; decoders for given scores."""
    folder = data_folder("ud-english-ewt")
    bank = files.read_conllu(next(folder.glob("*train*")))
    trees = getattr(bank, "dependencies", None) or bank.trees
    X, y = bank.sentences[:1500], trees[:1500]

    def score(model):
        seconds, predicted = best_of(2, lambda: model.predict(X))
        return seconds, attachment_report(y, predicted).las

    seconds = fitted(
        "parsing: dependencies",
        lambda: DependencySVM(
            C=0.03, features="basic", bits=20, max_iter=6, random_state=0
        ),
        X,
        y,
        score,
    )
    report("parsing: dependencies, predict", seconds, None, None)
    folder = data_folder("treebank-constituency")
    brackets = files.read_brackets(folder / "mrg")[:600]
    sentences = [t.sentence() for t in brackets]

    def score_spans(model):
        seconds, predicted = best_of(2, lambda: model.predict(sentences))
        return seconds, bracket_report(brackets, predicted).f1

    seconds = fitted(
        "parsing: spans",
        lambda: ConstituencySVM(C=0.1, features="basic", max_iter=6, random_state=0),
        sentences,
        brackets,
        score_spans,
    )
    report("parsing: spans, predict", seconds, None, None)
    rng = np.random.default_rng(0)
    arcs = rng.normal(size=(3000, 41, 40)).astype(np.float32)
    seconds, (_, values) = best_of(5, lambda: best_dependencies(arcs))
    report("parsing: 3,000 Eisner decodes", seconds, float(values.sum()), None)
    spans = rng.normal(size=(1500, 41, 41, 20)).astype(np.float32)
    seconds, found = best_of(5, lambda: best_spans(spans))
    report("parsing: 1,500 span decodes", seconds, float(found[1].sum()), None)


def folding():
    """RNA folds and protein segments."""
    folder = data_folder("rna-archiveii")
    path = next(
        p for p in sorted(folder.rglob("*")) if p.suffix in (".csv", ".gz", ".dbn")
    )
    read = getattr(files, "read_folds", None) or files.read_structures
    data = read(path)
    folds = getattr(data, "folds", None) or data.structures
    rng = np.random.default_rng(0)
    few = rng.permutation([i for i, s in enumerate(data.sequences) if len(s) <= 130])[
        :150
    ]
    X, y = [data.sequences[i] for i in few], [folds[i] for i in few]

    def score(model):
        seconds, predicted = best_of(3, lambda: model.predict(X))
        return seconds, base_pair_report(y, predicted).f1

    seconds = fitted(
        "folding",
        lambda: FoldingSVM(C=0.01, max_iter=8, random_state=0),
        X,
        y,
        score,
    )
    report("folding: predict", seconds, None, None)
    words = [rng.normal(size=(30, 40)) for _ in range(300)]
    cuts = [[(t, t + 3, str(rng.integers(3))) for t in range(0, 30, 3)] for _ in words]
    seconds, model = best_of(
        2,
        lambda: SegmentSVM(C=0.1, max_length=8, max_iter=10, random_state=0).fit(
            words, cuts
        ),
    )
    report("segments: fit", seconds, model.primal_objective_, None)


WORKLOADS = {f.__name__: f for f in (sequence, letters, ranking, parsing, folding)}


def main():
    """Run the named workloads, or all."""
    warnings.simplefilter("ignore")
    for name in sys.argv[1:] or WORKLOADS:
        WORKLOADS[name]()


if __name__ == "__main__":
    main()
