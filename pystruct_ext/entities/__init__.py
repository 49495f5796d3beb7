"""Entity resolution: which records of two tables, or of one, are the same thing."""

from __future__ import annotations

from pystruct_ext.entities._reports import EntityReport
from pystruct_ext.entities._tables import RecordPairs
from pystruct_ext.entities.blocking import Blocking
from pystruct_ext.entities.matcher import EntityMatcher
from pystruct_ext.entities.pair_features import PairFeatures

__all__ = ["Blocking", "EntityMatcher", "EntityReport", "PairFeatures", "RecordPairs"]
