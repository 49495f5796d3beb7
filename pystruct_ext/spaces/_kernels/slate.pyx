"""Binders of the slate and candidate kernels (csrc spaces/slate.hpp, candidates.hpp)."""

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


cdef extern from "pystruct_ext/spaces/candidates.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass CandidateSpace[R]:
        Rows[R] rows
        int64_t n, max_rows
        const int64_t* offsets
        const int32_t* labels
        const double* row_loss


cdef extern from "pystruct_ext/spaces/slate.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass SlateSpace:
        int64_t n, n_features, n_channels, n_element_features
        bint novelty
        const int64_t* offsets
        const double* x
        const int64_t* relation_at
        const double* relations
        const int64_t* cover_ptr
        const int32_t* cover
        const double* degree
        const int64_t* element_at
        const double* element_x
        const int64_t* intent_at
        const int32_t* n_intents
        const double* gain
        const double* decay
        const double* ideal
        const double* place
        const double* rank
        const int32_t* truths
        int32_t top
        int64_t max_rows, max_elements, max_intents
    cdef cppclass OracleBox[S]:
        OracleBox(const S&) except +
        const psx_oracle* oracle()


ctypedef OracleBox[SlateSpace] SlateOracle
ctypedef OracleBox[CandidateSpace[double]] CandidateOracle

cdef const void* _data(object a):
    return NULL if a is None else cnp.PyArray_DATA(<cnp.ndarray>a)


cdef class SlateBox:
    """Owns a view and the arrays it looks at."""

    cdef SlateOracle* slate
    cdef CandidateOracle* candidates
    cdef dict arrays

    def __dealloc__(self):
        del self.slate
        del self.candidates


def bind_candidates(dict arrays):
    """An `Oracle` that picks one row per example; the arrays are kept alive by the oracle."""
    cdef SlateBox box = SlateBox.__new__(SlateBox)
    cdef CandidateSpace[double] s
    box.arrays = a = arrays
    s.rows.indptr = NULL
    s.rows.indices = NULL
    s.rows.values = <const double*>_data(a["values"])
    s.rows.n_features = a["n_features"]
    s.n = a["n"]
    s.max_rows = a["max_rows"]
    s.offsets = <const int64_t*>_data(a["offsets"])
    s.labels = <const int32_t*>_data(a["labels"])
    s.row_loss = <const double*>_data(a["row_loss"])
    box.candidates = new CandidateOracle(s)
    return wrap_oracle(box.candidates.oracle(), box)


def bind_slate(dict arrays):
    """An `Oracle` over packed slates; the arrays are kept alive by the oracle."""
    cdef SlateBox box = SlateBox.__new__(SlateBox)
    cdef SlateSpace s
    box.arrays = a = arrays
    s.n = a["n"]
    s.n_features = a["n_features"]
    s.n_channels = a["n_channels"]
    s.n_element_features = a["n_element_features"]
    s.novelty = a["novelty"]
    s.offsets = <const int64_t*>_data(a["offsets"])
    s.x = <const double*>_data(a["x"])
    s.relation_at = <const int64_t*>_data(a["relation_at"])
    s.relations = <const double*>_data(a["relations"])
    s.cover_ptr = <const int64_t*>_data(a["cover_ptr"])
    s.cover = <const int32_t*>_data(a["cover"])
    s.degree = <const double*>_data(a["degree"])
    s.element_at = <const int64_t*>_data(a["element_at"])
    s.element_x = <const double*>_data(a["element_x"])
    s.intent_at = <const int64_t*>_data(a["intent_at"])
    s.n_intents = <const int32_t*>_data(a["n_intents"])
    s.gain = <const double*>_data(a["gain"])
    s.decay = <const double*>_data(a["decay"])
    s.ideal = <const double*>_data(a["ideal"])
    s.place = <const double*>_data(a["place"])
    s.rank = <const double*>_data(a["rank"])
    s.truths = <const int32_t*>_data(a["truths"])
    s.top = a["top"]
    s.max_rows = a["max_rows"]
    s.max_elements = a["max_elements"]
    s.max_intents = a["max_intents"]
    box.slate = new SlateOracle(s)
    return wrap_oracle(box.slate.oracle(), box)
