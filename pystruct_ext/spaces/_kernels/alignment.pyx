"""Binder of the alignment kernel (csrc spaces/alignment.hpp)."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport Oracle, psx_oracle, wrap_oracle

cnp.import_array()


cdef extern from "pystruct_ext/spaces/alignment.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass AlignmentSpace[R]:
        int64_t n
        const int64_t* a_offsets
        const int64_t* b_offsets
        const int32_t* a
        const int32_t* b
        const int32_t* codes
        int32_t n_channels, window
        const int32_t* n_letters
        bint symmetric, local
        double false_cost, miss_cost
    cdef cppclass OracleBox[S]:
        OracleBox(const S&) except +
        const psx_oracle* oracle()
        const S& space()


cdef extern from "pystruct_ext/spaces/path_tools.hpp" namespace "pystruct_ext" nogil:
    int64_t path_k_best[S](const S&, const void*, int64_t, int64_t, int32_t*, double*) except +
    double path_marginals[S](const S&, const void*, int64_t, double, double*) except +


ctypedef OracleBox[AlignmentSpace[float]] BoxF
ctypedef OracleBox[AlignmentSpace[double]] BoxD

cdef const void* _data(object a):
    return NULL if a is None else cnp.PyArray_DATA(<cnp.ndarray>a)


cdef class AlignmentBox:
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


cdef int _fill(AlignmentSpace[real]& s, dict a, real dummy) except -1:
    s.a_offsets = <const int64_t*>_data(a["a_offsets"])
    s.b_offsets = <const int64_t*>_data(a["b_offsets"])
    s.n = a["a_offsets"].shape[0] - 1
    s.a = <const int32_t*>_data(a["a"])
    s.b = <const int32_t*>_data(a["b"])
    s.codes = <const int32_t*>_data(a["codes"])
    s.n_channels = a["n_channels"]
    s.window = a["window"]
    s.n_letters = <const int32_t*>_data(a["n_letters"])
    s.symmetric = a["symmetric"]
    s.local = a["local"]
    s.false_cost = a["false_cost"]
    s.miss_cost = a["miss_cost"]
    return 0


def bind_alignment(dict arrays, dtype):
    """An `Oracle` over packed sequences; the arrays are kept alive by the oracle.

    ``arrays`` holds what ``AlignmentSpace`` in alignment.hpp lists, under the same names.
    """
    cdef AlignmentBox box = AlignmentBox.__new__(AlignmentBox)
    cdef AlignmentSpace[float] sf
    cdef AlignmentSpace[double] sd
    box.arrays = arrays
    if dtype == np.float32:
        _fill[float](sf, arrays, 0)
        box.f = new BoxF(sf)
        return wrap_oracle(box.f.oracle(), box)
    _fill[double](sd, arrays, 0)
    box.d = new BoxD(sd)
    return wrap_oracle(box.d.oracle(), box)


cdef AlignmentBox _box(Oracle oracle):
    if not isinstance(oracle._owner, AlignmentBox):
        raise TypeError("this oracle was not made by bind_alignment")
    return <AlignmentBox>oracle._owner


cdef object _shape(dict arrays, int64_t i):
    n = arrays["a_offsets"][i + 1] - arrays["a_offsets"][i]
    return n, arrays["b_offsets"][i + 1] - arrays["b_offsets"][i]


def k_best(Oracle oracle, w, int64_t i, int64_t k):
    """The k best codes of block i: ``(codes (m, code_len) int32, scores (m,))``, best first."""
    cdef AlignmentBox box = _box(oracle)
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
    """Probabilities of aligned pairs, (n, m), and the log-partition function."""
    cdef AlignmentBox box = _box(oracle)
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
