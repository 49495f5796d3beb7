"""What the structures that read CoNLL columns share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pystruct_ext.io import DEFAULT_TEMPLATE, ColumnTable, read_lines, write_lines
from pystruct_ext.structures.base import Examples, Option
from pystruct_ext.utils.messages import shorten

TEMPLATE = Option(
    "--template", "template", replaces=True, metavar="FILE", help="CRF++ template"
)


def write_columns(
    path: str, X: Sequence[Sequence[Sequence[str]]], tags: Sequence[Sequence[str]]
) -> None:
    """Tokens, which are lists of cells, with a tag in the last column."""

    def lines() -> Iterator[str]:
        for x, y in zip(X, tags, strict=True):
            for cells, tag in zip(x, y, strict=True):
                for cell in (*cells, tag):
                    if cell.split() != [cell] or "\0" in cell:
                        raise ValueError(
                            f"{shorten(cell)!r} cannot be a cell, expected text without "
                            "white space"
                        )
                yield " ".join([*cells, tag])
            yield ""

    write_lines(path, lines())


def rows_of(table: ColumnTable) -> list[list[list[str]]]:
    """Sentences as lists of tokens, a token as the list of its cells."""
    columns = [table.column(j) for j in range(table.n_columns)]
    return [
        [list(cells) for cells in zip(*sentence, strict=True)]
        for sentence in zip(*columns, strict=True)
    ]


def set_template(model: Any, examples: Examples, path: str | None) -> Examples:
    """Give a model the template of a file, or one made for the columns."""
    template, origin = choose_template(path, examples.X)
    model.set_params(template=template)
    examples.about += f"; template: {origin}"
    return examples


def choose_template(path: str | None, table: ColumnTable) -> tuple[str, str]:
    """Template text and where it comes from."""
    if path is not None and path != "default":
        return "".join(f"{line}\n" for _, line in read_lines(path)), path
    if path == "default" or table.n_columns == 3:
        return DEFAULT_TEMPLATE, "default (word and tag windows)"
    lines = []
    for j in range(table.n_columns - 1):
        lines += [f"U{j}_{d + 2}:%x[{d},{j}]" for d in range(-2, 3)]
        lines += [f"U{j}_{5 + d}:%x[{d - 1},{j}]/%x[{d},{j}]" for d in (0, 1)]
    return "\n".join([*lines, "B", ""]), "made for these columns (windows of two)"


def check_truth(model: Any, table: ColumnTable) -> None:
    """Refuse a file whose last column is a feature of the model, not the truth."""
    read = [int(column) for column in re.findall(r"%x\[[^,\]]*,(\d+)", model.template)]
    needed = max(read, default=-1) + 1
    if table.n_columns <= needed:
        raise ValueError(
            f"has {table.n_columns} columns, all of which are features of the model, "
            f"expected {needed} and, in the last, the truth"
        )


def check_template(model: Any) -> None:
    """Refuse models that were not trained from columns."""
    if model.template is None:
        raise ValueError(
            f"holds a {type(model).__name__} that was not trained from columns"
        )
