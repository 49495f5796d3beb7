"""All solvers on the handwritten words of OCR letters, at equal certified gap.

Protocol: train on fold 0 (625 words, 16 x 8 binary pixels, 26 letters), test on the
rest. The primal is 1/2 ||w||^2 + C sum of hinges.

Usage: python benchmarks/solvers.py [--max-time 60]
"""

from __future__ import annotations

import argparse
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
from _common import data_folder, show_table, write_json

from pystruct_ext import SequenceSVM
from pystruct_ext.solvers import BCFW, SOLVERS


def letters() -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Train and test words of the fold protocol."""
    z = np.load(data_folder("ocr-letters") / "ocr_letters.npz")
    # Read once: every look-up in an archive reads its member again.
    off, fold, pixels, letter = (z[k] for k in ("offsets", "fold0", "pixels", "labels"))
    X = [pixels[a:b].astype(np.float64) for a, b in pairwise(off)]
    y = [letter[a:b].tolist() for a, b in pairwise(off)]
    train, test = np.flatnonzero(fold == 1), np.flatnonzero(fold != 1)
    return (
        [X[i] for i in train],
        [y[i] for i in train],
        [X[i] for i in test],
        [y[i] for i in test],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-time", type=float, default=60.0, help="seconds per fit")
    parser.add_argument("--plot", help="write the convergence picture to this PNG")
    args = parser.parse_args()
    X, y, X_test, y_test = letters()
    rows, histories = [], {}
    cases: list[tuple[float, float, str, Any]] = []
    for C, tol in ((0.1, 5e-3), (1.0, 5e-3)):
        for name in sorted(SOLVERS):
            cases.append((C, tol, name, SOLVERS[name]()))
        cases.append((C, tol, "bcfw, 3 cached passes", BCFW(cached_passes=3)))
        cases.append((C, tol, "bcfw, gap sampling", BCFW(sampling="gap")))
    for C, tol, name, solver in cases:
        solver.set_params(max_iter=20 if name == "perceptron" else 100_000)
        model = SequenceSVM(C=C, tol=tol, solver=solver, max_time=args.max_time)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        histories[f"{name}, C={C:g}"] = model.history_
        rows.append(
            {
                "C": C,
                "solver": name,
                "seconds": model.history_[-1]["seconds"],
                "oracle calls": model.n_oracle_calls_,
                "primal": round(model.primal_objective_, 2),
                "dual": round(model.dual_objective_, 2),
                "relative gap": model.relative_gap_,
                "status": model.status_,
                "letter accuracy": round(model.score(X_test, y_test), 4),
            }
        )
        print(f"... {name} C={C:g}: {rows[-1]['seconds']:.2f} s", flush=True)
    show_table("OCR letters, 625 training words, to a certified gap of 0.5 %", rows)
    if args.plot:
        from pystruct_ext.plotting import ConvergenceDisplay

        chosen = {k: h for k, h in histories.items() if k.endswith("C=0.1")}
        display = ConvergenceDisplay.from_histories(chosen)
        display.plot().figure_.savefig(args.plot, dpi=120)
    write_json("solvers", {"rows": rows})


if __name__ == "__main__":
    main()
