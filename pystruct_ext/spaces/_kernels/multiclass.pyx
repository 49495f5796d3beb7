"""Classes (csrc spaces/multiclass.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from *:
    """
    #include "pystruct_ext/spaces/multiclass_tools.hpp"
    static const psx_kernel* multiclass_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<MulticlassSpace<float>, ForestQueries<MulticlassSpace<float>>>, With<MulticlassSpace<double>, ForestQueries<MulticlassSpace<double>>>>("multiclass");
    }
    """
    const psx_kernel* multiclass_kernel() except +

MULTICLASS = wrap_kernel(multiclass_kernel(), None)
