"""Scores: chunk F1 (conlleval), accuracies, rankings (trec_eval), diversity (ndeval)."""

from __future__ import annotations

from ._accuracy import sentence_accuracy, token_accuracy, token_confusion
from ._alignment import AlignmentReport, alignment_report
from ._brackets import BracketReport, bracket_report
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
from ._folding import BasePairReport, base_pair_report
from ._parsing import AttachmentReport, attachment_report
from ._ranking import (
    err,
    mean_average_precision,
    mean_reciprocal_rank,
    ndcg,
    precision_at,
)
from ._segments import SegmentReport, q_score, segment_overlap, segment_report

__all__ = [
    "AlignmentReport",
    "AttachmentReport",
    "BasePairReport",
    "BracketReport",
    "ChunkReport",
    "ChunkScore",
    "SegmentReport",
    "alignment_report",
    "alpha_ndcg",
    "attachment_report",
    "base_pair_report",
    "bracket_report",
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
    "q_score",
    "satisfied_mass",
    "segment_overlap",
    "segment_report",
    "sentence_accuracy",
    "subtopic_recall",
    "token_accuracy",
    "token_confusion",
]
