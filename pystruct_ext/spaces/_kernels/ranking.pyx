"""Rankings (csrc spaces/ranking.hpp), and sorting by score."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cnp.import_array()


cdef extern from *:
    """
    #include "pystruct_ext/spaces/ranking.hpp"
    static const psx_kernel* ranking_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<RankingSpace<float>>, With<RankingSpace<double>>>("ranking");
    }
    """
    const psx_kernel* ranking_kernel() except +

RANKING = wrap_kernel(ranking_kernel(), None)


cdef extern from "pystruct_ext/descending_order.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass DescendingOrder:
        void reserve(size_t) except +
        const int32_t* sort(const double*, int64_t)


def descending_order(scores):
    """Indices by decreasing score, ties by index, (n,) int32."""
    cdef cnp.ndarray s = np.ascontiguousarray(scores, dtype=np.float64)
    if s.ndim != 1:
        raise ValueError(f"scores must be 1-D, got shape {np.shape(scores)}")
    cdef int64_t n = s.shape[0], k
    cdef const double* p = <const double*>cnp.PyArray_DATA(s)
    cdef cnp.ndarray out = np.empty(n, dtype=np.int32)
    cdef int32_t* q = <int32_t*>cnp.PyArray_DATA(out)
    cdef DescendingOrder order
    cdef const int32_t* found
    order.reserve(n)
    with nogil:
        found = order.sort(p, n)
        for k in range(n):
            q[k] = found[k]
    return out
