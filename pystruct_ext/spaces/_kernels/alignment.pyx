"""Alignments (csrc spaces/alignment.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from *:
    """
    #include "pystruct_ext/spaces/path_tools.hpp"
    static const psx_kernel* alignment_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<AlignmentSpace<float>, ForestQueries<AlignmentSpace<float>>>, With<AlignmentSpace<double>, ForestQueries<AlignmentSpace<double>>>>("alignment");
    }
    """
    const psx_kernel* alignment_kernel() except +

ALIGNMENT = wrap_kernel(alignment_kernel(), None)
