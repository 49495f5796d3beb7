"""Ranking by text: features of search results, and the classical diversifiers."""

from __future__ import annotations

from pystruct_ext.diversify.baselines import MMR, PM2, IASelect, RelevanceRanker, XQuAD
from pystruct_ext.diversify.text_features import (
    FEATURE_NAMES,
    RELATION_NAMES,
    QueryTextFeatures,
)

__all__ = [
    "FEATURE_NAMES",
    "MMR",
    "PM2",
    "RELATION_NAMES",
    "IASelect",
    "QueryTextFeatures",
    "RelevanceRanker",
    "XQuAD",
]
