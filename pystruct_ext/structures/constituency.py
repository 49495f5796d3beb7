"""Constituency trees."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pystruct_ext.estimators import ConstituencySVM
from pystruct_ext.io import (
    BadRecords,
    conllu_of_lines,
    read_brackets,
    read_lines,
    trees_of_lines,
    write_brackets,
)
from pystruct_ext.metrics import bracket_report
from pystruct_ext.outputs import Sentence, Tree
from pystruct_ext.spaces import ConstituencySpace
from pystruct_ext.structures import _tagged
from pystruct_ext.structures.base import Examples, Say, Structure
from pystruct_ext.structures.samples import constituency as problems
from pystruct_ext.utils.listed import listed
from pystruct_ext.utils.messages import shorten


def read(*paths: str, on_error: str = "raise") -> Examples:
    """Bracketed trees in files or folders, or one file of words and tags."""
    if len(paths) == 1 and (paths[0] == "-" or not Path(paths[0]).is_dir()):
        path = paths[0]
        # Pipes cannot be read twice.
        lines = list(read_lines(path))
        try:
            return _of_lines(lines, path, on_error)
        except ValueError as error:
            if _is_trees(lines) or _tagged.plain_sentences(lines) is None:
                raise
            raise ValueError(f"{error}; {_tagged.HINT}") from error
    trees = read_brackets(list(paths), on_error=on_error)
    return _examples([tree.sentence() for tree in trees], trees, ())


def _first(lines: _tagged.Lines) -> str:
    return next((text.strip() for _, text in lines if text.strip()), "(")


def _of_lines(lines: _tagged.Lines, path: str, on_error: str) -> Examples:
    """Trees, or words with tags."""
    first = _first(lines)
    # "(/-LRB-" is a word and its tag.
    if not first.startswith("(") or first.startswith("(/"):
        return _words_and_tags(path, lines, first, on_error)
    records, trees = trees_of_lines(lines, path, on_error)
    return _examples([tree.sentence() for tree in trees], trees, records)


def _is_trees(lines: _tagged.Lines) -> bool:
    """Whether lines begin as a tree does, not as text in brackets."""
    return re.match(r"\(\s*(?:[^\s()]*\s*(?:\(|$))", _first(lines)) is not None


def _has_format(lines: _tagged.Lines) -> bool:
    """Whether lines are trees, or words with tags after slashes."""
    return _is_trees(lines) or all(_split(token) for token in _first(lines).split())


def _examples(
    sentences: Sequence[Sentence],
    trees: Sequence[Tree] | None,
    records: Sequence[str],
) -> Examples:
    words = sum(len(x.forms) for x in sentences)

    def chosen(index: Sequence[int]) -> Examples:
        return _examples(
            [sentences[i] for i in index],
            None if trees is None else [trees[i] for i in index],
            [records[i] for i in index] if records else (),
        )

    return Examples(
        sentences,
        trees,
        words,
        "words",
        f"{len(sentences)} {'sentences' if trees is None else 'trees'}, {words} words",
        write_brackets,
        missing="has words with tags only, expected bracketed trees to learn from",
        records=records,
        take=chosen,
    )


def _words_and_tags(
    path: str, lines: Sequence[tuple[int, str]], first: str, on_error: str
) -> Examples:
    """Lines of word/TAG, or columns: word and tag, or CoNLL-U."""
    if all(_split(token) for token in first.split()):
        return _slashed(path, lines, on_error)
    cells = first.split("\t") if "\t" in first else first.split()
    if len(cells) in (2, 3, 10) or first.startswith("#"):
        bank = conllu_of_lines(lines, path, on_error)
        return _examples(bank.sentences, None, bank.records)
    return _slashed(path, lines, on_error)


def _slashed(path: str, lines: Sequence[tuple[int, str]], on_error: str) -> Examples:
    bad = BadRecords(on_error, "sentences")
    sentences, records = [], []
    for number, line in lines:
        pairs = [(_split(token), token) for token in line.split()]
        wrong = next((token for pair, token in pairs if pair is None), None)
        if wrong is not None:
            bad.add(
                ValueError(
                    f"{path}:{number}: {shorten(wrong)!r} is not word/TAG; expected that, "
                    "columns of word and tag, or brackets"
                )
            )
        elif pairs:
            words = [pair for pair, _ in pairs if pair is not None]
            sentences.append(
                Sentence(tuple(w for w, _ in words), tuple(t for _, t in words))
            )
            records.append(f"{path}:{number}")
    bad.finish(path, len(sentences))
    return _examples(sentences, None, records)


def _split(token: str) -> tuple[str, str] | None:
    word, _, tag = token.rpartition("/")
    # Files of trees have them as -LRB- and -RRB-.
    word = word.replace("-LRB-", "(").replace("-RRB-", ")")
    return (word, tag) if word and tag else None


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
        if examples.records:
            long = [r for i, r in enumerate(examples.records) if i not in set(fits)]
            say(f"warning: left out: {listed(long)}")
        if examples.take is not None:
            return examples.take(fits)
    return examples


def adapt(model: Any, examples: Examples) -> Examples:
    """What a parser without a tagger reads has tags; trees have what they have."""
    if examples.y is None:
        _tagged.require_tags(examples.X)
    return examples


def _tagged_writer(
    examples: Examples, sentences: Sequence[Sentence]
) -> Callable[[str, Any], None]:
    """Brackets hold the predicted tags."""
    return write_brackets


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


_PARSER = Structure(
    name="constituency",
    estimator=ConstituencySVM,
    space=ConstituencySpace,
    summary="constituency parsing from Penn brackets",
    description="Train a constituency parser (ConstituencySVM) on bracketed trees; "
    "function tags and traces are taken off.",
    file="bracket files or folders of them; - is stdin",
    many=True,
    read=read,
    write=write,
    report=report,
    prepare=prepare,
    adapt=adapt,
    describe=describe,
    display={"tree": _draw},
    sample=problems.sample,
    small={"bits": 6, "split_bits": 6},
    samples=problems.VARIANTS,
)

STRUCTURE = _tagged.wrapped(_PARSER, _of_lines, _tagged_writer, _has_format)
