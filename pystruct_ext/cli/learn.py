"""``pystruct-ext learn``: its subcommands, and sequence labelling."""

from __future__ import annotations

import argparse
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pystruct_ext.cli import learn_ranking, learn_structures
from pystruct_ext.cli._report import Stages
from pystruct_ext.estimators import HeldOutScore, SequenceSVM
from pystruct_ext.io import DEFAULT_TEMPLATE, ColumnTable, read_conll
from pystruct_ext.metrics import chunk_f1
from pystruct_ext.solvers import SOLVERS, InterruptedWarning
from pystruct_ext.spaces import CodedLabels


def register(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser("learn", help="train a model from a file")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    p = kinds.add_parser(
        "sequence",
        help="sequence labelling from CoNLL columns, the label in the last",
        description="Train a chain model (SequenceSVM) on a file of CoNLL columns: one "
        "token per line, the label in the last column, a blank line after each sentence.",
    )
    p.add_argument(
        "train", metavar="TRAIN", help="training file, gzip or plain; - is stdin"
    )
    p.add_argument(
        "-o", "--output", required=True, metavar="MODEL", help="model file to write"
    )
    p.add_argument("--template", metavar="FILE", help="CRF++ feature template")
    p.add_argument(
        "--C", type=float, default=0.1, help="weight of the losses (default 0.1)"
    )
    p.add_argument(
        "--tol", type=float, default=0.01, help="relative duality gap (default 0.01)"
    )
    p.add_argument("--loss", default="hamming", help="token loss (default hamming)")
    p.add_argument(
        "--constraints", choices=["BIO", "BILOU"], help="legal transitions only"
    )
    p.add_argument(
        "--dev", metavar="FILE", help="held-out file: stop when F1 gets no better"
    )
    p.add_argument("--patience", type=int, default=5, help="epochs to wait with --dev")
    p.add_argument("--solver", choices=sorted(SOLVERS), default="bcfw")
    p.add_argument("--max-iter", type=int, help="largest number of epochs")
    p.add_argument(
        "--max-time", type=float, help="largest number of seconds of training"
    )
    p.add_argument("--features", choices=["all", "seen"], default="all")
    p.add_argument("--min-count", type=int, default=1, help="drop rarer features")
    p.add_argument("--hash-bits", type=int, help="hash features to 2^BITS columns")
    p.add_argument("--n-jobs", type=int, default=1, help="threads of batch decoding")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--quiet", action="store_true", help="say nothing on stderr")
    p.set_defaults(run=run)
    learn_ranking.register(kinds)
    learn_structures.register(kinds)


def run(args: argparse.Namespace) -> int:
    """Train, save, and report the stages."""
    return guarded(_learn, args)


def guarded(work: Callable[[argparse.Namespace, Stages], int], args: Any) -> int:
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


def _learn(args: argparse.Namespace, stages: Stages) -> int:
    folder = Path(args.output).resolve().parent
    if not folder.is_dir():
        raise ValueError(f"--output: the folder {folder} does not exist")
    with stages.stage("read"):
        table = read_conll(args.train)
        if table.n_columns < 2:
            raise ValueError(
                f"{args.train}: has {table.n_columns} column, expected at least 2: "
                "features and, in the last, the label"
            )
        dev = None if args.dev is None else read_conll(args.dev)
        if dev is not None and dev.n_columns != table.n_columns:
            raise ValueError(
                f"{args.dev}: has {dev.n_columns} columns, but {args.train} has "
                f"{table.n_columns}"
            )
    template, origin = choose_template(args.template, table)
    stages.say(
        f"{'data':<10} {table.n_sentences} sentences, {table.n_tokens} tokens, "
        f"{table.n_columns} columns; template: {origin}"
    )
    callback = None
    if dev is not None:
        callback = HeldOutScore(dev, dev.column(-1), args.patience, metric=chunk_f1)
    model = SequenceSVM(
        C=args.C,
        loss=args.loss,
        constraints=args.constraints,
        template=template,
        features=args.features,
        min_count=args.min_count,
        hash_bits=args.hash_bits,
        solver=args.solver,
        tol=args.tol,
        max_iter=args.max_iter,
        max_time=args.max_time,
        n_jobs=args.n_jobs,
        random_state=args.seed,
        verbose=int(not args.quiet and sys.stderr.isatty()),
        callback=callback,
    )
    with warnings.catch_warnings(record=True) as caught, stages.stage("train"):
        warnings.simplefilter("always")
        model.fit(table, CodedLabels(*table.column_ids(-1)))
    for warning in caught:
        if not issubclass(warning.category, InterruptedWarning):
            stages.say(f"warning: {warning.message}")
    with stages.stage("save"):
        model.save(args.output)
    for line in summary(model):
        stages.say(line)
    if callback is not None:
        stages.say(
            f"{'held out':<10} best chunk F1 {100 * callback.best_score_:.2f} at epoch "
            f"{callback.best_epoch_}, whose weights were kept"
        )
    if model.status_ == "interrupted":
        sys.stderr.write(
            f"pystruct-ext: interrupted; the best model so far is in {args.output}\n"
        )
        return 130
    return 0


def summary(model: SequenceSVM) -> list[str]:
    """What a fit reached, as lines of text."""
    return [
        f"{'model':<10} {len(model.classes_)} labels, {model.n_features_in_} features, "
        f"{model.space_.size_psi_} weights",
        f"{'objective':<10} primal {model.primal_objective_:.6g}, dual "
        f"{model.dual_objective_:.6g}, relative gap {100 * model.relative_gap_:.3g} % "
        f"(certificate: {model.certificate_})",
        f"{'status':<10} {model.status_} after {model.n_iter_} epochs, "
        f"{model.n_oracle_calls_} oracle calls",
    ]


def choose_template(path: str | None, table: ColumnTable) -> tuple[str, str]:
    """Template text and where it comes from."""
    if path is not None and path != "default":
        return Path(path).read_text(encoding="utf-8"), path
    if path == "default" or table.n_columns == 3:
        return DEFAULT_TEMPLATE, "default (word and tag windows)"
    lines = []
    for j in range(table.n_columns - 1):
        lines += [f"U{j}_{d + 2}:%x[{d},{j}]" for d in range(-2, 3)]
        lines += [f"U{j}_{5 + d}:%x[{d - 1},{j}]/%x[{d},{j}]" for d in (0, 1)]
    return "\n".join([*lines, "B", ""]), "made for these columns (windows of two)"
