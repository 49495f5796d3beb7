"""Binder of the dependency kernel (csrc spaces/dependency.hpp)."""

from libc.stdint cimport int32_t, int64_t, uint8_t

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


cdef extern from "pystruct_ext/trees/arc_features.hpp" namespace "pystruct_ext" nogil:
    cdef struct ArcToken:
        pass
    cdef cppclass ArcFeatures:
        int bits
        const ArcToken* tokens
        const uint8_t* tag_index
        bint lemmas, fine


cdef extern from "pystruct_ext/spaces/dependency.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass DependencySpace[R]:
        int64_t n
        const int64_t* offsets
        const int32_t* heads
        const int32_t* labels
        const int32_t* codes
        const R* word_weight
        int32_t n_labels, stride
        bint label_counts, projective, siblings, use_rows
        int64_t n_arc, n_label_rows
        ArcFeatures features
        int label_bits
        Rows[R] rows
        const int64_t* row_offsets
    cdef cppclass OracleBox[S]:
        OracleBox(const S&) except +
        const psx_oracle* oracle()
        const S& space()


cdef extern from "pystruct_ext/spaces/dependency_tools.hpp" namespace "pystruct_ext" nogil:
    int64_t dependency_k_best[R](const DependencySpace[R]&, const void*, int64_t, int64_t,
                                 int32_t*, double*) except +
    double dependency_marginals[R](const DependencySpace[R]&, const void*, int64_t, double,
                                   double*) except +
    void dependency_scores[R](const DependencySpace[R]&, const void*, int64_t, R*) except +


ctypedef OracleBox[DependencySpace[float]] BoxF
ctypedef OracleBox[DependencySpace[double]] BoxD

cdef const void* _data(object a):
    return NULL if a is None else cnp.PyArray_DATA(<cnp.ndarray>a)


cdef class DependencyBox:
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


cdef int _fill(DependencySpace[real]& s, dict a, real dummy) except -1:
    s.offsets = <const int64_t*>_data(a["offsets"])
    s.n = a["offsets"].shape[0] - 1
    s.heads = <const int32_t*>_data(a["heads"])
    s.labels = <const int32_t*>_data(a["labels"])
    s.codes = <const int32_t*>_data(a["codes"])
    s.word_weight = <const real*>_data(a["word_weight"])
    s.n_labels = a["n_labels"]
    s.stride = a["stride"]
    s.label_counts = a["label_counts"]
    s.projective = a["projective"]
    s.siblings = a["siblings"]
    s.n_arc = a["n_arc"]
    s.n_label_rows = a["n_label_rows"]
    s.use_rows = a["row_offsets"] is not None
    if s.use_rows:
        s.rows.indptr = <const int64_t*>_data(a["indptr"])
        s.rows.indices = <const int32_t*>_data(a["indices"])
        s.rows.values = <const real*>_data(a["values"])
        s.rows.n_features = a["n_arc"]
        s.row_offsets = <const int64_t*>_data(a["row_offsets"])
    else:
        s.features.bits = a["bits"]
        s.features.tokens = <const ArcToken*>_data(a["tokens"])
        s.features.tag_index = <const uint8_t*>_data(a["tag_index"])
        s.features.lemmas = a["lemmas"]
        s.features.fine = a["fine"]
        s.label_bits = a["label_bits"]
    return 0


def bind_dependency(dict arrays, dtype):
    """An `Oracle` over packed sentences; the arrays are kept alive by the oracle.

    ``arrays`` holds what ``DependencySpace`` in dependency.hpp lists, under the same names.
    """
    cdef DependencyBox box = DependencyBox.__new__(DependencyBox)
    cdef DependencySpace[float] sf
    cdef DependencySpace[double] sd
    box.arrays = arrays
    if dtype == np.float32:
        _fill[float](sf, arrays, 0)
        box.f = new BoxF(sf)
        return wrap_oracle(box.f.oracle(), box)
    _fill[double](sd, arrays, 0)
    box.d = new BoxD(sd)
    return wrap_oracle(box.d.oracle(), box)


cdef DependencyBox _box(Oracle oracle):
    if not isinstance(oracle._owner, DependencyBox):
        raise TypeError("this oracle was not made by bind_dependency")
    return <DependencyBox>oracle._owner


def k_best(Oracle oracle, w, int64_t i, int64_t k):
    """The k best codes of block i: ``(codes (m, code_len) int32, scores (m,))``, best first."""
    cdef DependencyBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = oracle.ptr.code_len(oracle.ptr.ctx, i), found
    cdef cnp.ndarray[int32_t, ndim=2] codes = np.zeros((k, length), dtype=np.int32)
    cdef cnp.ndarray[double, ndim=1] scores = np.zeros(k)
    if box.f != NULL:
        found = dependency_k_best[float](
            box.f.space(), p, i, k, <int32_t*>codes.data, <double*>scores.data)
    else:
        found = dependency_k_best[double](
            box.d.space(), p, i, k, <int32_t*>codes.data, <double*>scores.data)
    if found < 0:
        oracle._check(-2, i)
    return codes[:found], scores[:found]


def marginals(Oracle oracle, w, int64_t i, double temperature=1.0):
    """Probabilities of arcs, (n + 1, n) [head][word], and the log-partition function."""
    cdef DependencyBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = box.arrays["offsets"][i + 1] - box.arrays["offsets"][i]
    cdef cnp.ndarray[double, ndim=2] out = np.zeros((length + 1, length))
    cdef double log_z
    if box.f != NULL:
        log_z = dependency_marginals[float](box.f.space(), p, i, temperature, <double*>out.data)
    else:
        log_z = dependency_marginals[double](box.d.space(), p, i, temperature, <double*>out.data)
    if not np.isfinite(log_z):
        oracle._check(-2, i)
    return out, log_z


def arc_scores(Oracle oracle, w, int64_t i):
    """Scores of arcs with their best labels, (n + 1, n) [head][word]; NaN from a word to itself."""
    cdef DependencyBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = box.arrays["offsets"][i + 1] - box.arrays["offsets"][i]
    out = np.zeros((length + 1, length), dtype=oracle.dtype)
    if box.f != NULL:
        dependency_scores[float](box.f.space(), p, i, <float*>cnp.PyArray_DATA(<cnp.ndarray>out))
    else:
        dependency_scores[double](box.d.space(), p, i, <double*>cnp.PyArray_DATA(<cnp.ndarray>out))
    return out
