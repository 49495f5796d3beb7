"""Word alignment: an aligner that needs no links, and features for `MatchingSVM`."""

from __future__ import annotations

from pystruct_ext.word_alignment._symmetrize import HEURISTICS, symmetrize
from pystruct_ext.word_alignment.aligner import Posteriors, WordAligner

__all__ = ["HEURISTICS", "Posteriors", "WordAligner", "symmetrize"]
