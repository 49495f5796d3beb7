"""Constituency trees."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pystruct_ext.estimators import ConstituencySVM
from pystruct_ext.io import read_brackets, read_lines, write_brackets
from pystruct_ext.metrics import bracket_report
from pystruct_ext.outputs import Sentence, Tree
from pystruct_ext.spaces import ConstituencySpace
from pystruct_ext.structures.base import Examples, Problem, Say, Structure, take
from pystruct_ext.structures.samples import constituency as problems
from pystruct_ext.utils.inputs import HeldInput


def read(*paths: str) -> Examples:
    """Bracketed trees, or lines of word/TAG."""
    sources: list[Any] = list(paths)
    if len(paths) == 1 and not Path(paths[0]).is_dir():
        # Pipes cannot be read twice.
        held = HeldInput(paths[0])
        first = next((t for _, t in read_lines(held) if t.strip()), "(")
        held.seek(0)
        if not first.lstrip().startswith("("):
            return _examples(_tagged(paths[0], read_lines(held)), None)
        sources = [held]
    trees = read_brackets(sources)
    return _examples([tree.sentence() for tree in trees], trees)


def _examples(sentences: list[Sentence], trees: list[Tree] | None) -> Examples:
    words = sum(len(x.forms) for x in sentences)
    return Examples(
        sentences,
        trees,
        words,
        "words",
        f"{len(sentences)} {'sentences' if trees is None else 'trees'}, {words} words",
        write_brackets,
        missing="has words with tags only, expected bracketed trees to learn from",
    )


def _tagged(path: str, lines: Iterable[tuple[int, str]]) -> list[Sentence]:
    sentences = []
    for number, line in lines:
        cells = [token.rpartition("/") for token in line.split()]
        if not cells:
            continue
        bad = next((c[2] for c in cells if not c[0] or not c[2]), None)
        if bad is not None:
            raise ValueError(
                f"{path}:{number}: {bad!r} is not word/TAG; expected that, or brackets"
            )
        sentences.append(
            Sentence(tuple(c[0] for c in cells), tuple(c[2] for c in cells))
        )
    return sentences


def write(path: str, X: Sequence[Sentence], y: Sequence[Tree]) -> None:
    """Brackets; they hold words and tags, too."""
    write_brackets(path, y)


def prepare(
    model: Any, examples: Examples, args: argparse.Namespace, say: Say
) -> Examples:
    """Sentences beyond the limit are told, and left out, rather than stop a long run."""
    fits = [i for i, x in enumerate(examples.X) if len(x.forms) <= model.max_length]
    n_long = len(examples.X) - len(fits)
    if n_long:
        say(f"warning: {n_long} trees of more than {model.max_length} words left out")
        kept = take(Problem(examples.X, examples.y), fits)
        return _examples(kept.X, kept.y)
    return examples


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """Labelled brackets."""
    return {"brackets": bracket_report(examples.y, predicted)}


def describe(model: Any) -> list[str]:
    """The grammar, where there is one."""
    grammar = model.space_.grammar_
    return [] if grammar is None else [f"{'grammar':<10} {grammar!r}"]


def _draw(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import TreeDisplay

    return TreeDisplay.from_estimator(model, examples.X, examples.y)


STRUCTURE = Structure(
    name="constituency",
    estimator=ConstituencySVM,
    space=ConstituencySpace,
    summary="constituency parsing from Penn brackets",
    description="Train a constituency parser (ConstituencySVM) on bracketed trees; "
    "function tags and traces are taken off.",
    file="bracket files or folders of them",
    many=True,
    read=read,
    write=write,
    report=report,
    prepare=prepare,
    describe=describe,
    display={"tree": _draw},
    sample=problems.sample,
    small={"bits": 6, "split_bits": 6},
    samples=problems.VARIANTS,
)
