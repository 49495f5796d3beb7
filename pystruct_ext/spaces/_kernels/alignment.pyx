"""Alignments (csrc spaces/alignment.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/path_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* alignment_kernel() except +

ALIGNMENT = wrap_kernel(alignment_kernel(), None)
