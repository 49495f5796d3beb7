"""Classes (csrc spaces/multiclass.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/multiclass_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* multiclass_kernel() except +

MULTICLASS = wrap_kernel(multiclass_kernel(), None)
