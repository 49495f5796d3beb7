"""RNA folding: speed, energies, learning to fold; protein secondary structure.

    python benchmarks/folding.py [--quick]

RNA: ArchiveII without repeated sequences. A family is held out whole, others train, and C is
chosen on other families left out; ViennaRNA folds the same sequences. A random split (C from
a fifth of its training sequences) is shown beside it: it is optimistic, since families have
near-duplicates. Protein: CB513, a fifth of the chains tested; windows of residues, no profiles.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import numpy as np
from _common import data_folder, show_table, timed

from pystruct_ext import FoldingSVM, SegmentSVM, SequenceSVM
from pystruct_ext.io import read_folds
from pystruct_ext.metrics import base_pair_report, q_score, segment_overlap
from pystruct_ext.outputs.segments import segments_from_labels, segments_to_labels
from pystruct_ext.solvers import Perceptron
from pystruct_ext.spaces import FoldingSpace

LONGEST = (
    250  # of training sequences: quadratic tables, and long ones are hard to learn from
)


def speed(RNA):
    rng = np.random.default_rng(0)
    space = FoldingSpace().fit_domain([])
    w = space.energy_weights()
    w[:-1] = rng.normal(size=len(w) - 1) * 0.1
    rows = []
    for n in (50, 100, 200, 400):
        X = ["".join(rng.choice(list("ACGU"), size=n)) for _ in range(20)]
        packed = space.pack(X)
        oracle = space.bind(packed)
        ours, _ = timed(lambda o=oracle: o.decode_flat(w, None, 1), 5)
        row = {"bases": n, "ms per fold": 1e3 * ours / len(X)}
        if RNA:
            theirs, _ = timed(lambda x=X: [RNA.fold(s) for s in x], 3)
            row["ViennaRNA ms"] = 1e3 * theirs / len(X)
            row["ours / ViennaRNA"] = ours / theirs
        rows.append(row)
    show_table("One best fold, one thread", rows)


def energies(RNA):
    """Least energy alone against ViennaRNA, by family, and whether the energies are equal."""
    data = read_folds(data_folder("rna-archiveii") / "structures.csv.gz")
    family = np.array(data.columns["family"])
    fresh = np.array(data.columns["duplicate_sequence"]) == "0"
    short = np.array([len(x) <= 1000 for x in data.sequences])
    space = FoldingSpace().fit_domain([])
    w = space.energy_weights()
    rows = []
    for name in np.unique(family):
        chosen = np.flatnonzero(fresh & short & (family == name))[:400]
        if not len(chosen):
            continue
        X, y = ([v[i] for i in chosen] for v in (data.sequences, data.folds))
        ours, folds = timed(lambda x=X: space.decode_batch(w, x))
        row = {
            "family": f"{name} ({len(X)})",
            "F1": 100 * base_pair_report(y, folds).f1,
            "s": ours,
        }
        if RNA:
            began = time.perf_counter()
            theirs = [RNA.fold(x) for x in X]
            row["ViennaRNA F1"] = 100 * base_pair_report(y, [f for f, _ in theirs]).f1
            row["ViennaRNA s"] = time.perf_counter() - began
            row["least energies that differ"] = sum(
                round(100 * space.energy(x, f)) != round(100 * e)
                for x, f, (_, e) in zip(X, folds, theirs, strict=True)
            )
        rows.append(row)
    show_table(
        "Energies alone, ArchiveII up to 1,000 bases, at most 400 a family", rows
    )


def train(X, y, C, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FoldingSVM(C=C, max_iter=15, **params).fit(X, y)


def learn(RNA, quick):
    data = read_folds(data_folder("rna-archiveii") / "structures.csv.gz")
    family = np.array(data.columns["family"])
    fresh = np.array(data.columns["duplicate_sequence"]) == "0"
    short = np.array([len(x) <= LONGEST for x in data.sequences])
    fold = np.array(data.columns["test_fold"])
    X = np.array(data.sequences, dtype=object)
    Y = np.array(data.folds, dtype=object)
    rng = np.random.default_rng(0)
    splits = {f"family {f}": fresh & (family == f) for f in ("5s", "srp", "tRNA")}
    splits["random fold 0"] = (
        fresh & (fold == "0") & np.isin(family, ("5s", "srp", "tRNA"))
    )
    rows = []
    for name, test in splits.items():
        test = np.flatnonzero(test)
        test = rng.permutation(test)[:400]
        pool = fresh & short
        if name.startswith("family"):
            pool &= family != name.split()[1]
        else:
            pool &= fold != "0"
        pool = rng.permutation(np.flatnonzero(pool))
        if name.startswith("family"):
            # What must carry over to new families is chosen on families left out, too.
            known = [f for f in ("5s", "srp", "tRNA") if f != name.split()[1]]
            parts = [(pool[family[pool] == f], pool[family[pool] != f]) for f in known]
        else:
            parts = [(pool[: len(pool) // 5], pool[len(pool) // 5 :])]
        best = (-1.0, 0.0)
        for C in (0.001,) if quick else (0.0003, 0.001, 0.003, 0.01):
            scores = [train(X[b], Y[b], C).score(X[a], Y[a]) for a, b in parts]
            best = max(best, (float(np.mean(scores)), C))
        C = best[1]
        began = time.perf_counter()
        model = train(X[pool], Y[pool], C)
        seconds = time.perf_counter() - began
        energy = model.space_.decode_batch(model.space_.energy_weights(), X[test])
        learners = {
            f"FoldingSVM C={C:g}": (
                model.predict(X[test]),
                seconds,
                model.relative_gap_,
            ),
            "same kernel, energies only": (energy, 0.0, None),
        }
        for label, solver in (
            ("averaged perceptron", "perceptron"),
            ("MIRA", Perceptron(variant="mira")),
        ):
            if quick:
                continue
            began = time.perf_counter()
            other = train(X[pool], Y[pool], C, solver=solver)
            seconds = time.perf_counter() - began
            learners[label] = (other.predict(X[test]), seconds, None)
        if RNA:
            learners["ViennaRNA"] = ([RNA.fold(x)[0] for x in X[test]], None, None)
        for label, (predicted, seconds, gap) in learners.items():
            report = base_pair_report(Y[test], predicted)
            slip = base_pair_report(Y[test], predicted, slip=1)
            rows.append(
                {
                    "test": f"{name} ({len(test)})",
                    "model": label,
                    "train s": seconds,
                    "gap %": None if gap is None else 100 * gap,
                    "sensitivity": 100 * report.sensitivity,
                    "PPV": 100 * report.ppv,
                    "F1": 100 * report.f1,
                    "F1, shift 1": 100 * slip.f1,
                }
            )
    show_table("Folding, ArchiveII", rows)


def windows(sequence, k=7):
    """Names of the residues around each position."""
    padded = "-" * k + sequence + "-" * k
    out = []
    for t in range(len(sequence)):
        names = [f"{d}{padded[t + d]}" for d in range(2 * k + 1)]
        names += [f"p{padded[t + k - 1 : t + k + 1]}", f"n{padded[t + k : t + k + 2]}"]
        names += [f"i{d}{padded[t + k]}{padded[t + k + d]}" for d in (2, 3, 4)]
        out.append(names)
    return out


def protein(quick):
    path = data_folder("protein-ss-cb513") / "cb513.tsv"
    rows_in = [line.split("\t") for line in path.read_text().splitlines()]
    index = {c: k for k, c in enumerate(rows_in[0])}
    chains = rows_in[1:]
    order = np.random.default_rng(0).permutation(len(chains))
    test = {int(k) for k in order[: len(chains) // 5]}
    rows = []
    for states, column in ((3, "dssp3"), (8, "dssp8")):
        data = {"train": ([], []), "test": ([], [])}
        masks = []
        for k, chain in enumerate(chains):
            part = "test" if k in test else "train"
            data[part][0].append(windows(chain[index["sequence"]]))
            data[part][1].append(chain[index[column]])
            if part == "test":
                masks.append(chain[index["eval_mask"]])
        X, y = data["train"]
        Xt, yt = data["test"]
        segments = [segments_from_labels(s) for s in y]
        fitted = {
            "SequenceSVM": (SequenceSVM(C=0.01, max_iter=30), [list(s) for s in y]),
            "averaged perceptron": (
                SequenceSVM(solver="perceptron", max_iter=10),
                [list(s) for s in y],
            ),
            "MIRA": (
                SequenceSVM(solver=Perceptron(variant="mira"), max_iter=10),
                [list(s) for s in y],
            ),
            "SegmentSVM": (SegmentSVM(C=0.01, max_iter=30, max_length=30), None),
        }
        for name, (model, target) in fitted.items():
            if quick and name in ("MIRA", "averaged perceptron"):
                continue
            if target is None:
                # Longer segments are cut: two neighbours may have one label.
                target = [
                    [
                        (s, min(s + 30, b), label)
                        for a, b, label in one
                        for s in range(a, b, 30)
                    ]
                    for one in segments
                ]
            began = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X, target)
            seconds = time.perf_counter() - began
            predicted = model.predict(Xt)
            if name == "SegmentSVM":
                predicted = [segments_to_labels(p) for p in predicted]
            masked = [
                [c for c, m in zip(s, mask, strict=True) if m == "1"]
                for s, mask in zip(yt, masks, strict=True)
            ]
            kept = [
                [c for c, m in zip(s, mask, strict=True) if m == "1"]
                for s, mask in zip(predicted, masks, strict=True)
            ]
            rows.append(
                {
                    "states": states,
                    "model": name,
                    "train s": seconds,
                    "gap %": 100 * model.relative_gap_,
                    "Q3 or Q8": 100 * q_score(masked, kept)["all"],
                    "SOV": 100 * segment_overlap(masked, kept)["all"],
                }
            )
    show_table("Protein secondary structure, CB513, a fifth of the chains", rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one C, no baselines")
    args = parser.parse_args()
    try:
        import RNA
    except ImportError:
        RNA = None
        print("ViennaRNA is not installed: left out")
    speed(RNA)
    energies(RNA)
    learn(RNA, args.quick)
    protein(args.quick)


if __name__ == "__main__":
    sys.exit(main())
