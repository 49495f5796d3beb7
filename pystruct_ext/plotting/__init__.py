"""Displays in the manner of scikit-learn; they need ``pip install pystruct-ext[plot]``."""

from __future__ import annotations

from pystruct_ext.plotting._alignment import AlignmentDisplay
from pystruct_ext.plotting._c_path import CPathDisplay
from pystruct_ext.plotting._clusters import ClusterDisplay
from pystruct_ext.plotting._convergence import ConvergenceDisplay
from pystruct_ext.plotting._coverage import IntentCoverageDisplay
from pystruct_ext.plotting._dependency import DependencyDisplay
from pystruct_ext.plotting._folding import FoldingDisplay
from pystruct_ext.plotting._graphs import GraphDisplay, GridDisplay
from pystruct_ext.plotting._label_sets import LabelInteractionDisplay, LabelSetDisplay
from pystruct_ext.plotting._matching import MatchingDisplay
from pystruct_ext.plotting._rankings import RankingDisplay
from pystruct_ext.plotting._tagging import TaggingDisplay
from pystruct_ext.plotting._transitions import TransitionDisplay
from pystruct_ext.plotting._tree import TreeDisplay

__all__ = [
    "AlignmentDisplay",
    "CPathDisplay",
    "ClusterDisplay",
    "ConvergenceDisplay",
    "DependencyDisplay",
    "FoldingDisplay",
    "GraphDisplay",
    "GridDisplay",
    "IntentCoverageDisplay",
    "LabelInteractionDisplay",
    "LabelSetDisplay",
    "MatchingDisplay",
    "RankingDisplay",
    "TaggingDisplay",
    "TransitionDisplay",
    "TreeDisplay",
]
