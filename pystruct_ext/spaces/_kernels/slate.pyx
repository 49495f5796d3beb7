"""Slates and candidates (csrc spaces/slate.hpp and spaces/candidates.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel


cdef extern from *:
    """
    #include "pystruct_ext/spaces/candidates.hpp"
    #include "pystruct_ext/spaces/slate.hpp"
    static const psx_kernel* slate_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<SlateSpace>>("slate");
    }
    static const psx_kernel* candidates_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<CandidateSpace<double>>>("candidates");
    }
    """
    const psx_kernel* slate_kernel() except +
    const psx_kernel* candidates_kernel() except +

SLATE = wrap_kernel(slate_kernel(), None)
CANDIDATES = wrap_kernel(candidates_kernel(), None)
