"""MulticlassSVM beside scikit-learn's Crammer-Singer LinearSVC, in one run.

Both minimise 1/2 ||w||^2 + C sum of multiclass hinges with a regularised constant. The
primal of both is computed here, from the weights, by the same NumPy lines.

Usage: python benchmarks/multiclass.py [--repeat 7]
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from typing import Any

import numpy as np
from _common import show_table, timed, write_json
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from pystruct_ext import MulticlassSVM


def primal(model: Any, X: np.ndarray, y: np.ndarray, C: float) -> float:
    """1/2 ||w||^2 + C sum_i H_i of any linear multiclass model."""
    scores = X @ model.coef_.T + model.intercept_
    truth = scores[np.arange(len(y)), y]
    augmented = scores + 1.0
    augmented[np.arange(len(y)), y] -= 1.0
    norm = np.sum(model.coef_**2) + np.sum(model.intercept_**2)
    return float(0.5 * norm + C * np.sum(augmented.max(axis=1) - truth))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    args = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    rows, ratios = [], []
    for scaling, data in (
        ("/ 16", X / 16.0),
        ("standardised", StandardScaler().fit_transform(X)),
    ):
        A, B, a, b = train_test_split(data, y, test_size=0.5, random_state=0)
        for C in (0.1, 1.0):
            cases: list[tuple[str, Any]] = [
                (
                    f"LinearSVC tol={tol:g}",
                    LinearSVC(
                        multi_class="crammer_singer", C=C, tol=tol, max_iter=100_000
                    ),
                )
                for tol in (1e-2, 1e-4)
            ]
            cases.append(("MulticlassSVM tol=1e-3", MulticlassSVM(C=C, tol=1e-3)))
            seen = {}
            for name, model in cases:
                with warnings.catch_warnings():
                    # LinearSVC's multi_class is deprecated in places; not ours to report.
                    warnings.simplefilter("ignore", FutureWarning)
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    seconds, fitted = timed(partial(model.fit, data, y), args.repeat)
                    p = primal(fitted, data, y, C)
                    seen[name] = (seconds, p)
                    gap = getattr(fitted, "relative_gap_", None)
                    accuracy = model.fit(A, a).score(B, b)
                rows.append(
                    {
                        "digits": scaling,
                        "C": C,
                        "model": name,
                        "seconds": seconds,
                        "primal": round(p, 4),
                        "certified gap": gap,
                        "held-out accuracy": round(accuracy, 4),
                    }
                )
            (t2, _), (t4, best), (t, p) = seen.values()
            ratios.append(
                {
                    "digits": scaling,
                    "C": C,
                    "primal / LinearSVC's at 1e-4": p / best,
                    "seconds / LinearSVC at 1e-4": t / t4,
                    "seconds / LinearSVC at 1e-2": t / t2,
                }
            )
    show_table("Digits (1,797 x 64, 10 classes), all of them for the primal", rows)
    show_table("Ratios in this run (targets: primal 1.001, seconds 1.5)", ratios)
    write_json("multiclass", {"rows": rows, "ratios": ratios})


if __name__ == "__main__":
    main()
