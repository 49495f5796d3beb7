"""Readers and writers of other people's files."""

from __future__ import annotations

from typing import Any

from pystruct_ext._core.features import ColumnTable
from pystruct_ext._core.templates import DEFAULT_TEMPLATE
from pystruct_ext._moved import IO_NAMES, warn_moved
from pystruct_ext.io._alignments import (
    SequencePairs,
    alignment_rows,
    read_alignments,
    write_alignments,
)
from pystruct_ext.io._ambient import AmbientTopic, read_ambient
from pystruct_ext.io._ambiguous import (
    read_ambiguous_queries,
    write_ambiguous_queries,
)
from pystruct_ext.io._brackets import read_brackets, trees_of_lines, write_brackets
from pystruct_ext.io._clusters import read_clusters
from pystruct_ext.io._conll import read_conll, write_conll
from pystruct_ext.io._conllu import (
    Treebank,
    conllu_of_lines,
    read_conllu,
    sentence_lines,
    write_conllu,
)
from pystruct_ext.io._files import read_lines, write_lines
from pystruct_ext.io._graphs import GraphData, read_graphs, write_graphs
from pystruct_ext.io._label_sets import (
    LabelledRows,
    read_label_sets,
    write_label_sets,
)
from pystruct_ext.io._letor import LetorData, iter_letor, read_letor, write_letor
from pystruct_ext.io._matchings import Matchings, read_matchings, write_matchings
from pystruct_ext.io._pair_graphs import (
    PairGraphData,
    read_pair_graphs,
    write_clusters,
    write_pair_graphs,
)
from pystruct_ext.io._records import BadRecords, SkippedRecordsWarning
from pystruct_ext.io._rna import (
    RnaFolds,
    read_folds,
    without_pseudoknots,
    write_folds,
)
from pystruct_ext.io._tables import suffix_of
from pystruct_ext.io._trec import (
    Topic,
    read_diversity_qrels,
    read_qrels,
    read_run,
    read_topics,
    write_diversity_qrels,
    write_qrels,
    write_run,
)
from pystruct_ext.io._word_links import (
    WordAlignments,
    format_pharaoh,
    parse_pharaoh,
    read_pharaoh,
    read_word_alignments,
    write_pharaoh,
)
from pystruct_ext.outputs.ambiguous import AmbiguousQuery, ambiguous_queries
from pystruct_ext.utils.inputs import input_limits

__all__ = [
    "DEFAULT_TEMPLATE",
    "AmbientTopic",
    "AmbiguousQuery",
    "BadRecords",
    "ColumnTable",
    "GraphData",
    "LabelledRows",
    "LetorData",
    "Matchings",
    "PairGraphData",
    "RnaFolds",
    "SequencePairs",
    "SkippedRecordsWarning",
    "Topic",
    "Treebank",
    "WordAlignments",
    "alignment_rows",
    "ambiguous_queries",
    "conllu_of_lines",
    "format_pharaoh",
    "input_limits",
    "iter_letor",
    "parse_pharaoh",
    "read_alignments",
    "read_ambient",
    "read_ambiguous_queries",
    "read_brackets",
    "read_clusters",
    "read_conll",
    "read_conllu",
    "read_diversity_qrels",
    "read_folds",
    "read_graphs",
    "read_label_sets",
    "read_letor",
    "read_lines",
    "read_matchings",
    "read_pair_graphs",
    "read_pharaoh",
    "read_qrels",
    "read_run",
    "read_topics",
    "read_word_alignments",
    "sentence_lines",
    "suffix_of",
    "trees_of_lines",
    "without_pseudoknots",
    "write_alignments",
    "write_ambiguous_queries",
    "write_brackets",
    "write_clusters",
    "write_conll",
    "write_conllu",
    "write_diversity_qrels",
    "write_folds",
    "write_graphs",
    "write_label_sets",
    "write_letor",
    "write_lines",
    "write_matchings",
    "write_pair_graphs",
    "write_pharaoh",
    "write_qrels",
    "write_run",
]


def __getattr__(name: str) -> Any:
    """Old names, with a warning."""
    new = IO_NAMES.get(name)
    if new is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_moved(f"{__name__}.{name}", f"{__name__}.{new}")
    return globals()[new]
