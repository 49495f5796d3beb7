"""Displays in the manner of scikit-learn; they need ``pip install pystruct-ext[plot]``."""

from __future__ import annotations

from ._alignment import AlignmentDisplay
from ._convergence import ConvergenceDisplay
from ._dependency import DependencyDisplay
from ._folding import FoldingDisplay
from ._rankings import IntentCoverageDisplay, RankingDisplay
from ._tagging import TaggingDisplay
from ._transitions import TransitionDisplay
from ._tree import TreeDisplay

__all__ = [
    "AlignmentDisplay",
    "ConvergenceDisplay",
    "DependencyDisplay",
    "FoldingDisplay",
    "IntentCoverageDisplay",
    "RankingDisplay",
    "TaggingDisplay",
    "TransitionDisplay",
    "TreeDisplay",
]
