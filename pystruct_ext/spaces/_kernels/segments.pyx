"""Binder of the semi-Markov kernel (csrc spaces/segments.hpp)."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport Oracle, psx_oracle, wrap_oracle

cnp.import_array()


cdef extern from "pystruct_ext/rows.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass Rows[R]:
        const int64_t* indptr
        const int32_t* indices
        const R* values
        int64_t n_features


cdef extern from "pystruct_ext/spaces/segments.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass SegmentSpace[R]:
        Rows[R] rows
        int64_t n
        const int64_t* offsets
        const int32_t* codes
        int32_t n_labels, stride
        bint boundary
        int32_t n_lengths
        const int32_t* longest
        bint token_loss
        int32_t outside
    cdef cppclass OracleBox[S]:
        OracleBox(const S&) except +
        const psx_oracle* oracle()
        const S& space()


cdef extern from "pystruct_ext/spaces/path_tools.hpp" namespace "pystruct_ext" nogil:
    int64_t path_k_best[S](const S&, const void*, int64_t, int64_t, int32_t*, double*) except +
    double path_marginals[S](const S&, const void*, int64_t, double, double*) except +


ctypedef OracleBox[SegmentSpace[float]] BoxF
ctypedef OracleBox[SegmentSpace[double]] BoxD

cdef const void* _data(object a):
    return NULL if a is None else cnp.PyArray_DATA(<cnp.ndarray>a)


cdef class SegmentsBox:
    """Owns the view and the arrays it looks at."""

    cdef BoxF* f
    cdef BoxD* d
    cdef dict arrays
    cdef object __weakref__

    def __dealloc__(self):
        del self.f
        del self.d


cdef fused real:
    float
    double


cdef int _fill(SegmentSpace[real]& s, dict a, real dummy) except -1:
    s.rows.indptr = <const int64_t*>_data(a["indptr"])
    s.rows.indices = <const int32_t*>_data(a["indices"])
    s.rows.values = <const real*>_data(a["values"])
    s.rows.n_features = a["n_features"]
    s.offsets = <const int64_t*>_data(a["offsets"])
    s.n = a["offsets"].shape[0] - 1
    s.codes = <const int32_t*>_data(a["codes"])
    s.n_labels = a["n_labels"]
    s.stride = a["stride"]
    s.boundary = a["boundary"]
    s.n_lengths = a["n_lengths"]
    s.longest = <const int32_t*>_data(a["longest"])
    s.token_loss = a["token_loss"]
    s.outside = a["outside"]
    return 0


def bind_segments(dict arrays, dtype):
    """An `Oracle` over packed sequences; the arrays are kept alive by the oracle.

    ``arrays`` holds what ``SegmentSpace`` in segments.hpp lists, under the same names.
    """
    cdef SegmentsBox box = SegmentsBox.__new__(SegmentsBox)
    cdef SegmentSpace[float] sf
    cdef SegmentSpace[double] sd
    box.arrays = arrays
    if dtype == np.float32:
        _fill[float](sf, arrays, 0)
        box.f = new BoxF(sf)
        return wrap_oracle(box.f.oracle(), box)
    _fill[double](sd, arrays, 0)
    box.d = new BoxD(sd)
    return wrap_oracle(box.d.oracle(), box)


cdef SegmentsBox _box(Oracle oracle):
    if not isinstance(oracle._owner, SegmentsBox):
        raise TypeError("this oracle was not made by bind_segments")
    return <SegmentsBox>oracle._owner


cdef object _shape(dict arrays, int64_t i):
    n = arrays["offsets"][i + 1] - arrays["offsets"][i]
    return n + 1, n + 1, arrays["n_labels"]


def k_best(Oracle oracle, w, int64_t i, int64_t k):
    """The k best codes of block i: ``(codes (m, code_len) int32, scores (m,))``, best first."""
    cdef SegmentsBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = oracle.ptr.code_len(oracle.ptr.ctx, i), found
    cdef cnp.ndarray[int32_t, ndim=2] codes = np.zeros((k, length), dtype=np.int32)
    cdef cnp.ndarray[double, ndim=1] scores = np.zeros(k)
    if box.f != NULL:
        found = path_k_best(box.f.space(), p, i, k, <int32_t*>codes.data, <double*>scores.data)
    else:
        found = path_k_best(box.d.space(), p, i, k, <int32_t*>codes.data, <double*>scores.data)
    if found < 0:
        oracle._check(-2, i)
    return codes[:found], scores[:found]


def marginals(Oracle oracle, w, int64_t i, double temperature=1.0):
    """Probabilities of segments, (n + 1, n + 1, K) [begin][end][label], and the log-partition."""
    cdef SegmentsBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    shape = _shape(box.arrays, i)
    out = np.zeros(shape)
    cdef double* q = <double*>cnp.PyArray_DATA(<cnp.ndarray>out)
    cdef double log_z
    if box.f != NULL:
        log_z = path_marginals(box.f.space(), p, i, temperature, q)
    else:
        log_z = path_marginals(box.d.space(), p, i, temperature, q)
    if np.isnan(log_z):
        oracle._check(-2, i)
    return out, log_z
