"""Output spaces."""

from pystruct_ext.spaces._best_clustering import BestClustering, best_clustering
from pystruct_ext.spaces._labels import UnseenLabelError
from pystruct_ext.spaces.alignment import AlignmentSpace
from pystruct_ext.spaces.assignment import (
    InfeasibleMatchingError,
    assign,
    best_matching,
)
from pystruct_ext.spaces.base import OutputSpace, PackedObjects, SpaceTags
from pystruct_ext.spaces.clustering import ClusteringSpace, PackedClusters
from pystruct_ext.spaces.combinators import Constrained, CostShifted, PackedParts
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.spaces.constituency import ConstituencySpace
from pystruct_ext.spaces.constraints import Allowed, allowed_transitions
from pystruct_ext.spaces.dependency import DependencySpace
from pystruct_ext.spaces.folding import FoldingSpace, LoopEnergy
from pystruct_ext.spaces.graph import GraphSpace, PackedGraphs
from pystruct_ext.spaces.matching import MatchingSpace, PackedMatchings
from pystruct_ext.spaces.multiclass import MulticlassSpace
from pystruct_ext.spaces.multilabel import MultilabelSpace, PackedLabelSets
from pystruct_ext.spaces.product import PackedPairs, Product
from pystruct_ext.spaces.ranking import PackedQueries, RankingSpace
from pystruct_ext.spaces.segments import SegmentSpace
from pystruct_ext.spaces.sequence import CodedLabels, PackedSequences, SequenceSpace
from pystruct_ext.spaces.slate import PackedSlates, SlateSpace
from pystruct_ext.spaces.subclass import SubclassSpace

__all__ = [
    "AlignmentSpace",
    "Allowed",
    "BestClustering",
    "ClusteringSpace",
    "CodedLabels",
    "CompiledSpace",
    "ConstituencySpace",
    "Constrained",
    "CostShifted",
    "DependencySpace",
    "FoldingSpace",
    "GraphSpace",
    "InfeasibleMatchingError",
    "LoopEnergy",
    "MatchingSpace",
    "MulticlassSpace",
    "MultilabelSpace",
    "OutputSpace",
    "PackedClusters",
    "PackedGraphs",
    "PackedLabelSets",
    "PackedMatchings",
    "PackedObjects",
    "PackedPairs",
    "PackedParts",
    "PackedQueries",
    "PackedSequences",
    "PackedSlates",
    "Product",
    "RankingSpace",
    "SegmentSpace",
    "SequenceSpace",
    "SlateSpace",
    "SpaceTags",
    "SubclassSpace",
    "UnseenLabelError",
    "allowed_transitions",
    "assign",
    "best_clustering",
    "best_matching",
]
