"""``pystruct-ext inspect``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from pystruct_ext.cli._options import positive
from pystruct_ext.cli._report import certificate_lines
from pystruct_ext.cli.predict import load_model


def register(commands: Any) -> None:
    """Add the subcommand to a parser."""
    p = commands.add_parser("inspect", help="show what a model has learnt")
    p.add_argument("model", metavar="MODEL", help="- is stdin")
    p.add_argument(
        "--top", type=positive, default=5, help="features per label (default 5)"
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print sizes, the certificate, and the largest weights."""
    model, structure = load_model(args.model)
    lines = certificate_lines(structure, model)
    path = getattr(model, "C_path_", None)
    if path is not None:
        lines += ["", "path of C, by what was held out", *repr(path).splitlines()]
    if structure.inspect is not None:
        lines += structure.inspect(model, args.top)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
