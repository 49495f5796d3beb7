"""Scores: chunk F1 (conlleval), accuracies, rankings (trec_eval), diversity (ndeval)."""

from __future__ import annotations

from ._accuracy import sentence_accuracy, token_accuracy, token_confusion
from ._chunks import ChunkReport, ChunkScore, chunk_f1, chunk_report
from ._diversity import (
    alpha_ndcg,
    err_ia,
    greedy_ideal,
    intent_satisfaction,
    ndcg_ia,
    novelty_gains,
    nrbp,
    satisfied_mass,
    subtopic_recall,
)
from ._ranking import (
    err,
    mean_average_precision,
    mean_reciprocal_rank,
    ndcg,
    precision_at,
)

__all__ = [
    "ChunkReport",
    "ChunkScore",
    "alpha_ndcg",
    "chunk_f1",
    "chunk_report",
    "err",
    "err_ia",
    "greedy_ideal",
    "intent_satisfaction",
    "mean_average_precision",
    "mean_reciprocal_rank",
    "ndcg",
    "ndcg_ia",
    "novelty_gains",
    "nrbp",
    "precision_at",
    "satisfied_mass",
    "sentence_accuracy",
    "subtopic_recall",
    "token_accuracy",
    "token_confusion",
]
