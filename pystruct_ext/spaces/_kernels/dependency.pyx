"""Dependency trees (csrc spaces/dependency.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from *:
    """
    #include "pystruct_ext/spaces/dependency_tools.hpp"
    static const psx_kernel* dependency_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<DependencySpace<float>, DependencyQueries<float>>, With<DependencySpace<double>, DependencyQueries<double>>>("dependency");
    }
    """
    const psx_kernel* dependency_kernel() except +

DEPENDENCY = wrap_kernel(dependency_kernel(), None)
