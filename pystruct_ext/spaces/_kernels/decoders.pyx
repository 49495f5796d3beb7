"""Binder of the decoders for given scores (csrc spaces/decoders.hpp)."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

cimport numpy as cnp

cnp.import_array()


cdef extern from "pystruct_ext/spaces/decoders.hpp" namespace "pystruct_ext" nogil:
    void decode_arcs[R](const R*, int64_t, int32_t, bint, bint, int32_t*, double*) except +
    void decode_spans[R](const R*, int64_t, int32_t, int32_t, int32_t*, double*) except +


def arcs(cnp.ndarray scores, bint projective, bint single_root):
    """Heads (count, n) and values (count,) of (count, n + 1, n) float scores."""
    cdef int64_t count = scores.shape[0]
    cdef int32_t n = scores.shape[2]
    cdef cnp.ndarray[int32_t, ndim=2] heads = np.zeros((count, n), dtype=np.int32)
    cdef cnp.ndarray[double, ndim=1] values = np.zeros(count)
    cdef int32_t* h = <int32_t*>heads.data
    cdef double* v = <double*>values.data
    cdef void* p = cnp.PyArray_DATA(scores)
    if scores.dtype == np.float32:
        with nogil:
            decode_arcs[float](<const float*>p, count, n, projective, single_root, h, v)
    else:
        with nogil:
            decode_arcs[double](<const double*>p, count, n, projective, single_root, h, v)
    return heads, values


def spans(cnp.ndarray scores):
    """Codes (count, 2 (2n - 1)) and values of (count, n + 1, n + 1, L) float scores."""
    cdef int64_t count = scores.shape[0]
    cdef int32_t n = scores.shape[1] - 1, labels = scores.shape[3]
    cdef cnp.ndarray[int32_t, ndim=2] codes = np.zeros((count, 2 * (2 * n - 1)), dtype=np.int32)
    cdef cnp.ndarray[double, ndim=1] values = np.zeros(count)
    cdef int32_t* c = <int32_t*>codes.data
    cdef double* v = <double*>values.data
    cdef void* p = cnp.PyArray_DATA(scores)
    if scores.dtype == np.float32:
        with nogil:
            decode_spans[float](<const float*>p, count, n, labels, c, v)
    else:
        with nogil:
            decode_spans[double](<const double*>p, count, n, labels, c, v)
    return codes, values
