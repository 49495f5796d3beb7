"""Folds of RNA (csrc spaces/fold.hpp)."""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libcpp.vector cimport vector

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/fold_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* fold_kernel() except +

FOLD = wrap_kernel(fold_kernel(), None)


cdef extern from "pystruct_ext/spaces/fold_tools.hpp" nogil:
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
    int64_t E_STACK "pystruct_ext::folding::kStackE"
    int64_t E_HAIRPIN_MISMATCH "pystruct_ext::folding::kHairpinMismatchE"
    int64_t E_INTERIOR_MISMATCH "pystruct_ext::folding::kInteriorMismatchE"
    int64_t E_THIN_MISMATCH "pystruct_ext::folding::kThinMismatchE"
    int64_t E_23_MISMATCH "pystruct_ext::folding::k23MismatchE"
    int64_t E_MULTI_MISMATCH "pystruct_ext::folding::kMultiMismatchE"
    int64_t E_OUTER_MISMATCH "pystruct_ext::folding::kOuterMismatchE"
    int64_t E_DANGLE5 "pystruct_ext::folding::kDangle5E"
    int64_t E_DANGLE3 "pystruct_ext::folding::kDangle3E"
    int64_t E_11 "pystruct_ext::folding::k11E"
    int64_t E_21 "pystruct_ext::folding::k21E"
    int64_t E_22 "pystruct_ext::folding::k22E"
    int64_t E_HAIRPIN "pystruct_ext::folding::kHairpinE"
    int64_t E_BULGE "pystruct_ext::folding::kBulgeE"
    int64_t E_INTERIOR "pystruct_ext::folding::kInteriorE"
    int64_t E_MULTI_BASE "pystruct_ext::folding::kMultiBaseE"
    int64_t E_MULTI_CLOSING "pystruct_ext::folding::kMultiClosingE"
    int64_t E_MULTI_BRANCH "pystruct_ext::folding::kMultiBranchE"
    int64_t E_NINIO "pystruct_ext::folding::kNinioE"
    int64_t E_NINIO_MOST "pystruct_ext::folding::kNinioMostE"
    int64_t E_TERMINAL "pystruct_ext::folding::kTerminalE"
    int64_t E_LOGARITHM "pystruct_ext::folding::kLogarithmE"
    int64_t E_SPECIAL "pystruct_ext::folding::kSpecialE"
    int64_t E_SIZE "pystruct_ext::folding::kEnergySize"
    int64_t E_HIGHEST "pystruct_ext::folding::kHighestEnergy"
    int64_t E_SPECIAL_LOOPS "pystruct_ext::folding::kSpecialLoops"
    vector[int64_t] energies_of_loops "pystruct_ext::energies_of_loops"(
        const int32_t* tables, const uint8_t* bases, const int32_t* partner, int32_t n
    ) except +

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

# Energy tables (folding/energies.hpp): the first entry of each.
ENERGY_SIZE = E_SIZE
HIGHEST_ENERGY = E_HIGHEST
SPECIAL_LOOPS = E_SPECIAL_LOOPS
ENERGIES = {
    "stack": E_STACK,
    "mismatch_hairpin": E_HAIRPIN_MISMATCH,
    "mismatch_internal": E_INTERIOR_MISMATCH,
    "mismatch_internal_1n": E_THIN_MISMATCH,
    "mismatch_internal_23": E_23_MISMATCH,
    "mismatch_multi": E_MULTI_MISMATCH,
    "mismatch_exterior": E_OUTER_MISMATCH,
    "dangle5": E_DANGLE5,
    "dangle3": E_DANGLE3,
    "int11": E_11,
    "int21": E_21,
    "int22": E_22,
    "hairpin": E_HAIRPIN,
    "bulge": E_BULGE,
    "internal": E_INTERIOR,
    "multi_base": E_MULTI_BASE,
    "multi_closing": E_MULTI_CLOSING,
    "multi_branch": E_MULTI_BRANCH,
    "ninio": E_NINIO,
    "ninio_most": E_NINIO_MOST,
    "terminal": E_TERMINAL,
    "logarithm": E_LOGARITHM,
    "special": E_SPECIAL,
}


def loop_energies(
    const int32_t[::1] tables, const uint8_t[::1] bases, const int32_t[::1] partner
):
    """Loops of a fold: a list of (i, j, k, l, energy), see Energies::each_loop.

    The partners must be mutual and nested.
    """
    cdef int64_t n = bases.shape[0]
    if tables.shape[0] != E_SIZE or partner.shape[0] != n:
        raise ValueError("tables or partners of another length than expected")
    if n == 0:
        return []
    cdef vector[int64_t] flat = energies_of_loops(
        &tables[0], &bases[0], &partner[0], <int32_t>n
    )
    return [tuple(flat[k : k + 5]) for k in range(0, flat.size(), 5)]
