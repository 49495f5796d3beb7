"""Structured-output prediction with structural SVMs."""

from __future__ import annotations

# First of all: the command line answers Ctrl-C while the rest is imported, too.
from pystruct_ext.utils import signals as _signals  # noqa: F401

# isort: split

from pystruct_ext._core import Oracle
from pystruct_ext._core.binder import Kernel
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext._include import get_include
from pystruct_ext._moved import install as _install_moved
from pystruct_ext.estimators import (
    AlignmentSVM,
    AutoC,
    ClusteringSVM,
    ConstituencySVM,
    DependencySVM,
    DiverseRankingSVM,
    FoldingSVM,
    GraphSVM,
    HeldOutScore,
    LatentStructuralSVM,
    MatchingSVM,
    MulticlassSVM,
    MultilabelSVM,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
    StructuralSVM,
    SubclassSVM,
    TaggedParser,
)
from pystruct_ext.model_selection import c_path
from pystruct_ext.outputs import (
    DependencyTree,
    DiverseQuery,
    Graph,
    PairGraph,
    Sentence,
    Tree,
)
from pystruct_ext.persistence import ModelFileError, load
from pystruct_ext.spaces import OutputSpace, SpaceTags

_install_moved()

__version__ = "0.1.0"

__all__ = [
    "AlignmentSVM",
    "AutoC",
    "ClusteringSVM",
    "ConstituencySVM",
    "DependencySVM",
    "DependencyTree",
    "DiverseQuery",
    "DiverseRankingSVM",
    "FoldingSVM",
    "Graph",
    "GraphSVM",
    "HeldOutScore",
    "Kernel",
    "LatentStructuralSVM",
    "MatchingSVM",
    "ModelFileError",
    "MulticlassSVM",
    "MultilabelSVM",
    "Oracle",
    "OutputSpace",
    "PackedRows",
    "PairGraph",
    "RankingSVM",
    "SegmentSVM",
    "Sentence",
    "SequenceSVM",
    "SpaceTags",
    "StructuralSVM",
    "SubclassSVM",
    "TaggedParser",
    "Tree",
    "__version__",
    "c_path",
    "get_include",
    "load",
]
