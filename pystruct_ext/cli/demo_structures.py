"""The part of the demonstration about trees and folds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pystruct_ext.datasets import make_folds, make_treebank
from pystruct_ext.estimators import DependencySVM, FoldingSVM
from pystruct_ext.metrics import attachment_report, base_pair_report

_QUESTIONS = (
    "Ada ate the pizza with a fork .",
    "Ada ate the pizza with the cheese .",
)
_TAGS = ["NNP", "VBD", "DT", "NN", "IN", "DT", "NN", "."]


def run() -> dict[str, Any]:
    """Parse and fold generated data, and say what was learnt; what the pictures need."""
    out = sys.stdout.write
    bank = make_treebank(300)
    X, y = bank.sentences, bank.dependencies
    parser = DependencySVM(C=0.1, bits=15, label_bits=9).fit(X[:200], y[:200])
    report = attachment_report(y[200:], parser.predict(X[200:]))
    out('Where does "with" belong? The tags are the same, the words decide\n\n')
    sentences = [(text.split(), _TAGS) for text in _QUESTIONS]
    trees = parser.predict(sentences)
    for text, (forms, _), tree in zip(_QUESTIONS, sentences, trees, strict=True):
        head = tree.heads[6] - 1
        out(f"  {text:38} {forms[6]} belongs to {forms[head]!r}\n")
    out(
        f"\nDependencySVM: UAS {100 * report.uas:.1f} % on new sentences, gap "
        f"{100 * parser.relative_gap_:.2f} %\n\n"
    )

    sequences, folds = make_folds(160)
    model = FoldingSVM(C="auto").fit(sequences[:120], folds[:120])
    test = slice(120, 160)
    learned = base_pair_report(folds[test], model.predict(sequences[test]))
    space = model.space_
    energies = space.decode_batch(space.energy_weights(), sequences[test])
    alone = base_pair_report(folds[test], energies)
    found = model.predict(sequences[120:121])[0]
    out(f"A fold\n\n  {sequences[120]}\n  {found}\n  {folds[120]} truth\n\n")
    out(
        f"FoldingSVM, C = {model.C_:g} from the data: F1 of base pairs "
        f"{100 * learned.f1:.1f} %, energies alone {100 * alone.f1:.1f} %\n\n"
    )
    return {
        "sentence": sentences[0],
        "tree": trees[0],
        "sequence": sequences[120],
        "fold": found,
        "true_fold": folds[120],
    }


def pictures(folder: Path, found: dict[str, Any]) -> None:
    """Write ``parse.png`` and ``fold.png``."""
    from pystruct_ext.plotting import DependencyDisplay, FoldingDisplay

    displays: dict[str, Any] = {
        "parse.png": DependencyDisplay(found["sentence"], found["tree"]),
        "fold.png": FoldingDisplay(
            found["sequence"], found["fold"], found["true_fold"]
        ),
    }
    for name, display in displays.items():
        display.plot().figure_.savefig(folder / name, dpi=110, bbox_inches="tight")
        sys.stdout.write(f"picture: {folder / name}\n")
