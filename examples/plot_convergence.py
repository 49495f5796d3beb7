"""All solvers with a certificate on one problem: gap against time and oracle calls."""

import argparse
import warnings
from pathlib import Path

from pystruct_ext import SequenceSVM
from pystruct_ext.datasets import load_digit_sequences
from pystruct_ext.plotting import ConvergenceDisplay


def main(output):
    data = load_digit_sequences("keypad", n_sequences=300)
    fits = {}
    for solver in ("bcfw", "one_slack", "n_slack", "subgradient"):
        model = SequenceSVM(C=0.1, tol=5e-3, solver=solver, max_time=4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fits[solver] = model.fit(data.X_train, data.y_train)
        print(
            f"{solver:12} primal {model.primal_objective_:8.3f}, dual "
            f"{model.dual_objective_:8.3f}, {model.n_oracle_calls_:7d} oracle calls, "
            f"{model.history_[-1]['seconds']:.2f} s, {model.status_}"
        )
    display = ConvergenceDisplay.from_estimators(fits)
    display.figure_.savefig(output, dpi=110)
    print(f"wrote {Path(output).resolve()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "output", nargs="?", default="convergence.png", help="PNG to write"
    )
    main(parser.parse_args().output)
