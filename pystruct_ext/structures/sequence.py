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


def read(path: str, on_error: str = "raise") -> Examples:
    """CoNLL columns, the label in the last."""
    table = read_conll(path, on_error=on_error)
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
        y_dev = dev.column(-1)
        metric = token_accuracy if _no_chunks(y_dev, examples.y.classes) else chunk_f1
        if metric is token_accuracy:
            say("note: the labels are no chunks; --dev stops by token accuracy")
        model.set_params(
            callback=HeldOutScore(dev, y_dev, args.patience, metric=metric)
        )
    return _columns.set_template(model, examples, args.template)


@dataclass(frozen=True)
class TaggingReport:
    """Chunks and accuracies.

    Attributes
    ----------
    chunks : ChunkReport or None
        None where labels are no chunks.
    token_accuracy, sentence_accuracy : float
    no_chunks : str
        Why there are no chunks.
    """

    chunks: Any
    token_accuracy: float
    sentence_accuracy: float
    no_chunks: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers."""
        return {
            **({"chunks": None} if self.chunks is None else self.chunks.to_dict()),
            "token_accuracy": self.token_accuracy,
            "sentence_accuracy": self.sentence_accuracy,
        }

    def __str__(self) -> str:
        chunks = (
            f"the labels are no chunks ({self.no_chunks}): accuracies only"
            if self.chunks is None
            else self.chunks
        )
        return (
            f"{chunks}\ntoken accuracy {100 * self.token_accuracy:.2f} %, "
            f"sentence accuracy {100 * self.sentence_accuracy:.2f} %"
        )


def report(examples: Examples, predicted: Any, model: Any) -> TaggingReport:
    """Chunks as conlleval counts them, tokens and sentences."""
    table: ColumnTable = examples.source
    _columns.check_truth(model, table)
    gold = table.column(-1)
    no_chunks = _no_chunks(gold, model.classes_.tolist())
    return TaggingReport(
        None if no_chunks else chunk_report(gold, predicted),
        token_accuracy(gold, predicted),
        sentence_accuracy(gold, predicted),
        no_chunks,
    )


def _no_chunks(gold: Sequence[Sequence[str]], labels: Sequence[str]) -> str:
    """Why labels are not those of chunks, or ""."""
    distinct = sorted({label for y in gold for label in y} | set(labels))
    try:
        chunk_report([distinct], [distinct])
    except (TypeError, ValueError) as error:
        return str(error).partition(" = ")[2] or str(error)
    return ""


def describe(model: Any) -> list[str]:
    """Sizes, and what a held-out file said."""
    lines = [f"{'features':<10} {model.n_features_in_}"]
    if isinstance(model.callback, HeldOutScore):
        name = "chunk F1" if model.callback.metric is chunk_f1 else "token accuracy"
        lines.append(
            f"{'held out':<10} best {name} {100 * model.callback.best_score_:.2f} at "
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
