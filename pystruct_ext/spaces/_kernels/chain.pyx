"""Label sequences (csrc spaces/chain.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from *:
    """
    #include "pystruct_ext/spaces/chain_tools.hpp"
    static const psx_kernel* chain_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<ChainSpace<float>, ChainQueries<float>>, With<ChainSpace<double>, ChainQueries<double>>>("chain");
    }
    """
    const psx_kernel* chain_kernel() except +

CHAIN = wrap_kernel(chain_kernel(), None)
