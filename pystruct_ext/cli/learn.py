"""``pystruct-ext learn``: a subcommand for every structure."""

from __future__ import annotations

import argparse
import sys
import warnings
from functools import partial
from typing import Any

from pystruct_ext.cli._options import (
    PROGRAM,
    add_common,
    add_options,
    naming_flags,
    parameter_values,
)
from pystruct_ext.cli._reading import (
    add_reading_options,
    fitted,
    read_examples,
    with_groups,
)
from pystruct_ext.cli._report import (
    Stages,
    certificate_lines,
    check_output,
    one_line,
    search_said,
)
from pystruct_ext.solvers import InterruptedWarning
from pystruct_ext.structures import STRUCTURES, Examples, Structure
from pystruct_ext.utils import signals


def register(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser("learn", help="train a model from a file")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for structure in STRUCTURES.values():
        p = kinds.add_parser(
            structure.name,
            help=structure.summary,
            description=structure.description,
            epilog="SIGINT (Ctrl-C), SIGTERM and SIGHUP end training with the best model so "
            "far in the file; once more while it is tested ends that, and a second one while "
            "it is saved leaves no file. Exit code 130, 143 or 129.",
        )
        p.add_argument(
            "train",
            metavar="TRAIN",
            nargs="+" if structure.many else None,
            help=structure.file,
        )
        p.add_argument(
            "-o",
            "--output",
            required=True,
            metavar="MODEL",
            help="model file to write; - is stdout",
        )
        add_common(p)
        add_reading_options(p, predicting=False)
        add_options(p, structure)
        p.set_defaults(run=partial(_learn, structure))


def _learn(structure: Structure, args: argparse.Namespace) -> int:
    stages = Stages(args.quiet)
    output = check_output(args.output)
    if output == "-":
        if sys.stdout.isatty():
            raise ValueError("--output: a model is not text, - must not be a terminal")
        output = "/dev/stdout"
    paths = args.train if structure.many else [args.train]
    with stages.stage("read"):
        examples = read_examples(structure, paths, stages.say, args.skip_bad)
    if examples.y is None:
        raise ValueError(f"{' '.join(paths)}: {examples.missing}")
    try:
        whole, model = _fitted(structure, examples, args, stages)
    except (ValueError, TypeError) as error:
        raise type(error)(naming_flags(structure, one_line(error))) from error
    # What training took is not lost to a signal now; to a second one it is.
    with stages.stage("save"), signals.answer_by("finish"):
        model.save(output)
    for line in certificate_lines(whole, model):
        stages.say(line)
    ended_by = (model.status_, model.solver_info_.get("ended_by"))
    if "interrupted" not in ended_by and signals.received() is None:
        return 0
    sys.stderr.write(
        f"{PROGRAM}: interrupted; the best model so far is in {args.output}\n"
    )
    return 128 + (signals.received() or signals.SIGINT)


def _fitted(
    structure: Structure, examples: Examples, args: argparse.Namespace, stages: Stages
) -> tuple[Structure, Any]:
    """A model, trained until it has converged or a signal comes, and what it is one of."""
    model = structure.estimator(**parameter_values(structure, args))
    if structure.prepare is not None:
        examples = structure.prepare(model, examples, args, stages.say)
    around = structure.wrapped
    outer = None if around is None else around.wrap(model, args)
    if around is not None and outer is not None:
        structure, model = around.structure, outer
    stages.say(f"{'data':<10} {examples.about}")
    if getattr(args, "groups", None):
        examples = with_groups(examples, args.groups, args.skip_bad)
    with (
        warnings.catch_warnings(record=True) as caught,
        stages.stage("train"),
        search_said(stages.say),
        signals.answer_by("raise"),
    ):
        warnings.simplefilter("always")
        examples = fitted(model, structure, examples, args.skip_bad, stages.say)
    for warning in caught:
        if not issubclass(warning.category, InterruptedWarning):
            stages.say(f"warning: {one_line(warning.message)}")
    return structure, model
