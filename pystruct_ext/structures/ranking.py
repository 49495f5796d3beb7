"""Rankings by graded relevance."""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from pystruct_ext import metrics
from pystruct_ext.estimators import RankingSVM
from pystruct_ext.io import read_letor, write_letor, write_run
from pystruct_ext.outputs.rankings import RankedRows
from pystruct_ext.spaces import RankingSpace
from pystruct_ext.spaces.ranking import RANKING_LOSSES
from pystruct_ext.structures.base import Examples, Problem, Say, Structure, Variant
from pystruct_ext.structures.samples import ranking as problems
from pystruct_ext.utils.queries import group_queries


def read(*paths: str, on_error: str = "raise") -> Examples:
    """LETOR lines."""
    data = read_letor(list(paths), sparse_output=True, on_error=on_error)

    def write_scores(out: str, scores: Any) -> None:
        order, offsets = group_queries(data.qid, len(scores))
        rows = [order[b:e] for b, e in pairwise(offsets)]
        rows = [r[np.argsort(-scores[r], kind="stable")] for r in rows]
        ids = [str(data.qid[r[0]]) for r in rows]
        ranked = RankedRows(rows, ids, [scores[r] for r in rows])
        write_run(out, ranked, doc_ids=_documents(data.comments))

    n, width = data.X.shape
    return Examples(
        data.X,
        data.y,
        n,
        "documents",
        f"{n} documents, {width} features",
        write_scores,
        {"qid": data.qid},
        source=data.comments,
    )


def _documents(comments: list[str]) -> list[str]:
    found = [re.search(r"docid\s*=\s*(\S+)", c) for c in comments]
    return [m.group(1) if m else f"row{r + 1}" for r, m in enumerate(found)]


def write(path: str, X: Any, y: Any, qid: Any) -> None:
    """LETOR lines."""
    write_letor(path, X, y, qid)


def prepare(
    model: Any, examples: Examples, args: argparse.Namespace, say: Say
) -> Examples:
    """Dense rows, which training takes faster, where few numbers are zero."""
    n, width = examples.X.shape
    if n * width <= 8 * examples.X.nnz + 1_000_000:
        examples.X = examples.X.toarray()
    return examples


def adapt(model: Any, examples: Examples) -> Examples:
    """The width of the model: trailing zeros are not written in this format."""
    n_rows, width = examples.X.shape
    n = model.n_features_in_
    if width > n:
        raise ValueError(f"has {width} features, the model has {n}")
    examples.X.resize((n_rows, n))
    return examples


def report(examples: Examples, predicted: Any, model: Any) -> dict[str, Any]:
    """NDCG at several depths, MAP and MRR."""
    y, qid = examples.y, examples.fit_params["qid"]
    table = {f"ndcg@{k}": metrics.ndcg(y, predicted, qid, k) for k in (1, 3, 5, 10)}
    table["map"] = metrics.mean_average_precision(y, predicted, qid)
    table["mrr"] = metrics.mean_reciprocal_rank(y, predicted, qid)
    return table


def select(problem: Problem, index: Sequence[int]) -> Problem:
    """Whole queries; the copy of a query is a query of its own."""
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    order, offsets = group_queries(problem.fit_params["qid"], len(y))
    groups = [order[offsets[q] : offsets[q + 1]] for q in index]
    rows = np.concatenate(groups) if groups else np.empty(0, dtype=int)
    qid = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    return Problem(X[rows], y[rows], {"qid": qid})


def inspect(model: Any, top: int) -> list[str]:
    """The largest weights."""
    return largest_weights(
        model.coef_, [f"feature {j + 1}" for j in range(len(model.coef_))], 4 * top
    )


def largest_weights(coef: Any, names: Sequence[str], n: int) -> list[str]:
    """The n largest weights with their names."""
    lines = ["", "largest weights"]
    for j in np.argsort(-np.abs(coef), kind="stable")[:n]:
        lines.append(f"  {coef[j]:9.4f}  {names[j]}")
    return lines


def _pages(model: Any, examples: Examples) -> Any:
    """The first query with something to find, as ranked and as it should be."""
    from pystruct_ext.plotting import RankingDisplay

    X = adapt(model, examples).X
    y, qid = np.asarray(examples.y), examples.fit_params["qid"]
    order, offsets = group_queries(qid, len(y))
    groups = [order[a:b] for a, b in itertools.pairwise(offsets)]
    rows = next((g for g in groups if np.ptp(y[g]) > 0), groups[0])
    grades = y[rows]
    # A user is content with a grade, or with better ones; all such users are equally many.
    levels = np.unique(grades)[1:] if np.ptp(grades) > 0 else np.unique(grades)
    docs = _documents(examples.source)
    return RankingDisplay(
        [docs[r] for r in rows],
        [f"content with grade {level:g}" for level in levels],
        grades[:, None] >= levels,
        np.full(len(levels), 1 / len(levels)),
        {
            type(model).__name__: np.argsort(
                -model.predict(X[rows]), kind="stable"
            ).tolist(),
            "best possible": np.argsort(-grades, kind="stable").tolist(),
        },
        f"query {qid[rows[0]]}",
    ).plot(depth=15)


STRUCTURE = Structure(
    name="ranking",
    estimator=RankingSVM,
    space=RankingSpace,
    summary="learning to rank from LETOR lines (grade qid:ID 1:value ...)",
    description="Train a linear ranker (RankingSVM) on graded documents of queries.",
    file="LETOR files, gzip or plain",
    many=True,
    read=read,
    write=write,
    report=report,
    prepare=prepare,
    adapt=adapt,
    inspect=inspect,
    display={"pages": _pages},
    sample=problems.sample,
    samples=(
        *(
            Variant(
                f"ranking-{loss}", {"task_loss": loss, "top": 3}, problems.rankings(), 1
            )
            for loss in RANKING_LOSSES
        ),
        Variant(
            "ranking-pairs-levels",
            {"task_loss": "pairs"},
            problems.rankings(4, (2, 4, 4)),
            1,
        ),
        Variant(
            "ranking-pairs-weighted",
            {"task_loss": "pairs"},
            problems.rankings(weighted=True),
            1,
        ),
        Variant(
            "ranking-roc-weighted",
            {"task_loss": "roc"},
            problems.rankings(2, weighted=True),
            1,
        ),
        Variant(
            "ranking-ndcg-whole-linear",
            {"task_loss": "ndcg", "top": None, "gain": "linear"},
            problems.rankings(4),
            1,
        ),
        Variant(
            "ranking-ndcg-float32",
            {"task_loss": "ndcg", "dtype": "float32"},
            problems.rankings(),
            1,
        ),
        Variant(
            "ranking-pairs-sparse",
            {"task_loss": "pairs"},
            problems.rankings(as_sparse=True),
            1,
        ),
        Variant(
            "ranking-map-long", {"task_loss": "map"}, problems.rankings(2, (30, 12)), 1
        ),
    ),
    select=select,
)
