"""``predict`` and ``evaluate`` for rankers: TREC runs out, official measures."""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

import numpy as np

from pystruct_ext import metrics
from pystruct_ext.cli._report import Stages
from pystruct_ext.cli.learn_ranking import read_queries
from pystruct_ext.diversify.text_features import (
    FEATURE_NAMES,
    RELATION_NAMES,
    TOPIC_NAMES,
    WORD_NAMES,
)
from pystruct_ext.estimators import DiverseRankingSVM, RankingSVM
from pystruct_ext.io import read_letor, write_run


def as_ranker(model: Any, path: str) -> RankingSVM | DiverseRankingSVM | None:
    """The loaded model if it ranks, else None."""
    if isinstance(model, DiverseRankingSVM) and not hasattr(model, "text_features_"):
        raise ValueError(
            f"{path}: holds a DiverseRankingSVM that was not trained from text; use it from "
            "Python"
        )
    return model if isinstance(model, (RankingSVM, DiverseRankingSVM)) else None


def _letor(model: RankingSVM, file: str) -> Any:
    data = read_letor(file, sparse_output=True)
    X, n = data.X, model.n_features_in_
    if X.shape[1] > n:
        raise ValueError(f"{file}: has {X.shape[1]} features, the model has {n}")
    # Trailing zeros are not written in this format.
    X.resize((X.shape[0], n))
    return data, model.predict(X)


def _documents(comments: list[str]) -> list[str]:
    found = [re.search(r"docid\s*=\s*(\S+)", c) for c in comments]
    return [m.group(1) if m else f"row{r + 1}" for r, m in enumerate(found)]


def predict(model: Any, args: argparse.Namespace, stages: Stages) -> int:
    """Write a TREC run."""
    run: dict[str, list[tuple[str, float]]] = {}
    if isinstance(model, RankingSVM):
        data, scores = _letor(model, args.file)
        docs = _documents(data.comments)
        for qid in dict.fromkeys(data.qid.tolist()):
            rows = np.flatnonzero(data.qid == qid)
            rows = rows[np.argsort(-scores[rows], kind="stable")]
            run[str(qid)] = [(docs[r], float(scores[r])) for r in rows]
    else:
        queries = read_queries(args.file)
        slates = model.predict(model.text_features_.transform(queries))
        for q, slate in zip(queries, slates, strict=True):
            ids = getattr(q, "doc_ids", None) or [
                f"{d + 1}" for d in range(len(q.titles))
            ]
            name = q.query.replace(" ", "_")
            run[name] = [(ids[d], float(len(slate) - p)) for p, d in enumerate(slate)]
    if args.output == "-":
        for qid, ranked in run.items():
            for rank, (doc, score) in enumerate(ranked, 1):
                sys.stdout.write(f"{qid} Q0 {doc} {rank} {score!r} pystruct_ext\n")
    else:
        write_run(args.output, run)
    stages.say(f"{len(run)} queries")
    return 0


def evaluate(model: Any, args: argparse.Namespace, stages: Stages) -> int:
    """Print measures."""
    if isinstance(model, RankingSVM):
        data, s = _letor(model, args.file)
        y, q = data.y, data.qid
        table = {f"ndcg@{k}": metrics.ndcg(y, s, q, k) for k in (1, 3, 5, 10)}
        table["map"] = metrics.mean_average_precision(y, s, q)
        table["mrr"] = metrics.mean_reciprocal_rank(y, s, q)
    else:
        queries = read_queries(args.file)
        slates = model.predict(model.text_features_.transform(queries))
        rows = []
        for q, slate in zip(queries, slates, strict=True):
            r, p = q.relevance, getattr(q, "probabilities", None)
            rows.append(
                {
                    "alpha_ndcg@10": metrics.alpha_ndcg(r, slate, 10, 0.5, p),
                    "err_ia@10": metrics.err_ia(r, slate, 10, p),
                    "subtopic_recall@5": metrics.subtopic_recall(r, slate, 5),
                    "subtopic_recall@10": metrics.subtopic_recall(r, slate, 10),
                }
            )
        table = {k: float(np.mean([row[k] for row in rows])) for k in rows[0]}
    if args.json:
        sys.stdout.write(json.dumps(table, indent=1) + "\n")
    else:
        for name, value in table.items():
            sys.stdout.write(f"{name:20} {value:.4f}\n")
    return 0


def inspect_ranker(model: Any, top: int) -> int:
    """Print the certificate and the largest weights."""
    out = [
        f"model      {model}",
        f"objective  primal {model.primal_objective_:.6g}, dual {model.dual_objective_:.6g}, "
        f"relative gap {100 * model.relative_gap_:.3g} % (certificate: {model.certificate_})",
        f"status     {model.status_} after {model.n_iter_} epochs",
        "",
        "largest weights",
    ]
    names = weight_names(model)
    for j in np.argsort(-np.abs(model.coef_), kind="stable")[: 4 * top]:
        out.append(f"  {model.coef_[j]:9.4f}  {names[j]}")
    sys.stdout.write("\n".join(out) + "\n")
    return 0


def weight_names(model: Any) -> list[str]:
    """What each weight of a ranker stands for."""
    if isinstance(model, RankingSVM):
        return [f"feature {j + 1}" for j in range(len(model.coef_))]
    names = list(FEATURE_NAMES)
    if model.model == "sequential":
        for channel in RELATION_NAMES:
            names += [
                f"{how} {channel} to those above" for how in ("max", "mean", "min")
            ]
        names.append("share of new words")
    elif model.model == "mixture":
        names += [f"topic: {name}" for name in TOPIC_NAMES]
    else:
        names += [f"word {name}" for name in WORD_NAMES]
    return names
