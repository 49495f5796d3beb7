"""Scores for structured outputs: chunk F1 (conlleval), token and sentence accuracy."""

from __future__ import annotations

from ._accuracy import sentence_accuracy, token_accuracy, token_confusion
from ._chunks import ChunkReport, ChunkScore, chunk_f1, chunk_report

__all__ = [
    "ChunkReport",
    "ChunkScore",
    "chunk_f1",
    "chunk_report",
    "sentence_accuracy",
    "token_accuracy",
    "token_confusion",
]
