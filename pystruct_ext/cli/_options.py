"""Flags of ``learn``, made from the parameters of estimators."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from pystruct_ext.structures import Option, Structure
from pystruct_ext.utils.numpydoc import Parameter, converter, parameters

# What the command line itself means by these names.
RESERVED = {"command", "kind", "output", "quiet", "run", "skip_bad", "train"}
# Code, which no flag can give.
LEFT_OUT = {"callback"}
# The same command gives the same model; progress is for terminals.
DEFAULTS = {"random_state": 0, "n_jobs": 1, "verbose": None}
OPTIONS = (Option("--seed", "random_state"),)


def add_options(parser: argparse.ArgumentParser, structure: Structure) -> None:
    """Add a flag for every parameter of a structure's estimator, and its own options."""
    options = [*OPTIONS, *structure.options]
    for p in _settable(structure):
        if p.name in RESERVED:
            raise ValueError(
                f"{structure.estimator.__name__}: the parameter {p.name!r} cannot become a "
                "flag: the command line has one of this name"
            )
        own = [o for o in options if o.parameter == p.name and not o.has_value]
        _add_parameter(parser, structure, p, own)
    names = {p.name for p in _settable(structure)}
    for option in options:
        if not option.parameter:
            parser.add_argument(option.flag, **option.settings)
        elif option.has_value and option.parameter in names:
            parser.add_argument(
                option.flag,
                dest=option.parameter,
                action="store_const",
                const=option.value,
                default=argparse.SUPPRESS,
                **option.settings,
            )


def _settable(structure: Structure) -> list[Parameter]:
    return [p for p in parameters(structure.estimator) if p.name not in LEFT_OUT]


def _add_parameter(
    parser: argparse.ArgumentParser,
    structure: Structure,
    p: Parameter,
    own: list[Option],
) -> None:
    default = structure.defaults.get(p.name, DEFAULTS.get(p.name, p.default))
    flags = ["--" + p.name.replace("_", "-")]
    if any(o.replaces for o in own):
        flags = []
    flags += [o.flag for o in own]
    settings: dict[str, Any] = {"dest": p.name, "default": argparse.SUPPRESS}
    if p.kind == "bool":
        settings["action"] = argparse.BooleanOptionalAction
    else:
        settings["type"] = converter(p)
        settings["metavar"] = p.name.upper()
        if p.choices:
            values = [*p.choices, *(["none"] if p.nullable else [])]
            settings["choices"] = [*p.choices, *([None] if p.nullable else [])]
            settings["metavar"] = "{" + ",".join(values) + "}"
        if p.kind == "strs":
            settings["nargs"] = "+"
    if default is p.default is p.empty:
        settings["required"] = True
        settings["help"] = _escaped(p.help)
    else:
        settings["help"] = _escaped(f"{p.help} ({_shown(default)})".strip())
        parser.set_defaults(**{p.name: default})
    for option in own:
        settings.update(option.settings)
    parser.add_argument(*flags, **settings)


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if default is None or default == ():
        return "none"
    return f"{default:g}" if isinstance(default, float) else str(default)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def parameter_values(structure: Structure, args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of the estimator's constructor."""
    values = {}
    for p in _settable(structure):
        value = getattr(args, p.name)
        values[p.name] = tuple(value) if p.kind == "strs" else value
    if "verbose" in values and values["verbose"] is None:
        values["verbose"] = int(not args.quiet and sys.stderr.isatty())
    return values
