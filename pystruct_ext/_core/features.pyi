from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pystruct_ext._core.columns import ColumnTable, Template
from pystruct_ext._core.vocabulary import HashedVocabulary, Vocabulary, hash_string

__all__ = [
    "ColumnTable",
    "HashedVocabulary",
    "Template",
    "Vocabulary",
    "encode_sequences",
    "hash_string",
]

def encode_sequences(
    X: Sequence[Sequence[Any]],
    vocabulary: Vocabulary | HashedVocabulary,
    *,
    grow: bool,
    dtype: DTypeLike = ...,
) -> tuple[
    NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[Any] | None
]: ...
