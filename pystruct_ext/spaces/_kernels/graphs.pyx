"""Binder of the graph decoders (csrc graphs/door.hpp)."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

cimport numpy as cnp

cnp.import_array()


cdef extern from "pystruct_ext/graphs/door.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass GraphAnswer:
        double value
        double bound
        bint exact
        bint forest
        int fault
        int32_t where
        double entries
    GraphAnswer decode_graph[R, I](
        int32_t, int32_t, int32_t, const int32_t*, const R*, const I*, const R*, int, int, int32_t,
        int32_t*, double*, double*
    ) except +


def decode(
    cnp.ndarray unary, cnp.ndarray edges, cnp.ndarray pairs, int inference, counts=None,
    int32_t branches=1, marginals=None
):
    """Labels, value, bound, exact, forest, fault of the edges, the edge, entries of tables.

    None where arrays do not fit. `marginals` are two arrays of zeros, (n, L) and (m, L, L), that
    those of "lp" are written to.

    Arrays that fit: contiguous unary (n, L) and pairs (m,), (L, L) or (m, L, L) of one real type,
    contiguous edges (m, 2) of int32 or int64, counts (n,) int32 in 1 .. L.
    """
    cdef int kind = cnp.PyArray_TYPE(unary), shape = cnp.PyArray_NDIM(pairs)
    cdef int index = cnp.PyArray_TYPE(edges)
    if (
        (kind != cnp.NPY_DOUBLE and kind != cnp.NPY_FLOAT)
        or cnp.PyArray_TYPE(pairs) != kind
        or (index != cnp.NPY_INT32 and index != cnp.NPY_INT64)
        or not cnp.PyArray_ISBEHAVED_RO(unary)
        or not cnp.PyArray_ISBEHAVED_RO(edges)
        or not cnp.PyArray_ISBEHAVED_RO(pairs)
        or cnp.PyArray_NDIM(unary) != 2
        or cnp.PyArray_NDIM(edges) != 2
        or shape < 1
        or shape > 3
    ):
        return None
    cdef int64_t nodes = unary.shape[0], length = unary.shape[1], count = edges.shape[0]
    cdef int64_t most = 0x7fffffff
    if (
        nodes < 1
        or length < 1
        or edges.shape[1] != 2
        or nodes > most // 4
        or count > most // 4
        or length > most // 4
        or (shape != 2 and pairs.shape[0] != count)
        or (shape == 2 and (pairs.shape[0] != length or pairs.shape[1] != length))
        or (shape == 3 and (pairs.shape[1] != length or pairs.shape[2] != length))
    ):
        return None
    unary = cnp.PyArray_GETCONTIGUOUS(unary)
    edges = cnp.PyArray_GETCONTIGUOUS(edges)
    pairs = cnp.PyArray_GETCONTIGUOUS(pairs)
    cdef cnp.npy_intp size = nodes
    cdef cnp.ndarray labels = cnp.PyArray_EMPTY(1, &size, cnp.NPY_INT32, 0)
    cdef int32_t* out = <int32_t*>cnp.PyArray_DATA(labels)
    cdef const int32_t* n_labels = NULL
    cdef cnp.ndarray given
    if counts is not None:
        given = counts
        n_labels = <const int32_t*>cnp.PyArray_DATA(given)
    cdef void* u = cnp.PyArray_DATA(unary)
    cdef void* e = cnp.PyArray_DATA(edges)
    cdef void* p = cnp.PyArray_DATA(pairs)
    cdef int32_t n = <int32_t>nodes, m = <int32_t>count, width = <int32_t>length
    cdef double* node_out = NULL
    cdef double* edge_out = NULL
    cdef cnp.ndarray of_nodes, of_edges
    if marginals is not None:
        of_nodes, of_edges = marginals
        node_out = <double*>cnp.PyArray_DATA(of_nodes)
        edge_out = <double*>cnp.PyArray_DATA(of_edges)
    cdef GraphAnswer a
    with nogil:
        if kind == cnp.NPY_DOUBLE and index == cnp.NPY_INT64:
            a = decode_graph[double, int64_t](
                n, m, width, n_labels, <const double*>u, <const int64_t*>e, <const double*>p,
                shape, inference, branches, out, node_out, edge_out)
        elif kind == cnp.NPY_DOUBLE:
            a = decode_graph[double, int32_t](
                n, m, width, n_labels, <const double*>u, <const int32_t*>e, <const double*>p,
                shape, inference, branches, out, node_out, edge_out)
        elif index == cnp.NPY_INT64:
            a = decode_graph[float, int64_t](
                n, m, width, n_labels, <const float*>u, <const int64_t*>e, <const float*>p,
                shape, inference, branches, out, node_out, edge_out)
        else:
            a = decode_graph[float, int32_t](
                n, m, width, n_labels, <const float*>u, <const int32_t*>e, <const float*>p,
                shape, inference, branches, out, node_out, edge_out)
    return labels, a.value, a.bound, bool(a.exact), a.forest, a.fault, a.where, a.entries
