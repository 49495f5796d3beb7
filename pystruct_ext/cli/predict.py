"""``pystruct-ext predict`` and ``pystruct-ext evaluate``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from pystruct_ext.cli._options import add_common, threads
from pystruct_ext.cli._reading import add_reading_options, predicted, read_examples
from pystruct_ext.cli._report import Stages, check_output
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
    p.add_argument(
        "--json",
        action="store_true",
        help="machine-readable output; a number that is NaN or infinite is null",
    )
    p.set_defaults(run=run_evaluate)


def _common(p: Any) -> None:
    p.add_argument("model", metavar="MODEL", help="- is stdin")
    p.add_argument(
        "file", metavar="FILE", help="of the model's kind, gzip or plain; - is stdin"
    )
    p.add_argument("--n-jobs", type=threads, help="threads; -1 is all processors")
    add_reading_options(p, predicting=True)
    add_common(p)


def load_model(path: str) -> tuple[Any, Structure]:
    """A model that reads files, and what it is a model of."""
    model = load("/dev/stdin" if path == "-" else path)
    # What an estimator around another has fitted.
    model = getattr(model, "estimator_", model)
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
    if args.model == args.file == "-":
        raise ValueError("MODEL and FILE are both -: stdin can be one of them")
    with stages.stage("load"):
        model, structure = load_model(args.model)
    if args.n_jobs is not None:
        model.set_params(n_jobs=args.n_jobs)
    with stages.stage("read"):
        examples = read_examples(
            structure, [args.file], stages.say, args.skip_bad, args.constraints
        )
    with stages.long_stage("decode"):
        examples, y = predicted(model, structure, examples, args, stages.say)
        try:
            _check_scores(y, examples)
        except ValueError as error:
            raise ValueError(f"{args.file}: {error}") from error
    speed = examples.count / max(stages.seconds["decode"], 1e-9)
    stages.say(
        f"{'speed':<10} {speed:,.0f} {examples.unit}/s, features included; "
        f"{len(y)} examples"
    )
    return model, structure, examples, y


def _check_scores(predicted: Any, examples: Examples) -> None:
    """Refuse scores that order nothing."""
    scores = np.asarray(predicted) if isinstance(predicted, np.ndarray) else None
    if scores is not None and scores.dtype.kind == "f" and np.isnan(scores).any():
        where = int(np.flatnonzero(np.isnan(scores))[0])
        raise ValueError(
            f"the score of number {where + 1} of {len(scores)} {examples.unit} is NaN: the "
            "weights or the features are too large, or damaged"
        )


def run_predict(args: argparse.Namespace) -> int:
    """Write predictions in the format of the input."""
    stages = Stages(args.quiet)
    check_output(args.output)
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
        text = json.dumps(_plain(report), indent=1, allow_nan=False)
        sys.stdout.write(text + "\n")
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
    """Dicts, lists, text and numbers that JSON has: NaN and infinity it has not."""
    if hasattr(report, "to_dict"):
        report = report.to_dict()
    if isinstance(report, Mapping):
        return {str(name): _plain(value) for name, value in report.items()}
    if isinstance(report, (list, tuple, np.ndarray)):
        return [_plain(value) for value in report]
    if isinstance(report, np.generic):
        report = report.item()
    return None if isinstance(report, float) and not math.isfinite(report) else report
