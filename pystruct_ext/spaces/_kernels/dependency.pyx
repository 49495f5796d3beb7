"""Dependency trees (csrc spaces/dependency.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/dependency_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* dependency_kernel() except +

DEPENDENCY = wrap_kernel(dependency_kernel(), None)
