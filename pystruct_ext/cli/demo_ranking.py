"""The first half of ``pystruct-ext demo``: what to show for "michael jordan"."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pystruct_ext.datasets import load_ambiguous_queries
from pystruct_ext.diversify import MMR, QueryTextFeatures, RelevanceRanker, XQuAD
from pystruct_ext.estimators import DiverseRankingSVM
from pystruct_ext.metrics import (
    alpha_ndcg,
    err_ia,
    intent_satisfaction,
    subtopic_recall,
)


def run() -> dict[str, Any]:
    """Train on the training queries, print pages and tables; gives what pictures need."""
    out = sys.stdout.write
    train = load_ambiguous_queries("train")
    test = load_ambiguous_queries("test")
    began = time.perf_counter()
    text = QueryTextFeatures().fit(train)
    X_train, X_test = text.transform(train), text.transform(test)
    # C by cross-validation on the training queries (benchmarks/diversity.py does it each time).
    rankers: dict[str, Any] = {
        "relevance only (RankingSVM)": RelevanceRanker(given=False),
        "MMR": MMR(),
        "xQuAD": XQuAD(),
        "mixture (DiverseRankingSVM)": DiverseRankingSVM(model="mixture", C=0.03),
        "sequential (DiverseRankingSVM)": DiverseRankingSVM(model="sequential", C=0.1),
    }
    slates = {}
    for name, ranker in rankers.items():
        ranker.fit(X_train)
        slates[name] = ranker.predict(X_test)
    seconds = time.perf_counter() - began

    first = test[0]
    out(f'Somebody searches for "{first.query}". Whom do they mean?\n')
    for name, p, what in zip(
        first.intents, first.probabilities, first.descriptions, strict=True
    ):
        out(f"  {100 * p:3.0f} %  {name:13} {what}\n")
    names = list(rankers)
    left, right = names[0], names[-1]
    out(f"\n{left:47}  {right}\n")
    for p in range(10):
        a, b = (int(slates[n][0][p]) for n in (left, right))
        out(f"{p + 1:2d} {_page(first, a):44}  {_page(first, b)}\n")
    masses = [
        100
        * intent_satisfaction(first.relevance, slates[n][0], 10, first.probabilities)
        for n in (left, right)
    ]
    out(f"   {f'{masses[0]:.0f} % of users served':44}  {masses[1]:.0f} %\n\n")
    out(f"Why? {rankers[right].explain(X_test[0])}\n\n")

    out(f"{len(train)} queries to learn from; means over {len(test)} others\n")
    out(
        f"{'':32}{'alpha-nDCG@10':>14}{'ERR-IA@10':>11}{'S-recall@5':>12}{'served@5':>10}\n"
    )
    for name in rankers:
        row = np.mean(
            [
                (
                    alpha_ndcg(q.relevance, s, 10, 0.5, q.probabilities),
                    err_ia(q.relevance, s, 10, q.probabilities),
                    subtopic_recall(q.relevance, s, 5),
                    intent_satisfaction(q.relevance, s, 5, q.probabilities),
                )
                for q, s in zip(test, slates[name], strict=True)
            ],
            axis=0,
        )
        out(f"{name:32}{row[0]:14.3f}{row[1]:11.3f}{row[2]:12.3f}{row[3]:10.3f}\n")
    out(f"({seconds:.1f} s for features, tuning, training and ranking)\n\n")
    return {"queries": test, "slates": slates, "left": left, "right": right}


def _page(query: Any, d: int) -> str:
    """Main intent (+ if it serves others, too) and title."""
    grades = query.relevance[d]
    mark = "-"
    if grades.any():
        mark = query.intents[int(grades.argmax())][:9]
        mark += "+" * bool((grades > 0).sum() > 1)
    return f"{mark:10} {query.titles[d][:33]}"


def pictures(folder: Path, found: dict[str, Any]) -> None:
    """The pages side by side, and satisfied users by depth."""
    from pystruct_ext.plotting import IntentCoverageDisplay, RankingDisplay

    slates = found["slates"]
    pages = RankingDisplay.from_predictions(
        found["queries"],
        None,
        {n.split(" (")[0]: slates[n] for n in (found["left"], found["right"])},
    )
    curves = IntentCoverageDisplay.from_predictions(
        found["queries"], None, {n.split(" (")[0]: s for n, s in slates.items()}
    )
    for name, display in (
        ("michael_jordan.png", pages),
        ("intent_coverage.png", curves),
    ):
        display.figure_.savefig(folder / name, dpi=110, bbox_inches="tight")
        sys.stdout.write(f"picture: {folder / name}\n")
