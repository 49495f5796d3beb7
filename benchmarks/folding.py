"""RNA folding: speed, energies, learning to fold; protein secondary structure.

    python benchmarks/folding.py [--quick] [--families tRNA 5s ...]

RNA: ArchiveII up to 400 bases, no repeated sequences. A family is left out whole, up to 200 of
each other family train, with the defaults of FoldingSVM and groups=families; ViennaRNA folds
the same sequences. True pairs that cross others are left out of truths. Protein: CB513, a
fifth of the chains tested; windows of residues, no profiles.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import warnings

import numpy as np
from _common import data_folder, show_table, timed

from pystruct_ext import FoldingSVM, SegmentSVM, SequenceSVM
from pystruct_ext.io import read_folds
from pystruct_ext.metrics import base_pair_report, q_score, segment_overlap
from pystruct_ext.outputs.dot_bracket import pairs_of
from pystruct_ext.outputs.segments import segments_from_labels, segments_to_labels
from pystruct_ext.solvers import Perceptron
from pystruct_ext.spaces import FoldingSpace

LONGEST = 400  # bases of a molecule: tables are quadratic, marginals dearer
FAMILIES = ("5s", "srp", "tRNA", "RNaseP", "grp1", "16s", "23s")


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


def nested(fold):
    """The fold without pairs that cross others: ArchiveII marks them by <> and {}."""
    return re.sub(r"[<>{}\[\]]", ".", fold)


def pair_counts(true, predicted):
    """(right, predicted, true) pairs of every molecule."""
    out = []
    for y, z in zip(true, predicted, strict=True):
        a, b = set(pairs_of(y, "y")), set(pairs_of(z, "z"))
        out.append((len(a & b), len(b), len(a)))
    return np.array(out, dtype=float)


def f1_of(counts):
    right, predicted, true = counts.sum(axis=0)
    return 100 * 2 * right / max(predicted + true, 1)


def bootstrap_error(counts, others=None, draws=500):
    """Standard error of F1, or of its difference to another, over molecules."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        k = rng.integers(len(counts), size=len(counts))
        found.append(f1_of(counts[k]) - (0 if others is None else f1_of(others[k])))
    return float(np.std(found))


class Drawn(FoldingSVM):
    """Drawn to zero, counts of features as they are, costs 0.1 and 1."""

    def __init__(self, C):
        super().__init__(C, scales=None, false_cost=0.1, max_iter=15)

    def _prior_weights(self, space):
        return None


class Families:
    """ArchiveII without repeated sequences, by family."""

    def __init__(self):
        data = read_folds(data_folder("rna-archiveii") / "structures.csv.gz")
        self.family = np.array(data.columns["family"])
        self.fresh = np.array(data.columns["duplicate_sequence"]) == "0"
        self.X = np.array(data.sequences, dtype=object)
        self.y = np.array([nested(y) for y in data.folds], dtype=object)
        self.length = np.array([len(x) for x in self.X])

    def some(self, family, most, longest, seed):
        """Positions of up to so many molecules of a family."""
        of = self.fresh & (self.family == family) & (self.length <= longest)
        return np.random.default_rng(seed).permutation(np.flatnonzero(of))[:most]

    def split(self, out, quick):
        """Training molecules of all other families, and those of the one left out."""
        most, longest = (60, 250) if quick else (200, LONGEST)
        train = np.concatenate(
            [self.some(f, most, longest, 0) for f in FAMILIES if f != out]
        )
        return train, self.some(out, 60 if quick else len(self.X), LONGEST, 7)


def fitted(model, X, y, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(list(X), list(y), **more)


def left_out(RNA, quick, families):
    data = Families()
    rows = []
    for name in families:
        train, test = data.split(name, quick)
        X, y = list(data.X[test]), list(data.y[test])
        groups = list(data.family[train])
        began = time.process_time()
        model = fitted(FoldingSVM(), data.X[train], data.y[train], groups=groups)
        seconds = time.process_time() - began
        space, packed = model.space_, model.space_.pack(X)
        known = space.energy_weights()
        answers = {}
        if RNA:
            answers["ViennaRNA, best"] = [RNA.fold(x)[0] for x in X]
        if RNA:
            found = []
            for x in X:
                fold = RNA.fold_compound(x)
                fold.exp_params_rescale(fold.mfe()[1])
                fold.pf()
                found.append(fold.MEA(1.0)[0])
            answers["ViennaRNA, mea"] = found
        answers["energies alone, best"] = space.decode_packed(known, packed)
        answers["energies alone, mea"] = space.decode_mea(known, packed)
        answers["FoldingSVM(), best"] = model.predict(X, decode="best")
        answers["FoldingSVM(), mea (default)"] = model.predict(X)
        base = None
        for label, predicted in answers.items():
            counts = pair_counts(y, predicted)
            base = counts if base is None else base
            report = base_pair_report(y, predicted)
            rows.append(
                {
                    "left out": f"{name} ({len(test)} of {len(train)} trained)",
                    "model": label,
                    "F1": 100 * report.f1,
                    "s.e.": bootstrap_error(counts),
                    "against the first": 100 * report.f1 - f1_of(base),
                    "s.e. of it": bootstrap_error(counts, base),
                    "sensitivity": 100 * report.sensitivity,
                    "PPV": 100 * report.ppv,
                    "train cpu s": seconds if "SVM" in label else None,
                    "gap %": 100 * model.relative_gap_ if "SVM" in label else None,
                }
            )
        show_table(f"Folding, {name} left out whole, defaults", rows[-len(answers) :])
    if len(families) > 1:
        show_table("Folding, ArchiveII, families left out whole, defaults", rows)


def c_curve(quick, names=("5s", "tRNA")):
    """F1 by C on families left out, and without prior weights and scales."""
    data = Families()
    for name in names[: 1 if quick else None]:
        train, test = data.split(name, True)
        X, y = list(data.X[test]), list(data.y[test])
        groups = list(data.family[train])
        rows = []
        for C in (1e-9, 1e-7, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)[:: 2 if quick else 1]:
            row = {"C": C}
            before = fitted(Drawn(C), data.X[train], data.y[train])
            now = fitted(
                FoldingSVM(C, max_iter=30), data.X[train], data.y[train], groups=groups
            )
            for label, model, decode in (
                ("drawn to 0, no scales", before, "best"),
                ("best", now, "best"),
                ("defaults", now, "auto"),
            ):
                counts = pair_counts(y, model.predict(X, decode=decode))
                row |= {label: f1_of(counts), f"s.e. {label}": bootstrap_error(counts)}
            row["gap %"] = 100 * now.relative_gap_
            rows.append(row)
        show_table(
            f"F1 by C, {name} left out ({len(test)} of {len(train)} trained)", rows
        )


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
    parser.add_argument("--quick", action="store_true", help="few molecules")
    parser.add_argument("--families", nargs="*", default=FAMILIES, choices=FAMILIES)
    parser.add_argument(
        "--only", choices=("speed", "energies", "families", "curve", "protein")
    )
    args = parser.parse_args()
    try:
        import RNA
    except ImportError:
        RNA = None
        print("ViennaRNA is not installed: left out")
    parts = {
        "speed": lambda: speed(RNA),
        "energies": lambda: energies(RNA),
        "families": lambda: left_out(RNA, args.quick, args.families),
        "curve": lambda: c_curve(args.quick),
        "protein": lambda: protein(args.quick),
    }
    for name, part in parts.items():
        if args.only in (None, name):
            part()


if __name__ == "__main__":
    sys.exit(main())
