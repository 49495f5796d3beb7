"""``predict`` and ``evaluate`` for trees, folds, segments and alignments."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pystruct_ext.cli._report import Stages
from pystruct_ext.estimators import (
    AlignmentSVM,
    ConstituencySVM,
    DependencySVM,
    FoldingSVM,
    SegmentSVM,
)
from pystruct_ext.io import (
    read_alignments,
    read_brackets,
    read_conll,
    read_conllu,
    read_folds,
    write_alignments,
    write_brackets,
    write_conllu,
    write_folds,
)
from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.metrics import (
    alignment_report,
    attachment_report,
    base_pair_report,
    bracket_report,
    segment_report,
)
from pystruct_ext.outputs.segments import segments_from_bio, segments_to_bio
from pystruct_ext.outputs.sentences import Sentence


@dataclass
class Input:
    """A file for a model.

    Attributes
    ----------
    X : examples
    y : truth, or None
    n : int
        How many units (words, bases, letters) there are.
    unit : str
    write : callable
        Writes predictions to a path.
    """

    X: Any
    y: Any
    n: int
    unit: str
    write: Callable[[str, Any], None]


def _dependency(model: Any, path: str) -> Input:
    bank = read_conllu(path)
    return Input(
        bank.sentences,
        bank.dependencies,
        bank.n_words,
        "words",
        lambda out, y: write_conllu(out, bank, y),
    )


def _constituency(model: Any, path: str) -> Input:
    sentences, trees = read_tagged(path)
    return Input(
        sentences,
        trees,
        sum(len(s.forms) for s in sentences),
        "words",
        write_brackets,
    )


def read_tagged(path: str) -> tuple[list[Sentence], list[Any] | None]:
    """Sentences to parse: bracketed trees, or lines of word/TAG."""
    if Path(path).is_dir():
        trees = read_brackets(path)
        return [t.sentence() for t in trees], trees
    lines = [(k, line) for k, line in read_lines(path) if line.strip()]
    if lines and lines[0][1].lstrip().startswith("("):
        if path == "-":
            raise ValueError("brackets are read from files, not from stdin")
        trees = read_brackets(path)
        return [t.sentence() for t in trees], trees
    sentences = []
    for number, line in lines:
        cells = [token.rpartition("/") for token in line.split()]
        bad = next((c[2] for c in cells if not c[0] or not c[2]), None)
        if bad is not None:
            raise ValueError(
                f"{path}:{number}: {bad!r} is not word/TAG; expected that, or brackets"
            )
        sentences.append(
            Sentence(tuple(c[0] for c in cells), tuple(c[2] for c in cells))
        )
    if not sentences:
        raise ValueError(f"{path}: holds no sentences")
    return sentences, None


def _folding(model: Any, path: str) -> Input:
    data = read_folds(path)
    return Input(
        data.sequences,
        data.folds,
        sum(map(len, data.sequences)),
        "bases",
        lambda out, y: write_folds(out, data.names, data.sequences, y),
    )


def _segments(model: Any, path: str) -> Input:
    table = read_conll(path)
    rows = [table.column(j) for j in range(table.n_columns)]

    def write(out: str, y: Any) -> None:
        def lines() -> Any:
            for i, segments in enumerate(y):
                for t, tag in enumerate(segments_to_bio(segments)):
                    yield " ".join([*(column[i][t] for column in rows), tag])
                yield ""

        write_lines(out, lines())

    truth = [segments_from_bio(tags) for tags in rows[-1]]
    return Input(table, truth, table.n_tokens, "tokens", write)


def _alignment(model: Any, path: str) -> Input:
    data = read_alignments(path)
    return Input(
        data.pairs,
        data.alignments if data.aligned else None,
        sum(len(a) + len(b) for a, b in data.pairs),
        "letters",
        lambda out, y: write_alignments(out, data.names, data.pairs, y),
    )


_READERS: dict[type[Any], Callable[[Any, str], Input]] = {
    DependencySVM: _dependency,
    ConstituencySVM: _constituency,
    FoldingSVM: _folding,
    SegmentSVM: _segments,
    AlignmentSVM: _alignment,
}


def reader_of(model: Any) -> Callable[[Any, str], Input] | None:
    """What reads files for a model; None if this module does not know it."""
    return _READERS.get(type(model))


def _predict(model: Any, args: argparse.Namespace, stages: Stages) -> tuple[Input, Any]:
    if args.n_jobs is not None:
        model.set_params(n_jobs=args.n_jobs)
    with stages.stage("read"):
        data = _READERS[type(model)](model, args.file)
    with stages.stage("decode"):
        try:
            predicted = model.predict(data.X)
        except ValueError as error:
            raise ValueError(f"{args.file}: {error}") from error
    speed = data.n / max(stages.seconds["decode"], 1e-9)
    stages.say(f"{'speed':<10} {speed:,.0f} {data.unit}/s, {len(predicted)} examples")
    return data, predicted


def predict(model: Any, args: argparse.Namespace, stages: Stages) -> int:
    """Write predictions in the format of the input."""
    data, predicted = _predict(model, args, stages)
    with stages.stage("write"):
        data.write(args.output, predicted)
    return 0


def evaluate(model: Any, args: argparse.Namespace, stages: Stages) -> int:
    """Print the scores of predictions."""
    data, predicted = _predict(model, args, stages)
    if data.y is None:
        raise ValueError(f"{args.file}: has no truth to compare with")
    reports: dict[str, Any] = {}
    if isinstance(model, DependencySVM):
        reports["all words"] = attachment_report(data.y, predicted)
        reports["without punctuation"] = attachment_report(
            data.y, predicted, data.X, punctuation=False
        )
    elif isinstance(model, ConstituencySVM):
        reports["brackets"] = bracket_report(data.y, predicted)
    elif isinstance(model, FoldingSVM):
        reports["base pairs"] = base_pair_report(data.y, predicted)
        reports["base pairs, shifted by up to 1"] = base_pair_report(
            data.y, predicted, slip=1
        )
    elif isinstance(model, SegmentSVM):
        reports["segments"] = segment_report(data.y, predicted, model.outside)
    else:
        reports["alignment"] = alignment_report(data.y, predicted)
    if args.json:
        plain = {name: report.to_dict() for name, report in reports.items()}
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
    else:
        for name, report in reports.items():
            sys.stdout.write(f"{name}\n{report}\n")
    return 0


def describe(model: Any) -> list[str]:
    """What a model is and what its fit reached, as lines of text."""
    space = model.space_
    lines = [
        f"{'model':<10} {type(model).__name__}, {space.size_psi_} weights, "
        f"{int((model.coef_ != 0).sum())} of them not 0",
        f"{'objective':<10} primal {model.primal_objective_:.6g}, dual "
        f"{model.dual_objective_:.6g}, relative gap {100 * model.relative_gap_:.3g} % "
        f"(certificate: {model.certificate_})",
        f"{'status':<10} {model.status_} after {model.n_iter_} epochs",
    ]
    labels = getattr(space, "labels_", None) or getattr(space, "classes_", None)
    if labels:
        lines.append(f"{'labels':<10} {', '.join(map(str, labels))}")
    if isinstance(model, FoldingSVM):
        for group, start, size in space.feature_groups():
            part = model.coef_[start : start + size]
            lines.append(
                f"{group:<20} {size:5d} weights, from {part.min():8.3f} to {part.max():8.3f}"
            )
    if isinstance(model, AlignmentSVM):
        letters = space.letters_[0]
        table = model.substitution_scores()
        lines.append("score  " + " ".join(f"{c!s:>6}" for c in letters))
        for c, row in zip(letters, table, strict=True):
            lines.append(f"{c!s:>6} " + " ".join(f"{v:6.2f}" for v in row))
    return lines
