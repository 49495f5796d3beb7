"""Alignments of two sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pystruct_ext.estimators import AlignmentSVM
from pystruct_ext.io import (
    SequencePairs,
    read_alignments,
    suffix_of,
    write_alignments,
)
from pystruct_ext.metrics import alignment_report
from pystruct_ext.spaces import AlignmentSpace
from pystruct_ext.structures._scored import TABLES, Score, scorer
from pystruct_ext.structures.base import Examples, Structure
from pystruct_ext.structures.samples import alignment as problems


def read(path: str, on_error: str = "raise") -> Examples:
    """FASTA with gaps, or without where only to predict; or a table."""
    return _examples(read_alignments(path, on_error))


def _examples(data: SequencePairs, score: Score | None = None) -> Examples:
    def write_aligned(out: str, y: Any) -> None:
        scores = score(data.pairs, y) if score and suffix_of(out) in TABLES else None
        write_alignments(out, data.names, data.pairs, y, scores)

    letters = sum(len(a) + len(b) for a, b in data.pairs)
    return Examples(
        data.pairs,
        data.alignments if data.aligned else None,
        letters,
        "letters",
        f"{len(data)} {'alignments' if data.aligned else 'pairs'}, {letters} letters",
        write_aligned,
        missing=f"expected alignments with gaps; {data.unequal}",
        source=data,
        records=data.records,
        take=lambda index: _examples(data.take(index), score),
    )


def adapt(model: Any, examples: Examples) -> Examples:
    """Tables have scores, too."""
    return _examples(examples.source, scorer(model))


def write(path: str, X: Sequence[tuple[str, str]], y: Sequence[Sequence[int]]) -> None:
    """FASTA with gaps and made-up names."""
    write_alignments(path, [(f"a{i + 1}", f"b{i + 1}") for i in range(len(X))], X, y)


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """Aligned pairs."""
    return {"alignment": alignment_report(examples.y, predicted)}


def inspect(model: Any, top: int) -> list[str]:
    """Substitution scores of the letters."""
    letters = model.space_.letters_[0]
    lines = ["score  " + " ".join(f"{c!s:>6}" for c in letters)]
    for c, row in zip(letters, model.substitution_scores(), strict=True):
        lines.append(f"{c!s:>6} " + " ".join(f"{v:6.2f}" for v in row))
    return lines


def _draw(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import AlignmentDisplay

    return AlignmentDisplay.from_estimator(model, examples.X, examples.y)


STRUCTURE = Structure(
    name="alignment",
    estimator=AlignmentSVM,
    space=AlignmentSpace,
    summary="sequence alignment from FASTA with gaps",
    description="Train an aligner (AlignmentSVM) on pairs of aligned sequences: "
    "records 1 and 2, 3 and 4, and so on.",
    file="FASTA, gzip or plain; - is stdin",
    read=read,
    write=write,
    report=report,
    adapt=adapt,
    inspect=inspect,
    display={"alignment": _draw},
    sample=problems.sample,
    small={"C": 10.0},
    samples=problems.VARIANTS,
)
