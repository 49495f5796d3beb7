"""Folds of RNA (csrc spaces/fold.hpp)."""

from libc.stdint cimport int64_t

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/fold_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* fold_kernel() except +

FOLD = wrap_kernel(fold_kernel(), None)


cdef extern from "pystruct_ext/spaces/fold.hpp" nogil:
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
