"""scikit-learn estimators."""

from pystruct_ext.estimators.callbacks import HeldOutScore
from pystruct_ext.estimators.diverse_ranking import DiverseRankingSVM
from pystruct_ext.estimators.multiclass import MulticlassSVM
from pystruct_ext.estimators.path import CPath, PathPoint, c_path
from pystruct_ext.estimators.ranking import RankingSVM
from pystruct_ext.estimators.sequence import SequenceSVM
from pystruct_ext.estimators.structural import StructuralSVM, c_to_lam

__all__ = [
    "CPath",
    "DiverseRankingSVM",
    "HeldOutScore",
    "MulticlassSVM",
    "PathPoint",
    "RankingSVM",
    "SequenceSVM",
    "StructuralSVM",
    "c_path",
    "c_to_lam",
]
