"""Binder of the folding kernel (csrc spaces/fold.hpp)."""

from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport Oracle, psx_oracle, wrap_oracle

cnp.import_array()


cdef extern from "pystruct_ext/spaces/fold.hpp" namespace "pystruct_ext" nogil:
    int64_t FOLD_SIZE "pystruct_ext::folding::kSize"
    int64_t F_PAIR "pystruct_ext::folding::kPair"
    int64_t F_STACK "pystruct_ext::folding::kStack"
    int64_t F_HAIRPIN_MISMATCH "pystruct_ext::folding::kHairpinMismatch"
    int64_t F_INTERIOR_MISMATCH "pystruct_ext::folding::kInteriorMismatch"
    int64_t F_CLOSING "pystruct_ext::folding::kClosing"
    int64_t F_DANGLE5 "pystruct_ext::folding::kDangle5"
    int64_t F_DANGLE3 "pystruct_ext::folding::kDangle3"
    int64_t F_HAIRPIN_LENGTH "pystruct_ext::folding::kHairpinLength"
    int64_t F_BULGE_LENGTH "pystruct_ext::folding::kBulgeLength"
    int64_t F_INTERIOR_LENGTH "pystruct_ext::folding::kInteriorLength"
    int64_t F_SYMMETRIC "pystruct_ext::folding::kSymmetric"
    int64_t F_ASYMMETRY "pystruct_ext::folding::kAsymmetry"
    int64_t F_EXPLICIT "pystruct_ext::folding::kExplicit"
    int64_t F_BULGE_BASE "pystruct_ext::folding::kBulgeBase"
    int64_t F_ONE_BY_ONE "pystruct_ext::folding::kOneByOne"
    int64_t F_MULTI_BASE "pystruct_ext::folding::kMultiBase"
    int64_t F_MULTI_UNPAIRED "pystruct_ext::folding::kMultiUnpaired"
    int64_t F_MULTI_PAIRED "pystruct_ext::folding::kMultiPaired"
    int64_t F_OUTER_UNPAIRED "pystruct_ext::folding::kOuterUnpaired"
    int64_t F_OUTER_PAIRED "pystruct_ext::folding::kOuterPaired"
    int64_t F_HAIRPIN3 "pystruct_ext::folding::kHairpin3"
    int64_t F_HAIRPIN4 "pystruct_ext::folding::kHairpin4"
    int64_t F_ENERGY "pystruct_ext::folding::kEnergy"
    cdef cppclass FoldSpace[R]:
        int64_t n
        const int64_t* offsets
        const uint8_t* bases
        const int32_t* partner
        bint canonical
        double false_cost, miss_cost
        const uint8_t* demand
        const int32_t* forced
        const R* prior
    cdef cppclass OracleBox[S]:
        OracleBox(const S&) except +
        const psx_oracle* oracle()
        const S& space()


cdef extern from "pystruct_ext/spaces/fold_tools.hpp" namespace "pystruct_ext" nogil:
    int64_t fold_k_best[R](const FoldSpace[R]&, const void*, int64_t, int64_t, int32_t*,
                           double*) except +
    double fold_marginals[R](const FoldSpace[R]&, const void*, int64_t, double,
                             double*) except +


ctypedef OracleBox[FoldSpace[float]] BoxF
ctypedef OracleBox[FoldSpace[double]] BoxD

