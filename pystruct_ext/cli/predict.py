"""``pystruct-ext predict`` and ``pystruct-ext evaluate``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from pystruct_ext.cli import predict_ranking, predict_structures
from pystruct_ext.cli._report import Stages
from pystruct_ext.estimators import SequenceSVM
from pystruct_ext.io import ColumnTable, read_conll, write_conll
from pystruct_ext.metrics import chunk_report, sentence_accuracy, token_accuracy
from pystruct_ext.persistence import load
from pystruct_ext.utils.files import atomic_file


def register(commands: Any) -> None:
    """Add the subcommands to a parser."""
    p = commands.add_parser(
        "predict",
        help="label, parse, fold or rank what is in a file",
        description="Sequence models write the file's columns with the predicted label "
        "appended, rankers a TREC run, parsers CoNLL-U or brackets, folding models "
        "dot-bracket, aligners FASTA with gaps.",
    )
    p.add_argument("model", metavar="MODEL")
    p.add_argument("file", metavar="FILE", help="columns, gzip or plain; - is stdin")
    p.add_argument("-o", "--output", default="-", metavar="OUT", help="default stdout")
    p.add_argument("--n-jobs", type=int, help="threads")
    p.add_argument("--quiet", action="store_true", help="say nothing on stderr")
    p.set_defaults(run=run_predict)

    p = commands.add_parser(
        "evaluate",
        help="score a model on a labelled file",
        description="Sequence models: chunk precision, recall and F1 (conlleval), token "
        "and sentence accuracy, the label in the last column. Rankers: NDCG, MAP and MRR, or "
        "alpha-nDCG, ERR-IA and subtopic recall. Parsers: attachment scores or brackets; "
        "folding models: base pairs; aligners: aligned pairs.",
    )
    p.add_argument("model", metavar="MODEL")
    p.add_argument("file", metavar="FILE", help="columns, gzip or plain; - is stdin")
    p.add_argument("--json", action="store_true", help="machine-readable output")
    p.add_argument("--n-jobs", type=int, help="threads")
    p.add_argument("--quiet", action="store_true", help="say nothing on stderr")
    p.set_defaults(run=run_evaluate)


def as_sequence_model(model: Any, path: str, n_jobs: int | None) -> SequenceSVM:
    """A loaded model that reads columns."""
    if not isinstance(model, SequenceSVM) or model.template is None:
        raise ValueError(
            f"{path}: holds a {type(model).__name__} that was not trained from columns"
        )
    if n_jobs is not None:
        model.set_params(n_jobs=n_jobs)
    return model


def _decode(model: SequenceSVM, table: ColumnTable, file: str) -> list[list[Any]]:
    try:
        return list(model.predict(table))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def run_predict(args: argparse.Namespace) -> int:
    """Label a file, or rank the documents of one."""
    stages = Stages(args.quiet)
    with stages.stage("load"):
        loaded = load(args.model)
    ranker = predict_ranking.as_ranker(loaded, args.model)
    if ranker is not None:
        return predict_ranking.predict(ranker, args, stages)
    if predict_structures.reader_of(loaded) is not None:
        return predict_structures.predict(loaded, args, stages)
    model = as_sequence_model(loaded, args.model, args.n_jobs)
    with stages.stage("read"):
        table = read_conll(args.file)
    with stages.stage("decode"):
        labels = _decode(model, table, args.file)
    with stages.stage("write"):
        if args.output == "-":
            write_conll(sys.stdout.buffer, table, labels)
            sys.stdout.buffer.flush()
        else:
            with atomic_file(args.output) as file:
                write_conll(file, table, labels)
    stages.say(f"{table.n_sentences} sentences, {table.n_tokens} tokens")
    return 0


def run_evaluate(args: argparse.Namespace) -> int:
    """Score a model."""
    stages = Stages(args.quiet)
    with stages.stage("load"):
        loaded = load(args.model)
    ranker = predict_ranking.as_ranker(loaded, args.model)
    if ranker is not None:
        return predict_ranking.evaluate(ranker, args, stages)
    if predict_structures.reader_of(loaded) is not None:
        return predict_structures.evaluate(loaded, args, stages)
    model = as_sequence_model(loaded, args.model, args.n_jobs)
    with stages.stage("read"):
        table = read_conll(args.file)
        gold = table.column(-1)
    with stages.stage("decode"):
        predicted = _decode(model, table, args.file)
    speed = table.n_tokens / max(stages.seconds["decode"], 1e-9)
    stages.say(f"{'speed':<10} {speed:,.0f} tokens/s, features included")
    report = chunk_report(gold, predicted)
    accuracy = token_accuracy(gold, predicted)
    sentences = sentence_accuracy(gold, predicted)
    if args.json:
        result = report.to_dict()
        result["token_accuracy"] = accuracy
        result["sentence_accuracy"] = sentences
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        sys.stdout.write(f"{report}\n")
        sys.stdout.write(f"token accuracy {100 * accuracy:.2f} %, ")
        sys.stdout.write(f"sentence accuracy {100 * sentences:.2f} %\n")
    return 0
