"""What the ``learn`` subcommands share: training, saving, reporting."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

from pystruct_ext.cli._report import Stages
from pystruct_ext.solvers import InterruptedWarning


def run_guarded(work: Any, args: argparse.Namespace) -> int:
    """Run a training command such that SIGTERM, like Ctrl-C, keeps the best model."""
    from pystruct_ext.cli.learn import guarded

    return guarded(work, args)


def fit_and_save(model: Any, args: Any, stages: Stages, *data: Any, **more: Any) -> int:
    """Train on data, save to ``args.output``, report; the exit code."""
    folder = Path(args.output).resolve().parent
    if not folder.is_dir():
        raise ValueError(f"--output: the folder {folder} does not exist")
    with warnings.catch_warnings(record=True) as caught, stages.stage("train"):
        warnings.simplefilter("always")
        model.fit(*data, **more)
    for warning in caught:
        if not issubclass(warning.category, InterruptedWarning):
            stages.say(f"warning: {warning.message}")
    with stages.stage("save"):
        model.save(args.output)
    stages.say(
        f"{'objective':<10} primal {model.primal_objective_:.6g}, dual "
        f"{model.dual_objective_:.6g}, relative gap {100 * model.relative_gap_:.3g} % "
        f"(certificate: {model.certificate_})"
    )
    stages.say(
        f"{'status':<10} {model.status_} after {model.n_iter_} epochs, "
        f"{model.n_oracle_calls_} oracle calls"
    )
    if model.status_ == "interrupted":
        sys.stderr.write(
            f"pystruct-ext: interrupted; the best model so far is in {args.output}\n"
        )
        return 130
    return 0