SIZE = FOLD_SIZE
N_FEATURES = F_ENERGY
# First feature of every group.
GROUPS = {
    "pair": F_PAIR,
    "stack": F_STACK,
    "hairpin_mismatch": F_HAIRPIN_MISMATCH,
    "interior_mismatch": F_INTERIOR_MISMATCH,
    "closing": F_CLOSING,
    "dangle5": F_DANGLE5,
    "dangle3": F_DANGLE3,
    "hairpin_length": F_HAIRPIN_LENGTH,
    "bulge_length": F_BULGE_LENGTH,
    "interior_length": F_INTERIOR_LENGTH,
    "symmetric": F_SYMMETRIC,
    "asymmetry": F_ASYMMETRY,
    "explicit": F_EXPLICIT,
    "bulge_base": F_BULGE_BASE,
    "one_by_one": F_ONE_BY_ONE,
    "multi_base": F_MULTI_BASE,
    "multi_unpaired": F_MULTI_UNPAIRED,
    "multi_paired": F_MULTI_PAIRED,
    "outer_unpaired": F_OUTER_UNPAIRED,
    "outer_paired": F_OUTER_PAIRED,
    "hairpin3": F_HAIRPIN3,
    "hairpin4": F_HAIRPIN4,
    "energy": F_ENERGY,
}

cdef const void* _data(object a):
    return NULL if a is None else cnp.PyArray_DATA(<cnp.ndarray>a)


cdef class FoldBox:
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


cdef int _fill(FoldSpace[real]& s, dict a, real dummy) except -1:
    s.offsets = <const int64_t*>_data(a["offsets"])
    s.n = a["offsets"].shape[0] - 1
    s.bases = <const uint8_t*>_data(a["bases"])
    s.partner = <const int32_t*>_data(a["partner"])
    s.canonical = a["canonical"]
    s.false_cost = a["false_cost"]
    s.miss_cost = a["miss_cost"]
    s.demand = <const uint8_t*>_data(a["demand"])
    s.forced = <const int32_t*>_data(a["forced"])
    s.prior = <const real*>_data(a["prior"])
    return 0


def bind_fold(dict arrays, dtype):
    """An `Oracle` over packed sequences; the arrays are kept alive by the oracle.

    ``arrays`` holds what ``FoldSpace`` in fold.hpp lists, under the same names.
    """
    cdef FoldBox box = FoldBox.__new__(FoldBox)
    cdef FoldSpace[float] sf
    cdef FoldSpace[double] sd
    box.arrays = arrays
    if dtype == np.float32:
        _fill[float](sf, arrays, 0)
        box.f = new BoxF(sf)
        return wrap_oracle(box.f.oracle(), box)
    _fill[double](sd, arrays, 0)
    box.d = new BoxD(sd)
    return wrap_oracle(box.d.oracle(), box)


cdef FoldBox _box(Oracle oracle):
    if not isinstance(oracle._owner, FoldBox):
        raise TypeError("this oracle was not made by bind_fold")
    return <FoldBox>oracle._owner


def k_best(Oracle oracle, w, int64_t i, int64_t k):
    """The k best codes of block i: ``(codes (m, code_len) int32, scores (m,))``, best first."""
    cdef FoldBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = oracle.ptr.code_len(oracle.ptr.ctx, i), found
    cdef cnp.ndarray[int32_t, ndim=2] codes = np.zeros((k, length), dtype=np.int32)
    cdef cnp.ndarray[double, ndim=1] scores = np.zeros(k)
    if box.f != NULL:
        found = fold_k_best[float](box.f.space(), p, i, k, <int32_t*>codes.data, <double*>scores.data)
    else:
        found = fold_k_best[double](box.d.space(), p, i, k, <int32_t*>codes.data, <double*>scores.data)
    if found < 0:
        oracle._check(-2, i)
    return codes[:found], scores[:found]


def marginals(Oracle oracle, w, int64_t i, double temperature=1.0):
    """Probabilities of pairs, (n, n) above the diagonal, and the log-partition function."""
    cdef FoldBox box = _box(oracle)
    cdef const void* p = oracle._weights(w)
    cdef int64_t length = oracle.ptr.code_len(oracle.ptr.ctx, i)
    cdef cnp.ndarray[double, ndim=2] out = np.zeros((length, length))
    cdef double log_z
    if box.f != NULL:
        log_z = fold_marginals[float](box.f.space(), p, i, temperature, <double*>out.data)
    else:
        log_z = fold_marginals[double](box.d.space(), p, i, temperature, <double*>out.data)
    if np.isnan(log_z):
        oracle._check(-2, i)
    return out, log_z
