"""Dependency trees."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pystruct_ext.estimators import DependencySVM
from pystruct_ext.io import (
    Treebank,
    conllu_of_lines,
    read_conllu,
    read_lines,
    sentence_lines,
    write_conllu,
)
from pystruct_ext.metrics import attachment_report
from pystruct_ext.outputs import DependencyTree, Sentence
from pystruct_ext.spaces import DependencySpace
from pystruct_ext.structures import _tagged
from pystruct_ext.structures.base import Examples, Option, Say, Structure
from pystruct_ext.structures.samples import dependency as problems


def read(path: str, on_error: str = "raise") -> Examples:
    """CoNLL-U, or columns word, tag and perhaps head; a file or a folder."""
    if path != "-" and Path(path).is_dir():
        return _examples(read_conllu(path, on_error))
    # Pipes cannot be read twice.
    lines = list(read_lines(path))
    try:
        return _examples(conllu_of_lines(lines, path, on_error))
    except ValueError as error:
        if _tagged.plain_sentences(lines) is None:
            raise
        raise ValueError(f"{error}; {_tagged.HINT}") from error


def _examples(bank: Treebank) -> Examples:
    return Examples(
        bank.sentences,
        bank.dependencies,
        bank.n_words,
        "words",
        f"{len(bank)} sentences, {bank.n_words} words",
        lambda out, y: write_conllu(out, bank, y),
        missing="has no heads, expected trees to learn from",
        source=bank,
        records=bank.records,
        take=lambda index: _examples(bank.take(index)),
    )


def write(path: str, X: Sequence[Sentence], y: Sequence[DependencyTree]) -> None:
    """CoNLL-U with words, tags, heads and relations."""
    lines = [sentence_lines(x, f"X: example {i}") for i, x in enumerate(X)]
    write_conllu(path, Treebank(list(X), None, lines), y)


def prepare(
    model: Any, examples: Examples, args: argparse.Namespace, say: Say
) -> Examples:
    """Labels where all trees have some."""
    without = [i for i, tree in enumerate(examples.y) if not tree.labels]
    if model.labelled and without:
        model.set_params(labelled=False)
        if len(without) < len(examples.y):
            say(
                f"warning: {len(without)} of {len(examples.y)} trees have no relations, the "
                f"first at {examples.records[without[0]]}: learning without relations"
            )
    examples.about += (
        f", {'labelled' if model.labelled else 'unlabelled'}, "
        f"{'projective' if model.projective else 'non-projective'}"
    )
    return examples


def adapt(model: Any, examples: Examples) -> Examples:
    """What a parser without a tagger reads has tags."""
    _tagged.require_tags(examples.X, model.space_.tags_)
    return examples


def _tagged_writer(
    examples: Examples, sentences: Sequence[Sentence]
) -> Callable[[str, Any], None]:
    """CoNLL-U with predicted tags, too."""
    bank = examples.source
    if bank is None:
        lines = [
            _text_lines(x, s, f"X: example {i}")
            for i, (x, s) in enumerate(zip(examples.X, sentences, strict=True))
        ]
        bank = Treebank(list(sentences), None, lines)
    return lambda out, y: write_conllu(out, bank, y, sentences)


def _text_lines(text: Any, sentence: Sentence, where: str) -> list[str]:
    """CoNLL-U of a sentence of plain text: its words, and where no space is between them."""
    rows = sentence_lines(sentence, where)
    if not isinstance(text, str):
        return [f"# text = {' '.join(text)}", *rows]
    at = 0
    for t, word in enumerate(sentence.forms):
        at = text.index(word, at) + len(word)
        if at < len(text) and not text[at].isspace():
            rows[t] = rows[t][:-1] + "SpaceAfter=No"
    return [f"# text = {text}", *rows]


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """Attachment, with and without punctuation."""
    y = examples.y
    return {
        "all words": attachment_report(y, predicted),
        "without punctuation": attachment_report(
            y, predicted, examples.X, punctuation=False
        ),
    }


def _draw(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import DependencyDisplay

    return DependencyDisplay.from_estimator(model, examples.X, examples.y)


_PARSER = Structure(
    name="dependency",
    estimator=DependencySVM,
    space=DependencySpace,
    summary="dependency parsing from CoNLL-U",
    description="Train a dependency parser (DependencySVM) on CoNLL-U trees, or on "
    "columns word, tag, head.",
    file="CoNLL-U file, gzip or plain, or folder of them; - is stdin",
    read=read,
    write=write,
    report=report,
    prepare=prepare,
    adapt=adapt,
    display={"tree": _draw},
    sample=problems.sample,
    small={"bits": 8, "label_bits": 4},
    samples=problems.VARIANTS,
    options=(
        Option("--unlabelled", "labelled", value=False, help="heads only"),
        Option(
            "--nonprojective",
            "projective",
            value=False,
            help="trees with crossing arcs, too",
        ),
        # --nonprojective has meant the space since the first version.
        Option("--nonprojective-truth", "nonprojective", replaces=True),
    ),
)

STRUCTURE = _tagged.wrapped(
    _PARSER,
    lambda lines, path, on_error: _examples(conllu_of_lines(lines, path, on_error)),
    _tagged_writer,
)
