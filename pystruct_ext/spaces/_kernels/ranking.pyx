"""Binder of the ranking kernel (csrc spaces/ranking.hpp)."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport psx_oracle, wrap_oracle

cnp.import_array()


cdef extern from "pystruct_ext/rows.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass Rows[R]:
        const int64_t* indptr
        const int32_t* indices
        const R* values
        int64_t n_features


cdef extern from "pystruct_ext/spaces/ranking.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass RankingSpace[R]:
        Rows[R] rows
        int64_t n
        const int64_t* offsets
        const int32_t* level
        const int32_t* n_levels
        const double* base
        const double* n_pairs
        const double* weight
        const double* gain
        const double* ideal
        const double* discount
        const double* harmonic
        const int32_t* truths
        int64_t max_rows, max_levels, max_top, max_states
        int32_t kind
    cdef cppclass OracleBox[S]:
        OracleBox(const S&) except +
        const psx_oracle* oracle()


cdef extern from "pystruct_ext/descending_order.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass DescendingOrder:
        void reserve(size_t) except +
        const int32_t* sort(const double*, int64_t)


ctypedef OracleBox[RankingSpace[float]] BoxF
ctypedef OracleBox[RankingSpace[double]] BoxD

cdef const void* _data(object a):
    return NULL if a is None else cnp.PyArray_DATA(<cnp.ndarray>a)


cdef class RankingBox:
    """Owns the view and the arrays it looks at."""

    cdef BoxF* f
    cdef BoxD* d
    cdef dict arrays

    def __dealloc__(self):
        del self.f
        del self.d


cdef fused real:
    float
    double


cdef int _fill(RankingSpace[real]& s, dict a, real dummy) except -1:
    s.rows.indptr = <const int64_t*>_data(a["indptr"])
    s.rows.indices = <const int32_t*>_data(a["indices"])
    s.rows.values = <const real*>_data(a["values"])
    s.rows.n_features = a["n_features"]
    s.n = a["n"]
    s.offsets = <const int64_t*>_data(a["offsets"])
    s.level = <const int32_t*>_data(a["level"])
    s.n_levels = <const int32_t*>_data(a["n_levels"])
    s.base = <const double*>_data(a["base"])
    s.n_pairs = <const double*>_data(a["n_pairs"])
    s.weight = <const double*>_data(a["weight"])
    s.gain = <const double*>_data(a["gain"])
    s.ideal = <const double*>_data(a["ideal"])
    s.discount = <const double*>_data(a["discount"])
    s.harmonic = <const double*>_data(a["harmonic"])
    s.truths = <const int32_t*>_data(a["truths"])
    s.max_rows = a["max_rows"]
    s.max_levels = a["max_levels"]
    s.max_top = a["max_top"]
    s.max_states = a["max_states"]
    s.kind = a["kind"]
    return 0


def bind_ranking(dict arrays, dtype):
    """An `Oracle` over packed queries; the arrays are kept alive by the oracle."""
    cdef RankingBox box = RankingBox.__new__(RankingBox)
    cdef RankingSpace[float] sf
    cdef RankingSpace[double] sd
    box.arrays = arrays
    if dtype == np.float32:
        _fill[float](sf, arrays, 0)
        box.f = new BoxF(sf)
        return wrap_oracle(box.f.oracle(), box)
    _fill[double](sd, arrays, 0)
    box.d = new BoxD(sd)
    return wrap_oracle(box.d.oracle(), box)


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
