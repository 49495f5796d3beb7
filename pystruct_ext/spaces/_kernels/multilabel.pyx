"""Label sets (csrc spaces/multilabel.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/multilabel_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* multilabel_kernel() except +

MULTILABEL = wrap_kernel(multilabel_kernel(), None)
