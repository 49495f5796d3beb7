"""Scores: chunk F1 (conlleval), accuracies, rankings (trec_eval), diversity (ndeval)."""

from __future__ import annotations

from pystruct_ext.metrics._accuracy import (
    sentence_accuracy,
    token_accuracy,
    token_confusion,
)
from pystruct_ext.metrics._aligned import AlignedReport, aligned_attachment_report
from pystruct_ext.metrics._alignment import AlignmentReport, alignment_report
from pystruct_ext.metrics._brackets import BracketReport, bracket_report
from pystruct_ext.metrics._chunks import ChunkReport, ChunkScore, chunk_f1, chunk_report
from pystruct_ext.metrics._clustering import (
    ClusteringReport,
    PrecisionRecall,
    b_cubed,
    clustering_report,
    pairwise_scores,
)
from pystruct_ext.metrics._diversity import (
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
from pystruct_ext.metrics._folding import BasePairReport, base_pair_report
from pystruct_ext.metrics._graphs import GraphReport, graph_report, mean_image_iou
from pystruct_ext.metrics._label_sets import LabelSetReport, label_set_report
from pystruct_ext.metrics._links import LinkReport, link_report
from pystruct_ext.metrics._parsing import AttachmentReport, attachment_report
from pystruct_ext.metrics._ranking import (
    err,
    mean_average_precision,
    mean_reciprocal_rank,
    ndcg,
    precision_at,
)
from pystruct_ext.metrics._segments import (
    SegmentReport,
    q_score,
    segment_overlap,
    segment_report,
)

__all__ = [
    "AlignedReport",
    "AlignmentReport",
    "AttachmentReport",
    "BasePairReport",
    "BracketReport",
    "ChunkReport",
    "ChunkScore",
    "ClusteringReport",
    "GraphReport",
    "LabelSetReport",
    "LinkReport",
    "PrecisionRecall",
    "SegmentReport",
    "aligned_attachment_report",
    "alignment_report",
    "alpha_ndcg",
    "attachment_report",
    "b_cubed",
    "base_pair_report",
    "bracket_report",
    "chunk_f1",
    "chunk_report",
    "clustering_report",
    "err",
    "err_ia",
    "graph_report",
    "greedy_ideal",
    "intent_satisfaction",
    "label_set_report",
    "link_report",
    "mean_average_precision",
    "mean_image_iou",
    "mean_reciprocal_rank",
    "ndcg",
    "ndcg_ia",
    "novelty_gains",
    "nrbp",
    "pairwise_scores",
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
