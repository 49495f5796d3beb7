"""Word alignment: an aligner that needs no links, and features for `MatchingSVM`."""

from __future__ import annotations

from pystruct_ext.word_alignment._symmetrize import HEURISTICS, symmetrize
from pystruct_ext.word_alignment.aligner import Posteriors, WordAligner
from pystruct_ext.word_alignment.features import AlignmentFeatures

__all__ = ["HEURISTICS", "AlignmentFeatures", "Posteriors", "WordAligner", "symmetrize"]
