"""Segmentations."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from pystruct_ext.estimators import SegmentSVM
from pystruct_ext.io import read_conll
from pystruct_ext.metrics import segment_report
from pystruct_ext.outputs.segments import segments_from_bio, segments_to_bio
from pystruct_ext.spaces import SegmentSpace
from pystruct_ext.structures import _columns
from pystruct_ext.structures.base import Examples, Say, Structure
from pystruct_ext.structures.samples import segments as problems


def read(path: str, on_error: str = "raise") -> Examples:
    """CoNLL columns with BIO tags in the last."""
    table = read_conll(path, on_error=on_error)

    def write_tags(out: str, y: Any) -> None:
        tags = [segments_to_bio(segments) for segments in y]
        _columns.write_columns(out, _columns.rows_of(table), tags)

    y, missing = (
        None,
        (
            f"has {table.n_columns} column, expected at least 2: features and, in the "
            "last, BIO tags"
        ),
    )
    if table.n_columns >= 2:
        y, missing = _segments(table.column(-1))
    return Examples(
        table,
        y,
        table.n_tokens,
        "tokens",
        f"{table.n_sentences} sentences, {table.n_tokens} tokens",
        write_tags,
        missing=missing,
        source=table,
    )


def _segments(tags: list[list[str]]) -> tuple[list[list[Any]] | None, str]:
    """Segments of every sentence; or None, as of a file to predict, and why."""
    found = []
    for i, sentence in enumerate(tags):
        try:
            found.append(segments_from_bio(sentence))
        except ValueError as error:
            return None, f"in the last column, sentence {i + 1}: {error}"
    return found, ""


def write(path: str, X: Sequence[Any], y: Sequence[Sequence[Any]]) -> None:
    """Tokens, which are lists of cells, with BIO tags."""
    _columns.write_columns(path, X, [segments_to_bio(segments) for segments in y])


def prepare(
    model: Any, examples: Examples, args: argparse.Namespace, say: Say
) -> Examples:
    """The template."""
    return _columns.set_template(model, examples, args.template)


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """Whole segments."""
    _columns.check_truth(model, examples.source)
    return {"segments": segment_report(examples.y, predicted, model.outside)}


STRUCTURE = Structure(
    name="segments",
    estimator=SegmentSVM,
    space=SegmentSpace,
    summary="segmentation from CoNLL columns with BIO tags in the last",
    description="Train a semi-Markov chain (SegmentSVM).",
    file="CoNLL columns, gzip or plain; - is stdin",
    read=read,
    write=write,
    report=report,
    prepare=prepare,
    check=_columns.check_template,
    sample=problems.sample,
    samples=problems.VARIANTS,
    # BIO tags write no segment as "O".
    defaults={"outside": "O"},
    options=(_columns.TEMPLATE,),
)
