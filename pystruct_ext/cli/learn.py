"""``pystruct-ext learn``: a subcommand for every structure."""

from __future__ import annotations

import argparse
import signal
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pystruct_ext.cli._options import add_options, parameter_values
from pystruct_ext.cli._report import Stages, certificate_lines
from pystruct_ext.solvers import InterruptedWarning
from pystruct_ext.structures import STRUCTURES, Structure


def register(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser("learn", help="train a model from a file")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for structure in STRUCTURES.values():
        p = kinds.add_parser(
            structure.name, help=structure.summary, description=structure.description
        )
        p.add_argument(
            "train",
            metavar="TRAIN",
            nargs="+" if structure.many else None,
            help=structure.file,
        )
        p.add_argument(
            "-o", "--output", required=True, metavar="MODEL", help="model file to write"
        )
        p.add_argument("--quiet", action="store_true", help="say nothing on stderr")
        add_options(p, structure)
        p.set_defaults(run=partial(_guarded, partial(_learn, structure)))


def _guarded(
    work: Callable[[argparse.Namespace, Stages], int], args: argparse.Namespace
) -> int:
    """Run a training command such that SIGTERM, like Ctrl-C, keeps the best model so far."""
    stages = Stages(args.quiet)
    # SIGTERM ends a run as Ctrl-C does: with the best model so far in the file.
    # SIGINT is set, too: a shell starts background jobs with it ignored.
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, _interrupt) for number in numbers]
    try:
        return work(args, stages)
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _learn(structure: Structure, args: argparse.Namespace, stages: Stages) -> int:
    folder = Path(args.output).resolve().parent
    if not folder.is_dir():
        raise ValueError(f"--output: the folder {folder} does not exist")
    paths = args.train if structure.many else [args.train]
    with stages.stage("read"):
        examples = structure.read(*paths)
    if examples.y is None:
        raise ValueError(f"{' '.join(paths)}: {examples.missing}")
    model = structure.estimator(**parameter_values(structure, args))
    if structure.prepare is not None:
        examples = structure.prepare(model, examples, args, stages.say)
    stages.say(f"{'data':<10} {examples.about}")
    with warnings.catch_warnings(record=True) as caught, stages.stage("train"):
        warnings.simplefilter("always")
        model.fit(examples.X, examples.y, **examples.fit_params)
    for warning in caught:
        if not issubclass(warning.category, InterruptedWarning):
            stages.say(f"warning: {warning.message}")
    with stages.stage("save"):
        model.save(args.output)
    for line in certificate_lines(structure, model):
        stages.say(line)
    if "interrupted" in (model.status_, model.solver_info_.get("ended_by")):
        sys.stderr.write(
            f"pystruct-ext: interrupted; the best model so far is in {args.output}\n"
        )
        return 130
    return 0
