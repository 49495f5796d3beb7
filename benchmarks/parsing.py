"""Parsing: decodes per second against peers, and training on treebanks.

    python benchmarks/parsing.py [--quick] [--no-training] [--constituency]
    python benchmarks/parsing.py --dependency ewt --learners "^SVM" "second order: SVM"

Decoders get scores; one thread each. Training is compared with the averaged perceptron and
MIRA on the same features; every C and number of epochs is chosen on the development part.
Peers that are not installed are left out with a word.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import warnings

import numpy as np
from _common import data_folder, show_table, timed

from pystruct_ext import ConstituencySVM, DependencySVM
from pystruct_ext.io import read_brackets, read_conllu
from pystruct_ext.metrics import attachment_report, bracket_report
from pystruct_ext.solvers import BCFW, Perceptron
from pystruct_ext.spaces import ConstituencySpace
from pystruct_ext.spaces._kernels import decoders as _decoders
from pystruct_ext.spaces.decoders import best_dependencies, best_spans


def rate(function, n_items, seconds=1.0):
    """Items per second, the median of at least three calls within about `seconds`."""
    function()
    one, _ = timed(function)
    repeat = max(3, min(50, int(seconds / max(one, 1e-6))))
    median, _ = timed(function, repeat)
    return n_items / median


def decoders(quick):
    rng = np.random.default_rng(0)
    rows = []
    try:
        import torch
        import torch_struct

        torch.set_num_threads(1)
    except ImportError:
        torch = None
        print("torch-struct is not installed: left out")
    try:
        from ufal.chu_liu_edmonds import chu_liu_edmonds
    except ImportError:
        chu_liu_edmonds = None
        print("ufal.chu_liu_edmonds is not installed: left out")
    import networkx as nx

    for n in (10, 20, 40) if quick else (10, 20, 40, 80):
        batch = 64
        scores = rng.normal(size=(batch, n + 1, n)).astype(np.float32)
        row = {"n": n}
        row["Eisner /s"] = rate(lambda s=scores: best_dependencies(s), batch)
        # torch-struct: [b, head, modifier], the root's scores on the diagonal.
        if torch:
            potentials = torch.tensor(scores[:, 1:])
            for b in range(batch):
                potentials[b].diagonal().copy_(torch.tensor(scores[b, 0]))

            def torch_eisner(p=potentials):
                # Their in-place masking needs a tensor that is not a leaf.
                leaf = p.detach().requires_grad_()
                return torch_struct.DependencyCRF(leaf + 0, multiroot=False).argmax

            row["torch-struct Eisner /s"] = rate(torch_eisner, batch)
            row["Eisner ratio"] = row["Eisner /s"] / row["torch-struct Eisner /s"]
            found = torch_eisner()
            value = float((found * potentials).sum())
            ours = float(best_dependencies(scores)[1].sum())
            row["same value"] = abs(value - ours) < 1e-3 * abs(ours)
        row["CLE /s"] = rate(lambda s=scores: best_dependencies(s, False), batch)
        row["CLE, any roots /s"] = rate(
            lambda s=scores: best_dependencies(s, False, False), batch
        )
        if chu_liu_edmonds:
            # Their matrix is [modifier, head] with the root in front.
            full = np.zeros((batch, n + 1, n + 1))
            full[:, 1:] = scores.transpose(0, 2, 1)
            full[:, 0] = np.nan

            def ufal(f=full):
                return [chu_liu_edmonds(m) for m in f]

            row["ufal /s"] = rate(ufal, batch)
            row["CLE ratio"] = row["CLE, any roots /s"] / row["ufal /s"]
            theirs = sum(score for _, score in ufal())
            mine = float(best_dependencies(scores, False, False)[1].sum())
            row["same value "] = abs(theirs - mine) < 1e-3 * abs(mine)
        if n <= 40:
            graph = nx.DiGraph()
            for h in range(n + 1):
                for m in range(1, n + 1):
                    if h != m:
                        graph.add_edge(h, m, weight=float(scores[0, h, m - 1]))
            row["networkx /s"] = rate(
                lambda g=graph: nx.maximum_spanning_arborescence(g), 1, 0.5
            )
        rows.append(row)
    show_table("Dependency decoders, scores given, trees per second", rows)

    rows = []
    for n, labels in ((20, 1), (40, 1), (20, 20), (40, 20)):
        batch = 64
        scores = rng.normal(size=(batch, n + 1, n + 1, labels)).astype(np.float32)
        row = {"n": n, "labels": labels}
        # Lists of Python tuples cost as much as the parse: both with and without them.
        row["spans, codes /s"] = rate(lambda s=scores: _decoders.spans(s), batch)
        row["spans, lists /s"] = rate(lambda s=scores: best_spans(s), batch)
        if torch:
            # [b, i, j, label] with inclusive ends.
            potentials = torch.tensor(np.ascontiguousarray(scores[:, :-1, 1:]))
            lengths = torch.full((batch,), n)

            def torch_cky(p=potentials, length=lengths):
                return torch_struct.TreeCRF(p, lengths=length).argmax

            row["torch-struct TreeCRF /s"] = rate(torch_cky, batch)
            row["ratio, codes"] = (
                row["spans, codes /s"] / row["torch-struct TreeCRF /s"]
            )
        rows.append(row)
    show_table("Labelled spans, scores given, trees per second", rows)


def fit(model, X, y, **params):
    model.set_params(**params)
    began = time.process_time()  # other work may run beside
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    return time.process_time() - began


SECOND_ORDER = {"siblings": True, "grandparents": True}
BASIC = {"features": "basic"}


def dependency(name, train, dev, test, quick, learners):
    labelled = bool(train.dependencies[0].labels)
    rows = []

    def quality(model, bank):
        report = attachment_report(bank.dependencies, model.predict(bank.sentences))
        return report.las if labelled else report.uas, report

    mira = Perceptron(variant="mira")
    epochs = "max_iter", (3, 5, 10)
    svm = {"solver": "bcfw", "max_iter": 20}
    settings = [
        ("SVM", svm, "C", (0.01, 0.03)),
        ("averaged perceptron", {"solver": "perceptron"}, *epochs),
        ("MIRA", {"solver": mira}, *epochs),
        ("non-projective: SVM", {**svm, "projective": False}, "C", (0.01, 0.03)),
        ("basic: SVM", {**svm, **BASIC}, "C", (0.01, 0.03, 0.1)),
        ("basic: averaged perceptron", {"solver": "perceptron", **BASIC}, *epochs),
        ("basic: MIRA", {"solver": mira, **BASIC}, *epochs),
        ("basic, siblings: SVM", {**svm, **BASIC, "siblings": True}, "C", (0.01, 0.03)),
    ]
    second = {**SECOND_ORDER, "max_iter": 8}
    few = "max_iter", (3, 5)
    settings += [
        ("second order: SVM", {"solver": "bcfw", **second}, "C", (0.01, 0.03)),
        (
            "second order: averaged perceptron",
            {"solver": "perceptron", **SECOND_ORDER},
            *few,
        ),
        ("second order: MIRA", {"solver": mira, **SECOND_ORDER}, *few),
    ]
    for label, fixed, key, values in settings:
        if not any(re.search(wanted, label) for wanted in learners):
            continue
        best = None
        for value in values[1:2] if quick else values:
            model = DependencySVM(labelled=labelled, **fixed)
            seconds = fit(model, train.sentences, train.dependencies, **{key: value})
            score, _ = quality(model, dev)
            print(
                f"  {name}: {label} {key}={value}: {seconds:.1f} s, dev {score:.4f}",
                flush=True,
            )
            if best is None or score > best[0]:
                best = score, value, seconds, model
        _, value, seconds, model = best
        began = time.process_time()
        _, report = quality(model, test)
        rows.append(
            {
                "learner": label,
                "setting": f"{key}={value}",
                "train s": seconds,
                "gap %": 100 * model.relative_gap_,
                "UAS": 100 * report.uas,
                "LAS": 100 * report.las,
                "words/s": test.n_words / (time.process_time() - began),
            }
        )
        print(rows[-1], flush=True)
    show_table(f"Dependency parsing, {name}, test part, gold tags", rows)


def constituency(quick):
    folder = data_folder("treebank-constituency")
    splits = json.loads((folder / "splits.json").read_text())
    banks = {
        part: read_brackets([folder / "mrg" / f for f in files])
        for part, files in splits.items()
    }
    train = [t for t in banks["train"] if len(t.words()) <= 150]
    X = [t.sentence() for t in train]

    def quality(predict, part):
        trees = banks[part]
        return bracket_report(trees, predict([t.sentence() for t in trees]))

    rows = []
    pcfg = ConstituencySpace(model="grammar", span_features=False)
    began = time.perf_counter()
    w = pcfg.pcfg_weights(pcfg.fit_pack(X, train))
    seconds = time.perf_counter() - began
    report = quality(lambda x: pcfg.decode_batch(w, x), "test")
    rows.append(
        row_of("treebank PCFG, relative frequencies", "", seconds, None, report)
    )
    averaged, mira = BCFW(average=True), Perceptron(variant="mira")
    basic = {"features": "basic"}
    grammar = {"model": "grammar", "solver": averaged}
    settings = [
        ("spans, SVM", {"solver": averaged, "max_iter": 10}, "C", (0.1, 0.2)),
        ("spans, averaged perceptron", {"solver": "perceptron"}, "max_iter", (5, 10)),
        ("spans, MIRA", {"solver": mira}, "max_iter", (5, 10)),
        ("grammar and spans, SVM", {**grammar, "max_iter": 6}, "C", (0.1,)),
        ("basic spans, SVM", {**basic, "max_iter": 30}, "C", (0.03, 0.1, 0.3)),
        (
            "basic spans, averaged perceptron",
            {**basic, "solver": "perceptron"},
            "max_iter",
            (5, 10),
        ),
        ("basic spans, MIRA", {**basic, "solver": mira}, "max_iter", (5, 10)),
        (
            "basic grammar and spans, SVM",
            {**basic, "model": "grammar", "max_iter": 10},
            "C",
            (0.03, 0.1),
        ),
        (
            "grammar rules only, SVM",
            {"model": "grammar", "span_features": False, "max_iter": 10},
            "C",
            (1.0,),
        ),
    ]
    for label, fixed, key, values in settings:
        best = None
        for value in values[:1] if quick else values:
            model = ConstituencySVM(**fixed)
            seconds = fit(model, X, train, **{key: value})
            score = quality(model.predict, "dev").f1
            print(f"  {label} {key}={value}: {seconds:.1f} s, dev F1 {score:.4f}")
            if best is None or score > best[0]:
                best = score, value, seconds, model
        _, value, seconds, model = best
        report = quality(model.predict, "test")
        gap = 100 * model.relative_gap_
        rows.append(row_of(label, f"{key}={value}", seconds, gap, report))
    show_table("Constituency parsing, treebank sample, test part, gold tags", rows)


def row_of(label, setting, seconds, gap, report):
    return {
        "model": label,
        "setting": setting,
        "train s": seconds,
        "gap %": gap,
        "precision": 100 * report.precision,
        "recall": 100 * report.recall,
        "F1": 100 * report.f1,
        "exact %": 100 * report.exact_match,
    }


def wsj():
    folder = data_folder("dependency-treebank-wsj")
    splits = json.loads((folder / "splits.json").read_text())
    banks = {}
    for part, files in splits.items():
        whole = None
        for file in files:
            bank = read_conllu(folder / "dp" / file)
            if whole is None:
                whole = bank
            else:
                whole.sentences += bank.sentences
                whole.dependencies += bank.dependencies
                whole.lines += bank.lines
        banks[part] = whole
    return banks["train"], banks["dev"], banks["test"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one setting per learner")
    parser.add_argument("--no-training", action="store_true")
    parser.add_argument("--constituency", action="store_true", help="this part only")
    parser.add_argument("--dependency", choices=("wsj", "ewt"), help="this part only")
    parser.add_argument(
        "--learners", nargs="+", default=[""], help="patterns of the rows, all"
    )
    args = parser.parse_args()
    if args.constituency:
        constituency(args.quick)
        return
    if args.dependency is None:
        decoders(args.quick)
        if args.no_training:
            return
        constituency(args.quick)
    if args.dependency != "ewt":
        dependency("WSJ sample", *wsj(), args.quick, args.learners)
    if args.dependency == "wsj":
        return
    folder = data_folder("ud-english-ewt")
    parts = [
        read_conllu(folder / f"en_ewt-ud-{p}.conllu.gz")
        for p in ("train", "dev", "test")
    ]
    dependency("UD English EWT", *parts, args.quick, args.learners)


if __name__ == "__main__":
    sys.exit(main())
