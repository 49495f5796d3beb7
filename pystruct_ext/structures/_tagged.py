"""Parsers with a tagger: plain text and untagged columns for the structures of parsers."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pystruct_ext.estimators import SequenceSVM, TaggedParser
from pystruct_ext.io import read_clusters, read_lines
from pystruct_ext.metrics import token_accuracy
from pystruct_ext.outputs import Sentence
from pystruct_ext.structures import sequence
from pystruct_ext.structures.base import Examples, Option, Structure, Wrapped

Lines = Sequence[tuple[int, str]]

NO_TAG = "_"
HINT = "plain text is parsed by models learnt with --tagger"

#: Flags of ``learn`` for parsers.
OPTIONS = (
    Option(
        "--tagger",
        action="store_true",
        help="train a tagger, too, so that the model reads plain sentences",
    ),
    Option(
        "--tag-folds",
        type=int,
        default=5,
        metavar="K",
        help="parts of the jackknife of --tagger (5; 0: train on gold tags)",
    ),
    Option(
        "--tagger-C",
        type=float,
        default=None,
        metavar="C",
        help="C of the tagger (that of SequenceSVM)",
    ),
    Option(
        "--tokenizer",
        choices=("simple", "whitespace"),
        default="simple",
        help="how a model with --tagger cuts plain sentences into words (simple)",
    ),
    Option(
        "--clusters",
        metavar="FILE",
        default=None,
        help="Brown clusters (bits, word) for the tagger",
    ),
)


def wrap(model: Any, args: argparse.Namespace) -> TaggedParser | None:
    """A tagger around a parser, where the flags ask for one."""
    if not args.tagger:
        given = [
            flag
            for flag, value, default in (
                ("--tag-folds", args.tag_folds, 5),
                ("--tagger-C", args.tagger_C, None),
                ("--tokenizer", args.tokenizer, "simple"),
                ("--clusters", args.clusters, None),
            )
            if value != default
        ]
        if given:
            raise ValueError(f"{given[0]} needs --tagger")
        return None
    tagger = SequenceSVM(n_jobs=model.n_jobs, random_state=model.random_state)
    if args.tagger_C is not None:
        tagger.set_params(C=args.tagger_C)
    return TaggedParser(
        model,
        tagger,
        n_folds=args.tag_folds,
        tokenizer=args.tokenizer,
        clusters=None if args.clusters is None else read_clusters(args.clusters),
        verbose=model.verbose,
    )


def wrapped(
    structure: Structure,
    read: Callable[[Lines, str, str], Examples],
    write: Callable[..., Callable[[str, Any], None]],
    has_format: Callable[[Lines], bool] = lambda lines: False,
) -> Structure:
    """A structure whose parser may have a tagger.

    Parameters
    ----------
    structure : Structure
        Of the parser.
    read : callable
        ``read(lines, path, on_error)``: what is not plain text.
    write : callable
        ``write(examples, sentences)``: a writer of predictions, as `Examples.write` is.
        ``examples.X`` is what was read: sentences, strings or lists of words.
    has_format : callable
        ``has_format(lines)``: whether lines that could be plain text are none.
    """
    base = structure

    def read_any(path: str, on_error: str = "raise") -> Examples:
        if path != "-" and Path(path).is_dir():
            return base.read(path, on_error=on_error)
        lines = list(read_lines(path))
        made = None if has_format(lines) else plain_sentences(lines)
        if made is None:
            return read(lines, path, on_error)
        return _text([x for x, _ in made], [f"{path}:{k}" for _, k in made])

    def adapt(model: Any, examples: Examples) -> Examples:
        sentences = model.tag(examples.X)
        return replace(
            examples,
            X=sentences,
            count=sum(len(s.forms) for s in sentences),
            write=write(examples, sentences),
            predict_params={"tagged": True},
            source=examples.X,
        )

    def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
        gold: Sequence[Sentence] = examples.source
        found = base.report(replace(examples, X=gold), predicted, model)
        scores = dict(found)
        for name, column in (("tags", "tags"), ("fine tags", "fine_tags")):
            true, seen = (
                [list(getattr(s, column)) for s in some] for some in (gold, examples.X)
            )
            known = all(true) and all(seen) and {t for y in true for t in y} != {NO_TAG}
            if known:
                scores[f"accuracy of {name}"] = float(token_accuracy(true, seen))
        return scores

    shape = replace(
        base,
        estimator=TaggedParser,
        read=read_any,
        adapt=adapt,
        report=report,
        describe=lambda model: [
            *([] if base.describe is None else base.describe(model)),
            *_describe(model),
        ],
        inspect=_inspect,
        options=(),
        wrapped=None,
        part=lambda model: model.parser,
    )

    def holds(estimator: Any) -> bool:
        if type(estimator) is not TaggedParser:
            return False
        inner = vars(estimator).get("parser_", estimator.parser)
        return type(inner) is base.estimator

    return replace(
        base,
        options=(*base.options, *OPTIONS),
        wrapped=Wrapped(shape, wrap, holds),
    )


def plain_sentences(lines: Lines) -> list[tuple[Any, int]] | None:
    """Sentences of plain text with their line numbers; None where lines are something else.

    Text is what has no tabs in its first line, and is neither CoNLL-U nor columns of word,
    tag and head between spaces. Lines of one word each, with blank lines between some of
    them, are columns of words: lists of str. Other lines are sentences: str.
    """
    full = [(k, line) for k, line in lines if line.strip()]
    first = next((line for _, line in full if not line.startswith("#")), None)
    if first is None:
        return None
    if "\t" in first.strip() or _is_columns(lines):
        return None
    words = [line.split() for _, line in full]
    blank = any(not line.strip() for _, line in lines[:-1])
    if blank and all(len(w) == 1 for w in words) and len(_blocks(lines)) < len(full):
        return [([w for w, _ in block], block[0][1]) for block in _blocks(lines)]
    return [(line.strip(), k) for k, line in full]


def _blocks(lines: Lines) -> list[list[tuple[str, int]]]:
    """Lines between blank ones, with their numbers."""
    blocks: list[list[tuple[str, int]]] = [[]]
    for k, line in lines:
        if line.strip():
            blocks[-1].append((line.strip(), k))
        elif blocks[-1]:
            blocks.append([])
    return [b for b in blocks if b]


def _is_columns(lines: Lines) -> bool:
    """Whether the first sentence is CoNLL-U, or word, tag and head, between spaces."""
    some = [b for b in _blocks(lines) if not all(w.startswith("#") for w, _ in b)][:1]
    rows = [w.split() for w, _ in some[0] if not w.startswith("#")] if some else []
    if rows and all(len(r) == 10 for r in rows) and rows[0][0].startswith("1"):
        return True
    heads = [r[2] for r in rows if len(r) == 3]
    return len(heads) == len(rows) > 0 and all(map(str.isdigit, heads)) and "0" in heads


def _text(sentences: Sequence[Any], records: Sequence[str]) -> Examples:
    """Plain sentences, or lists of words."""

    def refuse(path: str, y: Any) -> None:
        raise TypeError(f"sentences without tags cannot be written; {HINT}")

    return Examples(
        sentences,
        None,
        sum(len(x.split()) if isinstance(x, str) else len(x) for x in sentences),
        "words",
        f"{len(sentences)} plain sentences",
        refuse,
        missing="is plain text, expected trees",
        records=records,
        take=lambda index: _text(
            [sentences[i] for i in index], [records[i] for i in index]
        ),
    )


def require_tags(X: Sequence[Sentence], known: Sequence[str] = ()) -> None:
    """Refuse sentences without tags, which a parser by itself cannot read.

    Parameters
    ----------
    X : list of Sentence
    known : sequence of str
        Tags that the parser was trained with.
    """
    if NO_TAG in known:
        return
    for i, x in enumerate(X):
        if all(tag == NO_TAG for tag in x.tags):
            raise ValueError(
                f"X: example {i} has no tags ({NO_TAG}), which the model needs: learn it "
                "with --tagger to parse words without tags"
            )


def _describe(model: TaggedParser) -> list[str]:
    """Certificates and accuracies of the taggers."""
    lines = []
    for name, tagger, accuracy in (
        ("tagger", model.tagger_, model.tag_accuracy_),
        ("fine tags", model.fine_tagger_, model.fine_tag_accuracy_),
    ):
        if tagger is None:
            continue
        text = (
            f"{name:<10} {len(tagger.classes_)} tags, {tagger.n_features_in_} features, "
            f"relative gap {100 * tagger.relative_gap_:.3g} % (certificate: "
            f"{tagger.certificate_}), {tagger.status_} after {tagger.n_iter_} epochs"
        )
        if accuracy is not None:
            text += f"; jackknifed accuracy {100 * accuracy:.2f} %"
        lines.append(text)
    hyphens = "apart" if model.split_hyphens_ else "together"
    lines.append(
        f"{'tokenizer':<10} {model.tokenizer}"
        + (f", words with hyphens {hyphens}" if model.tokenizer == "simple" else "")
    )
    return lines


def _inspect(model: TaggedParser, top: int) -> list[str]:
    """The largest weights of the tagger."""
    return ["", "tagger", *sequence.inspect(model.tagger_, top)]


__all__ = [
    "HINT",
    "OPTIONS",
    "Lines",
    "plain_sentences",
    "require_tags",
    "wrap",
    "wrapped",
]
