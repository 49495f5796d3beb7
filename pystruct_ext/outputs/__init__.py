"""The values people hold: sentences, trees, folds, segments, queries, matchings."""

from pystruct_ext.outputs.matchings import Links, MatchingProblem
from pystruct_ext.outputs.phrase_trees import Tree
from pystruct_ext.outputs.queries import DiverseQuery
from pystruct_ext.outputs.rankings import Ranking, RankingQuery, Slate, SwappedPairs
from pystruct_ext.outputs.sentences import DependencyTree, Sentence

__all__ = [
    "DependencyTree",
    "DiverseQuery",
    "Links",
    "MatchingProblem",
    "Ranking",
    "RankingQuery",
    "Sentence",
    "Slate",
    "SwappedPairs",
    "Tree",
]
