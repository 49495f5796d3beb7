"""RNA secondary structures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pystruct_ext.estimators import FoldingSVM
from pystruct_ext.io import RnaFolds, read_folds, suffix_of, write_folds
from pystruct_ext.metrics import base_pair_report
from pystruct_ext.spaces import FoldingSpace
from pystruct_ext.structures._scored import TABLES, Score, scorer
from pystruct_ext.structures.base import Examples, Option, Structure
from pystruct_ext.structures.samples import folding as problems


def read(path: str, on_error: str = "raise", constraints: bool = False) -> Examples:
    """Dot-bracket, CT, BPSEQ or a table; a file or a folder."""
    return _examples(read_folds(path, on_error, constraints=constraints))


def _examples(data: RnaFolds, score: Score | None = None) -> Examples:
    def write_predicted(out: str, y: Any) -> None:
        columns: dict[str, Any] = dict(data.columns)
        if score and suffix_of(out) in TABLES:
            columns["score"] = score(data.sequences, y)
        write_folds(out, data.names, data.sequences, y, columns)

    bases = sum(map(len, data.sequences))
    return Examples(
        data.sequences,
        data.folds,
        bases,
        "bases",
        f"{len(data)} sequences, {bases} bases",
        write_predicted,
        missing="has no structures to learn from",
        source=data,
        records=data.records,
        take=lambda index: _examples(data.take(index), score),
        predict_params=(
            {} if data.constraints is None else {"constraints": data.constraints}
        ),
    )


def adapt(model: Any, examples: Examples) -> Examples:
    """Tables have scores, too."""
    return _examples(examples.source, scorer(model))


def write(path: str, X: Sequence[str], y: Sequence[str]) -> None:
    """Dot-bracket with made-up names."""
    write_folds(path, [f"s{i + 1}" for i in range(len(X))], X, y)


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """Base pairs, as they are and shifted."""
    return {
        "base pairs": base_pair_report(examples.y, predicted),
        "base pairs, shifted by up to 1": base_pair_report(
            examples.y, predicted, slip=1
        ),
    }


def inspect(model: Any, top: int) -> list[str]:
    """Ranges of the weights, group by group."""
    lines = []
    weights = model.coef_ * getattr(model.space_, "scales_", 1.0)
    for group, start, size in model.space_.feature_groups():
        part = weights[start : start + size]
        lines.append(
            f"{group:<20} {size:5d} weights, from {part.min():8.3f} to {part.max():8.3f}"
        )
    return lines


def _draw(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import FoldingDisplay

    return FoldingDisplay.from_estimator(model, examples.X, examples.y)


STRUCTURE = Structure(
    name="folding",
    estimator=FoldingSVM,
    space=FoldingSpace,
    summary="RNA folding from dot-bracket, CT, BPSEQ or CSV",
    description="Train a folding model (FoldingSVM) on RNA structures.",
    file="structures, gzip or plain, or folder of them; - is stdin",
    read=read,
    write=write,
    report=report,
    adapt=adapt,
    inspect=inspect,
    display={"fold": _draw},
    sample=problems.sample,
    small={"C": 1.0},
    samples=problems.VARIANTS,
    options=(
        Option(
            "--prior",
            "prior",
            replaces=True,
            choices=None,
            metavar="{energy,none,FILE}",
            help="free energies of Turner 2004, none, or of a parameter file in "
            "ViennaRNA's format (energy)",
        ),
        Option("--no-energy", "prior", value=None, help="without the energy prior"),
        Option("--any-pair", "canonical", value=False, help="not only AU, CG and GU"),
    ),
)
