"""Structured-output prediction with structural SVMs."""

from __future__ import annotations

from pystruct_ext._core.ragged import PackedRows
from pystruct_ext._include import get_include
from pystruct_ext.estimators import (
    DiverseRankingSVM,
    HeldOutScore,
    MulticlassSVM,
    RankingSVM,
    SequenceSVM,
    StructuralSVM,
    c_path,
)
from pystruct_ext.persistence import ModelFileError, load
from pystruct_ext.spaces import DiverseQuery, OutputSpace

__version__ = "0.1.0"

__all__ = [
    "DiverseQuery",
    "DiverseRankingSVM",
    "HeldOutScore",
    "ModelFileError",
    "MulticlassSVM",
    "OutputSpace",
    "PackedRows",
    "RankingSVM",
    "SequenceSVM",
    "StructuralSVM",
    "__version__",
    "c_path",
    "get_include",
    "load",
]
