"""Data sets for examples and tests, and readers of other people's files."""

from __future__ import annotations

from pystruct_ext._core.features import ColumnTable
from pystruct_ext._core.templates import DEFAULT_TEMPLATE

from ._alignments import (
    SequencePairs,
    alignment_rows,
    read_alignments,
    write_alignments,
)
from ._ambient import AmbientTopic, read_ambient
from ._ambiguous import AmbiguousQuery, load_ambiguous_queries, read_ambiguous_queries
from ._brackets import read_brackets, write_brackets
from ._conll import read_conll, write_conll
from ._conllu import Treebank, read_conllu, write_conllu
from ._digits import digits_of, load_digit_sequences
from ._letor import LetorData, iter_letor, read_letor, write_letor
from ._rna import (
    RnaStructures,
    read_structures,
    without_pseudoknots,
    write_structures,
)
from ._toy_structures import (
    ToyTreebank,
    make_alignments,
    make_folds,
    make_treebank,
)
from ._trec import (
    Topic,
    read_diversity_qrels,
    read_qrels,
    read_run,
    read_topics,
    write_diversity_qrels,
    write_qrels,
    write_run,
)

__all__ = [
    "DEFAULT_TEMPLATE",
    "AmbientTopic",
    "AmbiguousQuery",
    "ColumnTable",
    "LetorData",
    "RnaStructures",
    "SequencePairs",
    "Topic",
    "ToyTreebank",
    "Treebank",
    "alignment_rows",
    "digits_of",
    "iter_letor",
    "load_ambiguous_queries",
    "load_digit_sequences",
    "make_alignments",
    "make_folds",
    "make_treebank",
    "read_alignments",
    "read_ambient",
    "read_ambiguous_queries",
    "read_brackets",
    "read_conll",
    "read_conllu",
    "read_diversity_qrels",
    "read_letor",
    "read_qrels",
    "read_run",
    "read_structures",
    "read_topics",
    "without_pseudoknots",
    "write_alignments",
    "write_brackets",
    "write_conll",
    "write_conllu",
    "write_diversity_qrels",
    "write_letor",
    "write_qrels",
    "write_run",
    "write_structures",
]
