"""``pystruct-ext inspect``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from pystruct_ext.cli.learn import summary
from pystruct_ext.cli.predict import as_sequence_model
from pystruct_ext.cli.predict_ranking import as_ranker, inspect_ranker
from pystruct_ext.cli.predict_structures import describe, reader_of
from pystruct_ext.persistence import load


def register(commands: Any) -> None:
    """Add the subcommand to a parser."""
    p = commands.add_parser("inspect", help="show what a model has learnt")
    p.add_argument("model", metavar="MODEL")
    p.add_argument("--top", type=int, default=5, help="features per label (default 5)")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print sizes, the certificate, and the largest weights."""
    if args.top < 1:
        raise ValueError(f"--top must be at least 1, got {args.top}")
    loaded = load(args.model)
    ranker = as_ranker(loaded, args.model)
    if ranker is not None:
        return inspect_ranker(ranker, args.top)
    if reader_of(loaded) is not None:
        sys.stdout.write("\n".join(describe(loaded)) + "\n")
        return 0
    model = as_sequence_model(loaded, args.model, None)
    out = [*summary(model), "", "largest transitions"]
    for p, q, weight in model.top_transitions(2 * args.top):
        out.append(f"  {weight:8.3f}  {p} -> {q}")
    for label in model.classes_.tolist():
        out += ["", f"{label}"]
        out += [
            f"  {v:8.3f}  {name}" for name, v in model.top_features(label, args.top)
        ]
    sys.stdout.write("\n".join(out) + "\n")
    return 0
