"""Binder of the multiclass kernel (csrc spaces/multiclass.hpp)."""

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
        double sqnorm(int64_t)


cdef extern from "pystruct_ext/spaces/multiclass.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass MulticlassSpace[R]:
        Rows[R] rows
        int64_t n
        const int32_t* labels
        const double* row_sqnorm
        int32_t n_labels, stride
        const R* cost
    cdef cppclass OracleBox[S]:
        OracleBox(const S&) except +
        const psx_oracle* oracle()


ctypedef OracleBox[MulticlassSpace[float]] BoxF
ctypedef OracleBox[MulticlassSpace[double]] BoxD

cdef const void* _data(object a):
    return NULL if a is None else cnp.PyArray_DATA(<cnp.ndarray>a)


cdef class MulticlassBox:
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


cdef int _fill(MulticlassSpace[real]& s, dict a, real dummy) except -1:
    s.rows.indptr = <const int64_t*>_data(a["indptr"])
    s.rows.indices = <const int32_t*>_data(a["indices"])
    s.rows.values = <const real*>_data(a["values"])
    s.rows.n_features = a["n_features"]
    s.n = a["n"]
    s.labels = <const int32_t*>_data(a["labels"])
    s.n_labels = a["n_labels"]
    s.stride = a["stride"]
    s.cost = <const real*>_data(a["cost"])
    sq = np.empty(s.n if a["labels"] is not None else 0)
    cdef double* p = <double*>cnp.PyArray_DATA(<cnp.ndarray>sq)
    cdef int64_t r
    if a["labels"] is not None:
        with nogil:
            for r in range(s.n):
                p[r] = s.rows.sqnorm(r)
    a["row_sqnorm"] = sq
    s.row_sqnorm = p
    return 0


def bind_multiclass(dict arrays, dtype):
    """An `Oracle` over packed multiclass arrays; the arrays are kept alive by the oracle."""
    cdef MulticlassBox box = MulticlassBox.__new__(MulticlassBox)
    cdef MulticlassSpace[float] sf
    cdef MulticlassSpace[double] sd
    box.arrays = arrays
    if dtype == np.float32:
        _fill[float](sf, arrays, 0)
        box.f = new BoxF(sf)
        return wrap_oracle(box.f.oracle(), box)
    _fill[double](sd, arrays, 0)
    box.d = new BoxD(sd)
    return wrap_oracle(box.d.oracle(), box)
