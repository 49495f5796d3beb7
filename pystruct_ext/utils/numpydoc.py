"""What a numpydoc docstring says about the parameters of a class."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One entry of a "Parameters" section.

    Attributes
    ----------
    type : str
        Text after the colon, without the default; "" where there is none.
    text : str
        The description, on one line.
    """

    type: str
    text: str


@dataclass(frozen=True)
class Parameter:
    """A constructor parameter: what its signature and the docstring say together.

    Attributes
    ----------
    name : str
    default : object
        ``inspect.Parameter.empty`` if there is none.
    kind : {"bool", "int", "float", "str", "strs"} or None
        "strs" is a tuple of str; None if neither docstring nor annotation tells.
    choices : tuple of str
        Empty if any value of the kind goes.
    nullable : bool
        Whether None is a value.
    help : str
        First sentence of the description.
    """

    name: str
    default: Any
    kind: str | None
    choices: tuple[str, ...]
    nullable: bool
    help: str

    # The mark of a missing default.
    empty = inspect.Parameter.empty


def entries(doc: str | None) -> dict[str, Entry]:
    r"""Entries of the "Parameters" section of a docstring; grouped names each get one.

    Examples
    --------
    >>> entries("Parameters\n----------\na, b : int, default=1, 2\n    Sizes.")
    {'a': Entry(type='int', text='Sizes.'), 'b': Entry(type='int', text='Sizes.')}
    """
    found: dict[str, Entry] = {}
    for header, text in _blocks(_section(doc)):
        names, _, kind = header.partition(" : ")
        kind = re.split(r",?\s*default\s*=", kind)[0]
        kind = re.sub(r",?\s*optional$", "", kind.strip())
        for name in names.split(","):
            found[name.strip().lstrip("*")] = Entry(kind, text)
    return found


def _section(doc: str | None) -> list[str]:
    lines = inspect.cleandoc(doc or "").splitlines()
    rules = [k for k in range(1, len(lines)) if re.fullmatch(r"-{3,}", lines[k])]
    for k, nxt in pairwise([*rules, len(lines) + 1]):
        if lines[k - 1] == "Parameters":
            return lines[k + 1 : nxt - 1]
    return []


def _blocks(lines: list[str]) -> Iterator[tuple[str, str]]:
    header, text = "", ""
    for line in lines:
        if line[:1].isspace() or not line:
            text = f"{text} {line.strip()}".strip()
        elif header.endswith("\\"):
            header = header[:-1] + line
        else:
            if header:
                yield header, text
            header, text = line, ""
    if header:
        yield header, text


def entry_of(cls: type[Any], name: str, _depth: int = 0) -> Entry:
    """What the docstrings of a class, of its bases and of those they refer to say.

    A description "See `Other`." sends to the class ``Other``; "`name` is its `other_name`"
    to a parameter of another name there.
    """
    found = Entry("", "")
    for base in cls.__mro__:
        own = entries(base.__dict__.get("__doc__"))
        if name in own:
            found = own[name]
            break
    target = re.match(r"See `(\w+)`", found.text)
    if target is None or _depth > 5:
        return found
    other = _class_named(cls, target.group(1))
    if other is None:
        return found
    alias = re.search(rf"`{name}` is its `(\w+)`", found.text)
    there = entry_of(other, alias.group(1) if alias else name, _depth + 1)
    return Entry(found.type or there.type, there.text)


def _class_named(cls: type[Any], name: str) -> type[Any] | None:
    """A class by its name, as seen from the modules of a class and of its bases."""
    for base in cls.__mro__:
        module = base.__module__
        while module:
            found = getattr(sys.modules.get(module), name, None)
            if isinstance(found, type):
                return found
            module = module.rpartition(".")[0]
    return None


def parameters(cls: type[Any]) -> Iterator[Parameter]:
    """Parameters of a class's constructor, in its order.

    Examples
    --------
    >>> from pystruct_ext.spaces import FoldingSpace
    >>> prior = next(p for p in parameters(FoldingSpace) if p.name == "prior")
    >>> prior.kind, prior.choices, prior.nullable
    ('str', ('energy',), True)
    """
    for name, p in inspect.signature(cls).parameters.items():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        entry = entry_of(cls, name)
        annotation = "" if p.annotation is p.empty else str(p.annotation)
        kind, choices, nullable = _meaning(entry, annotation, p.default)
        yield Parameter(
            name, p.default, kind, choices, nullable, first_sentence(entry.text)
        )


def first_sentence(text: str) -> str:
    """The beginning of a text, up to a full stop or semicolon before a space."""
    found = re.match(r"(.*?)[.;](?:\s|$)", text)
    return found.group(1) if found else text


_WORDS = {"bool": "bool", "int": "int", "float": "float", "str": "str", "label": "str"}


def _meaning(
    entry: Entry, annotation: str, default: Any
) -> tuple[str | None, tuple[str, ...], bool]:
    """Kind, choices, and whether None is a value."""
    text = entry.type or annotation
    nullable = default is None or bool(re.search(r"\bNone\b", text))
    choices: tuple[str, ...] = ()
    braces = re.search(r"\{[^}]*\}", entry.type)
    if braces:
        values = ast.literal_eval(braces.group())
        # A set has no order of its own.
        choices = tuple(
            sorted(
                (v for v in values if isinstance(v, str)),
                key=lambda v: entry.type.index(f'"{v}"'),
            )
        )
    else:
        choices = tuple(re.findall(r'"([^"]+)"', entry.type))
    table = re.match(r"(?:A|The) name of `([\w.]+)`", entry.text)
    if table:
        names = [str(name) for name in _object_named(table.group(1))]
        if isinstance(default, str) and default not in names:
            names.append(default)
        choices = tuple(sorted(names))
    if choices:
        return "str", choices, nullable
    if re.search(r"tuple (of|\[)\s*str", text):
        return "strs", (), nullable
    known: Mapping[str, str] = _WORDS
    for word in re.findall(r"[A-Za-z_]+", text):
        if word in known:
            return known[word], (), nullable
    return None, (), nullable


def _object_named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def converter(parameter: Parameter) -> Callable[[str], Any]:
    """What turns the text of a command line into a value of a parameter.

    Returns
    -------
    callable
        Raises ValueError for text that is no value.
    """
    convert: Callable[[str], Any] = {"int": int, "float": float}.get(
        parameter.kind or "str", str
    )

    def value(text: str) -> Any:
        if parameter.nullable and text.lower() == "none":
            return None
        return convert(text)

    # argparse names it in messages.
    value.__name__ = parameter.kind or "str"
    return value


__all__ = [
    "Entry",
    "Parameter",
    "converter",
    "entries",
    "entry_of",
    "first_sentence",
    "parameters",
]
