"""Flags of ``learn``, made from the parameters of estimators."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from pystruct_ext.estimators import AutoC
from pystruct_ext.structures import Option, Structure
from pystruct_ext.utils.inputs import parse_size
from pystruct_ext.utils.messages import shorten
from pystruct_ext.utils.numpydoc import Parameter, converter, parameters

# What the command line itself means by these names.
RESERVED = {
    "auto",
    "command",
    "groups",
    "kind",
    "max_input",
    "output",
    "quiet",
    "run",
    "scoring",
    "skip_bad",
    "train",
}
# Code, which no flag can give.
LEFT_OUT = {"callback"}
# The same command gives the same model; progress is for terminals.
DEFAULTS = {"random_state": 0, "n_jobs": 1, "verbose": None}
OPTIONS = (Option("--seed", "random_state"), Option("-C", "C"))
PROGRAM = "pystruct-ext"


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
    if "C" in names:
        _add_search(parser)
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


def _add_search(parser: argparse.ArgumentParser) -> None:
    """Flags of the search for C."""
    parser.add_argument(
        "--auto",
        nargs="+",
        metavar="PARAMETER",
        help="with -C auto: other parameters to choose, such as false_cost",
    )
    parser.add_argument(
        "--scoring",
        metavar="NAME",
        help="with -C auto: a scorer of scikit-learn's, such as accuracy (default: the metric "
        "of the structure)",
    )
    parser.add_argument(
        "--groups",
        metavar="FILE",
        help="with -C auto: a name for each example, one a line; examples of one name are held "
        "out together",
    )


class Parser(argparse.ArgumentParser):
    """Errors on one line where they name the flag and its value; with the usage else."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        found = re.fullmatch(r"argument ([^:]+): (must be .*)", message, flags=re.S)
        if found is None:
            super().error(shorten(message, 500))
        flag = max(found.group(1).split("/"), key=len)
        self.exit(2, f"{PROGRAM}: error: {flag} {found.group(2)}\n")


def typed(expected: str, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """A type of an argument whose errors say what was expected and what was seen."""

    def value(text: str) -> Any:
        try:
            return convert(text)
        except (ValueError, OverflowError):
            raise argparse.ArgumentTypeError(
                f"must be {expected}, got {shorten(text)}"
            ) from None

    return value


def _integer(allowed: Callable[[int], bool]) -> Callable[[str], int]:
    def value(text: str) -> int:
        number = int(text)
        if not allowed(number):
            raise ValueError
        return number

    return value


positive = typed("an integer >= 1", _integer(lambda n: n >= 1))
seed = typed("an integer >= 0", _integer(lambda n: 0 <= n < 2**32))
threads = typed("an integer other than 0 (-1: all processors)", _integer(bool))
size = typed("a size such as 500M, 16G or none", parse_size)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Flags of all subcommands that read data."""
    parser.add_argument(
        "--max-input",
        type=size,
        default=argparse.SUPPRESS,
        metavar="SIZE",
        help="most that is read from a pipe or decompressed: 500M, 16G or none "
        "($PYSTRUCT_EXT_MAX_INPUT, else 4G and 100 times the compressed size)",
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing on stderr")


def _c(text: str) -> float | str:
    """A number, or "auto"."""
    number = text if text == "auto" else float(text)
    if number != number:
        raise ValueError
    return number


_OWN = {
    "C": typed("a number, or auto", _c),
    "n_jobs": threads,
    "random_state": seed,
}
_EXPECTED = {"int": "an integer", "float": "a number"}


def _checked(p: Parameter) -> Callable[[str], Any]:
    """What `converter` takes, but no NaN, which no parameter means."""
    convert = converter(p)

    def value(text: str) -> Any:
        number = convert(text)
        if isinstance(number, float) and math.isnan(number):
            raise ValueError
        return number

    if p.name in _OWN:
        return _OWN[p.name]
    if p.kind not in _EXPECTED:
        return convert
    return typed(_EXPECTED[p.kind] + (" or none" if p.nullable else ""), value)


def naming_flags(structure: Structure, text: str) -> str:
    """A message of an estimator with the flag in place of a parameter's name."""
    found = re.match(r"(?:\w+: )?(\w+) (?=must be )", text)
    if found is None:
        return text
    name = found.group(1)
    own = [o for o in structure.options if o.parameter == name and o.replaces]
    flags = {p.name for p in _settable(structure)}
    flags |= {o.flag.strip("-").replace("-", "_") for o in structure.options}
    if name not in flags:
        return text
    flag = own[0].flag if own else "--" + name.replace("_", "-")
    return f"{flag} {text[found.end() :]}"


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
        settings["type"] = _checked(p)
        settings["metavar"] = p.name.upper()
        if p.choices and p.name not in _OWN:
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
        strings = p.kind == "strs" and value is not None
        values[p.name] = tuple(value) if strings else value
    if getattr(args, "auto", None) or getattr(args, "scoring", None):
        if values.get("C") != "auto":
            raise ValueError("--auto and --scoring are for -C auto")
        values["C"] = AutoC(auto=("C", *(args.auto or ())), scoring=args.scoring)
    if "verbose" in values and values["verbose"] is None:
        values["verbose"] = int(not args.quiet and sys.stderr.isatty())
    return values
