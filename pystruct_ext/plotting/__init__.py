"""Displays in the manner of scikit-learn; they need ``pip install pystruct-ext[plot]``."""

from __future__ import annotations

from ._convergence import ConvergenceDisplay
from ._rankings import IntentCoverageDisplay, RankingDisplay
from ._tagging import TaggingDisplay
from ._transitions import TransitionDisplay

__all__ = [
    "ConvergenceDisplay",
    "IntentCoverageDisplay",
    "RankingDisplay",
    "TaggingDisplay",
    "TransitionDisplay",
]
