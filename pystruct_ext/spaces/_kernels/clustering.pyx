"""Clusterings (csrc spaces/clustering.hpp)."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cnp.import_array()

cdef extern from "pystruct_ext/spaces/clustering.hpp" namespace "pystruct_ext":
    const psx_kernel* clustering_kernel() except +
    const psx_kernel* exact_clustering_kernel() except +

cdef extern from "pystruct_ext/spaces/clustering.hpp" namespace "pystruct_ext" nogil:
    double best_clusters(int32_t, const int32_t*, const double*, int64_t, int32_t, int32_t*,
                         double*) except +

cdef extern from "pystruct_ext/spaces/clustering.hpp":
    int32_t MOST_EXACT_ "pystruct_ext::clusters::Decoder::kMostExact"

CLUSTERING = wrap_kernel(clustering_kernel(), None)
EXACT_CLUSTERING = wrap_kernel(exact_clustering_kernel(), None)
MOST_EXACT = int(MOST_EXACT_)


def clusters(int32_t n, cnp.ndarray[int32_t, ndim=2, mode="c"] pairs,
             cnp.ndarray[double, ndim=1, mode="c"] weights, int32_t search):
    """Codes (n,), their value and a bound; the arguments are checked by the caller."""
    cdef cnp.ndarray[int32_t, ndim=1] code = np.zeros(n, dtype=np.int32)
    cdef int32_t* c = <int32_t*>code.data
    cdef const int32_t* p = <const int32_t*>pairs.data
    cdef const double* w = <const double*>weights.data
    cdef int64_t count = weights.shape[0]
    cdef double value = 0, bound = 0
    with nogil:
        value = best_clusters(n, p, w, count, search, c, &bound)
    return code, value, bound
