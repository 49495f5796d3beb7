"""Decoding many examples piece by piece, so that Ctrl-C and a progress bar have a chance."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.utils.progress import report_progress

# Seconds that a piece should take: short for a user, long for threads to start.
_SHORT, _LONG = 0.05, 0.5


def decode_in_pieces(
    oracle: Oracle, w: NDArray[np.floating], n_threads: int = 1
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """``oracle.decode_flat(w)`` in pieces that take well below a second, if examples do.

    Python notices a signal between two of them. Examples are decoded one by one, so that
    the codes are the same.

    Returns
    -------
    codes : (total,) int32
    offsets : (n + 1,) int64
    """
    n = oracle.n_blocks
    codes: list[Any] = [np.empty(0, dtype=np.int32)]
    ends: list[Any] = [np.zeros(1, dtype=np.int64)]
    done, size = 0, max(1, n_threads)
    while done < n:
        ids = np.arange(done, min(n, done + size), dtype=np.int64)
        began = time.perf_counter()
        part, offsets = oracle.decode_flat(w, ids, n_threads)
        took = time.perf_counter() - began
        codes.append(part)
        ends.append(offsets[1:] + ends[-1][-1])
        done += len(ids)
        report_progress(done, n)
        if took < _SHORT:
            size *= 8
        elif took > _LONG:
            size = max(1, n_threads, int(size * _LONG / (2 * took)))
    return np.concatenate(codes), np.concatenate(ends)


__all__ = ["decode_in_pieces"]
