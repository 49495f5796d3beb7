"""Diverse rankings of search results."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pystruct_ext import metrics
from pystruct_ext.diversify import FEATURE_NAMES, RELATION_NAMES, QueryTextFeatures
from pystruct_ext.diversify.text_features import TOPIC_NAMES, WORD_NAMES
from pystruct_ext.estimators import DiverseRankingSVM
from pystruct_ext.io import (
    read_ambient,
    read_ambiguous_queries,
    write_ambiguous_queries,
    write_run,
)
from pystruct_ext.spaces import SlateSpace
from pystruct_ext.spaces.slate import SLATE_LOSSES
from pystruct_ext.structures.base import Examples, Say, Structure, Variant
from pystruct_ext.structures.ranking import largest_weights
from pystruct_ext.structures.samples import diverse_ranking as problems
from pystruct_ext.utils.messages import shorten


def read(path: str, on_error: str = "raise") -> Examples:
    """Search results as JSON Lines, or a folder in AMBIENT's format."""
    queries: list[Any] = (
        list(read_ambient(path))
        if Path(path).is_dir()
        else list(read_ambiguous_queries(path, on_error))
    )

    def write_slates(out: str, slates: Any) -> None:
        # Distinct names: the readers refuse two queries of one.
        write_run(
            out,
            {
                q.query_id: [
                    (q.doc_ids[d], float(len(slate) - p)) for p, d in enumerate(slate)
                ]
                for q, slate in zip(queries, slates, strict=True)
            },
        )

    n_documents = sum(len(q.titles) for q in queries)
    judged = [q.relevance.shape[1] > 0 for q in queries]
    missing = "no query has intents and grades, by which slates are judged"
    if any(judged) and not all(judged):
        i = judged.index(False)
        missing = (
            f"{judged.count(False)} of {len(queries)} queries have no intents and grades, "
            f"such as {shorten(queries[i].query)!r}"
        )
    return Examples(
        queries,
        [q.relevance for q in queries] if all(judged) else None,
        n_documents,
        "documents",
        f"{len(queries)} queries, {n_documents} documents",
        write_slates,
        missing=missing,
        source=queries,
    )


def write(path: str, X: Sequence[Any], y: Any = None) -> None:
    """JSON Lines; features and relations are not text, and are left out."""
    write_ambiguous_queries(path, X)


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
    if not isinstance(getattr(model, "text_features_", None), QueryTextFeatures):
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
