"""Output spaces."""

from pystruct_ext.spaces.base import OutputSpace, PackedObjects, SpaceTags
from pystruct_ext.spaces.constraints import Allowed, allowed_transitions
from pystruct_ext.spaces.multiclass import MulticlassSpace
from pystruct_ext.spaces.ranking import PackedQueries, RankingSpace
from pystruct_ext.spaces.sequence import CodedLabels, PackedSequences, SequenceSpace
from pystruct_ext.spaces.slate import DiverseQuery, PackedSlates, SlateSpace

__all__ = [
    "Allowed",
    "CodedLabels",
    "DiverseQuery",
    "MulticlassSpace",
    "OutputSpace",
    "PackedObjects",
    "PackedQueries",
    "PackedSequences",
    "PackedSlates",
    "RankingSpace",
    "SequenceSpace",
    "SlateSpace",
    "SpaceTags",
    "allowed_transitions",
]
