"""Diverse rankings of search results."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pystruct_ext import metrics
from pystruct_ext.diversify import FEATURE_NAMES, RELATION_NAMES, QueryTextFeatures
from pystruct_ext.diversify.text_features import TOPIC_NAMES, WORD_NAMES
from pystruct_ext.estimators import DiverseRankingSVM
from pystruct_ext.io import read_ambient, read_ambiguous_queries, write_lines, write_run
from pystruct_ext.spaces import SlateSpace
from pystruct_ext.spaces.slate import SLATE_LOSSES
from pystruct_ext.structures.base import Examples, Say, Structure, Variant
from pystruct_ext.structures.ranking import largest_weights
from pystruct_ext.structures.samples import diverse_ranking as problems


def read(path: str) -> Examples:
    """Search results as JSON Lines, or a folder in AMBIENT's format."""
    queries: list[Any] = (
        list(read_ambient(path))
        if Path(path).is_dir()
        else list(read_ambiguous_queries(path))
    )

    def write_slates(out: str, slates: Any) -> None:
        run: dict[str, list[tuple[str, float]]] = {}
        for q, slate in zip(queries, slates, strict=True):
            ids = getattr(q, "doc_ids", None) or [
                f"{d + 1}" for d in range(len(q.titles))
            ]
            name = q.query.replace(" ", "_")
            run[name] = [(ids[d], float(len(slate) - p)) for p, d in enumerate(slate)]
        write_run(out, run)  # type: ignore[arg-type]

    n_documents = sum(len(q.titles) for q in queries)
    return Examples(
        queries,
        [q.relevance for q in queries],
        n_documents,
        "documents",
        f"{len(queries)} queries, {n_documents} documents",
        write_slates,
        source=queries,
    )


def write(path: str, X: Sequence[Any], y: Any = None) -> None:
    """JSON Lines; features and relations are not text, and are left out."""

    def record(q: Any) -> dict[str, Any]:
        names = list(q.intents)
        return {
            "query": q.query_id,
            "intents": [
                {"id": name, "probability": float(p)}
                for name, p in zip(names, q.probabilities, strict=True)
            ],
            "results": [
                {
                    "id": q.doc_ids[d],
                    "title": title,
                    "grades": {
                        name: int(g)
                        for name, g in zip(names, q.relevance[d], strict=True)
                        if g > 0
                    },
                }
                for d, title in enumerate(q.titles)
            ],
        }

    write_lines(path, (json.dumps(record(q)) for q in X))


def prepare(
    model: Any, examples: Examples, args: argparse.Namespace, say: Say
) -> Examples:
    """Features of the texts; the model keeps what makes them."""
    began = time.perf_counter()
    model.text_features_ = QueryTextFeatures().fit(examples.source)
    examples = adapt(model, examples)
    # Judgements are in the queries.
    examples.y = None
    say(f"{'features':<10} {time.perf_counter() - began:8.2f} s")
    return examples


def check(model: Any) -> None:
    """Refuse models that were not trained from text."""
    if not hasattr(model, "text_features_"):
        raise ValueError(
            f"holds a {type(model).__name__} that was not trained from text; use it from "
            "Python"
        )


def adapt(model: Any, examples: Examples) -> Examples:
    """Features of the texts."""
    examples.X = model.text_features_.transform(examples.source)
    return examples


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, float]:
    """Means of the diversity measures."""
    rows = []
    for q, slate in zip(examples.source, predicted, strict=True):
        r, p = q.relevance, getattr(q, "probabilities", None)
        rows.append(
            {
                "alpha_ndcg@10": metrics.alpha_ndcg(r, slate, 10, 0.5, p),
                "err_ia@10": metrics.err_ia(r, slate, 10, p),
                "subtopic_recall@5": metrics.subtopic_recall(r, slate, 5),
                "subtopic_recall@10": metrics.subtopic_recall(r, slate, 10),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def weight_names(model: Any) -> list[str]:
    """What each weight stands for."""
    names = list(FEATURE_NAMES)
    if model.model_ == "sequential":
        for channel in RELATION_NAMES:
            names += [
                f"{how} {channel} to those above" for how in ("max", "mean", "min")
            ]
        names.append("share of new words")
    elif model.model_ == "mixture":
        names += [f"topic: {name}" for name in TOPIC_NAMES]
    else:
        names += [f"word {name}" for name in WORD_NAMES]
    return names


def inspect(model: Any, top: int) -> list[str]:
    """The largest weights."""
    return largest_weights(model.coef_, weight_names(model), 4 * top)


def _pages(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import RankingDisplay

    return RankingDisplay.from_estimator(model, adapt(model, examples).X)


def _coverage(model: Any, examples: Examples) -> Any:
    from pystruct_ext.plotting import IntentCoverageDisplay

    return IntentCoverageDisplay.from_estimator(model, adapt(model, examples).X)


STRUCTURE = Structure(
    name="diverse-ranking",
    estimator=DiverseRankingSVM,
    space=SlateSpace,
    summary="diverse rankings of search results for ambiguous queries",
    description="Train DiverseRankingSVM on judged search results: JSON Lines in the "
    "format of pystruct_ext.datasets.load_ambiguous_queries, or AMBIENT's folder.",
    file="JSON Lines, or AMBIENT's folder",
    read=read,
    write=write,
    report=report,
    prepare=prepare,
    adapt=adapt,
    check=check,
    inspect=inspect,
    display={"pages": _pages, "coverage": _coverage},
    sample=problems.sample,
    small={"C": 0.001},
    samples=(
        *(
            Variant(
                f"slate-{loss}", {"task_loss": loss, "top": 3}, problems.slates(loss), 1
            )
            for loss in SLATE_LOSSES
        ),
        Variant(
            "slate-coverage",
            {
                "task_loss": "intents",
                "top": 3,
                "parts": ("elements",),
                "discounted": False,
            },
            problems.slates("intents"),
            1,
        ),
        Variant(
            "slate-mixture",
            {"top": 2, "parts": ("elements",)},
            problems.slates(top=2),
            1,
        ),
        Variant(
            "slate-all",
            {"top": 4, "parts": ("relations", "novelty", "elements")},
            problems.slates(top=4),
            1,
        ),
    ),
)
