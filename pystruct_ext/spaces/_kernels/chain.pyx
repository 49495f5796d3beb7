"""Label sequences (csrc spaces/chain.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/chain_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* chain_kernel() except +

CHAIN = wrap_kernel(chain_kernel(), None)
