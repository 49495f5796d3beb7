"""Segmentations (csrc spaces/segments.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from *:
    """
    #include "pystruct_ext/spaces/path_tools.hpp"
    static const psx_kernel* segments_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<SegmentSpace<float>, ForestQueries<SegmentSpace<float>>>, With<SegmentSpace<double>, ForestQueries<SegmentSpace<double>>>>("segments");
    }
    """
    const psx_kernel* segments_kernel() except +

SEGMENTS = wrap_kernel(segments_kernel(), None)
