"""``pystruct-ext predict`` and ``pystruct-ext evaluate``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from pystruct_ext.cli._reading import add_reading_options, predicted, read_examples
from pystruct_ext.cli._report import Stages
from pystruct_ext.persistence import load
from pystruct_ext.structures import Examples, Structure, structure_of


def register(commands: Any) -> None:
    """Add the subcommands to a parser."""
    p = commands.add_parser(
        "predict",
        help="label, parse, fold or rank what is in a file",
        description="Sequence models write the file's columns with the predicted label "
        "appended, rankers a TREC run, parsers CoNLL-U or brackets, folding models "
        "dot-bracket, aligners FASTA with gaps; the last two a table where OUT ends in .csv "
        "or .tsv.",
    )
    _common(p)
    p.add_argument("-o", "--output", default="-", metavar="OUT", help="default stdout")
    p.set_defaults(run=run_predict)

    p = commands.add_parser(
        "evaluate",
        help="score a model on a labelled file",
        description="Sequence models: chunk precision, recall and F1 (conlleval), token "
        "and sentence accuracy, the label in the last column. Rankers: NDCG, MAP and MRR, or "
        "alpha-nDCG, ERR-IA and subtopic recall. Parsers: attachment scores or brackets; "
        "folding models: base pairs; aligners: aligned pairs.",
    )
    _common(p)
    p.add_argument("--json", action="store_true", help="machine-readable output")
    p.set_defaults(run=run_evaluate)


def _common(p: Any) -> None:
    p.add_argument("model", metavar="MODEL")
    p.add_argument(
        "file", metavar="FILE", help="of the model's kind, gzip or plain; - is stdin"
    )
    p.add_argument("--n-jobs", type=int, help="threads")
    add_reading_options(p, predicting=True)
    p.add_argument("--quiet", action="store_true", help="say nothing on stderr")


def load_model(path: str) -> tuple[Any, Structure]:
    """A model that reads files, and what it is a model of."""
    model = load(path)
    try:
        structure = structure_of(model)
        if structure.check is not None:
            structure.check(model)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return model, structure


def _predict(
    args: argparse.Namespace, stages: Stages
) -> tuple[Any, Structure, Examples, Any]:
    with stages.stage("load"):
        model, structure = load_model(args.model)
    if args.n_jobs is not None:
        model.set_params(n_jobs=args.n_jobs)
    with stages.stage("read"):
        examples = read_examples(
            structure, [args.file], stages.say, args.skip_bad, args.constraints
        )
    with stages.stage("decode"):
        examples, y = predicted(model, structure, examples, args, stages.say)
    speed = examples.count / max(stages.seconds["decode"], 1e-9)
    stages.say(
        f"{'speed':<10} {speed:,.0f} {examples.unit}/s, features included; "
        f"{len(y)} examples"
    )
    return model, structure, examples, y


def run_predict(args: argparse.Namespace) -> int:
    """Write predictions in the format of the input."""
    stages = Stages(args.quiet)
    _, _, examples, y = _predict(args, stages)
    with stages.stage("write"):
        examples.write(args.output, y)
    stages.say(f"{'data':<10} {examples.about}")
    return 0


def run_evaluate(args: argparse.Namespace) -> int:
    """Print the scores of predictions."""
    stages = Stages(args.quiet)
    model, structure, examples, y = _predict(args, stages)
    if examples.y is None:
        raise ValueError(
            f"{args.file}: has no truth to compare with: {examples.missing}"
        )
    try:
        report = structure.report(examples, y, model)
    except ValueError as error:
        raise ValueError(f"{args.file}: {error}") from error
    if args.json:
        sys.stdout.write(json.dumps(_plain(report), indent=1) + "\n")
    elif isinstance(report, Mapping):
        for name, value in report.items():
            number = isinstance(value, float)
            sys.stdout.write(
                f"{name:20} {value:.4f}\n" if number else f"{name}\n{value}\n"
            )
    else:
        sys.stdout.write(f"{report}\n")
    return 0


def _plain(report: Any) -> Any:
    if isinstance(report, Mapping):
        return {name: _plain(value) for name, value in report.items()}
    return report.to_dict() if hasattr(report, "to_dict") else report
