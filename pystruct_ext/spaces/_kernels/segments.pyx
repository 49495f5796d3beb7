"""Segmentations (csrc spaces/segments.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/path_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* segments_kernel() except +

SEGMENTS = wrap_kernel(segments_kernel(), None)
