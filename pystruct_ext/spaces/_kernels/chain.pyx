"""Binder of the chain kernel (csrc spaces/chain.hpp)."""

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
        double sqnorm(int64_t)


cdef extern from "pystruct_ext/spaces/chain.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass ChainSpace[R]:
        Rows[R] rows
        int64_t n
        const int64_t* offsets
        const int32_t* labels
        const R* token_weight
        const double* row_sqnorm
        int32_t n_labels, stride
        const R* cost
        const R* transition_mask
        const R* start_mask
        const R* end_mask
        const int64_t* state_ptr
        const int32_t* state_label
        int64_t n_state
    cdef cppclass OracleBox[S]:
        OracleBox(const S&) except +
        const psx_oracle* oracle()
        const S& space()


cdef extern from "pystruct_ext/spaces/chain_tools.hpp" namespace "pystruct_ext" nogil:
    int64_t chain_k_best[R](const ChainSpace[R]&, const void*, int64_t, int64_t, int32_t*,
                            double*) except +
    double chain_marginals[R](const ChainSpace[R]&, const void*, int64_t, double, double*,
                              double*) except +
    void chain_scores[R](const ChainSpace[R]&, const void*, int64_t, R*) except +


ctypedef OracleBox[ChainSpace[float]] BoxF
ctypedef OracleBox[ChainSpace[double]] BoxD

cdef const void* _data(object a):
    return NULL if a is None else cnp.PyArray_DATA(<cnp.ndarray>a)


cdef class ChainBox:
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


cdef int _fill(ChainSpace[real]& s, dict a, real dummy) except -1:
    s.rows.indptr = <const int64_t*>_data(a["indptr"])
    s.rows.indices = <const int32_t*>_data(a["indices"])
    s.rows.values = <const real*>_data(a["values"])
    s.rows.n_features = a["n_features"]
    s.offsets = <const int64_t*>_data(a["offsets"])
    s.n = a["offsets"].shape[0] - 1
    s.labels = <const int32_t*>_data(a["labels"])
    s.token_weight = <const real*>_data(a["token_weight"])
    s.n_labels = a["n_labels"]
    s.stride = a["stride"]
    s.cost = <const real*>_data(a["cost"])
    s.transition_mask = <const real*>_data(a["transition_mask"])
    s.start_mask = <const real*>_data(a["start_mask"])
    s.end_mask = <const real*>_data(a["end_mask"])
    s.state_ptr = <const int64_t*>_data(a["state_ptr"])
    s.state_label = <const int32_t*>_data(a["state_label"])
    s.n_state = a["n_state"]
    cdef int64_t n_rows = a["offsets"][s.n], r
    sq = np.empty(n_rows if a["labels"] is not None else 0)
    cdef double* p = <double*>cnp.PyArray_DATA(<cnp.ndarray>sq)
    if a["labels"] is not None:
        with nogil:
            for r in range(n_rows):
                p[r] = s.rows.sqnorm(r)
    a["row_sqnorm"] = sq
    s.row_sqnorm = p
    return 0


def bind_chain(dict arrays, dtype):
    """An `Oracle` over packed chain arrays; the arrays are kept alive by the oracle.

    ``arrays`` holds what ``ChainSpace`` in chain.hpp lists, under the same names.
    """
    cdef ChainBox box = ChainBox.__new__(ChainBox)
    cdef ChainSpace[float] sf
    cdef ChainSpace[double] sd
    box.arrays = arrays
    if dtype == np.float32:
        _fill[float](sf, arrays, 0)
        box.f = new BoxF(sf)
        return wrap_oracle(box.f.oracle(), box)
    _fill[double](sd, arrays, 0)
    box.d = new BoxD(sd)
    return wrap_oracle(box.d.oracle(), box)


cdef ChainBox _box(Oracle oracle):
    if not isinstance(oracle._owner, ChainBox):
        raise TypeError("this oracle was not made by bind_chain")
    return <ChainBox>oracle._owner


def k_best(Oracle oracle, w, int64_t i, int64_t k):
    """The k best outputs of block i: ``(codes (m, T) int32, scores (m,))``, m <= k, best first."""
    cdef ChainBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = oracle.ptr.code_len(oracle.ptr.ctx, i), found
    cdef cnp.ndarray[int32_t, ndim=2] codes = np.zeros((k, length), dtype=np.int32)
    cdef cnp.ndarray[double, ndim=1] scores = np.zeros(k)
    if box.f != NULL:
        found = chain_k_best[float](box.f.space(), p, i, k, <int32_t*>codes.data, <double*>scores.data)
    else:
        found = chain_k_best[double](box.d.space(), p, i, k, <int32_t*>codes.data, <double*>scores.data)
    if found < 0:
        oracle._check(-2, i)
    return codes[:found], scores[:found]


def marginals(Oracle oracle, w, int64_t i, double temperature=1.0, bint pairs=False):
    """Marginals of the Gibbs distribution exp(<w, psi> / temperature) of block i.

    Returns
    -------
    unary : (T, K) float64, rows sum to 1
    pairwise : (T - 1, K, K) float64 or None
    log_partition : float
    """
    cdef ChainBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = oracle.ptr.code_len(oracle.ptr.ctx, i)
    cdef int64_t K = box.arrays["n_labels"]
    cdef cnp.ndarray[double, ndim=2] unary = np.zeros((length, K))
    cdef object pair = np.zeros((max(length - 1, 0), K, K)) if pairs else None
    cdef double* pp = <double*>_data(pair)
    cdef double log_z
    if box.f != NULL:
        log_z = chain_marginals[float](box.f.space(), p, i, temperature, <double*>unary.data, pp)
    else:
        log_z = chain_marginals[double](box.d.space(), p, i, temperature, <double*>unary.data, pp)
    if not np.isfinite(log_z):
        oracle._check(-2, i)
    return unary, pair, log_z


def potentials(Oracle oracle, w, int64_t i):
    """State scores of block i, (T, K) of the oracle's dtype, without transitions."""
    cdef ChainBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = oracle.ptr.code_len(oracle.ptr.ctx, i)
    cdef int64_t K = box.arrays["n_labels"]
    out = np.zeros((length, K), dtype=oracle.dtype)
    if box.f != NULL:
        chain_scores[float](box.f.space(), p, i, <float*>cnp.PyArray_DATA(<cnp.ndarray>out))
    else:
        chain_scores[double](box.d.space(), p, i, <double*>cnp.PyArray_DATA(<cnp.ndarray>out))
    return out
