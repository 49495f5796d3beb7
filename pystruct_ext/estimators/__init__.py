"""scikit-learn estimators."""

from pystruct_ext.estimators._arguments import c_to_lam, check_weights
from pystruct_ext.estimators._rounds import LatentProgress
from pystruct_ext.estimators.adaptation import adapt
from pystruct_ext.estimators.alignment import AlignmentSVM
from pystruct_ext.estimators.auto_c import AutoC, CPathTable
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.estimators.callbacks import HeldOutScore
from pystruct_ext.estimators.clustering import ClusteringSVM
from pystruct_ext.estimators.constituency import ConstituencySVM
from pystruct_ext.estimators.dependency import DependencySVM
from pystruct_ext.estimators.diverse_ranking import DiverseRankingSVM
from pystruct_ext.estimators.folding import FoldingSVM
from pystruct_ext.estimators.graph import GraphSVM
from pystruct_ext.estimators.latent import LatentStructuralSVM
from pystruct_ext.estimators.matching import MatchingSVM
from pystruct_ext.estimators.multiclass import MulticlassSVM
from pystruct_ext.estimators.multilabel import MultilabelSVM
from pystruct_ext.estimators.ranking import RankingSVM
from pystruct_ext.estimators.segments import SegmentSVM
from pystruct_ext.estimators.sequence import SequenceSVM
from pystruct_ext.estimators.structural import StructuralSVM
from pystruct_ext.estimators.subclass import SubclassSVM
from pystruct_ext.estimators.tagged_parser import TaggedParser

__all__ = [
    "AlignmentSVM",
    "AutoC",
    "BaseStructuralSVM",
    "CPathTable",
    "ClusteringSVM",
    "ConstituencySVM",
    "DependencySVM",
    "DiverseRankingSVM",
    "FoldingSVM",
    "GraphSVM",
    "HeldOutScore",
    "LatentProgress",
    "LatentStructuralSVM",
    "MatchingSVM",
    "MulticlassSVM",
    "MultilabelSVM",
    "RankingSVM",
    "SegmentSVM",
    "SequenceSVM",
    "StructuralSVM",
    "SubclassSVM",
    "TaggedParser",
    "adapt",
    "c_to_lam",
    "check_weights",
]
