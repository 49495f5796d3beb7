"""Files as examples, and what to do with bad records: the same for every structure."""

from __future__ import annotations

import argparse
import inspect
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pystruct_ext.structures import Examples, Structure
from pystruct_ext.utils.listed import listed

Say = Callable[[str], None]

_EXAMPLE = re.compile(r"\b(\w+): example (\d+)")


def add_reading_options(parser: argparse.ArgumentParser, predicting: bool) -> None:
    """Flags about records."""
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave bad records out, counting and naming them, rather than stop",
    )
    if predicting:
        parser.add_argument(
            "--constraints",
            action="store_true",
            help="folding: the lines after sequences say what folds must be (. | x < > ( ))",
        )


def read_examples(
    structure: Structure,
    paths: Sequence[str],
    say: Say,
    skip_bad: bool,
    constraints: bool = False,
) -> Examples:
    """What files hold; what readers warn of is said.

    Raises
    ------
    ValueError
        For bad records unless ``--skip-bad``, and for flags that the reader has no use for.
    """
    takes = inspect.signature(structure.read).parameters
    options: dict[str, Any] = {}
    for given, flag, name, value in (
        (skip_bad, "--skip-bad", "on_error", "skip"),
        (constraints, "--constraints", "constraints", True),
    ):
        if given and name not in takes:
            raise ValueError(
                f"{flag}: the reader of {structure.name} files has no use for it"
            )
        if given:
            options[name] = value
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        examples = structure.read(*paths, **options)
    for warning in caught:
        say(f"warning: {warning.message}")
    return examples


def predicted(
    model: Any,
    structure: Structure,
    examples: Examples,
    args: argparse.Namespace,
    say: Say,
) -> tuple[Examples, Any]:
    """Predictions, and the examples they are of: those that the model takes.

    Raises
    ------
    ValueError
        With the file, or with file, line and name of the record at fault.
    """

    def predict(some: Examples) -> tuple[Examples, Any]:
        if structure.adapt is not None:
            some = structure.adapt(model, some)
        return some, model.predict(some.X, **some.predict_params)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = predict(examples)
        except ValueError as error:
            if not (args.skip_bad and examples.take is not None):
                raise ValueError(f"{_where(examples, error, args.file)}") from error
            take = examples.take
            made = predict(
                _without_bad(examples, lambda i: predict(take([i])), error, say)
            )
    for text in dict.fromkeys(str(w.message) for w in caught):
        say(f"warning: {text}")
    return made


def with_groups(examples: Examples, path: str, skip_bad: bool) -> Examples:
    """Examples with the groups of a file, one a line.

    Raises
    ------
    ValueError
        For ``--skip-bad``, which leaves examples out, and for another number of lines.
    """
    if skip_bad:
        raise ValueError("--groups: has a line for every example, so no --skip-bad")
    names = [text.strip() for text in Path(path).read_text("utf8").splitlines()]
    n = examples.X.shape[0] if hasattr(examples.X, "shape") else len(examples.X)
    if "qid" in examples.fit_params:
        n = len(set(map(str, examples.fit_params["qid"])))
    if len(names) != n:
        raise ValueError(
            f"--groups: {path} has {len(names)} lines, expected {n}: one for each example"
        )
    return replace(examples, fit_params={**examples.fit_params, "groups": names})


def fitted(
    model: Any, structure: Structure, examples: Examples, skip: bool, say: Say
) -> Examples:
    """Fit a model; the examples that it was fitted on.

    Raises
    ------
    ValueError
        With file, line and name of the record at fault.
    """
    try:
        model.fit(examples.X, examples.y, **examples.fit_params)
        return examples
    except ValueError as error:
        if not (skip and examples.take is not None):
            raise ValueError(_where(examples, error, "")) from error
        reason = error
    own = structure.part(model).get_params(deep=False)
    own["task_loss"] = own.get("loss")
    names = structure.space().get_params(deep=False)
    params = {name: own[name] for name in names if name in own}

    def pack(i: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            structure.space(**params).fit_pack([examples.X[i]], [examples.y[i]])

    kept = _without_bad(examples, pack, reason, say)
    model.fit(kept.X, kept.y, **kept.fit_params)
    return kept


def _without_bad(
    examples: Examples,
    attempt: Callable[[int], Any],
    reason: ValueError,
    say: Say,
) -> Examples:
    """The examples that can be attempted one by one, the others named."""
    good: list[int] = []
    bad: list[str] = []
    for i, record in enumerate(examples.records):
        try:
            attempt(i)
        except (ValueError, TypeError) as error:
            bad.append(
                f"{record}: {_EXAMPLE.sub('it', str(error)).removeprefix('it ')}"
            )
        else:
            good.append(i)
    if not bad or examples.take is None:
        raise reason
    if not good:
        raise ValueError(f"all {len(bad)} records are bad: {listed(bad)}") from reason
    say(
        f"warning: {len(bad)} of {len(bad) + len(good)} records left out: {listed(bad)}"
    )
    return examples.take(good)


def _where(examples: Examples, error: ValueError, file: str) -> str:
    """An error with the record that it is about, or else with the file."""
    match = _EXAMPLE.search(str(error))
    if match and int(match[2]) < len(examples.records):
        return f"{examples.records[int(match[2])]}: {error}"
    return f"{file}: {error}" if file else str(error)


__all__ = ["add_reading_options", "fitted", "predicted", "read_examples"]
