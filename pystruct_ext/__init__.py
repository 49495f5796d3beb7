"""Structured-output prediction with structural SVMs."""

from __future__ import annotations

from pystruct_ext._core.ragged import PackedRows
from pystruct_ext._include import get_include
from pystruct_ext.estimators import (
    AlignmentSVM,
    ConstituencySVM,
    DependencySVM,
    DiverseRankingSVM,
    FoldingSVM,
    HeldOutScore,
    MulticlassSVM,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
    StructuralSVM,
    c_path,
)
from pystruct_ext.persistence import ModelFileError, load
from pystruct_ext.spaces import DiverseQuery, OutputSpace
from pystruct_ext.utils.phrase_trees import Tree
from pystruct_ext.utils.sentences import DependencyTree, Sentence

__version__ = "0.1.0"

__all__ = [
    "AlignmentSVM",
    "ConstituencySVM",
    "DependencySVM",
    "DependencyTree",
    "DiverseQuery",
    "DiverseRankingSVM",
    "FoldingSVM",
    "HeldOutScore",
    "ModelFileError",
    "MulticlassSVM",
    "OutputSpace",
    "PackedRows",
    "RankingSVM",
    "SegmentSVM",
    "Sentence",
    "SequenceSVM",
    "StructuralSVM",
    "Tree",
    "__version__",
    "c_path",
    "get_include",
    "load",
]
