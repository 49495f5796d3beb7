"""Label sequences."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pystruct_ext.estimators import HeldOutScore, SequenceSVM
from pystruct_ext.io import ColumnTable, read_conll, write_conll
from pystruct_ext.metrics import (
    chunk_f1,
    chunk_report,
    sentence_accuracy,
    token_accuracy,
)
from pystruct_ext.spaces import CodedLabels, SequenceSpace
from pystruct_ext.structures import _columns
from pystruct_ext.structures.base import Examples, Option, Say, Structure
from pystruct_ext.structures.samples import sequence as problems


def read(path: str) -> Examples:
    """CoNLL columns, the label in the last."""
    table = read_conll(path)

    return Examples(
        table,
        None if table.n_columns < 2 else CodedLabels(*table.column_ids(-1)),
        table.n_tokens,
        "tokens",
        f"{table.n_sentences} sentences, {table.n_tokens} tokens, "
        f"{table.n_columns} columns",
        lambda out, y: write_conll(out, table, y),
        missing=f"has {table.n_columns} column, expected at least 2: features and, in the "
        "last, the label",
        source=table,
    )


def write(path: str, X: Sequence[Any], y: Sequence[Sequence[str]]) -> None:
    """Tokens, which are lists of cells, with their labels."""
    _columns.write_columns(path, X, y)


def prepare(
    model: Any, examples: Examples, args: argparse.Namespace, say: Say
) -> Examples:
    """The template, and the held-out file that stops training."""
    if args.dev is not None:
        dev, table = read_conll(args.dev), examples.source
        if dev.n_columns != table.n_columns:
            raise ValueError(
                f"{args.dev}: has {dev.n_columns} columns, but {args.train} has "
                f"{table.n_columns}"
            )
        model.set_params(
            callback=HeldOutScore(dev, dev.column(-1), args.patience, metric=chunk_f1)
        )
    return _columns.set_template(model, examples, args.template)


@dataclass(frozen=True)
class TaggingReport:
    """Chunks and accuracies."""

    chunks: Any
    token_accuracy: float
    sentence_accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers."""
        return {
            **self.chunks.to_dict(),
            "token_accuracy": self.token_accuracy,
            "sentence_accuracy": self.sentence_accuracy,
        }

    def __str__(self) -> str:
        return (
            f"{self.chunks}\ntoken accuracy {100 * self.token_accuracy:.2f} %, "
            f"sentence accuracy {100 * self.sentence_accuracy:.2f} %"
        )


def report(examples: Examples, predicted: Any, model: Any) -> TaggingReport:
    """Chunks as conlleval counts them, tokens and sentences."""
    table: ColumnTable = examples.source
    gold = table.column(-1)
    return TaggingReport(
        chunk_report(gold, predicted),
        token_accuracy(gold, predicted),
        sentence_accuracy(gold, predicted),
    )


def describe(model: Any) -> list[str]:
    """Sizes, and what a held-out file said."""
    lines = [f"{'features':<10} {model.n_features_in_}"]
    if isinstance(model.callback, HeldOutScore):
        lines.append(
            f"{'held out':<10} best chunk F1 {100 * model.callback.best_score_:.2f} at "
            f"epoch {model.callback.best_epoch_}, whose weights were kept"
        )
    return lines


def inspect(model: Any, top: int) -> list[str]:
    """Largest transitions, and the largest features of every label."""
    lines = ["", "largest transitions"]
    for p, q, weight in model.top_transitions(2 * top):
        lines.append(f"  {weight:8.3f}  {p} -> {q}")
    for label in model.classes_.tolist():
        lines += ["", f"{label}"]
        lines += [f"  {v:8.3f}  {name}" for name, v in model.top_features(label, top)]
    return lines


def _transitions(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import TransitionDisplay

    return TransitionDisplay.from_estimator(model)


def _tagging(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import TaggingDisplay

    table: ColumnTable = examples.source
    few = slice(0, 6)
    return TaggingDisplay.from_predictions(
        table.column(0)[few], table.column(-1)[few], model.predict(examples.X)[few]
    )


STRUCTURE = Structure(
    name="sequence",
    estimator=SequenceSVM,
    space=SequenceSpace,
    summary="sequence labelling from CoNLL columns, the label in the last",
    description="Train a chain model (SequenceSVM) on a file of CoNLL columns: one token "
    "per line, the label in the last column, a blank line after each sentence.",
    file="training file, gzip or plain; - is stdin",
    read=read,
    write=write,
    report=report,
    prepare=prepare,
    check=_columns.check_template,
    describe=describe,
    inspect=inspect,
    display={"transitions": _transitions, "tagging": _tagging},
    sample=problems.sample,
    samples=problems.VARIANTS,
    options=(
        _columns.TEMPLATE,
        Option(
            "--dev",
            metavar="FILE",
            help="held-out file: stop when F1 gets no better",
        ),
        Option("--patience", type=int, default=5, help="epochs to wait with --dev"),
    ),
)
