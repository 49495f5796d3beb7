"""The values people hold: sentences, trees, folds, segments, queries, matchings."""

from pystruct_ext.outputs.graphs import (
    FractionalLabels,
    Graph,
    LabelledGraph,
    NodeLabels,
)
from pystruct_ext.outputs.grids import grid_graph
from pystruct_ext.outputs.matchings import Links, MatchingProblem
from pystruct_ext.outputs.pair_blocks import hard_blocks, split_into_blocks
from pystruct_ext.outputs.pair_graphs import (
    Clusters,
    PairGraph,
    clusters_from_links,
)
from pystruct_ext.outputs.phrase_trees import Tree
from pystruct_ext.outputs.queries import DiverseQuery
from pystruct_ext.outputs.rankings import Ranking, RankingQuery, Slate, SwappedPairs
from pystruct_ext.outputs.sentences import DependencyTree, Sentence
from pystruct_ext.outputs.tokens import token_spans, tokenize

__all__ = [
    "Clusters",
    "DependencyTree",
    "DiverseQuery",
    "FractionalLabels",
    "Graph",
    "LabelledGraph",
    "Links",
    "MatchingProblem",
    "NodeLabels",
    "PairGraph",
    "Ranking",
    "RankingQuery",
    "Sentence",
    "Slate",
    "SwappedPairs",
    "Tree",
    "clusters_from_links",
    "grid_graph",
    "hard_blocks",
    "split_into_blocks",
    "token_spans",
    "tokenize",
]
