"""``pystruct-ext demo``: an ambiguous query, dates, a sentence, a fold: what structure adds."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from pystruct_ext.cli import demo_ranking, demo_structures
from pystruct_ext.datasets import digits_of, load_digit_sequences
from pystruct_ext.estimators import MulticlassSVM, SequenceSVM
from pystruct_ext.metrics import sentence_accuracy, token_accuracy

_C = 0.1


def register(commands: Any) -> None:
    """Add the subcommand to a parser."""
    p = commands.add_parser(
        "demo",
        help="rank an ambiguous query, read handwritten dates: what structure is worth",
        description="Learns to rank ambiguous queries, then to read scikit-learn's handwritten "
        "digits arranged as noisy dates (nothing is downloaded), compares structured with "
        "independent prediction, parses a sentence, folds a molecule, and writes pictures.",
    )
    p.add_argument(
        "--output", default="demo-output", metavar="DIR", help="for the pictures"
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, compare, show."""
    out = sys.stdout.write
    found = demo_ranking.run()
    data = load_digit_sequences("dates")
    n, m = len(data.X_train), len(data.X_test)
    out("Handwritten dates (DDMMYYYY), noisy images of scikit-learn's digits\n")
    out(f"{n} dates to learn from, {m} to read; train and test share no image\n\n")

    truth = [digits_of(y) for y in data.y_test]
    began = time.perf_counter()
    alone = MulticlassSVM(C=_C, max_time=20).fit(
        np.concatenate(data.X_train),
        np.concatenate([digits_of(y) for y in data.y_train]),
    )
    alone_seconds = time.perf_counter() - began
    read_alone = [alone.predict(x).tolist() for x in data.X_test]

    model = SequenceSVM(C=_C, tol=5e-3, max_time=30, verbose=int(sys.stderr.isatty()))
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(data.X_train, data.y_train)
    seconds = time.perf_counter() - began
    labels = model.predict(data.X_test)
    read = [digits_of(y) for y in labels]

    out(f"{'':34}{'digits right':>14}{'dates right':>14}{'seconds':>10}\n")
    for name, predicted, took in (
        ("each digit alone (MulticlassSVM)", read_alone, alone_seconds),
        ("the whole date (SequenceSVM)", read, seconds),
    ):
        digits = 100 * token_accuracy(truth, predicted)
        dates = 100 * sentence_accuracy(truth, predicted)
        out(f"{name:34}{digits:12.1f} %{dates:12.1f} %{took:10.1f}\n")
    out(
        f"\nSequenceSVM: {model.status_}, {model.n_iter_} epochs; primal "
        f"{model.primal_objective_:.4g}, dual {model.dual_objective_:.4g}: the objective is "
        f"within {100 * model.relative_gap_:.2f} % of its optimum, proven\n\n"
    )
    shown = _telling(truth, read_alone, read)
    for i in shown:
        out(f"  written {_date(truth[i])}   alone {_marked(truth[i], read_alone[i])}")
        out(f"   whole {_marked(truth[i], read[i])}\n")
    out("\n")
    found["structures"] = demo_structures.run()
    return _pictures(
        Path(args.output), data, model, read_alone, read, truth, shown, found
    )


def _telling(truth: list[Any], alone: list[Any], whole: list[Any]) -> list[int]:
    """Dates that the two read differently, and one that both get wrong."""
    rescued = [i for i, t in enumerate(truth) if whole[i] == t and alone[i] != t]
    lost = [i for i, t in enumerate(truth) if whole[i] != t]
    return rescued[:5] + lost[:1]


def _date(digits: Any) -> str:
    text: str = "".join(digits)
    return str(f"{text[:2]}.{text[2:4]}.{text[4:]}")


def _marked(truth: Any, digits: Any) -> str:
    """The date, with a ! behind it for every wrong digit."""
    wrong = sum(int(a != b) for a, b in zip(truth, digits, strict=True))
    return _date(digits) + (" " + "!" * wrong).ljust(5)


def _pictures(
    folder: Path,
    data: Any,
    model: SequenceSVM,
    read_alone: list[Any],
    read: list[Any],
    truth: list[Any],
    shown: list[int],
    found: dict[str, Any],
) -> int:
    try:
        import matplotlib as mpl
    except ImportError:
        sys.stderr.write(
            "no pictures: matplotlib is missing; pip install pystruct-ext[plot]\n"
        )
        return 0
    # Files only: a window would need a screen.
    mpl.use("Agg")
    from pystruct_ext.plotting import (
        ConvergenceDisplay,
        TaggingDisplay,
        TransitionDisplay,
    )

    folder.mkdir(parents=True, exist_ok=True)
    demo_ranking.pictures(folder, found)
    demo_structures.pictures(folder, found["structures"])
    few = 150
    fits = {}
    for solver in ("bcfw", "one_slack", "n_slack", "subgradient"):
        est = SequenceSVM(C=_C, tol=5e-3, solver=solver, max_time=5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fits[solver] = est.fit(data.X_train[:few], data.y_train[:few])
    pictures: dict[str, Any] = {
        "convergence.png": ConvergenceDisplay.from_estimators(fits),
        "transitions.png": TransitionDisplay.from_estimator(model, annotate=False),
        "tagging.png": TaggingDisplay.from_predictions(
            [data.images_test[i] for i in shown],
            [truth[i] for i in shown],
            {
                "whole date": [read[i] for i in shown],
                "digits alone": [read_alone[i] for i in shown],
            },
        ),
    }
    for name, display in pictures.items():
        display.figure_.savefig(folder / name, dpi=110, bbox_inches="tight")
        sys.stdout.write(f"picture: {folder / name}\n")
    return 0
