"""``pystruct-ext learn ranking`` and ``learn diverse-ranking``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pystruct_ext.cli._fitting import fit_and_save, run_guarded
from pystruct_ext.cli._report import Stages
from pystruct_ext.diversify import QueryTextFeatures
from pystruct_ext.estimators import DiverseRankingSVM, RankingSVM
from pystruct_ext.io import read_ambient, read_ambiguous_queries, read_letor
from pystruct_ext.spaces.ranking import RANKING_LOSSES
from pystruct_ext.spaces.slate import SLATE_LOSSES


def register(kinds: Any) -> None:
    """Add the subcommands to the parser of ``learn``."""
    p = kinds.add_parser(
        "ranking",
        help="learning to rank from LETOR lines (grade qid:ID 1:value ...)",
        description="Train a linear ranker (RankingSVM) on graded documents of queries.",
    )
    p.add_argument(
        "train", metavar="TRAIN", nargs="+", help="LETOR files, gzip or plain"
    )
    _common(p, loss="ndcg", losses=RANKING_LOSSES, C=1.0)
    p.add_argument("--gain", choices=["exponential", "linear"], default="exponential")
    p.set_defaults(run=lambda args: run_guarded(_ranking, args))

    p = kinds.add_parser(
        "diverse-ranking",
        help="diverse rankings of search results for ambiguous queries",
        description="Train DiverseRankingSVM on judged search results: JSON Lines in the "
        "format of pystruct_ext.datasets.load_ambiguous_queries, or AMBIENT's folder.",
    )
    p.add_argument("train", metavar="TRAIN", help="JSON Lines, or AMBIENT's folder")
    _common(p, loss="alpha_ndcg", losses=SLATE_LOSSES, C=0.1)
    p.add_argument(
        "--model", choices=["mixture", "sequential", "coverage"], default="mixture"
    )
    p.set_defaults(run=lambda args: run_guarded(_diverse, args))


def _common(p: Any, loss: str, losses: tuple[str, ...], C: float) -> None:
    p.add_argument(
        "-o", "--output", required=True, metavar="MODEL", help="file to write"
    )
    p.add_argument("--loss", choices=losses, default=loss, help=f"default {loss}")
    p.add_argument("--C", type=float, default=C, help=f"weight of the losses ({C:g})")
    p.add_argument("--top", type=int, default=10, help="depth (default 10)")
    p.add_argument(
        "--tol", type=float, default=0.01, help="relative gap (default 0.01)"
    )
    p.add_argument("--max-iter", type=int, help="largest number of epochs")
    p.add_argument(
        "--max-time", type=float, help="largest number of seconds of training"
    )
    p.add_argument("--quiet", action="store_true", help="say nothing on stderr")


def read_queries(path: str) -> list[Any]:
    """Search results to diversify: JSON Lines, or a folder in AMBIENT's format."""
    if Path(path).is_dir():
        return list(read_ambient(path))
    return list(read_ambiguous_queries(path))


def _ranking(args: argparse.Namespace, stages: Stages) -> int:
    with stages.stage("read"):
        data = read_letor(args.train)
    stages.say(f"{'data':<10} {data.X.shape[0]} documents, {data.X.shape[1]} features")
    model = RankingSVM(
        C=args.C,
        loss=args.loss,
        top=args.top,
        gain=args.gain,
        tol=args.tol,
        max_iter=args.max_iter,
        max_time=args.max_time,
        verbose=int(not args.quiet and sys.stderr.isatty()),
    )
    return fit_and_save(model, args, stages, data.X, data.y, qid=data.qid)


def _diverse(args: argparse.Namespace, stages: Stages) -> int:
    with stages.stage("read"):
        queries = read_queries(args.train)
    with stages.stage("features"):
        text = QueryTextFeatures().fit(queries)
        X = text.transform(queries)
    stages.say(f"{'data':<10} {len(X)} queries, {sum(map(len, X))} documents")
    model = DiverseRankingSVM(
        C=args.C,
        loss=args.loss,
        model=args.model,
        top=args.top,
        tol=args.tol,
        max_iter=args.max_iter or 100,
        max_time=args.max_time,
        verbose=int(not args.quiet and sys.stderr.isatty()),
    )
    model.text_features_ = text
    return fit_and_save(model, args, stages, X)
